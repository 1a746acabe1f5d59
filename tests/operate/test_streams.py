"""stdout and stderr that take nothing: the work goes on, and its end is told where that can be."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from operate.output import Output
from operate.streams import is_terminal
from operate.waiting import teller
from shared.errors import OperatorError, ServiceUnavailable
from tests.operate.messages import ROOT

WORK = """
import sys
from operate.output import Output
from operate.verbs import carried_out
from operate.waiting import teller
from shared.errors import OperatorError, ServiceUnavailable

def work():
    with out.progress("Working") as bar:
        bar.show(1, 2)
        teller(out)(ServiceUnavailable("host: reset"), 1)
    if sys.argv[1] == "fails":
        raise OperatorError("Set it.")
    out.result({"events": 5}, *["5 events"] * 9000)
    return 0

out = Output(as_json="--json" in sys.argv)
sys.exit(carried_out(out, work))
"""
FULL = Path("/dev/full")
pytestmark = pytest.mark.skipif(not FULL.exists(), reason="a device that is always full is Linux's")


def ended(*arguments: str, redirected: str) -> tuple[int, str, str]:
    """Give the exit status, stdout and stderr of the work in a process of its own, its streams redirected."""
    command = ["bash", "-c", f'"$0" "$@" {redirected}', sys.executable, "-c", WORK, *arguments]
    done = subprocess.run(
        command, cwd=ROOT, env=os.environ, capture_output=True, text=True, timeout=60, check=False
    )
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("stderr", ["2>/dev/full", "2>&-", "2> >(exec true)"], ids=["full", "closed", "gone"])
def test_stderr_changes_nothing(stderr: str) -> None:
    """Pauses, bars and the fault's line are dropped where nobody takes them; document and status stay."""
    well = ended("works", "--json", redirected=stderr)
    fault = ended("fails", "--json", redirected=stderr)
    plain = ended("fails", redirected=stderr)

    assert (0, {"events": 5}) == (well[0], json.loads(well[1]))
    assert (1, "OperatorError") == (fault[0], json.loads(fault[1])["error"])
    assert (1, "") == plain[:2]


@pytest.mark.parametrize("options", [[], ["--json"]], ids=["lines", "json"])
def test_a_result_that_is_lost_is_told(options: list[str]) -> None:
    """A full disk behind stdout: the exit status is 1 and stderr says why, for a machine's document too."""
    status, _, told = ended("works", *options, redirected=">/dev/full")

    assert 1 == status
    assert "stdout does not take the result (No space left on device). What was done stays done" in told
    assert "Traceback" not in told
    assert "Exception ignored" not in told


def test_a_fault_whose_document_is_lost_is_told() -> None:
    """The fault's own sentence is then on stderr."""
    status, _, told = ended("fails", "--json", redirected=">/dev/full")

    assert 1 == status
    assert told.endswith("Set it.\n")


def test_a_reader_that_went_away() -> None:
    """`| head -1`: exit status 1, and not a word more."""
    status, first, told = ended("works", redirected='| head -1; exit "${PIPESTATUS[0]}"')

    assert (1, "5 events\n") == (status, first)
    assert "Waiting 1 s: host: reset.\n" == told


@pytest.mark.parametrize("command", [["--help"], ["status", "--help"]])
def test_help_that_is_lost_is_told(command: list[str]) -> None:
    """The help is a result as any other."""
    with FULL.open("w") as full:
        done = subprocess.run(
            [sys.executable, "manage.py", *command],
            cwd=ROOT,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
            check=False,
        )

    assert 1 == done.returncode
    assert done.stderr.startswith("stdout does not take the result (No space left on device)")
    assert 1 == len(done.stderr.splitlines())


def test_without_any_stdout_the_work_is_done() -> None:
    """A process that was started without stdout has nobody to tell, and works all the same."""
    assert (0, "Waiting 1 s: host: reset.\n") == ended("works", "--json", redirected=">&-")[::2]


class Full:
    """A terminal that takes nothing."""

    encoding = "utf-8"

    def isatty(self) -> bool:
        """A person may be there."""
        return True

    def write(self, text: str) -> int:
        """Fail, as a full disk does."""
        raise OSError(28, f"No space left for {len(text)}")

    def flush(self) -> None:
        """Fail likewise."""
        raise OSError(28, "No space left")


def test_a_bar_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bar that cannot be drawn is none, and what is told above it is lost with it."""
    monkeypatch.setattr("sys.stderr", Full())
    monkeypatch.setenv("TERM", "xterm")
    out = Output(as_json=False)
    with out.progress("Working") as bar:
        bar.show(1, 2)
        teller(out)(ServiceUnavailable("host: reset"), 1)

    assert 1 == out.fault(OperatorError("Set it."))


def test_a_missing_stream_is_no_terminal() -> None:
    """Windows' pythonw and a closed descriptor leave None."""
    assert not is_terminal(None)
