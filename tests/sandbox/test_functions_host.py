import json
import os
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

import pytest

from sandbox.functions.app import FunctionAppError, read_app
from sandbox.functions.host import FunctionHost, LogLine, WorkerDied
from sandbox.functions.worker import app_path

SETTINGS = {"TICK_SCHEDULE": "0 */5 * * * *"}
NOTHING = "def main(timer: func.TimerRequest) -> None:\n    pass"
WAITING = """
    import time

    def main(timer: func.TimerRequest) -> None:
        logging.info("waiting")
        time.sleep(60)
"""

AddFunction = Callable[[str, str], Path]


@pytest.fixture
def add_function(tmp_path: Path) -> AddFunction:
    """Writes a timer function into an app and returns the app's folder."""
    (tmp_path / "host.json").write_text('{"version": "2.0"}')

    def add(name: str, code: str) -> Path:
        binding = {"name": "timer", "type": "timerTrigger", "direction": "in", "schedule": "%TICK_SCHEDULE%"}
        folder = tmp_path / name
        folder.mkdir()
        (folder / "function.json").write_text(
            json.dumps({"scriptFile": "__init__.py", "bindings": [binding]})
        )
        (folder / "__init__.py").write_text("import logging\nimport azure.functions as func\n" + dedent(code))
        return tmp_path

    return add


class LogWatch:
    """Collects log lines as they arrive and lets a test wait for one."""

    def __init__(self) -> None:
        self.lines: list[LogLine] = []
        self._changed = threading.Condition()

    def __call__(self, line: LogLine) -> None:
        """Is what a host calls as its on_log."""
        with self._changed:
            self.lines.append(line)
            self._changed.notify_all()

    def wait_for(self, message: str) -> None:
        """Fails after ten seconds without that message."""
        with self._changed:
            assert self._changed.wait_for(lambda: message in [line.message for line in self.lines], 10)


@pytest.fixture
def logs() -> LogWatch:
    """The on_log of the host under test."""
    return LogWatch()


def is_running(pid: int) -> bool:
    """Whether a process with this id exists."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_schedule_is_resolved_from_the_settings(add_function: AddFunction) -> None:
    """A %SETTING% in the timer's schedule gives way to the app setting."""
    functions = read_app(add_function("Tick", NOTHING), SETTINGS)

    assert "0 */5 * * * *" == functions["Tick"].schedule


def test_missing_setting_is_reported_by_name(add_function: AddFunction) -> None:
    """The host does not start when a schedule names a setting that is absent, and says which."""
    app = add_function("Tick", NOTHING)

    with pytest.raises(FunctionAppError, match="Tick: the app setting TICK_SCHEDULE"), FunctionHost(app, {}):
        pass


def test_disabled_function_is_not_loaded(add_function: AddFunction) -> None:
    """A function that the app settings disable is left out, and its settings may be absent."""
    add_function("Off", NOTHING)
    app = add_function("Tick", NOTHING)

    functions = read_app(app, {**SETTINGS, "AzureWebJobs.Off.Disabled": "true"})

    assert ["Tick"] == list(functions)


@pytest.mark.parametrize("content", ['{"version": "1.0"}', "{", "[]", None])
def test_unusable_host_json_is_reported(tmp_path: Path, content: str | None) -> None:
    """A host.json that is absent, unreadable or of another version stops the host with its name."""
    if content is not None:
        (tmp_path / "host.json").write_text(content)

    with pytest.raises(FunctionAppError, match=r"host\.json"):
        read_app(tmp_path, {})


def test_function_without_timer_is_refused(tmp_path: Path) -> None:
    """A function with another trigger is reported by name."""
    (tmp_path / "host.json").write_text('{"version": "2.0"}')
    (tmp_path / "Web").mkdir()
    (tmp_path / "Web" / "function.json").write_text('{"bindings": [{"name": "r", "type": "httpTrigger"}]}')

    with pytest.raises(FunctionAppError, match="Web: it has no timerTrigger"):
        read_app(tmp_path, {})


def test_app_comes_first_on_the_path(tmp_path: Path) -> None:
    """The app and its deployed packages precede everything; the folder of ``python -m`` is gone."""
    packages = tmp_path / ".python_packages" / "lib" / "site-packages"
    packages.mkdir(parents=True)

    path = app_path(tmp_path, [Path("/given")], ["/project", "/stdlib"])

    assert [str(tmp_path), str(packages), "/given", "/stdlib"] == path


