"""The host's end of FunctionRpc: a server that workers connect to, and one channel for each of them."""

import queue
import threading
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

import grpc

from sandbox.functions.protos import CHANNEL_OPTIONS, protos

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class LogLine:
    """One log record of the worker; ``system`` when it is the runtime's and not the app's."""

    level: str
    category: str
    message: str
    system: bool = False
    invocation_id: str = ""


class WorkerChannel:
    """One worker: requests go out in order, answers find their future by request id."""

    def __init__(self, on_log: Callable[[LogLine], None]) -> None:
        self.connected = threading.Event()
        self.ended = threading.Event()
        self._on_log = on_log
        self._outbox: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._pending: dict[str, tuple[Future[Any], Callable[[Any], Any]]] = {}
        self._failure: BaseException | None = None

    @property
    def pending(self) -> list[Future[Any]]:
        """The futures of the requests that have no answer yet."""
        with self._lock:
            return [future for future, _ in self._pending.values()]

    def ask(self, read: Callable[[Any], Answer], **content: Any) -> Future[Answer]:
        """Sends a request; the future gets what ``read`` makes of the answer, or the channel's failure."""
        future: Future[Answer] = Future()
        future.set_running_or_notify_cancel()  # what was sent cannot be called back
        request_id = str(uuid.uuid4())
        with self._lock:
            if self._failure is not None:
                future.set_exception(self._failure)
                return future
            self._pending[request_id] = (future, read)
        self.tell(request_id, **content)
        return future

    def tell(self, request_id: str = "", **content: Any) -> None:
        """Sends a message that has no answer, or whose answer is awaited already."""
        self._outbox.put(protos.StreamingMessage(request_id=request_id, **content))

    def fail(self, error: BaseException) -> None:
        """Gives every request without an answer, and every later one, this error; the first error stays."""
        with self._lock:
            self._failure = self._failure or error
            waiting, self._pending = self._pending, {}
        for future, _ in waiting.values():
            future.set_exception(self._failure)
        self._outbox.put(None)

    def outgoing(self) -> Iterator[Any]:
        """The messages to the worker, until the stream ends."""
        return iter(self._outbox.get, None)

    def read(self, messages: Iterator[Any]) -> None:
        """Takes in the worker's messages until the stream ends; what ``on_log`` raises fails the channel."""
        try:
            for message in messages:
                self._receive(message)
        except grpc.RpcError:
            pass  # the worker is gone; whoever watches its process knows why
        except BaseException as error:  # noqa: BLE001 - raised to those who wait; in this thread it would be lost
            self.fail(error)
        finally:
            self._outbox.put(None)
            self.ended.set()

    def _receive(self, message: Any) -> None:
        if message.WhichOneof("content") == "rpc_log":
            self._on_log(_log_line(message.rpc_log))
            return
        with self._lock:
            future, read = self._pending.pop(message.request_id, (None, None))
        if future is not None and read is not None:
            future.set_result(read(message))


class RpcServer:
    """FunctionRpc on a free loopback port; each worker is known by the id it was started with."""

    def __init__(self) -> None:
        self._channels: dict[str, WorkerChannel] = {}
        self._threads = ThreadPoolExecutor(thread_name_prefix="function-rpc")
        self._server = grpc.server(self._threads, options=CHANNEL_OPTIONS)
        protos.add_FunctionRpcServicer_to_server(self, self._server)
        self.port: int = self._server.add_insecure_port("127.0.0.1:0")
        self._server.start()

    def expect(self, worker_id: str, channel: WorkerChannel) -> None:
        """The worker with this id will be given this channel when it connects."""
        self._channels[worker_id] = channel

    def EventStream(self, messages: Iterator[Any], _context: Any) -> Iterator[Any]:  # noqa: N802 - the service's name
        """The one call of FunctionRpc: a worker's stream, opened by its StartStream."""
        channel = self._channels.pop(next(messages).start_stream.worker_id)
        channel.connected.set()
        threading.Thread(target=channel.read, args=(messages,), daemon=True).start()
        return channel.outgoing()

    def close(self) -> None:
        """Ends every stream and frees the port."""
        self._server.stop(grace=None).wait()
        self._threads.shutdown()


def _log_line(log: Any) -> LogLine:
    system = log.log_category == protos.RpcLog.RpcLogCategory.Value("System")
    level = protos.RpcLog.Level.Name(log.level)
    return LogLine(level, log.category, log.message, system, log.invocation_id)
