"""The contract of `store.Store`, sentence by sentence, on every store: in memory, a Maildir, a folder of the sandbox."""

from __future__ import annotations

import os
import threading
from collections import Counter
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from dataclasses import field
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import pytest

from ews_bridge.errors import BadItem
from ews_bridge.errors import Stale
from ews_bridge.exchange.folder import ExchangeFolder
from ews_bridge.maildir import Maildir
from ews_bridge.model import Content
from ews_bridge.model import Entry
from ews_bridge.model import Flag
from ews_bridge.model import Flags
from ews_bridge.model import Hints
from ews_bridge.model import New
from ews_bridge.model import Scan
from ews_bridge.sandbox.store import Item
from ews_bridge.sandbox.world import Mailbox
from ews_bridge.store import Failed
from ews_bridge.store import Store
from ews_bridge.trash import Trash
from tests.exchange_relay import connection
from tests.memory import World
from tests.sandbox_server import running

FIRST, SECOND = 1, 2
NONE: Flags = frozenset()
SEEN = frozenset({Flag.SEEN})
ALL = frozenset({Flag.SEEN, Flag.FLAGGED, Flag.ANSWERED, Flag.FORWARDED})
WHEN = 1_760_000_000


class Others(Protocol):
    """What other programs do on this side, behind the store's back, and how things are there."""

    def stores(self) -> tuple[Store, Store]: ...
    def edit(self, entry: Entry, content: bytes) -> None: ...
    def flag(self, entry: Entry, flags: Flags) -> None: ...
    def remove(self, entry: Entry) -> None: ...
    def copy(self, entry: Entry) -> None: ...
    def here(self) -> Counter[tuple[int, bytes, Flags]]: ...


# ---- the three sides


@dataclass
class Memory:
    world: World = field(default_factory=lambda: World("M", delta=True, fuse=lambda _: None))

    def stores(self) -> tuple[Store, Store]:
        return self.world.store(FIRST), self.world.store(SECOND)

    def edit(self, entry: Entry, content: bytes) -> None:
        self.world.edit(entry.id, content)

    def flag(self, entry: Entry, flags: Flags) -> None:
        self.world.change(entry.id, flags=flags)

    def remove(self, entry: Entry) -> None:
        self.world.remove(entry.id)

    def copy(self, entry: Entry) -> None:
        self.world.put(self.world.items[entry.id])

    def here(self) -> Counter[tuple[int, bytes, Flags]]:
        return Counter((item.collection, item.content, item.flags) for item in self.world.items.values())


@dataclass
class Files:
    root: Path

    def stores(self) -> tuple[Store, Store]:
        trash = Trash(str(self.root / "trash"), "run")
        made = [
            Maildir(str(self.root / name), collection=number, path=name, trash=trash, host="host")
            for number, name in ((FIRST, "A"), (SECOND, "B"))
        ]
        for name in ("A", "B"):
            for part in ("cur", "new", "tmp"):
                (self.root / name / part).mkdir(parents=True, exist_ok=True)
        return made[0], made[1]

    def _file(self, entry: Entry) -> Path:
        folder = self.root / ("A" if entry.collection == FIRST else "B")
        (found,) = (
            file for part in ("cur", "new") for file in (folder / part).iterdir() if file.name.split(":2,")[0] == entry.id
        )
        return found

    def edit(self, entry: Entry, content: bytes) -> None:
        file = self._file(entry)
        (self.root / "edited").write_bytes(content)
        os.rename(self.root / "edited", file)

    def flag(self, entry: Entry, flags: Flags) -> None:
        file = self._file(entry)
        file.rename(file.parent.parent / "cur" / f"{entry.id}:2,{''.join(sorted(flags))}")

    def remove(self, entry: Entry) -> None:
        self._file(entry).unlink()

    def copy(self, entry: Entry) -> None:
        file = self._file(entry)
        (file.parent / f"9{file.name}").write_bytes(file.read_bytes())

    def here(self) -> Counter[tuple[int, bytes, Flags]]:
        return Counter(
            (number, file.read_bytes(), frozenset(map(Flag, file.name.partition(":2,")[2])))
            for number, name in ((FIRST, "A"), (SECOND, "B"))
            for part in ("cur", "new")
            for file in (self.root / name / part).iterdir()
        )


