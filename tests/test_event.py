"""The calendar's codec against the sandbox: what a file says reaches the server and comes back; edits write what changed."""

from __future__ import annotations

import base64
import os
import re
from datetime import UTC
from datetime import datetime
from pathlib import Path

import pytest
from lxml import etree

from ews_bridge.errors import BadItem
from ews_bridge.exchange import asking
from ews_bridge.exchange import globalid
from ews_bridge.exchange import soap
from ews_bridge.exchange import zones
from ews_bridge.exchange.event import Events
from ews_bridge.exchange.eventfiles import INLINE
from ews_bridge.exchange.eventpeople import Owner
from ews_bridge.exchange.form import Attachment
from ews_bridge.exchange.form import Snapshot

from .calendar_desk import ALICE
from .calendar_desk import HOME
from .calendar_desk import Desk
from .calendar_desk import T
from .calendar_desk import calendar
from .calendar_desk import event
from .sandbox_calls import set_field

DATA = Path(__file__).parent / "data/calendar"
CORPUS = os.environ.get("EWS_BRIDGE_CORPUS")
BERLIN = ("DTSTART;TZID=Europe/Berlin:20261012T090000", "DTEND;TZID=Europe/Berlin:20261012T093000")
WEEKLY = (*BERLIN, "SUMMARY:Standup", "RRULE:FREQ=WEEKLY;COUNT=4")


@pytest.fixture
def desk() -> Desk:
    return Desk()


def lines(data: bytes) -> list[str]:
    """A file's lines, unfolded."""
    return data.decode().replace("\r\n ", "").split("\r\n")


def there_and_back(desk: Desk, data: bytes) -> list[str]:
    """The lines of a file that was brought in and rendered again; the meaning is the same, and nothing is left to be done."""
    ident = desk.put(data)
    out = desk.file(ident)
    assert desk.meaning(out) == desk.meaning(data), out.decode()
    assert not desk.form.changes(desk.snapshot(ident), out)
    assert not desk.form.changes(desk.snapshot(ident), data)
    assert desk.file(ident) == out
    return lines(out)


def edited(desk: Desk, data: bytes, *pairs: tuple[str, str]) -> tuple[bytes, str, list[str]]:
    """(the file after an edit, the updates that it took, the lines that the server then makes of it)"""
    ident = desk.put(data)
    text = desk.file(ident).decode().replace("\r\n ", "")
    for old, new in pairs:
        assert old in text, (old, text)
        text = text.replace(old, new)
    changes = desk.edit(ident, text.encode())
    out = desk.file(ident)
    assert desk.meaning(out) == desk.meaning(text.encode()), out.decode()
    assert not desk.form.changes(desk.snapshot(ident), out)
    touched = changes.xml + "".join(f"[{one.index} {one.updates}]" for one in changes.occurrences)
    return text.encode(), touched, lines(out)


def paths(updates: str) -> list[str]:
    """The fields that updates name."""
    root = etree.fromstring(f'<x xmlns:t="{soap.TYPES}">{updates}</x>')
    return [str(one[0].get("FieldURI") or one[0].get("PropertyName")) for one in root]


# ---- what Exchange says, and its file


def test_a_series_of_exchange_is_the_file_beside_it() -> None:
    master, changed = etree.parse(DATA / "review.xml").getroot()
    form = Events(HOME, Owner((ALICE,)))
    companions = form.companions(master)
    assert companions.occurrences == ("AAMkAGReviewNov",)
    assert companions.attachments == ("AAMkAGReviewPlan",)
    snapshot = Snapshot(master, (changed,), {"AAMkAGReviewPlan": b"1. sync\n"})
    assert form.render(snapshot).decode() == (DATA / "review.ics").read_bytes().decode()
    assert not form.changes(snapshot, form.render(snapshot))


# ---- times


def test_a_zoned_event_keeps_its_zone_and_has_it_described(desk: Desk) -> None:
    out = there_and_back(desk, event(*BERLIN, "SUMMARY:Standup"))
    assert "DTSTART;TZID=Europe/Berlin:20261012T090000" in out
    assert out.index("TZID:Europe/Berlin") < out.index("BEGIN:VEVENT")


def test_the_server_gets_the_moment_and_the_windows_name(desk: Desk) -> None:
    ident = desk.put(event(*BERLIN))
    element = desk.snapshot(ident).element
    assert soap.text(element, "Start") == "2026-10-12T07:00:00Z"
    assert soap.attribute(element, "StartTimeZone", "Id") == "W. Europe Standard Time"


@pytest.mark.parametrize("name", ["Europe/Vienna", "America/Detroit", "Asia/Calcutta", "Africa/Lagos"])
def test_a_zone_that_the_server_calls_otherwise_comes_back_by_its_own_name(desk: Desk, name: str) -> None:
    data = event(f"DTSTART;TZID={name}:20261012T090000", f"DTEND;TZID={name}:20261012T093000", "RRULE:FREQ=DAILY;COUNT=3")
    assert f"DTSTART;TZID={name}:20261012T090000" in there_and_back(desk, data)


def test_when_another_client_moves_it_to_another_zone_that_wins(desk: Desk) -> None:
    ident = desk.put(event("DTSTART;TZID=Europe/Vienna:20261012T090000", "DTEND;TZID=Europe/Vienna:20261012T093000"))
    zone = '<t:StartTimeZone Id="Tokyo Standard Time"/>'
    start = "<t:Start>2026-10-12T06:00:00Z</t:Start>"
    updates = (set_field("calendar:StartTimeZone", zone, "CalendarItem"), set_field("calendar:Start", start, "CalendarItem"))
    desk.update(asking.item_id(ident), "".join(updates))
    assert "DTSTART;TZID=Asia/Tokyo:20261012T150000" in lines(desk.file(ident))


def test_a_moment_in_a_zone_that_exchange_does_not_have_keeps_it(desk: Desk) -> None:
    data = event("DTSTART;TZID=Antarctica/Troll:20261012T090000", "DTEND;TZID=Antarctica/Troll:20261012T100000")
    assert "DTSTART;TZID=Antarctica/Troll:20261012T090000" in there_and_back(desk, data)


def test_utc_and_floating_times_stay_what_they_are(desk: Desk) -> None:
    assert "DTSTART:20261012T090000Z" in there_and_back(desk, event("DTSTART:20261012T090000Z", "DTEND:20261012T093000Z"))
    out = there_and_back(desk, event("DTSTART:20261012T090000", "DTEND:20261012T093000", uid="floating"))
    assert "DTSTART:20261012T090000" in out
    assert "BEGIN:VTIMEZONE" not in out


def test_start_and_end_may_be_in_two_zones(desk: Desk) -> None:
    out = there_and_back(desk, event("DTSTART;TZID=Europe/Berlin:20261012T090000", "DTEND;TZID=Asia/Tokyo:20261012T200000"))
    assert "DTEND;TZID=Asia/Tokyo:20261012T200000" in out
    assert {"TZID:Europe/Berlin", "TZID:Asia/Tokyo"} < set(out)


@pytest.mark.parametrize("home", ["Europe/Berlin", "America/Los_Angeles", "Pacific/Auckland", "Pacific/Honolulu", "Asia/Kolkata"])
def test_all_day_events_are_the_same_days_in_every_zone(home: str) -> None:
    zone = zones.from_iana(home)
    assert zone
    desk = Desk(home=zone)
    out = there_and_back(desk, event("DTSTART;VALUE=DATE:20261024", "DTEND;VALUE=DATE:20261027", "RRULE:FREQ=YEARLY"))
    assert {"DTSTART;VALUE=DATE:20261024", "DTEND;VALUE=DATE:20261027"} < set(out)


def test_all_day_series_from_the_other_side_of_the_date_line_keep_their_days() -> None:
    auckland = zones.Zone("New Zealand Standard Time", "Pacific/Auckland")
    there = Desk(home=auckland)
    whole = ("BEGIN:VEVENT", "UID:s", "DTSTART;VALUE=DATE:20261024", "RRULE:FREQ=DAILY;COUNT=6", "EXDATE;VALUE=DATE:20261026")
    changed = (
        "BEGIN:VEVENT",
        "UID:s",
        "RECURRENCE-ID;VALUE=DATE:20261028",
        "SUMMARY:x",
        "DTSTART;VALUE=DATE:20261028",
        "END:VEVENT",
    )
    data = calendar(*whole, "END:VEVENT", *changed)
    ident = there.put(data)
    here = Desk(there.client, home=zones.Zone("Hawaiian Standard Time", "Pacific/Honolulu"))
    assert here.meaning(here.file(ident)) == here.meaning(data)
    assert not here.form.changes(here.snapshot(ident), data)


