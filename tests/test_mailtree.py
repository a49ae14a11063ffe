"""What the tree of folders, its marker and the trash promise, on real directories."""

import os
import subprocess
import time
from pathlib import Path

import pytest

from ews_bridge import trash
from ews_bridge.errors import BadItem
from ews_bridge.errors import DiskError
from ews_bridge.errors import Stale
from ews_bridge.mailtree import MailTree
from ews_bridge.marker import Marker
from ews_bridge.marker import read_marker
from ews_bridge.marker import write_marker
from ews_bridge.model import Entry
from ews_bridge.names import Layout
from ews_bridge.trash import Trash

LAYOUTS: list[Layout] = ["verbatim", "maildir++", "flat"]
MAIL = b"Message-ID: <a@x>\nFrom: Ann <ann@x>\nDate: Tue, 14 Nov 2023 22:13:20 +0000\nSubject: Hello\n\nbody\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "mail").mkdir()
    return tmp_path / "mail"


def tree(root: Path, layout: Layout = "verbatim") -> MailTree:
    return MailTree(str(root), layout=layout, trash=Trash(str(root.parent / "trash"), "run"), host="host")


def scan(tree: MailTree, *known: Entry) -> tuple[dict[str, str], set[str]]:
    (page,) = tree.scan("", lambda: {entry.id: entry for entry in known})
    assert page.last
    assert not page.first
    return {entry.id: entry.key for entry in page.entries}, set(page.vanished)


def folders(root: Path) -> set[str]:
    return {str(path.parent.relative_to(root)) for path in root.rglob("cur")}


def deliver(root: Path, folder: str, name: str = "a:2,S") -> Path:
    path = root / folder / "cur" / name
    path.write_bytes(MAIL)
    return path


# ---- listing


@pytest.mark.parametrize("layout", LAYOUTS)
def test_what_is_created_is_listed_and_then_no_news(root: Path, layout: Layout) -> None:
    paths = ["INBOX", "INBOX/x", "A", "A/b.c", "A/b.c/D", "%49NBOX", "ü" * 200, "%2E.", "x%2F%00"]
    made = [tree(root, layout).create(path) for path in paths]
    assert [entry.key for entry in made] == paths
    short = {entry.id: entry.key for entry in made if len(entry.key) < 200}
    assert scan(tree(root, layout))[0] == short  # a cut name means nothing without the state
    assert scan(tree(root, layout), *made) == ({}, set())
    assert {path.stat().st_mode & 0o777 for path in root.rglob("*") if path.is_dir()} == {0o700}
    for entry in made:
        assert Path(tree(root, layout).open(entry, 1).directory, "cur").is_dir()


def test_creating_again_changes_nothing(root: Path) -> None:
    first = tree(root).create("A")
    deliver(root, "A")
    assert tree(root).create("A") == first
    assert (root / "A/cur/a:2,S").exists()


@pytest.mark.parametrize(("layout", "inbox"), [("verbatim", "INBOX"), ("maildir++", "."), ("flat", "INBOX")])
def test_the_inbox_has_its_place(root: Path, layout: Layout, inbox: str) -> None:
    assert tree(root, layout).create("INBOX").id == inbox
    assert folders(root) == {inbox}


def test_only_directories_with_cur_are_folders(root: Path) -> None:
    for directory in ("A/B/cur", ".hidden/cur", "A/new", "C/cur/cur", "C/tmp/cur", ".notmuch"):
        (root / directory).mkdir(parents=True)
    (root / "file").touch()
    assert scan(tree(root))[0] == {"A/B": "A/B", "C": "C"}
    assert sorted(os.listdir(root / "A/B")) == ["cur"]  # a scan writes nothing


def test_links_out_of_the_root_are_not_followed_but_the_root_may_be_one(root: Path) -> None:
    (root.parent / "elsewhere/cur").mkdir(parents=True)
    (root / "link").symlink_to(root.parent / "elsewhere")
    (root / "loop").symlink_to(root)
    (root.parent / "alias").symlink_to(root)
    tree(root).create("A")
    assert scan(tree(root.parent / "alias"))[0] == {"A": "A"}


