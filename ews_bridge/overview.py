"""How an account stands, without syncing it: for `ews-bridge folders` and `ews-bridge status`."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from ews_bridge import folders as folder_trees
from ews_bridge import signin
from ews_bridge import trash
from ews_bridge.config import Account
from ews_bridge.limits import limits
from ews_bridge.model import Failure
from ews_bridge.model import Side
from ews_bridge.names import directory
from ews_bridge.outbox import Letter
from ews_bridge.outbox import Outbox


@dataclass(frozen=True, slots=True)
class FolderInfo:
    """One mail folder of the server. `items` and `unread` as the server counts; `special`: its role, "" for none.

    `read_only`: local changes there are undone, since the configuration says so or the server would refuse them.
    """

    path: str
    directory: Path
    items: int
    unread: int
    special: str
    synced: bool
    read_only: bool


@dataclass(frozen=True, slots=True)
class Status:
    """How an account stands, without asking the server. `last`: what the last run said of itself, {} before the first."""

    last: dict[str, object]
    linked: int
    pending: int
    failures: list[Failure]
    refused: list[Failure]
    trashed: int
    outbox: list[Letter]
    unsent: list[Letter]


def folders(account: Account) -> list[FolderInfo]:
    """The server's mail folders, by path. Asks the server; remembers nothing."""
    mail = signin.mail_section(account)
    with signin.copied(account) as memory, signin.connected(account) as connection:
        remote = signin.exchange_tree(connection, memory)
        folder_trees.observe(memory, {Side.REMOTE: remote})
        special = {ident: name for name, ident in remote.special().items()}
        survey = remote.survey()
        frozen = limits(memory.folders(), survey, mail.read_only).frozen
        found = [
            FolderInfo(
                path=entry.key,
                directory=mail.path / (row.local.id if row.local else directory(entry.key, mail.layout)),
                items=survey.counts.get(entry.id, (0, 0))[0],
                unread=survey.counts.get(entry.id, (0, 0))[1],
                special=special.get(entry.id, ""),
                synced=folder_trees.included(entry.key, mail.folders),
                read_only=row.number in frozen,
            )
            for row in memory.folders()
            if (entry := row.remote) and folder_trees.is_mail(entry.hints.label)
        ]
    return sorted(found, key=lambda each: each.path)


def status(account: Account) -> Status:
    """How the account stands, from the state alone."""
    with signin.copied(account) as state:
        last = json.loads(state.get("last") or "{}")
        failures = [Failure(str((row.remote and row.remote.hints.label) or row.number), why) for row, why in state.failures()]
        refused = [Failure(**each) for each in last.get("report", {}).get("refused", [])]
        kept = sum(1 for _ in trash.entries(str(account.state_dir / "trash")))
        sending = Outbox(account.state_dir / "outbox")
        return Status(last, state.linked(), state.count_differing(), failures, refused, kept, sending.letters(), sending.failed())
