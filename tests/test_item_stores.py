"""The contract of `store.Store` on the two stores of what has a UID: a vdir, and a folder of the sandbox.

What they have in place of flags, tags and tokens: the revision is a digest of what an item says.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import pytest
from lxml import etree

from ews_bridge.errors import BadItem
from ews_bridge.errors import Stale
from ews_bridge.exchange.items import ItemFolder
from ews_bridge.exchange.items import Kept
from ews_bridge.exchange.session import Connection
from ews_bridge.exchange.task import TaskForm
from ews_bridge.model import Content
from ews_bridge.model import Entry
from ews_bridge.model import New
from ews_bridge.sandbox import properties
from ews_bridge.sandbox.store import Folder
from ews_bridge.sandbox.store import Item
from ews_bridge.sandbox.world import Mailbox
from ews_bridge.store import Store
from ews_bridge.trash import Trash
from ews_bridge.vdir import Vdir
from tests.exchange_relay import Reply
from tests.exchange_relay import connection
from tests.exchange_relay import relay
from tests.itemdesk import todo
from tests.sandbox_server import Running
from tests.sandbox_server import running
from tests.test_stores import Watcher
from tests.test_stores import good
from tests.test_stores import only
from tests.test_stores import text

FIRST, SECOND = 1, 2
FORM = TaskForm()


class Others(Protocol):
    """What other programs do on this side, behind the store's back, and how things are there: (folder, UID, summary)."""

    def stores(self) -> tuple[Store, Store]: ...
    def edit(self, entry: Entry, summary: str) -> None: ...
    def touch(self, entry: Entry) -> None: ...
    def remove(self, entry: Entry) -> None: ...
    def here(self) -> Counter[tuple[int, str]]: ...


@dataclass
class Files:
    root: Path

    def stores(self) -> tuple[Store, Store]:
        trash = Trash(str(self.root / "trash"), "run", kind="tasks")
        first, second = (
            Vdir(str(self.root / name), collection=number, path=name, suffix=".ics", read=FORM.read, trash=trash)
            for number, name in ((FIRST, "A"), (SECOND, "B"))
        )
        return first, second

    def _file(self, entry: Entry) -> Path:
        return self.root / ("A" if entry.collection == FIRST else "B") / entry.id

    def edit(self, entry: Entry, summary: str) -> None:
        (self.root / "edited").write_bytes(todo(entry.key, summary))
        os.rename(self.root / "edited", self._file(entry))

    def touch(self, entry: Entry) -> None:
        file = self._file(entry)
        file.write_bytes(file.read_bytes().replace(b"DTSTAMP:2026", b"DTSTAMP:2027"))

    def remove(self, entry: Entry) -> None:
        self._file(entry).unlink()

    def here(self) -> Counter[tuple[int, str]]:
        return Counter(
            (number, FORM.read(file.read_bytes()).label)
            for number, name in ((FIRST, "A"), (SECOND, "B"))
            for file in (self.root / name).glob("*.ics")
        )


@dataclass
class Server:
    sandbox: Running
    alice: Mailbox
    line: Connection
    pair: tuple[ItemFolder, ItemFolder]

    def stores(self) -> tuple[Store, Store]:
        return self.pair

    def _item(self, entry: Entry) -> Item:
        (found,) = (item for item in self.alice.items.values() if self.alice.item_id(item) == entry.id)
        return found

    def edit(self, entry: Entry, summary: str) -> None:
        item = self._item(entry)
        properties.write(item, properties.SUBJECT, "String", summary)
        self.touch(entry)

    def touch(self, entry: Entry) -> None:
        item = self._item(entry)
        self.alice.touch(item, was_read=item.read, read_only=False)

    def remove(self, entry: Entry) -> None:
        self.alice.remove(self._item(entry))

    def here(self) -> Counter[tuple[int, str]]:
        return Counter(
            (store.collection, properties.text(item, properties.SUBJECT))
            for store in self.pair
            for item in self.alice.items.values()
            if item.folder is not None and self.alice.folder_id(item.folder) == store.id
        )


