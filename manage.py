"""The operator's command line: `python manage.py --help`."""

import sys

INTERRUPTED = 130

if __name__ == "__main__":
    try:
        from operate.cli import cli

        cli()
    except KeyboardInterrupt:  # while the modules are read: a verb that is at work says it itself
        sys.exit(INTERRUPTED)
