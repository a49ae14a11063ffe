"""Random events: brought in, they come back meaning the same; edited on either side, they mean what was asked for."""

from __future__ import annotations

from datetime import date
from datetime import datetime
from datetime import timedelta

import icalendar
from hypothesis import HealthCheck
from hypothesis import assume
from hypothesis import given
from hypothesis import reject
from hypothesis import settings
from hypothesis import strategies as st

from ews_bridge.errors import BadItem
from ews_bridge.exchange import asking
from ews_bridge.exchange import contentline
from ews_bridge.exchange import recurrence
from ews_bridge.exchange.contentline import escape
from ews_bridge.exchange.form import Attachment
from ews_bridge.exchange.recurrence import Rule

from .calendar_desk import Desk
from .calendar_desk import calendar
from .sandbox_calls import set_field
from .test_recurrence import patterns

ZONES = ("Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "Europe/Vienna", "UTC", "")

# What a server does to white space at the ends is no difference.
letters = st.characters(
    codec="utf-8", exclude_categories=("Cc", "Cs", "Zl", "Zp", "Cn"), exclude_characters="\u00a0\ufeff\ufffe\uffff"
)
words = st.text(letters, max_size=30).map(lambda text: " ".join(text.split()))
texts = st.lists(words, max_size=4).map(lambda lines: "\n".join(lines).strip())
names = words.map(lambda text: text.replace('"', "")[:20])
addresses = st.from_regex(r"[a-z]{1,8}@example\.(org|com)", fullmatch=True)
starts = st.datetimes(datetime(1999, 1, 1), datetime(2036, 12, 31)).map(
    lambda when: when.replace(second=0, microsecond=0, fold=0)
)
MARKS = """
X-ONE:1
X-TWO;A=b;C="d,e":f\\,g
CONTACT:Bob\\; jr
CLASS:PRIVATE
CLASS:X-OTHER
PRIORITY:2
PRIORITY:9
STATUS:CONFIRMED
STATUS:TENTATIVE
TRANSP:TRANSPARENT
X-MICROSOFT-CDO-BUSYSTATUS:OOF
URL:http://example.org/?a=b,c
SEQUENCE:4
BEGIN:VALARM|ACTION:DISPLAY|TRIGGER:-PT10M|END:VALARM
BEGIN:VALARM|ACTION:EMAIL|TRIGGER:-PT1M|END:VALARM
X-ALT-DESC;FMTTYPE=text/html:<p>Hi <b>you</b></p>
ORGANIZER;CN=Zoe:mailto:zoe@example.net
GEO:1.0;2.0
"""
marks = st.sampled_from([line.replace("|", "\r\n") for line in MARKS.split("\n") if line])


def time_line(name: str, when: datetime, zone: str, *, all_day: bool) -> str:
    if all_day:
        return f"{name};VALUE=DATE:{when:%Y%m%d}"
    return (
        f"{name}:{when:%Y%m%dT%H%M%S}{'Z' * (zone == 'UTC')}"
        if zone in ("", "UTC")
        else f"{name};TZID={zone}:{when:%Y%m%dT%H%M%S}"
    )


@st.composite
def bodies(draw: st.DrawFn) -> list[str]:
    """The lines of an event beside its times."""
    lines = [f"SUMMARY:{escape(draw(words))}", f"LOCATION:{escape(draw(words))}", f"DESCRIPTION:{escape(draw(texts))}"]
    found = draw(st.lists(names.filter(bool), max_size=3))
    lines += [f"CATEGORIES:{','.join(map(escape, found))}"] if found else []
    lines += sorted({one.partition(":")[0].partition(";")[0]: one for one in draw(st.lists(marks, max_size=5))}.values())
    for address in sorted(set(draw(st.lists(addresses, max_size=3)))):
        role = draw(st.sampled_from(("ROLE=REQ-PARTICIPANT", "ROLE=OPT-PARTICIPANT", "CUTYPE=ROOM", "PARTSTAT=ACCEPTED")))
        lines.append(f"ATTENDEE;{role}:mailto:{address}")
    return lines


@st.composite
def files(draw: st.DrawFn) -> bytes:
    """Single events, and series with changed and deleted occurrences."""
    zone, all_day, start = draw(st.sampled_from(ZONES)), draw(st.booleans()), draw(starts)
    length = timedelta(days=draw(st.integers(1, 3))) if all_day else timedelta(minutes=draw(st.integers(0, 300)))
    rule = draw(st.none() | patterns)
    if rule:
        start = datetime.combine(next(rule.occurrences(start.date())), start.time())
    end = draw(st.sampled_from(("", "COUNT=7", "UNTIL"))) if rule else ""
    until = f"{start + timedelta(days=draw(st.integers(0, 900))):%Y%m%d}"

    def head(when: datetime) -> list[str]:
        ends = time_line("DTEND", when + length, zone, all_day=all_day)
        return [time_line("DTSTART", when, zone, all_day=all_day), ends]

    lines = ["BEGIN:VEVENT", "UID:random@example.org", *head(start), *draw(bodies())]
    exceptions: list[str] = []
    if rule:
        value = recurrence.to_rrule(rule, start.date(), "")
        lines.append(f"RRULE:{value}" + {"": "", "COUNT=7": ";COUNT=7", "UNTIL": f";UNTIL={until}"}[end])
        first = some(rule, start.date(), 6)
        deleted = draw(st.sets(st.sampled_from(first), max_size=2)) if len(first) > 3 else set()
        changed = draw(st.sets(st.sampled_from(first), max_size=2)) - deleted
        for day in sorted(deleted):
            lines.append(time_line("EXDATE", datetime.combine(day, start.time()), zone, all_day=all_day))
        for day in sorted(changed):
            original = datetime.combine(day, start.time())
            exceptions += ["BEGIN:VEVENT", "UID:random@example.org", time_line("RECURRENCE-ID", original, zone, all_day=all_day)]
            exceptions += [*head(original), *draw(bodies()), "END:VEVENT"]
    return calendar(*lines, "END:VEVENT", *exceptions)


def some(rule: Rule, start: date, count: int) -> list[date]:
    return [day for _, day in zip(range(count), rule.occurrences(start), strict=False)]


def brought_in(desk: Desk, data: bytes) -> str:
    """The id; events that Exchange refuses for what they are do not count here."""
    try:
        desk.form.creation(data)
    except BadItem:
        reject()
    return desk.put(data)


def plain(data: bytes) -> bytes:
    return contentline.fold(line for line in contentline.unfold(data.decode()) if not line.startswith("X-ALT-DESC"))


SLOW = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))


