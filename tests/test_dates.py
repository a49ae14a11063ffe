"""Dates stay true: whatever way a message takes up, both its dates are on the server, and on the next machine."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from datetime import UTC
from datetime import datetime
from pathlib import Path

import pytest

from ews_bridge.headers import parse_head
from ews_bridge.headers import received
from ews_bridge.sandbox.store import Item
from tests.desk import Desk
from tests.desk import Moment
from tests.desk import desk
from tests.desk import key_of
from tests.inside import Inside
from tests.mirror import message

FOLDERS = ("INBOX", "Sent Items", "Drafts", "Archive", "Deleted Items")


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


@pytest.mark.parametrize(
    ("date", "when"),
    [
        ("Tue, 3 Nov 2026 10:00:00 +0100", "2026-11-03T09:00:00"),
        ("3 Nov 26 10:00 +0100", "2026-11-03T09:00:00"),
        ("3 Nov 99 10:00:00 GMT", "1999-11-03T10:00:00"),
        ("3 Nov 50 10:00:00 GMT", "1950-11-03T10:00:00"),
        ("3 Nov 65 10:00:00 +01", "1965-11-03T09:00:00"),
        ("3 Nov 49 10:00:00 GMT", "2049-11-03T10:00:00"),
        ("3 Nov 2065 10:00:00 GMT", "2065-11-03T10:00:00"),
        ("3 Nov 0026 10:00:00 GMT", "2026-11-03T10:00:00"),
        ("Tue, 3 Nov 126 10:00:00 +0000", "2026-11-03T10:00:00"),
        ("3 Nov 2026 10:00:00 +01", "2026-11-03T09:00:00"),
        ("3 Nov 2026 10:00:00 -5 (EST)", "2026-11-03T15:00:00"),
        ("3 Nov 2026 10:00:00 +05:30", "2026-11-03T04:30:00"),
        ("3 Nov 2026 10:00:00 -0000", "2026-11-03T10:00:00"),
        ("3 Nov 2026 10:00:00", "2026-11-03T10:00:00"),
        ("3 Nov 2026 10:00:00 +9900", "2026-11-03T10:00:00"),
        ("31 Dec 1969 23:59:59 +0000", "1969-12-31T23:59:59"),
        ("1 Jan 1960 00:00:00 +0000", "1960-01-01T00:00:00"),
    ],
)
def test_dates_as_they_are_written_in_the_wild(date: str, when: str) -> None:
    assert parse_head(f"Date: {date}".encode()).sent == at(when)
    assert received(f"Received: from a by b; {date}\n\n".encode()) == at(when)


def test_a_date_without_a_zone_does_not_depend_on_where_we_are(monkeypatch: pytest.MonkeyPatch) -> None:
    import time

    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        assert parse_head(b"Date: 3 Nov 2026 10:00:00").sent == at("2026-11-03T10:00:00")
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.fixture
def it(tmp_path: Path) -> Iterator[Desk]:
    (tmp_path / "one").mkdir()
    with desk(tmp_path / "one", fill=False) as found:
        found.settle()
        yield found


def old(number: int, date: str, *, hops: str = "") -> bytes:
    text = message(number).replace(b"\r\n", b"\n")
    text = re.sub(rb"Date: .*", f"Date: {date}".encode(), text) if date else re.sub(rb"Date: .*\n", b"", text)
    return (f"Received: from a by b; {hops}\n".encode() if hops else b"") + text


def put(it: Desk, folder: str, number: int, data: bytes) -> Path:
    """As `cp` and an Fcc do: the file's time is now."""
    file = it.directory(folder) / f"cur/18000000{number:02}.{number}.mutt:2,S"
    file.write_bytes(data)
    return file


def on_server(it: Desk, number: int) -> tuple[int, int]:
    """(DateTimeSent, DateTimeReceived), as Outlook reads them."""
    found = it.item(number)
    return int(found.datetime_sent.timestamp()), int(found.datetime_received.timestamp())


def second_machine(it: Desk, home: Path) -> Desk:
    home.mkdir()
    other = Desk(it.server, Inside(home, it.server.url), it.relay)
    other.configure()
    other.settle()
    return other


@pytest.mark.parametrize("stamps", [{}, {"stamp_sent_items": True}])
@pytest.mark.parametrize("folder", FOLDERS)
def test_both_dates_are_kept_in_every_folder(it: Desk, tmp_path: Path, folder: str, stamps: dict[str, bool]) -> None:
    it.server.switch(**stamps)
    sent, came = at("2003-05-06T07:08:09"), at("2003-05-06T07:10:00")
    put(it, folder, 1, old(1, "Tue, 6 May 2003 09:08:09 +0200", hops="Tue, 6 May 2003 07:10:00 +0000"))
    report = it.settle()
    assert report.notes == []
    assert on_server(it, 1) == (sent, came)
    other = second_machine(it, tmp_path / "two")
    assert int(os.stat(other.file(1)).st_mtime) == (sent if folder == "Sent Items" else came)
    assert it.holds(1).startswith(f"{folder}:")


