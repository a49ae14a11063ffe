"""Any history of tasks, or of contacts, that are made, edited, moved and deleted on both sides, with runs cut off anywhere: both
sides come to say the same, no edit is lost (at worst it is kept aside, and told), nothing is doubled, and every field comes
through.

The engine, the stores and the codecs are the real ones; the server is the sandbox.
"""

from __future__ import annotations

import contextlib
import datetime
import itertools
import os
import tempfile
import threading
from collections.abc import Callable
from collections.abc import Iterator
from contextlib import ExitStack
from contextlib import contextmanager
from pathlib import Path

import hypothesis.strategies as st
from hypothesis import HealthCheck
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine
from hypothesis.stateful import initialize
from hypothesis.stateful import rule

from ews_bridge.errors import EwsBridgeError
from ews_bridge.exchange.cards import Cards
from ews_bridge.exchange.form import Form
from ews_bridge.exchange.items import ItemFolder
from ews_bridge.exchange.items import Kept
from ews_bridge.exchange.session import Connection
from ews_bridge.exchange.task import TaskForm
from ews_bridge.model import Content
from ews_bridge.model import Entry
from ews_bridge.model import New
from ews_bridge.state import State
from tests.exchange_relay import connection
from tests.itemdesk import ItemDesk
from tests.itemdesk import itemdesk
from tests.itemdesk import todo
from tests.test_contact_codec import JPEG
from tests.test_contact_codec import card
from tests.test_contact_codec import picture

TEXT = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Cn", "Co")), max_size=20).map(str.strip)
DAY = st.dates(datetime.date(2001, 1, 1), datetime.date(2099, 12, 31))


def escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace(";", "\\;").replace(",", "\\,").replace("\n", "\\n")


@st.composite
def fields(draw: st.DrawFn) -> list[str]:
    """Lines of a task that use what Exchange has fields for, and what it has none for."""
    lines: list[str] = []
    if text := draw(TEXT):
        lines.append(f"DESCRIPTION:{escaped(text)}")
    if names := draw(st.lists(st.sampled_from(["Home", "Büro", "a,b", "Rot; grün"]), max_size=3, unique=True)):
        lines.append("CATEGORIES:" + ",".join(map(escaped, names)))
    if draw(st.booleans()):
        lines.append(f"PRIORITY:{draw(st.integers(0, 9))}")
    if draw(st.booleans()):
        lines.append(f"CLASS:{draw(st.sampled_from(['PUBLIC', 'PRIVATE', 'CONFIDENTIAL', 'X-OTHER']))}")
    due = draw(st.none() | DAY)
    if due:
        time = draw(st.sampled_from(["", "T093000Z", "T170000"]))
        lines.append(f"DUE:{due:%Y%m%d}{time}" if time else f"DUE;VALUE=DATE:{due:%Y%m%d}")
        if draw(st.booleans()):
            lines += ["BEGIN:VALARM", "ACTION:AUDIO", f"TRIGGER;RELATED=END:-PT{draw(st.integers(1, 90))}M", "END:VALARM"]
    progress = draw(st.sampled_from(["", "STATUS:IN-PROCESS", "STATUS:COMPLETED", "STATUS:CANCELLED", "STATUS:NEEDS-ACTION"]))
    lines += [progress] if progress else []
    if progress in ("STATUS:IN-PROCESS", "STATUS:CANCELLED"):
        lines.append(f"PERCENT-COMPLETE:{draw(st.integers(0, 99))}")
    if draw(st.booleans()):
        lines += ["URL:https://example.org/x?a=1", 'X-OWN;X-P="a:b":kept\\, as it is', "GEO:1.5;2.5"]
    return lines