def test_a_floating_series_is_the_same_for_who_lives_elsewhere(desk: Desk) -> None:
    data = calendar(
        *("BEGIN:VEVENT", "UID:s", "DTSTART:20261012T090000", "DTEND:20261012T093000", "RRULE:FREQ=DAILY;COUNT=6"),
        *("EXDATE:20261014T090000", "END:VEVENT", "BEGIN:VEVENT", "UID:s", "RECURRENCE-ID:20261015T090000", "SUMMARY:x"),
        *("DTSTART:20261015T100000", "DTEND:20261015T103000", "END:VEVENT"),
    )
    ident = desk.put(data)
    there = Desk(desk.client, home=zones.Zone("Tokyo Standard Time", "Asia/Tokyo"))
    assert there.meaning(there.file(ident)) == there.meaning(data)


@pytest.mark.parametrize("zone", ["Europe/Berlin", "Australia/Lord_Howe", "America/New_York"])
def test_occurrences_are_found_where_the_server_has_other_rules_for_the_clocks(desk: Desk, zone: str) -> None:
    data = calendar(
        *("BEGIN:VEVENT", "UID:s", f"DTSTART;TZID={zone}:20000325T000000", f"DTEND;TZID={zone}:20000325T003000"),
        *("RRULE:FREQ=DAILY", *(f"EXDATE;TZID={zone}:200004{day:02}T000000" for day in range(1, 30, 3)), "END:VEVENT"),
        *("BEGIN:VEVENT", "UID:s", f"RECURRENCE-ID;TZID={zone}:20000403T000000", "SUMMARY:x"),
        *(f"DTSTART;TZID={zone}:20000403T000000", f"DTEND;TZID={zone}:20000403T003000", "END:VEVENT"),
    )
    there_and_back(desk, data)


def test_an_all_day_event_that_somebody_made_elsewhere_is_that_day_here(desk: Desk) -> None:
    ident = Desk(desk.client, home=zones.Zone("Tokyo Standard Time", "Asia/Tokyo")).put(event("DTSTART;VALUE=DATE:20261024"))
    assert "DTSTART;VALUE=DATE:20261024" in lines(desk.file(ident))


@pytest.mark.parametrize(
    ("given", "same"),
    [
        ("DURATION:PT30M", "DTEND;TZID=Europe/Berlin:20261012T093000"),
        ("DURATION:P1DT1H", "DTEND;TZID=Europe/Berlin:20261013T100000"),
        ("X-NO-END:1", "DTEND;TZID=Europe/Berlin:20261012T090000"),
    ],
)
def test_an_end_may_be_given_in_other_ways(desk: Desk, given: str, same: str) -> None:
    assert same in there_and_back(desk, event(BERLIN[0], given))


@pytest.mark.parametrize("end", ["DTEND;VALUE=DATE:20261012", "X-NO-END:1", "DURATION:P1D"])
def test_a_day_without_a_length_is_one_day(desk: Desk, end: str) -> None:
    assert "DTEND;VALUE=DATE:20261013" in there_and_back(desk, event("DTSTART;VALUE=DATE:20261012", end))


def test_a_length_in_hours_is_time_that_passes_when_the_clocks_change(desk: Desk) -> None:
    out = there_and_back(desk, event("DTSTART;TZID=Europe/Berlin:20261024T220000", "DURATION:PT8H"))
    assert "DTEND;TZID=Europe/Berlin:20261025T050000" in out


def test_a_time_that_the_clocks_leave_out_is_an_hour_later(desk: Desk) -> None:
    out = there_and_back(desk, event("DTSTART;TZID=Europe/Berlin:20260329T023000", "DTEND;TZID=Europe/Berlin:20260329T040000"))
    assert "DTSTART;TZID=Europe/Berlin:20260329T033000" in out


def test_the_second_of_two_like_hours_is_told_in_utc(desk: Desk) -> None:
    ident = desk.put(event("DTSTART;TZID=Europe/Berlin:20261025T023000", "DTEND;TZID=Europe/Berlin:20261025T040000"))
    assert "DTSTART;TZID=Europe/Berlin:20261025T023000" in lines(desk.file(ident))
    start = "<t:Start>2026-10-25T01:30:00Z</t:Start>"
    desk.update(asking.item_id(ident), set_field("calendar:Start", start, "CalendarItem"))
    assert "DTSTART:20261025T013000Z" in lines(desk.file(ident))


CUSTOM = (
    *("BEGIN:VTIMEZONE", "TZID:Our own", "BEGIN:STANDARD", "DTSTART:19700101T030000", "RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU"),
    *("TZOFFSETFROM:+0200", "TZOFFSETTO:+0100", "END:STANDARD", "BEGIN:DAYLIGHT", "DTSTART:19700101T020000"),
    *("RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU", "TZOFFSETFROM:+0100", "TZOFFSETTO:+0200", "END:DAYLIGHT", "END:VTIMEZONE"),
)
IN_CUSTOM = ("BEGIN:VEVENT", "UID:1", "DTSTART;TZID=Our own:20261012T090000", "DTEND;TZID=Our own:20261012T093000")


def test_a_zone_of_somebodys_own_is_the_one_that_does_the_same(desk: Desk) -> None:
    data = calendar(*CUSTOM, *IN_CUSTOM, "RRULE:FREQ=DAILY", "END:VEVENT")
    ident = desk.put(data)
    element = desk.snapshot(ident).element
    assert soap.text(element, "Start") == "2026-10-12T07:00:00Z"
    assert soap.attribute(element, "StartTimeZone", "Id") in ("Central Europe Standard Time", "W. Europe Standard Time")


def test_two_zones_of_one_name_and_different_rules_do_not_meet(desk: Desk) -> None:
    other = "\n".join(CUSTOM).replace("+0200", "+0900").replace("+0100", "+0900").split("\n")
    first = desk.put(calendar(*CUSTOM, *IN_CUSTOM, "END:VEVENT"))
    second = desk.put(calendar(*other, *IN_CUSTOM, "END:VEVENT"))
    assert soap.text(desk.snapshot(first).element, "Start") == "2026-10-12T07:00:00Z"
    assert soap.text(desk.snapshot(second).element, "Start") == "2026-10-12T00:00:00Z"


def test_a_series_in_a_zone_that_does_what_none_of_exchanges_does_is_refused(desk: Desk) -> None:
    strange = "\n".join(CUSTOM).replace("+0200", "+0217").split("\n")
    with pytest.raises(BadItem, match="no time zone that does what Our own does"):
        desk.form.creation(calendar(*strange, *IN_CUSTOM, "RRULE:FREQ=DAILY", "END:VEVENT"))


@pytest.mark.parametrize("given", ["DTSTART;TZID=Nowhere/Land:20261012T090000", "DTSTART:2026", "DTSTART:20261340T000000"])
def test_times_that_nothing_explains_are_refused(desk: Desk, given: str) -> None:
    with pytest.raises(BadItem):
        desk.form.read(event(given))


def test_an_event_from_before_the_clocks_were_changed_keeps_its_hour(desk: Desk) -> None:
    data = event("DTSTART;TZID=Europe/Berlin:19650701T090000", "DTEND;TZID=Europe/Berlin:19650701T100000", "RRULE:FREQ=YEARLY")
    assert "DTSTART;TZID=Europe/Berlin:19650701T090000" in there_and_back(desk, data)


# ---- series


