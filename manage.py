"""The operator's command line: `python manage.py --help`."""

import contextlib
import json
import sys

INTERRUPTED = 130
TOLD = "Interrupted. What was done before stays done: call again to go on."
"""As a verb at work says it (`operate.failures`), which cannot be asked before it is read."""


def interrupted() -> int:
    """Say it while the modules are still being read; the exit status."""
    with contextlib.suppress(OSError):
        if "--json" in sys.argv[1:]:
            print(json.dumps({"error": "Interrupted", "message": TOLD}), flush=True)
        print(TOLD, file=sys.stderr, flush=True)
    return INTERRUPTED


if __name__ == "__main__":
    try:
        from operate.cli import cli

        cli()
    except KeyboardInterrupt:  # while the modules are read: a verb that is at work says it itself
        sys.exit(interrupted())