@contextmanager
def _files(path: Path) -> Iterator[Others]:
    yield Files(path)


@contextmanager
def _server(_: Path) -> Iterator[Others]:
    with running() as sandbox, connection(sandbox.url) as line:
        alice = sandbox.alice
        tasks = alice.folder("tasks")
        other = alice.create_folder(tasks, "Other", "IPF.Task")
        yield Server(sandbox, alice, line, (_store(line, alice, tasks, FIRST), _store(line, alice, other, SECOND)))


def _store(line: Connection, alice: Mailbox, folder: Folder, number: int) -> ItemFolder:
    trash = alice.folder_id(alice.folder("deleteditems"))
    return ItemFolder(line, alice.folder_id(folder), number, form=FORM, trash=trash, kept=Kept(), ids=lambda _: {})


@pytest.fixture(params=[_files, _server], ids=["vdir", "exchange"])
def others(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Others]:
    with request.param(tmp_path) as found:
        yield found


@pytest.fixture
def store(others: Others) -> Store:
    return others.stores()[0]


@pytest.fixture
def second(others: Others) -> Store:
    return others.stores()[1]


def content(data: bytes) -> Content:
    return Content(lambda: iter([data[:40], data[40:]]))


def news(*numbers: int) -> Iterator[tuple[Entry, New]]:
    for number in numbers:
        data = todo(f"task-{number}", f"Task {number}")
        source = Entry(f"s{number}", f"task-{number}", FORM.read(data).revision, collection=99)
        yield source, New(content(data), f"{number:020d}", f"task-{number}", frozenset())


def made(store: Store, *numbers: int) -> list[Entry]:
    found = {source.id: good(entry) for source, entry in store.create(news(*numbers))}
    return [found[f"s{number}"] for number in numbers]


# ---- the contract


def test_creations_give_one_result_each_with_what_they_belong_to(store: Store, others: Others) -> None:
    results = list(store.create(news(*range(1, 61))))
    assert Counter(source.id for source, _ in results) == Counter(f"s{n}" for n in range(1, 61))
    for source, result in results:
        assert (good(result).key, good(result).revision) == (source.key, source.revision)
        assert (good(result).collection, good(result).flags) == (FIRST, frozenset())
    assert others.here() == Counter((FIRST, f"Task {n}") for n in range(1, 61))


def test_what_was_created_is_what_a_scan_shows(store: Store) -> None:
    entries = made(store, 1, 2)
    seen = Watcher(store).look()
    assert {entry.id: (entry.key, entry.revision) for entry in seen.values()} == {e.id: (e.key, e.revision) for e in entries}


def test_scans_follow_what_others_do(store: Store, others: Others) -> None:
    one, two, three = made(store, 1, 2, 3)
    watcher = Watcher(store)
    assert watcher.look().keys() == {one.id, two.id, three.id}
    others.edit(one, "edited")
    others.remove(two)
    seen = watcher.look()
    assert seen.keys() == {one.id, three.id}
    assert seen[one.id].revision != one.revision
    assert seen[three.id].revision == three.revision
    (four,) = made(store, 4)
    assert watcher.look().keys() == {one.id, three.id, four.id}


def test_what_was_touched_and_says_the_same_is_no_edit(store: Store, others: Others) -> None:
    (entry,) = made(store, 1)
    watcher = Watcher(store)
    watcher.look()
    others.touch(entry)
    assert watcher.look()[entry.id].revision == entry.revision
    assert isinstance(next(iter(store.read([entry])))[1], Content)
    assert good(only(store.update([(entry, content(todo("task-1", "new")))]))).revision != entry.revision


def test_a_cursor_that_is_not_understood_means_everything(store: Store) -> None:
    entries = made(store, 1, 2)
    watcher = Watcher(store)
    watcher.look()
    watcher.cursor = "who knows"
    assert watcher.look().keys() == {entry.id for entry in entries}


