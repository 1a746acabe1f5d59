"""The operator's command line: `python manage.py --help`."""

import json
import sys
from pathlib import Path

import click
from rich.console import Console

from sandbox.demo import as_table
from sandbox.session import NoSandboxError, ask

SANDBOX = Path(__file__).parent / ".sandbox"


@click.group()
def cli() -> None:
    """Operate the DocuSign Monitor connector."""


@cli.command()
@click.argument("kql")
@click.option("--json", "as_json", is_flag=True, help="Print the rows as JSON, one object a line.")
def query(kql: str, *, as_json: bool) -> None:
    """Ask the sandbox's workspace a question in KQL.

    Works while `scripts/demo --keep` is up, and afterwards on the file that the demo left.
    """
    try:
        columns, rows = ask(SANDBOX, kql)
    except (NoSandboxError, ValueError) as error:
        click.echo(str(error), err=True)
        sys.exit(1)
    if as_json:
        for row in rows:
            click.echo(json.dumps(dict(zip(columns, row, strict=True)), default=str))
    else:
        Console(width=None if sys.stdout.isatty() else 160).print(as_table("", columns, rows))


if __name__ == "__main__":
    cli()
