"""Time zones as Exchange knows them: Windows names and custom definitions, reckoned by their rules and not by a database.

Offsets are minutes east of Greenwich; moments are seconds since 1970; local times are datetimes without a zone.
"""

from __future__ import annotations

import bisect
import datetime as dt
import re
from dataclasses import dataclass
from functools import cache

from .errors import ItemError
from .markup import Element
from .markup import children
from .markup import local
from .markup import put
from .markup import t
from .timezone_table import RULES
from .timezone_table import ZONES

DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
ORDINALS = {"First": 1, "Second": 2, "Third": 3, "Fourth": 4, "Last": -1}
MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
CUSTOM = "tzone://Microsoft/Custom"
EPOCH = dt.datetime(1970, 1, 1)
# Until 2006 daylight saving time was shorter in the United States and in Canada (Energy Policy Act of 2005).
AMERICAN = "AMERICA"
AMERICA_CHANGED = 2007


@dataclass(frozen=True, slots=True)
class Change:
    """A yearly change of clocks, at `minutes` of the local time before it.

    The `occurrence`-th `weekday` (Monday is 0) of the month, -1 the last; or the day `date` of the month, if not 0.
    """

    month: int
    occurrence: int
    weekday: int
    minutes: int
    date: int = 0

    def in_year(self, year: int) -> dt.datetime:
        """The local time of the change in that year."""
        day = nth_weekday(year, self.month, self.weekday, self.occurrence)
        if self.date:
            day = dt.date(year, self.month, self.date)
        return dt.datetime.combine(day, dt.time()) + dt.timedelta(minutes=self.minutes)


@dataclass(frozen=True, slots=True)
class Era:
    """The rules from `year` (UTC) on, until the next era; without changes there is no daylight saving time."""

    year: int
    standard: int
    daylight: int
    summer: Change | None = None
    winter: Change | None = None

    def offset(self, moment: int) -> int:
        if self.summer is None or self.winter is None:
            return self.standard
        year = (EPOCH + dt.timedelta(seconds=moment, minutes=self.standard)).year
        begins = _seconds(self.summer.in_year(year)) - self.standard * 60
        ends = _seconds(self.winter.in_year(year)) - self.daylight * 60
        inside = begins <= moment < ends if begins < ends else not ends <= moment < begins
        return self.daylight if inside else self.standard


@dataclass(frozen=True, slots=True)
class Zone:
    """A time zone; `eras` begin with the year 0 and rise."""

    id: str
    name: str
    eras: tuple[Era, ...]

    def offset(self, moment: int) -> int:
        """Minutes east of Greenwich at a moment."""
        year = (EPOCH + dt.timedelta(seconds=moment)).year
        return self.eras[bisect.bisect_right([era.year for era in self.eras], year) - 1].offset(moment)

    def local(self, moment: int) -> dt.datetime:
        return EPOCH + dt.timedelta(seconds=moment, minutes=self.offset(moment))

    def moment(self, clock: dt.datetime) -> int:
        """When a local time is: of two such moments the first; a time that clocks skip is read by the clock before."""
        naive = _seconds(clock)
        before = self.offset(naive - 86_400)
        after = self.offset(naive + 86_400)
        for offset in (before, after):
            if self.offset(naive - offset * 60) == offset:
                return naive - offset * 60
        return naive - before * 60

    def midnight(self, moment: int) -> int:
        """The beginning of the local day in which the moment lies."""
        return self.moment(dt.datetime.combine(self.local(moment).date(), dt.time()))


def _seconds(clock: dt.datetime) -> int:
    return int((clock - EPOCH).total_seconds())


def nth_weekday(year: int, month: int, weekday: int, occurrence: int) -> dt.date:
    """The first (1) to fourth (4), or the last (-1, also 5) of a weekday in a month."""
    if 0 < occurrence < 5:
        first = dt.date(year, month, 1)
        return first + dt.timedelta(days=(weekday - first.weekday()) % 7 + 7 * (occurrence - 1))
    last = last_day(year, month)
    return last - dt.timedelta(days=(last.weekday() - weekday) % 7)


