"""Kills the function's worker at a chosen moment of a run: the hard stops of the crash tests and the soak."""

import os
import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass

from sandbox.web import Request
from sandbox.world import Sandbox


def _is_fetch(request: Request) -> bool:
    return request.path.endswith("/stream")


def _is_post(request: Request) -> bool:
    return request.path == "/api/logs" and request.headers.get("log-type") == "DocuSignMonitor"


def _is_save(request: Request) -> bool:
    return request.method == "PUT" and "/checkpoint/" in request.path and "comp" not in request.query


def _is_release(request: Request) -> bool:
    return request.query.get("comp") == "lease" and request.headers.get("x-ms-lease-action") == "release"


@dataclass(frozen=True)
class Moment:
    """A moment of a run: a request, before or after its service has done its work."""

    name: str
    matches: Callable[[Request], bool]
    after: bool


MOMENTS = (
    Moment("asking for a page", _is_fetch, after=False),
    Moment("page on its way", _is_fetch, after=True),
    Moment("posting", _is_post, after=False),
    Moment("accepted, not answered", _is_post, after=True),
    Moment("saving", _is_save, after=False),
    Moment("saved, not answered", _is_save, after=True),
    Moment("releasing", _is_release, after=False),
)


class Bouncer:
    """Stops the worker once, at a moment that was armed before.

    Attributes:
        struck: The names of the moments at which it has struck.
    """

    def __init__(self, sandbox: Sandbox, worker_pid: Callable[[], int]) -> None:
        self.struck: list[str] = []
        self._pid = worker_pid
        self._lock = threading.Lock()
        self._armed: tuple[Moment, int] | None = None
        self._skip = 0
        sandbox.taps.before.append(lambda request: self._see(request, after=False))
        sandbox.taps.after.append(lambda request: self._see(request, after=True))

    def arm(self, moment: Moment, *, skip: int = 0, how: int = signal.SIGKILL) -> None:
        """Strike at the moment, after it has passed so many times."""
        with self._lock:
            self._armed, self._skip = (moment, how), skip

    def disarm(self) -> None:
        """Let the moment pass."""
        with self._lock:
            self._armed = None

    def _see(self, request: Request, *, after: bool) -> None:
        with self._lock:
            if self._armed is None or self._armed[0].after != after or not self._armed[0].matches(request):
                return
            if self._skip:
                self._skip -= 1
                return
            (moment, how), self._armed = self._armed, None
            self.struck.append(moment.name)
            os.kill(self._pid(), how)
