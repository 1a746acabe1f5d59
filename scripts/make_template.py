#!/usr/bin/env python3
"""Writes azuredeploy.json, and the table of its parameters in docs/deploy.md, from deployment/ and the content.

Run it with the project's own Python: .venv/bin/python scripts/make_template.py
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from deployment.buttons import buttons
from deployment.guide import GUIDE, guide
from deployment.template import TEMPLATE, rendered


def main() -> int:
    """The exit status: 1 when --check finds a file that is not current."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="write nothing; fail when a file is not current")
    parser.add_argument("--buttons", action="store_true", help="print the README's buttons and leave")
    options = parser.parse_args()
    if options.buttons:
        print(buttons())
        return 0
    stale = [
        (path, made) for path, made in ((TEMPLATE, rendered()), (GUIDE, guide())) if text_of(path) != made
    ]
    for path, made in stale:
        if options.check:
            print(f"{path.name} is not current: run scripts/make_template.py", file=sys.stderr)
        else:
            path.write_text(made, encoding="utf-8")
    return int(options.check and bool(stale))


def text_of(path: Path) -> str | None:
    """What the file holds, or None where there is no file."""
    return path.read_text(encoding="utf-8") if path.is_file() else None


if __name__ == "__main__":
    sys.exit(main())
