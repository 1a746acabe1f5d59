"""The command line `python manage.py`: its verbs, and what a wrong use of them says."""

import contextlib
import sys
from collections.abc import Iterator
from functools import partial
from typing import Any

import click

from operate.commands.asking import query
from operate.commands.checks import consent, doctor
from operate.commands.events import export, run
from operate.commands.letters import replay
from operate.commands.state import rewind, status
from operate.output import Output
from operate.streams import UnreadError, UnwrittenError, printing
from operate.verbs import carried_out

_VERBS = (doctor, consent, run, status, rewind, replay, export, query)


class Verbs(click.Group):
    """The verbs; with --json wrong usage, too, is a document on stdout."""

    def main(self, *given: Any, **more: Any) -> Any:
        """Do what the arguments say; the help, too, may find no room on stdout."""
        try:
            with printing():
                return super().main(*given, **more)
        except UnwrittenError as error:
            sys.exit(Output(as_json=False).fault(error))
        except UnreadError:
            sys.exit(1)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read what stands before the verb."""
        with _as_document(list(args)):
            return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Carry out the verb that is named."""
        with _as_document(list(ctx.args)):  # emptied while the verb is found
            return super().invoke(ctx)


@contextlib.contextmanager
def _as_document(given: list[str]) -> Iterator[None]:
    try:
        yield
    except click.UsageError as error:
        if "--json" in given:
            carried_out(output := Output(as_json=True), partial(_told, output, error.format_message()))
        raise


def _told(output: Output, message: str) -> int:
    output.result({"error": "WrongUsage", "message": message})
    return 2


@click.group(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"]})
def cli() -> None:
    """Operate the DocuSign Monitor connector.

    Every verb works on one app: that of --settings FILE (local.settings.json by default), that of --app NAME
    --resource-group GROUP in Azure, read with your own login (az login), or the --sandbox that is up.

    Start with `doctor`. The exit status is 0 when all is well, 1 when it is not, 2 when the command is wrong, and
    130 when it was interrupted. What may heal by itself is waited for, 20 s at most, and told on stderr.
    """


for _verb in _VERBS:
    cli.add_command(_verb)
