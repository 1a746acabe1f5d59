"""The leanest loop that one can write: fetch, decode, encode, sign, post; one thing after the other.

No retries, no checkpoint, no limits, no time budget, nothing checked. `rows` makes the connector's rows of
well-formed events; `raw` posts the events as they came, which the ingestion API does not document to take.
"""

import argparse
import base64
import email.utils
import hashlib
import hmac
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
import requests

from shared.ingestion.columns import EVENT_FIELDS

NAMES = {field.name for field in EVENT_FIELDS}
NESTED = ("data", "userAgentClientInfo")
KEY = base64.b64encode(bytes(64)).decode()


@dataclass
class Account:
    """What a loop did, in seconds.

    Attributes:
        pages: Answers of DocuSign, the last and empty one too.
        events: Events posted.
        fetching: From a request for a page to its events.
        shipping: From the events to the answer of the workspace.
        cpu: User and system time of the process.
        wall: From the first request to the last answer.
    """

    pages: int = 0
    events: int = 0
    fetching: float = 0.0
    shipping: float = 0.0
    cpu: float = 0.0
    wall: float = 0.0


def flat(event: dict[str, Any]) -> dict[str, Any]:
    """The row of a well-formed event."""
    row: dict[str, Any] = {}
    extras: dict[str, Any] = {}
    for name, value in event.items():
        if value is not None and value != "":
            (row if name in NAMES else extras)[name] = value
    for name in NESTED:
        if name in row:
            row[name] = orjson.dumps(row[name]).decode()
    location = {k: v for k, v in extras.pop("ipAddressLocation", {}).items() if v is not None and v != ""}
    row = location | row
    if "browser" not in row:
        client = event.get("userAgentClientInfo") or {}
        row |= {name: _version(part) for name, part in client.items() if name not in row}
    if location.items() - row.items():
        extras["ipAddressLocation"] = dict(location.items() - row.items())
    if extras:
        row["additionalFields"] = orjson.dumps(extras).decode()
    return row


def _version(part: dict[str, Any]) -> str:
    major = part.get("version", {}).get("major")
    return f"{part['family']} {major}" if major else str(part["family"])


def encode_rows(events: Sequence[dict[str, Any]]) -> bytes:
    """The body of a post, of the connector's rows."""
    return orjson.dumps([flat(event) for event in events])


def sign(key: str, size: int, date: str) -> str:
    """The signature of the Data Collector API."""
    text = f"POST\n{size}\napplication/json\nx-ms-date:{date}\n/api/logs"
    return base64.b64encode(hmac.new(base64.b64decode(key), text.encode(), hashlib.sha256).digest()).decode()


class Lean:
    """The loop.

    Args:
        stream: DocuSign's address.
        workspace: The workspace's address.
        encode: Events to the body of a post.
    """

    def __init__(
        self, stream: str, workspace: str, encode: Callable[[Sequence[dict[str, Any]]], bytes]
    ) -> None:
        self._stream = stream
        self._workspace = workspace
        self._encode = encode
        self._docusign, self._azure = requests.Session(), requests.Session()

    def carry(self, cursor: str, most: int = -1) -> tuple[str, Account]:
        """Carry at most so many pages from the cursor on; the new cursor, and the account."""
        account = Account()
        cpu, wall = time.process_time(), time.monotonic()
        while account.pages != most:
            start = time.monotonic()
            page = orjson.loads(
                self._docusign.get(self._stream, params={"cursor": cursor, "limit": "2000"}).content
            )
            fetched = time.monotonic()
            account.fetching += fetched - start
            account.pages += 1
            if page["endCursor"] == cursor:
                break
            self._post(self._encode(page["resultData"]))
            account.shipping += time.monotonic() - fetched
            account.events += len(page["resultData"])
            cursor = page["endCursor"]
        account.cpu, account.wall = time.process_time() - cpu, time.monotonic() - wall
        return cursor, account

    def _post(self, body: bytes) -> None:
        date = email.utils.formatdate(usegmt=True)
        headers = {
            "Authorization": f"SharedKey workspace:{sign(KEY, len(body), date)}",
            "Content-Type": "application/json",
            "Log-Type": "DocuSignMonitor",
            "x-ms-date": date,
        }
        self._azure.post(self._workspace, data=body, headers=headers).raise_for_status()


def main() -> None:
    """Carry everything, after some pages to warm up, and print the account as JSON."""
    parser = argparse.ArgumentParser()
    for name in ("stream", "workspace", "cursor"):
        parser.add_argument(name)
    parser.add_argument("--raw", action="store_true")
    parser.add_argument("--warm-up", type=int, default=2)
    arguments = parser.parse_args()
    lean = Lean(arguments.stream, arguments.workspace, orjson.dumps if arguments.raw else encode_rows)
    cursor, _ = lean.carry(arguments.cursor, most=arguments.warm_up)
    _, account = lean.carry(cursor)
    print(orjson.dumps(account).decode())


if __name__ == "__main__":
    main()
