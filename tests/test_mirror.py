"""What happens to messages on the server, and what must then be on disk."""

from __future__ import annotations

import email
import email.policy
import os
import time
from collections.abc import Iterator
from datetime import UTC
from datetime import datetime
from pathlib import Path

import pytest

from ews_bridge.sandbox import seed
from ews_bridge.sandbox.store import Folder
from ews_bridge.sandbox.store import Item
from tests.inside import Inside
from tests.mirror import disk_view
from tests.mirror import message
from tests.mirror import server_view
from tests.sandbox_server import Running
from tests.sandbox_server import running

DATA = Path(__file__).parent / "data"
FOLDERS = ("INBOX", "Drafts", "Projects")
AKONADI = ("9bf757ae-69b5-4d8a-bf1d-2dd0c0871a28", "Flags")


@pytest.fixture
def server() -> Iterator[Running]:
    with running(mime="keep") as sandbox:
        with seed.earlier(sandbox.world):
            sandbox.alice.create_folder(sandbox.alice.folder("msgfolderroot"), "Projects")
        yield sandbox


@pytest.fixture
def user(server: Running, tmp_path: Path) -> Inside:
    """Three folders only: each costs a dozen calls of fsync."""
    found = Inside(tmp_path, server.url)
    found.configure(more=f"folders = {list(FOLDERS)}")
    return found


@pytest.fixture
def inbox(server: Running) -> Folder:
    return server.alice.folder("inbox")


@pytest.fixture
def projects(server: Running) -> Folder:
    return next(each for each in server.alice.folder("msgfolderroot").children if each.name == "Projects")


def agree(user: Inside, server: Running) -> None:
    """Every message of the three folders is on disk, once, with its flags, and nothing else is."""
    held = server_view(server.alice)
    assert disk_view(user.mail) == {folder: held[folder] for folder in FOLDERS}


def touch(item: Item, *, read: bool | None = None) -> None:
    """Tell the server's record that the item changed (or its read flag, and nothing else)."""
    was, item.read = item.read, item.read if read is None else read
    item.mailbox.touch(item, was_read=was, read_only=read is not None)


def files(user: Inside, folder: str = "INBOX") -> list[Path]:
    return sorted(file for part in ("cur", "new") for file in (user.mail / folder / part).iterdir())


def letters(file: Path) -> str:
    return file.name.partition(":2,")[2]


def downloads(server: Running) -> int:
    return int(server.stats()["requests"].get("GetItem", 0))


# ---- new, gone, elsewhere


def test_new_mail_is_delivered_as_a_reader_expects_it(user: Inside, server: Running, inbox: Folder) -> None:
    received = datetime(2026, 3, 1, 12, 30, 15, tzinfo=UTC)
    server.alice.add_mime(inbox, message(1), received=received)
    server.alice.add_mime(inbox, message(2), read=True, received=received)
    assert user.syncs().startswith("work: 2 downloaded")
    agree(user, server)
    unread, read = (user.mail / "INBOX/new"), (user.mail / "INBOX/cur")
    assert [len(os.listdir(each)) for each in (unread, read, user.mail / "INBOX/tmp")] == [1, 1, 0]
    for file in files(user):
        assert file.stat().st_mtime == received.timestamp()
        assert file.stat().st_mode & 0o777 == 0o600
        assert b"\r" not in file.read_bytes()
    assert {each.stat().st_mode & 0o777 for each in (user.mail, user.mail / "INBOX", unread, read)} == {0o700}
    assert user.syncs() == "work: nothing new\n"


def test_sent_mail_carries_the_time_it_was_sent(user: Inside, server: Running) -> None:
    user.configure(more='folders = ["Sent Items"]')
    item = server.alice.add_mime(server.alice.folder("sentitems"), message(1), received=datetime(2026, 12, 1, tzinfo=UTC))
    item.props[0x0039] = ("SystemTime", int(datetime(2026, 11, 3, 10, 0, 1, tzinfo=UTC).timestamp()))
    user.syncs()
    (file,) = files(user, "Sent Items")
    assert file.stat().st_mtime == datetime(2026, 11, 3, 10, 0, 1, tzinfo=UTC).timestamp()