def test_a_date_from_before_the_epoch_and_none_at_all(it: Desk, tmp_path: Path) -> None:
    put(it, "Sent Items", 1, old(1, "31 Dec 1969 23:00:00 +0000"))
    put(it, "Sent Items", 2, old(2, "", hops="Tue, 6 May 2003 07:10:00 +0000"))
    file = put(it, "INBOX", 3, old(3, ""))
    os.utime(file, (0, at("2001-02-03T04:05:06")))
    it.settle()
    assert on_server(it, 1) == (-3600, -3600)
    assert on_server(it, 2) == (at("2003-05-06T07:10:00"),) * 2
    assert on_server(it, 3) == (at("2001-02-03T04:05:06"),) * 2
    other = second_machine(it, tmp_path / "two")
    assert int(os.stat(other.file(1)).st_mtime) == -3600


def test_a_thousand_old_messages_imported_into_sent_items(it: Desk, tmp_path: Path) -> None:
    it.server.switch(stamp_sent_items=True)
    base = at("1999-01-01T00:00:00")
    for number in range(1000):
        date = datetime.fromtimestamp(base + number * 86_400, UTC).strftime("%a, %d %b %Y %H:%M:%S +0000")
        (it.directory("Sent Items") / f"cur/1800{number:06}.x.mutt:2,S").write_bytes(old(number + 100, date))
    report = it.settle()
    assert report.done["upload"] == 1000
    there = {int(key_of(item)): (sent_of(item), item.received) for item in it.server.alice.items.values() if item.folder}
    assert there == {number + 100: (base + number * 86_400,) * 2 for number in range(1000)}
    assert on_server(it, 1099) == (base + 999 * 86_400,) * 2
    assert not it.place("Drafts").items
    other = second_machine(it, tmp_path / "two")
    assert int(os.stat(other.file(150)).st_mtime) == base + 50 * 86_400
    assert len(list((other.user.mail / "Sent Items/cur").iterdir())) == 1000


def directly(it: Desk) -> None:
    """Without the relay, which does not pass on that a connection broke."""
    it.user.url = it.server.url
    it.configure()


def sent_of(item: Item) -> int:
    kind, value = item.props[0x0039]
    assert kind == "SystemTime" and isinstance(value, int)
    return value


def test_an_upload_cut_off_on_its_way_into_sent_items_is_finished_by_the_next_run(it: Desk) -> None:
    it.server.switch(stamp_sent_items=True)
    put(it, "Sent Items", 1, old(1, "Tue, 6 May 2003 09:08:09 +0200"))
    directly(it)
    it.server.faults({"operation": "MoveItem", "fault": "drop"})
    with pytest.raises(Exception, match="broke off"):
        it.sync()
    assert len(it.place("Drafts").items) == 1
    it.settle()
    assert it.holds(1) == "Sent Items:S"
    assert not it.place("Drafts").items
    assert on_server(it, 1)[0] == at("2003-05-06T07:08:09")


@pytest.mark.parametrize("fault", ["lost-reply", "drop"])
def test_a_creation_whose_answer_was_lost_is_finished_and_not_repeated(it: Desk, fault: str) -> None:
    put(it, "Sent Items", 1, old(1, "Tue, 6 May 2003 09:08:09 +0200"))
    directly(it)
    it.server.faults({"operation": "CreateItem", "fault": fault})
    with pytest.raises(Exception, match="broke off"):
        it.sync()
    it.settle()
    assert it.holds(1) == "Sent Items:S"
    assert len([item for item in it.server.alice.items.values() if item.folder and key_of(item) == "1"]) == 1


def test_a_draft_of_somebody_elses_is_never_taken_for_ours(it: Desk) -> None:
    """What waits in Drafts to be moved carries our token and is no draft."""
    put(it, "Sent Items", 1, old(1, "Tue, 6 May 2003 09:08:09 +0200"))

    def draft() -> None:
        it.server.alice.add_mime(it.server.alice.folder("drafts"), message(9), draft=True, read=True)

    it.act_at(Moment("MoveItem"), draft)
    it.settle()
    assert it.holds(9) == "Drafts:DS"


def test_a_server_that_keeps_no_dates_is_told_of(it: Desk) -> None:
    it.server.switch(stamp_everywhere=True)
    put(it, "Sent Items", 1, old(1, "Tue, 6 May 2003 09:08:09 +0200"))
    put(it, "INBOX", 2, message(2).replace(b"\r\n", b"\n"))
    put(it, "Archive", 3, old(3, "Tue, 6 May 2003 09:08:09 +0200"))
    report = it.sync()
    told = {note.partition(":")[0] for note in report.notes if "have other dates on the server" in note}
    assert told == {"Sent Items", "INBOX", "Archive"}


def test_a_move_between_two_mailboxes_keeps_both_dates(it: Desk) -> None:
    """On disk: out of another tree, whose file has the time received, into Sent Items here."""
    file = put(it, "Sent Items", 1, old(1, "Tue, 6 May 2003 09:08:09 +0200", hops="Tue, 6 May 2003 07:10:00 +0000"))
    os.utime(file, (0, at("2003-05-06T07:10:00")))
    it.settle()
    assert on_server(it, 1) == (at("2003-05-06T07:08:09"), at("2003-05-06T07:10:00"))
    os.rename(file, it.directory("Archive") / "cur" / file.name)
    it.settle()
    os.rename(it.file(1), it.directory("Sent Items") / "cur" / file.name)
    it.settle()
    assert on_server(it, 1) == (at("2003-05-06T07:08:09"), at("2003-05-06T07:10:00"))
