"""A calendar item out of iCalendar, as far as Exchange reads it (MS-OXCICAL): MimeContent of a request, and meeting messages.

Times without a zone are read by the clock of the mailbox. What Exchange has no place for is dropped, but a recurrence that no
pattern of Exchange is makes the whole text unreadable.
"""

from __future__ import annotations

import datetime as dt
import re

import pybase64

from . import appointments
from . import attendees
from . import content
from . import global_ids
from . import occurrences
from . import properties
from . import rrules
from . import settling
from .attendees import Attendee
from .calendar_writing import BUSY_WORDS
from .calendar_writing import CLASSES
from .calendar_writing import PARTSTATS
from .document import Attachment
from .errors import ItemError
from .headers import Address
from .icalendar_lines import Component
from .icalendar_lines import Line
from .icalendar_lines import parse
from .mapi import KEYWORDS
from .mimetree import Part
from .mimetree import parse as parse_mime
from .store import Item
from .timezones import UTC
from .timezones import Zone
from .timezones import named
from .vtimezones import in_database
from .vtimezones import zones_in

STAMP = re.compile(r"(\d{4})(\d\d)(\d\d)(?:T(\d\d)(\d\d)(\d\d)?(Z?))?")
DURATION = re.compile(r"([+-]?)P(?:(\d+)W)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?")
RESPONSES = {word: name for name, word in PARTSTATS.items() if name != "Organizer"}
RESOURCES = ("RESOURCE", "ROOM")


def calendar_text(mime: bytes) -> str:
    """The iCalendar in a MIME text: the whole of it, or a part of type text/calendar.

    ItemError: ErrorMimeContentConversionFailed if there is none.
    """
    if mime.lstrip(b"\xef\xbb\xbf \t\r\n")[:15].upper() == b"BEGIN:VCALENDAR":
        return mime.decode("utf-8", "replace")
    found = next((part for part in _leaves(parse_mime(mime)) if part.type == "text/calendar"), None)
    if found is None:
        raise ItemError("ErrorMimeContentConversionFailed")
    return found.text()


def _leaves(part: Part) -> list[Part]:
    return [leaf for child in part.children for leaf in _leaves(child)] if part.children else [part]


def read_calendar(text: str) -> Component:
    """The calendar of a text; ErrorMimeContentConversionFailed for one without an event."""
    try:
        found = parse(text)
    except ValueError as failure:
        raise ItemError("ErrorMimeContentConversionFailed") from failure
    if found.name != "VCALENDAR" or next(found.within("VEVENT"), None) is None:
        raise ItemError("ErrorMimeContentConversionFailed")
    return found


def apply(item: Item, calendar: Component, around: Zone) -> None:
    """Make the item what the events of the calendar say: one appointment, or a series with its exceptions.

    ItemError: ErrorMimeContentConversionFailed for events of several UIDs, for occurrences of a series that is not there, for
    times that cannot be read, and for a recurrence that Exchange cannot hold.
    """
    events = list(calendar.within("VEVENT"))
    zones = zones_in(calendar)
    if len({event.text("UID") for event in events}) > 1:
        raise ItemError("ErrorMimeContentConversionFailed")
    reader = _Reader(zones, around)
    masters = [event for event in events if event.line("RECURRENCE-ID") is None]
    if not masters and len(events) > 1:
        raise ItemError("ErrorMimeContentConversionFailed")
    try:
        reader.whole(item, (masters or events)[0])
        if masters:
            reader.changed(item, [event for event in events if event.line("RECURRENCE-ID") is not None])
    except (ValueError, OverflowError) as failure:
        raise ItemError("ErrorMimeContentConversionFailed") from failure


