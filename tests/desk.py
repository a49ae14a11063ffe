"""A desk with two programs on it: Outlook (exchangelib, another EWS client) and mutt (plain operations on the Maildir).

Both work on one mailbox while `sync` runs in this process. A relay between it and the server, and the run's own progress, are the
moments at which somebody acts *during* a run. What both sides hold in the end is told in one short form, `Holding`.
"""

from __future__ import annotations

import os
import re
import threading
from collections import Counter
from collections.abc import Callable
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from dataclasses import field
from functools import cached_property
from pathlib import Path

from exchangelib import BASIC
from exchangelib import DELEGATE
from exchangelib import UTC
from exchangelib import Account
from exchangelib import Configuration
from exchangelib import Credentials
from exchangelib import ExtendedProperty
from exchangelib import Message
from exchangelib.folders import Folder as RemoteFolder
from exchangelib.protocol import close_connections

from ews_bridge import config
from ews_bridge import sync as engine
from ews_bridge.folders import included
from ews_bridge.names import Layout
from ews_bridge.names import directory
from ews_bridge.names import path
from ews_bridge.names import path_of
from ews_bridge.report import Report
from ews_bridge.sandbox.content import mime_of
from ews_bridge.sandbox.store import Folder
from ews_bridge.sandbox.store import Item
from tests.exchange_relay import Relay
from tests.exchange_relay import Reply
from tests.exchange_relay import relay
from tests.inside import Inside
from tests.mirror import digest
from tests.mirror import message
from tests.sandbox_server import ALICE
from tests.sandbox_server import Running
from tests.sandbox_server import running

AKONADI = ("9bf757ae-69b5-4d8a-bf1d-2dd0c0871a28", "Flags")
#: Folders that the desk has; all else of the mailbox is left out.
FOLDERS = '["INBOX", "INBOX/*", "Projects", "Projects/*", "Archive", "Archive/*", "Drafts", "Sent Items", "Deleted Items*"]'

#: (folder, number of the message, its flags, a digest of its bytes)
Place = tuple[str, str, str, str]


class Flagged(ExtendedProperty):  # type: ignore[misc]
    """PidTagFlagStatus."""

    property_tag = 0x1090
    property_type = "Integer"


class LastVerb(ExtendedProperty):  # type: ignore[misc]
    """PidTagLastVerbExecuted."""

    property_tag = 0x1081
    property_type = "Integer"


class AkonadiFlags(ExtendedProperty):  # type: ignore[misc]
    """The list in which Akonadi keeps IMAP keywords."""

    property_set_id = AKONADI[0]
    property_name = AKONADI[1]
    property_type = "StringArray"


for _name, _property in (("flagged", Flagged), ("last_verb", LastVerb), ("akonadi", AkonadiFlags)):
    if _name not in {each.name for each in Message.FIELDS}:
        Message.register(_name, _property)


@dataclass
class Moment:
    """When something happens during a run: before or after a request of this kind is carried out; "planned": before the first
    step is taken.
    """

    operation: str
    after: bool = False
    nth: int = 1


class Silent:
    """Progress that tells a test when a part of the work begins."""

    def __init__(self, on_phase: Callable[[str], None]) -> None:
        self.on_phase = on_phase
        self.steps: list[str] = []

    def phase(self, name: str, total: int | None) -> None:
        self.on_phase(name)

    def advance(self, items: int, bytes: int) -> None:
        pass

    def step(self, text: str) -> None:
        self.steps.append(text)


