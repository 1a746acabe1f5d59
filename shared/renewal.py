"""A credential that a service rejects is read once more: it may have been replaced meanwhile.

One protocol for the workspace key, DocuSign's signing key and access token, and Azure Monitor's token.
"""

from collections.abc import Callable
from typing import Protocol, TypeVar

from shared.answers import Action, Rule
from shared.retry import Retry

A = TypeVar("A")


class Credential(Protocol):
    """What is shown to a service."""

    def read(self, retry: Retry) -> str:
        """The credential, from its source on first use."""

    def changed(self, rejected: str, retry: Retry) -> bool:
        """Ask the source again; whether there is another one than the rejected."""


def with_renewal(
    credential: Credential, retry: Retry, attempt: Callable[[str], tuple[A, Rule]]
) -> tuple[A, Rule]:
    """The attempt's answer, and the rule for it; made twice where the first credential was rejected.

    Args:
        credential: What is shown.
        retry: Repeats what fails for a moment.
        attempt: Asks the service, once; the rule's action `RENEW` rejects the credential.
    """
    held = credential.read(retry)
    answer, rule = retry(lambda: attempt(held))
    if rule.action is Action.RENEW and credential.changed(held, retry):
        another = credential.read(retry)
        answer, rule = retry(lambda: attempt(another))
    return answer, rule
