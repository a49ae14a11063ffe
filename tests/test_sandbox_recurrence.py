"""What a series in the sandbox expands to is what a library for iCalendar expands the same rule to, over ten years.

The rule is written out here once more, with time zones of the IANA database against the sandbox's Windows rules.
"""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import icalendar
import pytest
import recurring_ical_events
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st
from lxml import etree

from ews_bridge.sandbox import rrules
from ews_bridge.sandbox import timezones
from ews_bridge.sandbox.recurrence import Pattern
from ews_bridge.sandbox.recurrence import Recurrence
from ews_bridge.sandbox.timezones import all_zones
from ews_bridge.sandbox.timezones import named

from .sandbox_calls import Client
from .sandbox_calls import codes
from .sandbox_calls import new_client
from .sandbox_calls import set_field
from .test_sandbox_calendar import calendar
from .test_sandbox_calendar import change
from .test_sandbox_calendar import create
from .test_sandbox_calendar import created
from .test_sandbox_calendar import delete
from .test_sandbox_calendar import get
from .test_sandbox_calendar import ics
from .test_sandbox_calendar import mime
from .test_sandbox_calendar import nth
from .test_sandbox_calendar import one
from .test_sandbox_calendar import starts
from .test_sandbox_calendar import view

YEARS = range(2020, 2030)
ZONES = {
    "W. Europe Standard Time": "Europe/Berlin",
    "Eastern Standard Time": "America/New_York",
    "AUS Eastern Standard Time": "Australia/Sydney",
    "India Standard Time": "Asia/Kolkata",
}
# Each of the six patterns of Exchange, and the rule that means the same.
PATTERNS = [
    ("Daily", {"Interval": 1}, "FREQ=DAILY"),
    ("Daily", {"Interval": 17}, "FREQ=DAILY;INTERVAL=17"),
    ("Weekly", {"Interval": 1, "DaysOfWeek": "Monday Friday"}, "FREQ=WEEKLY;BYDAY=MO,FR;WKST=SU"),
    (
        "Weekly",
        {"Interval": 2, "DaysOfWeek": "Sunday Tuesday", "FirstDayOfWeek": "Monday"},
        "FREQ=WEEKLY;INTERVAL=2;BYDAY=TU,SU;WKST=MO",
    ),
    (
        "Weekly",
        {"Interval": 2, "DaysOfWeek": "Sunday Tuesday", "FirstDayOfWeek": "Sunday"},
        "FREQ=WEEKLY;INTERVAL=2;BYDAY=TU,SU;WKST=SU",
    ),
    ("AbsoluteMonthly", {"Interval": 1, "DayOfMonth": 15}, "FREQ=MONTHLY;BYMONTHDAY=15"),
    ("AbsoluteMonthly", {"Interval": 5, "DayOfMonth": 31}, "FREQ=MONTHLY;INTERVAL=5;BYMONTHDAY=-1"),
    ("AbsoluteMonthly", {"Interval": 1, "DayOfMonth": 30}, "FREQ=MONTHLY;BYMONTHDAY=28,29,30;BYSETPOS=-1"),
    (
        "RelativeMonthly",
        {"Interval": 1, "DaysOfWeek": "Thursday", "DayOfWeekIndex": "Third"},
        "FREQ=MONTHLY;BYDAY=3TH",
    ),
    (
        "RelativeMonthly",
        {"Interval": 3, "DaysOfWeek": "Sunday", "DayOfWeekIndex": "Last"},
        "FREQ=MONTHLY;INTERVAL=3;BYDAY=-1SU",
    ),
    (
        "RelativeMonthly",
        {"Interval": 1, "DaysOfWeek": "Weekday", "DayOfWeekIndex": "Last"},
        "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1",
    ),
    (
        "RelativeMonthly",
        {"Interval": 2, "DaysOfWeek": "WeekendDay", "DayOfWeekIndex": "Second"},
        "FREQ=MONTHLY;INTERVAL=2;BYDAY=SA,SU;BYSETPOS=2",
    ),
    (
        "RelativeMonthly",
        {"Interval": 1, "DaysOfWeek": "Day", "DayOfWeekIndex": "Fourth"},
        "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR,SA,SU;BYSETPOS=4",
    ),
    ("AbsoluteYearly", {"DayOfMonth": 29, "Month": "February"}, "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=28,29;BYSETPOS=-1"),
    ("AbsoluteYearly", {"DayOfMonth": 24, "Month": "December"}, "FREQ=YEARLY;BYMONTH=12;BYMONTHDAY=24"),
    (
        "RelativeYearly",
        {"DaysOfWeek": "Sunday", "DayOfWeekIndex": "Last", "Month": "March"},
        "FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU",
    ),
    (
        "RelativeYearly",
        {"DaysOfWeek": "Weekday", "DayOfWeekIndex": "First", "Month": "May"},
        "FREQ=YEARLY;BYMONTH=5;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=1",
    ),
]
RANGES = {
    "NoEnd": ("", ""),
    "EndDate": ("<t:EndDate>2026-10-25</t:EndDate>", ";UNTIL={until}"),
    "Numbered": ("<t:NumberOfOccurrences>30</t:NumberOfOccurrences>", ";COUNT=30"),
}


