"""The operator's command line: `python manage.py --help`."""

from operate.cli import cli

if __name__ == "__main__":
    cli()