def test_what_the_server_deletes_goes_to_the_trash_and_can_be_restored(user: Inside, server: Running, inbox: Folder) -> None:
    items = [server.alice.add_mime(inbox, message(number), read=True, flagged=True) for number in range(3)]
    user.syncs()
    server.alice.remove(items[1])
    assert user.syncs() == "work: 1 deleted (trash)\n"
    agree(user, server)
    listed = user.run("restore", "--list")
    assert "number 1" in listed.out and "INBOX" in listed.out
    (kept,) = user.run("restore", "--list", "--json").json["accounts"][0]["items"]  # type: ignore[index]
    restored = user.run("restore", kept["id"])
    assert (restored.code, restored.err) == (0, "")
    assert user.run("restore", "--list").out == "the trash is empty\n"
    (back,) = (file for file in files(user) if b"message 1." in file.read_bytes())
    assert str(back) in restored.out
    assert letters(back) == "FS"
    # It is an addition of this side now: a pull leaves it alone, a sync brings it back on the server, too.
    assert user.syncs("--pull-only") == "work: 1 pending\n"
    assert back.exists()
    assert user.syncs().startswith("work: 1 uploaded")
    agree(user, server)


def test_a_whole_run_can_be_restored(user: Inside, server: Running, inbox: Folder, projects: Folder) -> None:
    items = [server.alice.add_mime(folder, message(number)) for number, folder in enumerate((inbox, inbox, projects, projects))]
    user.syncs()
    before = disk_view(user.mail)
    for item in (items[0], items[2]):
        server.alice.remove(item)
    user.syncs()
    runs = {kept["run"] for kept in user.run("restore", "--list", "--json").json["accounts"][0]["items"]}  # type: ignore[index]
    assert user.run("restore", "--run", *runs).code == 0
    assert {name: sum(view.values()) for name, view in disk_view(user.mail).items()} == {
        name: sum(view.values()) for name, view in before.items()
    }


def test_a_move_on_the_server_is_a_rename_on_disk(user: Inside, server: Running, inbox: Folder, projects: Folder) -> None:
    items = [server.alice.add_mime(inbox, message(number), read=number == 1) for number in range(3)]
    user.syncs()
    inodes = {file.stat().st_ino for file in files(user)}
    before = downloads(server)
    for item in items[:2]:
        server.alice.move(item, projects)
    assert user.syncs() == "work: 2 moved\n"
    agree(user, server)
    assert {file.stat().st_ino for name in FOLDERS for file in files(user, name)} == inodes
    assert downloads(server) == before
    assert user.run("restore", "--list").out == "the trash is empty\n"
    for item in list(projects.items.values()):
        server.alice.move(item, inbox)
    assert user.syncs() == "work: 2 moved\n"
    assert {file.stat().st_ino for file in files(user)} == inodes
    assert user.syncs() == "work: nothing new\n"


def test_a_message_that_is_read_and_moved_is_still_only_renamed(
    user: Inside, server: Running, inbox: Folder, projects: Folder
) -> None:
    item = server.alice.add_mime(inbox, message(1))
    user.syncs()
    before = downloads(server)
    touch(item, read=True)
    server.alice.move(item, projects)
    user.syncs()
    agree(user, server)
    assert downloads(server) == before


def test_a_copy_is_a_message_of_its_own(user: Inside, server: Running, inbox: Folder, projects: Folder) -> None:
    item = server.alice.add_mime(inbox, message(1))
    user.syncs()
    server.alice.copy(item, projects)
    server.alice.copy(item, inbox)
    user.syncs()
    agree(user, server)
    assert len(files(user)) == 2
    server.alice.remove(item)
    user.syncs()
    agree(user, server)
    assert len(files(user)) == 1


def test_messages_of_one_message_id_stay_separate(user: Inside, server: Running, inbox: Folder, projects: Folder) -> None:
    """Also while they are moved and deleted: each file follows its own item."""
    first = server.alice.add_mime(inbox, message(1))
    other = server.alice.add_mime(inbox, message(1).replace(b"This is", b"That was"))
    user.syncs()
    agree(user, server)
    server.alice.move(other, projects)
    user.syncs()
    agree(user, server)
    server.alice.remove(first)
    user.syncs()
    agree(user, server)


