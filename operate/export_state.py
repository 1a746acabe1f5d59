"""What stands beside an export's file: how far it has come, and whose events these are.

Nothing of the file is written or cut before its state was found to fit.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from shared import lenient_json
from shared.errors import OperatorError, StateError
from shared.owner import owner_from_json, owner_of
from shared.position import Position, position_from_json
from shared.settings import Settings

_ORGANIZATION = "organizationId"


@dataclass
class Exported:
    """How far the export has come.

    Attributes:
        position: Behind the last whole page.
        bytes: The file's length up to there.
        events: Events that this run has written.
        outcome: `caught-up`, or `quota` when the hour's calls ran low; empty before the end.
        warnings: What a person should know.
        may_repeat: Whether DocuSign may bring events that the file has.
        whose: The fields that name the stream: `environment`, `userId`, `organizationId`.
    """

    position: Position
    bytes: int = 0
    events: int = 0
    outcome: str = ""
    warnings: tuple[str, ...] = ()
    may_repeat: bool = False
    whose: Mapping[str, str] = field(default_factory=dict)


def state_path(out: Path) -> Path:
    """The state beside the file."""
    return out.with_name(f"{out.name}.state.json")


def whose(settings: Settings) -> dict[str, str]:
    """The fields that name the stream of these settings."""
    return owner_of(settings).to_json() | {_ORGANIZATION: settings.organization_id or ""}


def read_state(out: Path, present: Mapping[str, str]) -> Exported:
    """The state of the export into this file.

    Args:
        out: The file.
        present: Whose stream is to be written; empty for anybody's.

    Raises:
        OperatorError: The state and the file, or the settings, do not belong together.
        OSError: The state cannot be read.
    """
    state = state_path(out)
    misfit = OperatorError(f"{state} is no state of an export into {out}: remove both, or name another file.")
    content = state.read_bytes()
    try:
        position, known = position_from_json(content, str(state)), lenient_json.loads(content)
    except (StateError, ValueError):
        raise misfit from None
    length = known.get("bytes")
    if type(length) is not int or not _ends_a_line(out, length):
        raise misfit
    _refuse_another(out, known, present)
    return Exported(position, length, may_repeat=known.get("mayRepeat") is not False, whose=present)


def save_state(out: Path, exported: Exported) -> None:
    """Replace the state in one step: a kill leaves the old one or the new one."""
    path = state_path(out)
    content = exported.position.fields() | dict(exported.whose)
    content |= {"bytes": exported.bytes, "mayRepeat": exported.may_repeat}
    scratch = path.with_name(f"{path.name}.new")
    with scratch.open("wb") as file:
        file.write(lenient_json.dumps(content))
        file.flush()
        os.fsync(file.fileno())
    scratch.replace(path)


def _ends_a_line(out: Path, length: int) -> bool:
    """Whether the file has so many bytes, and a line ends there."""
    if not 0 <= length <= (out.stat().st_size if out.exists() else 0):
        return False
    if length == 0:
        return True
    with out.open("rb") as file:
        file.seek(length - 1)
        return bool(file.read(1) == b"\n")


def _refuse_another(out: Path, known: dict[str, Any], present: Mapping[str, str]) -> None:
    """A state that names nobody is taken over: an older version wrote it."""
    owner, organization = owner_from_json(known), known.get(_ORGANIZATION)
    if not present or owner is None or not isinstance(organization, str):
        return
    before = owner.to_json() | {_ORGANIZATION: organization}
    if before != present:
        raise OperatorError(
            f"{out} has the events of DocuSign {_named(before)}, and the settings say {_named(present)}. "
            "Correct the settings, or name another file."
        )


def _named(stream: Mapping[str, str]) -> str:
    organization = stream[_ORGANIZATION] or "not set"
    return f"{stream['environment']}, user {stream['userId']}, organization {organization}"