@dataclass
class Desk:
    """A mailbox, its mirror, and the two programs. `act_at` makes something happen once, during the next run."""

    server: Running
    user: Inside
    relay: Relay
    more: str = ""
    reports: list[Report] = field(default_factory=list)
    steps: list[str] = field(default_factory=list)
    _waiting: tuple[Moment, Callable[[], None]] | None = None
    _seen: Counter[str] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _error: BaseException | None = None

    # ---- the two programs

    @cached_property
    def outlook(self) -> Account:
        settings = Configuration(service_endpoint=self.server.url, credentials=Credentials(*ALICE), auth_type=BASIC)
        return Account(ALICE[0], config=settings, access_type=DELEGATE, autodiscover=False, default_timezone=UTC)

    def folder(self, name: str) -> RemoteFolder:
        """A folder as Outlook sees it now."""
        known = {"INBOX": "inbox", "Drafts": "drafts", "Sent Items": "sent", "Deleted Items": "trash"}
        found = self.outlook.root
        found.clear_cache()
        top, *rest = name.split("/")
        at = getattr(self.outlook, known[top]) if top in known else self.outlook.msg_folder_root / top
        for part in rest:
            at = at / part
        return at

    def item(self, number: int) -> Message:
        """A message as Outlook sees it, wherever it is now; of several the oldest."""
        alice, top = self.server.alice, self.server.alice.folder("msgfolderroot")
        seen = (item for item in alice.items.values() if item.folder and item.folder.under(top))
        found = next(item for item in seen if key_of(item) == str(number))
        ((item),) = self.outlook.fetch([(self.server.alice.item_id(found), self.server.alice.item_change_key(found))])
        assert isinstance(item, Message), item
        return item

    def file(self, number: int) -> Path:
        """The file of a message, wherever it is now; of several the one in the first folder."""
        found = self.files(number)
        assert found, f"no file of {number}"
        return found[0]

    def files(self, number: int) -> list[Path]:
        return [file for file in all_files(self.user.mail) if _number(file.read_bytes()) == str(number)]

    def fill(self, name: str, *numbers: int, read: bool = False) -> list[Item]:
        """New messages in a folder of the server."""
        found = self.place(name)
        return [self.server.alice.add_mime(found, message(number), read=read) for number in numbers]

    def place(self, name: str) -> Folder:
        """A folder as the server keeps it."""
        alice = self.server.alice
        top, *rest = name.split("/")
        known = {"INBOX": "inbox", "Drafts": "drafts", "Sent Items": "sentitems", "Deleted Items": "deleteditems"}
        at = alice.folder(known.get(top, "msgfolderroot"))
        for part in rest if top in known else (top, *rest):
            at = next(each for each in at.children if each.name == part)
        return at

    # ---- syncing

    @cached_property
    def account(self) -> config.Account:
        with self.user._environment():
            return next(each for each in config.load().accounts if each.name == "work")

    def configure(self, more: str = "") -> None:
        """The settings of the mail section, from now on."""
        self.more = more
        folders = "" if "folders" in more else f"folders = {FOLDERS}\n"
        self.user.configure(more=folders + more)
        self.__dict__.pop("account", None)

    def sync(self, **options: object) -> Report:
        """One run. What `act_at` asked for happens in it."""
        self._seen.clear()
        progress = Silent(lambda name: self._reached(name))
        report = engine.sync(self.account, options=engine.Options(**options), progress=progress)  # type: ignore[arg-type]
        if self._error:
            raise self._error
        self.reports.append(report)
        self.steps = progress.steps
        return report

    def settle(self, *, failures: bool = False) -> Report:
        """Runs until one has nothing to do; all they did, in one report."""
        whole = Report()
        for _ in range(5):
            report = self.sync()
            assert failures or not (report.failures or report.refused), report
            whole.done = dict(Counter(whole.done) + Counter(report.done))
            whole.conflicts += report.conflicts
            whole.failures += report.failures
            whole.pending = report.pending
            if not report.done:
                return whole
        raise AssertionError(f"not quiet: {report}")

    def act_at(self, moment: Moment, act: Callable[[], None]) -> None:
        self._waiting = (moment, act)

    @property
    def acted(self) -> bool:
        """Whether what waited for its moment has happened."""
        return self._waiting is None

    def act_now(self) -> None:
        """What still waits, because its moment did not come."""
        if self._waiting:
            _, act = self._waiting
            self._waiting = None
            act()

    def _reached(self, name: str) -> None:
        if self._waiting and self._waiting[0].operation == name:
            self.act_now()

    def hook(self, body: bytes, forward: Callable[[], Reply]) -> Reply:
        """Of the relay: one request at a time, and somebody acts before or after it."""
        found = re.search(rb"<(?:\w+:)?Body[^>]*>\s*<(?:\w+:)?(\w+)", body)
        name = found[1].decode() if found else ""
        with self._lock:
            self._seen[name] += 1
            moment = self._waiting and self._waiting[0]
            now = moment and moment.operation == name and moment.nth == self._seen[name]
            try:
                if now and moment and not moment.after:
                    self.act_now()
                reply = forward()
                if now and moment and moment.after:
                    self.act_now()
            except BaseException as error:
                self._error = error
                raise
            return reply

    # ---- what is there

    @property
    def layout(self) -> Layout:
        return self.account.mail.layout if self.account.mail else "verbatim"

    def directory(self, path: str) -> Path:
        """Where a folder lies on disk."""
        return self.user.mail / directory(path, self.layout)

    def remote(self) -> list[Place]:
        mailbox = self.server.alice
        found: list[Place] = []

        def look(folder: Folder, above: str) -> None:
            here = path_of(above, folder.name, is_inbox=folder is mailbox.folder("inbox"))
            for item in folder.items.values():
                data = mime_of(item).replace(b"\r\n", b"\n")
                found.append((here, key_of(item), letters_of(item), digest(data)))
            for child in folder.children:
                look(child, here)

        for child in mailbox.folder("msgfolderroot").children:
            look(child, "")
        return sorted(found)

    def local(self, layout: Layout = "verbatim") -> list[Place]:
        return sorted(
            (folder_of(self.user.mail, file, layout), _number(data), _letters(file.name), digest(data))
            for file in all_files(self.user.mail)
            for data in [file.read_bytes()]
        )

    def folders(self) -> tuple[set[str], set[str]]:
        """(on disk, on the server) those that the desk syncs."""
        mailbox = self.server.alice
        there: set[str] = set()

        def look(folder: Folder, above: str) -> None:
            here = path_of(above, folder.name, is_inbox=folder is mailbox.folder("inbox"))
            there.add(here)
            for child in folder.children:
                look(child, here)

        for child in mailbox.folder("msgfolderroot").children:
            look(child, "")
        patterns = self.account.mail.folders if self.account.mail else ()
        wanted = {each for each in there if included(each, patterns)}
        layout = self.layout
        here = {folder_of(self.user.mail, cur / "x", layout) for cur in self.user.mail.rglob("cur")}
        return here, wanted

    def agree(self) -> None:
        """Both sides hold the same messages with the same flags and bytes, and the same folders."""
        layout = self.layout
        local, remote = Counter(self.local(layout)), Counter(self.remote())
        assert local == remote, f"on disk {local - remote}, there {remote - local}"
        here, there = self.folders()
        assert here == there

    def holds(self, number: int) -> str:
        """Where a message is on the server, e.g. "INBOX:FS Projects:"; "" for nowhere."""
        return " ".join(f"{folder}:{letters}" for folder, key, letters, _ in self.remote() if key == str(number))