def test_deleted_in_outlook_means_moved_to_deleted_items(user: Inside, server: Running, inbox: Folder) -> None:
    user.configure(more='folders = ["INBOX", "Deleted Items"]')
    item = server.alice.add_mime(inbox, message(1))
    user.syncs()
    before = downloads(server)
    server.alice.move(item, server.alice.folder("deleteditems"))
    assert user.syncs() == "work: 1 moved\n"
    assert len(files(user, "Deleted Items")) == 1
    assert downloads(server) == before


def test_a_thousand_messages_come_over_several_pages_newest_first(user: Inside, server: Running, inbox: Folder) -> None:
    for number in range(1100):
        server.alice.add_mime(inbox, message(number, size=20))
    user.syncs()
    agree(user, server)
    assert downloads(server) < 20
    assert user.syncs() == "work: nothing new\n"


# ---- flags


def test_each_flag_comes_down_and_goes_again(user: Inside, server: Running, inbox: Folder) -> None:
    item = server.alice.add_mime(inbox, message(1))
    user.syncs()
    inode = files(user)[0].stat().st_ino
    before = downloads(server)

    def now() -> str:
        assert user.syncs() in ("work: 1 marked\n", "work: nothing new\n")
        (file,) = files(user)
        assert file.stat().st_ino == inode
        assert (file.parent.name == "new") <= (letters(file) == "")
        return letters(file)

    def prop(name: int | tuple[str, str], kind: str, value: int | list[str | int | bool | bytes] | None) -> str:
        item.props.pop(name, None)
        if value is not None:
            item.props[name] = (kind, value)
        touch(item)
        return now()

    touch(item, read=True)
    assert now() == "S"
    touch(item, read=False)
    assert now() == ""
    assert [prop(0x1090, "Integer", value) for value in (2, 1, 2, None)] == ["F", "", "F", ""]  # 1: "complete" is not flagged
    assert [prop(0x1081, "Integer", value) for value in (102, 103, 104, 108, None)] == ["R", "R", "P", "", ""]
    assert prop(AKONADI, "StringArray", ["\\ANSWERED", "$FORWARDED", "work"]) == "PR"
    assert prop(AKONADI, "StringArray", ["$replied"]) == "R"
    assert prop(AKONADI, "StringArray", ["work"]) == ""
    assert prop(0x1081, "Integer", 104) == "P"
    touch(item, read=True)
    assert now() == "PS"
    assert downloads(server) == before


def test_many_flags_at_once(user: Inside, server: Running, inbox: Folder) -> None:
    items = [server.alice.add_mime(inbox, message(number), read=number % 3 == 0, flagged=number % 4 == 0) for number in range(60)]
    user.syncs()
    agree(user, server)
    for number, item in enumerate(items):
        if number % 2:
            touch(item, read=not item.read)
        else:
            item.props[0x1081] = ("Integer", 102 + number % 3)
            touch(item)
    assert user.syncs().startswith("work: 60 marked")
    agree(user, server)


def test_drafts_are_marked_and_their_edits_come_down(user: Inside, server: Running) -> None:
    item = server.alice.add_mime(server.alice.folder("drafts"), message(1), draft=True, read=True)
    user.syncs()
    (file,) = files(user, "Drafts")
    assert letters(file) == "DS"
    item.mime = message(1, subject="better so", size=500)
    touch(item)
    assert user.syncs().startswith("work: 1 updated")
    (file,) = files(user, "Drafts")
    assert letters(file) == "DS"
    assert b"Subject: better so" in file.read_bytes()
    agree(user, server)
    assert user.syncs() == "work: nothing new\n"
    # A flag on a draft moves its change key as well; whatever that costs, the file is right and no copy is made.
    item.props[0x1090] = ("Integer", 2)
    touch(item)
    user.syncs()
    agree(user, server)
    assert len(files(user, "Drafts")) == 1
    assert user.syncs() == "work: nothing new\n"


def test_a_draft_that_is_sent_leaves_drafts(user: Inside, server: Running) -> None:
    user.configure(more='folders = ["Drafts", "Sent Items"]')
    drafts, sent = server.alice.folder("drafts"), server.alice.folder("sentitems")
    item = server.alice.add_mime(drafts, message(1), draft=True)
    user.syncs()
    item.draft = False
    server.alice.move(item, sent)
    user.syncs()
    assert files(user, "Drafts") == []
    (file,) = files(user, "Sent Items")
    assert letters(file) == ""