@dataclass
class Server:
    alice: Mailbox
    pair: tuple[ExchangeFolder, ExchangeFolder]

    def stores(self) -> tuple[Store, Store]:
        return self.pair

    def _item(self, entry: Entry) -> Item:
        (found,) = (item for item in self.alice.items.values() if self.alice.item_id(item) == entry.id)
        return found

    def edit(self, entry: Entry, content: bytes) -> None:
        item = self._item(entry)
        item.mime = content.replace(b"\n", b"\r\n")
        self.alice.touch(item, was_read=item.read, read_only=False)

    def flag(self, entry: Entry, flags: Flags) -> None:
        item = self._item(entry)
        was, item.read = item.read, Flag.SEEN in flags
        item.props[0x1090] = ("Integer", 2 if Flag.FLAGGED in flags else 0)
        self.alice.touch(item, was_read=was, read_only=False)

    def remove(self, entry: Entry) -> None:
        self.alice.remove(self._item(entry))

    def copy(self, entry: Entry) -> None:
        item = self._item(entry)
        assert item.folder is not None
        self.alice.copy(item, item.folder)

    def here(self) -> Counter[tuple[int, bytes, Flags]]:
        found: Counter[tuple[int, bytes, Flags]] = Counter()
        for number, folder in ((FIRST, self.alice.folder("inbox")), (SECOND, self.alice.folder("drafts"))):
            for item in folder.items.values():
                verb = item.props.get(0x1081, ("", 0))[1]
                words = item.props.get(("9bf757ae-69b5-4d8a-bf1d-2dd0c0871a28", "Flags"), ("", []))[1]
                has = {Flag.SEEN: item.read, Flag.DRAFT: item.draft, Flag.FLAGGED: item.props.get(0x1090, ("", 0))[1] == 2}
                has |= {Flag.ANSWERED: verb in (102, 103) or "\\ANSWERED" in str(words).replace("\\\\", "\\")}
                has |= {Flag.FORWARDED: verb == 104 or "$FORWARDED" in str(words)}
                found[number, item.mime.replace(b"\r\n", b"\n"), frozenset(flag for flag, yes in has.items() if yes)] += 1
        return found


@contextmanager
def _memory(_: Path) -> Iterator[Others]:
    yield Memory()


@contextmanager
def _files(path: Path) -> Iterator[Others]:
    yield Files(path)


@contextmanager
def _server(_: Path) -> Iterator[Others]:
    with running(mime="keep") as sandbox, connection(sandbox.url) as line:
        alice = sandbox.alice
        bin_ = alice.folder_id(alice.folder("deleteditems"))
        first, second = (
            ExchangeFolder(line, alice.folder_id(alice.folder(name)), number, trash=bin_)
            for number, name in ((FIRST, "inbox"), (SECOND, "drafts"))
        )
        yield Server(alice, (first, second))


@pytest.fixture(params=[_memory, _files, _server], ids=["memory", "maildir", "exchange"])
def others(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Others]:
    with request.param(tmp_path) as found:
        yield found


@pytest.fixture
def store(others: Others) -> Store:
    return others.stores()[0]


@pytest.fixture
def second(others: Others) -> Store:
    return others.stores()[1]


# ---- what the tests say in a word


def mail(number: int, text: str = "") -> bytes:
    return (
        f"From: Bob <bob@example.test>\nTo: alice@example.test\nSubject: number {number}\n"
        f"Date: Tue, 03 Nov 2026 10:00:{number % 60:02} +0000\nMessage-ID: <{number}@example.test>\n"
        f"MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n\n{text or f'This is {number}.'}\n"
    ).encode()


def content(data: bytes) -> Content:
    return Content(lambda: iter([data[:40], data[40:]]), WHEN)


