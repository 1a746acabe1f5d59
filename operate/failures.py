"""What a verb says when it fails: any exception as one sentence with its cure, and an exit status.

::

    ServiceUnavailable     what failed, and where in the network to look, or how long the service asks to wait
    ConnectorError         its own sentence
    OSError                the file or folder, and what is wrong with it
    interrupted            that it was, and what is left of it
    anything else          a fault of the connector: where it is, and how to see the traceback

A library's own text is never shown: it may hold an address with a secret in it.
"""

import errno
import traceback
from dataclasses import dataclass
from pathlib import Path

import click

from operate.status import duration
from operate.streams import UnwrittenError
from shared.errors import ConnectorError, ServiceUnavailable

INTERRUPTED = 130
"""The exit status of what a signal ended: 128 and the number of SIGINT."""
TRACEBACK = "DOCUSIGN_TRACEBACK"
"""The environment variable that shows the traceback of every failure."""
NETWORK = (
    "The service is down, or was not reached, or something in between answered. Check the firewall, DNS, "
    "HTTPS_PROXY, NO_PROXY and REQUESTS_CA_BUNDLE"
)
_CURES = ("HTTPS_PROXY", "the firewall", "look for a proxy")
"""What a sentence has in it that says already where in the network to look."""
_ROOT = Path(__file__).parent.parent
_OF_A_FILE = {
    errno.ENOENT: "there is no such file or folder. Make it, or name another",
    errno.EACCES: "this user may not read or write it. Change its permissions, or name another",
    errno.EPERM: "this user may not read or write it. Change its permissions, or name another",
    errno.EISDIR: "it is a folder. Name a file",
    errno.ENOTDIR: "a part of the path is a file. Name another",
    errno.EROFS: "the disk can only be read. Name a file on another",
    errno.ENOSPC: "the disk is full. Make room, and call again to go on",
}


@dataclass(frozen=True)
class Failure:
    """Why a verb ended: the error's class, a sentence for a person, the exit status."""

    kind: str
    sentence: str
    status: int = 1


def failure(error: BaseException) -> Failure:
    """The failure that an exception means."""
    if isinstance(error, KeyboardInterrupt | click.Abort):
        told = "Interrupted. What was done before stays done: call again to go on."
        return Failure("Interrupted", told, INTERRUPTED)
    return Failure(type(error).__name__, sentence(error))


def sentence(error: BaseException) -> str:
    """What went wrong, for a person; no secret is part of it."""
    if isinstance(error, ServiceUnavailable):
        return _of_a_service(error)
    if isinstance(error, ConnectorError | UnwrittenError):
        return str(error)
    if isinstance(error, OSError) and error.strerror and error.filename is not None:
        words = _OF_A_FILE.get(error.errno or 0, f"{error.strerror}. Name another file")
        return f"{error.filename}: {words}."
    return _of_the_connector(error)


def _of_a_service(error: ServiceUnavailable) -> str:
    """The network's cure, where the cause has none of its own; a service that asks to wait was reached."""
    told = str(error).rstrip(".")
    if error.retry_after:
        return f"{told}. It asks to wait {duration(error.retry_after)}: call again after that."
    return f"{told}." if any(cure in told for cure in _CURES) else f"{told}. {NETWORK}."


def _of_the_connector(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if _is_ours(Path(frame.filename))]
    where = "" if not ours else f" in {Path(ours[-1].filename).relative_to(_ROOT)}, line {ours[-1].lineno}"
    return (
        f"A fault of the connector: {type(error).__name__}{where}. Report it with its traceback, which the same "
        f"command shows with {TRACEBACK}=1 in the environment."
    )


def _is_ours(path: Path) -> bool:
    return path.is_relative_to(_ROOT) and "site-packages" not in path.parts
