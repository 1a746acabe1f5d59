"""Secrets from Key Vault, read once a process, and again when a service rejects one."""

from collections.abc import Callable

from azure.core.credentials import TokenCredential
from azure.core.exceptions import HttpResponseError
from azure.core.pipeline.transport import RequestsTransport
from azure.keyvault.secrets import SecretClient

from shared.azure_calls import ATTEMPT_SECONDS, NO_RETRIES, azure_call, azure_transport
from shared.errors import SecretError
from shared.retry import Retry

_NOT_FOUND = 404


class Secret:
    """One secret as a credential: its text, once it is fit for use.

    Args:
        secrets: The vault.
        name: The secret's name.
        parse: Raises SecretError for a text that is unusable.
    """

    def __init__(self, secrets: "Secrets", name: str, parse: Callable[[str], object]) -> None:
        self._secrets = secrets
        self._name = name
        self._parse = parse

    def read(self, retry: Retry) -> str:
        """The text; an unusable one is read again, for it may have been mended since.

        Raises:
            SecretError: The vault refuses, or the text is unusable.
            ServiceUnavailable: The vault stayed down for the rest of the run.
        """
        text = self._secrets.read(self._name, retry)
        try:
            self._parse(text)
        except SecretError:
            if not self.changed(text, retry):
                raise
            text = self._secrets.read(self._name, retry)
            self._parse(text)
        return text

    def changed(self, rejected: str, retry: Retry) -> bool:
        """Read the vault again; whether it has another text than the rejected."""
        self._secrets.changed(self._name, retry)
        return self._secrets.read(self._name, retry) != rejected


class Secrets:
    """The secrets of one vault, by name.

    Args:
        vault_url: The vault's address.
        credential: Who asks.
        transport: Carries the requests; None for one that keeps to the deadlines.
    """

    def __init__(
        self, vault_url: str, credential: TokenCredential, transport: RequestsTransport | None = None
    ) -> None:
        self._vault_url = vault_url
        self._client = SecretClient(
            vault_url, credential, transport=transport or azure_transport(), **NO_RETRIES
        )
        self._values: dict[str, str] = {}

    def read(self, name: str, retry: Retry) -> str:
        """The secret's value, from the vault on first use.

        Raises:
            SecretError: The vault refuses, or holds no such secret, or an empty one.
            ServiceUnavailable: The vault or the identity stayed down for the rest of the run.
        """
        if name not in self._values:
            self._values[name] = retry(lambda: self._fetch(name, retry.attempt_seconds(ATTEMPT_SECONDS)))
        return self._values[name]

    def changed(self, name: str, retry: Retry) -> bool:
        """Read the secret again; whether it is another one than before."""
        before = self._values.pop(name, None)
        return self.read(name, retry) != before

    def _fetch(self, name: str, seconds: float) -> str:
        what = f"Key Vault {self._vault_url}, secret {name}"
        try:
            value = azure_call(
                what,
                lambda: self._client.get_secret(name).value,
                SecretError,
                "Give the app's identity the role Key Vault Secrets User on the vault, and let the vault's "
                "firewall admit the app.",
                seconds,
            )
        except HttpResponseError as error:
            if error.status_code == _NOT_FOUND:
                raise SecretError(
                    f"{what}: there is no such secret (or it is disabled). Create it."
                ) from None
            raise SecretError(f"{what}: status {error.status_code}. Check KEY_VAULT_URL.") from None
        if not value or not value.strip():
            raise SecretError(f"{what}: the secret is empty. Store its value.")
        return value