def news(*numbers: int, flags: Flags = NONE) -> Iterator[tuple[Entry, New]]:
    for number in numbers:
        draft = "r" if Flag.DRAFT in flags else ""
        key = f"<{number}@example.test>"
        source = Entry(f"s{number}", key, draft, flags, 99, Hints(sent=1_793_700_000 + number % 60, size=len(mail(number))))
        yield source, New(content(mail(number)), f"{number:020d}", key, flags)


def made(store: Store, *numbers: int, flags: Flags = NONE) -> list[Entry]:
    found = {source.id: entry for source, entry in store.create(news(*numbers, flags=flags))}
    entries = [found[f"s{number}"] for number in numbers]
    return [good(entry) for entry in entries]


def good(result: Entry | Failed) -> Entry:
    assert isinstance(result, Entry), result
    return result


def only(results: Iterable[tuple[Entry, Entry | Failed]]) -> Entry | Failed:
    ((_, result),) = results
    return result


def text(store: Store, entry: Entry) -> bytes:
    for given, result in store.read([entry]):
        assert given == entry
        assert isinstance(result, Content), result
        return b"".join(result.pieces())
    raise AssertionError("no result")


@dataclass
class Watcher:
    """Someone who scans again and again and remembers, as the state does."""

    store: Store
    cursor: str = ""
    seen: dict[str, Entry] = field(default_factory=dict)
    pages: int = 0

    def look(self) -> Mapping[str, Entry]:
        sweep: set[str] | None = None
        asked: list[int] = []

        def known() -> Mapping[str, Entry]:
            asked.append(1)
            return dict(self.seen)

        last = False
        for page in self.store.scan(self.cursor, known):
            assert not last, "a page after the last"
            self.pages += 1
            last = page.last
            if page.first:
                sweep = set()
            self._take(page, sweep)
            self.cursor = page.cursor
            if page.last and sweep is not None:
                self.seen = {ident: entry for ident, entry in self.seen.items() if ident in sweep}
        assert last, "no last page"
        assert len(asked) <= 1, "known was called more than once"
        return self.seen

    def _take(self, page: Scan, sweep: set[str] | None) -> None:
        for entry in page.entries:
            assert entry.collection == self.store.collection
            self.seen[entry.id] = entry
            if sweep is not None:
                sweep.add(entry.id)
        for ident in page.vanished:
            self.seen.pop(ident, None)
        for ident, present, absent in page.marks:
            if ident in self.seen:
                self.seen[ident] = replace(self.seen[ident], flags=(self.seen[ident].flags | present) - absent)


def outline(entries: Iterable[Entry]) -> Counter[tuple[str, str, Flags]]:
    return Counter((entry.id, entry.key, entry.flags) for entry in entries)


# ---- create, find


def test_creations_give_one_result_each_with_what_they_belong_to(store: Store, others: Others) -> None:
    results = list(store.create(news(*range(1, 121), flags=SEEN)))
    assert Counter(source.id for source, _ in results) == Counter(f"s{n}" for n in range(1, 121))
    for source, result in results:
        assert good(result).key == source.key
        assert good(result).flags == SEEN
        assert good(result).collection == FIRST
    assert others.here() == Counter((FIRST, mail(n), SEEN) for n in range(1, 121))


def test_what_was_created_is_what_a_scan_shows(store: Store) -> None:
    entries = made(store, 1, 2, flags=ALL)
    seen = Watcher(store).look()
    assert outline(seen.values()) == outline(entries)
    for entry in entries:
        assert seen[entry.id].revision == entry.revision
        assert seen[entry.id].hints.token == entry.hints.token != ""
        assert seen[entry.id].hints.sent in (0, 1_793_700_000 + int(entry.key[1]))


@pytest.mark.parametrize("flags", [NONE, SEEN, ALL, frozenset({Flag.FLAGGED}), frozenset({Flag.ANSWERED, Flag.FORWARDED})])
def test_flags_are_created_with_the_item(flags: Flags, store: Store, others: Others) -> None:
    (entry,) = made(store, 1, flags=flags)
    assert entry.flags == flags
    assert others.here() == Counter([(FIRST, mail(1), flags)])
    assert next(iter(Watcher(store).look().values())).flags == flags


