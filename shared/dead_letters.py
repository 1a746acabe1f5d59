"""Events that the workspace does not take, kept whole.

Blob `dead-letters/<yyyy>/<mm>/<dd>/<event id or hash>.json`: `{"reason","status","event","cursor","at"}` in
plain ASCII, so that it can hold what no UTF-8 text can (lone surrogates). What was kept without being looked
through is `page-<hash>.json`, with `"events"`, a list, in place of `"event"`.
"""

import hashlib
import json
import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from azure.core.exceptions import HttpResponseError, ResourceExistsError
from azure.storage.blob import ContainerClient

from shared import lenient_json
from shared.retry import Retry
from shared.storage import ask_storage, refused
from shared.timestamps import iso_utc

PREFIX = "dead-letters/"
PAGE = "page-"
"""How the name of a page's blob begins, within its folder."""
_SAFE_ID = re.compile(r"[0-9A-Za-z-]{1,64}", re.ASCII)


class DeadLetters:
    """Writes dead letters into the state's container."""

    def __init__(
        self,
        container: ContainerClient,
        retry: Retry,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._container = container
        self._retry = retry
        self._now = now

    def write(self, event: Any, *, reason: str, status: int, cursor: str) -> None:
        """Keep one event. An event that is delivered again is not kept twice.

        Raises:
            StorageRefused, ServiceUnavailable: It could not be kept; the page must not be passed.
        """
        at = self._now()
        letter = {"reason": reason, "status": status, "event": event, "cursor": cursor, "at": iso_utc(at)}
        folder, digest = _folder(at), _digest(event)
        identifier = event.get("eventId") if isinstance(event, dict) else None
        if isinstance(identifier, str) and _SAFE_ID.fullmatch(identifier):
            name = f"{folder}{identifier}.json"
            if self._put(name, letter) or self._holds(name, event):
                return
        self._put(f"{folder}{digest}.json", letter)

    def write_page(self, events: Sequence[Any], *, reason: str, status: int, cursor: str) -> None:
        """Keep events as they are, in one blob; the same ones are not kept twice.

        Raises:
            StorageRefused, ServiceUnavailable: They could not be kept; the page must not be passed.
        """
        at, kept = self._now(), list(events)
        letter = {"reason": reason, "status": status, "events": kept, "cursor": cursor, "at": iso_utc(at)}
        self._put(page_name(_folder(at), kept), letter)

    def _put(self, name: str, letter: dict[str, Any]) -> bool:
        """Whether the blob was written; False when there is one of that name."""
        blob = self._container.get_blob_client(name)
        try:
            ask_storage(self._container, name, lambda: blob.upload_blob(encoded(letter)), self._retry)
        except ResourceExistsError:
            return False
        except HttpResponseError as error:
            raise refused(name, error) from None
        return True

    def _holds(self, name: str, event: Any) -> bool:
        blob = self._container.get_blob_client(name)
        try:
            content = ask_storage(self._container, name, lambda: blob.download_blob().readall(), self._retry)
            return bool(encoded(json.loads(content)["event"]) == encoded(event))
        except (HttpResponseError, ValueError, KeyError, TypeError):
            return False  # whatever is there, it is not this event


def page_name(folder: str, events: list[Any]) -> str:
    """The name of the blob of a page of these events.

    Args:
        folder: The day's, with its slash.
        events: In order.
    """
    return f"{folder}{PAGE}{_digest(events)}.json"


def encoded(value: Any) -> bytes:
    """The content of a blob: plain ASCII, which can hold what no UTF-8 text can (lone surrogates)."""
    try:
        return json.dumps(value, sort_keys=True, separators=(",", ":")).encode("ascii")
    except RecursionError:  # nested deeper than Python 3.11 writes: the deep part is kept as text
        return json.dumps(lenient_json.loads(lenient_json.dumps(value)), sort_keys=True).encode("ascii")


def _folder(at: datetime) -> str:
    return f"{PREFIX}{at:%Y/%m/%d}/"


def _digest(value: Any) -> str:
    return hashlib.sha256(encoded(value)).hexdigest()
