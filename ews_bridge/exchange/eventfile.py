"""An .ics file, as any program writes it, read into a `Series` (RFC 5545). Pure; the way out is `eventlines.py`.

A VCALENDAR, or VEVENTs without one, of one UID; in any order, with any names of zones. Lines and components that are not known
go through as they stand.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass
from dataclasses import replace
from datetime import date
from datetime import datetime
from datetime import time
from datetime import timedelta
from types import MappingProxyType

from ews_bridge.errors import BadItem
from ews_bridge.exchange import alarms
from ews_bridge.exchange import attendees
from ews_bridge.exchange import contentline
from ews_bridge.exchange import occasion
from ews_bridge.exchange import rrule
from ews_bridge.exchange import times
from ews_bridge.exchange import zones
from ews_bridge.exchange.contentline import Component
from ews_bridge.exchange.contentline import Line
from ews_bridge.exchange.contentline import unescape
from ews_bridge.exchange.occasion import Event
from ews_bridge.exchange.occasion import File
from ews_bridge.exchange.occasion import Series
from ews_bridge.exchange.times import Reader
from ews_bridge.exchange.times import Time
from ews_bridge.exchange.zones import Zone

#: Where the data of an attachment is not in the file, its ATTACH names it by such an address.
NAMED = "cid:ews-bridge"
BUSY_STATUS = "X-MICROSOFT-CDO-BUSYSTATUS"
ALL_DAY = "X-MICROSOFT-CDO-ALLDAYEVENT"

TEXTS = ("SUMMARY", "DESCRIPTION", "LOCATION")
_STAMPS = ("CREATED", "SEQUENCE", "LAST-MODIFIED", "DTSTAMP")
_TIMES = ("RECURRENCE-ID", "DTSTART", "DTEND", "DURATION", "RRULE")
_WORDS = ("CLASS", "PRIORITY", "TRANSP", "STATUS", BUSY_STATUS)
#: Read into a field of its own, the first of each.
_FIRST = frozenset((*TEXTS, *_STAMPS, *_TIMES, *_WORDS, "UID", "ORGANIZER", "URL"))
_ALL = frozenset(("CATEGORIES", "ATTENDEE", "EXDATE", "RDATE", ALL_DAY))
_PRIVACY = {"PUBLIC": "", "PRIVATE": "PRIVATE", "CONFIDENTIAL": "CONFIDENTIAL"}
_BUSY = {"FREE": "Free", "TENTATIVE": "Tentative", "BUSY": "Busy", "OOF": "OOF", "WORKINGELSEWHERE": "WorkingElsewhere"}
_STATUSES = ("TENTATIVE", "CONFIRMED", "CANCELLED")
_OURS = ("VERSION", "PRODID", "CALSCALE", "METHOD")


# ---- in


def read(data: bytes, home: Zone) -> Series:
    """What a file says; `home` is the zone of floating times. `BadItem` for what is no such file or cannot be understood."""
    events, calendar = _events(contentline.components(data))
    around = tuple(str(line) for line in calendar.lines if line.name not in _OURS)
    method = calendar.value("METHOD").strip().upper()
    reader = _Reader(Reader(zones.definitions(calendar), times.years(events)), home)
    masters = [event for event in events if not event.line("RECURRENCE-ID")]
    if len(masters) > 1:
        raise BadItem("two of its events have the same UID, and neither is an occurrence of the other")
    if not masters:
        alone = [reader.event(event) for event in events]
        keyed = {one.original: one for one in alone if one.original}
        if len(keyed) < len(alone):
            raise BadItem("two of its events are the same occurrence")
        return Series(None, MappingProxyType(keyed), calendar=around, method=method)
    master = reader.event(masters[0])
    changed: dict[datetime, Event] = {}
    for event in events:
        if event is not masters[0]:
            one = reader.event(event, master)
            key = datetime.combine(occasion.key_of(master, one.original or one.start), time())
            if key in changed:
                raise BadItem("two of its events are the same occurrence")
            changed[key] = one
    changed = {one.original or key: one for key, one in changed.items()}
    master, deleted = reader.deleted(masters[0], master)
    gone = deleted - {key.date() for key in changed}
    if master.rule and not changed and _all_gone(master, gone):
        raise BadItem("it never takes place: all its occurrences are deleted")
    return Series(master, MappingProxyType(changed), gone, around, method)


def _events(found: list[Component]) -> tuple[list[Component], Component]:
    """The VEVENTs of a file, and its VCALENDAR (an empty one where it has none)."""
    calendars = [component for component in found if component.name == "VCALENDAR"]
    if len(calendars) > 1:
        raise BadItem("it holds several calendars: one event is one file")
    calendar = calendars[0] if calendars else Component("VCALENDAR", (), tuple(found))
    events = calendar.inside("VEVENT")
    strange = {component.name for component in calendar.components} - {"VEVENT", "VTIMEZONE"}
    if strange or not events:
        what = ", ".join(sorted(strange)) or "nothing"
        raise BadItem(f"it holds {what}: a calendar's file holds events", hint="tasks belong into a task list")
    uids = {event.text("UID").strip() for event in events}
    if uids == {""}:
        raise BadItem("its event has no UID", hint="give it one: a line such as UID:meeting-2026-11-24@example.org")
    if len(uids) > 1:
        raise BadItem(f"it holds {len(uids)} events with different UIDs: one event is one file")
    return events, calendar


def _all_gone(master: Event, gone: frozenset[date]) -> bool:
    last = master.rule.last(master.start.date()) if master.rule else None
    return bool(gone) and last is not None and all(day in gone for day in master.days())


@dataclass(frozen=True, slots=True)
class _Reader:
    times: Reader
    home: Zone

    def event(self, event: Component, master: Event | None = None) -> Event:
        """One VEVENT; of an occurrence the master says on which clock it was to begin."""
        if not event.line("DTSTART"):
            raise BadItem("its event has no DTSTART")
        for name in ("EXRULE", "RRULE"):
            if len(event.all(name)) > (name == "RRULE"):
                raise BadItem(f"Exchange cannot hold {'an' if name == 'EXRULE' else 'a second'} {name}")
        start, end = self._span(event)
        zone, end_zone = start.zone or self.home, end.zone or start.zone or self.home
        reminder, alarm, other_alarms = alarms.read(event)
        organizer = event.line("ORGANIZER")
        files, links = _attached(event)
        made = Event(
            uid=event.text("UID").strip(),
            start=start.wall,
            end=end.wall,
            zone=self.home if start.day else zone,
            end_zone=self.home if start.day else end_zone,
            all_day=start.day,
            floating=not start.day and start.zone is None,
            summary=event.text("SUMMARY"),
            description=event.text("DESCRIPTION"),
            html=_html(event),
            location=event.text("LOCATION"),
            categories=_categories(event),
            privacy=_privacy(event.value("CLASS")),
            priority=_priority(event.value("PRIORITY")),
            busy=_busy(event),
            status=_status(event),
            reminder=reminder,
            alarm=alarm,
            organizer=attendees.from_line(organizer) if organizer else None,
            attendees=tuple(attendees.from_line(line) for line in event.all("ATTENDEE")),
            files=files,
            link=event.value("URL"),
            parameters=_parameters(event),
            created=event.value("CREATED"),
            modified=event.value("LAST-MODIFIED"),
            sequence=event.value("SEQUENCE"),
            other=(*_others(event), *links, *other_alarms),
        )
        return self._recurring(event, made, master)

    def _recurring(self, event: Component, made: Event, master: Event | None) -> Event:
        line, rule = event.line("RECURRENCE-ID"), event.line("RRULE")
        if line and rule:
            raise BadItem("one occurrence of it has a recurrence rule of its own")
        if line:
            if line.parameter("RANGE"):
                raise BadItem(f"Exchange cannot change all occurrences from one on (RANGE={line.parameter('RANGE')})")
            original = self.times.time(line)
            like = master or made
            wall = original.within(like.zone, self.home)
            if original.day and not like.all_day:
                wall = datetime.combine(wall.date(), like.start.time())
            if like.all_day:
                wall = datetime.combine(wall.date(), time())
            return replace(made, original=wall).inside(master)
        if not rule:
            return made
        if made.zone.rules and not made.zone.windows:
            raise BadItem(f"Exchange has no time zone that does what {made.zone.tzid} does, and its times repeat there")
        start: date | datetime = made.start.date() if made.all_day else made.start
        pattern = rrule.read(rule.value, start)
        until = self._until(rrule.parts(rule.value).get("UNTIL", ""), made)
        ended = rrule.with_end(pattern, rule.value, made.start.date(), until)
        return replace(made, rule=ended.normal(made.start.date()))

    def _until(self, value: str, made: Event) -> date | None:
        """The last day on which an occurrence can begin. A date is that day, at any time (as Outlook and Google read it)."""
        if not value:
            return None
        until = self.times.time(Line("UNTIL", value))
        if until.day or made.all_day:
            return until.wall.date()
        wall = until.within(made.zone, self.home)
        return wall.date() if made.start.time() <= wall.time() else wall.date() - timedelta(1)

    def _span(self, event: Component) -> tuple[Time, Time]:
        start, end = self._start_and_end(event)
        if start.day != end.day or ((start.zone is None) != (end.zone is None) and not start.day):
            raise BadItem("its DTSTART and DTEND are times of different kinds")
        if start.day:
            end = end if end.wall > start.wall else replace(end, wall=start.wall + timedelta(1))
        if end.moment(self.home) < start.moment(self.home):
            raise BadItem("it ends before it begins")
        return _exact(start), _exact(end)

    def _start_and_end(self, event: Component) -> tuple[Time, Time]:
        line = event.line("DTSTART")
        start = self.times.time(line) if line else Time(datetime.min)
        if event.value(ALL_DAY).upper() == "TRUE" and start.wall.time() == time():
            start = Time(start.wall, day=True)
        if ends := event.line("DTEND"):
            end = self.times.time(ends)
            return start, Time(end.wall, day=True) if start.day and end.wall.time() == time() else end
        days, exact = times.duration(event.value("DURATION")) if event.line("DURATION") else (timedelta(), timedelta())
        wall = start.wall + days
        if start.day or not exact:
            return start, replace(start, wall=wall + exact)
        zone = start.zone or self.home
        return start, replace(start, wall=zone.local(zone.moment(wall) + exact).replace(fold=0))

    def deleted(self, event: Component, master: Event) -> tuple[Event, frozenset[date]]:
        """The days that EXDATE takes out. What names no occurrence means nothing, and is kept as it stands."""
        found: set[date] = set()
        idle: list[str] = []
        for line in event.all("EXDATE"):
            for value in line.value.split(","):
                one = Line(line.name, value, line.parameters)
                day = self._occurrence(self.times.time(one), master)
                if day:
                    found.add(day)
                else:
                    idle.append(str(one))
        for line in event.all("RDATE"):
            if "/" in line.value or not all(self._occurrence(one, master) for one in self.times.times(line)):
                raise BadItem(f"Exchange cannot hold single further dates: {str(line)[:60]}")
            idle.append(str(line))
        if idle:
            master = replace(master, other=(*master.other, *idle))
        return master, frozenset(found)

    def _occurrence(self, value: Time, master: Event) -> date | None:
        wall = value.within(master.zone, self.home)
        if not value.day and not master.all_day and wall.time() != master.start.time():
            return None
        if not master.rule:
            return wall.date() if wall.date() == master.start.date() else None
        return wall.date() if master.rule.index(master.start.date(), wall.date()) else None


def _exact(value: Time) -> Time:
    """A time in the gap of a change of the clocks, as the clock shows it."""
    if value.zone is None or value.day:
        return value
    return replace(value, wall=value.zone.local(value.zone.moment(value.wall)).replace(fold=0))


def _html(event: Component) -> str:
    found = [line for line in event.all("X-ALT-DESC") if line.parameter("FMTTYPE").lower() == "text/html"]
    return unescape(found[0].value) if found else ""


def _categories(event: Component) -> tuple[str, ...]:
    found = [name.strip() for line in event.all("CATEGORIES") for name in contentline.split(line.value)]
    return tuple(dict.fromkeys(filter(None, found)))


def _privacy(value: str) -> str:
    """CLASS; what nobody knows is private (section 3.8.1.3)."""
    name = value.strip().upper()
    return _PRIVACY.get(name, name)


def _priority(value: str) -> int:
    return int(value) if value.isdecimal() and int(value) <= 9 else 0


def _busy(event: Component) -> str:
    """Transparent is free, whatever else is said; among the opaque, Microsoft's own property tells more."""
    told = _BUSY.get(event.value(BUSY_STATUS).strip().upper(), "")
    if event.value("TRANSP").strip().upper() == "TRANSPARENT":
        return "Free"
    if told == "Free":
        return "Busy" if event.line("TRANSP") else "Free"
    return told or ("Tentative" if _status(event) == "TENTATIVE" else "Busy")


