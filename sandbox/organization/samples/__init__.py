"""Published and hand-made sample events; README.md says which is which."""

import json
from importlib.resources import files


def load(name: str) -> list[dict[str, object]]:
    """Return the events of one sample file, `real` or `synthetic`, in the file's order."""
    text = (files(__name__) / f"{name}.ndjson").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]