def test_a_series_with_a_changed_and_a_deleted_occurrence_is_one_file(desk: Desk) -> None:
    out = there_and_back(
        desk,
        calendar(
            *("BEGIN:VEVENT", "UID:s", *WEEKLY, "EXDATE;TZID=Europe/Berlin:20261019T090000", "END:VEVENT"),
            *("BEGIN:VEVENT", "UID:s", "RECURRENCE-ID;TZID=Europe/Berlin:20261026T090000", "SUMMARY:Standup, later"),
            *("DTSTART;TZID=Europe/Berlin:20261026T110000", "DTEND;TZID=Europe/Berlin:20261026T113000", "END:VEVENT"),
        ),
    )
    assert {"RRULE:FREQ=WEEKLY;BYDAY=MO;COUNT=4", "EXDATE;TZID=Europe/Berlin:20261019T090000"} < set(out)
    assert {"RECURRENCE-ID;TZID=Europe/Berlin:20261026T090000", "DTSTART;TZID=Europe/Berlin:20261026T110000"} < set(out)
    assert out.count("UID:s") == 2


@pytest.mark.parametrize(
    "original",
    ["RECURRENCE-ID:20261026T080000Z", "RECURRENCE-ID;VALUE=DATE:20261026", "RECURRENCE-ID;TZID=Asia/Tokyo:20261026T170000"],
)
def test_an_occurrence_is_found_by_its_moment_or_its_day(desk: Desk, original: str) -> None:
    later = [line.replace("20261012", "20261027") for line in BERLIN]
    data = calendar(
        *("BEGIN:VEVENT", "UID:s", *WEEKLY, "END:VEVENT"),
        *("BEGIN:VEVENT", "UID:s", original, *later, "SUMMARY:Other", "END:VEVENT"),
    )
    assert "RECURRENCE-ID;TZID=Europe/Berlin:20261026T090000" in there_and_back(desk, data)


@pytest.mark.parametrize(
    ("until", "count"),
    [
        ("20261102T080000Z", 4),
        ("20261102T075959Z", 3),
        ("20261102", 4),
        ("20261101", 3),
        ("20261102T090000", 4),
        ("20261101T235959Z", 3),
    ],
)
def test_until_is_understood_in_all_its_forms(desk: Desk, until: str, count: int) -> None:
    ident = desk.put(event(*BERLIN, f"RRULE:FREQ=WEEKLY;UNTIL={until}"))
    last = {4: "20261102T080000Z", 3: "20261026T080000Z"}[count]
    assert f"RRULE:FREQ=WEEKLY;BYDAY=MO;UNTIL={last}" in lines(desk.file(ident))
    there_and_back(Desk(), event(*BERLIN, f"RRULE:FREQ=WEEKLY;UNTIL={until}"))


def test_an_all_day_series_ends_on_a_date(desk: Desk) -> None:
    out = there_and_back(
        desk, event("DTSTART;VALUE=DATE:20261012", "RRULE:FREQ=DAILY;UNTIL=20261020", "EXDATE;VALUE=DATE:20261014")
    )
    assert {"RRULE:FREQ=DAILY;UNTIL=20261020", "EXDATE;VALUE=DATE:20261014"} < set(out)


def test_what_is_deleted_and_never_was_means_nothing_and_is_kept(desk: Desk) -> None:
    out = there_and_back(desk, event(*WEEKLY, "EXDATE:20261013T070000Z"))
    assert "EXDATE:20261013T070000Z" in out


def test_a_further_date_that_is_none_is_kept_and_any_other_is_refused(desk: Desk) -> None:
    assert "RDATE;TZID=Europe/Berlin:20261019T090000" in there_and_back(
        desk, event(*WEEKLY, "RDATE;TZID=Europe/Berlin:20261019T090000")
    )
    with pytest.raises(BadItem, match="single further dates: RDATE:20261020T070000Z"):
        desk.form.creation(event(*WEEKLY, "RDATE:20261020T070000Z"))


@pytest.mark.parametrize(
    ("more", "why"),
    [
        (("EXRULE:FREQ=DAILY",), "an EXRULE"),
        (("RRULE:FREQ=DAILY",), "a second RRULE"),
        (("RDATE;VALUE=PERIOD:20261020T070000Z/PT1H",), "single further dates"),
        (("EXDATE:20261012T070000Z,20261019T070000Z,20261026T080000Z,20261102T080000Z",), "all its occurrences are deleted"),
    ],
)
def test_what_a_series_cannot_be_is_refused_by_name(desk: Desk, more: tuple[str, ...], why: str) -> None:
    with pytest.raises(BadItem, match=why):
        desk.form.creation(event(*WEEKLY, *more))


@pytest.mark.parametrize(
    ("original", "why"),
    [
        ("RECURRENCE-ID;TZID=Europe/Berlin:20261027T090000", "has none there"),
        ("RECURRENCE-ID;RANGE=THISANDFUTURE;TZID=Europe/Berlin:20261026T090000", "from one on"),
    ],
)
def test_what_an_occurrence_cannot_be_is_refused_by_name(desk: Desk, original: str, why: str) -> None:
    data = calendar("BEGIN:VEVENT", "UID:s", *WEEKLY, "END:VEVENT", "BEGIN:VEVENT", "UID:s", original, *BERLIN, "END:VEVENT")
    with pytest.raises(BadItem, match=why):
        desk.form.creation(data)


def test_a_changed_occurrence_that_says_what_the_series_says_is_none(desk: Desk) -> None:
    same = calendar(
        *("BEGIN:VEVENT", "UID:s", *WEEKLY, "END:VEVENT", "BEGIN:VEVENT", "UID:s", "SUMMARY:Standup"),
        *("RECURRENCE-ID;TZID=Europe/Berlin:20261019T090000", "DTSTART;TZID=Europe/Berlin:20261019T090000"),
        *("DTEND;TZID=Europe/Berlin:20261019T093000", "END:VEVENT"),
    )
    plain = event(*WEEKLY, uid="s")
    assert desk.meaning(same) == desk.meaning(plain)
    assert not desk.form.creation(same)[1].occurrences


# ---- fields


def test_every_field_arrives_on_the_server(desk: Desk) -> None:
    ident = desk.put(
        event(
            *(*BERLIN, "SUMMARY:Plan\\, again", "DESCRIPTION:One\\nTwo\\; three", "LOCATION:Room 1", "CATEGORIES:Blue,Red\\,ish"),
            *("CLASS:CONFIDENTIAL", "PRIORITY:1", "TRANSP:TRANSPARENT", "BEGIN:VALARM", "ACTION:DISPLAY", "TRIGGER:-PT10M"),
            *("DESCRIPTION:x", "END:VALARM"),
        )
    )
    element = desk.snapshot(ident).element
    expected = {
        "UID": "meeting-1@example.org",
        "Subject": "Plan, again",
        "Location": "Room 1",
        "Sensitivity": "Confidential",
        "Importance": "High",
        "LegacyFreeBusyStatus": "Free",
        "ReminderIsSet": "true",
        "ReminderMinutesBeforeStart": "10",
        "Body": "One\nTwo; three",
    }
    assert {name: soap.text(element, name).replace("\r", "") for name in expected} == expected
    assert [one.text for one in element.iterfind(f"{T}Categories/{T}String")] == ["Blue", "Red,ish"]


def test_no_reminder_is_said_so_because_exchange_has_one_by_default(desk: Desk) -> None:
    assert "<t:ReminderIsSet>false</t:ReminderIsSet>" in desk.form.creation(event(*BERLIN))[1].xml


@pytest.mark.parametrize(
    "line",
    [
        *("CLASS:PRIVATE", "CLASS:X-PERSONAL", "CLASS:X-SECRET", "PRIORITY:3", "PRIORITY:7", "PRIORITY:5", "STATUS:CONFIRMED"),
        *(
            "STATUS:CANCELLED",
            "STATUS:TENTATIVE",
            "X-MICROSOFT-CDO-BUSYSTATUS:OOF",
            "X-MICROSOFT-CDO-BUSYSTATUS:WORKINGELSEWHERE",
        ),
        *("URL:https://example.org/a?b=c,d;e", "GEO:48.2;16.3", 'X-UNKNOWN;A=b;C="d,e":f\\,g\\nh', "COMMENT:Hm", "COLOR:red"),
        *("SUMMARY;LANGUAGE=de:Besprechung", 'LOCATION;ALTREP="http://x.org":Hier', "CONTACT:Bob", "CREATED:20200101T000000Z"),
        *(
            "SEQUENCE:3",
            "ATTACH:https://example.org/plan.pdf",
            "X-APPLE-TRAVEL-DURATION;VALUE=DURATION:PT30M",
            "RELATED-TO:other",
        ),
        *("ORGANIZER;CN=Bob:mailto:bob@example.org", "ATTENDEE;CN=Carol;PARTSTAT=ACCEPTED;X-A=b:mailto:carol@example.org"),
        *("ATTENDEE;CN=Alice;PARTSTAT=ACCEPTED:mailto:alice@example.test", "ATTENDEE;PARTSTAT=NEEDS-ACTION:urn:uuid:1"),
    ],
)
def test_a_line_survives_the_way_through_the_server(desk: Desk, line: str) -> None:
    out = there_and_back(desk, event(*BERLIN, line))
    assert line in out


