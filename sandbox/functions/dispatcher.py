"""FunctionRpc on one side, the coroutines of Microsoft's runtime on the other.

::

    host --EventStream--> reader thread --> event loop (main thread) --> runtime --> function (its own thread)
    host <--EventStream-- outbox <---------- answers, log records of any thread
"""

import asyncio
import logging
import queue
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import azure_functions_runtime_v1 as runtime
import grpc
from azure_functions_runtime_v1.utils.app_setting_manager import is_envvar_true

from sandbox.functions.protos import CHANNEL_OPTIONS, protos

ANSWERS = {
    "worker_init_request": "worker_init_response",
    "functions_metadata_request": "function_metadata_response",
    "function_environment_reload_request": "function_environment_reload_response",
    "function_load_request": "function_load_response",
    "invocation_request": "invocation_response",
}
SYSTEM_LOGGERS = ("azure.functions", "sandbox.functions")

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class WorkerRequest:
    """What the runtime's coroutines take: the host's message, the protos and the host's address."""

    name: str
    request: Any
    properties: dict[str, Any]


class RpcLogHandler(logging.Handler):
    """Log records go to the host as RpcLog, tracebacks in the message, with the id of their invocation."""

    def __init__(self, send: Callable[..., None], invocation_id: Callable[[], str]) -> None:
        super().__init__()
        self._send = send
        self._invocation_id = invocation_id

    def emit(self, record: logging.LogRecord) -> None:
        """RpcLog's levels are the logging module's, divided by ten."""
        categories = protos.RpcLog.RpcLogCategory
        system = record.name.startswith(SYSTEM_LOGGERS)
        try:
            log = protos.RpcLog(
                invocation_id=self._invocation_id(),
                category=record.name,
                log_category=categories.Value("System" if system else "User"),
                level=min(record.levelno // 10, protos.RpcLog.Critical),
                message=self.format(record),
            )
        except Exception:  # noqa: BLE001 - as every logging handler: a bad record must not break the app
            self.handleError(record)
        else:
            self._send(rpc_log=log)


class Dispatcher:
    """One worker: hands each of the host's messages to the runtime and answers under the same request id."""

    def __init__(self, host: str) -> None:
        # A SimpleQueue may be used in a signal handler that interrupts another put; a Queue would deadlock.
        self.outbox: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._properties = {"protos": protos, "host": host}
        self._running: list[str] = []

    def send(self, request_id: str = "", **content: Any) -> None:
        """Puts one message into the stream to the host."""
        self.outbox.put(protos.StreamingMessage(request_id=request_id, **content))

    def invocation_id(self) -> str:
        """The invocation this thread serves; in threads that the app started, the one begun last."""
        return runtime.invocation_id_cv.get() or next(reversed([*self._running]), "")

    async def answer(self, message: Any) -> None:
        """Does what the host asks; what it asks in vain is logged, as in Azure."""
        content = message.WhichOneof("content")
        if content == "worker_terminate":
            self.outbox.put(None)
        elif content == "worker_status_request":
            self.send(message.request_id, worker_status_response=protos.WorkerStatusResponse())
        elif content == "invocation_request":
            await self._invoke(message)
        elif content in ANSWERS:
            await self._run(content, message)
        else:
            logger.error("Unknown StreamingMessage content type: %s", content)

    async def _invoke(self, message: Any) -> None:
        invocation_id = message.invocation_request.invocation_id
        runtime.invocation_id_cv.set(invocation_id)
        self._running.append(invocation_id)
        try:
            await self._run("invocation_request", message)
        finally:
            self._running.remove(invocation_id)

    async def _run(self, content: str, message: Any) -> None:
        response = await getattr(runtime, content)(WorkerRequest(content, message, self._properties))
        self.send(message.request_id, **{ANSWERS[content]: response})


def _read(channel: grpc.Channel, outbox: queue.SimpleQueue[Any], deliver: Callable[[Any], None]) -> None:
    try:
        for message in protos.FunctionRpcStub(channel).EventStream(iter(outbox.get, None)):
            deliver(message)
    except grpc.RpcError as error:
        sys.stderr.write(f"The stream to the host broke: {error}\n")
    finally:
        deliver(None)


async def serve(host: str, port: int, worker_id: str, leave: Callable[[int], None]) -> None:
    """Answers the host until the stream ends, then leaves with status 0, whatever is still running."""
    loop = asyncio.get_running_loop()
    inbox: asyncio.Queue[Any] = asyncio.Queue()
    dispatcher = Dispatcher(host)
    dispatcher.send(start_stream=protos.StartStream(worker_id=worker_id))
    root = logging.getLogger()
    root.setLevel(logging.DEBUG if is_envvar_true("PYTHON_ENABLE_DEBUG_LOGGING") else logging.INFO)
    root.addHandler(RpcLogHandler(dispatcher.send, dispatcher.invocation_id))
    runtime.start_threadpool_executor()

    def deliver(message: Any) -> None:
        loop.call_soon_threadsafe(inbox.put_nowait, message)

    channel = grpc.insecure_channel(f"{host}:{port}", options=CHANNEL_OPTIONS)
    threading.Thread(target=_read, args=(channel, dispatcher.outbox, deliver), daemon=True).start()
    async with asyncio.TaskGroup() as answers:
        while (message := await inbox.get()) is not None:
            answers.create_task(dispatcher.answer(message))
        leave(0)
