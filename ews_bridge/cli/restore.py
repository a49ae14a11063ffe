"""`ews-bridge restore`."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field

import click

from ews_bridge import config
from ews_bridge import names
from ews_bridge import trash
from ews_bridge.cli import output
from ews_bridge.cli.boundary import gravest
from ews_bridge.cli.boundary import guarded
from ews_bridge.cli.options import Given
from ews_bridge.cli.options import shared_options
from ews_bridge.errors import BadItem
from ews_bridge.errors import ConfigError
from ews_bridge.errors import UsageError
from ews_bridge.trash import Kept

LOCK_SECONDS = 30.0


@dataclass
class Shelf:
    """What is wanted of the trash of one account, and where it was put."""

    account: config.Account
    kept: list[Kept]
    restored: list[tuple[Kept, str]] = field(default_factory=list)
    code: int = 0


@click.command("restore")
@shared_options
@click.option("--list", "listed", is_flag=True, help="Show what can be brought back.")
@click.option("--run", metavar="RUN", help="All that one run removed.")
@click.argument("ids", nargs=-1, metavar="[ID]...")
@click.pass_obj
def command(given: Given, *, listed: bool, run: str | None, ids: tuple[str, ...]) -> int:
    """Bring back what a sync removed on disk.

    ID and RUN are as --list prints them. Each goes to the folder that it came from. What was removed
    more than 30 days ago is no longer there.
    """
    if not listed and not ids and run is None:
        raise UsageError("say what to restore: ID... or --run RUN", hint="ews-bridge restore --list shows what there is")
    if ids and run is not None:
        raise UsageError("ID... and --run RUN exclude each other")
    shelves = [_shelf(account, ids, run) for account in given.load()]
    found = {name for shelf in shelves for kept in shelf.kept for name in (kept.id, kept.run)}
    for name in (*ids, *([run] if run is not None else [])):
        if name not in found:
            raise UsageError(f"there is no {name} in the trash", hint="ews-bridge restore --list shows what there is")
    if listed:
        return _list(shelves, given)
    for shelf in shelves:
        if shelf.kept:
            shelf.code = guarded(lambda shelf=shelf: _restore(shelf, given), account=shelf.account.name)  # type: ignore[misc]
    if given.json:
        output.say_json({"accounts": [_done_as_json(shelf) for shelf in shelves]})
    return gravest(shelf.code for shelf in shelves)


def _shelf(account: config.Account, ids: Sequence[str], run: str | None) -> Shelf:
    everything = trash.entries(str(account.state_dir / "trash"))
    wanted = [kept for kept in everything if (not ids or kept.id in ids) and run in (None, kept.run)]
    return Shelf(account, wanted)


def _list(shelves: Sequence[Shelf], given: Given) -> int:
    if given.json:
        output.say_json({"accounts": [_list_as_json(shelf) for shelf in shelves]})
    elif not any(shelf.kept for shelf in shelves):
        given.say("the trash is empty")
    else:
        rows = [
            [kept.id, kept.run, _time(kept.removed), shelf.account.name, kept.kind, kept.folder, kept.sender, kept.subject]
            for shelf in shelves
            for kept in shelf.kept
        ]
        for line in output.table(["ID", "RUN", "REMOVED", "ACCOUNT", "KIND", "FOLDER", "FROM", "SUBJECT"], rows):
            given.say(line)
    return 0


def _restore(shelf: Shelf, given: Given) -> int:
    """Put back what is on the shelf, one by one; what cannot be is named, and the others still are."""
    from ews_bridge import lock

    code = 0
    # No folder may be renamed meanwhile.
    with lock.held(shelf.account.state_dir / "lock", wait=LOCK_SECONDS):
        homes = {kind: _homes(shelf.account, kind) for kind in {kept.kind for kept in shelf.kept}}
        for kept in shelf.kept:
            try:
                place = trash.restore(kept, homes[kept.kind])
            except BadItem as error:
                output.complain(str(error), hint=error.hint, account=shelf.account.name)
                code = error.exit_code
                continue
            shelf.restored.append((kept, place))
            given.say(f"{shelf.account.name}: restored {kept.subject or kept.name} to {place}")
    return code


def _homes(account: config.Account, kind: str) -> Callable[[str], str]:
    """Folder → directory; only the state knows which of two like names got a suffix."""
    from ews_bridge import signin

    section = account.section(kind)
    if section is None:
        raise ConfigError(f"account {account.name} has no section [accounts.{account.name}.{kind}] to restore into")
    layout = section.layout if isinstance(section, config.MailSection) else "flat"
    with signin.copied(account, kind) as state:
        known = {row.local.key: row.local.id for row in state.folders() if row.local is not None}
    return lambda folder: os.path.join(section.path, known.get(folder, names.directory(folder, layout)))


def _time(seconds: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(seconds)) if seconds else ""


def _list_as_json(shelf: Shelf) -> dict[str, object]:
    keys = ("id", "run", "kind", "folder", "name", "subject", "sender", "date", "size", "removed", "file")
    return {"account": shelf.account.name, "items": [{key: getattr(kept, key) for key in keys} for kept in shelf.kept]}


def _done_as_json(shelf: Shelf) -> dict[str, object]:
    items = [{"id": kept.id, "file": place} for kept, place in shelf.restored]
    return {"account": shelf.account.name, "exit_code": shelf.code, "restored": items}
