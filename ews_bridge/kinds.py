"""What mail, calendars, contacts and tasks do not have in common: their folders, their stores on either side, their words."""

from __future__ import annotations

import json
import os
import socket
from collections import Counter
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ews_bridge import config
from ews_bridge.binding import Root
from ews_bridge.config import Account
from ews_bridge.config import MailSection
from ews_bridge.config import Section
from ews_bridge.errors import BadItem
from ews_bridge.errors import ConfigError
from ews_bridge.errors import Stale
from ews_bridge.exchange.meetingmail import FIRST
from ews_bridge.exchange.meetingmail import MeetingMail
from ews_bridge.exchange.meetingmail import Policies
from ews_bridge.exchange.session import Connection
from ews_bridge.exchange.tree import ExchangeTree
from ews_bridge.folders import Scope
from ews_bridge.itemsconfig import ItemsSection
from ews_bridge.mailtree import MailTree
from ews_bridge.meaning import same_message
from ews_bridge.model import Side
from ews_bridge.names import Layout
from ews_bridge.report import Notice
from ews_bridge.state import State
from ews_bridge.store import Tree
from ews_bridge.tagconfig import TagsSection
from ews_bridge.trash import Trash

# What belongs to a kind that is not synced, or to tags where there are none, is not loaded, here and below.
if TYPE_CHECKING:
    from ews_bridge.exchange.form import Form
    from ews_bridge.exchange.tagging import Tagging
    from ews_bridge.maildir_tags import Keeper

#: Rounds that an item waits for what it refers to: groups in groups need some, groups that contain each other never end.
WAITED = 3
#: The fact that says of which collections a run has brought the files to the server.
_BROUGHT = "brought up"


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of an account, with its section of the settings. `form`: how its items become files; None: they are mail.

    `items`: what they are called, for people.
    """

    name: str
    section: Section
    form: Form | None
    items: str

    @property
    def layout(self) -> Layout:
        if isinstance(self.section, MailSection):
            return self.section.layout
        from ews_bridge.vdirtree import LAYOUT

        return LAYOUT

    @property
    def root(self) -> Root:
        return Root(self.section.path, self.layout, self.name)

    @property
    def scope(self) -> Scope:
        if isinstance(self.section, MailSection):
            return Scope(self.section.folders)
        return Scope(folder_class=self.form.folder_class if self.form else "")

    @property
    def max_size(self) -> int:
        return self.section.max_size if isinstance(self.section, MailSection) else 0

    def same(self, one: bytes, other: bytes) -> bool:
        """Whether two files say the same, however they say it."""
        if self.form is None:
            return same_message(one, other)
        try:
            return one == other or self.form.read(one).meaning == self.form.read(other).meaning
        except BadItem:
            return False


def of(account: Account, only: Sequence[str] = ()) -> list[Kind]:
    """The kinds that an account keeps in step, of those that are asked for (none: all). Raises ConfigError when there is none."""
    wanted = [name for name in config.KINDS if name in only or not only]
    found = [_kind(account, name, section) for name in wanted if (section := account.section(name)) is not None]
    if not found:
        names = " or ".join(f"[accounts.{account.name}.{name}]" for name in wanted)
        raise ConfigError(f"account {account.name} has no section {names}: there is nothing to sync")
    return found


def _kind(account: Account, name: str, section: Section) -> Kind:
    if name == "calendar":
        from ews_bridge.exchange import zones
        from ews_bridge.exchange.event import Events
        from ews_bridge.exchange.eventpeople import Owner

        home = zones.from_iana(_home_zone()) or zones.UTC_ZONE
        return Kind(name, section, Events(home, Owner((account.address.lower(),))), "events")
    if name == "contacts":
        from ews_bridge.exchange.cards import Cards

        return Kind(name, section, Cards(), "contacts")
    if name == "tasks":
        from ews_bridge.exchange.task import TaskForm

        return Kind(name, section, TaskForm(), "tasks")
    return Kind(name, section, None, "messages")


def _home_zone() -> str:
    """The zone of this machine, by name: TZ, or what /etc/localtime is a link to."""
    return os.environ.get("TZ", "").removeprefix(":") or os.path.realpath("/etc/localtime").partition("/zoneinfo/")[2]


def local_tree(kind: Kind, account: Account, state: State, trash: Trash) -> Tree:
    path = str(kind.section.path)
    if kind.form is None:
        return MailTree(path, layout=kind.layout, trash=trash, host=_host(), tags=_keeper(account, state))
    from ews_bridge.vdirtree import VdirTree

    return VdirTree(path, suffix=kind.form.suffix, read=kind.form.read, trash=trash)


def _tags_of(kind: Kind, account: Account) -> TagsSection | None:
    """What is asked for of this kind's tags."""
    if account.tags is None or kind.form is None:
        return account.tags
    from ews_bridge import tagsync

    return tagsync.of_items(account.tags)


