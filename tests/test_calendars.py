"""Calendars by the whole program: series and their occurrences, attachments, meetings, and what nobody must be mailed of."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from exchangelib import CalendarItem
from exchangelib import EWSDateTime
from exchangelib import EWSTimeZone
from exchangelib import FileAttachment

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


def test_two_files_are_taken_away_at_once(it: ItemDesk) -> None:
    file = put(it, "a.ics", ics(event("e", "Same", ATTACH, ATTACH.replace("a.txt", "b.txt"))))
    it.settle()
    (item,) = it.outlook.calendar.all()
    assert len(item.attachments) == 2
    put(it, "a.ics", ics(event("e", "Same")))
    assert it.settle().done == {"update remote": 1}
    (item,) = it.outlook.calendar.all()
    assert not item.attachments
    assert b"ATTACH" not in file.read_bytes()


def day(it: ItemDesk, number: int) -> CalendarItem:
    """What is on a day of December."""
    start, end = (EWSDateTime(2026, 12, each, tzinfo=BERLIN) for each in (number, number + 1))
    (found,) = it.outlook.calendar.view(start, end)
    found.refresh()
    return found


def test_a_file_of_one_occurrence_is_seen_kept_and_taken_away(it: ItemDesk) -> None:
    file = put(it, "a.ics", ics(event("e", "Daily", "RRULE:FREQ=DAILY;COUNT=3")))
    it.settle()
    day(it, 2).attach(FileAttachment(name="note.txt", content=b"bring ink"))
    assert it.settle().done == {"update local": 1}
    series, _, changed = whole(file).partition("RECURRENCE-ID")
    assert ("note.txt" in series, "note.txt" in changed) == (False, True)
    put(it, "a.ics", whole(file).replace("SUMMARY:Daily", "SUMMARY:Every day").encode())
    assert it.settle().done == {"update remote": 1}
    assert [each.content for each in day(it, 2).attachments] == [b"bring ink"]
    lines = [line for line in whole(file).splitlines() if not line.startswith("ATTACH")]
    put(it, "a.ics", "\r\n".join([*lines, ""]).encode())
    assert it.settle().done == {"update remote": 1}
    assert not day(it, 2).attachments
    assert not it.settle().done


# ---- the window


def year(number: int) -> dict[str, str]:
    """A time in it, as `event` takes it."""
    return {"start": f"{number}0301T100000Z", "end": f"{number}0301T110000Z"}


def summaries(it: ItemDesk) -> list[str]:
    """Of the files, one for each."""
    return sorted(whole(file).partition("SUMMARY:")[2].partition("\r\n")[0] for file in it.files("calendar"))


@pytest.fixture
def history(it: ItemDesk) -> ItemDesk:
    """What ended long ago, what began then and still goes on, and what is to come; on both sides."""
    put(it, "past.ics", ics(event("past", "Past", **year(2020))))
    put(it, "ended.ics", ics(event("ended", "Ended", "RRULE:FREQ=YEARLY;COUNT=3", **year(2019))))
    put(it, "runs.ics", ics(event("runs", "Runs", "RRULE:FREQ=YEARLY", **year(2019))))
    put(it, "lasts.ics", ics(event("lasts", "Lasts", "RRULE:FREQ=YEARLY;UNTIL=20900301T100000Z", **year(2019))))
    put(it, "future.ics", ics(event("future", "Future", **year(2090))))
    it.settle()
    return it


OLD, YOUNG = ["Ended", "Past"], ["Future", "Lasts", "Runs"]


def test_a_window_forgets_what_is_over_and_gives_it_back_and_the_server_keeps_all(history: ItemDesk) -> None:
    it = history
    for since, files in (("1y", YOUNG), ("90y", sorted(OLD + YOUNG)), ("30d", YOUNG), ("", sorted(OLD + YOUNG))):
        it.configure(calendar=f'since = "{since}"' if since else "")
        it.settle()
        assert summaries(it) == files
        assert there(it) == sorted(OLD + YOUNG)
    assert not list(it.outlook.trash.all())


def test_what_is_deleted_within_the_window_takes_nothing_with_it_that_is_outside(history: ItemDesk) -> None:
    it = history
    it.configure(calendar='since = "1y"')
    it.settle()
    it.file("calendar", "SUMMARY:Future").unlink()
    assert it.settle().done == {"delete remote": 1}
    for item in it.outlook.calendar.all():
        if item.subject == "Runs":
            item.delete()
    assert it.settle().done == {"delete local": 1}
    assert (summaries(it), there(it)) == (["Lasts"], ["Ended", "Lasts", "Past"])
    it.configure(calendar="")
    it.settle()
    assert summaries(it) == ["Ended", "Lasts", "Past"]


def test_an_edit_takes_an_event_out_of_the_window_and_into_it(history: ItemDesk) -> None:
    it = history
    it.configure(calendar='since = "1y"')
    it.settle()
    past = next(item for item in it.outlook.calendar.all() if item.subject == "Past")
    past.location = "Attic"
    past.save(update_fields=["location"], send_meeting_invitations="SendToNone")
    assert not it.settle().done, "an edit of what is over brings nothing here"
    past.start, past.end = (EWSDateTime(2091, 3, 1, hour, tzinfo=BERLIN) for hour in (10, 11))
    past.save(update_fields=["start", "end"], send_meeting_invitations="SendToNone")
    assert it.settle().done == {"download": 1}
    assert "LOCATION:Attic" in whole(it.file("calendar", "SUMMARY:Past"))
    put(it, "future.ics", ics(event("future", "Moved", **year(2021))))
    report = it.settle()
    assert report.done == {"update remote": 1, "forgotten": 1}
    put(it, "new.ics", ics(event("new", "New and old", **year(2018))))
    assert it.settle().done == {"upload": 1, "forgotten": 1}
    assert summaries(it) == ["Lasts", "Past", "Runs"]
    assert there(it) == ["Ended", "Lasts", "Moved", "New and old", "Past", "Runs"]


def test_a_file_that_is_brought_back_into_a_narrow_window_deletes_and_doubles_nothing(history: ItemDesk) -> None:
    it = history
    old = it.file("calendar", "SUMMARY:Past").read_bytes()
    it.configure(calendar='since = "1y"')
    it.settle()
    put(it, "again.ics", old)
    it.settle()
    put(it, "again.ics", old.replace(b"SUMMARY:Past", b"SUMMARY:Recalled"))
    report = it.settle()
    assert len(report.conflicts) == 1, "of two versions that nobody has seen together neither is lost"
    assert (summaries(it), there(it)) == (YOUNG, sorted(OLD + YOUNG))


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