def test_a_folder_that_became_a_link_is_not_gone(root: Path) -> None:
    entry = tree(root).create("A")
    (root / "A").rename(root.parent / "A")
    (root / "A").symlink_to(root.parent / "A")
    assert scan(tree(root), entry) == ({}, set())


def test_a_renamed_folder_is_gone_and_new_with_the_same_place(root: Path) -> None:
    entry = tree(root).create("A")
    (root / "A").rename(root / "B")
    (page,) = tree(root).scan("", lambda: {entry.id: entry})
    assert page.vanished == ("A",)
    assert [(new.id, new.key, new.hints.place) for new in page.entries] == [("B", "B", entry.hints.place)]


def test_two_directories_of_one_name_are_two_folders(root: Path) -> None:
    for name in ("x ", "x%20"):
        (root / name / "cur").mkdir(parents=True)
    assert scan(tree(root))[0] == {"x%20": "x%20", "x ": "x%20~2"}


def test_a_root_that_is_gone_is_an_error_only_when_something_was_in_it(root: Path) -> None:
    entry = tree(root).create("A")
    assert scan(tree(root.parent / "nowhere")) == ({}, set())
    with pytest.raises(DiskError, match="not mounted"):
        scan(tree(root.parent / "nowhere"), entry)


def test_a_directory_that_cannot_be_read_is_not_taken_for_empty(root: Path) -> None:
    entry = tree(root).create("A/B")
    (root / "A").chmod(0)
    if os.access(root / "A", os.R_OK):
        pytest.skip("this user may read everything")
    with pytest.raises(DiskError):
        scan(tree(root), entry)
    (root / "A").chmod(0o700)


def test_a_file_in_the_way_is_about_this_folder_only(root: Path) -> None:
    (root / "A").touch()
    with pytest.raises(BadItem, match="A"):
        tree(root).create("A/B")


# ---- moves


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_move_takes_the_mail_along(root: Path, layout: Layout) -> None:
    entry = tree(root, layout).create("A/B")
    deliver(root, entry.id)
    moved = tree(root, layout).move(entry, "C/D")
    assert (moved.key, moved.hints.place) == ("C/D", entry.hints.place)
    assert folders(root) == {moved.id}
    assert (root / moved.id / "cur/a:2,S").read_bytes() == MAIL
    assert not (root / "A").exists()
    assert tree(root, layout).move(entry, "C/D") == moved  # cut off after the rename: done


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_folder_moves_alone_as_those_below_may_go_elsewhere(root: Path, layout: Layout) -> None:
    parent, child = tree(root, layout).create("A"), tree(root, layout).create("A/B")
    deliver(root, parent.id)
    (root / parent.id / ".index").touch()
    moved = tree(root, layout).move(parent, "C")
    assert folders(root) == {"C".join(parent.id.split("A")), child.id}
    assert (root / moved.id / ".index").exists(), "what mail readers keep in it comes along"
    assert (root / moved.id / "cur/a:2,S").exists()
    assert tree(root, layout).move(child, "C/B").id == child.id.replace("A", "C")
    assert len(list(root.iterdir())) == (1 if layout == "verbatim" else 2)


def test_a_folder_may_move_below_itself_and_back(root: Path) -> None:
    entry = tree(root).create("A")
    deliver(root, "A")
    entry = tree(root).move(entry, "A/x")
    assert folders(root) == {"A/x"}
    entry = tree(root).move(entry, "A")
    assert folders(root) == {"A"}
    assert (root / "A/cur/a:2,S").exists()
    assert not (root / "A/x").exists()


def test_a_folder_may_take_a_place_that_is_only_the_parent_of_others(root: Path) -> None:
    tree(root).create("B/x")
    entry = tree(root).create("A")
    deliver(root, "A")
    tree(root).move(entry, "B")
    assert folders(root) == {"B", "B/x"}
    assert (root / "B/cur/a:2,S").exists()


def test_a_move_never_replaces_another_folder(root: Path) -> None:
    one = tree(root).create("A")
    tree(root).create("B")
    with pytest.raises(BadItem, match="another folder"):
        tree(root).move(one, "B")
    assert folders(root) == {"A", "B"}


