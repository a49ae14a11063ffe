"""`ews-bridge query`."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from ews_bridge.cli import output
from ews_bridge.cli.options import Given
from ews_bridge.cli.options import shared_options
from ews_bridge.errors import UsageError

if TYPE_CHECKING:
    from ews_bridge.lookup import Result

NOTHING = 1


@click.command("query")
@shared_options
@click.option("--expand", is_flag=True, help="TEXT is a group: list who is in it.")
@click.option("--offline", is_flag=True, help="Ask no server: only your contacts, and what is remembered.")
@click.argument("text", nargs=-1, required=True, metavar="TEXT")
@click.pass_obj
def command(given: Given, *, text: tuple[str, ...], expand: bool, offline: bool) -> int:
    """Look up addresses, in your contacts and in the directory.

    The first line is a message, each other is an address, a name and more about it, with tabs between them: what
    query_command of mutt and neomutt and address-book-cmd of aerc want. Exits with 1 when nothing is found.
    """
    from ews_bridge import lookup

    wanted = " ".join(text).strip()
    if not wanted:
        raise UsageError("there is nothing to look for")
    accounts = given.load()
    look = lookup.expand if expand else lookup.find
    result = look(accounts, wanted, offline=offline) or lookup.Result()
    for name, error in result.failed.items():
        output.complain(str(error), hint=error.hint, account=name)
    if given.json:
        output.say_json({"people": [asdict(person) for person in result.people], "more": result.more})
    else:
        output.say(_message(result, wanted))
        for person in result.people:
            output.say("\t".join(output.printable(part) for part in (person.address, person.name, person.other)))
    if result.people:
        return 0
    # Nothing was found is only true where everybody was asked.
    return max((error.exit_code for error in result.failed.values()), default=NOTHING)


def _message(result: Result, wanted: str) -> str:
    count = len(result.people)
    if not count:
        return output.printable(f"nothing found for {wanted}")
    told = f"{count} found for {wanted}" + (" (the directory has more: say more of the name)" if result.more else "")
    return output.printable(told)
