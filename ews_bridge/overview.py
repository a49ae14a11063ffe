"""How an account stands, without syncing it: for `ews-bridge folders` and `ews-bridge status`."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from ews_bridge import folders as folder_trees
from ews_bridge import kinds
from ews_bridge import signin
from ews_bridge import trash
from ews_bridge.config import Account
from ews_bridge.exchange.session import Connection
from ews_bridge.kinds import Kind
from ews_bridge.limits import limits
from ews_bridge.model import Row
from ews_bridge.model import Side
from ews_bridge.names import directory
from ews_bridge.outbox import Letter
from ews_bridge.outbox import Outbox
from ews_bridge.report import Failure


@dataclass(frozen=True, slots=True)
class FolderInfo:
    """One folder of the server. `items` and `unread` as the server counts; `special`: its role, "" for none. `kind`: "mail" …

    `read_only`: local changes there are undone, since the configuration says so or the server would refuse them.
    """

    path: str
    directory: Path
    items: int
    unread: int
    special: str
    synced: bool
    read_only: bool
    kind: str = "mail"


@dataclass(frozen=True, slots=True)
class KindStatus:
    """How one kind of an account stands. `last`: what the last run said of itself, {} before the first; `items`: what they are
    called.
    """

    kind: str
    items: str
    last: dict[str, object]
    linked: int
    pending: int
    failures: list[Failure]
    refused: list[Failure]


@dataclass(frozen=True, slots=True)
class Status:
    """How an account stands, without asking the server: all its kinds together, and each."""

    last: dict[str, object]
    linked: int
    pending: int
    failures: list[Failure]
    refused: list[Failure]
    trashed: int
    outbox: list[Letter]
    unsent: list[Letter]
    kinds: list[KindStatus]


def folders(account: Account) -> list[FolderInfo]:
    """The server's folders of the kinds that are synced, by kind and path. Asks the server; remembers nothing."""
    with signin.connected(account) as connection:
        return [info for kind in kinds.of(account) for info in _folders(account, kind, connection)]


def _folders(account: Account, kind: Kind, connection: Connection) -> list[FolderInfo]:
    with signin.copied(account, kind.name) as memory:
        remote = kinds.remote_tree(kind, account, connection, memory)
        folder_trees.observe(memory, {Side.REMOTE: remote})
        special = {ident: name for name, ident in remote.special().items()}
        survey = remote.survey()
        frozen = limits(memory.folders(), survey, kind.section.read_only).frozen
        found = [
            FolderInfo(
                path=entry.key,
                directory=kind.section.path / (row.local.id if row.local else directory(entry.key, kind.layout)),
                items=survey.counts.get(entry.id, (0, 0))[0],
                unread=survey.counts.get(entry.id, (0, 0))[1],
                special=special.get(entry.id, ""),
                synced=kind.scope.covers(row),
                read_only=row.number in frozen,
                kind=kind.name,
            )
            for row in memory.folders()
            if (entry := row.remote) and kind.scope.holds(entry.hints.label)
        ]
    return sorted(found, key=lambda each: each.path)


def status(account: Account) -> Status:
    """How the account stands, from its states alone."""
    kept = sum(1 for _ in trash.entries(str(account.state_dir / "trash")))
    sending = Outbox(account.state_dir / "outbox")
    found = [_kind(account, kind) for kind in kinds.of(account)]
    return Status(
        last=max((each.last for each in found), key=lambda last: float(str(last.get("began", 0)))),
        linked=sum(each.linked for each in found),
        pending=sum(each.pending for each in found),
        failures=[failure for each in found for failure in each.failures],
        refused=[failure for each in found for failure in each.refused],
        trashed=kept,
        outbox=sending.letters(),
        unsent=sending.failed(),
        kinds=found,
    )


def _kind(account: Account, kind: Kind) -> KindStatus:
    with signin.copied(account, kind.name) as state:
        last = json.loads(state.get("last") or "{}")
        failures = [Failure(_label(row), why) for row, why in state.failures()]
        refused = [Failure(**each) for each in last.get("report", {}).get("refused", [])]
        return KindStatus(kind.name, kind.items, last, state.linked(), state.count_differing(), failures, refused)


def _label(row: Row) -> str:
    entry = row.remote or row.local
    return (entry.hints.label if entry else "") or str(row.number)
