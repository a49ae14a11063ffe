"""A calendar item as iCalendar, in the manner of Exchange (MS-OXCICAL): for MimeContent, and for the messages of meetings.

Windows names for time zones, X-MICROSOFT-CDO-* beside what the standard has, all-day as midnight to midnight; the body only
as plain text, no LAST-MODIFIED, no CREATED. MimeContent lacks the attendees, too: DavMail always adds them from properties.
"""

from __future__ import annotations

import datetime as dt

from . import appointments
from . import attendees
from . import content
from . import occurrences
from . import properties
from . import rrules
from .attendees import Attendee
from .headers import Address
from .icalendar_lines import Component
from .icalendar_lines import Line
from .icalendar_lines import escape
from .icalendar_lines import write
from .mapi import KEYWORDS
from .store import Item
from .timezones import EPOCH
from .timezones import Change
from .timezones import Zone

PUBLISH = "PUBLISH"
PRODUCT = "Microsoft Exchange Server 2010"
LANGUAGE = {"LANGUAGE": "en-US"}
CLASSES = ("PUBLIC", "PERSONAL", "PRIVATE", "CONFIDENTIAL")
BUSY_WORDS = ("FREE", "TENTATIVE", "BUSY", "OOF", "WORKINGELSEWHERE")
ROLES = {"RequiredAttendees": "REQ-PARTICIPANT", "OptionalAttendees": "OPT-PARTICIPANT", "Resources": "NON-PARTICIPANT"}
PARTSTATS = {"Accept": "ACCEPTED", "Tentative": "TENTATIVE", "Decline": "DECLINED", "Organizer": "ACCEPTED"}


def publish(item: Item) -> bytes:
    """The item's MimeContent: an iCalendar text, with the exceptions of a series as further events."""
    return calendar(item, PUBLISH)


def calendar(item: Item, method: str) -> bytes:
    """The item as iCalendar with this method."""
    events = [event(one) for one in (item, *(occurrences.exceptions(item) if item.master is None else ()))]
    if method == PUBLISH:
        for one in events:
            one.lines = [line for line in one.lines if line.name != "ATTENDEE"]
    where = {zone.id: zone for zone in (appointments.zone(item), _end_zone(item))}
    return whole(method, [*(timezone(zone) for zone in where.values()), *events])


def whole(method: str, components: list[Component]) -> bytes:
    head = [Line("METHOD", method), Line("PRODID", PRODUCT), Line("VERSION", "2.0")]
    return write(Component("VCALENDAR", head, components)).encode("utf-8", "replace")


def reply(item: Item, author: Address, response: str, comment: str, proposed: tuple[int, int] | None) -> tuple[str, bytes]:
    """The answer of an attendee to a meeting, and its method; with another time proposed it is a COUNTER."""
    shown = _identity(item, item.mailbox.world.time())
    shown.lines.insert(0, _attendee(Attendee(author, response), ROLES["RequiredAttendees"], rsvp=False))
    shown.lines.insert(1, Line("COMMENT", escape(comment), LANGUAGE))
    shown.lines += _times(item, proposed)
    if proposed is not None:
        begin, end = appointments.moment(item, appointments.START), appointments.moment(item, appointments.END)
        shown.lines += [Line("X-MS-OLK-ORIGINALSTART", utc(begin)), Line("X-MS-OLK-ORIGINALEND", utc(end))]
    where = appointments.zone(item)
    method = "COUNTER" if proposed else "REPLY"
    return method, whole(method, [timezone(where), shown])


def _identity(item: Item, stamp: int) -> Component:
    """What every event of a meeting has: which it is, what it is called, and how new it is."""
    lines = [Line("SUMMARY", escape(properties.text(item, properties.SUBJECT)), LANGUAGE)]
    if appointments.state(item) & appointments.IS_MEETING:
        author = properties.envelope(item).author
        lines.insert(0, _organizer(author[0] if author else properties.own_address(item.mailbox)))
    lines.append(Line("UID", escape(appointments.uid(item))))
    meant = appointments.meant_for(item)
    if meant is not None:
        lines.append(_clock("RECURRENCE-ID", meant, appointments.zone(item)))
    lines += [Line("DTSTAMP", utc(stamp)), Line("SEQUENCE", str(properties.number(item, appointments.SEQUENCE) or 0))]
    return Component("VEVENT", lines)