@SLOW
@given(files())
def test_what_is_brought_in_comes_back_meaning_the_same(data: bytes) -> None:
    desk = Desk()
    ident = brought_in(desk, data)
    out = desk.file(ident)
    assert desk.meaning(out) == desk.meaning(data), out.decode()
    assert not desk.form.changes(desk.snapshot(ident), out)
    assert not desk.form.changes(desk.snapshot(ident), data)
    assert desk.file(ident) == out
    assert all(len(line) <= 75 for line in out.split(b"\r\n"))


@SLOW
@given(files(), files())
def test_an_edit_makes_the_item_mean_what_the_file_says(data: bytes, wanted: bytes) -> None:
    # A meeting whose ORGANIZER is dropped, and not its people, keeps him.
    assume(b"ORGANIZER" in wanted or b"ATTENDEE" not in wanted or b"ORGANIZER" not in data)
    desk = Desk()
    ident = brought_in(desk, data)
    try:
        desk.form.creation(wanted)
        desk.form.changes(desk.snapshot(ident), wanted)
    except BadItem:
        reject()
    desk.edit(ident, wanted)
    out = desk.file(ident)
    # Where the text was edited and the HTML beside it was not, the HTML goes.
    assert desk.meaning(plain(out)) == desk.meaning(plain(wanted)), out.decode()


@SLOW
@given(files(), words.filter(bool), words.filter(bool))
def test_edits_on_both_sides_of_different_fields_keep_everything(data: bytes, title: str, place: str) -> None:
    desk = Desk()
    ident = brought_in(desk, data)
    desk.update(
        asking.item_id(ident),
        set_field("calendar:Location", f"<t:Location>{asking.attribute(place)}</t:Location>", "CalendarItem"),
    )
    both = desk.file(ident)
    lines = [f"SUMMARY:{escape(title)}" if line.startswith("SUMMARY") else line for line in contentline.unfold(both.decode())]
    assume(any(line.startswith("SUMMARY") for line in lines))
    wanted = contentline.fold(lines)
    desk.edit(ident, wanted)
    assert desk.meaning(desk.file(ident)) == desk.meaning(wanted)


@settings(SLOW, max_examples=15)
@given(files(), st.integers(0, 1), words.filter(bool))
def test_what_is_attached_to_one_occurrence_stays_with_it(data: bytes, index: int, title: str) -> None:
    desk = Desk()
    ident = brought_in(desk, data)
    changed = desk.form.companions(desk.snapshot(ident).element).occurrences
    assume(len(changed) > index)
    desk.attach(changed[index], Attachment("note.txt", "text/plain", b"bring ink"))
    out = desk.file(ident)
    assert out.count(b"note.txt") == 1
    assert not desk.form.changes(desk.snapshot(ident), out)
    lines = [f"SUMMARY:{escape(title)}" if line.startswith("SUMMARY") else line for line in contentline.unfold(out.decode())]
    desk.edit(ident, contentline.fold(lines))
    after = desk.file(ident)
    assert desk.meaning(after) == desk.meaning(contentline.fold(lines))
    assert after.count(b"note.txt") == 1
    assert [desk.names(one) for one in changed] == [["note.txt"] if one == changed[index] else [] for one in changed]


@SLOW
@given(files())
def test_a_file_that_another_library_writes_anew_means_the_same(data: bytes) -> None:
    desk = Desk()
    ident = brought_in(desk, data)
    anew = icalendar.Calendar.from_ical(desk.file(ident)).to_ical()
    assert desk.meaning(anew) == desk.meaning(data), anew.decode()
    assert not desk.form.changes(desk.snapshot(ident), anew)
