"""The token for Azure Monitor: the credential caches it, and a rejected one is asked for anew."""

import threading
from collections.abc import Callable

from azure.core.credentials import TokenCredential
from azure.core.exceptions import HttpResponseError

from shared.azure_calls import ATTEMPT_SECONDS, azure_call
from shared.errors import IngestionRefused
from shared.retry import Retry

_CURE = (
    "Give the function app the managed identity that AzureWebJobsStorage__clientId names, or none and its own "
    "(outside Azure: az login); check AZURE_CLOUD."
)


class MonitorToken:
    """The token of one process; threads may share it.

    Args:
        credential: Caches the token until shortly before it expires.
        another: Makes a credential with an empty cache: the library has no other way to renew early.
        scope: What the token is for, by cloud.
    """

    def __init__(
        self, credential: TokenCredential, another: Callable[[], TokenCredential], scope: str
    ) -> None:
        self._credential = credential
        self._another = another
        self._scope = scope
        self._lock = threading.Lock()

    def read(self, retry: Retry) -> str:
        """The token.

        Raises:
            IngestionRefused: There is no identity, or it is refused.
            ServiceUnavailable: The identity endpoint stayed down for the rest of the run.
        """
        return retry(lambda: self._fetch(retry.attempt_seconds(ATTEMPT_SECONDS)))

    def changed(self, rejected: str, retry: Retry) -> bool:
        """Ask anew, unless another thread just did; whether there is another token than the rejected one."""
        with self._lock:
            if self.read(retry) == rejected:
                self._credential = self._another()
            return self.read(retry) != rejected

    def _fetch(self, seconds: float) -> str:
        what = f"The token for {self._scope}"
        credential = self._credential
        try:
            return azure_call(
                what, lambda: credential.get_token(self._scope).token, IngestionRefused, _CURE, seconds
            )
        except HttpResponseError as error:
            raise IngestionRefused(f"{what}: status {error.status_code}. {_CURE}") from None
