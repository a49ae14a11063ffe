"""The rules of the way up, one by one: what goes up and how, what is left alone, and what is told."""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Callable
from collections.abc import Iterator
from pathlib import Path

import pytest

from ews_bridge import overview
from ews_bridge.model import Side
from tests.desk import AKONADI
from tests.desk import Desk
from tests.desk import Moment
from tests.desk import desk
from tests.desk import key_of
from tests.desk import lf
from tests.desk import rename
from tests.mirror import message
from tests.test_corpus import snapshot


@pytest.fixture
def it(tmp_path: Path) -> Iterator[Desk]:
    with desk(tmp_path) as found:
        yield found


def writes(it: Desk) -> Counter[str]:
    """What was asked of the server beside looking."""
    looking = ("Sync", "GetI", "GetF", "Find", "Reso")
    return Counter({name: n for name, n in it.server.stats()["requests"].items() if name[:4] not in looking})


def put(it: Desk, folder: str, name: str, data: bytes) -> Path:
    file = it.user.mail / folder / name
    file.write_bytes(data)
    return file


def kept(it: Desk) -> list[bytes]:
    """What is in the trash."""
    return [file.read_bytes() for file in (it.user.state / "trash").rglob("cur/*")]


# ---- new files


@pytest.mark.parametrize("name", ["new/1800000000.5.mutt", "cur/1800000000.5.mutt:2,", "cur/1800000000.5.mutt:2,FS"])
def test_a_new_file_goes_up_as_it_is(name: str, it: Desk) -> None:
    file = put(it, "Projects", name, b"Received: from x by y; Mon, 02 Nov 2026 09:00:00 +0000\n" + lf(50))
    assert it.settle().done == {"upload": 1}
    it.agree()
    (item,) = it.place("Projects").items.values()
    assert (item.received, item.draft) == (1_793_610_000, False)
    assert it.holds(50) == f"Projects:{name.partition(':2,')[2]}"
    assert file.exists(), "it keeps its name"


def test_without_received_the_date_counts_and_without_it_the_time_of_the_file(it: Desk) -> None:
    put(it, "Projects", "new/1.dated.x", lf(50))
    bare = put(it, "Projects", "new/1.bare.x", b"Message-ID: <51@example.test>\n\nno date\n")
    os.utime(bare, (1_700_000_000, 1_700_000_000))
    it.settle()
    received = {key_of(item): item.received for item in it.place("Projects").items.values()}
    assert received == {"50": 1_793_700_050, "51": 1_700_000_000}


def test_an_fcc_copy_of_what_the_server_has_is_adopted(it: Desk) -> None:
    """Written by mutt before the sync saw the server's own copy, whose Date the server may have set anew."""
    put(it, "Sent Items", "cur/1800000000.7.mutt:2,S", lf(60).replace(b"X-A: b\n", b""))
    later = message(60).replace(b"10:01:00", b"10:01:07")
    it.server.alice.add_mime(it.place("Sent Items"), later, read=True)
    it.settle()
    assert it.holds(60) == "Sent Items:S"
    assert len(it.files(60)) == 1
    assert writes(it)["CreateItem"] == 0


def test_an_fcc_copy_of_what_was_mirrored_already_is_not_uploaded(it: Desk) -> None:
    it.server.alice.add_mime(it.place("Sent Items"), message(60), read=True)
    it.sync()
    own = lf(60, size=200).replace(b"10:01:00", b"10:01:07")
    put(it, "Sent Items", "cur/1800000000.7.mutt:2,S", own)
    it.settle()
    assert it.holds(60) == "Sent Items:S"
    it.agree()
    assert writes(it)["CreateItem"] == 0
    assert kept(it) == [own], "the copy is in the trash"


def test_two_mails_of_one_message_id_elsewhere_are_two(it: Desk) -> None:
    other = lf(1, size=200)
    put(it, "INBOX", "new/1800000000.list.x", other)
    it.settle()
    it.agree()
    assert it.holds(1) == "INBOX: INBOX:"


def test_r_and_p_are_both_kept_with_what_others_keep_beside_them(it: Desk) -> None:
    item = next(item for item in it.place("INBOX").items.values() if key_of(item) == "1")
    item.props[AKONADI] = ("StringArray", ["$TODO", "work"])
    it.server.alice.touch(item, was_read=item.read, read_only=False)
    it.sync()
    rename(it.file(1), letters="PRS")
    it.settle()
    it.agree()
    assert it.holds(1) == "INBOX:PRS"
    assert set(item.props[AKONADI][1]) == {"$TODO", "work", "\\ANSWERED", "$FORWARDED"}  # type: ignore[arg-type]
    rename(it.file(1), letters="PS")
    it.settle()
    assert it.holds(1) == "INBOX:PS"
    assert set(item.props[AKONADI][1]) == {"$TODO", "work", "$FORWARDED"}  # type: ignore[arg-type]


