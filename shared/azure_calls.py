"""One attempt at a call of an Azure SDK: its failures in this project's words.

The SDKs' own retries are switched off (`NO_RETRIES`): they sleep as long as a Retry-After says, and know
nothing of the run's budget.
"""

from collections.abc import Callable
from typing import Any, Final, TypeVar

from azure.core.exceptions import (
    ClientAuthenticationError,
    HttpResponseError,
    ServiceRequestError,
    ServiceResponseError,
)
from azure.core.pipeline.transport import RequestsTransport
from urllib3.exceptions import LocationParseError

from shared.deadline import deadline
from shared.errors import ConnectorError, OperatorError, ServiceUnavailable
from shared.network import network_error
from shared.web import Answer, make_session

T = TypeVar("T")

ATTEMPT_SECONDS = 30.0
NO_RETRIES: Final[dict[str, Any]] = {"retry_total": 0, "connection_timeout": 10, "read_timeout": 20}
_ERRORS = 400
TRANSIENT = frozenset({408, 429, 500, 502, 503, 504})


def azure_transport() -> RequestsTransport:
    """What an Azure client sends its requests by, so that they keep to the deadline of `azure_call`."""
    return RequestsTransport(session=make_session(), session_owner=False)


def azure_call(
    what: str,
    call: Callable[[], T],
    refused: type[OperatorError],
    cure: str,
    seconds: float = ATTEMPT_SECONDS,
) -> T:
    """The call's result.

    Args:
        what: The thing asked for, as in "Key Vault's secret workspace-key".
        call: Asks for it, once.
        refused: The class of error for a refusal that only a person can mend.
        cure: What that person does, as a sentence.
        seconds: How long the whole attempt may take.

    Raises:
        ServiceUnavailable: The service or the network failed; trying again may help.
        HttpResponseError: A status that the caller knows better (404, 409, 412).
        OperatorError: Of the class `refused`: no identity, no role, a firewall.
        NetworkRefused: The way to the service is closed for a reason that lasts.
    """
    try:
        with deadline(seconds):
            return call()
    except ClientAuthenticationError:
        raise refused(f"{what}: the identity was refused. {cure}") from None
    except HttpResponseError as error:
        raise _translated(error, what, refused, cure) from None
    except ConnectorError:
        raise
    except (
        ServiceRequestError,
        ServiceResponseError,
        OSError,
        LocationParseError,
    ) as error:
        raise network_error(what, error) from None
    except Exception as error:  # noqa: BLE001 - the SDKs stumble in many ways over HTML or half a body
        raise ServiceUnavailable(
            f"{what}: the answer is not the service's ({type(error).__name__})"
        ) from None


def _translated(
    error: HttpResponseError, what: str, refused: type[OperatorError], cure: str
) -> ServiceUnavailable | OperatorError | HttpResponseError:
    status = error.status_code or 0
    if status in TRANSIENT or status < _ERRORS:  # a good status that the SDK cannot read is not the service's
        given = getattr(error.response, "headers", {})
        headers = {name.lower(): value for name, value in given.items()}
        return ServiceUnavailable(
            f"{what}: status {status}", retry_after=Answer(status, headers).retry_after()
        )
    if status in (401, 403):
        return refused(f"{what}: status {status}. {cure}")
    return error