@pytest.mark.integration
def test_function_loads_and_fires(add_function: AddFunction) -> None:
    """A function is loaded by Microsoft's runtime, runs, and sees the app settings."""
    app = add_function(
        "Tick",
        """
        import os

        def main(timer: func.TimerRequest) -> None:
            logging.warning("schedule %s", os.environ["TICK_SCHEDULE"])
        """,
    )

    with FunctionHost(app, SETTINGS) as host:
        host.ping()
        run = host.fire("Tick")

    assert (True, "", "") == (run.succeeded, run.error, run.error_type)
    assert 0 < run.seconds < 10
    assert "schedule 0 */5 * * * *" in [line.message for line in run.logs]


@pytest.mark.integration
def test_timer_data_arrives(add_function: AddFunction) -> None:
    """past_due and the schedule's status reach the function."""
    app = add_function(
        "Tick",
        """
        def main(timer: func.TimerRequest) -> None:
            logging.info("%s %s", timer.past_due, sorted(timer.schedule_status))
        """,
    )

    with FunctionHost(app, SETTINGS) as host:
        runs = [host.fire("Tick"), host.fire("Tick", past_due=True)]

    messages = [line.message for run in runs for line in run.logs if not line.system]
    keys = "['Last', 'LastUpdated', 'Next']"
    assert [f"False {keys}", f"True {keys}"] == messages


@pytest.mark.integration
def test_exception_arrives_and_the_worker_goes_on(add_function: AddFunction) -> None:
    """A run that raises gives its message, class and traceback, and the next one runs as ever."""
    app = add_function(
        "Tick",
        """
        def main(timer: func.TimerRequest) -> None:
            if timer.past_due:
                raise ValueError("DocuSign: out of events")
        """,
    )

    with FunctionHost(app, SETTINGS) as host:
        failed = host.fire("Tick", past_due=True)
        succeeded = host.fire("Tick")

    assert (False, "ValueError", "DocuSign: out of events") == (
        failed.succeeded,
        failed.error_type,
        failed.error,
    )
    assert "in main" in failed.stack
    assert succeeded.succeeded


@pytest.mark.integration
def test_logs_belong_to_their_invocation(add_function: AddFunction, logs: LogWatch) -> None:
    """Level, category and traceback arrive live and in order, from the function's own threads too."""
    app = add_function(
        "Tick",
        """
        import threading

        log = logging.getLogger("connector")

        def main(timer: func.TimerRequest) -> None:
            log.debug("too fine")
            log.warning("careful")
            thread = threading.Thread(target=log.error, args=("from a thread",))
            thread.start()
            thread.join()
            try:
                1 / 0
            except ZeroDivisionError:
                log.exception("broken")
        """,
    )

    with FunctionHost(app, SETTINGS, on_log=logs) as host:
        run = host.fire("Tick")

    lines = [line for line in run.logs if not line.system]
    assert [("Warning", "careful"), ("Error", "from a thread")] == [(x.level, x.message) for x in lines[:2]]
    assert lines[2].message.startswith("broken\nTraceback")
    assert lines[2].message.endswith("ZeroDivisionError: division by zero")
    assert {"connector"} == {line.category for line in lines}
    assert lines == [line for line in logs.lines if not line.system]


@pytest.mark.integration
def test_kill_in_mid_run_raises_at_once_and_restart_works(add_function: AddFunction, logs: LogWatch) -> None:
    """SIGKILL while a function runs raises WorkerDied promptly, and a new worker takes over."""
    add_function("Wait", WAITING)
    app = add_function("Tick", NOTHING)

    with FunctionHost(app, SETTINGS, on_log=logs) as host:
        first = host.worker_pid
        run = host.start("Wait")
        logs.wait_for("waiting")
        began = time.monotonic()
        status = host.kill()
        with pytest.raises(WorkerDied, match="SIGKILL"):
            run.result(5)
        with pytest.raises(WorkerDied):
            host.fire("Tick")
        seconds = time.monotonic() - began
        host.restart()
        second = host.worker_pid
        after = host.fire("Tick")

    assert -9 == status
    assert seconds < 2
    assert after.succeeded
    assert first != second
    assert not is_running(first)
    assert not is_running(second)


@pytest.mark.integration
def test_kill_from_outside_raises_at_once(add_function: AddFunction, logs: LogWatch) -> None:
    """A worker that someone else kills is noticed without anyone telling the host."""
    with FunctionHost(add_function("Wait", WAITING), SETTINGS, on_log=logs) as host:
        run = host.start("Wait")
        logs.wait_for("waiting")
        os.kill(host.worker_pid, 9)

        with pytest.raises(WorkerDied, match="SIGKILL"):
            run.result(5)