def test_an_empty_store_has_nothing(store: Store) -> None:
    assert Watcher(store).look() == {}
    assert list(store.read([])) == list(store.create(iter(()))) == list(store.update(iter(()))) == []
    assert list(store.mark([])) == list(store.tag([])) == list(store.delete([])) == list(store.move([], store)) == []


def test_there_are_no_flags_and_no_tags(store: Store) -> None:
    (entry,) = made(store, 1)
    assert list(store.mark([(entry, frozenset())])) == list(store.tag([(entry, {})])) == [(entry, entry)]


def test_contents_say_what_was_written(store: Store) -> None:
    entries = made(store, *range(1, 31))
    found = {FORM.read(text(store, entry)).revision for entry in entries}
    assert found == {entry.revision for entry in entries}


def test_reading_what_was_edited_or_is_gone_is_stale(store: Store, others: Others) -> None:
    edited, gone, fine = made(store, 1, 2, 3)
    others.edit(edited, "edited")
    others.remove(gone)
    results = {entry.id: result for entry, result in store.read([edited, gone, fine])}
    assert isinstance(results[edited.id], Stale)
    assert isinstance(results[gone.id], Stale)
    assert isinstance(results[fine.id], Content)


def test_an_update_replaces_the_content(store: Store, others: Others) -> None:
    (entry,) = made(store, 1)
    changed = good(only(store.update([(entry, content(todo("task-1", "new text", "DUE;VALUE=DATE:20261224")))])))
    assert (changed.id, changed.key) == (entry.id, entry.key)
    assert changed.revision == FORM.read(text(store, changed)).revision != entry.revision
    assert others.here() == Counter([(FIRST, "new text")])
    assert Watcher(store).look()[entry.id].revision == changed.revision


def test_an_update_of_what_was_edited_or_is_gone_writes_nothing(store: Store, others: Others) -> None:
    edited, gone = made(store, 1, 2)
    others.edit(edited, "by somebody else")
    others.remove(gone)
    before = others.here()
    new = content(todo("task-1", "mine"))
    results = list(store.update([(edited, new), (gone, new)]))
    assert len(results) == 2
    assert all(isinstance(result, Stale) for _, result in results)
    assert others.here() == before


def test_a_move_brings_the_item_over_as_it_is(store: Store, second: Store, others: Others) -> None:
    entries = made(store, *range(1, 6))
    watchers = Watcher(store), Watcher(second)
    for watcher in watchers:
        watcher.look()
    results = {entry.id: good(result) for entry, result in store.move(entries, second)}
    assert results.keys() == {entry.id for entry in entries}
    assert others.here() == Counter((SECOND, f"Task {n}") for n in range(1, 6))
    assert watchers[0].look() == {}
    assert {e.id: e.revision for e in watchers[1].look().values()} == {e.id: e.revision for e in results.values()}
    for entry in entries:
        assert FORM.read(text(second, results[entry.id])).revision == entry.revision


def test_a_copy_is_an_item_of_its_own(store: Store, second: Store, others: Others) -> None:
    (entry,) = made(store, 1)
    copied = good(only(store.copy([entry], second)))
    assert others.here() == Counter([(FIRST, "Task 1"), (SECOND, "Task 1")])
    assert (copied.key, copied.revision, copied.collection) == (entry.key, entry.revision, SECOND)


def test_moving_what_is_gone_or_was_edited_is_stale(store: Store, second: Store, others: Others) -> None:
    gone, edited, fine = made(store, 1, 2, 3)
    others.remove(gone)
    others.edit(edited, "edited")
    results = {entry.id: result for entry, result in store.move([gone, edited, fine], second)}
    assert isinstance(results[gone.id], Stale)
    assert isinstance(results[edited.id], Stale)
    assert good(results[fine.id]).collection == SECOND
    assert others.here() == Counter([(FIRST, "edited"), (SECOND, "Task 3")])