def test_drafts_have_a_revision_and_others_none(store: Store) -> None:
    (draft,) = made(store, 1, flags=frozenset({Flag.DRAFT, Flag.SEEN}))
    (plain,) = made(store, 2, flags=SEEN)
    assert draft.revision and not plain.revision
    assert draft.flags == {Flag.DRAFT, Flag.SEEN}


def test_tokens_find_what_was_created_and_nothing_else(store: Store, second: Store) -> None:
    entries = made(store, 1, 2)
    for number, entry in enumerate(entries, 1):
        found = store.find(f"{number:020d}")
        assert found is not None
        assert (found.id, found.key, found.revision) == (entry.id, entry.key, "")
        assert second.find(f"{number:020d}") is None
    assert store.find("0" * 20) is None


def test_of_two_with_one_token_the_oldest_is_found(store: Store, others: Others) -> None:
    (entry,) = made(store, 1)
    others.copy(entry)
    found = store.find(f"{1:020d}")
    assert found is not None and found.id == entry.id


# ---- scan


def test_scans_follow_what_others_do(store: Store, others: Others) -> None:
    one, two, three = made(store, 1, 2, 3)
    watcher = Watcher(store)
    assert watcher.look().keys() == {one.id, two.id, three.id}
    others.flag(one, frozenset({Flag.SEEN, Flag.FLAGGED}))
    others.remove(two)
    seen = watcher.look()
    assert seen[one.id].flags == {Flag.SEEN, Flag.FLAGGED}
    assert seen.keys() == {one.id, three.id}
    assert seen[three.id].flags == NONE
    (four,) = made(store, 4)
    assert watcher.look().keys() == {one.id, three.id, four.id}
    pages = watcher.pages
    assert watcher.look().keys() == {one.id, three.id, four.id}
    assert watcher.pages == pages + 1


def test_a_cursor_that_is_not_understood_means_everything(store: Store) -> None:
    entries = made(store, 1, 2)
    watcher = Watcher(store)
    watcher.look()
    if type(store).__name__ == "MemoryStore":
        watcher.cursor = '[77, 1, ""]'
    else:
        watcher.cursor = "who knows"
    assert watcher.look().keys() == {entry.id for entry in entries}


def test_an_edit_of_a_draft_is_another_revision(second: Store, others: Others) -> None:
    (entry,) = made(second, 1, flags=frozenset({Flag.DRAFT}))
    watcher = Watcher(second)
    before = watcher.look()[entry.id].revision
    others.edit(entry, mail(1, "edited, and longer"))
    assert watcher.look()[entry.id].revision not in ("", before)


def test_a_change_right_after_a_write_shows_in_the_next_scan(store: Store, others: Others) -> None:
    (entry,) = made(store, 1)
    watcher = Watcher(store)
    watcher.look()
    marked = good(only(store.mark([(entry, SEEN)])))
    assert marked.flags == SEEN
    others.flag(marked, frozenset({Flag.FLAGGED}))
    assert watcher.look()[entry.id].flags == {Flag.FLAGGED}


def test_an_empty_store_has_nothing(store: Store) -> None:
    assert Watcher(store).look() == {}
    assert list(store.read([])) == []
    assert list(store.create(iter(()))) == []
    assert list(store.mark([])) == list(store.delete([])) == list(store.move([], store)) == []


# ---- read


def test_contents_are_read_as_they_were_written(store: Store) -> None:
    entries = made(store, *range(1, 31))
    results = []
    for entry, result in store.read(entries):
        assert isinstance(result, Content)
        results.append((entry.id, b"".join(result.pieces())))
    assert sorted(results) == sorted((entry.id, mail(number)) for number, entry in enumerate(entries, 1))


def test_reading_what_was_edited_or_is_gone_is_stale(second: Store, others: Others) -> None:
    draft = frozenset({Flag.DRAFT})
    edited, gone, fine = made(second, 1, 2, 3, flags=draft)
    others.edit(edited, mail(1, "edited, and longer"))
    others.remove(gone)
    results = {entry.id: result for entry, result in second.read([edited, gone, fine])}
    assert isinstance(results[edited.id], Stale)
    assert isinstance(results[gone.id], Stale)
    assert isinstance(results[fine.id], Content)