# ---- what is not plain mail


KINDS = {
    "meeting request": (
        "Content-Type: text/calendar; method=REQUEST; charset=utf-8\r\n\r\n"
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nMETHOD:REQUEST\r\nBEGIN:VEVENT\r\nUID:1\r\nDTSTAMP:20261101T000000Z\r\n"
        "DTSTART:20261201T100000Z\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
    ),
    "meeting answer": (
        "Content-Type: text/calendar; method=REPLY; charset=utf-8\r\n\r\n"
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nMETHOD:REPLY\r\nBEGIN:VEVENT\r\nUID:1\r\nDTSTAMP:20261101T000000Z\r\n"
        "ATTENDEE;PARTSTAT=DECLINED:mailto:b@example.test\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
    ),
    "cancellation": "Content-Type: text/calendar; method=CANCEL\r\n\r\nBEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n",
    "delivery report": (
        'Content-Type: multipart/report; report-type=delivery-status; boundary="b"\r\n\r\n'
        "--b\r\nContent-Type: text/plain\r\n\r\nNot delivered.\r\n--b\r\nContent-Type: message/delivery-status\r\n\r\n"
        "Reporting-MTA: dns; mx.example.test\r\n\r\nFinal-Recipient: rfc822; nobody@example.test\r\nAction: failed\r\n"
        "Status: 5.1.1\r\n--b--\r\n"
    ),
    "receipt": (
        'Content-Type: multipart/report; report-type=disposition-notification; boundary="b"\r\n\r\n'
        "--b\r\nContent-Type: text/plain\r\n\r\nRead.\r\n--b--\r\n"
    ),
    "signed": (
        'Content-Type: multipart/signed; protocol="application/pkcs7-signature"; micalg=sha-256; boundary="b"\r\n\r\n'
        "--b\r\nContent-Type: text/plain\r\n\r\nSigned.\r\n--b\r\nContent-Type: application/pkcs7-signature; name=smime.p7s\r\n"
        "Content-Transfer-Encoding: base64\r\n\r\nMIIB\r\n--b--\r\n"
    ),
    "encrypted": (
        "Content-Type: application/pkcs7-mime; smime-type=enveloped-data; name=smime.p7m\r\n"
        "Content-Transfer-Encoding: base64\r\n\r\nMIIBmQYJKoZIhvcNAQcDoIIBijCCAYYC\r\n"
    ),
    "post": "Content-Type: text/plain\r\n\r\nPosted into a folder.\r\n",
    "rights-managed": (
        'Content-Class: rpmsg.message\r\nContent-Type: multipart/mixed; boundary="b"\r\n\r\n'
        "--b\r\nContent-Type: text/plain\r\n\r\nProtected.\r\n--b\r\nContent-Type: application/x-microsoft-rpmsg-message\r\n\r\n"
        "x\r\n--b--\r\n"
    ),
}


def test_all_kinds_of_mail_count_as_mail(user: Inside, server: Running, inbox: Folder) -> None:
    classes = []
    for number, (name, rest) in enumerate(KINDS.items()):
        head, _, _ = message(number, subject=name).partition(b"Content-Type")
        item = server.alice.add_mime(inbox, head + rest.encode(), read=number % 2 == 0)
        if name == "post":
            item.item_class = "IPM.Post"
        classes.append(item.item_class)
    assert len(set(classes)) >= 8, classes
    user.syncs()
    agree(user, server)
    assert user.syncs() == "work: nothing new\n"


def test_what_has_no_mime_becomes_a_readable_message(user: Inside, server: Running, inbox: Folder) -> None:
    item = server.alice.add_mime(inbox, message(1, subject="=?utf-8?q?=C3=9Cbersicht?="), flagged=True)
    item.mime_broken = True
    server.alice.add_mime(inbox, message(2))
    user.syncs()
    assert len(files(user)) == 2
    (file,) = (file for file in files(user) if b"X-EWS-Bridge:" in file.read_bytes())
    made = email.message_from_bytes(file.read_bytes(), policy=email.policy.default)
    assert made["Subject"] == "Übersicht"
    assert "bob@example.test" in made["From"]
    assert made["Message-ID"] == "<1@example.test>"
    body = made.get_body()
    assert body is not None
    assert "This is message 1." in body.get_content()
    assert "not the original message" in body.get_content()
    assert letters(file) == "F"
    assert user.syncs() == "work: nothing new\n"


