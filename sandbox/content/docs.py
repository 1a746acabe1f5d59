"""`docs/detections.md`, made from the rules."""

from collections.abc import Iterator

from sandbox.content.load import Rule, rules
from sandbox.content.schema_check import SECTIONS

_TITLE = """# Detections

Made by `scripts/make-docs` from `analytics_rules/`. Every rule looks at what arrived since its last run, and
measures on the events' own time: a late event is not missed, a backfill raises nothing, and nothing is alerted
twice. How, and what that costs, is told in [analytics_rules/README.md](../analytics_rules/README.md). Each rule has
samples that fire it and samples that do not, in `tests/content/samples/`."""

_ORDER = ("High", "Medium", "Low", "Informational")


def detections() -> str:
    """The page: a table of all rules, gravest first, and a section on each."""
    ordered = sorted(rules(), key=lambda rule: (_ORDER.index(rule.severity), rule.name))
    return "\n\n".join([_TITLE, "\n".join(_table(ordered)), *(_section(rule) for rule in ordered)]) + "\n"


def _table(ordered: list[Rule]) -> Iterator[str]:
    yield "| rule | severity | runs every | looks back | tactics | techniques |"
    yield "|---|---|---|---|---|---|"
    for rule in ordered:
        raw, name = rule.raw, _short(rule)
        cells = (
            f"[{name}](#{_anchor(name)})",
            rule.severity,
            raw["queryFrequency"],
            raw["queryPeriod"],
            ", ".join(raw["tactics"]),
            ", ".join(raw["relevantTechniques"]),
        )
        yield f"| {' | '.join(cells)} |"


def _section(rule: Rule) -> str:
    meaning, *parts = (" ".join(part.split()) for part in rule.description.split("\n\n"))
    lines = [f"## {_short(rule)}", f"[{rule.path.name}](../analytics_rules/{rule.path.name})", meaning]
    for section, part in zip(SECTIONS, parts, strict=True):
        lines.append(f"**{section.removesuffix(':')}.** {part.removeprefix(section).strip()}")
    return "\n\n".join(lines)


def _short(rule: Rule) -> str:
    text = rule.name.removeprefix("DocuSign: ")
    return text[0].upper() + text[1:]


def _anchor(name: str) -> str:
    """The anchor that a heading gets on GitHub."""
    kept = "".join(letter for letter in name.lower() if letter.isalnum() or letter in " -")
    return kept.replace(" ", "-")
