"""A CalendarItem of the server ⇄ an `Event`. Pure.

What Exchange has a field for goes there; what it has none for travels as lines in `form.LEFTOVER` ("kept"): whole lines that
nothing here understands, and what a field cannot hold of a line that it holds, such as the name of the zone that another name
stands for. What is kept of a field counts only as long as the field still says the same; another client's change wins.

    kept line                       counts while
    DTSTART;TZID=Europe/Vienna:     the server's zone is the one that this name became; without TZID: floating
    DTEND;TZID=…:                   likewise
    SUMMARY;LANGUAGE=de:            always: the parameters of a text
    DESCRIPTION;X-OF=digest:text    the HTML, of which it is no exact rendering, is the same
    CLASS, PRIORITY                 the coarser value of the server is the one that it became
    STATUS, URL                     the server does not call it cancelled; always
    ORGANIZER, ATTENDEE             see `eventpeople.py`
    X-REMINDER (component)          the reminder is as many minutes as the alarm in it
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import replace
from datetime import UTC
from datetime import date
from datetime import datetime
from datetime import time
from datetime import timedelta

from lxml import etree

from ews_bridge.errors import BadItem
from ews_bridge.exchange import alarms
from ews_bridge.exchange import asking
from ews_bridge.exchange import bodytext
from ews_bridge.exchange import contentline
from ews_bridge.exchange import eventpeople
from ews_bridge.exchange import form
from ews_bridge.exchange import globalid
from ews_bridge.exchange import mail
from ews_bridge.exchange import recurrence
from ews_bridge.exchange import soap
from ews_bridge.exchange import times
from ews_bridge.exchange import zones
from ews_bridge.exchange import zonexml
from ews_bridge.exchange.contentline import Component
from ews_bridge.exchange.contentline import Line
from ews_bridge.exchange.eventpeople import Owner
from ews_bridge.exchange.occasion import Event
from ews_bridge.exchange.occasion import File
from ews_bridge.exchange.zones import Zone

#: Kept of an occurrence where nothing is, though something is kept of its series.
NOTHING = "X-NOTHING:"
PRIVACY = {"Normal": "", "Personal": "X-PERSONAL", "Private": "PRIVATE", "Confidential": "CONFIDENTIAL"}
IMPORTANCE = {"High": 1, "Normal": 0, "Low": 9}
_BUSY = ("Free", "Tentative", "Busy", "OOF", "WorkingElsewhere")
_LEFTOVER = (asking.TOKEN_SET, "Leftover")
_MOMENT = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.\d+)?(Z|[+-]\d\d:\d\d)?")
_OVERLAYS = frozenset(
    ("DTSTART", "DTEND", "SUMMARY", "DESCRIPTION", "LOCATION", "CLASS", "PRIORITY", "STATUS", "URL", "CREATED", "SEQUENCE")
)
_REMINDER = "X-REMINDER"
_SKEW = timedelta(hours=2)
_T = f"{{{soap.TYPES}}}"

# What names a meeting where its UID does not, and the link of an online meeting: named properties, which all versions know.
_LINKS = ("OnlineMeetingExternalLink", "SkypeTeamsMeetingUrl")
_CLEAN_ID = '<t:ExtendedFieldURI DistinguishedPropertySetId="Meeting" PropertyId="35" PropertyType="Binary"/>'
_GLOBAL_ID = '<t:ExtendedFieldURI DistinguishedPropertySetId="Meeting" PropertyId="3" PropertyType="Binary"/>'
_FIELDS = (
    ("item", "Subject Sensitivity Body Attachments Categories Importance ReminderIsSet ReminderMinutesBeforeStart"),
    ("item", "DateTimeCreated LastModifiedTime"),
    ("calendar", "UID RecurrenceId Start End OriginalStart IsAllDayEvent LegacyFreeBusyStatus Location IsMeeting IsCancelled"),
    ("calendar", "IsResponseRequested CalendarItemType MyResponseType Organizer RequiredAttendees OptionalAttendees Resources"),
    ("calendar", "AppointmentSequenceNumber AppointmentState Recurrence ModifiedOccurrences DeletedOccurrences"),
    ("calendar", "StartTimeZone EndTimeZone MeetingRequestWasSent"),
)
FIELDS = (
    "".join(asking.field(f"{prefix}:{name}") for prefix, names in _FIELDS for name in names.split())
    + "".join(
        f'<t:ExtendedFieldURI DistinguishedPropertySetId="PublicStrings" PropertyName="{name}" PropertyType="String"/>'
        for name in _LINKS
    )
    + _CLEAN_ID
    + _GLOBAL_ID
    + form.LEFTOVER
    + form.UID_FIELDS
)


@dataclass(frozen=True, slots=True)
class Reading:
    """How items are read: `home` is the zone of floating times, `owner` who the mailbox belongs to, `files` the data of
    attachments by id.
    """

    home: Zone
    owner: Owner
    files: Mapping[str, bytes]

    def event(self, element: etree._Element, master: Event | None = None, inherited: str = "") -> Event:
        """One item. Of an occurrence its `master`, whose kept lines (`inherited`) it has where it has none of its own."""
        kept = contentline.nest(kept_text(element, inherited).split("\n"))
        rule = element.find(f"{_T}Recurrence") if master is None else None
        made = self._times(element, kept, recurring=master is not None or rule is not None)
        if master is None:
            made = replace(made, original=_alone(element, made, kept, self.home) if rule is None else None)
        else:
            made = self._in_series(element, made, master)
        html, description = _body(element, kept)
        reminder, alarm = _reminder(element, kept)
        busy = soap.text(element, "LegacyFreeBusyStatus")
        people = eventpeople.read(element, kept, self.owner)
        made = replace(
            made,
            uid=uid(element),
            summary=soap.text(element, "Subject").replace("\r\n", "\n"),
            description=description,
            html=html,
            location=soap.text(element, "Location").replace("\r\n", "\n"),
            categories=tuple(one.text or "" for one in element.iterfind(f"{_T}Categories/{_T}String")),
            privacy=_privacy(element, kept),
            priority=_priority(element, kept),
            busy=busy if busy in _BUSY else "Busy",
            status=_status(element, kept, busy),
            reminder=reminder,
            alarm=alarm,
            organizer=people.organizer,
            attendees=people.attendees,
            files=tuple(file for _, file in attached(element, self.files)),
            link=kept.value("URL") if kept.line("URL") else link(element),
            parameters=_parameters(kept),
            created=kept.value("CREATED") or _stamp(element, "DateTimeCreated"),
            modified=_stamp(element, "LastModifiedTime"),
            sequence=_sequence(element, kept),
            other=tuple(_others(kept)),
        )
        if rule is None:
            return made.inside(master)
        return replace(made, rule=recurrence.from_element(rule).normal(made.start.date()))

    def _times(self, element: etree._Element, kept: Component, *, recurring: bool) -> Event:
        """An event that has only its times."""
        start, end = moment(soap.text(element, "Start")), moment(soap.text(element, "End"))
        if start is None:
            raise BadItem("the server gives no time at which it starts")
        end = end or start
        zone = zonexml.zone(element.find(f"{_T}StartTimeZone")) or zones.UTC_ZONE
        end_zone = zonexml.zone(element.find(f"{_T}EndTimeZone")) or zone
        if soap.text(element, "IsAllDayEvent") == "true":
            first, last = _midnight(zone.local(start)), _midnight(end_zone.local(end))
            last = last if last > first else first + timedelta(1)
            return Event("", first, last, self.home, self.home, all_day=True)
        line = kept.line("DTSTART")
        if line and not line.parameters:
            return Event(
                "", zone.local(start).replace(fold=0), zone.local(end).replace(fold=0), self.home, self.home, floating=True
            )
        zone, end_zone = _named(zone, line), _named(end_zone, kept.line("DTEND") or line)
        if not recurring:
            zone = zone if zone.tells(start) else zones.UTC_ZONE
            end_zone = end_zone if end_zone.tells(end) else zones.UTC_ZONE
        return Event("", zone.local(start).replace(fold=0), end_zone.local(end).replace(fold=0), zone, end_zone)

    def _in_series(self, element: etree._Element, made: Event, master: Event) -> Event:
        """A changed occurrence: which one it is, and its times on the clock of its series, as the server reads that clock."""
        began = moment(soap.text(element, "OriginalStart")) or moment(soap.text(element, "RecurrenceId"))
        if not began:
            raise BadItem("the server does not say which occurrence one of its changes belongs to")
        original = _began(began, element, master)
        if made.all_day or master.all_day:
            return replace(made, original=original)
        skew = _clock(element, master).local(began).replace(fold=0) - original
        return replace(made, original=original, start=made.start - skew, end=made.end - skew)


# ---- in: the parts of an item


def moment(text: str) -> datetime | None:
    """An xs:dateTime in UTC (which it is in when it does not say); None for anything else."""
    found = _MOMENT.match(text)
    try:
        return datetime.fromisoformat(found[1] + (found[2] or "Z")).astimezone(UTC) if found else None
    except (ValueError, OverflowError):
        return None


def uid(element: etree._Element) -> str:
    for text in (soap.text(element, "UID"), *_ids(element)):
        if text:
            return globalid.uid(text)
    return form.uid(element)


def kept_text(element: etree._Element, inherited: str = "") -> str:
    """The lines that we keep with an item; `inherited` where it has none."""
    return mail.first(mail.extended(element), _LEFTOVER).replace("\r\n", "\n").replace("\r", "\n") or inherited


def link(element: etree._Element) -> str:
    """Where an online meeting is joined."""
    named = mail.extended(element)
    found = [mail.first(named, ("", name)) for name in _LINKS]
    return next(filter(None, (soap.text(element, "JoinOnlineMeetingUrl"), *found)), "").strip()


def attached(element: etree._Element, files: Mapping[str, bytes], *, kind: str = "*") -> list[tuple[str, File]]:
    """(id, file) of each attachment (of all, or of one kind of element) that is not a picture inside of the body."""
    found = []
    for one in element.iterfind(f"{_T}Attachments/{kind}"):
        if soap.text(one, "IsInline") == "true":
            continue
        ident = soap.attribute(one, "AttachmentId", "Id")
        size = max(0, mail.number(soap.text(one, "Size")))
        name = " ".join(soap.text(one, "Name").split()) or "attachment"
        found.append((ident, File(name, soap.text(one, "ContentType"), files.get(ident), size)))
    return found


def _ids(element: etree._Element) -> list[str]:
    """The hexadecimal forms of the clean and the plain global id."""
    found: dict[str, str] = {}
    for child in element.iterfind(f"{_T}ExtendedProperty"):
        path = child.find(f"{_T}ExtendedFieldURI")
        if path is not None and path.get("PropertyId") in ("35", "3") and path.get("PropertyType") == "Binary":
            found[str(path.get("PropertyId"))] = eventpeople.hexadecimal(soap.text(child, "Value"))
    return [found.get("35", ""), found.get("3", "")]


def _alone(element: etree._Element, made: Event, kept: Component, home: Zone) -> datetime | None:
    """When an occurrence whose series is not there was to begin, on its own clock; None of what is no such thing."""
    if line := kept.line("RECURRENCE-ID"):
        return times.Reader({}, (made.start.year, made.start.year)).time(line).within(made.zone, home)
    day = next(filter(None, map(globalid.instance, _ids(element))), None)
    if day is None:
        return None
    began = moment(soap.text(element, "OriginalStart")) or moment(soap.text(element, "RecurrenceId"))
    if not began or began == moment(soap.text(element, "Start")):
        return datetime.combine(day, time() if made.all_day else made.start.time())
    return _began(began, element, made)


def deleted(element: etree._Element, master: Event) -> frozenset[date]:
    """The days of a series whose occurrences were deleted."""
    starts = [moment(soap.text(one, "Start")) for one in element.iterfind(f"{_T}DeletedOccurrences/{_T}DeletedOccurrence")]
    return frozenset(_began(start, element, master).date() for start in starts if start)


def _clock(element: etree._Element, series: Event) -> Zone:
    """Where a series repeats. Days and floating times do so where the item was made."""
    own = series.zone if not (series.all_day or series.floating) else None
    return own or zonexml.zone(element.find(f"{_T}StartTimeZone")) or series.zone


def _began(start: datetime, element: etree._Element, series: Event) -> datetime:
    """The start of an occurrence on the clock of its series.

    The server may know other rules for a zone, of years ago: then it is the occurrence that begins within the hours around.
    """
    wall = _clock(element, series).local(start).replace(fold=0)
    if series.all_day:
        return _midnight(wall)
    if not series.rule or wall.time() == series.start.time():
        return wall
    near = [datetime.combine(wall.date() + timedelta(day), series.start.time()) for day in (-1, 0, 1)]
    able = [one for one in near if abs(one - wall) <= _SKEW and series.rule.index(series.start.date(), one.date())]
    return min(able, key=lambda one: abs(one - wall), default=wall)


def _midnight(wall: datetime) -> datetime:
    """The midnight that is meant: all-day events of another zone lie some hours beside it."""
    return datetime.combine((wall + timedelta(hours=12)).date(), time())


def _named(zone: Zone, line: Line | None) -> Zone:
    """The zone by the name that its file had for it."""
    tzid = line.parameter("TZID") if line else ""
    named = zones.from_iana(tzid) if tzid else None
    if named and (named.windows == zone.windows or (not named.windows and zone == zones.UTC_ZONE)):
        return named
    return zone


def _body(element: etree._Element, kept: Component) -> tuple[str, str]:
    """(HTML or "", text)"""
    body = element.find(f"{_T}Body")
    content = ((body.text if body is not None else "") or "").replace("\r\n", "\n").replace("\r", "\n")
    if body is None or body.get("BodyType") != "HTML":
        return "", content.rstrip("\n")
    text = bodytext.from_html(content)
    if not text and "<img" not in content.lower():
        return "", ""
    line = kept.line("DESCRIPTION")
    return content, contentline.unescape(line.value) if line and line.parameter("X-OF") == digest(text) else text


def digest(text: str) -> str:
    """Tells whether a text is still the one that something was kept for."""
    return hashlib.sha256(" ".join(text.split()).encode()).hexdigest()[:16]


def _reminder(element: etree._Element, kept: Component) -> tuple[int | None, tuple[str, ...]]:
    if soap.text(element, "ReminderIsSet") != "true":
        return None, ()
    minutes = max(0, mail.number(soap.text(element, "ReminderMinutesBeforeStart")))
    for alarm in kept.inside(_REMINDER):
        if alarms.minutes(alarm) == minutes:
            return minutes, tuple(alarm)[1:-1]
    return minutes, alarms.default(minutes)


def sensitivity(privacy: str) -> str:
    """The nearest that the server has; a class that nobody knows is private."""
    return next((name for name, known in PRIVACY.items() if known == privacy), "Private")


def importance(priority: int) -> str:
    return "High" if 1 <= priority <= 4 else "Low" if priority >= 6 else "Normal"


def _privacy(element: etree._Element, kept: Component) -> str:
    served, value = soap.text(element, "Sensitivity") or "Normal", kept.value("CLASS")
    return value if value and sensitivity(value) == served else PRIVACY.get(served, "PRIVATE")


def _priority(element: etree._Element, kept: Component) -> int:
    served, value = soap.text(element, "Importance") or "Normal", mail.number(kept.value("PRIORITY"))
    return value if value and importance(value) == served else IMPORTANCE.get(served, 0)


def status(busy: str, *, received: bool) -> str:
    """An event's STATUS as far as the server can tell: that I may not come to somebody's meeting says nothing of it."""
    return "TENTATIVE" if busy == "Tentative" and not received else ""


def _status(element: etree._Element, kept: Component, busy: str) -> str:
    if soap.text(element, "IsCancelled") == "true":
        return "CANCELLED"
    line = kept.line("STATUS")
    return line.value if line else status(busy, received=eventpeople.is_received(element))


def _parameters(kept: Component) -> tuple[tuple[str, str], ...]:
    found = []
    for name in ("SUMMARY", "DESCRIPTION", "LOCATION"):
        line = kept.line(name)
        if line and (rest := line.without("X-OF")).parameters:
            found.append((name, str(Line("", "", rest.parameters))[:-1]))
    return tuple(found)


def _stamp(element: etree._Element, name: str) -> str:
    when = moment(soap.text(element, name))
    return times.utc(when) if when else ""


def _sequence(element: etree._Element, kept: Component) -> str:
    served, own = mail.number(soap.text(element, "AppointmentSequenceNumber")), mail.number(kept.value("SEQUENCE"))
    return str(max(served, own)) if served or kept.line("SEQUENCE") else ""


def history(element: etree._Element) -> tuple[str, str]:
    """CREATED and SEQUENCE as the server has them; "" where it has none."""
    return _stamp(element, "DateTimeCreated"), soap.text(element, "AppointmentSequenceNumber").lstrip("0")


def _others(kept: Component) -> list[str]:
    known = _OVERLAYS | {"ORGANIZER", "ATTENDEE", "RECURRENCE-ID", "X-NOTHING"}
    lines = [str(line) for line in kept.lines if line.name not in known]
    return lines + [line for one in kept.components if one.name not in (_REMINDER, "VCALENDAR") for line in one]
