"""What a Maildir store promises, on real files. The contract that it shares with other stores is in test_stores.py."""

import itertools
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from ews_bridge import trash
from ews_bridge.errors import BadItem
from ews_bridge.errors import DiskError
from ews_bridge.errors import Stale
from ews_bridge.errors import Unavailable
from ews_bridge.headers import message_id
from ews_bridge.headers import parse_head
from ews_bridge.maildir import Maildir
from ews_bridge.model import Content
from ews_bridge.model import Entry
from ews_bridge.model import Flag
from ews_bridge.model import Flags
from ews_bridge.model import Hints
from ews_bridge.model import New
from ews_bridge.model import Scan
from ews_bridge.trash import Trash

SEEN = frozenset({Flag.SEEN})
NONE: Flags = frozenset()
DRAFT = frozenset({Flag.DRAFT})
MAIL = b"Message-ID: <a@x>\nDate: Tue, 14 Nov 2023 22:13:20 +0000\nSubject: Hello\n\nbody\n"
TOKENS = itertools.count()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for part in ("cur", "new", "tmp"):
        (tmp_path / "box" / part).mkdir(parents=True)
    return tmp_path / "box"


@pytest.fixture
def box(root: Path) -> Maildir:
    return store(root)


def store(root: Path, collection: int = 1) -> Maildir:
    bin_ = Trash(str(root.parent / "trash"), "run")
    return Maildir(str(root), collection=collection, path=root.name, trash=bin_, host="host")


def new(data: bytes | Iterable[bytes] = MAIL, flags: Flags = SEEN, modified: float = 1.7e9) -> tuple[Entry, New]:
    pieces = [data] if isinstance(data, bytes) else data
    token = f"t{next(TOKENS):019d}"
    source = Entry(f"remote-{token}", "<a@x>", hints=Hints(sent=5, label="Hello"))
    return source, New(Content(lambda: iter(pieces), modified), token, "<a@x>", flags)


def create(box: Maildir, *items: tuple[Entry, New]) -> list[Entry]:
    made = [result for _, result in box.create(items)]
    assert all(isinstance(entry, Entry) for entry in made)
    return [entry for entry in made if isinstance(entry, Entry)]


def scan(box: Maildir, *known: Entry, cursor: str = "") -> tuple[dict[str, Entry], set[str], str]:
    pages = list(box.scan(cursor, lambda: {entry.id: entry for entry in known}))
    assert [page.last for page in pages] == [False] * (len(pages) - 1) + [True]
    assert not any(page.first for page in pages)
    entries = {entry.id: entry for page in pages for entry in page.entries}
    return entries, {id_ for page in pages for id_ in page.vanished}, pages[-1].cursor


def names(root: Path) -> list[str]:
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if not path.is_dir())


def never() -> dict[str, Entry]:
    raise AssertionError("the state must not be asked")


# ---- delivery


def test_a_delivered_file_has_the_name_mode_time_and_bytes_that_readers_expect(root: Path, box: Maildir) -> None:
    item = new([b"one ", b"two"], frozenset({Flag.SEEN, Flag.FLAGGED}), 1700000000.9)
    (entry,) = create(box, item)
    path = root / "cur" / f"1700000000.{item[1].token}.host:2,FS"
    assert names(root) == [str(path.relative_to(root))]
    assert path.read_bytes() == b"one two"
    assert path.stat().st_mtime == 1700000000
    assert path.stat().st_mode & 0o777 == 0o600
    assert entry == Entry(
        f"1700000000.{item[1].token}.host", "<a@x>", "", item[1].flags, 1,
        Hints(str(path.stat().st_ino), item[1].token, 7, 5, "Hello"),
    )  # fmt: skip


def test_unseen_mail_without_flags_is_new(root: Path, box: Maildir) -> None:
    (entry,) = create(box, new(flags=NONE))
    assert names(root) == [f"new/{entry.id}"]


def test_missing_directories_are_made_private(tmp_path: Path) -> None:
    create(store(tmp_path / "far" / "box"), new())
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "far").rglob("*") if path.is_dir()} == {0o700}