@contextmanager
def tags(kind: Kind, account: Account, state: State, mailbox: Tagging | None, *, write: bool) -> Iterator[None]:
    """Around a run: what tags need before the listings, and after the run (see `tagsync`)."""
    section = _tags_of(kind, account)
    if section is None and not state.get("tags"):
        yield
        return
    from ews_bridge import tagsync

    tagsync.prepare(section, state, mailbox, write=write)
    yield
    tagsync.finish(state, mailbox)


def _keeper(account: Account, state: State) -> Keeper | None:
    if account.tags is None:
        return None
    from ews_bridge import tagsync

    return tagsync.keeper(account, state)


def _tagging(section: TagsSection | None, state: State, connection: Connection) -> Tagging | None:
    if section is None:
        return None
    from ews_bridge import tagsync

    return tagsync.tagging(section, state, connection)


def meetings(kind: Kind, state: State, asked: str, noted: list[Notice]) -> Policies:
    """Whether people are told of meetings: as `asked` for this run, or as the settings say."""
    wish = "never"
    if kind.form is not None and kind.form.of_meetings and isinstance(kind.section, ItemsSection):
        wish = asked or kind.section.meeting_mail

    def copied(uid: str, ident: str) -> bool:
        return state.has_other(Side.REMOTE, uid, ident)

    usual = MeetingMail(wish, noted, copied=copied)
    first = MeetingMail(wish, noted, copied=copied, why=FIRST)
    return Policies(usual, first, _brought(state))


def brought(state: State, collections: Iterable[int]) -> None:
    """The files of these were brought to the server: what comes up later is news."""
    known = _brought(state)
    if not known.issuperset(collections):
        state.put({_BROUGHT: json.dumps(sorted(known.union(collections)))})


def _brought(state: State) -> frozenset[int]:
    return frozenset(json.loads(state.get(_BROUGHT) or "[]"))


def doubles(kind: Kind, state: State, *, remember: bool) -> list[str]:
    """Items of one UID in a folder of the server, told once: each has a file of its own, and programs may show only one."""
    paths = {row.number: entry.key for row in state.folders() if (entry := row.remote or row.local)}
    told = set(json.loads(state.get("doubles") or "[]"))
    found = {f"{collection} {key}": (paths.get(collection, ""), key, files) for collection, key, files in state.doubles()}
    notes = []
    for name, (path, key, files) in found.items():
        if name not in told:
            each = " and ".join(files) if len(files) > 1 else "the next sync makes a file of each"
            notes.append(f"{path}: several {kind.items} have the UID {key}: {each}")
    if found.keys() != told and remember:
        state.put({"doubles": json.dumps(sorted(found))})
    return notes


def _host() -> str:
    """This machine in file names: no character that a Maildir gives a meaning."""
    return "".join(c if c.isalnum() or c in ".-" else "-" for c in socket.gethostname()) or "localhost"


def remote_tree(
    kind: Kind,
    account: Account,
    connection: Connection,
    state: State,
    meetings: Callable[[int], MeetingMail] = lambda _: MeetingMail(),
) -> ExchangeTree:
    """The server's side. `meetings`: by collection, who is told of what is done to meetings; by default nobody."""
    waited: Counter[tuple[str, ...]] = Counter()

    def ids(uids: Iterable[str]) -> Mapping[str, str]:
        """`Stale` while some of them are still on their way up: a group is written after its new members."""
        wanted = tuple(uids)
        found = state.ids(Side.REMOTE, wanted)
        if waited[wanted] < WAITED and state.ids(Side.LOCAL, wanted).keys() - found.keys():
            waited[wanted] += 1
            raise Stale("what it refers to goes up first")
        return found

    special = json.loads(state.get("special") or "{}")
    tagging = _tagging(_tags_of(kind, account), state, connection)
    if not isinstance(kind.section, MailSection):
        return ExchangeTree(connection, special=special, form=kind.form, ids=ids, tagging=tagging, meetings=meetings)
    return ExchangeTree(connection, special=special, delete=kind.section.delete, adopting=state.adopting, tagging=tagging)
