"""The command line: parse → call → print. One file per command, imported only when that command runs.

What a command needs of the engine it imports itself, when it runs: `--help` must not wait for requests or lxml.

    __init__.py   the program and its commands      options.py    the options that stand before or after a command
    boundary.py   errors → words and exit codes     output.py     what is printed, for people and as JSON
    progress.py   the line on a terminal            the others    one command each
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence

import click

from ews_bridge import __version__
from ews_bridge.cli import boundary
from ews_bridge.cli.options import shared_options

#: The commands, each `command` of the module of its name, with what `--help` says of it without importing it.
COMMANDS = {
    "sync": "Bring the server and the disk together: mail, calendars, contacts, tasks.",
    "status": "What the last sync did, and what is left to do.",
    "folders": "The server's folders, and where each lives on disk.",
    "invite": "Show an invitation, or answer it on the server.",
    "tags": "List the tags of messages, and change them.",
    "query": "Look up addresses, in your contacts and in the directory.",
    "oof": "Show, set and end the automatic replies of the mailbox.",
    "freebusy": "When people and rooms have time.",
    "restore": "Bring back what a sync removed on disk.",
    "sandbox": "Serve an Exchange that fits in memory.",
    "demo": "See it work: a sandbox and a few syncs, in a folder of its own.",
}


class _Program(click.Group):
    """The commands by name; a command's module is imported when the command runs, not for the list of them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"ews_bridge.cli.{cmd_name}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(
    cls=_Program,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="The manual: ews-bridge(1), ews-bridge.toml(5) for the configuration, ews-bridge(7) for what is promised.",
)
@click.version_option(__version__, prog_name="ews-bridge", message="%(prog)s %(version)s")
@shared_options
def program() -> None:
    """Keep an Exchange mailbox and plain local files the same."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code (interface: "Exit codes"). Never raises what a user could meet."""
    if "_EWS_BRIDGE_COMPLETE" in os.environ:
        program.main(prog_name="ews-bridge")  # prints what a shell asks for, and exits
    given = list(sys.argv[1:] if arguments is None else arguments)
    return boundary.run(lambda: _invoke(given))


def _invoke(given: list[str]) -> int:
    # Not `program.main`: it has exit codes of its own for signals, closed pipes and usage.
    try:
        with program.make_context("ews-bridge", given) as context:
            code: int | None = program.invoke(context)
    except click.exceptions.Exit as asked:
        return asked.exit_code
    return code or 0
