"""Every sentence that the connector can say, collected from its source.

Whatever text in `shared/`, and in those parts of `operate/` that say why a verb failed, has three words and is no
docstring counts as one: the messages of errors, the answer tables' sentences, the faults of settings, the notes of
runs. A placeholder splits a text: what is looked for in the docs are the pieces around it.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
_PLACEHOLDER = re.compile(r"\{\w*\}|%s|\n")
_NO_PROSE = re.compile(
    r"\(\?|\(\[|; charset|^[\W\d]+$|^unreachable: |^nested too deeply$|^Tunnel connection failed"
)
"""Patterns, a schedule, and what no person meets: a proof for the type checker, an error that is caught."""
_NAMES_ONLY = {"columns.py", "schema.py"}
"""They hold the names of fields, and the KQL of a transformation."""
_OPERATORS = (
    "failures.py",
    "export.py",
    "export_state.py",
    "seen.py",
    "output.py",
    "replay.py",
    "streams.py",
    "interrupts.py",
    "dead_letters/letter.py",
    "dead_letters/page.py",
)
FEWEST_WORDS = 3


def messages() -> dict[str, list[str]]:
    """Give the sentences' pieces, by `<module>:<line>`."""
    found: dict[str, list[str]] = {}
    operators = [ROOT / "operate" / name for name in _OPERATORS]
    for path in sorted([*(ROOT / "shared").rglob("*.py"), *operators]):
        if path.name in _NAMES_ONLY:
            continue
        for line, text in _texts(ast.parse(path.read_text("utf-8"))):
            if pieces := list(_pieces(text)):
                found.setdefault(f"{path.relative_to(ROOT)}:{line}", []).extend(pieces)
    return found


def normalised(text: str) -> str:
    """Give a text with its white space evened out, and without Markdown's back-ticks and stars."""
    return re.sub(r"\s+", " ", re.sub(r"[`*\\]", "", text))


def _texts(tree: ast.Module) -> Iterator[tuple[int, str]]:
    skipped = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            skipped |= {id(part) for part in node.values}
            parts = [part.value if isinstance(part, ast.Constant) else "\n" for part in node.values]
            yield node.lineno, "".join(map(str, parts))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in skipped:
            yield node.lineno, node.value


def _pieces(text: str) -> Iterator[str]:
    for piece in _PLACEHOLDER.split(text):
        clean = normalised(piece).strip(" .:;,|()'")
        if len(clean.split()) >= FEWEST_WORDS and not _NO_PROSE.search(clean):
            yield clean
