"""Recurrence rules: what other programs write is read exactly, or refused by name; our days are those of other libraries."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from datetime import datetime
from datetime import timedelta
from itertools import takewhile

import icalendar
import pytest
import recurring_ical_events
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st
from lxml import etree

from ews_bridge.errors import BadItem
from ews_bridge.exchange import recurrence
from ews_bridge.exchange import rrule
from ews_bridge.exchange import soap
from ews_bridge.exchange import times
from ews_bridge.exchange import zones
from ews_bridge.exchange.recurrence import EVERY_DAY
from ews_bridge.exchange.recurrence import WEEKDAYS
from ews_bridge.exchange.recurrence import WEEKEND
from ews_bridge.exchange.recurrence import Rule

YEARS = 10
BERLIN = zones.Zone("W. Europe Standard Time", "Europe/Berlin")
NEW_YORK = zones.Zone("Eastern Standard Time", "America/New_York")

intervals = st.integers(1, 5)
one_day = st.integers(0, 6).map(lambda day: frozenset((day,)))
some_days = st.frozensets(st.integers(0, 6), min_size=1)
positions = st.sampled_from((1, 2, 3, 4, -1))
patterns = st.one_of(
    st.builds(Rule, st.just("day"), st.integers(1, 40)),
    st.builds(Rule, st.just("week"), intervals, some_days, first=st.integers(0, 6)),
    st.builds(Rule, st.just("month"), st.sampled_from((1, 2, 3, 6, 12, 24)), month_day=st.integers(1, 31)),
    st.builds(
        Rule,
        st.just("month"),
        st.sampled_from((1, 2, 3, 12, 36)),
        st.one_of(one_day, st.sampled_from((EVERY_DAY, WEEKDAYS, WEEKEND))),
        positions,
    ),
)
mornings = st.datetimes(datetime(2020, 1, 1), datetime(2027, 12, 31)).map(
    lambda when: when.replace(second=0, microsecond=0, fold=0)
)


@st.composite
def series(draw: st.DrawFn) -> tuple[Rule, datetime]:
    """A rule, and a start that is one of its days."""
    rule, when = draw(patterns), draw(mornings)
    day = next(iter(rule.occurrences(when.date())), when.date())
    return rule, datetime.combine(day, when.time())


def in_years(rule: Rule, start: date, years: int = YEARS) -> list[date]:
    end = start.replace(year=start.year + years, day=1)
    return list(takewhile(lambda day: day < end, rule.occurrences(start)))


def element(rule: Rule, start: date) -> etree._Element:
    xml = recurrence.to_xml(rule, start).replace("<t:Recurrence>", f'<t:Recurrence xmlns:t="{soap.TYPES}">', 1)
    return etree.fromstring(xml)


@settings(max_examples=150, deadline=None)
@given(series(), st.sampled_from((BERLIN, NEW_YORK)))
def test_every_pattern_falls_on_the_days_that_another_library_finds_over_ten_years(
    one: tuple[Rule, datetime], zone: zones.Zone
) -> None:
    rule, start = one
    end = start.replace(year=start.year + YEARS, day=1)
    lines = (
        *("BEGIN:VCALENDAR", *zones.vtimezone(zone, start.year), "BEGIN:VEVENT", "UID:1"),
        str(times.line("DTSTART", start, zone, day=False, floating=False)),
        f"RRULE:{recurrence.to_rrule(rule, start.date(), '')}",
        *("END:VEVENT", "END:VCALENDAR", ""),
    )
    events = recurring_ical_events.of(icalendar.Calendar.from_ical("\r\n".join(lines))).between(start, end)
    found = sorted(event["DTSTART"].dt for event in events)
    days = in_years(rule, start.date())
    # A time that the clocks leave out is an hour later; that is the same moment.
    assert [zone.moment(datetime.combine(day, start.time())) for day in days] == [when.astimezone() for when in found]


@settings(max_examples=300, deadline=None)
@given(series())
def test_a_rule_comes_back_from_its_rrule_and_from_its_element(one: tuple[Rule, datetime]) -> None:
    rule, start = one
    day = start.date()
    value = recurrence.to_rrule(rule, day, "")
    assert rrule.read(value, start).normal(day) == rule.normal(day)
    assert in_years(recurrence.from_element(element(rule, day)), day) == in_years(rule, day)


@settings(max_examples=200, deadline=None)
@given(series(), st.integers(0, 2000), st.integers(1, 60))
def test_ends_and_places_agree_with_counting(one: tuple[Rule, datetime], span: int, count: int) -> None:
    rule, start = one
    day = start.date()
    counted = replace(rule, count=count)
    days = list(counted.occurrences(day))
    assert len(days) == count
    assert counted.last(day) == days[-1]
    assert [rule.index(day, each) for each in days] == list(range(1, count + 1))
    ending = replace(rule, until=day + timedelta(span))
    assert ending.last(day) == list(ending.occurrences(day))[-1]
    assert list(ending.normal(day).occurrences(day)) == list(ending.occurrences(day))


# ---- other programs' ways of saying it


@pytest.mark.parametrize(
    ("written", "ours"),
    [
        ("FREQ=DAILY;BYDAY=MO,TU,WE,TH,FR", "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR"),
        ("FREQ=DAILY;INTERVAL=14", "FREQ=WEEKLY;INTERVAL=2;BYDAY=MO"),
        ("FREQ=WEEKLY;BYDAY=SU,MO,TU,WE,TH,FR,SA", "FREQ=DAILY"),
        ("FREQ=WEEKLY;WKST=SU", "FREQ=WEEKLY;BYDAY=MO"),
        ("FREQ=WEEKLY;INTERVAL=2;WKST=SU;BYDAY=MO,SA", "FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,SA;WKST=SU"),
        ("FREQ=MONTHLY", "FREQ=MONTHLY;BYMONTHDAY=12"),
        ("FREQ=MONTHLY;BYDAY=MO", "FREQ=WEEKLY;BYDAY=MO"),
        ("FREQ=MONTHLY;BYDAY=2MO", "FREQ=MONTHLY;BYDAY=2MO"),
        ("FREQ=MONTHLY;BYDAY=+2MO", "FREQ=MONTHLY;BYDAY=2MO"),
        ("FREQ=MONTHLY;BYDAY=MO;BYSETPOS=2", "FREQ=MONTHLY;BYDAY=2MO"),
        ("FREQ=MONTHLY;BYDAY=MO;BYMONTHDAY=8,9,10,11,12,13,14", "FREQ=MONTHLY;BYDAY=2MO"),
        ("FREQ=MONTHLY;INTERVAL=12;BYDAY=2MO", "FREQ=YEARLY;BYMONTH=10;BYDAY=2MO"),
        ("FREQ=MONTHLY;BYMONTH=10;BYDAY=2MO", "FREQ=YEARLY;BYMONTH=10;BYDAY=2MO"),
        ("FREQ=YEARLY", "FREQ=YEARLY;BYMONTH=10;BYMONTHDAY=12"),
        ("FREQ=YEARLY;BYMONTHDAY=12", "FREQ=MONTHLY;BYMONTHDAY=12"),
        ("FREQ=YEARLY;BYMONTH=4,10;BYMONTHDAY=12", "FREQ=MONTHLY;INTERVAL=6;BYMONTHDAY=12"),
        ("FREQ=YEARLY;INTERVAL=3", "FREQ=YEARLY;INTERVAL=3;BYMONTH=10;BYMONTHDAY=12"),
        ("FREQ=DAILY;BYHOUR=9;BYMINUTE=30;BYSECOND=0", "FREQ=DAILY"),
        ("RSCALE=GREGORIAN;FREQ=MONTHLY;SKIP=OMIT", "FREQ=MONTHLY;BYMONTHDAY=12"),
        ("freq=daily;interval=2", "FREQ=DAILY;INTERVAL=2"),
    ],
)
def test_what_means_the_same_is_the_same(written: str, ours: str) -> None:
    start = datetime(2026, 10, 12, 9, 30)
    assert recurrence.to_rrule(rrule.read(written, start), start.date(), "") == ours


@pytest.mark.parametrize(
    ("written", "start", "ours"),
    [
        ("FREQ=MONTHLY;BYMONTHDAY=-1", date(2026, 10, 31), "FREQ=MONTHLY;BYMONTHDAY=-1"),
        ("FREQ=MONTHLY;BYDAY=SU,MO,TU,WE,TH,FR,SA;BYSETPOS=-1", date(2026, 10, 31), "FREQ=MONTHLY;BYMONTHDAY=-1"),
        ("FREQ=MONTHLY;BYMONTHDAY=28,29,30;BYSETPOS=-1", date(2026, 10, 30), "FREQ=MONTHLY;BYMONTHDAY=28,29,30;BYSETPOS=-1"),
        ("RSCALE=GREGORIAN;SKIP=BACKWARD;FREQ=MONTHLY", date(2026, 10, 31), "FREQ=MONTHLY;BYMONTHDAY=-1"),
        ("FREQ=YEARLY", date(2026, 10, 31), "FREQ=YEARLY;BYMONTH=10;BYMONTHDAY=31"),
        ("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=-1", date(2026, 2, 28), "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=-1"),
        ("FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1", date(2026, 10, 30), "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1"),
    ],
)
def test_the_ends_of_months_are_those_that_exchange_means(written: str, start: date, ours: str) -> None:
    assert recurrence.to_rrule(rrule.read(written, start), start, "") == ours


@pytest.mark.parametrize(
    ("written", "why"),
    [
        ("FREQ=HOURLY", "no HOURLY"),
        ("FREQ=DAILY;BYHOUR=9,17", "several times a day"),
        ("FREQ=DAILY;INTERVAL=2;BYDAY=MO", "every 2 days"),
        ("FREQ=DAILY;BYMONTH=1", "BYMONTH"),
        ("FREQ=WEEKLY;BYDAY=2MO", "numbered days"),
        ("FREQ=MONTHLY;BYMONTHDAY=12,20", "several days"),
        ("FREQ=MONTHLY;BYMONTHDAY=-2", "from the end"),
        ("FREQ=MONTHLY;BYMONTHDAY=30", "left out"),
        ("FREQ=MONTHLY;BYDAY=1MO,2MO", "several days"),
        ("FREQ=MONTHLY;BYDAY=5MO", "the day number 5"),
        ("FREQ=MONTHLY;BYDAY=MO,WE;BYSETPOS=1", "a choice out of"),
        ("FREQ=MONTHLY;INTERVAL=2;BYDAY=MO", "all such days"),
        ("FREQ=MONTHLY;BYDAY=FR;BYMONTHDAY=13", "certain days of the month"),
        ("FREQ=YEARLY;BYDAY=20MO", "over the whole year"),
        ("FREQ=YEARLY;BYWEEKNO=42", "no BYWEEKNO"),
        ("FREQ=YEARLY;BYYEARDAY=285", "no BYYEARDAY"),
        ("FREQ=YEARLY;BYMONTH=9,10", "not evenly apart"),
        ("RSCALE=CHINESE;FREQ=YEARLY", "no calendar CHINESE"),
        ("FREQ=DAILY;INTERVAL=1000", "at most 999"),
        ("FREQ=WEEKLY;BYDAY=TU", "no day of its recurrence rule"),
        ("FREQ=WEEKLY;BYDAY=XX", "cannot be read"),
        ("FREQ=WEEKLY;FREQ=DAILY", "cannot be read"),
        ("", "without FREQ"),
    ],
)
def test_what_exchange_cannot_hold_is_refused_and_named(written: str, why: str) -> None:
    with pytest.raises(BadItem, match=why):
        rrule.read(written, datetime(2026, 10, 12, 9, 30))


def test_a_series_that_never_takes_place_is_refused() -> None:
    rule = rrule.read("FREQ=DAILY", date(2026, 10, 12))
    with pytest.raises(BadItem, match="never takes place"):
        rrule.with_end(rule, "FREQ=DAILY;UNTIL=20261011", date(2026, 10, 12), date(2026, 10, 11))


def test_a_longer_count_than_exchange_takes_is_the_day_on_which_it_ends() -> None:
    start = date(2026, 10, 12)
    ended = rrule.with_end(rrule.read("FREQ=DAILY", start), "FREQ=DAILY;COUNT=2000", start, None)
    assert (ended.count, ended.until) == (0, start + timedelta(1999))


@pytest.mark.parametrize(
    ("xml", "value"),
    [
        (
            "<t:AbsoluteMonthlyRecurrence><t:Interval>1</t:Interval><t:DayOfMonth>31</t:DayOfMonth></t:AbsoluteMonthlyRecurrence>",
            "FREQ=MONTHLY;BYMONTHDAY=-1",
        ),
        (
            "<t:AbsoluteYearlyRecurrence><t:DayOfMonth>29</t:DayOfMonth><t:Month>February</t:Month></t:AbsoluteYearlyRecurrence>",
            "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=-1",
        ),
        (
            "<t:RelativeYearlyRecurrence><t:DaysOfWeek>WeekendDay</t:DaysOfWeek><t:DayOfWeekIndex>Second</t:DayOfWeekIndex>"
            "<t:Month>February</t:Month></t:RelativeYearlyRecurrence>",
            "FREQ=YEARLY;BYMONTH=2;BYDAY=SA,SU;BYSETPOS=2",
        ),
        (
            "<t:WeeklyRecurrence><t:Interval>2</t:Interval><t:DaysOfWeek>Weekday</t:DaysOfWeek>"
            "<t:FirstDayOfWeek>Sunday</t:FirstDayOfWeek></t:WeeklyRecurrence>",
            "FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,TU,WE,TH,FR;WKST=SU",
        ),
    ],
)
def test_patterns_of_exchange_are_written_as_what_they_do(xml: str, value: str) -> None:
    text = (
        f'<t:Recurrence xmlns:t="{soap.TYPES}">{xml}<t:NoEndRecurrence><t:StartDate>2028-02-29Z</t:StartDate></t:NoEndRecurrence>'
    )
    rule = recurrence.from_element(etree.fromstring(f"{text}</t:Recurrence>"))
    assert recurrence.to_rrule(rule, date(2028, 2, 29), "") == value


def test_the_last_day_of_a_month_is_one_that_it_has() -> None:
    rule = rrule.read("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=-1", date(2028, 2, 29))
    assert "<t:DayOfMonth>29</t:DayOfMonth>" in recurrence.to_xml(rule, date(2028, 2, 29))


def test_a_pattern_that_is_no_events_is_refused() -> None:
    xml = (
        f'<t:Recurrence xmlns:t="{soap.TYPES}"><t:DailyRegeneration><t:Interval>1</t:Interval></t:DailyRegeneration>'
        "<t:NoEndRecurrence><t:StartDate>2026-10-12</t:StartDate></t:NoEndRecurrence></t:Recurrence>"
    )
    with pytest.raises(BadItem, match="DailyRegeneration"):
        recurrence.from_element(etree.fromstring(xml))
