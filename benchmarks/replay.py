"""The sandbox with ends that replay: what they cost must not be what is measured.

Pages are compressed once. An answer is two gzip members, of which only the first, with the cursor, is made for
the request. The workspace takes every post unread. Tokens, vault, identity and storage are the sandbox's.
"""

import gzip
import re
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import orjson

from sandbox.organization import make_organization
from sandbox.source import empty_organization
from sandbox.web import Request, Response, Service
from sandbox.world import INGESTION_HOST, Sandbox

PAGE = 2_000
DOCUSIGN_HOST = "api.docusign.com"
_BLOCKS = 5
_CURSOR = re.compile(r"page-(\d+)")


def sample_events(count: int = PAGE * _BLOCKS) -> list[dict[str, object]]:
    """So many events of the synthetic organization."""
    return [entry.event for entry in make_organization(datetime.now(UTC), events=count).history]


class Replay(Sandbox):
    """A sandbox whose DocuSign replays pages, and whose workspace only counts.

    Attributes:
        pages: How many full pages DocuSign has.
        docusign_seconds: How long DocuSign thinks before each page.
        workspace_seconds: How long the workspace thinks before it takes a post.
        requests: Requests so far, by service.
        posted: When the last post of events was taken, on the monotonic clock.
        sent_bytes: Bytes of all pages sent, as JSON.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.pages = 0
        self.docusign_seconds = self.workspace_seconds = 0.0
        self.requests: Counter[str] = Counter()
        self.first_post = 0.0
        events = [orjson.dumps(event) for event in sample_events()]
        texts = [b'"resultData":[%b]}' % b",".join(events[n::_BLOCKS]) for n in range(_BLOCKS)]
        self._blocks = [gzip.compress(text, 6, mtime=0) for text in texts]
        super().__init__(folder, empty_organization())
        self.taps.before.append(lambda request: self.requests.update([self._kind(request)]))

    def reset(self) -> None:
        """Forget what was counted."""
        self.requests.clear()
        self.first_post = 0.0

    def _services(self) -> dict[str, Service]:
        collector = f"{self.workspace_id}.ods.opinsights.azure.com"
        return super()._services() | {DOCUSIGN_HOST: self._page, collector: self._take}

    def _page(self, request: Request) -> Response:
        time.sleep(self.docusign_seconds)
        match = _CURSOR.fullmatch(request.query["cursor"])
        before = int(match[1]) if match else 0
        end = min(before + 1, self.pages)
        body = self._blocks[before % _BLOCKS] if end > before else gzip.compress(b'"resultData":[]}', mtime=0)
        head = gzip.compress(b'{"endCursor":"page-%d",' % end, mtime=0)
        return Response(200, head + body, {"Content-Type": "application/json", "Content-Encoding": "gzip"})

    def _take(self, request: Request) -> Response:
        if "Health" not in request.headers["log-type"]:
            time.sleep(self.workspace_seconds)
            self.first_post = self.first_post or time.monotonic()
        return Response(200)

    def _kind(self, request: Request) -> str:
        if "opinsights" in request.host or request.host == INGESTION_HOST:
            return "ingestion"
        return next((kind for part, kind in _KINDS.items() if part in request.host), "identity")


_KINDS = {
    "account.docusign": "DocuSign sign-in",
    "docusign.com": "DocuSign",
    "vault": "vault",
    "blob": "storage",
}