def test_components_that_nobody_knows_survive(desk: Desk) -> None:
    strange = ["BEGIN:X-THING", "X-A:1", "BEGIN:X-PART", "X-B:2", "END:X-PART", "END:X-THING"]
    out = there_and_back(desk, event(*BERLIN, *strange))
    position = out.index("BEGIN:X-THING")
    assert out[position : position + 6] == strange


def test_lines_of_the_calendar_survive(desk: Desk) -> None:
    data = event(*BERLIN).replace(b"BEGIN:VEVENT", b"X-WR-CALNAME:Work\r\nBEGIN:VEVENT")
    assert "X-WR-CALNAME:Work" in there_and_back(desk, data)


ALARM = ("BEGIN:VALARM", "ACTION:{}", "TRIGGER{}", "END:VALARM")


@pytest.mark.parametrize(
    ("action", "trigger", "minutes"),
    [
        *(
            ("DISPLAY", ":-PT15M", "15"),
            ("DISPLAY", ":-P1D", "1440"),
            ("DISPLAY", ":PT0S", "0"),
            ("DISPLAY", ":-P1DT2H30M", "1590"),
        ),
        *(("AUDIO", ";RELATED=START:-PT2H", "120"), ("DISPLAY", ":-P1W", "10080")),
        *(("DISPLAY", ":PT15M", None), ("DISPLAY", ":-PT30S", None), ("EMAIL", ":-PT15M", None)),
        *(("DISPLAY", ";RELATED=END:-PT15M", None), ("DISPLAY", ";VALUE=DATE-TIME:20261012T060000Z", None)),
    ],
)
def test_an_alarm_is_the_reminder_where_exchange_can_hold_it_and_kept_where_not(
    desk: Desk, action: str, trigger: str, minutes: str | None
) -> None:
    alarm = (ALARM[0], f"ACTION:{action}", f"TRIGGER{trigger}", ALARM[3])
    data = event(*BERLIN, *alarm)
    out = there_and_back(desk, data)
    assert out.count("BEGIN:VALARM") == 1
    element = desk.snapshot(desk.put(data)).element
    assert (soap.text(element, "ReminderIsSet") == "true") == (minutes is not None)
    if minutes is None:
        assert f"TRIGGER{trigger}" in out
    else:
        assert soap.text(element, "ReminderMinutesBeforeStart") == minutes


def test_of_several_alarms_one_is_the_reminder_and_the_others_are_kept(desk: Desk) -> None:
    alarms = [
        f"BEGIN:VALARM\r\nACTION:DISPLAY\r\nTRIGGER:-PT{n}M\r\nDESCRIPTION:d{n}\r\nX-MINE:{n}\r\nEND:VALARM" for n in (60, 5, 15)
    ]
    out = there_and_back(desk, event(*BERLIN, *alarms))
    assert [line for line in out if line.startswith("X-MINE")] == ["X-MINE:60", "X-MINE:15", "X-MINE:5"]


def test_a_reminder_that_another_client_sets_takes_the_place_of_ours(desk: Desk) -> None:
    ident = desk.put(event(*BERLIN, "BEGIN:VALARM", "ACTION:AUDIO", "TRIGGER:-PT15M", "ATTACH:Basso", "END:VALARM"))
    minutes = "<t:ReminderMinutesBeforeStart>30</t:ReminderMinutesBeforeStart>"
    desk.update(asking.item_id(ident), set_field("item:ReminderMinutesBeforeStart", minutes, "CalendarItem"))
    out = lines(desk.file(ident))
    assert "TRIGGER:-PT30M" in out
    assert "ATTACH:Basso" not in out


HTML = "<html><body><p>One <b>two</b></p><p>Three</p></body></html>"


def test_html_and_its_text_are_both_there(desk: Desk) -> None:
    out = there_and_back(desk, event(*BERLIN, f"X-ALT-DESC;FMTTYPE=text/html:{HTML}", "DESCRIPTION:One two\\n\\nThree"))
    assert "DESCRIPTION:One two\\n\\nThree" in out
    assert any(line.startswith("X-ALT-DESC;FMTTYPE=text/html:") and "<b>two</b>" in line for line in out)


def test_a_text_that_says_more_than_its_html_is_kept_until_the_html_changes(desk: Desk) -> None:
    data = event(*BERLIN, f"X-ALT-DESC;FMTTYPE=text/html:{HTML}", "DESCRIPTION:Something else")
    assert "DESCRIPTION:Something else" in there_and_back(desk, data)
    ident = desk.put(event(*BERLIN, f"X-ALT-DESC;FMTTYPE=text/html:{HTML}", "DESCRIPTION:Something else", uid="2"))
    desk.update(
        asking.item_id(ident), set_field("item:Body", '<t:Body BodyType="HTML">&lt;p&gt;New&lt;/p&gt;</t:Body>', "CalendarItem")
    )
    assert "DESCRIPTION:New" in lines(desk.file(ident))


def test_who_edits_the_text_beside_html_gets_the_text(desk: Desk) -> None:
    data = event(*BERLIN, f"X-ALT-DESC;FMTTYPE=text/html:{HTML}", "DESCRIPTION:One two\\n\\nThree")
    ident = desk.put(data)
    text = desk.file(ident).replace(b"DESCRIPTION:One two", b"DESCRIPTION:Eins zwei")
    desk.edit(ident, text)
    out = lines(desk.file(ident))
    assert "DESCRIPTION:Eins zwei\\n\\nThree" in out
    assert not any(line.startswith("X-ALT-DESC") for line in out)


def test_small_files_are_inside_and_large_ones_are_named(desk: Desk) -> None:
    inline = "ATTACH;FMTTYPE=text/plain;FILENAME=a.txt;ENCODING=BASE64;VALUE=BINARY:"
    size = INLINE + 1
    small, large = f"{inline}aGVsbG8=", inline.replace("a.txt", "b.txt") + base64.b64encode(bytes(size)).decode()
    ident = desk.put(event(*BERLIN, small, large))
    named = desk.file(ident)
    assert small in lines(named)
    assert any(line.startswith(f"ATTACH;FMTTYPE=text/plain;FILENAME=b.txt;SIZE={size}:cid:") for line in lines(named))
    assert not desk.edit(ident, named)
    with pytest.raises(BadItem, match=r"b\.txt is only named"):
        desk.form.creation(named)


def test_files_are_attached_and_taken_away_with_their_lines(desk: Desk) -> None:
    first = "ATTACH;FMTTYPE=text/plain;FILENAME=a.txt;ENCODING=BASE64;VALUE=BINARY:aGVsbG8="
    second = "ATTACH;FMTTYPE=text/plain;FILENAME=b.txt;ENCODING=BASE64;VALUE=BINARY:Ynll"
    ident = desk.put(event(*BERLIN, first))
    desk.edit(ident, event(*BERLIN, second))
    assert [line for line in lines(desk.file(ident)) if line.startswith("ATTACH")] == [second]
    desk.edit(ident, event(*BERLIN))
    assert not any(line.startswith("ATTACH") for line in lines(desk.file(ident)))


def attach(name: str, text: str = "hello") -> str:
    return f"ATTACH;FMTTYPE=text/plain;FILENAME={name};ENCODING=BASE64;VALUE=BINARY:{base64.b64encode(text.encode()).decode()}"


def attached(data: bytes) -> list[list[str]]:
    """The names of the files of each VEVENT."""
    events = re.findall(r"BEGIN:VEVENT(.*?)END:VEVENT", "\n".join(lines(data)), re.DOTALL)
    return [re.findall(r"ATTACH;[^:]*FILENAME=([^;:]*)", one) for one in events]


