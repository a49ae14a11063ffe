"""Calendars by the whole program: series and their occurrences, attachments, meetings, and what nobody must be mailed of."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from exchangelib import EWSDateTime
from exchangelib import EWSTimeZone

from ews_bridge.errors import EwsBridgeError
from ews_bridge.exchange.items import ItemFolder
from ews_bridge.exchange.items import Kept
from ews_bridge.model import Content
from ews_bridge.model import Entry
from ews_bridge.model import New
from tests.exchange_relay import connection
from tests.itemdesk import ItemDesk
from tests.itemdesk import itemdesk

BERLIN = EWSTimeZone("Europe/Berlin")
UID = "series-1@example.org"
ATTACH = "ATTACH;VALUE=BINARY;ENCODING=BASE64;FMTTYPE=text/plain;FILENAME=a.txt:aGVsbG8="


@pytest.fixture
def it(tmp_path: Path) -> Iterator[ItemDesk]:
    with itemdesk(tmp_path, calendar="") as found:
        found.settle()
        yield found


def event(uid: str, summary: str, *more: str, start: str = "20261201T100000Z", end: str = "20261201T110000Z") -> list[str]:
    lines = [f"UID:{uid}", "DTSTAMP:20261101T090000Z", f"DTSTART:{start}", f"DTEND:{end}", f"SUMMARY:{summary}"]
    return ["BEGIN:VEVENT", *lines, *more, "END:VEVENT"]


def ics(*events: list[str]) -> bytes:
    lines = [
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "PRODID:-//test//",
        *(line for each in events for line in each),
        "END:VCALENDAR",
        "",
    ]
    return "\r\n".join(lines).encode()


def put(it: ItemDesk, name: str, data: bytes) -> Path:
    home = it.home("calendar")
    (home / ".new").write_bytes(data)
    os.rename(home / ".new", home / name)
    return home / name


def there(it: ItemDesk) -> list[str]:
    return sorted(item.subject for item in it.outlook.calendar.all())


def whole(file: Path) -> str:
    return file.read_bytes().replace(b"\r\n ", b"").decode()


# ---- series


def test_an_occurrence_is_changed_and_another_deleted_from_either_side(it: ItemDesk) -> None:
    series = event(UID, "Weekly", "RRULE:FREQ=WEEKLY;COUNT=4")
    file = put(it, "w.ics", ics(series))
    it.settle()
    moved = event(UID, "Moved", "RECURRENCE-ID:20261208T100000Z", start="20261208T140000Z", end="20261208T150000Z")
    put(it, "w.ics", ics([*series[:-1], "EXDATE:20261215T100000Z", "END:VEVENT"], moved))
    assert it.settle().done == {"update remote": 1}
    start, end = EWSDateTime(2026, 12, 1, tzinfo=BERLIN), EWSDateTime(2027, 1, 1, tzinfo=BERLIN)
    shown = [(item.start.day, item.start.hour, item.subject) for item in it.outlook.calendar.view(start, end)]
    assert shown == [(1, 10, "Weekly"), (8, 14, "Moved"), (22, 10, "Weekly")]
    occurrence = next(item for item in it.outlook.calendar.view(start, end) if item.start.day == 22)
    occurrence.location = "Hall 2"
    occurrence.save(send_meeting_invitations="SendToNone")
    it.settle()
    text = whole(file)
    assert text.count("BEGIN:VEVENT") == 3
    assert "LOCATION:Hall 2" in text and "SUMMARY:Moved" in text and "EXDATE" in text
    put(it, "w.ics", file.read_bytes().replace(b"SUMMARY:Weekly", b"SUMMARY:Every week"))
    it.settle()
    shown = [(item.start.day, item.start.hour, item.subject) for item in it.outlook.calendar.view(start, end)]
    assert [each[:2] for each in shown] == [(1, 10), (8, 14), (22, 10)], "the exceptions survive an edit of the series"
    assert (shown[0][2], shown[1][2]) == ("Every week", "Moved")


# ---- several items that are one file


def occurrence(day: int, summary: str) -> bytes:
    start, end = f"202612{day:02}T100000Z", f"202612{day:02}T110000Z"
    return ics(event(UID, summary, f"RECURRENCE-ID:{start}", start=start, end=end))


def invite(it: ItemDesk, day: int, summary: str) -> None:
    """Somebody invited us to this occurrence alone: an item of its own, with the UID of the series."""
    from ews_bridge import kinds

    alice = it.server.alice
    form = kinds.of(it.account)[0].form
    assert form is not None
    with connection(it.server.url) as line:
        bin_ = alice.folder_id(alice.folder("deleteditems"))
        ident = alice.folder_id(alice.folder("calendar"))
        store = ItemFolder(line, ident, 1, form=form, trash=bin_, kept=Kept(), ids=lambda _: {})
        data = occurrence(day, summary)
        new = New(Content(lambda: iter((data,))), f"invited-{day}", UID, frozenset())
        ((_, made),) = store.create([(Entry("s", UID), new)])
        assert isinstance(made, Entry), made


def test_single_invitations_to_one_series_are_one_file(it: ItemDesk) -> None:
    invite(it, 8, "Second")
    it.settle()
    invite(it, 1, "First")
    report = it.settle()
    assert not report.notes, "they are no doubles"
    (file,) = it.files("calendar")
    assert whole(file).count("BEGIN:VEVENT") == 2
    invite(it, 15, "Third")
    it.settle()
    assert it.files("calendar") == [file]
    put(it, file.name, file.read_bytes().replace(b"SUMMARY:Second", b"SUMMARY:Mine"))
    assert it.settle().done == {"update remote": 1}
    assert there(it) == ["First", "Mine", "Third"]
    next(item for item in it.outlook.calendar.all() if item.subject == "Third").delete(send_meeting_cancellations="SendToNone")
    it.settle()
    assert whole(file).count("BEGIN:VEVENT") == 2
    text = file.read_bytes().decode()
    first = text[: text.index("END:VEVENT")] + "END:VEVENT\r\nEND:VCALENDAR\r\n"
    kept = "First" if "First" in first else "Mine"
    put(it, file.name, first.encode())
    it.settle()
    assert there(it) == [kept]
    invite(it, 22, "Fourth")
    it.settle()
    alice = it.server.alice
    alice.create_folder(alice.folder("calendar"), "Other", "IPF.Appointment")
    it.settle()
    file.rename(it.home("calendar", "Calendar.Other") / file.name)
    assert it.settle().done == {"move remote": 1}
    assert not there(it)
    (file,) = it.files("calendar")
    file.unlink()
    assert it.settle().done == {"delete remote": 1}
    assert len(list(it.outlook.trash.all())) == 3, "all but the one that its owner deleted for good"


# ---- what takes several requests


def test_an_upload_that_is_cut_off_between_its_requests_is_made_anew_and_whole(it: ItemDesk) -> None:
    data = ics(
        event("with-file", "With a file", "ATTACH;VALUE=BINARY;ENCODING=BASE64;FMTTYPE=text/plain;FILENAME=a.txt:aGVsbG8=")
    )
    file = put(it, "a.ics", data)

    def dies(name: str) -> None:
        if name == "CreateAttachment":
            it.before = lambda _: None
            raise ConnectionAbortedError("the line is dead")

    it.before = dies
    with pytest.raises(EwsBridgeError):
        it.sync()
    (half,) = it.outlook.calendar.all()
    assert not half.attachments
    it.settle()
    (item,) = it.outlook.calendar.all()
    assert [each.content for each in item.attachments] == [b"hello"]
    assert "ATTACH" in whole(file), "the file lost nothing"
    assert len(it.files("calendar")) == 1
    assert not (it.user.state / "conflicts").exists()


def test_an_edit_that_is_cut_off_between_its_requests_is_kept_aside_at_worst(it: ItemDesk) -> None:
    file = put(it, "a.ics", ics(event("e", "Before")))
    it.settle()
    put(it, "a.ics", ics(event("e", "After", ATTACH)))

    def dies(name: str) -> None:
        if name == "UpdateItem":
            it.before = lambda _: None
            raise ConnectionAbortedError("the line is dead")

    it.before = dies
    with pytest.raises(EwsBridgeError):
        it.sync()
    report = it.settle()
    assert len(report.conflicts) == 1
    (aside,) = (it.user.state / "conflicts").iterdir()
    assert b"SUMMARY:After" in aside.read_bytes() and b"aGVsbG8=" in aside.read_bytes()
    assert there(it) == ["Before"] and b"SUMMARY:Before" in file.read_bytes()


def test_an_attachment_alone_is_an_edit_from_either_side(it: ItemDesk) -> None:
    file = put(it, "a.ics", ics(event("e", "Same")))
    it.settle()
    put(it, "a.ics", ics(event("e", "Same", ATTACH)))
    assert it.settle().done == {"update remote": 1}
    (item,) = it.outlook.calendar.all()
    assert [each.content for each in item.attachments] == [b"hello"]
    item.attachments[0].detach()
    assert it.settle().done == {"update local": 1}
    assert b"ATTACH" not in file.read_bytes()


# ---- meetings


def test_nobody_is_mailed_whatever_is_done_to_a_meeting(it: ItemDesk) -> None:
    people = ("ORGANIZER:mailto:alice@example.test", "ATTENDEE;RSVP=TRUE:mailto:bob@example.test")
    file = put(it, "m.ics", ics(event("meeting", "Meeting", *people)))
    it.settle()
    (item,) = it.outlook.calendar.all()
    assert [each.mailbox.email_address for each in item.required_attendees] == ["bob@example.test"]
    put(it, "m.ics", file.read_bytes().replace(b"SUMMARY:Meeting", b"SUMMARY:Moved"))
    it.settle()
    put(it, "m.ics", file.read_bytes().replace(b"T100000Z", b"T090000Z"))
    it.settle()
    file.unlink()
    it.settle()
    assert not there(it)
    assert it.server.stats()["sent"] == 0
    assert not list(it.outlook.sent.all())


def test_a_task_among_events_is_named_and_left_alone(it: ItemDesk) -> None:
    from tests.itemdesk import todo

    file = put(it, "todo.ics", todo("t", "A task"))
    report = it.sync()
    (failure,) = report.failures
    assert failure.what == "todo.ics" and "VTODO" in failure.why
    assert file.exists() and not there(it)
