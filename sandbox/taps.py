"""Callbacks around every request: tests kill the worker, or count, at the very moment that they mean.

::

    request -> before(request) -> [ faults ] -> service -> after(request) -> answer
"""

from collections.abc import Callable

from sandbox.web import Answering, Request, Response, Service, Wire

Callback = Callable[[Request], object]


class Taps:
    """Stands before the faults, and calls back.

    Attributes:
        before: Called with a request before its service has done anything.
        after: Called when the service has done its work, and before its answer is sent.
    """

    def __init__(self, behind: Answering) -> None:
        self.before: list[Callback] = []
        self.after: list[Callback] = []
        self._behind = behind

    def answer(self, request: Request, service: Service, wire: Wire) -> None:
        """Answer the request on the wire."""
        for callback in list(self.before):
            callback(request)
        self._behind.answer(request, lambda inner: self._served(service, inner), wire)

    def _served(self, service: Service, request: Request) -> Response:
        response = service(request)
        for callback in list(self.after):
            callback(request)
        return response
