"""The options that every command has: they may stand before the command or after it, and mean the same in both places."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from dataclasses import field
from pathlib import Path
from typing import TypeVar

import click

from ews_bridge import config
from ews_bridge.cli import output

_Function = TypeVar("_Function", bound=Callable[..., object])


@dataclass
class Given:
    """What was given of them, in either place together."""

    path: Path | None = None
    accounts: list[str] = field(default_factory=list)
    quiet: bool = False
    verbose: int = 0
    json: bool = False

    def load(self) -> tuple[config.Account, ...]:
        """The accounts that the command is about. Raises ConfigError, UsageError."""
        return config.load(self.path).select(self.accounts)

    def say(self, text: str) -> None:
        """A line for people: not with -q, and not where a JSON object is the only output."""
        if not self.quiet and not self.json:
            output.say(output.printable(text))


def _note(context: click.Context, parameter: click.Parameter, value: object) -> None:
    given = context.ensure_object(Given)
    match parameter.name, value:
        case "config", Path():
            given.path = value
        case "accounts", tuple():
            given.accounts += value
        case "quiet", True:
            given.quiet = True
        case "json", True:
            given.json = True
        case "verbose", int():
            given.verbose += value
    if given.quiet and given.verbose:
        raise click.UsageError("-q and -v exclude each other", context)


_OPTIONS = (
    click.option("-c", "--config", type=click.Path(path_type=Path), metavar="FILE", help="Read this configuration file."),
    click.option("-a", "--account", "accounts", multiple=True, metavar="ACCOUNT", help="Only this account; may be repeated."),
    click.option("-q", "--quiet", is_flag=True, help="Print nothing unless something is wrong."),
    click.option("-v", "--verbose", count=True, help="Print every change."),
    click.option("--json", is_flag=True, help="Print one JSON object instead of text."),
)


def shared_options(function: _Function) -> _Function:
    """Give a command, or the program, these options; what was given is found by `click.pass_obj`."""
    for option in reversed(_OPTIONS):
        function = option(function)
    for parameter in getattr(function, "__click_params__", ()):
        if parameter.name in ("config", "accounts", "quiet", "verbose", "json"):
            parameter.callback, parameter.expose_value = _note, False
    return function