def test_what_is_no_mail_in_a_mail_folder_is_shown_as_well(user: Inside, server: Running, inbox: Folder) -> None:
    item = server.alice.new_item(b"Subject: A. Person\r\n\r\n", "IPM.Contact")
    item.kind = "Contact"
    server.alice.place(item, inbox)
    user.syncs()
    (file,) = files(user)
    assert b"X-EWS-Bridge:" in file.read_bytes()
    assert "S" in letters(file)
    assert user.syncs() == "work: nothing new\n"


def test_what_cannot_be_had_at_all_is_named_once(
    user: Inside, server: Running, inbox: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.alice.add_mime(inbox, message(1, subject="beyond repair"))
    server.faults({"operation": "GetItem", "times": 1000, "fault": "error:ErrorCorruptData"})
    ran = user.run("sync")
    assert ran.code == 1
    assert ran.err.count("beyond repair") == 1
    assert "ErrorCorruptData" in ran.err
    status = user.run("status")
    assert "beyond repair" in status.out
    before = downloads(server)
    again = user.run("sync")
    assert (again.code, again.err) == (0, "")
    assert downloads(server) == before, "it did not change, and was asked for again"
    # Two hours later it is tried once more, without a word: that is no news.
    now = time.time
    monkeypatch.setattr(time, "time", lambda: now() + 7200)
    again = user.run("sync")
    assert (again.code, again.err) == (0, "")
    assert downloads(server) > before
    monkeypatch.undo()
    server.faults()
    item = next(iter(inbox.items.values()))
    item.props[0x1090] = ("Integer", 2)
    touch(item)
    user.syncs()
    agree(user, server)
    assert "beyond repair" not in user.run("status").out


# ---- servers that differ


def test_states_that_went_stale_cost_a_listing_and_no_download(
    user: Inside, server: Running, inbox: Folder, projects: Folder
) -> None:
    items = [server.alice.add_mime(inbox, message(number)) for number in range(30)]
    user.syncs()
    before = downloads(server)
    inodes = {file.stat().st_ino for file in files(user)}
    server.switch(forget_sync_states=True)
    assert user.syncs() == "work: nothing new\n"
    server.alice.remove(items[0])
    server.alice.move(items[1], projects)
    touch(items[2], read=True)
    server.switch(forget_sync_states=True)
    user.syncs()
    agree(user, server)
    assert {file.stat().st_ino for name in FOLDERS for file in files(user, name)} < inodes
    assert downloads(server) == before


def test_a_server_without_commit_times_is_followed_all_the_same(
    user: Inside, server: Running, inbox: Folder, projects: Folder
) -> None:
    server.switch(ignore_commit_time=True)
    items = [server.alice.add_mime(inbox, message(number)) for number in range(4)]
    user.syncs()
    agree(user, server)
    touch(items[0], read=True)
    server.alice.move(items[1], projects)
    server.alice.remove(items[2])
    user.syncs()
    agree(user, server)
    assert user.syncs() == "work: nothing new\n"


def test_a_quiet_mailbox_costs_two_requests_and_a_busy_folder_one_more(user: Inside, server: Running, inbox: Folder) -> None:
    with seed.earlier(server.world):
        item = server.alice.add_mime(inbox, message(1))
    user.syncs()
    server.reset()
    user.syncs()
    assert server.stats()["total"] <= 2, server.stats()
    with seed.earlier(server.world, seconds=1800):
        touch(item, read=True)
    server.reset()
    user.syncs()
    assert server.stats()["total"] <= 3, server.stats()


def test_a_folder_in_which_nothing_ever_was_is_not_listed(user: Inside, server: Running, inbox: Folder, projects: Folder) -> None:
    server.alice.add_mime(inbox, message(1))
    server.reset()
    user.syncs()
    assert server.stats()["requests"]["SyncFolderItems"] == 1, server.stats()
    server.alice.add_mime(projects, message(2))
    assert user.syncs().startswith("work: 1 downloaded")
    agree(user, server)