def test_our_own_creation_is_no_news(box: Maildir) -> None:
    made = create(box, new(), new(flags=NONE), new(flags=DRAFT))
    assert scan(box, *made)[:2] == ({}, set())


def test_a_token_is_found_again(box: Maildir) -> None:
    first, second = new(), new(flags=NONE)
    made = create(box, first, second)
    fresh = store(Path(box.directory))
    assert [fresh.find(item[1].token) for item in (first, second)] == [
        replace(entry, hints=replace(entry.hints, sent=1700000000)) for entry in made
    ]
    assert fresh.find("t" * 20) is None


def test_nothing_is_given_out_before_the_directories_are_synced(box: Maildir, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    watched: list[tuple[str, Callable[..., None]]] = [("fsync", os.fsync), ("rename", os.rename)]
    for name, real in watched:

        def spy(*args: object, name: str = name, real: Callable[..., None] = real) -> None:
            directory = isinstance(args[0], int) and os.path.isdir(f"/proc/self/fd/{args[0]}")
            calls.append(f"{name} directory" if directory else name)
            real(*args)

        monkeypatch.setattr(os, name, spy)
    results = box.create([new(), new(), new(flags=NONE)])
    next(results)
    assert calls == ["fsync", "rename"] * 3 + ["fsync directory"] * 2


@pytest.mark.parametrize("error", [BadItem("odd"), Stale("moved on")])
def test_content_that_cannot_be_had_fails_alone_and_leaves_nothing(root: Path, box: Maildir, error: BadItem | Stale) -> None:
    def broken() -> Iterator[bytes]:
        yield b"half"
        raise error

    bad = new()
    bad = (bad[0], replace(bad[1], content=Content(broken)))
    results = dict(box.create([new(), bad, new()]))
    assert results[bad[0]] is error
    assert len(names(root)) == 2
    assert not any((root / "tmp").iterdir())


def test_what_was_made_before_a_failure_of_the_source_is_given_out_first(root: Path, box: Maildir) -> None:
    def source() -> Iterator[tuple[Entry, New]]:
        yield new()
        raise Unavailable("the line broke")

    results = box.create(source())
    assert isinstance(next(results)[1], Entry)
    with pytest.raises(Unavailable):
        next(results)
    assert len(names(root)) == 1


def test_a_leftover_of_our_own_token_is_no_obstacle(root: Path, box: Maildir) -> None:
    item = new()
    (root / "tmp" / f"1700000000.{item[1].token}.host").write_text("half")
    (entry,) = create(box, item)
    assert names(root) == [f"cur/{entry.id}:2,S"]


def test_an_existing_file_is_never_overwritten(root: Path, box: Maildir) -> None:
    item = new()
    taken = root / "cur" / f"1700000000.{item[1].token}.host:2,S"
    taken.write_text("precious")
    ((_, result),) = box.create([item])
    assert isinstance(result, BadItem)
    assert taken.read_text() == "precious"
    assert names(root) == [f"cur/{taken.name}"]


def test_only_old_leftovers_in_tmp_are_removed_and_not_by_a_scan(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (root / "tmp" / "young").write_text("x")
    os.utime(root / "tmp" / "young", (0, 0))  # the mtime is that of the message
    create(store(root), new())
    assert "tmp/young" in names(root)
    later = time.time() + 37 * 3600
    monkeypatch.setattr(time, "time", lambda: later)
    scan(store(root))
    assert "tmp/young" in names(root)
    create(store(root), new())
    assert "tmp/young" not in names(root)


def test_many_threads_deliver_into_one_folder(root: Path, box: Maildir) -> None:
    batches = [[new() for _ in range(20)] for _ in range(8)]
    with ThreadPoolExecutor(8) as pool:
        made = [entry for part in pool.map(lambda batch: create(box, *batch), batches) for entry in part]
    assert len(names(root)) == 160
    assert scan(box, *made)[:2] == ({}, set())


# ---- a disk that says no


def test_a_full_disk_is_told_and_leaves_no_half_file(tmp_path: Path) -> None:
    mount = tmp_path / "small"
    mount.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", mount], capture_output=True).returncode:
        pytest.skip("needs the right to mount")
    try:
        results = store(mount / "box").create([new(), new(b"x" * 100_000), new()])
        assert isinstance(next(results)[1], Entry)
        with pytest.raises(DiskError, match="No space left") as caught:
            next(results)
        assert "free some space" in caught.value.hint
        assert len(names(mount)) == 1
    finally:
        subprocess.run(["umount", mount], check=True)


def test_a_message_too_large_for_the_file_system_fails_alone(root: Path) -> None:
    script = f"""
import resource, sys
sys.path[:0] = {sys.path!r}
from tests.test_maildir import new, store
from pathlib import Path
resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
for _, result in store(Path({str(root)!r})).create([new(), new(b"x" * 60_000), new()]):
    print(type(result).__name__)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=Path(__file__).parent.parent)
    assert sorted(done.stdout.split()) == ["BadItem", "Entry", "Entry"], done.stderr
    assert len(names(root)) == 2


def test_a_directory_without_permission_is_told(root: Path, box: Maildir) -> None:
    (root / "tmp").chmod(0o500)
    if os.access(root / "tmp", os.W_OK):
        pytest.skip("this user may write everywhere")
    with pytest.raises(DiskError, match="Permission denied"):
        list(box.create([new()]))
    (root / "tmp").chmod(0o700)


@pytest.mark.parametrize("call", ["create", "mark", "delete"])
def test_a_read_only_file_system_is_told_and_nothing_changes(root: Path, box: Maildir, call: str) -> None:
    (entry,) = create(box, new())
    if subprocess.run(["mount", "--bind", root, root], capture_output=True).returncode:
        pytest.skip("needs the right to mount")
    try:
        subprocess.run(["mount", "-o", "remount,bind,ro", root], check=True, capture_output=True)
        before = names(root)
        with pytest.raises(DiskError, match="Read-only"):
            match call:
                case "create":
                    list(store(root).create([new()]))
                case "mark":
                    list(box.mark([(entry, NONE)]))
                case _:
                    list(box.delete([entry]))
        assert names(root) == before
    finally:
        subprocess.run(["umount", root], check=True)


# ---- listing


def test_a_foreign_file_is_listed_with_what_identifies_it(root: Path, box: Maildir) -> None:
    path = root / "cur" / "odd name:2,FSab"
    path.write_bytes(MAIL)
    entries, vanished, _ = scan(box)
    hints = Hints(str(path.stat().st_ino), "", len(MAIL), 1700000000, "Hello")
    assert entries == {"odd name": Entry("odd name", "<a@x>", "", frozenset({Flag.FLAGGED, Flag.SEEN}), 1, hints)}
    assert vanished == set()


@pytest.mark.parametrize(("file", "id_", "flags"), [
    ("new/a", "a", ""), ("new/a:2,F", "a", "F"), ("cur/a", "a", ""), ("cur/a;2,S", "a", "S"), ("cur/a!2,ST", "a", "ST"),
    ("cur/a:2,", "a", ""), ("cur/:2,S", ":2,S", ""), ("cur/a:2,x:2,S", "a:2,x", "S"), ("cur/naïve:2,S", "naïve", "S"),
])  # fmt: skip
def test_names_as_other_programs_spell_them(root: Path, box: Maildir, file: str, id_: str, flags: str) -> None:
    (root / file).write_bytes(MAIL)
    entries, _, _ = scan(box)
    assert {entry.id: entry.flags for entry in entries.values()} == {id_: frozenset(map(Flag, flags))}
    ((_, content),) = box.read(list(entries.values()))
    assert isinstance(content, Content)


def test_a_name_that_is_not_text_can_be_stored_and_found(root: Path, box: Maildir) -> None:
    path = os.path.join(os.fsencode(root), b"cur", b"caf\xe9:2,")
    Path(os.fsdecode(path)).write_bytes(MAIL)
    entries, _, _ = scan(box)
    (entry,) = entries.values()
    entry.id.encode()
    ((_, marked),) = box.mark([(entry, SEEN)])
    assert isinstance(marked, Entry)
    assert os.path.exists(path + b"S")
    assert scan(box, marked)[:2] == ({}, set())


def test_only_differences_are_listed(root: Path, box: Maildir) -> None:
    kept, marked, gone = create(box, new(), new(), new())
    (root / "cur" / f"{marked.id}:2,S").rename(root / "cur" / f"{marked.id}:2,RSx")
    (root / "cur" / f"{gone.id}:2,S").unlink()
    (root / "new" / "fresh").write_bytes(MAIL)
    entries, vanished, _ = scan(box, kept, marked, gone)
    assert set(entries) == {marked.id, "fresh"}
    assert entries[marked.id] == replace(marked, flags=frozenset({Flag.ANSWERED, Flag.SEEN}))
    assert vanished == {gone.id}


def test_a_quiet_folder_is_not_listed(root: Path, box: Maildir, monkeypatch: pytest.MonkeyPatch) -> None:
    made = create(box, new())
    past = time.time_ns() - 10 * 10**9
    for part in ("new", "cur"):
        os.utime(root / part, ns=(past, past))
    cursor = scan(box, *made)[2]
    monkeypatch.setattr(os, "listdir", lambda path: never())
    assert list(store(root).scan(cursor, never)) == [Scan(cursor=cursor, last=True)]


def test_a_directory_that_just_changed_is_not_trusted(root: Path, box: Maildir) -> None:
    """Two changes within one tick of the clock leave one mtime: the second must not be missed."""
    made = create(box, new())
    cursor = scan(box, *made)[2]
    stamps = {part: (root / part).stat().st_mtime_ns for part in ("new", "cur")}
    (root / "new" / "late").write_bytes(MAIL)
    for part, stamp in stamps.items():
        os.utime(root / part, ns=(stamp, stamp))
    assert set(scan(box, *made, cursor=cursor)[0]) == {"late"}


def test_a_cursor_that_is_not_understood_lists_everything(box: Maildir) -> None:
    made = create(box, new())
    for cursor in ("x", "{}", "[1]", "null", '["a", "b", "c"]'):
        assert set(scan(box, cursor=cursor)[0]) == {made[0].id}


def test_a_large_first_listing_comes_in_pages_and_moves_the_cursor_last(root: Path, box: Maildir) -> None:
    for number in range(1500):
        (root / "cur" / f"m{number}:2,").touch()
    pages = list(box.scan("old", dict))
    assert [len(page.entries) for page in pages] == [1000, 500]
    assert [page.cursor == "old" for page in pages] == [True, False]


def test_what_is_renamed_while_we_list_is_not_lost(root: Path, box: Maildir, monkeypatch: pytest.MonkeyPatch) -> None:
    (entry,) = create(box, new(flags=NONE))
    real = os.listdir
    old, late = root / "new" / entry.id, root / "cur" / f"{entry.id}:2,S"

    def listdir(path: str) -> list[str]:
        found = real(path)
        if path.endswith("cur") and old.exists():
            old.rename(late)
        return found

    monkeypatch.setattr(os, "listdir", listdir)
    assert scan(box, entry)[1] == set()
    assert scan(box, entry)[0] == {entry.id: replace(entry, flags=SEEN)}


def test_readers_that_rename_all_the_time_never_make_a_message_vanish(root: Path, box: Maildir) -> None:
    made = create(box, *(new() for _ in range(100)))
    stop = threading.Event()

    def reader() -> None:
        while not stop.is_set():
            for name in os.listdir(root / "cur"):
                base, _, letters = name.partition(":2,")
                os.rename(root / "cur" / name, root / "cur" / f"{base}:2,{'S' if letters == 'FS' else 'FS'}")

    thread = threading.Thread(target=reader)
    thread.start()
    try:
        for _ in range(60):
            entries, vanished, _ = scan(box, *made)
            assert vanished == set()
            assert entries.keys() <= {entry.id for entry in made}
    finally:
        stop.set()
        thread.join()


def test_strange_things_in_the_directories_do_no_harm(root: Path, box: Maildir) -> None:
    (root / "cur" / "directory:2,S").mkdir()
    (root / "cur" / ".hidden").write_text("x")
    os.mkfifo(root / "cur" / "pipe")
    (root / "cur" / "dangling:2,S").symlink_to("nowhere")
    (root / "cur" / "link:2,S").symlink_to(root.parent / "real")
    (root.parent / "real").write_bytes(MAIL)
    (root / "cur" / "empty:2,S").touch()
    (root / "cur" / "binary:2,S").write_bytes(bytes(range(256)) * 2000)
    entries, vanished, _ = scan(box)
    assert set(entries) == {"dangling", "link", "empty", "binary"}
    assert entries["link"].key == "<a@x>"
    results = dict(box.read(list(entries.values())))
    assert isinstance(results[entries["dangling"]], BadItem)
    again, vanished, _ = scan(box, *entries.values())
    assert (again, vanished) == ({}, set())


def test_an_unreadable_file_is_not_taken_for_deleted_and_is_seen_when_it_heals(root: Path, box: Maildir) -> None:
    path = root / "cur" / "a:2,S"
    path.symlink_to(root.parent / "later")
    entries, _, cursor = scan(box)
    assert entries["a"].key == ""
    (root.parent / "later").write_bytes(MAIL)
    healed, vanished, _ = scan(box, *entries.values(), cursor=cursor)
    assert (healed["a"].key, healed["a"].revision, vanished) == ("<a@x>", "", set())


def test_a_folder_that_is_gone_is_an_error_and_not_a_deletion_of_all(root: Path, box: Maildir) -> None:
    made = create(box, new())
    root.rename(root.parent / "elsewhere")
    with pytest.raises(DiskError):
        scan(box, *made)


# ---- two files of one name


def test_two_files_of_one_base_name_are_two_messages(root: Path, box: Maildir) -> None:
    (entry,) = create(box, new(b"first"))
    (root / "new" / entry.id).write_bytes(b"second")
    entries, vanished, _ = scan(box, entry)
    (twin,) = entries.values()
    assert vanished == set()
    assert twin.id == f"{entry.id}/{twin.hints.place}"
    for wanted, data in ((entry, b"first"), (twin, b"second")):
        assert read(store(root), wanted) == data
    assert scan(store(root), entry, twin)[:2] == ({}, set())


@pytest.mark.parametrize("gone", [0, 1])
def test_when_one_of_two_goes_the_other_keeps_its_id(root: Path, box: Maildir, gone: int) -> None:
    (entry,) = create(box, new(b"first"))
    other = root / "new" / entry.id
    other.write_bytes(b"second")
    (twin,) = scan(box, entry)[0].values()
    [root / "cur" / f"{entry.id}:2,S", other][gone].unlink()
    entries, vanished, _ = scan(box, entry, twin)
    assert (entries, vanished) == ({}, {[entry, twin][gone].id})


def test_marking_never_puts_one_twin_over_the_other(root: Path, box: Maildir) -> None:
    (entry,) = create(box, new(b"first", NONE))
    (root / "cur" / f"{entry.id}:2,S").write_bytes(b"second")
    (_, result) = next(iter(box.mark([(entry, SEEN)])))
    assert isinstance(result, BadItem)
    assert {(root / name).read_bytes() for name in names(root)} == {b"first", b"second"}


# ---- reading


def read(box: Maildir, entry: Entry) -> bytes | Stale | BadItem:
    for _, content in box.read([entry]):
        return b"".join(content.pieces()) if isinstance(content, Content) else content
    raise AssertionError


def test_what_was_written_is_read(box: Maildir) -> None:
    data = os.urandom(3_000_000)
    (entry,) = create(box, new(data, modified=1.6e9))
    for _, content in box.read([entry]):
        assert isinstance(content, Content)
        assert content.modified == 1.6e9
        pieces = list(content.pieces())
        assert b"".join(pieces) == data
        assert max(map(len, pieces)) <= 1 << 20


def test_a_renamed_message_is_found_and_a_removed_one_is_stale(root: Path, box: Maildir) -> None:
    moved, gone = create(box, new(b"moved"), new())
    scan(box)
    (root / "cur" / f"{moved.id}:2,S").rename(root / "new" / moved.id)
    (root / "cur" / f"{gone.id}:2,S").unlink()
    assert read(box, moved) == b"moved"
    assert isinstance(read(box, gone), Stale)


def test_a_message_may_be_renamed_while_it_is_read(root: Path, box: Maildir) -> None:
    (entry,) = create(box, new(b"whole"))
    for _, content in box.read([entry]):
        (root / "cur" / f"{entry.id}:2,S").rename(root / "cur" / f"{entry.id}:2,FS")
        assert isinstance(content, Content)
        assert b"".join(content.pieces()) == b"whole"


def test_a_message_edited_while_it_is_read_is_stale(root: Path, box: Maildir) -> None:
    (entry,) = create(box, new(b"x" * (2 << 20)))
    for _, content in box.read([entry]):
        assert isinstance(content, Content)
        pieces = content.pieces()
        next(pieces)
        with (root / "cur" / f"{entry.id}:2,S").open("ab") as file:
            file.write(b"more")
        with pytest.raises(Stale):
            list(pieces)


# ---- drafts, which are edited in place


def edit(root: Path, entry: Entry, data: bytes) -> Path:
    path = next(path for path in (root / "cur").iterdir() if path.name.startswith(entry.id))
    path.write_bytes(data)
    return path


def test_an_edited_draft_is_seen_although_no_directory_changed(root: Path, box: Maildir) -> None:
    (draft,) = create(box, new(flags=DRAFT))
    for part in ("new", "cur"):
        os.utime(root / part, (1, 1))
    cursor = scan(box, draft)[2]
    edit(root, draft, b"Message-ID: <b@x>\n\nnew text")
    entries, vanished, _ = scan(box, draft, cursor=cursor)
    assert entries[draft.id].key == "<b@x>"
    assert entries[draft.id].revision != draft.revision
    assert vanished == set()


def test_flags_are_no_edit_of_a_draft(root: Path, box: Maildir) -> None:
    (draft,) = create(box, new(flags=DRAFT))
    path = next((root / "cur").iterdir())
    path.rename(path.with_name(f"{draft.id}:2,DFS"))
    entries, _, _ = scan(box, draft)
    assert entries[draft.id].revision == draft.revision


def test_writes_that_expect_another_revision_write_nothing(root: Path, box: Maildir) -> None:
    (draft,) = create(box, new(flags=DRAFT))
    path = edit(root, draft, b"edited since")
    other = store(root.parent / "other", 2)
    calls = (box.update([(draft, new()[1].content)]), box.mark([(draft, SEEN)]), box.delete([draft]), box.move([draft], other))
    for ((_, result),) in map(list, calls):
        assert isinstance(result, Stale)
    assert isinstance(read(box, draft), Stale)
    assert names(root) == [f"cur/{path.name}"]
    assert path.read_bytes() == b"edited since"


def test_an_update_keeps_name_and_flags(root: Path, box: Maildir) -> None:
    (draft,) = create(box, new(flags=DRAFT))
    ((_, result),) = box.update([(draft, Content(lambda: iter([b"second"]), 1.5e9))])
    assert isinstance(result, Entry)
    path = root / "cur" / f"{draft.id}:2,D"
    assert names(root) == [f"cur/{path.name}"]
    assert (path.read_bytes(), path.stat().st_mtime) == (b"second", 1.5e9)
    assert result.revision != draft.revision
    assert scan(box, result)[:2] == ({}, set())


def test_an_edit_while_the_update_is_written_wins(root: Path, box: Maildir) -> None:
    (draft,) = create(box, new(flags=DRAFT))

    def slow() -> Iterator[bytes]:
        edit(root, draft, b"typed meanwhile")
        yield b"from the server"

    ((_, result),) = box.update([(draft, Content(slow))])
    assert isinstance(result, Stale)
    assert [(root / name).read_bytes() for name in names(root)] == [b"typed meanwhile"]


# ---- flags


def mark(box: Maildir, entry: Entry, flags: Flags) -> Entry | Stale | BadItem:
    ((_, result),) = box.mark([(entry, flags)])
    return result


def test_marks_leave_the_letters_of_others(root: Path, box: Maildir) -> None:
    (root / "cur" / "a:2,FTab").write_bytes(MAIL)
    (entry,) = scan(box)[0].values()
    result = mark(box, entry, frozenset({Flag.SEEN, Flag.ANSWERED}))
    assert isinstance(result, Entry)
    assert names(root) == ["cur/a:2,RSTab"]
    assert result.flags == {Flag.ANSWERED, Flag.SEEN, Flag.TRASHED}
    assert scan(box, result)[:2] == ({}, set())


def test_a_seen_message_leaves_new_and_never_returns(root: Path, box: Maildir) -> None:
    (entry,) = create(box, new(flags=NONE))
    seen = mark(box, entry, SEEN)
    assert names(root) == [f"cur/{entry.id}:2,S"]
    assert isinstance(seen, Entry)
    unseen = mark(box, seen, NONE)
    assert names(root) == [f"cur/{entry.id}:2,"]
    assert isinstance(unseen, Entry)
    assert unseen.flags == NONE


def test_the_separator_of_others_is_kept(root: Path, box: Maildir) -> None:
    (root / "cur" / "a;2,F").write_bytes(MAIL)
    (entry,) = scan(box)[0].values()
    mark(box, entry, SEEN)
    assert names(root) == ["cur/a;2,S"]


def test_flags_that_a_reader_set_since_are_not_overwritten(root: Path, box: Maildir) -> None:
    (entry,) = create(box, new(flags=NONE))
    (root / "new" / entry.id).rename(root / "cur" / f"{entry.id}:2,R")
    assert isinstance(mark(box, entry, SEEN), Stale)
    assert names(root) == [f"cur/{entry.id}:2,R"]


def test_marks_and_a_busy_reader_lose_neither_messages_nor_flags(root: Path, box: Maildir) -> None:
    """The reader answers each message once, we mark each as seen until it is: at the end all are both."""
    made = create(box, *(new(flags=NONE) for _ in range(200)))
    done = threading.Event()

    def reader() -> None:
        left = {entry.id for entry in made}
        while left:
            for part, name in [(sub, name) for sub in ("new", "cur") for name in os.listdir(root / sub)]:
                base, _, letters = name.partition(":2,")
                if base in left:
                    try:
                        os.rename(root / part / name, root / "cur" / f"{base}:2,R{letters}")
                    except FileNotFoundError:
                        continue
                    left.discard(base)
        done.set()

    thread = threading.Thread(target=reader)
    thread.start()
    known = {entry.id: entry for entry in made}
    while not done.is_set() or any(Flag.SEEN not in entry.flags for entry in known.values()):
        known |= scan(box, *known.values())[0]
        for entry, result in box.mark([(entry, entry.flags | SEEN) for entry in known.values() if Flag.SEEN not in entry.flags]):
            known[entry.id] = result if isinstance(result, Entry) else entry
    thread.join()
    assert names(root) == sorted(f"cur/{entry.id}:2,RS" for entry in made)


def test_marking_what_is_gone_is_stale(root: Path, box: Maildir) -> None:
    (entry,) = create(box, new())
    (root / "cur" / f"{entry.id}:2,S").unlink()
    assert isinstance(mark(box, entry, NONE), Stale)


# ---- moves and deletions


def test_a_move_keeps_name_flags_and_inode(root: Path, box: Maildir) -> None:
    other = store(root.parent / "other", 2)
    old, fresh = create(box, new(), new(flags=NONE))
    moved = {source.id: result for source, result in box.move([old, fresh], other)}
    assert moved == {old.id: replace(old, collection=2), fresh.id: replace(fresh, collection=2)}
    assert names(root) == []
    assert names(root.parent / "other") == [f"cur/{old.id}:2,S", f"new/{fresh.id}"]
    assert scan(other, *(entry for entry in moved.values() if isinstance(entry, Entry)))[:2] == ({}, set())


def test_a_move_to_where_the_name_is_taken_gets_another(root: Path, box: Maildir) -> None:
    (root.parent / "other" / "new").mkdir(parents=True)
    other = store(root.parent / "other", 2)
    (entry,) = create(box, new(b"ours"))
    create(other, new())
    taken = root.parent / "other" / "new" / entry.id
    taken.write_bytes(b"theirs")
    ((_, moved),) = box.move([entry], store(root.parent / "other", 2))
    assert isinstance(moved, Entry)
    assert moved.id != entry.id
    assert taken.read_bytes() == b"theirs"
    assert read(other, moved) == b"ours"


def test_what_a_reader_did_during_a_move_is_news(root: Path, box: Maildir) -> None:
    other = store(root.parent / "other", 2)
    (entry,) = create(box, new())
    (root / "cur" / f"{entry.id}:2,S").rename(root / "cur" / f"{entry.id}:2,FS")
    ((_, moved),) = box.move([entry], other)
    assert isinstance(moved, Entry)
    assert moved.flags == SEEN
    assert scan(other, moved)[0][moved.id].flags == {Flag.FLAGGED, Flag.SEEN}


def test_a_deleted_message_is_in_the_trash(root: Path, box: Maildir) -> None:
    (entry,) = create(box, new())
    assert list(box.delete([entry])) == [(entry, entry)]
    assert names(root) == []
    (kept,) = trash.entries(str(root.parent / "trash"))
    assert (kept.run, kept.folder, kept.name, kept.subject) == ("run", "box", f"{entry.id}:2,S", "Hello")


def test_what_is_already_gone_counts_as_deleted(root: Path, box: Maildir) -> None:
    (entry,) = create(box, new())
    (root / "cur" / f"{entry.id}:2,S").unlink()
    assert list(box.delete([entry])) == [(entry, entry)]


def test_a_trash_that_cannot_be_written_stops_the_deletion(root: Path, box: Maildir) -> None:
    (entry,) = create(box, new())
    (root.parent / "trash").write_text("in the way")
    with pytest.raises(DiskError):
        list(box.delete([entry]))
    assert names(root) == [f"cur/{entry.id}:2,S"]


# ---- header fields


@pytest.mark.parametrize(("value", "key"), [
    ("<a@x>", "<a@x>"), ("  <a@x>  ", "<a@x>"), ("a@x", "<a@x>"), ("<a@x> (from (nested) us)", "<a@x>"), ("(c) <a@x>", "<a@x>"),
    ("(<no@x>) <a@x>", "<a@x>"), ("<a(b)@x>", "<a(b)@x>"), ("<a\t@ x>", "<a@x>"), ("", ""), ("<>", ""), ("<a@x", "<a@x>"),
    ("<a@x><b@x>", "<a@x>"), ("(" * 100_000, "<" + "(" * 2000 + ">"),
])  # fmt: skip
def test_message_ids(value: str, key: str) -> None:
    assert message_id(value) == key


def test_a_head_is_read_as_a_parser_would() -> None:
    head = parse_head(
        b"Received: x\r\n Message-ID: <not@this>\r\nMESSAGE-ID:\r\n\t<folded@x>\r\nMessage-ID: <second@x>\r\n"
        b"Subject: =?utf-8?B?w7xi?= =?utf-8?Q?er_?=\r\n =?iso-8859-1?Q?=E9?=\r\nFrom: =?x-unknown?Q?A?= <a@x>\r\n"
        b"Date: Tue, 14 Nov 2023 23:13:20 +0100\r\n"
    )
    assert (head.message_id, head.sent, head.subject, head.sender) == ("<folded@x>", 1700000000, "über é", "A <a@x>")


@pytest.mark.parametrize(
    "date", [b"", b"nonsense", b"Mon, 99 Foo 99999999 99:99:99 +9999", b"1 Jan 1860 00:00:00 +0000", b"\xff"]
)
def test_absurd_dates_are_unknown(date: bytes) -> None:
    assert parse_head(b"Date: " + date).sent == 0


def test_a_subject_is_safe_for_a_terminal() -> None:
    subject = parse_head(b"Subject: \x1b[31mred\x07 =?utf-8?Q?=E2=80=AEevil=0Aline?= " + b"x" * 200).subject
    assert subject.isprintable()
    assert len(subject) == 80


def test_a_draft_found_by_its_token_says_whether_it_is_as_it_was_made(root: Path, box: Maildir) -> None:
    """What an interrupted run made counts as edited only if someone edited it since."""
    [made] = create(box, new(flags=frozenset({Flag.DRAFT})))
    found = box.find(made.hints.token)
    assert made.revision
    assert found and found.revision == ""
    [file] = (root / "cur").iterdir()
    file.write_bytes(b"Subject: x\n\nedited\n")
    found = box.find(made.hints.token)
    assert found and found.revision