def element(kind: str, values: dict[str, object], bounds: str) -> str:
    inner = "".join(f"<t:{name}>{value}</t:{name}>" for name, value in values.items())
    end = f"<t:{bounds}Recurrence><t:StartDate>2020-01-05</t:StartDate>{RANGES[bounds][0]}</t:{bounds}Recurrence>"
    return f"<t:Recurrence><t:{kind}Recurrence>{inner}</t:{kind}Recurrence>{end}</t:Recurrence>"


def by_library(rule: str, start: dt.datetime) -> list[dt.datetime]:
    """The begins of all occurrences in YEARS, and of a few more, in UTC."""
    event = icalendar.Event()
    event.add("UID", "x")
    event.add("DTSTART", start)
    event.add("DTEND", start + dt.timedelta(minutes=30))
    event["RRULE"] = icalendar.vRecur.from_ical(rule)
    calendar = icalendar.Calendar()
    calendar.add_component(event)
    found = recurring_ical_events.of(calendar).between((YEARS[0], 1, 1), (YEARS[-1] + 1, 1, 3))
    return sorted(one["DTSTART"].dt.astimezone(dt.UTC) for one in found)


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize(("kind", "values", "rule"), PATTERNS, ids=[rule for _, _, rule in PATTERNS])
def test_a_series_happens_when_a_library_says_so(kind: str, values: dict[str, object], rule: str, zone: str) -> None:
    client = new_client()
    where = ZoneInfo(ZONES[zone])
    for bounds, (_, more) in RANGES.items():
        begin = dt.datetime(2020, 1, 5, 2, 30)  # when clocks are changed
        series = created(
            client,
            f"<t:Subject>x</t:Subject><t:Start>{begin.isoformat()}</t:Start>"
            f"<t:End>{(begin + dt.timedelta(minutes=30)).isoformat()}</t:End>{element(kind, values, bounds)}"
            f'<t:StartTimeZone Id="{zone}"/><t:EndTimeZone Id="{zone}"/>',
        )
        first = dt.datetime.fromisoformat(get(client, one(series)).findtext("{*}Start") or "").astimezone(where)
        until = dt.datetime(2026, 10, 25, 23, 59, tzinfo=where).astimezone(dt.UTC).strftime("%Y%m%dT%H%M%SZ")
        expected = by_library(rule + more.format(until=until), first)
        found = []
        for year in YEARS[::2]:
            # A view also has what ends where it begins.
            shown = starts(view(client, f"{year}-01-01T00:00:00Z", f"{year + 2}-01-01T00:00:00Z"))
            found += [moment for moment in map(dt.datetime.fromisoformat, shown) if moment.year >= year]
        assert found == [moment for moment in expected if moment.year in YEARS], bounds
        assert len(found) > 5
        client.mailbox.remove(next(iter(client.mailbox.folder("calendar").items.values())))


@pytest.mark.parametrize(
    ("values", "kind", "code"),
    [
        ({"Interval": 0}, "Daily", "ErrorCalendarInvalidRecurrence"),
        ({"Interval": 1000}, "Daily", "ErrorCalendarInvalidRecurrence"),
        ({"Interval": 100, "DayOfMonth": 1}, "AbsoluteMonthly", "ErrorCalendarInvalidRecurrence"),
        ({"Interval": 1, "DayOfMonth": 32}, "AbsoluteMonthly", "ErrorCalendarInvalidRecurrence"),
        ({"DayOfMonth": 31, "Month": "April"}, "AbsoluteYearly", "ErrorCalendarInvalidRecurrence"),
        ({"Interval": 1, "DaysOfWeek": "Weekday"}, "Weekly", "ErrorCalendarInvalidDayForWeeklyRecurrence"),
    ],
)
def test_numbers_that_exchange_does_not_take(values: dict[str, object], kind: str, code: str) -> None:
    assert codes(create(new_client(), element(kind, values, "NoEnd"))) == [code]