@pytest.fixture
def noted(desk: Desk) -> str:
    """The id of a series with a file; an occurrence (of 19 October) has another one, and the server's copy of the first."""
    ident = desk.put(event(*WEEKLY, attach("all.txt")))
    desk.attach(desk.occurrence(ident, 2), Attachment("note.txt", "text/plain", b"bring ink"))
    return ident


def test_what_is_attached_to_one_occurrence_is_in_it_alone(desk: Desk, noted: str) -> None:
    out = desk.file(noted)
    assert attached(out) == [["all.txt"], ["note.txt"]]
    assert attach("note.txt", "bring ink") in lines(out)
    assert desk.file(noted) == out
    assert not desk.form.changes(desk.snapshot(noted), out)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("SUMMARY:Standup", "SUMMARY:Sitdown"),
        (
            "RECURRENCE-ID;TZID=Europe/Berlin:20261019T090000",
            "RECURRENCE-ID;TZID=Europe/Berlin:20261019T090000\r\nLOCATION:Attic",
        ),
        ("RRULE:", "EXDATE;TZID=Europe/Berlin:20261026T090000\r\nRRULE:"),
        (attach("note.txt", "bring ink"), f"{attach('note.txt', 'bring ink')}\r\n{attach('all.txt')}"),
    ],
)
def test_an_edit_elsewhere_leaves_the_files_of_an_occurrence(desk: Desk, noted: str, old: str, new: str) -> None:
    """The last one is what programs do that make an occurrence of a copy of the series."""
    text = desk.file(noted).decode().replace("\r\n ", "")
    assert old in text
    data = text.replace(old, new).encode()
    changes = desk.edit(noted, data)
    assert not (changes.attach or changes.detach or changes.cleared)
    assert attached(desk.file(noted)) == [["all.txt"], ["note.txt"]]
    assert desk.meaning(desk.file(noted)) == desk.meaning(data)
    assert sorted(desk.names(desk.occurrence(noted, 2))) == ["all.txt", "note.txt"]


def test_files_of_one_occurrence_can_be_taken_away(desk: Desk, noted: str) -> None:
    text = desk.file(noted).decode().replace("\r\n ", "")
    desk.edit(noted, text.replace(attach("note.txt", "bring ink") + "\r\n", "").encode())
    assert desk.names(desk.occurrence(noted, 2)) == ["all.txt"]
    assert desk.names(noted) == ["all.txt"]


def test_a_file_taken_from_the_series_is_taken_from_its_occurrences(desk: Desk, noted: str) -> None:
    text = desk.file(noted).decode().replace("\r\n ", "")
    desk.edit(noted, text.replace(attach("all.txt") + "\r\n", "").encode())
    assert (desk.names(noted), desk.names(desk.occurrence(noted, 2))) == ([], ["note.txt"])
    assert attached(desk.file(noted)) == [[], ["note.txt"]]


@pytest.mark.parametrize(
    ("old", "new", "name"),
    [
        (attach("note.txt", "bring ink"), f"{attach('note.txt', 'bring ink')}\r\n{attach('b.txt')}", "b.txt"),
        (attach("note.txt", "bring ink"), attach("note.txt", "bring paper"), "note.txt"),
        ("T093000\r\nRRULE", "T100000\r\nRRULE", "note.txt"),
    ],
)
def test_what_would_attach_a_file_to_one_occurrence_is_refused_by_name(
    desk: Desk, noted: str, old: str, new: str, name: str
) -> None:
    """The last one: Exchange drops the changed occurrences of a series whose times change, and their files with them."""
    text = desk.file(noted).decode().replace("\r\n ", "")
    assert old in text
    with pytest.raises(BadItem, match=f"{name} cannot be attached to one occurrence only"):
        desk.edit(noted, text.replace(old, new).encode())
    assert sorted(desk.names(desk.occurrence(noted, 2))) == ["all.txt", "note.txt"]


# ---- edits


@pytest.mark.parametrize(
    ("old", "new", "touched"),
    [
        ("SUMMARY:Standup", "SUMMARY:Sitdown", ["item:Subject"]),
        ("TRANSP:OPAQUE", "TRANSP:TRANSPARENT", ["calendar:LegacyFreeBusyStatus"]),
        ("LOCATION:Here\r\n", "", ["calendar:Location"]),
        ("SUMMARY:Standup", "SUMMARY:Standup\r\nX-NEW:1", ["Leftover"]),
        ("SUMMARY:Standup", "SUMMARY:Standup\r\nCATEGORIES:Blue", ["item:Categories"]),
        ("SUMMARY:Standup", "SUMMARY:Standup\r\nSTATUS:TENTATIVE", ["calendar:LegacyFreeBusyStatus"]),
    ],
)
def test_only_the_changed_field_is_written(desk: Desk, old: str, new: str, touched: list[str]) -> None:
    _, updates, _ = edited(desk, event(*BERLIN, "SUMMARY:Standup", "LOCATION:Here", "DESCRIPTION:Text"), (old, new))
    assert paths(updates) == touched


def test_times_are_written_together(desk: Desk) -> None:
    _, updates, out = edited(desk, event(*BERLIN), ("T093000", "T100000"))
    assert paths(updates) == ["calendar:Start", "calendar:End"]
    assert "DTEND;TZID=Europe/Berlin:20261012T100000" in out


def test_a_change_of_the_zone_is_written_with_all_times(desk: Desk) -> None:
    ident = desk.put(event(*BERLIN))
    changes = desk.edit(ident, event(*(line.replace("Europe/Berlin", "Asia/Tokyo") for line in BERLIN)))
    names = ("StartTimeZone", "EndTimeZone", "Start", "End", "IsAllDayEvent")
    assert paths(changes.xml) == [f"calendar:{name}" for name in names]
    assert "DTSTART;TZID=Asia/Tokyo:20261012T090000" in lines(desk.file(ident))


def test_what_only_looks_different_is_no_change(desk: Desk) -> None:
    ident = desk.put(event(*BERLIN, "SUMMARY:Standup", "CATEGORIES:a,b", "SEQUENCE:1"))
    other = event(
        *(
            "SEQUENCE:2",
            "SUMMARY:Standup",
            "DTSTAMP:20300101T000000Z",
            "LAST-MODIFIED:20300101T000000Z",
            "CATEGORIES:b",
            "CATEGORIES:a",
        ),
        *("DTSTART;TZID=W. Europe Standard Time:20261012T090000", "DURATION:PT30M", "CLASS:PUBLIC", "PRIORITY:0"),
    )
    assert not desk.form.changes(desk.snapshot(ident), other)


def test_one_occurrence_is_changed_by_adding_it(desk: Desk) -> None:
    added = (
        "END:VEVENT\r\nBEGIN:VEVENT\r\nUID:meeting-1@example.org\r\nRECURRENCE-ID;TZID=Europe/Berlin:20261026T090000\r\n"
        "DTSTART;TZID=Europe/Berlin:20261026T090000\r\nDTEND;TZID=Europe/Berlin:20261026T093000\r\nSUMMARY:Retro\r\nTRANSP:OPAQUE\r\n"
        "END:VEVENT\r\nEND:VCALENDAR"
    )
    _, updates, out = edited(desk, event(*WEEKLY), ("END:VEVENT\r\nEND:VCALENDAR", added))
    assert updates.startswith("[3 ")
    assert paths(updates.strip("[3 ]")) == ["item:Subject"]
    assert "SUMMARY:Retro" in out


SERIES = calendar(
    *("BEGIN:VEVENT", "UID:s", *WEEKLY, "X-KEPT:1", "EXDATE;TZID=Europe/Berlin:20261019T090000", "END:VEVENT"),
    *("BEGIN:VEVENT", "UID:s", "RECURRENCE-ID;TZID=Europe/Berlin:20261026T090000", "SUMMARY:Later", "X-KEPT:1"),
    *("DTSTART;TZID=Europe/Berlin:20261026T110000", "DTEND;TZID=Europe/Berlin:20261026T113000", "END:VEVENT"),
)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("SUMMARY:Standup", "SUMMARY:Sitdown"),
        ("SUMMARY:Later", "SUMMARY:Standup"),
        ("SUMMARY:Standup", "SUMMARY:Later"),
        ("T110000", "T103000"),
        ("T093000", "T100000"),
        ("COUNT=4", "COUNT=6"),
        ("RRULE:FREQ=WEEKLY;BYDAY=MO;COUNT=4", "RRULE:FREQ=DAILY;COUNT=40"),
        ("EXDATE;TZID=Europe/Berlin:20261019T090000", "EXDATE;TZID=Europe/Berlin:20261019T090000,20261102T090000"),
        ("X-KEPT:1", "X-KEPT:2"),
        ("X-KEPT:1\r\n", ""),
        ("SUMMARY:Later", "SUMMARY:Later\r\nLOCATION:There\r\nDESCRIPTION:More\r\nPRIORITY:2\r\nCATEGORIES:x"),
    ],
)
def test_edits_of_a_series_and_of_its_occurrences_come_out_as_they_were_meant(desk: Desk, old: str, new: str) -> None:
    edited(desk, SERIES, (old, new))


