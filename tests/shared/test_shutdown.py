import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from shared import shutdown

ROOT = Path(__file__).parents[2]


@pytest.fixture
def host_heard(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """Stand for the Functions worker: a SIGTERM handler of its own, in place before the app is imported."""
    heard: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, _: heard.append(number))
    monkeypatch.setattr(shutdown, "_running", set())
    monkeypatch.setattr(shutdown, "_received", threading.Event())
    yield heard
    signal.signal(signal.SIGTERM, before)


def test_a_run_is_asked_to_stop_first(host_heard: list[int]) -> None:
    """SIGTERM sets the event of each run that is going on, and reaches the host when the last has ended."""
    shutdown.install()
    first, second = threading.Event(), threading.Event()
    with shutdown.ends(first, shutdown.deliver):
        with shutdown.ends(second, shutdown.deliver):
            os.kill(os.getpid(), signal.SIGTERM)

            assert (True, True) == (first.wait(5), second.wait(5))
        assert [] == host_heard

    assert [signal.SIGTERM] == host_heard


def test_the_signal_follows_a_failed_run(host_heard: list[int]) -> None:
    """A run that fails while it stops does not keep the signal from the host."""
    shutdown.install()

    def failing_run() -> None:
        with shutdown.ends(threading.Event(), shutdown.deliver):
            os.kill(os.getpid(), signal.SIGTERM)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        failing_run()

    assert [signal.SIGTERM] == host_heard


def test_without_a_run(host_heard: list[int]) -> None:
    """While no run is going on, SIGTERM does what it did before."""
    shutdown.install()
    os.kill(os.getpid(), signal.SIGTERM)

    assert [signal.SIGTERM] == host_heard


def test_a_run_that_nobody_stops(host_heard: list[int]) -> None:
    """A run that ends by itself sends no signal, and its event is left alone afterwards."""
    shutdown.install()
    stop = threading.Event()
    with shutdown.ends(stop, shutdown.deliver):
        pass
    os.kill(os.getpid(), signal.SIGTERM)

    assert [signal.SIGTERM] == host_heard
    assert not stop.is_set()


def test_install_twice(host_heard: list[int]) -> None:
    """A second import of the app does not put the handler on top of itself."""
    shutdown.install()
    handler = signal.getsignal(signal.SIGTERM)
    shutdown.install()

    assert handler is signal.getsignal(signal.SIGTERM)


def test_install_beside_the_main_thread(host_heard: list[int]) -> None:
    """In another thread, where Python forbids it, nothing is installed and nothing fails."""
    before = signal.getsignal(signal.SIGTERM)
    failures: list[BaseException] = []

    def attempt(install: Callable[[], None]) -> None:
        try:
            install()
        except ValueError as error:
            failures.append(error)

    thread = threading.Thread(target=attempt, args=(shutdown.install,))
    thread.start()
    thread.join()

    assert [] == failures
    assert before is signal.getsignal(signal.SIGTERM)


@pytest.mark.parametrize(
    ("run", "output"),
    [
        ("os.kill(os.getpid(), signal.SIGTERM)", ""),
        (
            (
                "with shutdown.ends(stop, shutdown.deliver):"
                " os.kill(os.getpid(), signal.SIGTERM); print(stop.wait(5), flush=True)"
            ),
            "True",
        ),
    ],
    ids=["idle", "running"],
)
def test_the_process_dies_of_it(run: str, output: str) -> None:
    """With no other handler the process dies of SIGTERM: at once when idle, else after the run."""
    code = (
        "import os, signal, threading\nfrom shared import shutdown\n"
        f"stop = threading.Event()\nshutdown.install()\n{run}\nprint('not reached', flush=True)"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=30, check=False
    )

    assert (-signal.SIGTERM, output, "") == (ended.returncode, ended.stdout.strip(), ended.stderr)
