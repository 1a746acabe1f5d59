"""Who the connector is to Azure: the managed identity there, the developer's own login elsewhere."""

import os

from azure.core.credentials import TokenCredential
from azure.core.exceptions import HttpResponseError, ServiceResponseError
from azure.core.pipeline import PipelineResponse
from azure.core.rest import HttpRequest, HttpResponse
from azure.identity import DefaultAzureCredential, ManagedIdentityCredential

from shared import lenient_json
from shared.azure_calls import NO_RETRIES, TRANSIENT, azure_transport


def make_credential(client_id: str | None, authority: str) -> TokenCredential:
    """The credential for every Azure service; make one a process, for it caches the tokens.

    Args:
        client_id: The user-assigned identity's client id, or None for the system-assigned one.
        authority: The sign-in host of the cloud.
    """
    if "IDENTITY_ENDPOINT" in os.environ:
        return ManagedIdentityCredential(
            client_id=client_id,
            raw_response_hook=_raise_outage,
            transport=azure_transport(),
            **NO_RETRIES,
        )
    return DefaultAzureCredential(authority=authority, exclude_managed_identity_credential=True)


def _raise_outage(response: PipelineResponse[HttpRequest, HttpResponse]) -> None:
    """Tell an outage of the identity endpoint from its refusal: the library reports both by one class."""
    answer = response.http_response
    if answer.status_code in TRANSIENT:
        raise HttpResponseError("the identity endpoint failed", response=answer)
    try:
        lenient_json.loads(answer.text().encode())
    except ValueError:
        raise ServiceResponseError("the identity endpoint's answer is not JSON") from None