def _status(event: Component) -> str:
    status = event.value("STATUS").strip().upper()
    return status if status in _STATUSES else ""


def _parameters(event: Component) -> tuple[tuple[str, str], ...]:
    lines = [(name, event.line(name)) for name in TEXTS]
    return tuple(
        (name, "".join(f";{key}={value}" for key, value in line.parameters)) for name, line in lines if line and line.parameters
    )


def _others(event: Component) -> Iterator[str]:
    """Lines and components that are not read into a field."""
    seen: set[str] = set()
    for line in event.lines:
        if line.name in _ALL or line.name == "ATTACH":
            continue
        first = line.name not in seen
        seen.add(line.name)
        html = line.name == "X-ALT-DESC" and line.parameter("FMTTYPE").lower() == "text/html"
        if (line.name in _FIRST and first) or html:
            continue
        yield str(line)
    for component in event.components:
        if component.name != "VALARM":
            yield from component


def _attached(event: Component) -> tuple[tuple[File, ...], list[str]]:
    """(the files that are attached, the lines that only say where something is)"""
    files, links = [], []
    for line in event.all("ATTACH"):
        kind = line.parameter("FMTTYPE")
        named = next(filter(None, map(line.parameter, ("FILENAME", "X-FILENAME", "X-APPLE-FILENAME", "X-LABEL"))), "")
        if line.value.startswith(NAMED):
            size = line.parameter("SIZE")
            files.append(File(named, kind, None, int(size) if size.isdecimal() else 0))
        elif line.parameter("ENCODING").upper() == "BASE64" or line.parameter("VALUE").upper() == "BINARY":
            try:
                data = base64.b64decode(re.sub(r"\s+", "", line.value), validate=True)
            except binascii.Error as error:
                raise BadItem(f"its attachment {named} is no base64") from error
            files.append(File(named or f"attachment-{len(files) + 1}", kind, data, len(data)))
        else:
            links.append(str(line))
    return tuple(files), links
