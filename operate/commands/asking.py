"""The verb on the sandbox's workspace: `query`."""

import json
import sys
from pathlib import Path

import click
import requests
from rich.console import Console

from operate.output import Output
from operate.streams import is_terminal, printing
from operate.verbs import carried_out
from shared.errors import OperatorError

SANDBOX = Path(__file__).parents[2] / ".sandbox"


@click.command("query")
@click.argument("kql")
@click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON document: the list of rows, one a line."
)
def query(kql: str, *, as_json: bool) -> None:
    """Ask the sandbox's workspace a question in KQL.

    Works while `scripts/demo --keep` is up, and afterwards on the file that the demo left. For example:

    manage.py query 'DocuSignMonitor_CL | summarize count() by action_s'
    """
    output = Output(as_json=as_json)
    sys.exit(carried_out(output, lambda: _answered(kql, output)))


def _answered(kql: str, output: Output) -> int:
    from sandbox.demo import as_table  # noqa: PLC0415 - the other verbs need no sandbox, nor what it imports
    from sandbox.session import NoSandboxError, ask  # noqa: PLC0415

    try:
        columns, rows = ask(SANDBOX, kql)
    except requests.RequestException:
        raise OperatorError(
            "The sandbox that was up does not answer. Start it again: scripts/demo --keep."
        ) from None
    except (NoSandboxError, ValueError) as error:
        raise OperatorError(str(error)) from None
    if output.as_json:
        lines = [json.dumps(dict(zip(columns, row, strict=True)), default=str) for row in rows]
        output.line("[" + ",\n ".join(lines) + "]")
    else:
        with printing():
            Console(width=None if is_terminal(sys.stdout) else 160).print(as_table("", columns, rows))
    return 0
