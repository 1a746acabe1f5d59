"""A deployed app's settings, read through Azure's management API with the developer's own login.

Source: Microsoft's reference "Web Apps - List Application Settings" (Microsoft.Web, 2024-04-01).
"""

from collections.abc import Callable
from urllib.parse import quote

from azure.core.credentials import TokenCredential
from azure.core.exceptions import HttpResponseError

from operate.target import NAMES, Target
from shared.azure_calls import azure_call
from shared.budget import Budget
from shared.clouds import CLOUDS
from shared.errors import OperatorError, ServiceUnavailable
from shared.identity import make_credential
from shared.retry import Retry
from shared.web import Answer, Request, Transport, https_transport

HOSTS = {
    "AzureCloud": "management.azure.com",
    "AzureUSGovernment": "management.usgovcloudapi.net",
    "AzureChinaCloud": "management.chinacloudapi.cn",
}
_SECONDS = 60.0
_OK = 200
_REFUSED = {
    401: "the login is not accepted there. Run az login with an account of the subscription's tenant",
    403: "the login may not read the app's settings. It needs the role Website Contributor on the app "
    "(Microsoft.Web/sites/config/list/action)",
    404: "there is no such app. Check --app, --resource-group and the subscription",
}


def from_app(  # noqa: PLR0913 - which app, and what a test puts in place of the network
    app: str,
    resource_group: str,
    subscription: str | None,
    cloud: str = "AzureCloud",
    *,
    send: Transport | None = None,
    credential: Callable[[], TokenCredential] | None = None,
    make_retry: Callable[[Budget], Retry] = Retry,
) -> Target:
    """The connector's settings of an app in Azure; the platform's own settings are left out.

    Raises:
        OperatorError: The login, its roles or the names are wrong.
        ServiceUnavailable: Azure does not answer.
    """
    if not subscription:
        raise OperatorError("Which subscription? Give --subscription, or set AZURE_SUBSCRIPTION_ID.")
    make = credential or (lambda: make_credential(None, CLOUDS[cloud].authority))
    retry = make_retry(Budget(_SECONDS))
    token = retry(lambda: _token(make(), HOSTS[cloud]))
    url = (
        f"https://{HOSTS[cloud]}/subscriptions/{quote(subscription, safe='')}/resourceGroups/"
        f"{quote(resource_group, safe='')}/providers/Microsoft.Web/sites/{quote(app, safe='')}"
        "/config/appsettings/list?api-version=2024-04-01"
    )
    headers = {"Authorization": f"Bearer {token}", "Accept": "application/json"}
    transport = send or https_transport()
    values = retry(lambda: _values(transport(Request("POST", url, headers, b"")), app))
    return Target(f"the app {app}", {name: text for name, text in values.items() if name in NAMES})


def _token(credential: TokenCredential, host: str) -> str:
    what, cure = f"The token for {host}", "Run az login (or Connect-AzAccount, or azd auth login)."
    try:
        return azure_call(
            what, lambda: credential.get_token(f"https://{host}/.default").token, OperatorError, cure
        )
    except HttpResponseError as error:
        raise OperatorError(f"{what}: status {error.status_code}. {cure}") from None


def _values(answer: Answer, app: str) -> dict[str, str]:
    what = f"The settings of the app {app} ({answer.status})"
    if answer.status != _OK:
        if cure := _REFUSED.get(answer.status):
            raise OperatorError(f"{what}: {cure}.")
        raise ServiceUnavailable(f"{what}: Azure's management API failed", retry_after=answer.retry_after())
    try:
        properties = answer.json()["properties"]
        return {str(name): str(value) for name, value in properties.items()}
    except (ValueError, TypeError, KeyError, AttributeError):
        raise ServiceUnavailable(f"{what}: the answer holds no settings") from None