# ---- update


def test_an_update_replaces_the_content_and_keeps_the_flags(second: Store, others: Others) -> None:
    flags = frozenset({Flag.DRAFT, Flag.SEEN, Flag.FLAGGED})
    (entry,) = made(second, 1, flags=flags)
    changed = good(only(second.update([(entry, content(mail(1, "new text")))])))
    assert changed.id == entry.id
    assert changed.revision not in ("", entry.revision)
    assert changed.flags == flags
    assert b"new text" in text(second, changed)
    ((_, data, kept),) = others.here()
    assert (b"new text" in data, kept) == (True, flags)
    assert Watcher(second).look()[entry.id].revision == changed.revision


def test_an_update_of_what_was_edited_writes_nothing(second: Store, others: Others) -> None:
    edited, gone = made(second, 1, 2, flags=frozenset({Flag.DRAFT}))
    others.edit(edited, mail(1, "by somebody else"))
    others.remove(gone)
    before = others.here()
    results = list(second.update([(edited, content(mail(1, "mine"))), (gone, content(mail(2, "mine")))]))
    assert len(results) == 2
    assert all(isinstance(result, Stale) for _, result in results)
    assert others.here() == before


# ---- mark


@pytest.mark.parametrize("wanted", [NONE, SEEN, ALL, frozenset({Flag.FORWARDED}), frozenset({Flag.ANSWERED, Flag.FLAGGED})])
def test_a_mark_sets_exactly_these_flags(wanted: Flags, store: Store, others: Others) -> None:
    entries = made(store, 1, flags=frozenset({Flag.SEEN, Flag.ANSWERED})) + made(store, 2)
    results = {entry.id: good(result) for entry, result in store.mark([(entry, wanted) for entry in entries])}
    assert results.keys() == {entry.id for entry in entries}
    assert {result.flags for result in results.values()} == {wanted}
    assert others.here() == Counter([(FIRST, mail(1), wanted), (FIRST, mail(2), wanted)])
    assert {entry.flags for entry in Watcher(store).look().values()} == {wanted}
    for entry in results.values():
        assert text(store, entry)


def test_a_draft_stays_one_when_it_is_marked(second: Store, others: Others) -> None:
    (entry,) = made(second, 1, flags=frozenset({Flag.DRAFT}))
    marked = good(only(second.mark([(entry, frozenset({Flag.DRAFT, Flag.SEEN}))])))
    assert marked.flags == {Flag.DRAFT, Flag.SEEN}
    assert Watcher(second).look()[entry.id].revision == marked.revision
    assert others.here() == Counter([(SECOND, mail(1), frozenset({Flag.DRAFT, Flag.SEEN}))])


def test_marking_what_is_gone_is_stale(store: Store, others: Others) -> None:
    gone, fine = made(store, 1, 2)
    others.remove(gone)
    results = {entry.id: result for entry, result in store.mark([(gone, SEEN), (fine, SEEN)])}
    assert isinstance(results[gone.id], Stale)
    assert good(results[fine.id]).flags == SEEN


# ---- move


def test_a_move_brings_the_item_over_as_it_is(store: Store, second: Store, others: Others) -> None:
    entries = made(store, *range(1, 31), flags=ALL)
    watchers = Watcher(store), Watcher(second)
    for watcher in watchers:
        watcher.look()
    results = {entry.id: good(result) for entry, result in store.move(entries, second)}
    assert results.keys() == {entry.id for entry in entries}
    assert {result.collection for result in results.values()} == {SECOND}
    assert others.here() == Counter((SECOND, mail(number), ALL) for number in range(1, 31))
    assert watchers[0].look() == {}
    assert outline(watchers[1].look().values()) == outline(results.values())
    for number, entry in enumerate(entries, 1):
        assert text(second, results[entry.id]) == mail(number)
        found = second.find(f"{number:020d}")
        assert found is not None and found.id == results[entry.id].id