def test_an_occurrence_ends_before_the_next_begins() -> None:
    times = "<t:Start>2020-01-05T09:00:00Z</t:Start><t:End>2020-01-06T10:00:00Z</t:End>"
    daily = element("Daily", {"Interval": 1}, "NoEnd")
    assert codes(create(new_client(), times + daily)) == ["ErrorOccurrenceTimeSpanTooBig"]


# -- rules of other clients

WEEKDAYS = st.sets(st.integers(0, 6), min_size=1).map(frozenset)
SETS = st.one_of(
    st.integers(0, 6).map(lambda day: frozenset((day,))), st.sampled_from([frozenset(range(7)), frozenset(range(5))])
)
MONTHS = st.integers(1, 12)
INDEXES = st.sampled_from([1, 2, 3, 4, -1])
ALL_PATTERNS = st.one_of(
    st.builds(Pattern, st.just("Day"), st.integers(1, 40)),
    st.builds(Pattern, st.just("Week"), st.integers(1, 5), WEEKDAYS, st.integers(0, 6)),
    st.builds(Pattern, st.just("Month"), st.integers(1, 12), day=st.integers(1, 31)),
    st.builds(Pattern, st.just("Month"), st.integers(1, 12), SETS, index=INDEXES),
    st.builds(Pattern, st.just("Year"), day=st.integers(1, 28), month=MONTHS),
    st.builds(Pattern, st.just("Year"), weekdays=SETS, index=INDEXES, month=MONTHS),
)


@given(ALL_PATTERNS, st.dates(dt.date(2020, 1, 1), dt.date(2023, 1, 1)))
def test_a_pattern_written_as_a_rule_is_read_as_the_same_days(pattern: Pattern, start: dt.date) -> None:
    written = Recurrence(pattern, start)
    first = next(written.days())
    again = rrules.read(rrules.write(written, None), first, None)
    until = first + dt.timedelta(days=2000)
    assert list(again.until(until)) == list(written.until(until))


@settings(max_examples=60)
@given(ALL_PATTERNS, st.dates(dt.date(2020, 1, 1), dt.date(2023, 1, 1)))
def test_a_rule_means_to_a_library_what_it_means_here(pattern: Pattern, start: dt.date) -> None:
    written = Recurrence(pattern, start)
    first = next(written.days())
    moments = by_library(rrules.write(written, None), dt.datetime.combine(first, dt.time(9), dt.UTC))
    assert [moment.date() for moment in moments if moment.year in YEARS] == list(written.until(dt.date(YEARS[-1], 12, 31)))


@pytest.mark.parametrize(
    ("rule", "same"),
    [
        ("FREQ=MONTHLY;BYDAY=2TU", "FREQ=MONTHLY;BYDAY=TU;BYSETPOS=2"),
        ("FREQ=YEARLY", "FREQ=YEARLY;BYMONTH=3;BYMONTHDAY=10"),
        ("FREQ=WEEKLY", "FREQ=WEEKLY;BYDAY=TU;WKST=MO"),
        ("FREQ=DAILY;BYDAY=MO,TU,WE,TH,FR", "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR;WKST=MO"),
        ("FREQ=YEARLY;INTERVAL=2", "FREQ=MONTHLY;INTERVAL=24;BYMONTHDAY=10"),
        ("freq=monthly;bymonthday=-1", "FREQ=MONTHLY;BYMONTHDAY=31"),
    ],
)
def test_other_words_for_the_same_days(rule: str, same: str) -> None:
    start = dt.date(2026, 3, 10)  # a Tuesday
    assert rrules.read(rule, start, None) == rrules.read(same, start, None)


@pytest.mark.parametrize(
    "rule",
    [
        *("FREQ=HOURLY", "FREQ=DAILY;BYHOUR=9", "FREQ=WEEKLY;BYMONTH=3", "FREQ=MONTHLY;BYMONTHDAY=1,15", "INTERVAL=2"),
        *("FREQ=MONTHLY;BYDAY=MO", "FREQ=MONTHLY;BYDAY=1MO,3MO", "FREQ=MONTHLY;BYDAY=5MO", "FREQ=YEARLY;BYDAY=20MO"),
        *("FREQ=YEARLY;BYMONTH=1,7", "FREQ=MONTHLY;BYMONTHDAY=-2", "FREQ=DAILY;INTERVAL=2;BYDAY=MO", "FREQ=DAILY;INTERVAL=x"),
        *("FREQ=MONTHLY;BYDAY=MO,TU;BYSETPOS=1", "FREQ=YEARLY;BYWEEKNO=20", "FREQ=MONTHLY;BYDAY=MO;BYSETPOS=1,2"),
    ],
)
def test_rules_without_a_pattern_are_refused(rule: str) -> None:
    with pytest.raises(rrules.Unheld):
        rrules.read(rule, dt.date(2026, 3, 10), None)


