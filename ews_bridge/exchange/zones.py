"""Time zones: Windows names, on the server, ⇄ IANA names with a VTIMEZONE, in files. Pure.

A zone is known by its name where it has one that is known, else by what it does: the rules in a VTIMEZONE or a
`t:TimeZoneDefinition` are compared with the known zones, in the years that matter. So zones with a name of somebody's own
(`Customized Time Zone`, `tzone://Microsoft/Custom`, /freeassociation.sourceforge.net/…) are resolved, and two files that mean the
same hour say the same.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC
from datetime import datetime
from datetime import timedelta
from datetime import tzinfo
from functools import lru_cache
from itertools import pairwise
from zoneinfo import ZoneInfo
from zoneinfo import ZoneInfoNotFoundError

from icalendar import Timezone
from icalendar.timezone.windows_to_olson import WINDOWS_TO_OLSON

from ews_bridge.errors import BadItem
from ews_bridge.exchange.contentline import Component
from ews_bridge.exchange.contentline import nest
from ews_bridge.exchange.recurrence import CODES

#: What a zone does in these years says what it is like today; older rules are of no use for telling zones apart.
TODAY = (2020, 2037)
_UTC_NAMES = frozenset({"UTC", "Z", "GMT", "Etc/UTC", "Etc/GMT", "tzone://Microsoft/Utc"})
#: Files beside the zones, which are the machine's own affair.
_NO_ZONES = frozenset({"localtime", "posixrules", "Factory"})
_STEP = timedelta(days=9)
_CYCLE = timedelta(days=28 * 365 + 7)
#: From this year on what IANA says of a zone is what Windows says.
_RULED_SINCE = 1997


@dataclass(frozen=True, slots=True)
class Zone:
    """A time zone: its name on the server, and in files. `rules`: the VTIMEZONE of one that only its rules describe, as
    unfolded lines; then `windows` may be "".
    """

    windows: str
    tzid: str
    rules: tuple[str, ...] = ()

    def tz(self) -> tzinfo:
        return _from_rules(self.rules) if self.rules else ZoneInfo(self.tzid)

    def local(self, moment: datetime) -> datetime:
        """The wall clock at a moment (aware), without zone; `fold` is 1 in the second of two like hours."""
        cycles = _cycles(moment.year)
        return (moment + cycles).astimezone(self.tz()).replace(tzinfo=None) - cycles

    def moment(self, wall: datetime) -> datetime:
        """The moment (UTC) of a wall clock time: of two the first; in a gap the time passed since the hour that exists (RFC 5545
        section 3.3.5).
        """
        cycles = _cycles(wall.year)
        return (wall + cycles).replace(tzinfo=self.tz(), fold=wall.fold).astimezone(UTC) - cycles

    def tells(self, moment: datetime) -> bool:
        """Whether the wall clock alone says which moment it is: not in the second of two like hours."""
        return self.moment(self.local(moment).replace(fold=0)) == moment


def _cycles(year: int) -> timedelta:
    """How far a moment must be moved for a server's rules to hold: Windows knows no history, and lets a zone do at all times what
    it did at the end of the century. After 28 years the days of the week are the same again.
    """
    return _CYCLE * max(0, -((year - _RULED_SINCE) // 28))


UTC_ZONE = Zone("UTC", "UTC")


def from_windows(name: str, definition: Component | None = None) -> Zone | None:
    """The zone of this Id; one that nobody knows by the rules that come with it (`defined`); None without rules, too."""
    if name in _UTC_NAMES:
        return UTC_ZONE
    if name in WINDOWS_TO_OLSON:
        return Zone(name, WINDOWS_TO_OLSON[name])
    known = from_iana(name)
    if known:
        return known
    if definition is None:
        return None
    rules = tuple(definition)
    return _like(_from_rules(rules)) or Zone(name, definition.value("TZID") or name, rules)


def from_tzid(tzid: str, definitions: Mapping[str, Component], years: tuple[int, int]) -> Zone:
    """The zone that a file means; `years` are those of its events. `BadItem` when nothing says what the name stands for."""
    if tzid in _UTC_NAMES:
        return UTC_ZONE
    if tzid in WINDOWS_TO_OLSON:
        return Zone(tzid, WINDOWS_TO_OLSON[tzid])
    known = from_iana(tzid, years)
    if known:
        return known
    if tzid not in definitions:
        raise BadItem(f"its time zone {tzid} is not known, and the file does not define it")
    rules = tuple(definitions[tzid])
    return _like(_from_rules(rules), years) or Zone("", tzid, rules)


@lru_cache(maxsize=512)
def from_iana(name: str, years: tuple[int, int] = TODAY) -> Zone | None:
    """A zone by an IANA name, also behind a prefix as some programs put it; None for other names."""
    parts = name.strip("/").split("/")
    for start in range(len(parts)):
        iana = "/".join(parts[start:])
        tz = _zoneinfo(iana)
        if tz is not None:
            exact = _windows().get(iana)
            like = None if exact else _like(tz) or _like(tz, years)
            return Zone(exact or (like.windows if like else ""), iana)
    return None


def default_name(windows: str) -> str:
    """The IANA name that stands in files for a Windows zone, where no other is asked for."""
    return "UTC" if windows == "UTC" else WINDOWS_TO_OLSON.get(windows, "")


def _zoneinfo(name: str) -> ZoneInfo | None:
    if not name or name in _NO_ZONES or name.startswith(("posix/", "right/")):
        return None
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


@lru_cache(maxsize=1)
def _windows() -> Mapping[str, str]:
    names: dict[str, str] = {}
    for windows, iana in WINDOWS_TO_OLSON.items():
        names.setdefault(iana, windows)
    return names


# ---- what a zone does


def _like(tz: tzinfo, years: tuple[int, int] = TODAY) -> Zone | None:
    """A known zone that does the same in these years; of several one that does the same today, too."""
    wanted = _changes(tz, *years)
    found = [pair for pair in WINDOWS_TO_OLSON.items() if _known_changes(pair[1], *years) == wanted]
    if len(found) > 1 and years != TODAY:
        today = _changes(tz, *TODAY)
        found = [pair for pair in found if _known_changes(pair[1], *TODAY) == today] or found
    if not found:
        return None
    windows, iana = found[0]
    return UTC_ZONE if windows == "UTC" else Zone(windows, iana)


@lru_cache(maxsize=2048)
def _known_changes(iana: str, first: int, last: int) -> tuple[tuple[datetime, timedelta], ...]:
    return _changes(ZoneInfo(iana), first, last)


def _changes(tz: tzinfo, first: int, last: int) -> tuple[tuple[datetime, timedelta], ...]:
    """(moment, offset from then on) of each change of the clocks in these years, to the second; the first is the beginning."""
    low = datetime(first, 1, 1, tzinfo=UTC)
    end = datetime(last, 12, 31, tzinfo=UTC)
    found = [(low, _offset(tz, low))]
    while low < end:
        high = low + _STEP
        while _offset(tz, high) != found[-1][1]:
            sooner, later = low, high
            while later - sooner > timedelta(seconds=1):
                middle = (sooner + (later - sooner) / 2).replace(microsecond=0)
                if _offset(tz, middle) == found[-1][1]:
                    sooner = middle
                else:
                    later = middle
            found.append((later, _offset(tz, later)))
            low = later
        low = high
    return tuple(found)


def _offset(tz: tzinfo, moment: datetime) -> timedelta:
    return moment.astimezone(tz).utcoffset() or timedelta()


@lru_cache(maxsize=256)
def _from_rules(rules: tuple[str, ...]) -> tzinfo:
    # The library looks zones up by their name first: one that nobody has makes it read the rules.
    name = hashlib.sha256("\n".join(rules).encode()).hexdigest()
    lines = ["TZID:" + name if line.startswith("TZID") else line for line in rules if not line.startswith("X-")]
    try:
        component = Timezone.from_ical("\r\n".join(lines) + "\r\n")
        if not isinstance(component, Timezone):
            raise BadItem("a VTIMEZONE of the file is none")
        tz: tzinfo = component.to_tz()
        return tz
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        raise BadItem(f"a VTIMEZONE of the file cannot be read: {error}") from error


# ---- VTIMEZONE


def vtimezone(zone: Zone, year: int) -> list[str]:
    """The component that describes a zone from this year on, as unfolded lines."""
    return list(zone.rules) or list(_described(zone.tzid, year))


@lru_cache(maxsize=512)
def _described(iana: str, year: int) -> tuple[str, ...]:
    changes = _known_changes(iana, year - 1, year + 10)
    this = [one for one in pairwise(changes) if _local(one[1][0], one[0][1]).year == year]
    lines = [_observance(before[1], later, changes) for before, later in this]
    if not changes[1:]:
        offset = changes[0][1]
        lines = [("BEGIN:STANDARD", "DTSTART:19700101T000000", *_offsets(offset, offset), "END:STANDARD")]
    if not lines or not all(lines):
        lines = _one_by_one(_known_changes(iana, year - 1, max(TODAY[1], year + 10)))
    flat = [line for group in lines for line in group]
    return ("BEGIN:VTIMEZONE", f"TZID:{iana}", *flat, "END:VTIMEZONE")


def _observance(
    before: timedelta, change: tuple[datetime, timedelta], changes: tuple[tuple[datetime, timedelta], ...]
) -> tuple[str, ...]:
    """One change of the clocks as a yearly rule; empty when the years that follow do not bear the rule out."""
    moment, after = change
    wall = _local(moment, before)
    same = [_local(when, before) for (_, old), (when, new) in pairwise(changes) if (old, new) == (before, after)]
    for position in (-1, (wall.day - 1) // 7 + 1):
        expected = [_nth(year, wall, position) for year in range(wall.year, wall.year + 10)]
        if set(expected) <= set(same):
            kind = "DAYLIGHT" if after > before else "STANDARD"
            rule = f"RRULE:FREQ=YEARLY;BYMONTH={wall.month};BYDAY={position}{CODES[wall.weekday()]}"
            begins = _nth(1970, wall, position)
            return (f"BEGIN:{kind}", f"DTSTART:{begins:%Y%m%dT%H%M%S}", *_offsets(before, after), rule, f"END:{kind}")
    return ()


def _one_by_one(changes: tuple[tuple[datetime, timedelta], ...]) -> list[tuple[str, ...]]:
    """Changes of the clocks that follow no rule."""
    begin, offset = changes[0]
    found = {(offset, offset): [_local(begin, offset)]}
    for (_, before), (moment, after) in pairwise(changes):
        found.setdefault((before, after), []).append(_local(moment, before))
    lines = []
    for (before, after), walls in found.items():
        kind = "DAYLIGHT" if after > before else "STANDARD"
        first, *rest = (f"{wall:%Y%m%dT%H%M%S}" for wall in walls)
        dates = (f"RDATE:{','.join(rest)}",) if rest else ()
        lines.append((f"BEGIN:{kind}", f"DTSTART:{first}", *_offsets(before, after), *dates, f"END:{kind}"))
    return lines


def _local(moment: datetime, offset: timedelta) -> datetime:
    return (moment + offset).replace(tzinfo=None)


def _nth(year: int, like: datetime, position: int) -> datetime:
    """The so-maniest such day of the week of that month, at the same time."""
    if position > 0:
        first = like.replace(year=year, day=1)
        return first + timedelta((like.weekday() - first.weekday()) % 7 + 7 * (position - 1))
    last = (like.replace(year=year, day=1) + timedelta(31)).replace(day=1) - timedelta(1)
    return last - timedelta((last.weekday() - like.weekday()) % 7)


def _offsets(before: timedelta, after: timedelta) -> tuple[str, str]:
    return (f"TZOFFSETFROM:{utc_offset(before)}", f"TZOFFSETTO:{utc_offset(after)}")


def utc_offset(offset: timedelta) -> str:
    sign = "-" if offset < timedelta() else "+"
    seconds = int(abs(offset).total_seconds())
    text = f"{sign}{seconds // 3600:02}{seconds // 60 % 60:02}"
    return text + (f"{seconds % 60:02}" if seconds % 60 else "")


def definitions(calendar: Component) -> dict[str, Component]:
    """The zones that a VCALENDAR defines, by name."""
    return {component.value("TZID"): component for component in calendar.inside("VTIMEZONE")}


def component(lines: list[str]) -> Component:
    """A VTIMEZONE from its lines."""
    return nest(lines).components[0]
