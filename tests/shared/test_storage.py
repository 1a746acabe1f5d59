import base64

import pytest
from azure.core.exceptions import HttpResponseError

from shared.azure_calls import azure_call
from shared.errors import ConnectorError, ServiceUnavailable, StorageRefused
from shared.storage import make_container, open_container, refused
from shared.web import Answer
from tests.shared.fakes import (
    BlobService,
    FakeCredential,
    Wire,
    loses_answer,
    make_retry,
    never,
    storage_answer,
    unreachable,
)
from tests.support import ManualClock, make_settings

KEY = base64.b64encode(b"account key").decode()


@pytest.mark.parametrize(
    ("environ", "url"),
    [
        (
            {"AzureWebJobsStorage__accountName": "anaccount"},
            "https://anaccount.blob.core.windows.net/docusign-monitor",
        ),
        (
            {"AzureWebJobsStorage__accountName": "anaccount", "AZURE_CLOUD": "AzureUSGovernment"},
            "https://anaccount.blob.core.usgovcloudapi.net/docusign-monitor",
        ),
        (
            {"AzureWebJobsStorage__blobServiceUri": "https://private.example/", "STATE_CONTAINER": "state"},
            "https://private.example/state",
        ),
        (
            {
                "AzureWebJobsStorage": "DefaultEndpointsProtocol=https;AccountName=other;"
                f"AccountKey={KEY};EndpointSuffix=core.windows.net"
            },
            "https://other.blob.core.windows.net/docusign-monitor",
        ),
    ],
)
def test_open(environ: dict[str, str], url: str) -> None:
    """The container is found by the account's name, its address or its connection string."""
    with open_container(make_settings(**environ), FakeCredential()) as container:
        assert url == container.url


@pytest.mark.parametrize("text", ["nonsense", "a=b", f"AccountKey={KEY}", f"{KEY}"])
def test_no_connection_string(text: str) -> None:
    """What is no connection string is told, and never shown: it may hold a key."""
    with pytest.raises(StorageRefused, match="AzureWebJobsStorage is no connection string") as raised:
        open_container(make_settings(AzureWebJobsStorage=text), FakeCredential())

    assert text not in str(raised.value)
    assert raised.value.__suppress_context__


def test_account_key_that_is_none() -> None:
    """A connection string with a broken key fails without the key in the text."""
    broken = "DefaultEndpointsProtocol=https;AccountName=other;AccountKey=%;EndpointSuffix=core.windows.net"
    with (
        open_container(make_settings(AzureWebJobsStorage=broken), FakeCredential()) as container,
        pytest.raises(ConnectorError) as raised,
    ):
        azure_call("a", container.create_container, StorageRefused, "Copy the connection string again.")

    assert "%" not in str(raised.value)


def test_make() -> None:
    """A missing container is made."""
    storage = BlobService(ManualClock(), exists=False)
    make_container(storage.client(), never())

    assert storage.exists


def test_make_again() -> None:
    """A container that is there already is left alone, also after an ambiguous answer."""
    storage = BlobService(ManualClock(), exists=False)
    container = storage.client(Wire(storage, loses_answer))
    make_container(container, make_retry())
    make_container(container, never())

    assert storage.exists


@pytest.mark.parametrize("step", [unreachable, storage_answer(503)])
def test_outage(step: Answer) -> None:
    """Storage that is down may be tried again."""
    with pytest.raises(ServiceUnavailable, match=r"^container docusign-monitor \(.*\): "):
        make_container(BlobService(ManualClock()).client(Wire(Answer(201), step)), never())


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (storage_answer(403, "AuthorizationFailure"), "role Storage Blob Data Owner on the account"),
        (storage_answer(400, "InvalidResourceName"), "cannot be made: status 400, InvalidResourceName"),
        (Answer(405), "cannot be made: status 405, no code"),
    ],
)
def test_refused(answer: Answer, says: str) -> None:
    """A refusal names the container, the status and the cure."""
    with pytest.raises(StorageRefused, match=says):
        make_container(BlobService(ManualClock()).client(Wire(answer)), never())


def test_refusal_without_a_code() -> None:
    """A status without an error code of storage is told all the same."""
    error = HttpResponseError("body with <secrets>")
    error.status_code = 418

    assert "blob a: status 418, no code. Give the app's identity the role" in str(refused("blob a", error))
    assert "secrets" not in str(refused("blob a", error))