def test_d_is_never_pushed_to_what_was_received(it: Desk) -> None:
    before = writes(it)
    rename(it.file(1), letters="D")
    it.settle()
    it.agree()
    assert it.holds(1) == "INBOX:"
    assert writes(it) == before


def test_nobody_gets_a_read_receipt(it: Desk) -> None:
    asked = message(70).replace(b"To: ", b"Disposition-Notification-To: bob@example.test\r\nTo: ", 1)
    bob = it.server.world.users["bob@example.test"]
    asked_2, asked_3, asked_4 = (asked.replace(b"<70@", b"<%d@" % number) for number in (71, 72, 73))
    for data in (asked, asked_2, asked_3, asked_4):
        it.server.alice.add_mime(it.place("INBOX"), data)
    it.sync()
    rename(it.file(70), letters="S")
    rename(it.file(71), letters="RS")
    it.file(72).unlink()
    rename(it.file(73), it.user.mail / "Deleted Items")
    it.settle()
    for number in (72, 73):
        it.file(number).unlink()
    it.settle()
    assert it.holds(70) == "INBOX:S"
    assert it.holds(72) == it.holds(73) == ""
    assert not bob.folder("inbox").items
    assert it.server.world.deliveries == []


# ---- deletions


@pytest.mark.parametrize(("how", "there", "recoverable"), [("trash", "Deleted Items:S", 0), ("soft", "", 1), ("hard", "", 0)])
@pytest.mark.parametrize("number", [4, 9])
def test_delete_as_the_settings_say(how: str, there: str, recoverable: int, number: int, it: Desk) -> None:
    it.configure(f'delete = "{how}"')
    it.file(number).unlink()
    it.settle()
    it.agree()
    assert it.holds(number) == (there if number == 4 else there.replace(":", ":D"))
    assert len(it.server.alice.folder("recoverableitemsdeletions").items) == recoverable


def test_what_is_deleted_in_deleted_items_stays_recoverable(it: Desk) -> None:
    it.configure('delete = "hard"')
    it.fill("Deleted Items", 80, read=True)
    it.sync()
    it.file(80).unlink()
    it.settle()
    it.agree()
    assert len(it.server.alice.folder("recoverableitemsdeletions").items) == 1


def test_many_local_deletions_are_refused_with_numbers(it: Desk) -> None:
    it.fill("Projects", *range(100, 160), read=True)
    it.sync()
    for number in range(100, 121):
        it.file(number).unlink()
    rename(it.file(1), letters="F")
    report = it.sync()
    (refusal,) = report.refused
    assert refusal.what == "Projects"
    assert "21 of 60 items are gone here" in refusal.why
    assert "--allow-deletes" in refusal.hint and "--refill" in refusal.hint
    assert it.holds(1) == "INBOX:F", "everything else goes on"
    assert it.holds(100) == "Projects:S"
    report = it.sync(allow_deletes=True)
    assert report.done["delete remote"] == 21
    it.settle()
    it.agree()


# ---- read-only folders


def test_what_is_done_in_a_read_only_folder_is_undone_and_kept(it: Desk) -> None:
    it.fill("Projects", 20, 21, 22, 23, 24)
    it.configure('read_only = ["Projects"]')
    it.sync()
    before = writes(it)
    rename(it.file(20), letters="FS")
    rename(it.file(21), it.user.mail / "INBOX")
    it.file(22).unlink()
    rename(it.file(23), letters="T")
    put(it, "Projects", "new/1800000000.own.x", lf(50))
    report = it.sync()
    assert len(report.reverted) >= 4, report.reverted
    it.settle()
    assert [it.holds(number) for number in (20, 21, 22, 23, 24, 50)] == ["Projects:"] * 5 + [""]
    assert lf(50) in kept(it), "what was put there is in the trash"
    assert writes(it) == before
    assert [Path(file).parent.parent.name for number in (20, 21, 22) for file in it.files(number)] == ["Projects"] * 3
    it.server.alice.remove(next(iter(it.place("Projects").items.values())))
    it.settle()
    assert not it.files(20)


def test_a_deletion_that_a_reader_only_marks_waits_for_nothing_in_a_read_only_folder(it: Desk) -> None:
    it.fill("Projects", 20)
    it.configure('read_only = ["Projects"]')
    it.sync()
    rename(it.file(20), letters="T")
    it.settle()
    assert it.holds(20) == "Projects:" and it.file(20).name.endswith("T"), "the letter is the reader's"
    assert overview.status(it.account).pending == 0