# -- time zones


@pytest.mark.parametrize(("windows", "iana"), ZONES.items())
def test_clocks_change_when_the_database_says_so(windows: str, iana: str) -> None:
    zone, where = named(windows), ZoneInfo(iana)
    assert zone is not None
    moment = dt.datetime(1999, 1, 1, tzinfo=dt.UTC)
    while moment.year < 2030:
        # Sydney's rules were others until 2008; a Windows zone has those of today.
        if windows != "AUS Eastern Standard Time" or moment.year > 2008:
            offset = moment.astimezone(where).utcoffset()
            assert offset is not None and zone.offset(int(moment.timestamp())) * 60 == offset.total_seconds(), moment
        moment += dt.timedelta(hours=13)


def test_every_zone_is_told_by_its_definition_again() -> None:
    for zone in all_zones():
        parent = etree.Element("x")
        timezones.put_zone(parent, "StartTimeZone", zone, full=True)
        parent[0].set("Id", "tzone://Microsoft/Custom")
        assert timezones.read_zone(parent[0]).eras == zone.eras, zone.id
        timezones.put_meeting_zone(parent, zone)
        parent[1].set("TimeZoneName", "unknown")
        again = timezones.read_meeting_zone(parent[1])
        assert (again.eras[-1].standard, again.eras[-1].summer) == (zone.eras[-1].standard, zone.eras[-1].summer), zone.id


# -- a series and what is done to it


@settings(max_examples=40)
@given(
    st.sampled_from([(kind, values) for kind, values, _ in PATTERNS]),
    st.sampled_from(list(ZONES)),
    st.lists(st.tuples(st.sampled_from(["move", "rename", "delete"]), st.integers(1, 30)), max_size=12),
)
def test_a_series_made_from_its_own_mime_happens_at_the_same_times(
    pattern: tuple[str, dict[str, object]], zone: str, edits: list[tuple[str, int]]
) -> None:
    client = new_client()
    series = created(
        client,
        "<t:Subject>x</t:Subject><t:Start>2020-01-05T02:30:00</t:Start><t:End>2020-01-05T03:00:00</t:End>"
        f'{element(*pattern, "Numbered")}<t:StartTimeZone Id="{zone}"/><t:EndTimeZone Id="{zone}"/>',
    )
    gone: set[int] = set()
    for edit, index in edits:
        before = client.call("GetItem", request_of(nth(series, index)))
        assert codes(before) == ["ErrorCalendarOccurrenceIsDeletedFromRecurrence" if index in gone else "NoError"]
        if index in gone:
            continue
        if edit == "delete":
            assert codes(delete(client, nth(series, index))) == ["NoError"]
            gone.add(index)
        elif edit == "rename":
            subject = set_field("item:Subject", f"<t:Subject>{index}</t:Subject>", "CalendarItem")
            assert codes(change(client, nth(series, index), subject)) == ["NoError"]
        else:
            start = dt.datetime.fromisoformat(before.findtext(".//{*}Start") or "") + dt.timedelta(minutes=7)
            end = start + dt.timedelta(minutes=5)
            updates = (calendar("Start", start.isoformat()), calendar("End", end.isoformat()))
            assert codes(change(client, nth(series, index), *updates)) == ["NoError"]
    shown = get(client, one(series), "", "AllProperties")
    assert len(list(shown.iter("{*}DeletedOccurrence"))) == len(gone)
    text = ics(client, one(series))
    if len(gone) < 30:
        times = times_in(client)
        assert len(times) == 30 - len(gone)
        client.mailbox.remove(next(iter(client.mailbox.folder("calendar").items.values())))
        created(client, mime(text))
        assert times_in(client) == times


def request_of(target: str) -> str:
    added = '<t:AdditionalProperties><t:FieldURI FieldURI="calendar:Start"/></t:AdditionalProperties>'
    return f"<m:ItemShape><t:BaseShape>IdOnly</t:BaseShape>{added}</m:ItemShape><m:ItemIds>{target}</m:ItemIds>"


def times_in(client: Client) -> list[tuple[str, str | None]]:
    """Begin and subject of all there is in the calendar, over as many years as thirty occurrences may take."""
    found = []
    for year in range(2020, 2060, 2):
        span = (f"{year}-01-01T00:00:00Z", f"{year + 2}-01-01T00:00:00Z")
        for shown in view(client, *span, '<t:FieldURI FieldURI="item:Subject"/>'):
            start = shown.findtext("{*}Start") or ""
            if int(start[:4]) >= year:
                found.append((start, shown.findtext("{*}Subject")))
    return found