@pytest.mark.parametrize("instead", ["", "EXDATE;TZID=Europe/Berlin:20261102T090000\r\n"])
def test_a_deleted_occurrence_cannot_be_brought_back_and_is_named(desk: Desk, instead: str) -> None:
    ident = desk.put(SERIES)
    text = desk.file(ident).replace(b"EXDATE;TZID=Europe/Berlin:20261019T090000\r\n", instead.encode())
    with pytest.raises(BadItem, match=r"cannot bring back a deleted occurrence \(of 2026-10-19"):
        desk.form.changes(desk.snapshot(ident), text)


def moved_days(*days: tuple[int, int], deleted: str = "") -> bytes:
    """Six days in a row, of which the first of each pair is on the second."""
    parts = [
        "BEGIN:VEVENT",
        "UID:s",
        *BERLIN,
        "RRULE:FREQ=DAILY;COUNT=6",
        *([f"EXDATE:{deleted}"] if deleted else []),
        "END:VEVENT",
    ]
    for day, other in days:
        parts += ["BEGIN:VEVENT", "UID:s", f"RECURRENCE-ID;TZID=Europe/Berlin:202610{day}T090000"]
        parts += [
            f"DTSTART;TZID=Europe/Berlin:202610{other}T080000",
            f"DTEND;TZID=Europe/Berlin:202610{other}T083000",
            "END:VEVENT",
        ]
    return calendar(*parts)


@pytest.mark.parametrize(
    ("days", "deleted"),
    [
        (((17, 19), (16, 18), (15, 17)), ""),
        (((12, "09"), (13, 10), (14, 11)), ""),
        (((13, 14), (12, 13), (15, 16)), "20261014T070000Z,20261016T070000Z"),
    ],
)
def test_occurrences_that_move_beside_each_other_are_moved_in_an_order_that_the_server_takes(
    desk: Desk, days: tuple[tuple[int, int], ...], deleted: str
) -> None:
    there_and_back(desk, moved_days(*days, deleted=deleted))
    ident = Desk.put(other := Desk(), event(*BERLIN, "RRULE:FREQ=DAILY;COUNT=6", uid="s"))
    other.edit(ident, moved_days(*days, deleted=deleted))
    assert other.meaning(other.file(ident)) == other.meaning(moved_days(*days, deleted=deleted))


@pytest.mark.parametrize("days", [((12, 13),), ((13, 11),), ((17, 14),)])
def test_an_occurrence_that_would_pass_another_is_refused(desk: Desk, days: tuple[tuple[int, int], ...]) -> None:
    with pytest.raises(BadItem, match="which Exchange refuses"):
        desk.form.creation(moved_days(*days))
    ident = desk.put(event(*BERLIN, "RRULE:FREQ=DAILY;COUNT=6", uid="s"))
    with pytest.raises(BadItem, match="which Exchange refuses"):
        desk.form.changes(desk.snapshot(ident), moved_days(*days))


@pytest.mark.parametrize(
    "line", ["LOCATION:Here", "ATTENDEE:mailto:bob@example.test", "CATEGORIES:x", "DESCRIPTION:More", "X-A:1"]
)
def test_what_a_series_gains_its_changed_occurrences_need_not_have(desk: Desk, line: str) -> None:
    other = ("BEGIN:VEVENT", "UID:s", "RECURRENCE-ID;TZID=Europe/Berlin:20261019T090000", "SUMMARY:Standup")
    when = ("DTSTART;TZID=Europe/Berlin:20261019T090000", "DTEND;TZID=Europe/Berlin:20261019T093000", "END:VEVENT")
    wanted = calendar("BEGIN:VEVENT", "UID:s", *WEEKLY, line, "END:VEVENT", *other, *when)
    for before in (
        event(*WEEKLY, uid="s"),
        calendar("BEGIN:VEVENT", "UID:s", *WEEKLY, "END:VEVENT", *other, "PRIORITY:1", *when),
    ):
        ident = desk.put(before)
        desk.edit(ident, wanted)
        assert desk.meaning(desk.file(ident)) == desk.meaning(wanted)


def test_an_occurrence_that_is_no_longer_mentioned_is_as_its_series_has_it(desk: Desk) -> None:
    ident = desk.put(SERIES)
    text = desk.file(ident).decode()
    start = text.rindex("BEGIN:VEVENT")
    without = text[:start] + text[text.index("END:VCALENDAR") :]
    desk.edit(ident, without.encode())
    assert desk.meaning(desk.file(ident)) == desk.meaning(without.encode())


def test_a_series_whose_times_move_keeps_its_changed_occurrences(desk: Desk) -> None:
    pairs = (
        ("20261012T0", "20261013T0"),
        ("=20261019", "=20261020"),
        (":20261019T", ":20261020T"),
        (":20261026T090000", ":20261027T090000"),
    )
    ident = desk.put(SERIES)
    text = desk.file(ident).decode().replace("BYDAY=MO", "BYDAY=TU")
    for old, new in pairs:
        text = text.replace(old, new)
    changes = desk.edit(ident, text.encode())
    assert len(changes.occurrences) == 2
    assert all(not one.id for one in changes.occurrences)
    assert desk.meaning(desk.file(ident)) == desk.meaning(text.encode())


def test_a_single_event_becomes_a_series_and_the_other_way_round(desk: Desk) -> None:
    _, _, out = edited(desk, event(*BERLIN), ("TRANSP:OPAQUE", "TRANSP:OPAQUE\r\nRRULE:FREQ=DAILY;COUNT=3"))
    assert "RRULE:FREQ=DAILY;COUNT=3" in out
    _, _, out = edited(Desk(), event(*WEEKLY), ("RRULE:FREQ=WEEKLY;BYDAY=MO;COUNT=4\r\n", ""))
    assert not any(line.startswith("RRULE") for line in out[out.index("BEGIN:VEVENT") :])


def test_a_timed_event_becomes_a_whole_day_and_the_other_way_round(desk: Desk) -> None:
    ident = desk.put(event(*BERLIN))
    desk.edit(ident, event("DTSTART;VALUE=DATE:20261012", "DTEND;VALUE=DATE:20261014"))
    assert {"DTSTART;VALUE=DATE:20261012", "DTEND;VALUE=DATE:20261014"} < set(lines(desk.file(ident)))
    desk.edit(ident, event(*BERLIN))
    assert "DTSTART;TZID=Europe/Berlin:20261012T090000" in lines(desk.file(ident))


def test_what_another_client_changed_beside_ours_is_not_touched(desk: Desk) -> None:
    ident = desk.put(event(*BERLIN, "SUMMARY:One", "X-KEPT:1"))
    before = desk.file(ident)
    desk.update(asking.item_id(ident), set_field("calendar:Location", "<t:Location>Room</t:Location>", "CalendarItem"))
    changes = desk.form.changes(desk.snapshot(ident), desk.file(ident).replace(b"SUMMARY:One", b"SUMMARY:Two"))
    assert paths(changes.xml) == ["item:Subject"]
    assert b"LOCATION" not in before


def test_a_uid_cannot_be_changed(desk: Desk) -> None:
    ident = desk.put(event(*BERLIN))
    with pytest.raises(BadItem, match="UID was changed"):
        desk.form.changes(desk.snapshot(ident), event(*BERLIN, uid="other"))


# ---- people