def test_a_read_only_folder_itself_stays(it: Desk) -> None:
    it.fill("Projects", 20)
    it.configure('read_only = ["Projects", "Archive"]')
    it.sync()
    before = writes(it)
    shutil.rmtree(it.user.mail / "Archive")
    (it.user.mail / "Projects").rename(it.user.mail / "Elsewhere")
    it.settle()
    it.settle()
    assert writes(it) == before
    assert {"Projects", "Archive"} <= {each.name for each in it.user.mail.iterdir()}
    assert [file.parent.parent.name for file in it.files(20)] == ["Projects"]


def test_what_the_server_forbids_is_named_and_the_rest_goes_on(it: Desk) -> None:
    def forbid(body: bytes, forward: Callable[[], object]) -> object:
        return forward()

    rename(it.file(1), letters="F")
    rename(it.file(2), it.user.mail / "Projects")
    put(it, "Archive", "new/1800000000.own.x", lf(50))
    it.server.faults({"operation": "UpdateItem", "times": 3, "fault": "error:ErrorAccessDenied"})
    report = it.sync()
    (failure,) = report.failures
    assert failure.what == "number 1"
    assert "ErrorAccessDenied" in failure.why
    assert (it.holds(2), it.holds(50)) == ("Projects:", "Archive:")
    assert [each.why for each in overview.status(it.account).failures] == [failure.why]
    it.server.faults()
    assert not it.sync().failures, "told once"


# ---- the window


def test_what_leaves_the_window_is_forgotten_and_comes_back(it: Desk) -> None:
    alice = it.server.alice
    old = [alice.add_mime(it.place("Projects"), message(n).replace(b"2026", b"2020", 1), read=n != 31) for n in (30, 31, 32)]
    old[2].props[0x1090] = ("Integer", 2)
    it.fill("Projects", 33, read=True)
    alice.add_mime(it.place("Projects"), message(34, size=9000), read=True)
    it.sync()
    it.agree()
    before = writes(it)
    it.configure('since = "1y"\nmax_size = "5K"')
    report = it.sync()
    assert report.done == {"forgotten": 2}
    assert not it.files(30) and not it.files(34)
    assert it.files(31) and it.files(32) and it.files(33), "unread, flagged, young"
    assert len(kept(it)) == 2
    assert it.sync().done == {}
    assert writes(it) == before
    assert it.holds(30) == "Projects:S" and it.holds(34) == "Projects:S"
    it.configure()
    assert it.sync().done == {"download": 2}
    it.agree()


def test_a_local_change_goes_up_before_its_message_leaves_the_window(it: Desk) -> None:
    it.server.alice.add_mime(it.place("Projects"), message(30).replace(b"2026", b"2020", 1), read=True)
    it.sync()
    rename(it.file(30), letters="RS")
    it.configure('since = "1y"')
    it.settle()
    assert it.holds(30) == "Projects:RS"
    assert not it.files(30)


# ---- one way, and none


def everything(it: Desk) -> None:
    """Something of each kind, on both sides."""
    it.fill("INBOX", 40)
    it.item(2).move(to_folder=it.folder("Projects"))
    item = it.item(3)
    item.is_read = True
    item.save(update_fields=["is_read"])
    it.item(4).delete()
    it.server.alice.create_folder(it.place("Projects"), "Below")
    rename(it.file(1), letters="F")
    put(it, "Projects", "new/1800000000.own.x", lf(50))
    draft = it.file(9)
    draft.write_bytes(lf(9, subject="edited"))
    os.utime(draft, (1_800_000_000, 1_800_000_000))
    (it.user.mail / "Archive/Mine/cur").mkdir(parents=True)


def test_pull_only_leaves_the_server_alone(it: Desk) -> None:
    everything(it)
    before, there = writes(it), it.remote()
    report = it.sync(writes=frozenset({Side.LOCAL}))
    assert report.pending == 3
    assert (writes(it), it.remote()) == (before, there)
    assert it.files(40) and not it.files(4) and (it.user.mail / "Projects/Below/cur").is_dir()
    it.settle()
    it.agree()


def test_push_only_leaves_the_disk_alone(it: Desk) -> None:
    everything(it)
    it.configure('since = "1d"')
    before = {name: value for name, value in snapshot(it.user.mail).items() if name not in (".", ".ews-bridge")}
    it.sync(writes=frozenset({Side.REMOTE}))
    assert {name: value for name, value in snapshot(it.user.mail).items() if name not in (".", ".ews-bridge")} == before
    assert (it.holds(1), it.holds(50)) == ("INBOX:F", "Projects:")
    assert "Archive/Mine" in it.folders()[1]
    assert kept(it) == []
    it.configure()
    it.settle()
    it.agree()


