"""Whose state a blob holds: DocuSign's environment and the user whose stream it is.

A cursor of the demo environment means nothing in production, and a directory of one user's accounts is not
another's. So every blob that is gone on with names its owner, and a foreign one is refused, or begun anew.
"""

from dataclasses import dataclass
from typing import Any

from shared.settings import Settings


@dataclass(frozen=True)
class Owner:
    """The environment (`production` or `demo`) and the user's GUID, lower case."""

    environment: str
    user_id: str

    def to_json(self) -> dict[str, str]:
        """The fields that name it in a blob."""
        return {"environment": self.environment, "userId": self.user_id}

    def __str__(self) -> str:
        return f"{self.environment}, user {self.user_id}"


def owner_of(settings: Settings) -> Owner:
    """The owner of what an app with these settings writes."""
    return Owner(settings.environment, settings.user_id.lower())


def owner_from_json(value: dict[str, Any]) -> Owner | None:
    """The owner that a blob names, or None where it names none: an older version wrote it."""
    environment, user_id = value.get("environment"), value.get("userId")
    named = isinstance(environment, str) and isinstance(user_id, str) and environment and user_id
    return Owner(environment, user_id.lower()) if named else None  # type: ignore[arg-type, union-attr]