MEETING = (
    *(*BERLIN, "SUMMARY:Plan", "ORGANIZER;CN=Alice:mailto:alice@example.test"),
    *("ATTENDEE;CN=Bob;PARTSTAT=NEEDS-ACTION;ROLE=REQ-PARTICIPANT;RSVP=TRUE:mailto:bob@example.test",),
    *("ATTENDEE;CN=Carol;PARTSTAT=NEEDS-ACTION;ROLE=OPT-PARTICIPANT;RSVP=TRUE:mailto:carol@example.test",),
    *("ATTENDEE;CN=Room;CUTYPE=ROOM;PARTSTAT=NEEDS-ACTION:mailto:room@example.test",),
)


def test_my_own_meeting_has_its_people_on_the_server(desk: Desk) -> None:
    there_and_back(desk, event(*MEETING))
    changes = desk.form.creation(event(*MEETING))[1]
    assert changes.audience.people == ("bob@example.test", "carol@example.test", "room@example.test")
    element = desk.snapshot(desk.put(event(*MEETING, uid="2"))).element
    found = [one.text for one in element.iter(f"{T}EmailAddress") if one.getparent().getparent().tag == f"{T}Attendee"]  # type: ignore[union-attr]
    assert found == ["bob@example.test", "carol@example.test", "room@example.test"]


def test_several_people_without_an_address_are_several(desk: Desk) -> None:
    nobody = [f"ATTENDEE;CN={name};PARTSTAT=ACCEPTED:invalid:nomail" for name in ("One", "Two")]
    out = there_and_back(desk, event(*BERLIN, "ORGANIZER:mailto:zoe@example.net", *nobody))
    assert set(nobody) <= set(out)


def test_the_meeting_of_somebody_else_that_came_as_a_file_is_no_meeting_of_mine(desk: Desk) -> None:
    data = event(*(line.replace("alice@", "dora@") for line in MEETING))
    there_and_back(desk, data)
    changes = desk.form.creation(data)[1]
    assert changes.audience.people == ()
    assert "Attendees>" not in changes.xml


def test_an_edit_says_who_would_be_told_unless_it_is_nobodys_business(desk: Desk) -> None:
    ident = desk.put(event(*MEETING))
    text = desk.file(ident)
    assert desk.form.changes(desk.snapshot(ident), text.replace(b"SUMMARY:Plan", b"SUMMARY:Plans")).audience.people
    assert not desk.form.changes(desk.snapshot(ident), text.replace(b"OPAQUE", b"TRANSPARENT")).audience.people
    without = b"\r\n".join(line for line in text.replace(b"\r\n ", b"").split(b"\r\n") if b"carol@" not in line)
    changes = desk.form.changes(desk.snapshot(ident), without)
    assert paths(changes.xml) == ["calendar:OptionalAttendees"]
    assert changes.audience.people == ("bob@example.test", "room@example.test"), "nobody was invited yet"


DAILY = (
    "<t:Recurrence><t:DailyRecurrence><t:Interval>1</t:Interval></t:DailyRecurrence><t:NumberedRecurrence>"
    "<t:StartDate>2026-10-12</t:StartDate><t:NumberOfOccurrences>4</t:NumberOfOccurrences></t:NumberedRecurrence></t:Recurrence>"
)


def received(desk: Desk, answer: str = "NoResponseReceived", extra: str = "") -> Snapshot:
    """An item as a server has it that was invited to."""
    snapshot = desk.snapshot(desk.put(event(*BERLIN, "SUMMARY:Plan", uid="theirs")))
    element = snapshot.element
    for name in ("Organizer", "MyResponseType", "AppointmentState", "IsMeeting"):
        for child in element.findall(f"{T}{name}"):
            element.remove(child)
    xml = (
        f'<x xmlns:t="{soap.TYPES}"><t:AppointmentState>3</t:AppointmentState><t:MyResponseType>{answer}</t:MyResponseType>'
        "<t:Organizer><t:Mailbox><t:Name>Dora</t:Name><t:EmailAddress>dora@example.test</t:EmailAddress></t:Mailbox></t:Organizer>"
        "<t:RequiredAttendees><t:Attendee><t:Mailbox><t:Name>Alice</t:Name><t:EmailAddress>alice@example.test</t:EmailAddress>"
        "</t:Mailbox></t:Attendee><t:Attendee><t:Mailbox><t:EmailAddress>bob@example.test</t:EmailAddress></t:Mailbox>"
        f"<t:ResponseType>Accept</t:ResponseType></t:Attendee></t:RequiredAttendees>{extra}</x>"
    )
    element.extend(etree.fromstring(xml))
    return snapshot


@pytest.mark.parametrize(
    ("answer", "partstat"),
    [("Accept", "ACCEPTED"), ("Tentative", "TENTATIVE"), ("Decline", "DECLINED"), ("Unknown", "NEEDS-ACTION")],
)
def test_my_own_answer_is_what_the_server_knows(desk: Desk, answer: str, partstat: str) -> None:
    out = lines(desk.form.render(received(desk, answer)))
    mine = next(line for line in out if line.endswith("mailto:alice@example.test"))
    assert f"PARTSTAT={partstat}" in mine
    assert any("PARTSTAT=ACCEPTED" in line for line in out if line.endswith("mailto:bob@example.test"))
    assert "ORGANIZER;CN=Dora:mailto:dora@example.test" in out


def test_an_answer_in_the_file_is_given_without_touching_a_field(desk: Desk) -> None:
    snapshot = received(desk)
    text = desk.form.render(snapshot).decode().replace("\r\n ", "")
    mine = next(line for line in text.split("\r\n") if line.endswith("mailto:alice@example.test"))
    said = text.replace(mine, mine.replace("NEEDS-ACTION", "ACCEPTED"))
    changes = desk.form.changes(snapshot, said.encode())
    assert (changes.answer, changes.xml, changes.audience.people) == ("AcceptItem", "", ())


def test_an_answer_for_one_occurrence_only_is_not_dropped_silently(desk: Desk) -> None:
    snapshot = received(desk)
    snapshot.element.append(etree.fromstring(f'<x xmlns:t="{soap.TYPES}">{DAILY}</x>')[0])
    text = desk.form.render(snapshot).decode().replace("\r\n ", "")
    one = text[text.index("BEGIN:VEVENT") : text.index("END:VCALENDAR")].replace("NEEDS-ACTION", "DECLINED")
    one = one.replace("RRULE:FREQ=DAILY;COUNT=4", "RECURRENCE-ID;TZID=Europe/Berlin:20261013T090000").replace(
        "20261012T", "20261013T"
    )
    with pytest.raises(BadItem, match=r"answer for one occurrence \(of 2026-10-13\) cannot"):
        desk.form.changes(snapshot, text.replace("END:VCALENDAR", one + "END:VCALENDAR").encode())


def test_others_of_somebodys_meeting_are_not_mine_to_invite(desk: Desk) -> None:
    snapshot = received(desk)
    text = desk.form.render(snapshot).replace(b"SUMMARY:Plan", b"SUMMARY:Plan\r\nATTENDEE:mailto:eve@example.test")
    with pytest.raises(BadItem, match="only its organizer"):
        desk.form.changes(snapshot, text)


def test_a_list_that_i_am_on_still_shows_my_answer(desk: Desk) -> None:
    form = Events(HOME, Owner(("list-member@example.test",)))
    out = lines(form.render(received(desk, "Tentative")))
    assert "ATTENDEE;PARTSTAT=TENTATIVE:mailto:list-member@example.test" in out


def test_people_without_a_mail_address_are_not_lost_by_inviting_another(desk: Desk) -> None:
    snapshot = desk.snapshot(desk.put(event(*MEETING)))
    for address in snapshot.element.iter(f"{T}EmailAddress"):
        if address.text == "bob@example.test":
            address.text = "/o=Example/ou=Exchange/cn=bob"
    text = desk.form.render(snapshot)
    assert not desk.form.changes(snapshot, text)
    with pytest.raises(BadItem, match="no mail address"):
        desk.form.changes(snapshot, text.replace(b"SUMMARY:", b"ATTENDEE:mailto:eve@example.test\r\nSUMMARY:"))


def test_in_the_calendar_of_another_his_meetings_are_his(desk: Desk) -> None:
    snapshot = desk.snapshot(desk.put(event(*MEETING)))
    form = Events(HOME, Owner(("dora@example.test",)))
    text = form.render(snapshot)
    assert b"ORGANIZER;CN=Alice" in text
    changes = form.changes(snapshot, text.replace(b"SUMMARY:Plan", b"SUMMARY:Plans\r\nX-NEW:1"))
    assert paths(changes.xml) == ["item:Subject", "Leftover"]
    assert "ORGANIZER" not in changes.xml
    assert "bob@" not in changes.xml
    assert changes.audience.people == ()


