"""The hourly limit that all of an account's applications share."""

import threading
from collections.abc import Callable
from http import HTTPStatus

from sandbox.docusign.answers import api_error
from sandbox.web import Response

CALLS_AN_HOUR = 3000
_HOUR = 3600


class HourlyLimit:
    """Counts calls down to zero and starts again at the full hour.

    Args:
        clock: Returns the seconds since 1970.

    Attributes:
        remaining: Calls left in this hour; set it to bring the limit near.
        status: Status of the refusal: 429, or 400, which DocuSign uses as well.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self.remaining = CALLS_AN_HOUR
        self.status = int(HTTPStatus.TOO_MANY_REQUESTS)
        self._clock = clock
        self._lock = threading.Lock()
        self._reset = self._next_hour()

    def take(self) -> Response | None:
        """Count one call; return the refusal if none was left."""
        with self._lock:
            if self._clock() >= self._reset:
                self.remaining, self._reset = CALLS_AN_HOUR, self._next_hour()
            if self.remaining > 0:
                self.remaining -= 1
                return None
        message = (
            f"The maximum number of hourly API invocations has been exceeded. The limit is {CALLS_AN_HOUR}."
        )
        return api_error(self.status, "HOURLY_APIINVOCATION_LIMIT_EXCEEDED", message)

    def headers(self) -> dict[str, str]:
        """Return the headers that tell the client where it stands."""
        return {
            "X-RateLimit-Limit": str(CALLS_AN_HOUR),
            "X-RateLimit-Remaining": str(self.remaining),
            "X-RateLimit-Reset": str(self._reset),
        }

    def _next_hour(self) -> int:
        return (int(self._clock()) // _HOUR + 1) * _HOUR