def test_deleting_gives_the_entry_whether_it_was_there_or_not(store: Store, others: Others) -> None:
    there, gone, other = made(store, 1, 2, 3)
    others.remove(gone)
    results = list(store.delete([there, gone]))
    assert Counter(entry.id for entry, _ in results) == Counter([there.id, gone.id])
    assert all(good(result).id == entry.id for entry, result in results)
    assert others.here() == Counter([(FIRST, "Task 3")])
    assert Watcher(store).look().keys() == {other.id}


def test_what_was_edited_is_not_deleted(store: Store, others: Others) -> None:
    edited, fine = made(store, 1, 2)
    others.edit(edited, "edited")
    results = {entry.id: result for entry, result in store.delete([edited, fine])}
    assert isinstance(results[edited.id], Stale)
    assert good(results[fine.id]).id == fine.id
    assert others.here() == Counter([(FIRST, "edited")])


def test_what_is_deleted_can_be_had_back(store: Store, others: Others) -> None:
    (entry,) = made(store, 1)
    good(only(store.delete([entry])))
    if isinstance(others, Files):
        (kept,) = (others.root / "trash").glob("run/.tasks/A/*.ics")
        assert FORM.read(kept.read_bytes()).revision == entry.revision
    elif isinstance(others, Server):
        (item,) = others.alice.folder("deleteditems").items.values()
        assert properties.text(item, properties.SUBJECT) == "Task 1"


def test_a_bad_item_does_not_stop_the_others(store: Store, others: Others) -> None:
    def broken() -> Iterator[bytes]:
        yield b"BEGIN:VCALENDAR\r\n"
        raise BadItem("it cannot be read")

    def items() -> Iterator[tuple[Entry, New]]:
        for number, (source, new) in enumerate(news(1, 2, 3)):
            yield source, New(Content(broken), new.token, new.key, new.flags) if number == 1 else new

    results = {source.id: result for source, result in store.create(items())}
    assert isinstance(results["s2"], BadItem)
    assert others.here() == Counter([(FIRST, "Task 1"), (FIRST, "Task 3")])
    one = good(results["s1"])
    assert isinstance(only(store.update([(one, Content(broken))])), BadItem)
    assert FORM.read(text(store, one)).revision == one.revision


# ---- of the disk alone


def test_an_edit_while_the_new_content_is_written_is_not_overwritten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    others = Files(tmp_path)
    store, _ = others.stores()
    (entry,) = made(store, 1)
    fsync = os.fsync

    def edited_meanwhile(descriptor: int) -> None:
        fsync(descriptor)
        others.edit(entry, "by somebody else")

    monkeypatch.setattr(os, "fsync", edited_meanwhile)
    assert isinstance(only(store.update([(entry, content(todo("task-1", "mine")))])), Stale)
    assert others.here() == Counter([(FIRST, "by somebody else")])
    assert [path.name for path in (tmp_path / "A").iterdir()] == ["task-1.ics"], "nothing is left beside"


def test_what_a_run_left_long_ago_is_removed_before_the_first_write(tmp_path: Path) -> None:
    store, _ = Files(tmp_path).stores()
    made(store, 1)
    for name in (f".ews-{'0' * 20}.tmp", ".somebody.tmp"):
        (tmp_path / "A" / name).write_bytes(b"x")
    fresh, _ = Files(tmp_path).stores()
    made(fresh, 2)
    assert len(list((tmp_path / "A").glob(".*"))) == 2, "not what is fresh, and never what is not ours"


# ---- of the server alone


Requests = Callable[[], Counter[str]]


@pytest.fixture
def sandbox_requests(server: Server) -> Requests:
    return lambda: Counter(server.sandbox.stats()["requests"])


@pytest.fixture
def server() -> Iterator[Server]:
    with _server(Path()) as found:
        assert isinstance(found, Server)
        yield found