@pytest.mark.integration
def test_sigterm_handler_of_the_app_is_called(add_function: AddFunction, logs: LogWatch) -> None:
    """A handler that the app installs on import may end the run in good order within the grace."""
    app = add_function(
        "Tick",
        """
        import signal
        import threading

        stopping = threading.Event()
        signal.signal(signal.SIGTERM, lambda number, frame: (logging.info("told to stop"), stopping.set()))

        def main(timer: func.TimerRequest) -> None:
            logging.info("waiting")
            if not stopping.wait(20):
                raise TimeoutError
            logging.info("saved")
        """,
    )

    with FunctionHost(app, SETTINGS, on_log=logs) as host:
        future = host.start("Tick")
        logs.wait_for("waiting")
        status = host.terminate()
        run = future.result(0)

    assert 0 == status
    assert run.succeeded
    assert ["waiting", "told to stop", "saved"] == [line.message for line in run.logs if not line.system]


@pytest.mark.integration
def test_sigterm_without_a_handler_ends_the_worker(add_function: AddFunction, logs: LogWatch) -> None:
    """SIGTERM keeps its default meaning, as on the platform."""
    with FunctionHost(add_function("Wait", WAITING), SETTINGS, on_log=logs) as host:
        run = host.start("Wait")
        logs.wait_for("waiting")
        status = host.terminate()

        with pytest.raises(WorkerDied, match="SIGTERM"):
            run.result(0)

    assert -15 == status


@pytest.mark.integration
def test_leaving_the_host_ends_a_running_function(add_function: AddFunction, logs: LogWatch) -> None:
    """A function that still runs does not hold the worker when the host closes."""
    began = time.monotonic()
    with FunctionHost(add_function("Wait", WAITING), SETTINGS, on_log=logs) as host:
        run = host.start("Wait")
        logs.wait_for("waiting")

    assert isinstance(run.exception(0), WorkerDied)
    assert not is_running(host.worker_pid)
    assert time.monotonic() - began < 10


@pytest.mark.integration
def test_run_over_its_time_is_killed(add_function: AddFunction) -> None:
    """A function over its time costs the worker its life, as in Azure."""
    with FunctionHost(add_function("Wait", WAITING), SETTINGS) as host:
        with pytest.raises(TimeoutError, match=r"Wait had not ended after 0\.2 s"):
            host.fire("Wait", timeout=0.2)

        assert not is_running(host.worker_pid)


@pytest.mark.integration
def test_function_that_cannot_be_imported_is_reported(add_function: AddFunction) -> None:
    """An import error in the app stops the host with the runtime's own words."""
    app = add_function("Tick", "import no_such_module\n" + NOTHING)

    with pytest.raises(FunctionAppError, match="no_such_module"), FunctionHost(app, SETTINGS):
        pass


@pytest.mark.integration
def test_worker_that_cannot_start_shows_its_output(add_function: AddFunction) -> None:
    """What a failing interpreter writes is part of the error."""
    app = add_function("Tick", NOTHING)
    python = app / "python"
    python.write_text("#!/bin/sh\necho no interpreter here >&2\nexit 3\n")
    python.chmod(0o755)

    with pytest.raises(WorkerDied, match="exit status 3") as caught, FunctionHost(app, SETTINGS, str(python)):
        pass

    assert str(caught.value).endswith("no interpreter here")


@pytest.mark.integration
def test_output_is_captured(add_function: AddFunction) -> None:
    """What the app prints stands in the host's output."""
    app = add_function("Tick", 'def main(timer: func.TimerRequest) -> None:\n    print("hello")')

    with FunctionHost(app, SETTINGS) as host:
        host.fire("Tick")
        output = host.output

    assert "hello\n" == output


@pytest.mark.integration
def test_failing_log_hook_does_not_hang(add_function: AddFunction) -> None:
    """An exception in on_log is raised by fire instead of leaving it to wait."""

    def fail(line: LogLine) -> None:
        if line.message == "waiting":
            raise KeyError(line.message)

    with FunctionHost(add_function("Wait", WAITING), SETTINGS, on_log=fail) as host, pytest.raises(KeyError):
        host.fire("Wait", timeout=10)


@pytest.mark.integration
def test_proxies_do_not_reach_loopback(add_function: AddFunction) -> None:
    """The stream to the host is exempt from the lower-case proxy variables that gRPC honours."""
    app = add_function("Tick", NOTHING)
    dead = "http://127.0.0.1:9"

    with FunctionHost(app, {**SETTINGS, "http_proxy": dead, "https_proxy": dead, "grpc_proxy": dead}) as host:
        run = host.fire("Tick")

    assert run.succeeded


@pytest.mark.integration
def test_unknown_function_is_reported(add_function: AddFunction) -> None:
    """Firing what is not loaded names what is."""
    app = add_function("Tick", NOTHING)

    with FunctionHost(app, SETTINGS, sys.executable) as host, pytest.raises(FunctionAppError, match="Tick"):
        host.fire("Tock")