def test_moving_what_is_gone_is_stale(root: Path) -> None:
    entry = tree(root).create("A")
    tree(root).delete(entry)
    with pytest.raises(Stale):
        tree(root).move(entry, "B")


# ---- deletions


@pytest.mark.parametrize("layout", LAYOUTS)
def test_an_empty_folder_is_removed_and_those_below_stay(root: Path, layout: Layout) -> None:
    parent, child = tree(root, layout).create("A"), tree(root, layout).create("A/B")
    tree(root, layout).delete(parent)
    assert folders(root) == {child.id}
    tree(root, layout).delete(parent)  # already gone is done
    tree(root, layout).delete(child)
    assert list(root.iterdir()) == []


@pytest.mark.parametrize("file", ["cur/a:2,S", "new/b", "tmp/young", "cur/.hidden"])
def test_a_folder_with_anything_in_it_is_not_removed_and_the_file_is_named(root: Path, file: str) -> None:
    entry = tree(root).create("A")
    (root / "A" / file).touch()
    with pytest.raises(BadItem, match=file):
        tree(root).delete(entry)
    assert (root / "A" / file).exists()
    assert folders(root) == {"A"}


def test_abandoned_deliveries_do_not_keep_a_folder(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = tree(root).create("A")
    (root / "A/tmp/old").touch()
    later = time.time() + 37 * 3600
    monkeypatch.setattr(time, "time", lambda: later)
    tree(root).delete(entry)
    assert list(root.iterdir()) == []


def test_mail_that_arrives_while_a_folder_is_removed_keeps_it(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = tree(root).create("A")
    real = os.rmdir

    def rmdir(path: str) -> None:
        if path.endswith("tmp"):
            deliver(root, "A")
        real(path)

    monkeypatch.setattr(os, "rmdir", rmdir)
    with pytest.raises(BadItem, match="new mail"):
        tree(root).delete(entry)
    assert sorted(os.listdir(root / "A")) == ["cur", "new", "tmp"]
    assert (root / "A/cur/a:2,S").exists()


def test_the_root_is_neither_moved_nor_deleted(root: Path) -> None:
    inbox = tree(root, "maildir++").create("INBOX")
    with pytest.raises(BadItem):
        tree(root, "maildir++").delete(inbox)
    with pytest.raises(BadItem):
        tree(root, "maildir++").move(inbox, "A")


# ---- the marker


def test_the_marker_says_what_was_written(root: Path) -> None:
    assert read_marker(str(root)) is None
    write_marker(str(root / "new"), Marker("id", 1))
    write_marker(str(root / "new"), Marker("id", 2))
    assert read_marker(str(root / "new")) == Marker("id", 2)
    assert os.listdir(root / "new") == [".ews-bridge"]


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"account": 1}', "\0", "\udcff"])
def test_a_damaged_marker_is_an_error(root: Path, text: str) -> None:
    (root / ".ews-bridge").write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(DiskError, match="damaged"):
        read_marker(str(root))


# ---- the trash


def put(root: Path, folder: str = "A/b%2Fc", name: str = "a:2,FS", run: str = "run1") -> str:
    (root / "from").mkdir(exist_ok=True)
    (root / "from" / name).write_bytes(MAIL)
    os.utime(root / "from" / name, (1, 1.5e9))
    return Trash(str(root / "trash"), run).put(str(root / "from" / name), folder, name)


def test_the_trash_is_a_tree_of_maildirs_and_keeps_name_and_time(root: Path) -> None:
    place = Path(put(root))
    assert place == root / "trash/run1/A/b%2Fc/cur/a:2,FS"
    assert place.stat().st_mtime == 1.5e9
    assert {path.name for path in place.parent.parent.iterdir()} == {"cur", "new", "tmp"}


def test_the_trash_never_overwrites(root: Path) -> None:
    assert len({put(root) for _ in range(3)}) == 3
    assert len(list(trash.entries(str(root / "trash")))) == 3


def test_the_trash_says_what_is_in_it(root: Path) -> None:
    place = put(root)
    (kept,) = trash.entries(str(root / "trash"))
    assert (kept.run, kept.folder, kept.name, kept.file) == ("run1", "A/b%2Fc", "a:2,FS", place)
    assert (kept.subject, kept.sender, kept.date, kept.size) == ("Hello", "Ann <ann@x>", 1700000000, len(MAIL))
    assert abs(kept.removed - time.time()) < 60
    assert len(kept.id) >= 8
    assert [kept] == list(trash.entries(str(root / "trash")))
    assert list(trash.entries(str(root / "never"))) == []


@pytest.mark.parametrize("folder", ["INBOX", "A", "x" * 300, "ü" * 300 + "/y", "%2E./%63ur"])
def test_the_folder_of_what_was_removed_is_remembered(root: Path, folder: str) -> None:
    put(root, folder)
    assert [kept.folder for kept in trash.entries(str(root / "trash"))] == [folder]


def test_restoring_makes_the_folder_and_drops_the_delete_request(root: Path) -> None:
    put(root, name="a:2,FST")
    (kept,) = trash.entries(str(root / "trash"))
    place = trash.restore(kept, lambda folder: str(root / "mail" / folder))
    assert place == str(root / "mail/A/b%2Fc/cur/a:2,FS")
    assert Path(place).read_bytes() == MAIL
    assert list(trash.entries(str(root / "trash"))) == []
    with pytest.raises(BadItem, match="no longer"):
        trash.restore(kept, lambda folder: str(root / "mail" / folder))


def test_restoring_never_takes_a_name_that_is_used(root: Path) -> None:
    put(root)
    (root / "mail/new").mkdir(parents=True)
    (root / "mail/new/a").write_text("another")
    (kept,) = trash.entries(str(root / "trash"))
    assert trash.restore(kept, lambda folder: str(root / "mail")) == str(root / "mail/cur/a~1:2,FS")
    assert (root / "mail/new/a").read_text() == "another"


def test_pruning_drops_only_what_is_old_enough(root: Path) -> None:
    put(root)
    put(root, run="run2")
    directory = str(root / "trash")
    assert trash.prune(directory, days=30) == 0
    assert trash.prune(directory, days=30, now=time.time() + 29 * 86400) == 0
    assert trash.prune(directory, days=30, now=time.time() + 31 * 86400) == 2
    assert os.listdir(directory) == []
    assert trash.prune(str(root / "never")) == 0


def test_pruning_leaves_what_is_young_in_its_place(root: Path) -> None:
    old, young = put(root, "A"), put(root, "A/B", run="run1")
    os.unlink(old)
    assert trash.prune(str(root / "trash"), days=30) == 0
    put(root, "C")
    assert Path(young).exists()


def test_the_trash_may_be_on_another_file_system(root: Path) -> None:
    (root / "trash").mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "tmpfs", root / "trash"], capture_output=True).returncode:
        pytest.skip("needs the right to mount")
    try:
        place = Path(put(root))
        assert place.read_bytes() == MAIL
        assert place.stat().st_mtime == 1.5e9
        assert os.listdir(root / "from") == []
        assert os.listdir(place.parent.parent / "tmp") == []
        (kept,) = trash.entries(str(root / "trash"))
        back = Path(trash.restore(kept, lambda folder: str(root / "mail")))
        assert back.read_bytes() == MAIL
        assert not place.exists()
    finally:
        subprocess.run(["umount", root / "trash"], check=True)


def test_a_full_trash_leaves_the_mail_where_it_was(root: Path) -> None:
    (root / "trash").mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=40k", "tmpfs", root / "trash"], capture_output=True).returncode:
        pytest.skip("needs the right to mount")
    try:
        big = root / "big"
        big.write_bytes(b"x" * 100_000)
        with pytest.raises(DiskError):
            Trash(str(root / "trash"), "run").put(str(big), "A", "big")
        assert big.stat().st_size == 100_000
        assert [path for path in (root / "trash").rglob("*") if path.is_file()] == []
    finally:
        subprocess.run(["umount", root / "trash"], check=True)
