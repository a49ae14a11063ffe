"""Tags by hand, on disk and offline, for `ews-bridge tags`: the next sync carries them to the server.

Files are named by path, or by Message-ID as the last sync saw it. Names are those on disk (`tags.Spelling`).

Must never do: ask the server to change anything.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from dataclasses import replace
from pathlib import Path

from ews_bridge import signin
from ews_bridge import tagsync
from ews_bridge.config import Account
from ews_bridge.config import MailSection
from ews_bridge.errors import BadItem
from ews_bridge.errors import ConfigError
from ews_bridge.errors import Stale
from ews_bridge.errors import UsageError
from ews_bridge.exchange import tagging
from ews_bridge.maildir import Maildir
from ews_bridge.maildir_tags import Keeper
from ews_bridge.model import ON_DISK
from ews_bridge.model import Entry
from ews_bridge.model import Side
from ews_bridge.state import State
from ews_bridge.tags import Spelling
from ews_bridge.trash import Trash

#: What to make of the tags of one message.
Change = Callable[[frozenset[str]], frozenset[str]]


@dataclass(frozen=True, slots=True)
class Found:
    """A message on disk: its file, its store, and how it is."""

    file: Path
    store: Maildir
    entry: Entry


@dataclass(frozen=True, slots=True)
class Open:
    """The tags of an account, open for a command."""

    account: Account
    mail: MailSection
    state: State
    keeper: Keeper

    @property
    def spelling(self) -> Spelling:
        return self.keeper.spelling

    def store(self, directory: Path) -> Maildir:
        trash = Trash(str(self.account.state_dir / "trash"), "tags")
        path = os.path.relpath(directory, self.mail.path)
        return Maildir(str(directory), collection=1, path=path, trash=trash, host="localhost", tags=self.keeper)


@contextmanager
def opened(account: Account) -> Iterator[Open]:
    """Raises ConfigError for an account whose tags are not on disk."""
    mail = signin.mail_section(account)
    with signin.copied(account, "mail") as state:
        keeper = tagsync.keeper(account, state)
        if keeper is None:
            raise ConfigError(
                f"account {account.name} keeps no tags on disk",
                hint=f'set local = "x-keywords", "x-label" or "notmuch" in [accounts.{account.name}.tags]',
            )
        yield Open(account, mail, state, keeper)


def find(at: Open, name: str) -> list[Found]:
    """The messages that are meant: one by a path, none or more by a Message-ID. Raises UsageError for a path that is none."""
    return _by_message_id(at, name) if _is_message_id(name) else [_by_path(at, Path(name))]


def is_below(account: Account, name: str) -> bool:
    """Whether a FILE belongs to this account; a Message-ID may belong to any."""
    if _is_message_id(name):
        return True
    return account.mail is not None and account.mail.path.resolve() in Path(name).resolve().parents


def words(at: Open, found: Found) -> frozenset[str]:
    """The tags of a message, as they are called on disk."""
    if ON_DISK not in found.entry.tags:
        raise BadItem(f"notmuch does not know {found.file} yet", hint="notmuch new")
    return frozenset(map(at.spelling.disk_name, found.entry.tags[ON_DISK]))


def change(at: Open, found: Found, make: Change) -> bool:
    """Give a message other tags; False where nothing changes. Raises BadItem for what cannot be tagged."""
    before = words(at, found)
    after = make(before)
    if after == before:
        return False
    stay = sorted(word for word in after if at.spelling.stays(word))
    if stay:
        raise UsageError(f"{stay[0]!r} is no tag that is synced", hint="automatic, named by `never`, or empty")
    wanted = {ON_DISK: frozenset(map(at.spelling.server_name, after))}
    for _, result in found.store.tag([(found.entry, wanted)]):
        if isinstance(result, BadItem):
            raise result
        if isinstance(result, Stale):
            raise BadItem(f"{found.file} was changed at this moment", hint="run it again")
    return True


def everything(at: Open) -> Iterator[Found]:
    """All messages of the account that are on disk now."""
    for row in at.state.folders():
        if row.local is None:
            continue
        directory = at.mail.path / row.local.id
        store = at.store(directory)
        known = at.state.known(Side.LOCAL, row.number)
        entries = dict(known)
        for page in store.scan("", lambda known=known: known):  # type: ignore[misc]
            entries |= {entry.id: entry for entry in page.entries}
            for gone in page.vanished:
                entries.pop(gone, None)
        for entry in entries.values():
            yield Found(directory, store, replace(entry, collection=1))


def rename(account: Account, old: str, new: str) -> int:
    """Call a tag otherwise, on every message and in the mailbox's list; returns how many messages on disk had it."""
    with opened(account) as at:
        before, after = at.spelling.server_name(old), at.spelling.server_name(new)
        count = 0
        for found in everything(at):
            if before in found.entry.tags.get(ON_DISK, frozenset()):
                count += change(at, found, lambda tags: (tags - {old}) | {new})
    with signin.locked(account, wait=30.0), signin.opened(account, "mail") as state:
        fact = tagsync.memory(state)
        # What still waits to be called `before` in the list is called `after` at once: one that is there already takes it in.
        waiting = [(first, after if last == before else last) for first, last in fact.renames]
        tagsync.remember(state, replace(fact, renames=(*waiting, (before, after))))
    return count


def count(account: Account) -> dict[str, int]:
    """How many messages have each tag, by the server's names; those that the mailbox only lists have none. From the last sync."""
    with signin.copied(account, "mail") as state:
        counts: Counter[str] = Counter(dict.fromkeys(tagsync.memory(state).names.values(), 0))
        for tags, number in state.tags():
            counts.update(dict.fromkeys(tags, number))
    return dict(counts)


def colours(account: Account) -> dict[str, int] | None:
    """The server's own list of categories: name → colour; None where it may not be seen. Asks the server."""
    with signin.connected(account, brief=True) as connection:
        return tagging.master_list(connection)


def _is_message_id(name: str) -> bool:
    return name.startswith("<") and name.endswith(">")


def _by_path(at: Open, path: Path) -> Found:
    file = path.resolve()
    if file.parent.name not in ("cur", "new") or at.mail.path.resolve() not in file.parents:
        raise UsageError(f"{path} is no message in {at.mail.path}")
    store = at.store(file.parent.parent)
    entry = store.entry(f"{file.parent.name}/{file.name}")
    if entry is None:
        raise UsageError(f"there is no message {path}")
    return Found(path, store, entry)


def _by_message_id(at: Open, ident: str) -> list[Found]:
    found: list[Found] = []
    for row in at.state.folders():
        if row.local is None:
            continue
        directory = at.mail.path / row.local.id
        store = at.store(directory)
        for entry in at.state.known(Side.LOCAL, row.number).values():
            file = store.file(entry) if entry.key == ident else None
            if file and (now := store.entry(file)):
                found.append(Found(directory / file, store, now))
    return found
