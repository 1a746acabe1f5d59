"""The stream of events from a position on: which generation of the API, and what to do with its cursor.

Cursors may not be portable between the generations (unknown to the public), and an expired one is refused.
In both cases the stream is taken up some minutes before the last delivered event, loudly: repeated events
are removed by their ids, lost ones would be gone.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

from shared.docusign.cursors import inserted_at, restart_before
from shared.docusign.monitor import Monitor, Page
from shared.errors import CursorRefused, NothingThere
from shared.position import Position
from shared.timestamps import EARLIEST, parse


class EventStream:
    """Pages of events, in insertion order.

    Args:
        monitors: The generations that may be asked, the preferred first; the next is taken on 404.
        pace: Waits until the next request may start.
    """

    def __init__(self, monitors: Sequence[Monitor], pace: Callable[[], None]) -> None:
        self._monitors = list(monitors)
        self._pace = pace

    def page(self, position: Position) -> Page:
        """The page after the position.

        Raises:
            ConnectorError: DocuSign refuses, or stayed down for the rest of the run.
        """
        self._pace()
        while True:
            try:
                return self._page(self._monitors[0], position)
            except NothingThere:
                if len(self._monitors) == 1:
                    raise
                del self._monitors[0]

    def _page(self, monitor: Monitor, position: Position) -> Page:
        if position.api not in ("", monitor.api) and parse(position.cursor) is None:
            why = f"The cursor was given by the Monitor API {position.api}, and {monitor.api} is asked now"
            return self._restarted(monitor, position, why)
        try:
            return monitor.page(position.cursor)
        except CursorRefused as error:
            if parse(position.cursor) is not None:
                raise
            return self._restarted(monitor, position, str(error))

    def _restarted(self, monitor: Monitor, position: Position, why: str) -> Page:
        cursor = _restart_cursor(position)
        page = monitor.page(cursor)
        return replace(page, warning=f"{why}: the stream goes on from {cursor}; some events come twice")


def _restart_cursor(position: Position) -> str:
    """An ISO date-time before the last delivered event, its insertion, and the saving, whichever is first.

    The event's own time may lie in the future, and its insertion is only known where the cursor tells it.
    """
    moments = (parse(position.last_event_time or ""), inserted_at(position.cursor), parse(position.saved_at))
    return restart_before(min((moment for moment in moments if moment), default=EARLIEST))
