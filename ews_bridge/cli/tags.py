"""`ews-bridge tags`."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from ews_bridge import config
from ews_bridge.cli import output
from ews_bridge.cli.boundary import gravest
from ews_bridge.cli.boundary import guarded
from ews_bridge.cli.options import Given
from ews_bridge.cli.options import shared_options
from ews_bridge.errors import ConfigError
from ews_bridge.errors import EwsBridgeError
from ews_bridge.errors import UsageError

if TYPE_CHECKING:
    from ews_bridge import tagedit

#: OlCategoryColor, from 0.
COLOURS = (
    *("red", "orange", "peach", "yellow", "green", "teal", "olive", "blue", "purple", "maroon", "steel", "dark steel", "grey"),
    *("dark grey", "black", "dark red", "dark orange", "dark peach", "dark yellow", "dark green", "dark teal", "dark olive"),
    *("dark blue", "dark purple", "dark maroon"),
)


@click.command("tags")
@shared_options
@click.argument("action", type=click.Choice(["list", "show", "add", "remove", "rename"]))
@click.argument("words", nargs=-1, metavar="[TAG] [FILE]...")
@click.pass_obj
def command(given: Given, *, action: str, words: tuple[str, ...]) -> int:
    """List the tags of messages, and change them.

    \b
    list                 all tags, how many messages have each, and its colour
    show FILE...         the tags of messages
    add TAG FILE...      give them a tag
    remove TAG FILE...   take it away
    rename OLD NEW       call a tag otherwise, on all messages

    A FILE is a message in a Maildir of ours, or a Message-ID in angle brackets. It is done on disk; the next sync
    carries it to the server.
    """
    accounts = [account for account in given.load() if account.tags is not None and account.mail is not None]
    if not accounts:
        raise ConfigError("no account has tags", hint="man ews-bridge.toml, [accounts.NAME.tags]")
    match action, words:
        case "list", ():
            return _list(accounts, given)
        case "show", (_, *_):
            return _show(accounts, words, given)
        case "add", (tag, first, *rest):
            return _change(accounts, [first, *rest], lambda tags: tags | {tag}, given)
        case "remove", (tag, first, *rest):
            return _change(accounts, [first, *rest], lambda tags: tags - {tag}, given)
        case "rename", (old, new):
            return _rename(accounts, old, new, given)
    usage = {"list": "", "show": " FILE...", "add": " TAG FILE...", "remove": " TAG FILE...", "rename": " OLD NEW"}
    raise UsageError(f"usage: ews-bridge tags {action}{usage[action]}")


def _list(accounts: Sequence[config.Account], given: Given) -> int:
    from ews_bridge import tagedit

    listed: list[dict[str, object]] = []
    rows: list[list[str]] = []
    unseen: list[str] = []
    for account in accounts:
        counts = tagedit.count(account)
        try:
            found = tagedit.colours(account)
        except EwsBridgeError as error:
            output.complain(f"the server's list of categories cannot be read: {error}", account=account.name)
            found = {}
        unseen += [account.name] if found is None else []
        colours = found or {}
        for name in sorted(counts.keys() | colours.keys(), key=str.casefold):
            colour = COLOURS[colours[name]] if 0 <= colours.get(name, -1) < len(COLOURS) else ""
            rows.append([name, f"{counts.get(name, 0):,}", colour, account.name])
            listed.append({"account": account.name, "tag": name, "messages": counts.get(name, 0), "color": colour})
    if given.json:
        output.say_json({"tags": listed})
    for line in output.table(["TAG", "MESSAGES", "COLOUR", "ACCOUNT"], rows, right=(1,)) if rows else ():
        given.say(line)
    for name in unseen:
        given.say(f"{name}: the colours of its tags are not yours to see")
    return 0


def _show(accounts: Sequence[config.Account], files: Sequence[str], given: Given) -> int:
    from ews_bridge import tagedit

    shown: list[dict[str, object]] = []

    def show(at: tagedit.Open, found: tagedit.Found) -> None:
        tags = sorted(tagedit.words(at, found))
        shown.append({"file": str(found.file), "tags": tags})
        for line in [f"{found.file}: {', '.join(tags)}"] if len(files) > 1 else tags:
            given.say(line)

    code = _each(accounts, files, show)
    if given.json:
        output.say_json({"messages": shown})
    return code


def _change(
    accounts: Sequence[config.Account], files: Sequence[str], make: Callable[[frozenset[str]], frozenset[str]], given: Given
) -> int:
    from ews_bridge import tagedit

    changed: list[str] = []

    def change(at: tagedit.Open, found: tagedit.Found) -> None:
        if tagedit.change(at, found, make):
            changed.append(str(found.file))

    code = _each(accounts, files, change)
    if given.json:
        output.say_json({"changed": changed})
    return code


def _rename(accounts: Sequence[config.Account], old: str, new: str, given: Given) -> int:
    from ews_bridge import tagedit

    if old == new or not new.strip():
        raise UsageError("the new name must be another one, and not empty")
    counts: dict[str, int] = {}

    def rename(account: config.Account) -> int:
        counts[account.name] = tagedit.rename(account, old, new)
        given.say(f"{account.name}: {counts[account.name]:,} renamed")
        return 0

    code = gravest(guarded(lambda account=account: rename(account), account=account.name) for account in accounts)  # type: ignore[misc]
    if given.json:
        output.say_json({"renamed": counts})
    return code


def _each(accounts: Sequence[config.Account], files: Sequence[str], do: Callable[[tagedit.Open, tagedit.Found], None]) -> int:
    """Do it to each message that is meant; what cannot be done is named, and the others still are."""
    from ews_bridge import tagedit

    rest = set(files)
    code = 0
    for account in accounts:
        mine = [file for file in files if tagedit.is_below(account, file)]
        if not mine:
            continue
        with tagedit.opened(account) as at:
            for file in mine:
                for found in tagedit.find(at, file):
                    rest.discard(file)
                    try:
                        do(at, found)
                    except EwsBridgeError as error:
                        output.complain(str(error), hint=error.hint, account=account.name)
                        code = max(code, 1)
    if rest:
        raise UsageError(f"there is no message {min(rest)}", hint="a file in a Maildir of an account with tags, or <MESSAGE-ID>")
    return code
