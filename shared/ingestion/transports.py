"""A pool of transports: one transport serves one caller at a time, and batches go side by side."""

from collections import deque
from collections.abc import Callable

from shared.web import Answer, Request, Transport


def pooled(make: Callable[[], Transport]) -> Transport:
    """A transport for any number of callers; each gets an idle transport, or a new one.

    A transport that failed is not used again: the call that was given up may still hold its connection.
    """
    idle: deque[Transport] = deque()

    def send(request: Request) -> Answer:
        try:
            transport = idle.pop()
        except IndexError:
            transport = make()
        answer = transport(request)
        idle.append(transport)
        return answer

    return send
