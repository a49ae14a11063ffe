"""`ews-bridge folders`."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from ews_bridge import config
from ews_bridge.cli import output
from ews_bridge.cli.boundary import gravest
from ews_bridge.cli.boundary import guarded
from ews_bridge.cli.options import Given
from ews_bridge.cli.options import shared_options

if TYPE_CHECKING:
    from ews_bridge import overview


@click.command("folders")
@shared_options
@click.pass_obj
def command(given: Given) -> int:
    """The server's folders: what each holds, and where it lives on disk.

    A folder without a directory is left out by the configuration. In one that is read-only, by the configuration or by the
    rights that you have, local changes are undone.
    """
    accounts = given.load()
    found: dict[str, list[overview.FolderInfo]] = {}
    code = gravest(guarded(lambda account=account: _look(account, found), account=account.name) for account in accounts)  # type: ignore[misc]
    if given.json:
        listed = [{"account": name, "folders": [_as_json(each) for each in folders]} for name, folders in found.items()]
        output.say_json({"accounts": listed})
    for name, folders in found.items():
        if len(accounts) > 1:
            given.say(f"{name}:")
        for line in _lines(folders):
            given.say(line)
    return code


def _look(account: config.Account, found: dict[str, list[overview.FolderInfo]]) -> int:
    from ews_bridge import overview

    found[account.name] = overview.folders(account)
    return 0


def _lines(folders: list[overview.FolderInfo]) -> list[str]:
    rows = [
        [
            each.path,
            each.kind,
            f"{each.items:,}",
            f"{each.unread:,}" if each.kind == "mail" else "",
            _role(each),
            str(each.directory) if each.synced else "-",
        ]
        for each in folders
    ]
    return output.table(["FOLDER", "KIND", "ITEMS", "UNREAD", "SPECIAL", "DIRECTORY"], rows, right=(2, 3))


def _role(folder: overview.FolderInfo) -> str:
    return ", ".join(filter(None, (folder.special, "read-only" if folder.read_only else "")))


def _as_json(folder: overview.FolderInfo) -> dict[str, object]:
    return {**asdict(folder), "directory": str(folder.directory)}