@st.composite
def properties(draw: st.DrawFn) -> list[str]:
    """Lines of a contact, more of some than Exchange has places for."""
    lines = [
        f"EMAIL;TYPE={draw(st.sampled_from(['work', 'home', 'pref']))}:{n}@example.org" for n in range(draw(st.integers(0, 5)))
    ]
    lines += [f"TEL;TYPE={draw(st.sampled_from(['work', 'cell', 'fax', 'x-own']))}:{n}" for n in range(draw(st.integers(0, 4)))]
    for name in draw(st.lists(st.sampled_from(["NOTE", "TITLE", "ORG", "X-SPOUSE", "NICKNAME", "X-OWN", "ROLE"]), unique=True)):
        if text := draw(TEXT):
            lines.append(f"{name}:{escaped(text)}")
    if draw(st.booleans()):
        lines += [f"BDAY:{draw(DAY)}", "item1.URL:https://example.org/x", "item1.X-ABLABEL:boat", "CATEGORIES:a,b"]
    if draw(st.booleans()):
        lines.append(f"ADR;TYPE=work:Box;{';'.join(escaped(draw(TEXT)) for _ in range(3))};;;")
    if draw(st.integers(0, 3)) == 0:
        lines.append(picture(JPEG + bytes([draw(st.integers(0, 255))]), "JPEG"))
    return lines


LINES = st.runner().flatmap(lambda machine: machine.lines)


class Machine(RuleBasedStateMachine):
    """Of tasks. `said`, `dropped`: see `start`."""

    form: Form = TaskForm()
    kind = "tasks"
    folders = ("Tasks", "Work")
    lines = fields()

    def file(self, uid: str, text: str, lines: list[str]) -> bytes:
        return todo(uid, text, *lines)

    @initialize()
    def start(self) -> None:
        self.stack = ExitStack()
        home = Path(self.stack.enter_context(tempfile.TemporaryDirectory()))
        self.it: ItemDesk = self.stack.enter_context(itemdesk(home, **{self.kind: 'guard = "100%"'}))
        alice = self.it.server.alice
        alice.create_folder(alice.folder("msgfolderroot"), "Work", self.form.folder_class)
        self.line = self.stack.enter_context(connection(self.it.server.url))
        self.count = itertools.count(1)
        self.it.settle()
        self.said: set[str] = set()  # every summary that a user ever wrote
        self.dropped: set[str] = set()  # those that a user replaced or deleted

    def teardown(self) -> None:
        if hasattr(self, "stack"):
            self.stack.close()

    # ---- what the two users see and do

    def server(self, name: str) -> ItemFolder:
        alice = self.it.server.alice
        found = next(each for each in alice.folder("msgfolderroot").children if each.name == name)
        bin_ = alice.folder_id(alice.folder("deleteditems"))
        return ItemFolder(
            self.line,
            alice.folder_id(found),
            self.folders.index(name) + 1,
            form=self.form,
            trash=bin_,
            kept=Kept(),
            ids=lambda _: {},
        )

    def remote(self) -> Iterator[tuple[str, ItemFolder, Entry, bytes]]:
        for name in self.folders:
            store = self.server(name)
            entries = [entry for page in store.scan("", dict) for entry in page.entries]
            for entry, content in store.read(entries):
                assert isinstance(content, Content), content
                yield name, store, entry, b"".join(content.pieces())

    def local(self) -> Iterator[tuple[str, Path, bytes]]:
        for file in self.it.files(self.kind):
            yield file.parent.name, file, file.read_bytes()

    def summary(self, data: bytes) -> str:
        return self.form.read(data).label

    def fresh(self) -> str:
        text = f"t{next(self.count)}"
        self.said.add(text)
        return text

    @rule(lines=LINES, folder=st.integers(0, 1))
    def created_here(self, lines: list[str], folder: int) -> None:
        text = self.fresh()
        path = self.it.home(self.kind, self.folders[folder]) / f"{text}{self.form.suffix}"
        path.write_bytes(self.file(f"uid-{text}", text, lines))

    @rule(lines=LINES, folder=st.integers(0, 1))
    def created_there(self, lines: list[str], folder: int) -> None:
        text = self.fresh()
        data = self.file(f"uid-{text}", text, lines)
        source = Entry("s", f"uid-{text}")
        new = New(Content(lambda: iter([data])), f"user-{text}", f"uid-{text}", frozenset())
        ((_, made),) = self.server(self.folders[folder]).create([(source, new)])
        assert isinstance(made, Entry), made

    @rule(index=st.integers(0, 9), lines=LINES)
    def edited_here(self, index: int, lines: list[str]) -> None:
        found = list(self.local())
        if found:
            _, file, data = found[index % len(found)]
            self.dropped.add(self.summary(data))
            fresh = self.file(self.form.read(data).uid, self.fresh(), lines)
            file.with_name(".edit").write_bytes(fresh)
            os.rename(file.with_name(".edit"), file)

    @rule(index=st.integers(0, 9), lines=LINES)
    def edited_there(self, index: int, lines: list[str]) -> None:
        found = list(self.remote())
        if found:
            _, store, entry, data = found[index % len(found)]
            self.dropped.add(self.summary(data))
            new = self.file(entry.key, self.fresh(), lines)
            ((_, made),) = store.update([(entry, Content(lambda: iter([new])))])
            assert isinstance(made, Entry), made

    @rule(index=st.integers(0, 9))
    def deleted_here(self, index: int) -> None:
        found = list(self.local())
        if found:
            _, file, data = found[index % len(found)]
            self.dropped.add(self.summary(data))
            file.unlink()

    @rule(index=st.integers(0, 9))
    def deleted_there(self, index: int) -> None:
        found = list(self.remote())
        if found:
            _, store, entry, data = found[index % len(found)]
            self.dropped.add(self.summary(data))
            list(store.delete([entry]))

    @rule(index=st.integers(0, 9))
    def moved_here(self, index: int) -> None:
        found = list(self.local())
        if found:
            folder, file, _ = found[index % len(found)]
            file.rename(self.it.home(self.kind, self.folders[1 - self.folders.index(folder)]) / file.name)

    @rule(index=st.integers(0, 9))
    def moved_there(self, index: int) -> None:
        found = list(self.remote())
        if found:
            folder, store, entry, _ = found[index % len(found)]
            list(store.move([entry], self.server(self.folders[1 - self.folders.index(folder)])))

    # ---- runs

    @rule(calls=st.integers(1, 60), after=st.booleans())
    def run_is_cut_off(self, calls: int, *, after: bool) -> None:
        with cut(calls, after=after), contextlib.suppress(Crash, EwsBridgeError):
            self.it.sync()

    @rule()
    def converges(self) -> None:
        self.it.settle()
        local = sorted((folder, self.form.read(data).uid, self.form.read(data).revision) for folder, _, data in self.local())
        remote = sorted((name, entry.key, entry.revision) for name, _, entry, _ in self.remote())
        assert local == remote
        uids = [uid for _, uid, _ in local]
        assert len(uids) == len(set(uids)), "doubled"
        here = {self.summary(data) for _, _, data in self.local()}
        kept = self.it.user.state / "conflicts"
        aside = {self.summary(path.read_bytes()) for path in kept.iterdir()} if kept.exists() else set()
        assert self.said - self.dropped <= here | aside, f"lost {self.said - self.dropped - here - aside}"


