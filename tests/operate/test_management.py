"""An app's settings from Azure's management API."""

import pytest

from operate.management import from_app
from shared.errors import OperatorError
from shared.web import Answer, Request
from tests.shared.fakes import IDENTITY_TOKEN, FakeCredential, Wire, json_answer

SUBSCRIPTION = "00000000-0000-0000-0000-000000000001"


def read(wire: Wire, cloud: str = "AzureCloud") -> dict[str, str]:
    """Read the settings of one app."""
    found = from_app("my-app", "my group", SUBSCRIPTION, cloud, send=wire, credential=FakeCredential)
    return dict(found.environ)


def test_the_connectors_settings_are_taken() -> None:
    """One POST with the login's token; the platform's own settings, proxies and identities stay there."""
    properties = {"LOG_TYPE": "Mine", "HTTPS_PROXY": "http://inside", "IDENTITY_ENDPOINT": "http://inside"}
    wire = Wire(json_answer(200, {"properties": properties}))
    values = read(wire)
    request: Request = wire.requests[0]

    assert {"LOG_TYPE": "Mine"} == values
    assert (
        "https://management.azure.com/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/my%20group"
        "/providers/Microsoft.Web/sites/my-app/config/appsettings/list?api-version=2024-04-01"
    ) == request.url
    assert ("POST", f"Bearer {IDENTITY_TOKEN}") == (request.method, request.headers["Authorization"])


def test_each_cloud_has_its_host() -> None:
    """In another cloud another host is asked."""
    wire = Wire(json_answer(200, {"properties": {}}))
    read(wire, "AzureUSGovernment")

    assert "management.usgovcloudapi.net" == wire.requests[0].host


@pytest.mark.parametrize(
    ("status", "says"), [(401, "az login"), (403, "Website Contributor"), (404, "there is no such app")]
)
def test_refusals(status: int, says: str) -> None:
    """Each refusal names its cure."""
    with pytest.raises(OperatorError, match=says):
        read(Wire(json_answer(status, {})))


def test_an_outage_is_waited_out() -> None:
    """A failure that heals is tried again."""
    wire = Wire(
        json_answer(200, {"properties": {"LOG_TYPE": "Mine"}}), Answer(503), Answer(200, body=b"<html>")
    )

    assert {"LOG_TYPE": "Mine"} == read(wire)
    assert 3 == len(wire.requests)