def test_an_internal_address_is_not_shown_as_a_mail_address(desk: Desk) -> None:
    snapshot = received(desk)
    for address in snapshot.element.iter(f"{T}EmailAddress"):
        if address.text == "dora@example.test":
            address.text = "/o=Example/ou=Exchange/cn=dora"
    assert "ORGANIZER;CN=Dora:invalid:nomail" in lines(desk.form.render(snapshot))


# ---- single invitations to a series


def orphan(desk: Desk, day: int, ident: str) -> etree._Element:
    clean = "040000008200E00074C5B7101A82E008" + "00000000" + "00" * 16 + "10000000" + "AB" * 16
    full = clean[:32] + f"07EA0A{day:02X}" + clean[40:]
    snapshot = received(desk)
    element = snapshot.element
    for child in element.findall(f"{T}UID"):
        child.text = clean
    found = element.find(f"{T}ItemId")
    assert found is not None
    found.set("Id", ident)
    binary = base64.b64encode(bytes.fromhex(full)).decode()
    xml = (
        f'<t:ExtendedProperty xmlns:t="{soap.TYPES}"><t:ExtendedFieldURI DistinguishedPropertySetId="Meeting" PropertyId="3"'
        f' PropertyType="Binary"/><t:Value>{binary}</t:Value></t:ExtendedProperty>'
    )
    for child in element.findall(f"{T}ExtendedProperty"):
        if "PropertyId" in etree.tostring(child).decode():
            element.remove(child)
    element.append(etree.fromstring(xml))
    for name, hour in (("Start", 7), ("End", 8)):
        (when,) = element.findall(f"{T}{name}")
        when.text = f"2026-10-{day:02}T{hour:02}:00:00Z"
    return element


def test_several_single_occurrences_of_one_series_are_one_file(desk: Desk) -> None:
    first, second = orphan(desk, 12, "one"), orphan(Desk(), 19, "two")
    snapshot = Snapshot(first, (second,))
    out = lines(desk.form.render(snapshot))
    assert [line for line in out if line.startswith("RECURRENCE-ID")] == [
        "RECURRENCE-ID;TZID=Europe/Berlin:20261012T090000",
        "RECURRENCE-ID;TZID=Europe/Berlin:20261019T090000",
    ]
    assert len({line for line in out if line.startswith("UID")}) == 1
    assert not desk.form.changes(snapshot, desk.form.render(snapshot))
    text = desk.form.render(snapshot).decode().replace("\r\n ", "")
    position = text.rindex("SUMMARY:Plan")
    changes = desk.form.changes(snapshot, (text[:position] + "SUMMARY:Other" + text[position + len("SUMMARY:Plan") :]).encode())
    assert changes.xml == ""
    assert [(one.id, paths(one.updates)) for one in changes.occurrences] == [("two", ["item:Subject"])]


def test_one_occurrence_of_a_series_that_is_not_there_is_kept_as_one(desk: Desk) -> None:
    there_and_back(desk, event(*BERLIN, "RECURRENCE-ID;TZID=Europe/Berlin:20261012T090000"))


# ---- UIDs


def test_a_foreign_uid_in_a_global_object_id_is_the_uid() -> None:
    wrapped, plain = globalid.forms("meeting-1@example.org")
    assert globalid.uid(wrapped) == plain == "meeting-1@example.org"
    assert globalid.uid(wrapped.lower()) == plain
    own = "040000008200E00074C5B7101A82E008" + "07EA0A0C" + "00" * 16 + "10000000" + "AB" * 16
    assert globalid.uid(own) == own[:32] + "00000000" + own[40:]
    assert str(globalid.instance(own)) == "2026-10-12"
    assert globalid.instance(wrapped) is None


# ---- what a file is


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "holds nothing"),
        (b"hello", "no iCalendar line"),
        (b"\xff\xfe", "not UTF-8"),
        (b"BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nUID:1\r\n", "cut off"),
        (calendar("BEGIN:VTODO", "UID:1", "END:VTODO"), "VTODO"),
        (calendar("BEGIN:VEVENT", "DTSTART:20261012T090000Z", "END:VEVENT"), "no UID"),
        (event("SUMMARY:x"), "no DTSTART"),
        (event("DTSTART:20261012T090000Z", "DTEND:20261012T080000Z"), "ends before it begins"),
        (event("DTSTART:20261012T090000Z", "DTEND;VALUE=DATE:20261013"), "different kinds"),
        (event("DTSTART:20261012T090000Z", "DTEND:20261012T093000"), "different kinds"),
        (event("DTSTART:20261012T090000Z", f"SUMMARY:{'x' * 300}"), "255 characters"),
        (event("DTSTART:20261012T090000Z", "DTEND:20361012T090000Z"), "five years"),
        (event("DTSTART;VALUE=DATE:20261012", "DTEND;VALUE=DATE:20261016", "RRULE:FREQ=DAILY"), "overlap"),
        (event("DTSTART:20261012T090000Z", "ATTACH;ENCODING=BASE64;VALUE=BINARY:!!!"), "no base64"),
    ],
)
def test_what_is_no_event_is_refused_with_the_reason(desk: Desk, data: bytes, why: str) -> None:
    with pytest.raises(BadItem, match=why):
        desk.form.creation(data)


def test_an_event_without_a_calendar_around_it_is_one(desk: Desk) -> None:
    there_and_back(desk, ("BEGIN:VEVENT\nUID:1\n" + "\n".join(BERLIN) + "\nEND:VEVENT\n").encode())


def test_the_name_for_people_and_when_it_is_over(desk: Desk) -> None:
    said = desk.form.read(event(*WEEKLY))
    assert said.label == "Standup (2026-10-12)"
    assert said.ended == datetime(2026, 11, 2, 8, 30, tzinfo=UTC).timestamp()
    assert desk.form.read(event(*BERLIN, "RRULE:FREQ=DAILY")).ended == 0
    assert desk.form.read(event(*BERLIN)).ended == datetime(2026, 10, 12, 7, 30, tzinfo=UTC).timestamp()


# ---- the corpus


def refusal(text: str) -> str:
    """The rule by which a file is refused, read off the file itself; "" where none of them applies."""
    uids = {line.partition(":")[2].strip() for line in text.splitlines() if line.startswith("UID")}
    known = ("Europe/", "America/", "Asia/", "Africa/", "New Zealand", "UTC", "Will", "Indian")
    defined = {line.partition(":")[2] for line in text.splitlines() if line.startswith("TZID:")}
    named = {line.split("TZID=")[1].split(":")[0].split(";")[0].strip('"') for line in text.splitlines() if ";TZID=" in line}
    if not uids:
        return "no UID"
    if len(uids) > 1:
        return "different UIDs"
    if any(not name.startswith(known) and name not in defined for name in named):
        return "is not known"
    if any(line.startswith("RDATE") and "BEGIN:VEVENT" in text.split(line)[0] for line in text.splitlines()):
        return "further dates|no time zone"
    events = text.split("BEGIN:VEVENT")[1:]
    if any("RRULE" in one and "RECURRENCE-ID" in one for one in events):
        return "rule of its own"
    if "UNTIL=19701119" in text or "UNTIL=20210104" in text:
        return "never takes place|no day of its"
    return ""


def corpus() -> list[Path]:
    return sorted((Path(CORPUS) / "ics").iterdir()) if CORPUS else []


@pytest.mark.skipif(not CORPUS, reason="EWS_BRIDGE_CORPUS is not set: other programs' event files were not read")
def test_every_file_of_the_corpus_is_kept_or_refused_with_the_right_reason() -> None:
    kept = 0
    assert corpus()
    for path in corpus():
        data = path.read_bytes()
        why = refusal(data.decode())
        desk = Desk()
        if why:
            with pytest.raises(BadItem) as refused:
                desk.form.creation(data)
            assert re.search(why, str(refused.value)), (path.name, str(refused.value))
        else:
            there_and_back(desk, data)
            kept += 1
    assert kept > len(corpus()) / 2