def test_a_dry_run_changes_nothing_at_all(it: Desk) -> None:
    everything(it)
    before, there, disk = writes(it), it.remote(), snapshot(it.user.mail)
    state = {file.name: file.read_bytes() for file in it.user.state.iterdir() if file.is_file() and file.name != "lock"}
    report = it.sync(dry_run=True)
    assert (writes(it), it.remote(), snapshot(it.user.mail)) == (before, there, disk)
    assert {file.name: file.read_bytes() for file in it.user.state.iterdir() if file.is_file() and file.name != "lock"} == state
    assert report.done == {
        "download": 1,
        "move local": 1,
        "mark local": 1,
        "delete local": 1,
        "mark remote": 1,
        "upload": 1,
        "update remote": 1,
        "new folder": 2,
    }
    it.settle()
    it.agree()


# ---- drafts and conflicts


def edit(it: Desk, subject: str, *, number: int = 9) -> None:
    draft = it.file(number)
    draft.write_bytes(lf(number, subject=subject))
    os.utime(draft, (1_800_000_000, 1_800_000_000))


def outlook_edits(it: Desk, subject: str) -> None:
    item = it.item(9)
    item.subject = subject
    item.save(update_fields=["subject"])


def subject(it: Desk) -> str:
    return it.item(9).subject  # type: ignore[no-any-return]


def test_a_draft_edited_here_is_edited_there(it: Desk) -> None:
    edit(it, "mine")
    assert it.settle().done == {"update remote": 1}
    it.agree()
    assert (subject(it), it.holds(9)) == ("mine", "Drafts:DS")


def test_a_draft_that_mutt_recalls_is_another_file(it: Desk) -> None:
    """mutt writes a new one and unlinks the old one; here with the same Message-ID, and without D."""
    it.file(9).unlink()
    put(it, "Drafts", "cur/1800000000.9.mutt:2,S", lf(9, subject="mine", size=333))
    it.settle()
    it.agree()
    assert it.holds(9).split() == ["Deleted", "Items:DS", "Drafts:DS"] or it.holds(9) == "Drafts:DS"
    (file,) = [file for file in it.files(9) if file.parent.parent.name == "Drafts"]
    assert b"Subject: mine" in file.read_bytes()
    assert "D" in file.name.partition(":2,")[2]


@pytest.mark.parametrize("moment", [None, Moment("syncing"), Moment("UpdateItem"), Moment("GetItem")])
def test_a_draft_edited_on_both_sides_is_a_conflict(moment: Moment | None, it: Desk) -> None:
    edit(it, "mine")
    if moment:
        it.act_at(moment, lambda: outlook_edits(it, "theirs"))
        reports = [it.sync(), it.settle()]
        assert it.acted
    else:
        outlook_edits(it, "theirs")
        reports = [it.settle()]
    it.agree()
    assert subject(it) == "theirs"
    (told,) = [each for report in reports for each in report.conflicts]
    (file,) = (it.user.state / "conflicts").iterdir()
    assert str(file) in told
    assert b"Subject: mine" in file.read_bytes()
    assert it.holds(9) == "Drafts:DS"
    status = it.user.run("status")
    assert str(file) in status.out


@pytest.mark.parametrize("moment", [None, Moment("syncing"), Moment("MoveItem")])
def test_an_edit_beats_a_deletion_both_ways(moment: Moment | None, it: Desk) -> None:
    it.file(9).unlink()
    if moment:
        it.act_at(moment, lambda: outlook_edits(it, "theirs"))
        it.sync()
        assert it.acted
    else:
        outlook_edits(it, "theirs")
    it.settle()
    it.agree()
    assert (subject(it), it.holds(9)) == ("theirs", "Drafts:DS")
    edit(it, "mine")
    it.item(9).delete()
    it.settle()
    it.agree()
    assert (subject(it), it.holds(9)) == ("mine", "Drafts:DS")


@pytest.mark.parametrize("moment", [None, Moment("syncing"), Moment("GetItem")])
def test_an_edit_beats_the_wish_to_delete_whenever_it_comes(moment: Moment | None, it: Desk) -> None:
    outlook_edits(it, "theirs")

    def wish() -> None:
        rename(it.file(9), letters="DST")

    if moment:
        it.act_at(moment, wish)
        it.sync()
        assert it.acted
    else:
        wish()
    it.settle()
    assert (subject(it), it.holds(9)) == ("theirs", "Drafts:DS")
    assert b"Subject: theirs" in it.file(9).read_bytes()


def test_a_draft_that_is_sent_while_it_is_edited_here_is_kept_aside_or_kept(it: Desk) -> None:
    edit(it, "mine")
    item = next(item for item in it.place("Drafts").items.values())
    item.draft = False
    it.server.alice.move(item, it.place("Sent Items"))
    it.settle(failures=True)
    files = [file.read_bytes() for file in it.files(9)]
    aside = [file.read_bytes() for file in (it.user.state / "conflicts").glob("*")]
    assert any(b"Subject: mine" in data for data in (*files, *aside, *kept(it)))
    assert "Sent Items:S" in it.holds(9)
