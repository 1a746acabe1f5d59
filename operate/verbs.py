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
from shared.clouds import CLOUDS
from shared.errors import ConnectorError, OperatorError

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


def verb(group: click.Group, name: str) -> Callable[[Verb], click.Command]:
    """Make a function a verb of the command line; its docstring is the help."""

    def decorate(function: Verb) -> click.Command:
        @functools.wraps(function)
        def invoke(*, as_json: bool, **given: Any) -> None:
            output = Output(as_json=as_json)
            sys.exit(_carried_out(function, output, given))

        command: Any = invoke
        for option in reversed(_OPTIONS):
            command = option(command)
        return group.command(name)(command)

    return decorate


def _carried_out(function: Verb, output: Output, given: dict[str, Any]) -> int:
    for name in ("azure", "msal"):
        logging.getLogger(name).setLevel(logging.CRITICAL)  # what they would log is said in one sentence
    which = {name: given.pop(name) for name in _WHICH}
    try:
        chosen = choose(**which)
        with target.applied(chosen.environ):
            return function(chosen.environ, output, **given)
    except ConnectorError as error:
        output.fault(error)
        return 1


_WHICH = ("settings", "app", "resource_group", "subscription", "cloud", "sandbox")


def choose(
    *,
    settings: Path | None,
    app: str | None,
    resource_group: str | None,
    subscription: str | None,
    cloud: str,
    sandbox: bool,
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
        return management.from_app(app, resource_group, subscription, cloud)
    if settings or target.DEFAULT_FILE.exists():
        return target.from_file(settings or target.DEFAULT_FILE)
    return target.from_environment()
