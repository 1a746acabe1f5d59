"""The stream of events from a position on: which generation of the API, and what to do with its cursor.

Cursors may not be portable between the generations (unknown to the public), and an expired one is refused.
In both cases the stream is taken up some minutes before what was delivered last, loudly: repeated events are
removed by their ids, lost ones would be gone.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

from shared.docusign.cursors import restart_of
from shared.docusign.monitor import Monitor, Page
from shared.errors import CursorRefused, NothingThere
from shared.position import Position
from shared.timestamps import parse


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
            return self._asked_twice(monitor, position.cursor)
        except CursorRefused as error:
            if parse(position.cursor) and position.cursor == (position.origin or position.cursor):
                raise  # not even the date-time at which the stream was begun is taken
            return self._restarted(monitor, position, str(error))

    def _asked_twice(self, monitor: Monitor, cursor: str) -> Page:
        """The page; a cursor is not given up for one stray answer."""
        try:
            return monitor.page(cursor)
        except CursorRefused:
            self._pace()
            return monitor.page(cursor)

    def _restarted(self, monitor: Monitor, position: Position, why: str) -> Page:
        restart = restart_of(position)
        page = monitor.page(restart.cursor)
        return replace(
            page,
            warning=f"{why}: the stream goes on from {restart.cursor}, {restart.why}; some events come twice",
        )