class _Reader:
    """Reads events; `zones` are those that the calendar describes, `around` is for times without one."""

    def __init__(self, zones: dict[str, Zone], around: Zone) -> None:
        self._zones = zones
        self._around = around

    def whole(self, item: Item, event: Component) -> None:
        """An event that stands for itself: the series, a single one, or an occurrence without its series."""
        uid = event.text("UID")
        if uid:
            item.props[appointments.GLOBAL_ID] = ("Binary", global_ids.of_uid(uid))
        start = event.line("DTSTART")
        if start is None:
            raise ValueError("no DTSTART")
        appointments.set_zone(item, "StartTimeZone", self._zone(start))
        last = event.line("DTEND")
        appointments.set_zone(item, "EndTimeZone", self._zone(start if last is None else last))
        self.fill(item, event)
        meant = event.line("RECURRENCE-ID")
        if meant is not None and uid:
            day = self._zone(start).local(self.moment(meant)).date()
            item.props[appointments.GLOBAL_ID] = ("Binary", global_ids.of_day(global_ids.of_uid(uid), day))
        rule = event.line("RRULE")
        if event.line("RDATE") is not None or len(list(event.all("RRULE"))) > 1:
            raise ValueError("more than one rule")
        appointments.set_recurrence(item, None)
        if rule is not None and meant is None:
            begin = self._zone(start).local(self.moment(start)).date()
            until = re.search(r"UNTIL=([^;]+)", rule.value, re.IGNORECASE)
            bound = None if until is None else self._until(until[1], start)
            appointments.set_recurrence(item, rrules.read(rule.value, begin, bound))
            self._excluded(item, event)

    def _until(self, text: str, start: Line) -> dt.date:
        """The local day of an UNTIL: the last that is not after it by the clock of the series."""
        where = self._zone(start)
        line = Line("UNTIL", text, {} if text.upper().endswith("Z") else start.parameters)
        at = where.local(self.moment(line))
        dated = STAMP.match(text)
        if dated is not None and dated[4] is None:
            return at.date()
        begin = where.local(self.moment(start)).time()
        return at.date() if at.time() >= begin else at.date() - dt.timedelta(days=1)

    def _excluded(self, item: Item, event: Component) -> None:
        item.exceptions, item.deleted = {}, set()
        settling.settle(item)
        found, where = appointments.recurrence(item), appointments.zone(item)
        for line in event.all("EXDATE"):
            for text in line.value.split(","):
                day = where.local(self.moment(Line("EXDATE", text, line.parameters))).date()
                if found is not None and found.index(day) is not None:
                    item.deleted.add(day.toordinal())

    def changed(self, item: Item, events: list[Component]) -> None:
        """The exceptions of a series; those for days which it does not have are dropped."""
        found, where = appointments.recurrence(item), appointments.zone(item)
        for event in events:
            meant = event.line("RECURRENCE-ID")
            if meant is None or found is None:
                continue
            day = where.local(self.moment(meant)).date()
            if found.index(day) is not None and day.toordinal() not in item.deleted:
                shown = occurrences.occurrence(item, day)
                self.fill(shown, event)
                settling.settle(shown)
                occurrences.fold(shown)

    def fill(self, item: Item, event: Component) -> None:
        """What a series, a single appointment and an exception all have."""
        self._fill_times(item, event)
        summary = event.text("SUMMARY")
        properties.write(item, properties.SUBJECT, "String", summary[:255])
        properties.write(item, appointments.LOCATION, "String", event.text("LOCATION"))
        sensitivity = event.text("CLASS").upper()
        level = CLASSES.index(sensitivity) if sensitivity in CLASSES else 0
        properties.write(item, properties.SENSITIVITY, "Integer", level)
        properties.write(item, properties.IMPORTANCE, "Integer", _importance(event))
        item.props[appointments.BUSY_STATUS] = ("Integer", _busy_status(event))
        intended = event.text("X-MICROSOFT-CDO-INTENDEDSTATUS").upper()
        if intended in BUSY_WORDS:
            item.props[appointments.INTENDED_STATUS] = ("Integer", BUSY_WORDS.index(intended))
        sequence = event.text("SEQUENCE") or event.text("X-MICROSOFT-CDO-APPT-SEQUENCE")
        item.props[appointments.SEQUENCE] = ("Integer", int(sequence or 0))
        stamp = event.line("DTSTAMP")
        if stamp is not None:
            item.props[appointments.OWNER_CHANGE] = ("SystemTime", self.moment(stamp))
        if event.text("X-MICROSOFT-DISALLOW-COUNTER").upper() == "TRUE":
            item.props[appointments.NO_PROPOSAL] = ("Boolean", True)
        categories = [text for line in event.all("CATEGORIES") for text in line.texts]
        if categories:
            properties.write(item, KEYWORDS, "StringArray", [*categories])
        self._fill_reminder(item, event)
        _fill_people(item, event)
        _fill_body(item, event)

    def _fill_times(self, item: Item, event: Component) -> None:
        start = event.line("DTSTART")
        if start is None:
            raise ValueError("no DTSTART")
        begin = self.moment(start)
        dated = "T" not in start.value
        last, duration = event.line("DTEND"), event.line("DURATION")
        if last is not None:
            end = self.moment(last)
        elif duration is not None:
            end = begin + seconds(duration.value)
        else:
            where = self._zone(start)
            next_day = where.local(begin).replace(hour=0, minute=0) + dt.timedelta(days=1)
            end = where.moment(next_day) if dated else begin
        all_day = dated or event.text("X-MICROSOFT-CDO-ALLDAYEVENT").upper() == "TRUE"
        item.props[appointments.START], item.props[appointments.END] = ("SystemTime", begin), ("SystemTime", end)
        item.props[appointments.ALL_DAY] = ("Boolean", all_day)

    def _fill_reminder(self, item: Item, event: Component) -> None:
        trigger = next((alarm.line("TRIGGER") for alarm in event.within("VALARM")), None)
        item.props[appointments.REMINDER_SET] = ("Boolean", trigger is not None)
        if trigger is None:
            return
        begin = appointments.moment(item, appointments.START)
        if trigger.parameters.get("VALUE", "").upper() == "DATE-TIME":
            before = begin - self.moment(trigger)
        else:
            before = -seconds(trigger.value)
            if trigger.parameters.get("RELATED", "").upper() == "END":
                before -= appointments.moment(item, appointments.END) - begin
        item.props[appointments.REMINDER_MINUTES] = ("Integer", max(0, before // 60))

    def _zone(self, line: Line) -> Zone:
        if line.value.strip().upper().endswith("Z"):
            return UTC
        identifier = line.parameters.get("TZID", "")
        return self._zones.get(identifier) or named(identifier) or in_database(identifier) or self._around

    def moment(self, line: Line) -> int:
        """A DATE or DATE-TIME as a moment; ValueError for what is neither."""
        found = STAMP.fullmatch(line.value.strip().upper())
        if found is None:
            raise ValueError(line.value)
        numbers = [int(number or 0) for number in found.groups()[:6]]
        clock = dt.datetime(*numbers)  # type: ignore[arg-type]
        return self._zone(line).moment(clock)


def seconds(text: str) -> int:
    """A DURATION; ValueError for what is none."""
    found = DURATION.fullmatch(text.strip().upper())
    if found is None:
        raise ValueError(text)
    weeks, days, hours, minutes, rest = (int(number or 0) for number in found.groups()[1:])
    total = ((weeks * 7 + days) * 24 + hours) * 3600 + minutes * 60 + rest
    return -total if found[1] == "-" else total


def _importance(event: Component) -> int:
    given = event.text("X-MICROSOFT-CDO-IMPORTANCE")
    if given in ("0", "1", "2"):
        return int(given)
    priority = event.text("PRIORITY")
    level = int(priority) if priority.isdigit() else 0
    return 2 if 1 <= level <= 4 else 0 if level >= 6 else 1


def _busy_status(event: Component) -> int:
    given = event.text("X-MICROSOFT-CDO-BUSYSTATUS").upper()
    if given in BUSY_WORDS:
        return BUSY_WORDS.index(given)
    if event.text("TRANSP").upper() == "TRANSPARENT":
        return appointments.FREE
    return appointments.TENTATIVE if event.text("STATUS").upper() == "TENTATIVE" else appointments.BUSY


def address_of(line: Line) -> Address:
    """Who an ORGANIZER or ATTENDEE is."""
    where = re.sub(r"^mailto:", "", line.value.strip(), flags=re.IGNORECASE)
    name = line.parameters.get("CN", "")
    return Address(name if name != where else "", where)


def response_of(line: Line) -> str:
    """What an ATTENDEE has answered."""
    return RESPONSES.get(line.parameters.get("PARTSTAT", "").upper(), "Unknown")


def _list_of(line: Line) -> str:
    if line.parameters.get("CUTYPE", "").upper() in RESOURCES or line.parameters.get("ROLE") == "NON-PARTICIPANT":
        return "Resources"
    return "OptionalAttendees" if line.parameters.get("ROLE", "").upper() == "OPT-PARTICIPANT" else "RequiredAttendees"


def _fill_people(item: Item, event: Component) -> None:
    """Organizer and attendees. A meeting that somebody else organizes is one received; my own answer is then not in a list."""
    found: dict[str, list[Attendee]] = {name: [] for name in attendees.LISTS}
    own = item.mailbox.address.lower()
    organizer = event.line("ORGANIZER")
    who = address_of(organizer) if organizer is not None else None
    for line in event.all("ATTENDEE"):
        one = Attendee(address_of(line), response_of(line))
        if "@" in one.address.address and (who is None or one.key != who.address.lower()):
            found[_list_of(line)].append(one)
    for name, listed in found.items():
        if listed or name in item.declared:
            attendees.write(item, name, listed)
    if who is None or not any(found.values()):
        return
    content.set_addresses(item, "From", [who])
    if who.address.lower() != own:
        item.props[appointments.STATE] = ("Integer", appointments.IS_MEETING | appointments.IS_RECEIVED)
        mine = next((one.response for listed in found.values() for one in listed if one.key == own), "Unknown")
        answer = attendees.NO_RESPONSE if mine == "Unknown" else mine
        item.props[appointments.RESPONSE] = ("Integer", attendees.RESPONSES.index(answer))


def _fill_body(item: Item, event: Component) -> None:
    alternative = event.line("X-ALT-DESC")
    if alternative is not None and alternative.parameters.get("FMTTYPE", "").lower() == "text/html":
        content.set_body(item, "HTML", alternative.text)
    elif event.line("DESCRIPTION") is not None and event.text("DESCRIPTION") != content.plain_text(item):
        content.set_body(item, "Text", event.text("DESCRIPTION"))
    for number, line in enumerate(event.all("ATTACH"), 1):
        if line.parameters.get("ENCODING", "").upper() == "BASE64":
            data = bytes(pybase64.b64decode("".join(line.value.split())))
            name = line.parameters.get("FILENAME") or line.parameters.get("X-FILENAME") or f"ATT{number:05}"
            kind = line.parameters.get("FMTTYPE", "application/octet-stream")
            content.add_attachment(item, Attachment(name, kind, data))