def event(item: Item) -> Component:
    """One event: a single appointment, a series, or one of its occurrences."""
    shown = _identity(item, appointments.moment(item, appointments.OWNER_CHANGE) or item.modified)
    head: list[Line] = []
    for name, role in ROLES.items():
        head += [_attendee(one, role, rsvp=True) for one in attendees.read(item, name)]
    head.append(Line("DESCRIPTION", escape(content.plain_text(item)), LANGUAGE))
    head += _recurrence(item)
    at = 1 if shown.lines[0].name == "ORGANIZER" else 0
    shown.lines[at:at] = head
    status = properties.number(item, appointments.BUSY_STATUS) or 0
    intended = properties.number(item, appointments.INTENDED_STATUS)
    importance = properties.number(item, properties.IMPORTANCE)
    level = 1 if importance is None else importance
    cancelled = bool(appointments.state(item) & appointments.IS_CANCELLED)
    shown.lines += _times(item, None)
    shown.lines += [
        Line("CLASS", CLASSES[properties.number(item, properties.SENSITIVITY) or 0]),
        Line("PRIORITY", ("9", "5", "1")[level]),
        Line("TRANSP", "TRANSPARENT" if status in (appointments.FREE, 4) else "OPAQUE"),
        Line("STATUS", "CANCELLED" if cancelled else "TENTATIVE" if status == appointments.TENTATIVE else "CONFIRMED"),
        Line("LOCATION", escape(properties.text(item, appointments.LOCATION)), LANGUAGE),
    ]
    categories = properties.read(item, KEYWORDS, "StringArray")
    if isinstance(categories, list) and categories:
        shown.lines.append(Line("CATEGORIES", ",".join(escape(str(one)) for one in categories)))
    shown.lines += [
        Line("X-MICROSOFT-CDO-APPT-SEQUENCE", str(properties.number(item, appointments.SEQUENCE) or 0)),
        Line("X-MICROSOFT-CDO-OWNERAPPTID", "0"),
        Line("X-MICROSOFT-CDO-BUSYSTATUS", BUSY_WORDS[status] if status < len(BUSY_WORDS) else "BUSY"),
        Line("X-MICROSOFT-CDO-INTENDEDSTATUS", BUSY_WORDS[intended if intended is not None and intended < 5 else status]),
        Line("X-MICROSOFT-CDO-ALLDAYEVENT", str(appointments.flag(item, appointments.ALL_DAY)).upper()),
        Line("X-MICROSOFT-CDO-IMPORTANCE", str(level)),
        Line("X-MICROSOFT-CDO-INSTTYPE", str(INSTANCE_TYPES[appointments.item_type(item)])),
        Line("X-MICROSOFT-DISALLOW-COUNTER", str(appointments.flag(item, appointments.NO_PROPOSAL)).upper()),
    ]
    if appointments.flag(item, appointments.REMINDER_SET):
        minutes = properties.number(item, appointments.REMINDER_MINUTES) or 0
        trigger = Line("TRIGGER", f"-PT{minutes}M", {"RELATED": "START"})
        shown.components.append(Component("VALARM", [Line("DESCRIPTION", "REMINDER"), trigger, Line("ACTION", "DISPLAY")]))
    return shown


INSTANCE_TYPES = {"Single": 0, "RecurringMaster": 1, "Occurrence": 2, "Exception": 3}


def utc(moment: int) -> str:
    return (EPOCH + dt.timedelta(seconds=moment)).strftime("%Y%m%dT%H%M%SZ")


def _clock(name: str, moment: int, where: Zone) -> Line:
    return Line(name, where.local(moment).strftime("%Y%m%dT%H%M%S"), {"TZID": where.id})


def _times(item: Item, proposed: tuple[int, int] | None) -> list[Line]:
    begin, end = proposed or (appointments.moment(item, appointments.START), appointments.moment(item, appointments.END))
    return [
        _clock("DTSTART", begin, appointments.zone(item)),
        _clock("DTEND", end, _end_zone(item)),
    ]


def _end_zone(item: Item) -> Zone:
    """The zone of the end; that of the begin if it has the same name and is another: all custom zones are called alike."""
    begin, end = appointments.zone(item), appointments.zone(item, "EndTimeZone")
    return begin if begin.id == end.id else end


def _organizer(who: Address) -> Line:
    return Line("ORGANIZER", f"MAILTO:{who.address}", {"CN": who.name or who.address})


def _attendee(one: Attendee, role: str, *, rsvp: bool) -> Line:
    given = {"ROLE": role, "PARTSTAT": PARTSTATS.get(one.response, "NEEDS-ACTION")}
    if rsvp:
        given["RSVP"] = "TRUE"
    if role == ROLES["Resources"]:
        given["CUTYPE"] = "RESOURCE"
    given["CN"] = one.address.name or one.address.address
    return Line("ATTENDEE", f"MAILTO:{one.address.address}", given)


def _recurrence(item: Item) -> list[Line]:
    found = appointments.recurrence(item)
    if found is None:
        return []
    where = appointments.zone(item)
    until = None
    if found.end is not None:
        begin, _ = appointments.times(item, found.last() or found.start)
        until = EPOCH + dt.timedelta(seconds=begin)
    lines = [Line("RRULE", rrules.write(found, until))]
    gone = [appointments.times(item, dt.date.fromordinal(day))[0] for day in sorted(item.deleted)]
    if gone:
        texts = ",".join(where.local(one).strftime("%Y%m%dT%H%M%S") for one in gone)
        lines.append(Line("EXDATE", texts, {"TZID": where.id}))
    return lines


def timezone(where: Zone) -> Component:
    """A VTIMEZONE with the rules of today; clocks that never change are given both halves, too."""
    era = where.eras[-1]
    found = Component("VTIMEZONE", [Line("TZID", escape(where.id))])
    for name, change, before, after in (
        ("STANDARD", era.winter, era.daylight, era.standard),
        ("DAYLIGHT", era.summer, era.standard, era.daylight if era.summer else era.standard),
    ):
        clock = dt.time() if change is None else (EPOCH + dt.timedelta(minutes=change.minutes)).time()
        lines = [
            Line("DTSTART", f"16010101T{clock:%H%M%S}"),
            Line("TZOFFSETFROM", _offset(before if era.summer else era.standard)),
            Line("TZOFFSETTO", _offset(after)),
        ]
        if change is not None:
            lines.append(Line("RRULE", _yearly(change)))
        found.components.append(Component(name, lines))
    return found


def _offset(minutes: int) -> str:
    return f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02}{abs(minutes) % 60:02}"


def _yearly(change: Change) -> str:
    if change.date:
        return f"FREQ=YEARLY;INTERVAL=1;BYMONTHDAY={change.date};BYMONTH={change.month}"
    return f"FREQ=YEARLY;INTERVAL=1;BYDAY={change.occurrence}{rrules.DAYS[change.weekday]};BYMONTH={change.month}"
