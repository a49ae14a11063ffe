"""What a run must do about tags before it looks at items: the mailbox's list, a changed setting, and renames that wait.

What it knows is kept in the state as one fact, "tags": the setting that the last run had, the names of Akonadi's ids, and the ids
that items had and nobody could name. Where one of these changes, items are listed anew: nothing else would show it.
"""

from __future__ import annotations

import glob
import json
from collections.abc import Mapping
from dataclasses import asdict
from dataclasses import dataclass
from dataclasses import field
from dataclasses import replace

from ews_bridge import labels
from ews_bridge import notmuch
from ews_bridge import tags
from ews_bridge.config import Account
from ews_bridge.exchange import akonadi
from ews_bridge.exchange.session import Connection
from ews_bridge.exchange.tagging import Tagging
from ews_bridge.maildir_tags import InDatabase
from ews_bridge.maildir_tags import InHead
from ews_bridge.maildir_tags import Keeper
from ews_bridge.model import Side
from ews_bridge.notmuch import Notmuch
from ews_bridge.state import State
from ews_bridge.tagconfig import PLACES
from ews_bridge.tagconfig import TagsSection

_KINDS = {"x-keywords": labels.Kind.KEYWORDS, "x-label": labels.Kind.LABEL}


@dataclass(frozen=True, slots=True)
class Memory:
    """The fact. `renames`: (old, new) that were made on disk and not told to the mailbox's list yet."""

    setting: str = ""
    names: Mapping[bytes, str] = field(default_factory=dict)
    unnamed: frozenset[bytes] = frozenset()
    renames: tuple[tuple[str, str], ...] = ()


def memory(state: State) -> Memory:
    told = json.loads(state.get("tags") or "{}")
    return Memory(
        told.get("setting", ""),
        {akonadi.gid_of(value): name for value, name in told.get("names", {}).items()},
        frozenset(map(akonadi.gid_of, told.get("unnamed", ()))),
        tuple((old, new) for old, new in told.get("renames", ())),
    )


def remember(state: State, fact: Memory) -> None:
    """Written only where it differs."""
    told = {
        "setting": fact.setting,
        "names": {akonadi.value_of(gid): name for gid, name in sorted(fact.names.items())},
        "unnamed": sorted(map(akonadi.value_of, fact.unnamed)),
        "renames": fact.renames,
    }
    text = json.dumps(told) if fact != Memory() else ""
    if text != state.get("tags"):
        state.put({"tags": text})


def spelling(section: TagsSection) -> tags.Spelling:
    """Which tags travel. Of notmuch's, not those that it or its hooks put on messages by themselves."""
    if section.local != "notmuch":
        return tags.Spelling(section.names, section.never)
    own = (*tags.AUTOMATIC, *map(glob.escape, Notmuch().new_tags()), "-*")  # it takes none that begins so
    return tags.Spelling(section.names, (*section.never, *own), longest=notmuch.TAG_MAX)


def keeper(account: Account, state: State) -> Keeper | None:
    """What keeps the tags on disk; None where nothing does."""
    section = account.tags
    if section is None or section.local == "none":
        return None
    if section.local == "notmuch":
        return InDatabase(Notmuch(), spelling(section))
    known = set(memory(state).names.values()).union(*(names for names, _ in state.tags())) if section.local == "x-label" else ()
    return InHead(_KINDS[section.local], spelling(section), frozenset(known))


def of_items(section: TagsSection | None) -> TagsSection | None:
    """What a section asks for of events, contacts and tasks, whose files have categories as content whatever it says: that
    Akonadi's tags are kept alike with these; or nothing.
    """
    return replace(section, server=PLACES, local="none") if section and "akonadi" in section.server else None


def tagging(section: TagsSection, state: State, connection: Connection) -> Tagging:
    """The mailbox's tags. Asks nothing yet."""
    return Tagging(connection, section.server, hidden=spelling(section).hidden, known=memory(state).names)


def prepare(section: TagsSection | None, state: State, mailbox: Tagging | None, *, write: bool) -> None:
    """Before the listings. `write`: the mailbox's list may be written."""
    before = memory(state)
    setting = _setting(section)
    if setting != before.setting:
        for side in Side:
            state.relist(side)
        if _on_disk(setting) != _on_disk(before.setting):
            state.forget_tags()  # what the files say now is no change of anybody's
    if mailbox is None:
        if setting != before.setting:
            remember(state, Memory(names=before.names, unnamed=before.unnamed, renames=before.renames))
        return
    mailbox.load()
    renames = before.renames
    for old, new in renames if write else ():
        mailbox.rename(old, new)
        renames = renames[1:]
    unnamed = {gid for gid in before.unnamed if not mailbox.names.name(gid)}
    renamed = any(mailbox.names.name(gid) != name for gid, name in before.names.items())
    if renamed or unnamed != before.unnamed:
        state.relist(Side.REMOTE)
    remember(state, Memory(setting, mailbox.names.by_gid, frozenset(unnamed), renames))


def _setting(section: TagsSection | None) -> str:
    """What the run is asked for. Of notmuch, also which database it is: another one has not lost what it never had."""
    if section is None:
        return ""
    database = Notmuch().revision().partition(":")[0] if section.local == "notmuch" else ""
    return json.dumps({**asdict(section), "database": database}, sort_keys=True)


def _on_disk(setting: str) -> list[object]:
    told = json.loads(setting or "{}")
    return [told.get(key) for key in ("local", "names", "database")]


def finish(state: State, mailbox: Tagging | None) -> None:
    """After the run: what was learnt in it. An id that got its name only now is shown by the next run, which lists anew."""
    if mailbox is None:
        return
    mailbox.confirm()
    before = memory(state)
    remember(state, Memory(before.setting, mailbox.names.by_gid, before.unnamed | mailbox.unnamed, before.renames))