def all_files(root: Path) -> list[Path]:
    found = [cur.parent / part for cur in sorted(root.rglob("cur")) for part in ("cur", "new")]
    return [file for directory in found if directory.is_dir() for file in sorted(directory.iterdir()) if file.name[0] != "."]


def folder_of(root: Path, file: Path, layout: Layout = "verbatim") -> str:
    home = str(file.parent.parent.relative_to(root))
    found = path("" if home == "." else home, layout)
    assert found is not None, file
    return found


def key_of(item: Item) -> str:
    return _number(mime_of(item))


def letters_of(item: Item) -> str:
    """The flags of an item as a Maildir says them; R and P are in Akonadi's list, too."""
    props = item.props
    verb = props.get(0x1081, ("", 0))[1]
    words = {str(word).upper() for word in props.get(AKONADI, ("", []))[1]}  # type: ignore[union-attr]
    letters = {"S": item.read, "D": item.draft, "F": props.get(0x1090, ("", 0))[1] == 2}
    letters |= {"R": verb in (102, 103) or bool(words & {"\\ANSWERED", "$REPLIED"})}
    letters |= {"P": verb == 104 or "$FORWARDED" in words}
    return "".join(sorted(letter for letter, set_ in letters.items() if set_))


def _number(data: bytes) -> str:
    """What stands before the @ in the Message-ID; else the subject."""
    found = re.search(rb"^Message-ID:\s*<([^@>]*)", data, re.IGNORECASE | re.MULTILINE)
    subject = re.search(rb"^Subject: *(.*?)\r?$", data, re.IGNORECASE | re.MULTILINE)
    return (found or subject or [b"", b""])[1].decode()


def _letters(name: str) -> str:
    return "".join(sorted(letter for letter in name.partition(":2,")[2] if letter.isupper()))


def lf(number: int, *, size: int = 300, subject: str = "") -> bytes:
    """A message as a file has it."""
    return message(number, size=size, subject=subject).replace(b"\r\n", b"\n")


def rename(file: Path, folder: Path | None = None, *, letters: str | None = None, name: str = "") -> Path:
    """As mail readers do it: other flags, another folder, another name. Goes to cur/ unless it had and keeps no flags."""
    base, _, old = file.name.partition(":2,")
    wanted = old if letters is None else letters
    part = "cur" if wanted or letters is not None or file.parent.name == "cur" else "new"
    target = (folder or file.parent.parent) / part / ((name or base) + (f":2,{wanted}" if part == "cur" else ""))
    os.rename(file, target)
    return target


@contextmanager
def desk(home: Path, *, more: str = "", fill: bool = True) -> Iterator[Desk]:
    """A mailbox with the folders Projects and Archive, messages 1 to 4 in the Inbox and draft 9; mirrored once."""
    with running(mime="keep") as server:
        alice = server.alice
        for name in ("Projects", "Archive"):
            alice.create_folder(alice.folder("msgfolderroot"), name)
        for number in (1, 2, 3, 4) if fill else ():
            alice.add_mime(alice.folder("inbox"), message(number), read=number == 4)
        if fill:
            alice.add_mime(alice.folder("drafts"), message(9), draft=True, read=True)
        holder: list[Desk] = []
        with relay(server.url, lambda body, forward: holder[0].hook(body, forward)) as between:
            found = Desk(server, Inside(home, between.url), between)
            holder.append(found)
            found.configure(more)
            if fill:
                found.sync()
                found.agree()
            yield found
            close_connections()
