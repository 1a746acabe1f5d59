"""What every verb has: the options that say which app, `--json`, one sentence for a failure, an exit status."""

import functools
import logging
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click

from operate import management, target
from operate.output import Output
from operate.streams import UnreadError, settle
from operate.waiting import patient
from shared.budget import Budget
from shared.clouds import CLOUDS
from shared.errors import OperatorError
from shared.retry import Retry

Environ = Mapping[str, str]
Verb = Callable[..., int]
"""Takes the app's settings and the output, then its own options; gives the exit status."""

_OPTIONS = (
    click.option(
        "--settings",
        type=click.Path(dir_okay=False, path_type=Path),
        help="A file of the shape of local.settings.json; that one is taken where it exists.",
    ),
    click.option("--app", help="The function app in Azure whose settings are used; needs --resource-group."),
    click.option("--resource-group", "-g", help="The app's resource group."),
    click.option(
        "--subscription",
        envvar="AZURE_SUBSCRIPTION_ID",
        help="The app's subscription; by default AZURE_SUBSCRIPTION_ID.",
    ),
    click.option(
        "--cloud",
        type=click.Choice(list(CLOUDS)),
        default="AzureCloud",
        show_default=True,
        help="The Azure cloud in which --app is.",
    ),
    click.option("--sandbox", is_flag=True, help="The sandbox that is up (scripts/demo --keep)."),
    click.option("--json", "as_json", is_flag=True, help="Print one JSON document, for machines."),
)


def verb(name: str) -> Callable[[Verb], click.Command]:
    """Make a function a verb of the command line; its docstring is the help."""

    def decorate(function: Verb) -> click.Command:
        @functools.wraps(function)
        def invoke(*, as_json: bool, **given: Any) -> None:
            output = Output(as_json=as_json)
            sys.exit(carried_out(output, lambda: _of_an_app(function, output, given)))

        command: Any = invoke
        for option in reversed(_OPTIONS):
            command = option(command)
        return click.command(name)(command)

    return decorate


def carried_out(output: Output, work: Callable[[], int]) -> int:
    """The exit status of the work; whatever it raises is said in one sentence, and never a traceback."""
    for name in ("azure", "msal"):
        logging.getLogger(name).setLevel(logging.CRITICAL)  # what they would log is said in one sentence
    try:
        return work()
    except click.ClickException:  # click's own: wrong usage
        raise
    except UnreadError:
        return 1
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - no fault may come out as a traceback
        return output.fault(error)
    finally:
        settle()


def _of_an_app(function: Verb, output: Output, given: dict[str, Any]) -> int:
    which = {name: given.pop(name) for name in _WHICH}
    chosen = choose(**which, make_retry=patient(output))
    with target.applied(chosen.environ):
        return function(chosen.environ, output, **given)


_WHICH = ("settings", "app", "resource_group", "subscription", "cloud", "sandbox")


def choose(  # noqa: PLR0913 - one an option, and how to ask Azure
    *,
    settings: Path | None,
    app: str | None,
    resource_group: str | None,
    subscription: str | None,
    cloud: str,
    sandbox: bool,
    make_retry: Callable[[Budget], Retry] = Retry,
) -> target.Target:
    """The app that the options mean.

    Raises:
        OperatorError: They mean none, or more than one.
    """
    if sum(map(bool, (settings, app, sandbox))) > 1:
        raise OperatorError("Give one of --settings, --app and --sandbox.")
    if sandbox:
        return target.from_sandbox()
    if app:
        if not resource_group:
            raise OperatorError("--app needs --resource-group.")
        return management.from_app(app, resource_group, subscription, cloud, make_retry=make_retry)
    if settings or target.DEFAULT_FILE.exists():
        return target.from_file(settings or target.DEFAULT_FILE)
    return target.from_environment()