class ContactsMachine(Machine):
    """Of contacts."""

    form = Cards()
    kind = "contacts"
    folders = ("Contacts", "Work")
    lines = properties()

    def file(self, uid: str, text: str, lines: list[str]) -> bytes:
        return card(f"UID:{uid}", f"FN:{text}", f"N:{text};;;;", *lines)


class Crash(BaseException):
    """The process is gone."""


#: Where a run may end: requests, writes to the disk, transactions of the state.
POINTS = ((Connection, "ask"), (os, "rename"), (os, "fsync"), (State, "observe"), (State, "begin"), (State, "settle"))


@contextmanager
def cut(calls: int, *, after: bool) -> Iterator[None]:
    """The run dies at its call of this number that reaches server, disk or state: before it is carried out, or after it."""
    lock = threading.Lock()
    made = itertools.count(1)
    dead: list[bool] = []

    def fused(call: Callable[..., object]) -> Callable[..., object]:
        def point(*arguments: object, **named: object) -> object:
            with lock:
                last = next(made) == calls
                if dead or (last and not after):
                    dead.append(True)
                    raise Crash
            result = call(*arguments, **named)
            if last:
                dead.append(True)
                raise Crash
            return result

        return point

    originals = [(owner, name, getattr(owner, name)) for owner, name in POINTS]
    try:
        for owner, name, original in originals:
            setattr(owner, name, fused(original))
        yield
    finally:
        for owner, name, original in originals:
            setattr(owner, name, original)


TestItemsMachine = Machine.TestCase
TestContactsMachine = ContactsMachine.TestCase
TestItemsMachine.settings = TestContactsMachine.settings = settings(
    max_examples=int(os.environ.get("ITEMS_EXAMPLES", "15")),
    stateful_step_count=12,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