def test_moving_what_is_gone_is_stale(store: Store, second: Store, others: Others) -> None:
    gone, fine = made(store, 1, 2)
    others.remove(gone)
    results = {entry.id: result for entry, result in store.move([gone, fine], second)}
    assert isinstance(results[gone.id], Stale)
    assert good(results[fine.id]).collection == SECOND
    assert others.here() == Counter([(SECOND, mail(2), NONE)])


# ---- delete


def test_deleting_gives_the_entry_whether_it_was_there_or_not(store: Store, others: Others) -> None:
    there, gone, other = made(store, 1, 2, 3)
    others.remove(gone)
    results = list(store.delete([there, gone]))
    assert Counter(entry.id for entry, _ in results) == Counter([there.id, gone.id])
    assert all(good(result).id == entry.id for entry, result in results)
    assert others.here() == Counter([(FIRST, mail(3), NONE)])
    assert Watcher(store).look().keys() == {other.id}


def test_a_draft_that_was_edited_is_not_deleted(second: Store, others: Others) -> None:
    edited, fine = made(second, 1, 2, flags=frozenset({Flag.DRAFT}))
    others.edit(edited, mail(1, "edited, and longer"))
    results = {entry.id: result for entry, result in second.delete([edited, fine])}
    assert isinstance(results[edited.id], Stale)
    assert good(results[fine.id]).id == fine.id
    assert others.here() == Counter([(SECOND, mail(1, "edited, and longer"), frozenset({Flag.DRAFT}))])


def test_what_is_deleted_can_be_had_back(store: Store, others: Others) -> None:
    if isinstance(others, Memory):
        pytest.skip("nothing in memory is recoverable")
    (entry,) = made(store, 1, flags=SEEN)
    good(only(store.delete([entry])))
    if isinstance(others, Files):
        (kept,) = (others.root / "trash").glob("run/A/cur/*")
        assert kept.read_bytes() == mail(1)
    elif isinstance(others, Server):
        (item,) = others.alice.folder("deleteditems").items.values()
        assert item.mime.replace(b"\r\n", b"\n") == mail(1)


# ---- odd items, threads


def test_a_bad_item_does_not_stop_the_others(store: Store, others: Others) -> None:
    """A content that cannot be read to its end."""

    def broken() -> Iterator[bytes]:
        yield b"Subject: x\n"
        raise BadItem("it cannot be read")

    def items() -> Iterator[tuple[Entry, New]]:
        for number, (source, new) in enumerate(news(1, 2, 3)):
            yield source, replace(new, content=Content(broken, WHEN)) if number == 1 else new

    if isinstance(others, Memory):
        pytest.skip("in memory contents are whole")
    results = {source.id: result for source, result in store.create(items())}
    assert isinstance(results["s2"], BadItem)
    assert others.here() == Counter([(FIRST, mail(1), NONE), (FIRST, mail(3), NONE)])
    (draft,) = made(store, 4, flags=frozenset({Flag.DRAFT}))
    assert isinstance(only(store.update([(draft, Content(broken, WHEN))])), BadItem)
    assert text(store, draft) == mail(4)


def test_several_threads_may_work_at_once(store: Store, second: Store, others: Others) -> None:
    if isinstance(others, Memory):
        pytest.skip("the memory store is for one thread")
    errors: list[BaseException] = []

    def work(number: int) -> None:
        try:
            entries = made(store, *range(number * 10, number * 10 + 10))
            marked = [good(result) for _, result in store.mark([(entry, SEEN) for entry in entries])]
            for entry, result in store.read(marked):
                assert isinstance(result, Content), entry
                assert b"".join(result.pieces())
            moved = [good(result) for _, result in store.move(marked[:5], second)]
            list(second.delete(moved[:2]))
        except BaseException as error:  # noqa: BLE001  (told by the main thread)
            errors.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(1, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors, errors
    assert Counter(place for place, _, _ in others.here().elements()) == {FIRST: 20, SECOND: 12}