def last_day(year: int, month: int) -> dt.date:
    return dt.date(year + month // 12, month % 12 + 1, 1) - dt.timedelta(days=1)


@cache
def _table() -> dict[str, Zone]:
    rules = {}
    for line in RULES.strip().splitlines():
        name, gain, summer, winter = line.split(" | ")
        rules[name] = (int(gain), _change_of(summer), _change_of(winter))
    found = {}
    for line in ZONES.strip().splitlines():
        zone, name, offset, *rule = line.split(" | ")
        standard = int(offset)
        if not rule:
            eras: tuple[Era, ...] = (Era(0, standard, standard),)
        else:
            minutes, begins, ends = rules[rule[0]]
            eras = (Era(0, standard, standard + minutes, begins, ends),)
            if rule[0] == AMERICAN:
                before = (Change(4, 1, 6, begins.minutes), Change(10, -1, 6, ends.minutes))
                now = Era(AMERICA_CHANGED, standard, standard + minutes, begins, ends)
                eras = (Era(0, standard, standard + minutes, *before), now)
        found[zone.lower()] = Zone(zone, name, eras)
    return found


def _change_of(text: str) -> Change:
    month, occurrence, day, clock = text.split()
    hours, minutes = clock.split(":")
    return Change(int(month), int(occurrence), DAYS.index(day), int(hours) * 60 + int(minutes))


def all_zones() -> list[Zone]:
    return list(_table().values())


def named(zone_id: str) -> Zone | None:
    """The zone of a Windows name, in any case; also `tzone://Microsoft/Utc`."""
    if zone_id.lower() == "tzone://microsoft/utc":
        return UTC
    return _table().get(zone_id.lower())


UTC = _table()["utc"]


def like(eras: tuple[Era, ...], zone_id: str, name: str) -> Zone:
    """The zone with these rules: one that is known by name, if there is one, else a custom one."""
    known = named(zone_id)
    if known is not None and known.eras[-1:] == eras[-1:]:
        return known
    wanted = _plain(eras[-1])
    same = [zone for zone in all_zones() if _plain(zone.eras[-1]) == wanted]
    if len(eras) == 1 and same:
        return next((zone for zone in same if zone.id in _USUAL), same[0])
    return Zone(CUSTOM, name or zone_id, eras)


def _plain(era: Era) -> Era:
    return Era(0, era.standard, era.daylight, era.summer, era.winter)


# Which of several zones of the same rules stands for them.
_USUAL = frozenset(
    (
        *("UTC", "GMT Standard Time", "W. Europe Standard Time", "FLE Standard Time", "Eastern Standard Time"),
        *("Central Standard Time", "Mountain Standard Time", "Pacific Standard Time", "AUS Eastern Standard Time"),
        *("Tokyo Standard Time", "China Standard Time", "Russian Standard Time", "New Zealand Standard Time"),
    )
)


# -- as XML


def put_zones(parent: Element, wanted: list[str], *, full: bool) -> None:
    """Append the definitions of the wanted zones, of all if none is named; `full` adds the rules."""
    for zone in all_zones():
        if not wanted or zone.id in wanted:
            put_zone(parent, "TimeZoneDefinition", zone, full=full)


def put_zone(parent: Element, name: str, zone: Zone, *, full: bool) -> None:
    """Append a TimeZoneDefinitionType: id and name, and if `full` periods and transitions."""
    element = put(parent, t(name))
    element.set("Id", zone.id)
    element.set("Name", zone.name)
    if not full:
        return
    periods = put(element, t("Periods"))
    groups = put(element, t("TransitionsGroups"))
    transitions = put(element, t("Transitions"))
    for number, era in enumerate(zone.eras):
        label = "1" if len(zone.eras) == 1 else str(era.year or zone.eras[1].year - 1)
        _put_era(periods, groups, era, f"trule:Microsoft/Registry/{zone.id}/{label}", str(number))
        step = put(transitions, t("AbsoluteDateTransition" if number else "Transition"))
        put(step, t("To"), str(number)).set("Kind", "Group")
        if number:
            put(step, t("DateTime"), f"{era.year:04}-01-01T00:00:00")


def _put_era(periods: Element, groups: Element, era: Era, rule: str, number: str) -> None:
    _put_period(periods, f"{rule}-Standard", "Standard", era.standard)
    group = put(groups, t("TransitionsGroup"))
    group.set("Id", number)
    if era.summer is None or era.winter is None:
        put(put(group, t("Transition")), t("To"), f"{rule}-Standard").set("Kind", "Period")
        return
    _put_period(periods, f"{rule}-Daylight", "Daylight", era.daylight)
    for change, name in ((era.summer, "Daylight"), (era.winter, "Standard")):
        step = put(group, t("RecurringDateTransition" if change.date else "RecurringDayTransition"))
        put(step, t("To"), f"{rule}-{name}").set("Kind", "Period")
        put(step, t("TimeOffset"), _duration(change.minutes))
        put(step, t("Month"), str(change.month))
        if change.date:
            put(step, t("Day"), str(change.date))
        else:
            put(step, t("DayOfWeek"), DAYS[change.weekday])
            put(step, t("Occurrence"), str(change.occurrence))


def _put_period(periods: Element, identifier: str, name: str, offset: int) -> None:
    period = put(periods, t("Period"))
    # Bias counts from local time to UTC: east of Greenwich it is negative.
    period.set("Bias", _duration(-offset))
    period.set("Name", name)
    period.set("Id", identifier)


def _duration(minutes: int) -> str:
    hours, rest = divmod(abs(minutes), 60)
    return f"{'-' if minutes < 0 else ''}PT{hours}H{f'{rest}M' if rest else ''}"


_DURATION = re.compile(r"\s*(?P<sign>-?)P(?:(?P<days>\d+)D)?(?:T(?:(?P<hours>\d+)H)?(?:(?P<minutes>\d+)M)?(?:[\d.]+S)?)?\s*")


def duration_minutes(text: str) -> int:
    """An xs:duration of days, hours and minutes; ErrorCalendarInvalidTimeZone for any other."""
    found = _DURATION.fullmatch(text)
    if found is None:
        raise ItemError("ErrorCalendarInvalidTimeZone")
    total = int(found["days"] or 0) * 1440 + int(found["hours"] or 0) * 60 + int(found["minutes"] or 0)
    return -total if found["sign"] else total


def read_zone(element: Element) -> Zone:
    """The zone a TimeZoneDefinition of a request means.

    A name that is known decides; otherwise its periods and transitions.  ErrorCalendarInvalidTimeZone for an unknown name
    without rules, and for rules that contradict themselves.
    """
    identifier, name = element.get("Id") or "", element.get("Name") or ""
    known = named(identifier)
    if known is not None:
        return known
    periods = {period.get("Id") or "": -duration_minutes(period.get("Bias") or "") for period in element.iter(t("Period"))}
    if not periods:
        raise ItemError("ErrorCalendarInvalidTimeZone")
    groups = {group.get("Id") or "": children(group) for group in element.iter(t("TransitionsGroup"))}
    eras: list[Era] = []
    for step in children(element.find(t("Transitions"))):
        year = int((step.findtext(t("DateTime")) or "0")[:4]) if eras else 0
        target = step.find(t("To"))
        if target is not None and target.get("Kind") == "Group":
            eras.append(_read_era(year, groups.get(target.text or "", []), periods))
        else:
            offset = _offset_of(step, periods)
            eras.append(Era(year, offset, offset))
    if not eras:
        offset = next(iter(periods.values()))
        eras.append(Era(0, offset, offset))
    return Zone(identifier or CUSTOM, name, tuple(eras))


def _offset_of(step: Element, periods: dict[str, int]) -> int:
    found = periods.get(step.findtext(t("To")) or "")
    if found is None:
        raise ItemError("ErrorCalendarInvalidTimeZone")
    return found


def _read_era(year: int, steps: list[Element], periods: dict[str, int]) -> Era:
    recurring = [(_offset_of(step, periods), step) for step in steps if local(step).startswith("Recurring")]
    if len(recurring) != 2:
        if not steps:
            raise ItemError("ErrorCalendarInvalidTimeZone")
        offset = _offset_of(steps[0], periods)
        return Era(year, offset, offset)
    (winter_offset, winter), (summer_offset, summer) = sorted(recurring, key=lambda pair: pair[0])
    return Era(year, winter_offset, summer_offset, _read_change(summer), _read_change(winter))


def _read_change(step: Element) -> Change:
    minutes = duration_minutes(step.findtext(t("TimeOffset")) or "")
    month = int(step.findtext(t("Month")) or 0)
    if not 1 <= month <= 12:
        raise ItemError("ErrorCalendarInvalidTimeZone")
    if local(step) == "RecurringDateTransition":
        return Change(month, 0, 0, minutes, int(step.findtext(t("Day")) or 1))
    day = step.findtext(t("DayOfWeek")) or ""
    if day not in DAYS:
        raise ItemError("ErrorCalendarInvalidDayForTimeChangePattern")
    return Change(month, int(step.findtext(t("Occurrence")) or 1), DAYS.index(day), minutes)


# -- as Exchange 2007 has it


def read_meeting_zone(element: Element) -> Zone:
    """The zone a MeetingTimeZone means: the one of its name, or by its offsets and changes."""
    name = element.get("TimeZoneName") or ""
    known = named(name)
    if known is not None:
        return known
    bias = element.findtext(t("BaseOffset"))
    if bias is None:
        raise ItemError("ErrorCalendarInvalidTimeZone")
    base = -duration_minutes(bias)
    halves = [(element.find(t(half))) for half in ("Standard", "Daylight")]
    if halves[0] is None or halves[1] is None:
        return like((Era(0, base, base),), name, name)
    offsets = [base - duration_minutes(half.findtext(t("Offset")) or "") for half in halves if half is not None]
    changes = [_read_yearly(half) for half in halves if half is not None]
    return like((Era(0, offsets[0], offsets[1], changes[1], changes[0]),), name, name)


def _read_yearly(half: Element) -> Change:
    clock = dt.time.fromisoformat((half.findtext(t("Time")) or "00:00:00")[:8])
    minutes = clock.hour * 60 + clock.minute
    rule = half.find(t("RelativeYearlyRecurrence"))
    if rule is None:
        day = dt.date.fromisoformat((half.findtext(t("AbsoluteDate")) or "")[:10])
        return Change(day.month, 0, 0, minutes, day.day)
    weekday = rule.findtext(t("DaysOfWeek")) or ""
    if weekday not in DAYS:
        raise ItemError("ErrorCalendarInvalidDayForTimeChangePattern")
    month = MONTHS.index(rule.findtext(t("Month")) or "") + 1
    return Change(month, ORDINALS[rule.findtext(t("DayOfWeekIndex")) or ""], DAYS.index(weekday), minutes)


def put_meeting_zone(parent: Element, zone: Zone) -> None:
    """Append a MeetingTimeZone."""
    era = zone.eras[-1]
    element = put(parent, t("MeetingTimeZone"))
    element.set("TimeZoneName", zone.id)
    put(element, t("BaseOffset"), _duration(-era.standard))
    if era.summer is None or era.winter is None or era.summer.date or era.winter.date:
        return
    for name, change, gain in (("Standard", era.winter, 0), ("Daylight", era.summer, era.daylight - era.standard)):
        half = put(element, t(name))
        put(half, t("Offset"), _duration(-gain))
        rule = put(half, t("RelativeYearlyRecurrence"))
        put(rule, t("DaysOfWeek"), DAYS[change.weekday])
        index = next(word for word, number in ORDINALS.items() if number == change.occurrence)
        put(rule, t("DayOfWeekIndex"), index)
        put(rule, t("Month"), MONTHS[change.month - 1])
        put(half, t("Time"), f"{change.minutes // 60:02}:{change.minutes % 60:02}:00")