def test_tokens_find_what_was_created_and_nothing_else(server: Server) -> None:
    store, second = server.stores()
    for number, entry in enumerate(made(store, 1, 2), 1):
        found = store.find(f"{number:020d}")
        assert found is not None
        assert (found.id, found.key, found.revision) == (entry.id, entry.key, entry.revision)
        assert second.find(f"{number:020d}") is None
    assert store.find("0" * 20) is None


def test_what_is_known_by_its_change_key_is_not_fetched_again(server: Server, sandbox_requests: Requests) -> None:
    store, _ = server.stores()
    entries = made(store, *range(1, 31))
    watcher = Watcher(store, seen={entry.id: entry for entry in entries})
    before = sandbox_requests()["GetItem"]
    assert watcher.look().keys() == {entry.id for entry in entries}
    assert sandbox_requests()["GetItem"] == before
    server.edit(entries[0], "edited")
    watcher.look()
    assert sandbox_requests()["GetItem"] == before + 1


def test_what_is_listed_is_kept_for_the_download_that_follows(server: Server, sandbox_requests: Requests) -> None:
    store, _ = server.stores()
    made(store, 1, 2)
    seen = Watcher(store).look()
    before = sandbox_requests()["GetItem"]
    for entry in seen.values():
        assert FORM.read(text(store, entry)).revision == entry.revision
    assert sandbox_requests()["GetItem"] == before


def test_what_is_kept_is_bounded() -> None:
    kept = Kept(limit=100)
    for number in range(10):
        kept.put(f"i{number}", "r", bytes(30))
    assert [kept.take(f"i{number}", "r") is not None for number in range(10)] == [False] * 7 + [True] * 3
    kept.put("a", "r", b"x")
    assert kept.take("a", "other") is None
    assert kept.take("a", "r") is None


def test_an_item_of_another_kind_is_named_and_not_gone(server: Server) -> None:
    store, _ = server.stores()
    server.alice.add_mime(server.alice.folder("tasks"), b"Subject: a letter\r\n\r\nhello\r\n")
    (entry,) = Watcher(store).look().values()
    assert (entry.key, entry.hints.label) == ("", "a letter")
    result = only(store.read([entry]))  # type: ignore[arg-type]
    assert isinstance(result, BadItem)
    assert "not a task" in str(result)


def test_what_was_edited_while_it_was_being_deleted_is_brought_back(server: Server) -> None:
    (entry,) = made(server.stores()[0], 1)

    def edited_before(body: bytes, forward: Callable[[], Reply]) -> Reply:
        if b"<m:MoveItem" in body and not moves:
            server.edit(entry, "at the last moment")
        moves.extend([body] if b"<m:MoveItem" in body else [])
        return forward()

    moves: list[bytes] = []
    with relay(server.sandbox.url, edited_before) as between, connection(between.url) as line:
        store = _store(line, server.alice, server.alice.folder("tasks"), FIRST)
        assert isinstance(only(store.delete([entry])), Stale)
    assert len(moves) == 2
    assert server.here() == Counter([(FIRST, "at the last moment")])


def test_the_token_stands_where_the_schema_wants_it() -> None:
    from ews_bridge.exchange.itemcreating import _with

    for inner, expected in (
        (
            "<t:Subject>a &amp; b</t:Subject><t:DueDate>x</t:DueDate>",
            "<t:Subject>a &amp; b</t:Subject><P/><t:DueDate>x</t:DueDate>",
        ),
        ("<t:Culture>de</t:Culture>", "<P/><t:Culture>de</t:Culture>"),
        ("<t:HasAttachments>true</t:HasAttachments>", "<t:HasAttachments>true</t:HasAttachments><P/>"),
        ("", "<P/>"),
    ):
        assert _with(inner, "<P/>") == expected
        assert etree.fromstring(f'<i xmlns:t="t">{_with(inner, "<P/>")}</i>') is not None
