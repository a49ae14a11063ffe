"""A Maildir that mbsync or offlineimap filled is adopted at the first sync: nothing comes down or goes up, no file is touched."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from ews_bridge.sandbox.store import Folder
from ews_bridge.sandbox.store import Item
from tests.inside import Inside
from tests.mirror import item_flags
from tests.mirror import message
from tests.sandbox_server import Running
from tests.sandbox_server import running

FOLDERS = ("INBOX", "Projects")
STYLES = ("mbsync", "offlineimap")
UPLOADS = ("CreateItem", "UpdateItem", "MoveItem", "CopyItem", "DeleteItem", "CreateFolder")


@pytest.fixture(params=["keep", "regenerate"])
def server(request: pytest.FixtureRequest) -> Iterator[Running]:
    with running(mime=request.param) as sandbox:
        yield sandbox


@pytest.fixture
def inbox(server: Running) -> Folder:
    return server.alice.folder("inbox")


@pytest.fixture
def projects(server: Running) -> Folder:
    return server.alice.create_folder(server.alice.folder("msgfolderroot"), "Projects")


@pytest.fixture
def user(server: Running, tmp_path: Path) -> Inside:
    found = Inside(tmp_path, server.url)
    found.configure(more=f"folders = {list(FOLDERS)}")
    return found


def filled_by(style: str, user: Inside, path: str, items: list[Item], *, trace: str = "") -> list[Path]:
    """A folder as that program leaves it: its file names, its state, its rendering (`trace` stands for a header it added)."""
    directory = user.mail / path
    for part in ("cur", "new", "tmp"):
        (directory / part).mkdir(parents=True, exist_ok=True)
    mark = f",FMD5={hashlib.md5(path.encode(), usedforsecurity=False).hexdigest()}" if style == "offlineimap" else ""
    files = []
    for uid, item in enumerate(items, 1):
        flags = item_flags(item)
        # offlineimap leaves unread mail its info, too; mbsync does not.
        info = f":2,{flags}" if flags or style == "offlineimap" else ""
        file = directory / ("cur" if flags else "new") / f"1793700000_{uid}.4711.desk,U={uid}{mark}{info}"
        file.write_bytes(trace.encode() + item.mime.replace(b"\r\n", b"\n"))
        os.utime(file, (item.received, item.received))
        files.append(file)
    if style == "mbsync":
        (directory / ".uidvalidity").write_text(f"1793700000\n{len(items)}\n")
        state = "".join(f"{uid} {uid} S\n" for uid in range(1, len(items) + 1))
        (directory / ".mbsyncstate").write_text(f"FarUidValidity 1\nNearUidValidity 1793700000\n\n{state}")
    return files


def tree(user: Inside) -> dict[str, tuple[int, int]]:
    """All files below the mail directory, with inode and time, but for the marker at its root."""
    found = ((file, file.lstat()) for file in user.mail.rglob("*") if file.is_file() and file.parent != user.mail)
    return {str(file.relative_to(user.mail)): (info.st_ino, info.st_mtime_ns) for file, info in found}


def done(server: Running) -> Counter[str]:
    """What was transferred or written since the counters were reset."""
    return Counter({name: times for name, times in server.stats()["requests"].items() if name in (*UPLOADS, "GetItem")})


@pytest.mark.parametrize("style", STYLES)
def test_what_is_there_is_adopted_without_a_transfer(
    style: str, server: Running, user: Inside, inbox: Folder, projects: Folder
) -> None:
    alice = server.alice
    ours = [alice.add_mime(inbox, message(n), read=n % 2 == 0, flagged=n % 3 == 0, answered=n % 5 == 0) for n in range(12)]
    theirs = [alice.add_mime(projects, message(n), read=True) for n in range(100, 110)]
    filled_by(style, user, "INBOX", ours, trace="X-Davmail: rendered\n")
    filled_by(style, user, "Projects", theirs)
    before = tree(user)
    server.reset()
    assert user.syncs() == "work: nothing new\n"
    assert done(server) == {}
    assert tree(user) == before, "a file of theirs was touched"
    assert user.syncs() == "work: nothing new\n"
    # From now on each follows its item.
    ours[1].read = True
    alice.touch(ours[1], was_read=False, read_only=True)
    alice.move(ours[2], projects)
    file = next((user.mail / "INBOX/cur").glob("*,U=5*"))
    file.rename(f"{str(file).removesuffix('S')}FS")
    user.syncs()
    assert ours[4].props[0x1090] == ("Integer", 2)
    assert "GetItem" not in done(server), "adopted mail was downloaded"


@pytest.mark.parametrize("style", STYLES)
def test_what_either_side_has_more_of_goes_over(style: str, server: Running, user: Inside, inbox: Folder) -> None:
    user.configure(more='folders = ["INBOX"]')
    items = [server.alice.add_mime(inbox, message(n), read=True) for n in range(6)]
    filled_by(style, user, "INBOX", items[:4])
    extra = user.mail / "INBOX/cur/1793700000_9.4711.desk,U=9:2,S"
    extra.write_bytes(message(99).replace(b"\r\n", b"\n"))
    assert user.syncs().startswith("work: 2 downloaded, 1 uploaded")
    held = sorted(item.mime.partition(b"Message-ID: <")[2].partition(b"@")[0] for item in inbox.items.values())
    assert held == [b"0", b"1", b"2", b"3", b"4", b"5", b"99"]
    assert user.syncs() == "work: nothing new\n"


def test_flags_that_differ_are_joined_where_there_is_no_base(server: Running, user: Inside, inbox: Folder) -> None:
    item = server.alice.add_mime(inbox, message(1), read=True)
    (file,) = filled_by("mbsync", user, "INBOX", [item])
    file.rename(str(file).removesuffix("S") + "F")
    user.syncs()
    (file,) = (user.mail / "INBOX/cur").iterdir()
    assert (file.name.partition(":2,")[2], item_flags(item)) == ("FS", "FS")


@pytest.mark.parametrize("style", STYLES)
def test_copies_of_one_message_id_find_their_own(style: str, server: Running, user: Inside, inbox: Folder) -> None:
    """A mailing list's copy and one's own have Message-ID, Date and From in common, and differ in subject, or only in size."""
    user.configure(more='folders = ["INBOX"]')
    texts = [
        message(1, subject="plain"),
        message(1, subject="[list] plain"),
        message(1, subject="plain", size=9000),
        message(1, subject="[other] plain"),
    ]
    items = [server.alice.add_mime(inbox, text, read=True) for text in texts]
    files = filled_by(style, user, "INBOX", items[::-1])[::-1]
    server.reset()
    assert user.syncs() == "work: nothing new\n"
    assert done(server) == {}
    for number, file in enumerate(files):
        file.rename(f"{str(file).removesuffix('S')}{'FS' if number in (1, 2) else 'S'}")
    user.syncs()
    assert [item_flags(item) for item in items] == ["S", "FS", "FS", "S"]


def test_what_stays_ambiguous_is_downloaded_beside_it(server: Running, user: Inside, inbox: Folder) -> None:
    """One Message-ID but another Date, or another author: not the same mail. Nothing is lost."""
    user.configure(more='folders = ["INBOX"]')
    items = [server.alice.add_mime(inbox, message(number), read=True) for number in (1, 2)]
    filled_by("mbsync", user, "INBOX", items)
    for uid, was, now in ((1, b"Tue, 03 Nov 2026 10:", b"Tue, 03 Nov 2026 11:"), (2, b"Bob <bob@", b"Bob via list <list@")):
        file = next((user.mail / "INBOX/cur").glob(f"*,U={uid}:2,S"))
        assert was in file.read_bytes()
        file.write_bytes(file.read_bytes().replace(was, now))
    user.syncs()
    assert len(list((user.mail / "INBOX/cur").iterdir())) == 4
    assert len(inbox.items) == 4
    assert user.syncs() == "work: nothing new\n"


@pytest.mark.parametrize("was", [b"Bob <bob.was@example.test>", b'"Bob" <bob@example.test>', b"<bob@example.test>"])
def test_an_author_who_changed_address_or_name_is_the_same(server: Running, user: Inside, inbox: Folder, was: bytes) -> None:
    (file,) = filled_by("mbsync", user, "INBOX", [server.alice.add_mime(inbox, message(1), read=True)])
    file.write_bytes(file.read_bytes().replace(b"Bob <bob@example.test>", was))
    server.reset()
    assert user.syncs() == "work: nothing new\n"
    assert done(server) == {}


def nameless(number: int, *, body: int = 0, subject: str = "") -> bytes:
    """A message without a Message-ID; `body` changes what no header tells."""
    text = message(number, subject=subject).replace(f"Message-ID: <{number}@example.test>\r\n".encode(), b"")
    return text.replace(b"This is message", b"This is text %d of message" % body) if body else text


def test_what_has_no_message_id_is_adopted_where_it_is_the_only_such(server: Running, user: Inside, inbox: Folder) -> None:
    user.configure(more='folders = ["INBOX"]')
    items = [server.alice.add_mime(inbox, nameless(number), read=True) for number in range(4)]
    items.append(server.alice.add_mime(inbox, nameless(3, subject="another"), read=True))
    filled_by("mbsync", user, "INBOX", items[::-1])
    server.reset()
    assert user.syncs() == "work: nothing new\n"
    assert done(server) == {}
    file = next((user.mail / "INBOX/cur").glob("*,U=5:*"))
    file.rename(f"{str(file).removesuffix('S')}FS")
    user.syncs()
    assert [item_flags(item) for item in items] == ["FS", "S", "S", "S", "S"]


@pytest.mark.parametrize(("here", "there"), [((1, 2), (1,)), ((1,), (1, 2)), ((1, 2), (1, 2))])
def test_of_several_without_a_message_id_none_is_taken_for_another(
    server: Running, user: Inside, inbox: Folder, here: tuple[int, ...], there: tuple[int, ...]
) -> None:
    """They go over once, in both directions, and never again."""
    user.configure(more='folders = ["INBOX"]')
    items = {body: server.alice.add_mime(inbox, nameless(1, body=body), read=True) for body in (1, 2)}
    filled_by("mbsync", user, "INBOX", [items[body] for body in here])
    for body in {1, 2} - set(there):
        server.alice.remove(items[body])
    user.syncs()
    assert len(inbox.items) == len(list((user.mail / "INBOX/cur").iterdir())) == len(here) + len(there)
    assert user.syncs() == "work: nothing new\n"


def test_authors_are_asked_for_only_where_files_wait_to_be_adopted(server: Running, user: Inside, inbox: Folder) -> None:
    asked: list[bytes] = []
    server.sandbox.witness = lambda request, _: asked.append(request) if b"SyncFolderItems" in request else None
    for number in range(3):
        server.alice.add_mime(inbox, message(number), read=True)
    user.syncs()
    user.syncs()
    assert asked and not any(b"message:From" in request for request in asked)
    (user.mail / "INBOX/cur/mine:2,S").write_bytes(message(9).replace(b"\r\n", b"\n"))
    asked.clear()
    user.syncs()
    assert any(b"message:From" in request for request in asked)


def test_folders_that_an_imap_program_named_its_own_way_are_the_servers(tmp_path: Path) -> None:
    """In modified UTF-7, and special ones by their usual names; what is new below them goes where it belongs."""
    with running(mime="keep", language="de") as server:
        alice = server.alice
        user = Inside(tmp_path, server.url)
        user.configure()
        reports = alice.create_folder(alice.folder("msgfolderroot"), "R&D/Übersicht")
        held = {
            "Sent": [alice.add_mime(alice.folder("sentitems"), message(n), read=True) for n in (1, 2)],
            "R&-D%2F&ANw-bersicht": [alice.add_mime(reports, message(3), read=True)],
            "Trash": [],
        }
        for path, items in held.items():
            filled_by("mbsync", user, path, items)
        for path in ("Sent/2025", "R&-D%2F&ANw-bersicht/2025"):
            filled_by("mbsync", user, path, [])
        (user.mail / "Sent/2025/cur/new:2,S").write_bytes(message(9).replace(b"\r\n", b"\n"))
        before = {child.name for child in alice.folder("msgfolderroot").children}
        server.reset()
        ran = user.run("sync")
        assert (ran.code, ran.err.count("gets that name")) == (0, 3), ran
        assert done(server) == {"CreateFolder": 2, "CreateItem": 1}
        assert {child.name for child in alice.folder("msgfolderroot").children} == before
        assert [child.name for child in (*alice.folder("sentitems").children, *reports.children)] == ["2025", "2025"]
        assert user.syncs() == "work: nothing new\n"
        assert not (user.mail / "Sent").exists()
        assert len(list((user.mail / "Gesendete Elemente/cur").iterdir())) == 2
        assert len(list((user.mail / "Gesendete Elemente/2025/cur").iterdir())) == 1


def test_a_folder_that_is_new_later_is_what_it_is_called(server: Running, user: Inside) -> None:
    user.configure()
    user.syncs()
    filled_by("mbsync", user, "Sent", [])
    user.syncs()
    assert "Sent" in {child.name for child in server.alice.folder("msgfolderroot").children}
