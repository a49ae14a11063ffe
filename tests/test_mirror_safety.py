"""What a pull must not do: touch local edits, take a missing disk for deletions, delete much at once, write in a dry run."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from ews_bridge.sandbox.store import Folder
from ews_bridge.sandbox.store import Item
from tests.inside import Inside
from tests.mirror import Ran
from tests.mirror import disk_view
from tests.mirror import message
from tests.mirror import server_view
from tests.sandbox_server import Running
from tests.sandbox_server import running
from tests.test_corpus import snapshot

FOLDERS = ("INBOX", "Projects")
CONFIG = 'folders = ["INBOX", "Projects"]'


@pytest.fixture
def server() -> Iterator[Running]:
    with running(mime="keep") as sandbox:
        sandbox.alice.create_folder(sandbox.alice.folder("msgfolderroot"), "Projects")
        yield sandbox


@pytest.fixture
def user(server: Running, tmp_path: Path) -> Inside:
    found = Inside(tmp_path, server.url)
    found.configure(more=CONFIG)
    return found


@pytest.fixture
def inbox(server: Running) -> Folder:
    return server.alice.folder("inbox")


@pytest.fixture
def projects(server: Running) -> Folder:
    return next(each for each in server.alice.folder("msgfolderroot").children if each.name == "Projects")


def fill(server: Running, folder: Folder, count: int, *, start: int = 0) -> list[Item]:
    return [server.alice.add_mime(folder, message(start + number), read=True) for number in range(count)]


def agree(user: Inside, server: Running) -> None:
    held = server_view(server.alice)
    assert disk_view(user.mail) == {folder: held[folder] for folder in FOLDERS}


def files(user: Inside, folder: str = "INBOX") -> list[Path]:
    return sorted(file for part in ("cur", "new") for file in (user.mail / folder / part).iterdir())


def count(user: Inside, folder: str = "INBOX") -> int:
    return len(files(user, folder))


def untouched(server: Running) -> dict[str, object]:
    """All that the server could tell of a write."""
    return {
        "requests": {
            name: n for name, n in server.stats()["requests"].items() if name[:4] not in ("Sync", "GetI", "Find", "GetF")
        },
        "items": {item.key: (item.change, item.read) for item in server.alice.items.values()},
        "folders": {folder.key: (folder.name, folder.change) for folder in server.alice.folders.values()},
    }


# ---- dry run


def test_a_dry_run_changes_nothing_and_prints_the_plan(user: Inside, server: Running, inbox: Folder, projects: Folder) -> None:
    items = fill(server, inbox, 5)
    user.syncs()
    fill(server, inbox, 2, start=10)
    server.alice.move(items[0], projects)
    server.alice.remove(items[1])
    items[2].props[0x1090] = ("Integer", 2)
    server.alice.touch(items[2], was_read=True, read_only=False)
    server.alice.rename_folder(projects, "Renamed")
    user.configure(more='folders = ["INBOX", "Projects", "Renamed"]')
    mail, state = snapshot(user.mail), {f.name: f.read_bytes() for f in user.state.iterdir() if f.is_file() and f.name != "lock"}
    ran = user.run("sync", "--dry-run")
    assert ran.code == 0, ran
    assert snapshot(user.mail) == mail
    assert {f.name: f.read_bytes() for f in user.state.iterdir() if f.is_file() and f.name != "lock"} == state
    *steps, last = ran.out.splitlines()
    assert sorted(step.removeprefix("work: ") for step in steps) == [
        "delete local number 1",
        "download number 10",
        "download number 11",
        "mark local number 2: FS",
        "move local Projects to Renamed",
        "move local number 0",
    ]
    assert "would be:" in last
    # What was printed is what is then done.
    user.syncs()
    assert user.syncs("--dry-run") == "work: nothing new\n"


def test_json_says_what_a_run_did(user: Inside, server: Running, inbox: Folder) -> None:
    fill(server, inbox, 3)
    account = json.loads(user.run("sync", "--json").out)["accounts"][0]
    assert account["done"]["download"] == 3
    assert (account["pending"], account["failures"], account["refused"], account["conflicts"]) == (0, [], [], [])
    wrong = Inside(user.home / "other", server.url)
    wrong.configure(password="no")
    ran = wrong.run("sync", "--json")
    assert ran.code == 77
    assert json.loads(ran.out)["accounts"][0]["exit_code"] == 77


# ---- local edits


def test_local_edits_stay_and_are_told_as_pending(user: Inside, server: Running, inbox: Folder) -> None:
    fill(server, inbox, 8)
    user.syncs()
    before = untouched(server)
    deleted, flagged, moved, unread, *_ = files(user)
    deleted.unlink()
    flagged = flagged.rename(flagged.with_name(flagged.name.replace(":2,S", ":2,FS")))
    moved = moved.rename(user.mail / "Projects/cur" / moved.name)
    unread = unread.rename(unread.with_name(unread.name.replace(":2,S", ":2,")))
    own = user.mail / "INBOX/new/1700000000.own.host"
    own.write_bytes(b"Message-ID: <own@example.test>\n\nmine\n")
    ours = {path: path.stat().st_ino for path in (flagged, moved, unread, own)}
    for _ in range(2):
        assert user.syncs("--pull-only") == "work: 5 pending\n"
        assert not deleted.exists()
        assert {path: path.stat().st_ino for path in ours} == ours
    assert untouched(server) == before
    # New things still come down beside them.
    fill(server, inbox, 1, start=20)
    assert user.syncs("--pull-only").startswith("work: 1 downloaded")
    assert {path: path.stat().st_ino for path in ours} == ours
    assert untouched(server)["requests"] == before["requests"]


def test_flags_of_both_sides_meet_on_disk(user: Inside, server: Running, inbox: Folder) -> None:
    (item,) = fill(server, inbox, 1)
    user.syncs()
    (file,) = files(user)
    file.rename(file.with_name(file.name.replace(":2,S", ":2,RS")))
    item.props[0x1090] = ("Integer", 2)
    server.alice.touch(item, was_read=True, read_only=False)
    user.syncs()
    (file,) = files(user)
    assert file.name.endswith(":2,FRS")


def test_a_readers_own_files_and_letters_survive(user: Inside, server: Running, inbox: Folder) -> None:
    (item,) = fill(server, inbox, 1)
    user.syncs()
    (file,) = files(user)
    file = file.rename(file.with_name(file.name + "ab"))  # Dovecot's keywords
    foreign = [user.mail / "INBOX/dovecot-uidlist", user.mail / "INBOX/cur/.nfs0001", user.mail / ".mutt"]
    for path in foreign:
        path.write_text("x")
    item.props[0x1090] = ("Integer", 2)
    server.alice.touch(item, was_read=True, read_only=False)
    user.syncs()
    assert [each.name[-5:] for each in files(user) if each.name[0] != "."] == [",FSab"]
    assert all(path.read_text() == "x" for path in foreign)


# ---- guards


def refused(ran: Ran, losing: int, total: int) -> None:
    assert ran.code == 1, ran
    assert f"{losing} of {total} items are gone on the server" in ran.err
    assert "--allow-deletes" in ran.err


def test_many_deletions_are_refused_with_numbers(user: Inside, server: Running, inbox: Folder, projects: Folder) -> None:
    items = fill(server, inbox, 60)
    fill(server, projects, 3, start=100)
    user.syncs()
    for item in items[:21]:
        server.alice.remove(item)
    fill(server, inbox, 1, start=200)
    for total in (60, 61):  # refused again until it is allowed
        refused(user.run("sync"), 21, total)
        assert count(user) == 61, "new mail comes down all the same"
    assert "21 of 61" in user.run("status").out
    ran = user.run("sync", "--allow-deletes", "INBOX")
    assert ran.code == 0, ran
    agree(user, server)
    kept = user.run("restore", "--list", "--json").json["accounts"][0]["items"]  # type: ignore[index]
    assert len(kept) == 21


@pytest.mark.parametrize(("total", "losing"), [(60, 20), (100, 25), (4, 4)])
def test_ordinary_deletions_are_not_refused(total: int, losing: int, user: Inside, server: Running, inbox: Folder) -> None:
    items = fill(server, inbox, total)
    user.syncs()
    for item in items[:losing]:
        server.alice.remove(item)
    assert user.syncs() == f"work: {losing} deleted (trash)\n"
    agree(user, server)


def test_a_folder_that_is_suddenly_empty_is_refused(user: Inside, server: Running, inbox: Folder) -> None:
    items = fill(server, inbox, 5)
    user.syncs()
    for item in items:
        server.alice.remove(item)
    refused(user.run("sync"), 5, 5)
    assert count(user) == 5
    assert user.run("sync", "--allow-deletes").code == 0
    assert count(user) == 0


def test_the_share_is_the_users_to_set(user: Inside, server: Running, inbox: Folder) -> None:
    user.configure(more=f'{CONFIG}\nguard = "90%"')
    items = fill(server, inbox, 40)
    user.syncs()
    for item in items[:30]:
        server.alice.remove(item)
    user.syncs()
    assert count(user) == 10


def test_what_moved_is_not_a_deletion(user: Inside, server: Running, inbox: Folder, projects: Folder) -> None:
    items = fill(server, inbox, 40)
    user.syncs()
    for item in items:
        server.alice.move(item, projects)
    assert user.syncs() == "work: 40 moved\n"
    agree(user, server)


@pytest.mark.parametrize("role", ["deleteditems", "junkemail"])
def test_emptying_the_bin_is_ordinary(role: str, user: Inside, server: Running) -> None:
    folder = server.alice.folder(role)
    user.configure(more=f'folders = ["{folder.name}*"]')
    below = server.alice.create_folder(folder, "below")
    items = fill(server, folder, 30) + fill(server, below, 10, start=50)
    user.syncs()
    for item in items:
        server.alice.remove(item)
    server.alice.remove_folder(below)
    ran = user.run("sync")
    assert ran.code == 0, ran
    assert disk_view(user.mail) == {folder.name: {}}


def test_a_deleted_folder_with_much_in_it_is_refused_and_can_be_allowed(user: Inside, server: Running, projects: Folder) -> None:
    fill(server, projects, 30)
    user.syncs()
    server.alice.remove_folder(projects)
    refused(user.run("sync"), 30, 30)
    assert count(user, "Projects") == 30
    assert user.run("sync", "--allow-deletes", "Projects").code == 0
    assert disk_view(user.mail).keys() == {"INBOX"}
    assert user.syncs() == "work: nothing new\n"


def test_a_folder_that_could_not_be_listed_holds_back_deletions(
    user: Inside, server: Running, inbox: Folder, projects: Folder
) -> None:
    """What is missing may have moved there."""
    items = fill(server, inbox, 3)
    fill(server, projects, 1, start=10)
    user.syncs()
    server.alice.remove(items[0])
    server.alice.add_mime(projects, message(20))
    server.faults({"operation": "SyncFolderItems", "nth": 2, "times": 50, "fault": "error:ErrorItemCorrupt"})
    ran = user.run("sync")
    assert ran.code in (1, 69), ran
    assert count(user) == 3, "deleted without having seen everything"
    server.faults()
    user.syncs()
    agree(user, server)


# ---- is it the tree that we know?


def test_a_maildir_that_vanished_is_not_taken_for_deletions(user: Inside, server: Running, inbox: Folder) -> None:
    fill(server, inbox, 10)
    user.syncs()
    before = untouched(server)
    shutil.rmtree(user.mail)
    for arguments in ((), ("--dry-run",), ("--allow-deletes",)):
        ran = user.run("sync", *arguments)
        assert ran.code == 1
        assert str(user.mail) in ran.err and "--refill" in ran.err
        assert not user.mail.exists()
    assert untouched(server) == before
    assert user.run("sync", "--refill").code == 0
    agree(user, server)
    assert user.syncs() == "work: nothing new\n"
    assert untouched(server)["items"] == before["items"]


def test_an_empty_file_system_in_its_place_is_refused(user: Inside, server: Running, inbox: Folder) -> None:
    fill(server, inbox, 10)
    user.syncs()
    moved = user.mail.rename(user.home / "elsewhere")
    user.mail.mkdir()
    assert user.run("sync").code == 1
    assert list(user.mail.iterdir()) == []
    user.mail.rmdir()
    moved.rename(user.mail)
    assert user.syncs() == "work: nothing new\n"


def test_a_foreign_tree_is_refused(user: Inside, server: Running, inbox: Folder) -> None:
    fill(server, inbox, 2)
    user.syncs()
    other = Inside(user.home / "other", server.url)
    other.configure(more=CONFIG)
    other.syncs()
    shutil.copy(other.mail / ".ews-bridge", user.mail / ".ews-bridge")
    for arguments in ((), ("--refill",), ("--allow-deletes",)):
        ran = user.run("sync", *arguments)
        assert (ran.code, "another account" in ran.err) == (1, True)
    (user.mail / ".ews-bridge").unlink()
    user.syncs("--refill")
    assert user.syncs() == "work: nothing new\n"


def test_a_restored_backup_is_refused_and_refilled(user: Inside, server: Running, inbox: Folder) -> None:
    fill(server, inbox, 10)
    user.syncs()
    shutil.copytree(user.mail, user.home / "backup")
    fill(server, inbox, 10, start=50)
    user.syncs()
    shutil.rmtree(user.mail)
    (user.home / "backup").rename(user.mail)
    ran = user.run("sync")
    assert (ran.code, "older than the last sync" in ran.err) == (1, True)
    before = untouched(server)
    assert user.run("sync", "--refill").code == 0
    agree(user, server)
    assert untouched(server)["items"] == before["items"]
    assert user.syncs() == "work: nothing new\n"


def test_refill_brings_back_single_messages_and_whole_folders(
    user: Inside, server: Running, inbox: Folder, projects: Folder
) -> None:
    fill(server, inbox, 10)
    fill(server, projects, 10, start=20)
    user.syncs()
    for file in files(user)[:4]:
        file.unlink()
    shutil.rmtree(user.mail / "Projects")
    assert user.syncs("--pull-only") == "work: 14 pending\n"
    assert user.run("sync", "--refill").code == 0
    agree(user, server)
    assert user.syncs() == "work: nothing new\n"


@pytest.mark.parametrize(
    ("old", "new", "word"),
    [('"~/Mail"', '"~/Post"', "path"), ("folders", 'layout = "flat"\nfolders', "layout"), ("alice@", "bob@", "mailbox")],
)
def test_a_changed_account_is_refused_with_words(
    old: str, new: str, word: str, user: Inside, server: Running, inbox: Folder
) -> None:
    fill(server, inbox, 1)
    user.syncs()
    config = user.home / ".config/ews-bridge/config.toml"
    config.write_text(config.read_text().replace(old, new))
    ran = user.run("sync")
    assert ran.code == 1
    assert word in ran.err and str(user.state) in ran.err
    assert count(user) == 1
    assert not (user.home / "Post").exists()


def test_a_damaged_marker_is_told(user: Inside, server: Running, inbox: Folder) -> None:
    fill(server, inbox, 1)
    user.syncs()
    (user.mail / ".ews-bridge").write_text("?")
    ran = user.run("sync")
    assert ran.code == 74
    assert "damaged" in ran.err


def test_a_maildir_full_of_other_mail_is_adopted_and_not_overwritten(user: Inside, server: Running, inbox: Folder) -> None:
    """Someone who comes from another tool: what is the same is linked, what is not stays."""
    fill(server, inbox, 10)
    for part in ("cur", "new", "tmp"):
        (user.mail / "INBOX" / part).mkdir(parents=True)
    for number in (3, 4, 50):
        (user.mail / f"INBOX/cur/{number}.old.host:2,S").write_bytes(message(number).replace(b"\r\n", b"\n"))
    user.run("sync")
    assert count(user) == 11
    # One batch that came down, and one look at the dates of what went up.
    assert server.stats()["requests"]["GetItem"] == 2
    assert {f"{number}.old.host:2,S" for number in (3, 4, 50)} <= {file.name for file in files(user)}
    assert server.stats()["requests"]["CreateItem"] == 1
    assert len(inbox.items) == 11
    assert user.syncs() == "work: nothing new\n"
