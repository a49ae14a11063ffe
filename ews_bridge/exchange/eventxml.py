"""An `Event` as the fields of a CalendarItem: a new item's content, or the updates that lead from one state to another. Pure.

The order is that of the schema, for creation, where the server demands it. Times go out in UTC, their zone by its name.
"""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime
from datetime import timedelta
from itertools import islice
from xml.sax.saxutils import escape

from lxml import etree

from ews_bridge.errors import BadItem
from ews_bridge.exchange import asking
from ews_bridge.exchange import attendees
from ews_bridge.exchange import bodytext
from ews_bridge.exchange import contentline
from ews_bridge.exchange import eventitem
from ews_bridge.exchange import eventpeople
from ews_bridge.exchange import form
from ews_bridge.exchange import recurrence
from ews_bridge.exchange import zones
from ews_bridge.exchange.contentline import Line
from ews_bridge.exchange.eventpeople import Owner
from ews_bridge.exchange.occasion import Event
from ews_bridge.exchange.zones import Zone

#: (the path of a field, its element; "" where the item is to have none)
Field = tuple[str, str]

ELEMENT = "CalendarItem"
START_ZONE, END_ZONE = asking.field("calendar:StartTimeZone"), asking.field("calendar:EndTimeZone")
START, END = asking.field("calendar:Start"), asking.field("calendar:End")
ALL_DAY = asking.field("calendar:IsAllDayEvent")
SUBJECT = asking.field("item:Subject")
RECURRENCE = asking.field("calendar:Recurrence")
REMINDER = asking.field("item:ReminderIsSet")
MINUTES = asking.field("item:ReminderMinutesBeforeStart")
_TIMES = (START_ZONE, END_ZONE, START, END, ALL_DAY)
#: Exchange refuses longer ones (ErrorCalendarDurationIsTooLong); MS-OXWSMTGS.
_LONGEST = timedelta(days=5 * 365)
_SUBJECT = 255
_HISTORY = re.compile(r"(?m)^(?:CREATED|SEQUENCE):.*\n?")


def fields(event: Event, kept: str, owner: Owner, element: etree._Element | None = None) -> list[Field]:
    """All fields of an event, in the order of the schema. `element` is the item, where there is one; `kept` its kept lines."""
    people = () if eventpeople.is_foreign(event, owner, element) else eventpeople.invited(event, owner)
    return [
        _simple("item:Subject", "Subject", event.summary[:_SUBJECT]),
        _simple("item:Sensitivity", "Sensitivity", eventitem.sensitivity(event.privacy)),
        (asking.field("item:Body"), _body(event)),
        (asking.field("item:Categories"), _categories(event)),
        _simple("item:Importance", "Importance", eventitem.importance(event.priority)),
        _simple("item:ReminderIsSet", "ReminderIsSet", "true" if event.reminder is not None else "false"),
        _simple("item:ReminderMinutesBeforeStart", "ReminderMinutesBeforeStart", _number(event.reminder)),
        (form.LEFTOVER, asking.extended(form.LEFTOVER, kept) if kept else ""),
        _simple("calendar:Start", "Start", _utc(event.zone.moment(event.start))),
        _simple("calendar:End", "End", _utc(event.end_zone.moment(event.end))),
        _simple("calendar:IsAllDayEvent", "IsAllDayEvent", "true" if event.all_day else "false"),
        _simple("calendar:LegacyFreeBusyStatus", "LegacyFreeBusyStatus", event.busy),
        _simple("calendar:Location", "Location", event.location[:_SUBJECT]),
        *((asking.field(f"calendar:{name}"), attendees.xml(people, kind)) for kind, name in attendees.KINDS.items()),
        (RECURRENCE, recurrence.to_xml(event.rule, event.start.date()) if event.rule else ""),
        (START_ZONE, f'<t:StartTimeZone Id="{asking.attribute(server_zone(event.zone))}"/>'),
        (END_ZONE, f'<t:EndTimeZone Id="{asking.attribute(server_zone(event.end_zone))}"/>'),
    ]


def creation(event: Event, kept: str, owner: Owner) -> str:
    """The content of a new item."""
    check(event)
    parts: list[str] = []
    for path, xml in fields(event, kept, owner):
        if path == START:
            parts.append(f"<t:UID>{escape(event.uid)}</t:UID>")
        parts.append(xml)
    return "".join(parts)


def updates(old: list[Field], new: list[Field], *, always: frozenset[str] = frozenset()) -> str:
    """The field updates that lead from one to the other; those in `always` are written even where they are alike.

    Times hang together: start and end, and all of them where the zone changes or days become hours; the zone first, as the server
    reads a time in the zone that it knows by then.
    """
    before, after = dict(old), dict(new)
    changed = {path for path in after if before.get(path, "") != after[path] or path in always}
    if changed & {START_ZONE, END_ZONE, ALL_DAY}:
        changed |= set(_TIMES)
    if changed & {START, END}:
        changed |= {START, END}
    if not after[MINUTES]:
        changed.discard(MINUTES)
    order = [*_TIMES[:2], *(path for path in after if path not in _TIMES[:2])]
    return "".join(update(path, new) for path in order if path in changed)


def update(path: str, fields: list[Field]) -> str:
    """The update that gives one field what it has among these."""
    xml = dict(fields)[path]
    return asking.set_field(path, ELEMENT, xml) if xml else asking.delete_field(path)


def check(event: Event) -> None:
    """`BadItem` for what the server would refuse, in words that say what it is about."""
    if event.ends() - event.begins() > _LONGEST:
        raise BadItem("it takes longer than five years, which is the most that Exchange holds")
    for second in islice(event.days(), 1, 2):
        if event.end - event.start > datetime.combine(second, event.start.time()) - event.start:
            raise BadItem("its occurrences overlap: each takes longer than it is to the next one")
    if not server_zone(event.zone) or not server_zone(event.end_zone):
        raise BadItem(f"Exchange has no time zone that does what {event.zone.tzid} does")


def server_zone(zone: Zone) -> str:
    """The name of a zone on the server. A moment in a zone of which the server has no like is given in UTC; its name is kept."""
    if zone.windows or zone.rules:
        return zone.windows
    return "UTC"


# ---- what is kept


def kept(event: Event, owner: Owner, element: etree._Element | None = None) -> str:
    """The lines to keep with an item (see `eventitem.py`); "" for none. `element` is the item, where there is one."""
    lines = [str(line) for line in _overlays(event, element)]
    lines += eventpeople.kept(event, owner, element)
    if event.reminder is not None and event.alarm and not _is_plain(event.alarm):
        lines += ["BEGIN:X-REMINDER", *event.alarm, "END:X-REMINDER"]
    return "\n".join((*lines, *event.other))


def kept_of_occurrence(event: Event, series: str, owner: Owner, element: etree._Element | None = None) -> str:
    """The lines to keep with one occurrence: "" where they are those of its series. When it was made is the series' to tell."""
    mine, theirs = (_HISTORY.sub("", text) for text in (kept(event, owner, element), series))
    return "" if mine == theirs else mine or eventitem.NOTHING


def _overlays(event: Event, element: etree._Element | None) -> list[Line]:
    lines = _zone_lines(event)
    parameters = dict(event.parameters)
    for name in ("SUMMARY", "DESCRIPTION", "LOCATION"):
        given = contentline.parse(f"{name}{parameters.get(name, '')}:")
        if name == "DESCRIPTION" and event.html:
            text = bodytext.from_html(event.html)
            if " ".join(text.split()) != " ".join(event.description.split()):
                mark = ("X-OF", eventitem.digest(text))
                given = Line(name, contentline.escape(event.description), (mark, *given.parameters))
        if given.parameters:
            lines.append(given)
    if eventitem.PRIVACY[eventitem.sensitivity(event.privacy)] != event.privacy:
        lines.append(Line("CLASS", event.privacy))
    if eventitem.IMPORTANCE[eventitem.importance(event.priority)] != event.priority:
        lines.append(Line("PRIORITY", str(event.priority)))
    received = element is not None and eventpeople.is_received(element)
    if event.status != eventitem.status(event.busy, received=received):
        lines.append(Line("STATUS", event.status))
    if event.link != (eventitem.link(element) if element is not None else ""):
        lines.append(Line("URL", event.link))
    if len(event.summary) > _SUBJECT or len(event.location) > _SUBJECT:
        raise BadItem(f"its SUMMARY or LOCATION is longer than the {_SUBJECT} characters that Exchange holds")
    created, sequence = eventitem.history(element) if element is not None else ("", "")
    lines += [Line("CREATED", event.created)] if event.created not in ("", created) else []
    return lines + ([Line("SEQUENCE", event.sequence)] if event.sequence not in ("", sequence) else [])


def _zone_lines(event: Event) -> list[Line]:
    if event.all_day:
        return []
    if event.floating:
        return [Line("DTSTART", "")]
    found = []
    for name, zone in (("DTSTART", event.zone), ("DTEND", event.end_zone)):
        other = zone.tzid != zones.default_name(zone.windows) and not zone.rules
        if other and (name == "DTSTART" or zone != event.zone):
            found.append(Line(name, "", (("TZID", contentline.quote(zone.tzid)),)))
    return found


def _is_plain(alarm: tuple[str, ...]) -> bool:
    """Whether it says no more than when it rings."""
    return all(line == "ACTION:DISPLAY" or line.startswith(("TRIGGER", "DESCRIPTION")) for line in alarm)


# ---- the fields


def _simple(uri: str, name: str, value: str) -> Field:
    return asking.field(uri), f"<t:{name}>{escape(value)}</t:{name}>" if value else ""


def _body(event: Event) -> str:
    kind, text = ("HTML", event.html) if event.html else ("Text", event.description)
    return f'<t:Body BodyType="{kind}">{escape(text)}</t:Body>'


def _categories(event: Event) -> str:
    names = "".join(f"<t:String>{escape(name)}</t:String>" for name in sorted(set(event.categories)))
    return f"<t:Categories>{names}</t:Categories>" if names else ""


def _number(value: int | None) -> str:
    return "" if value is None else str(value)


def _utc(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def settled(old: Event, new: Event) -> Event:
    """What an edit asks for. Whoever edits the text, and leaves the HTML that says the same, wants the text; people are called
    what the server calls them, for an edit of a name is none of who takes part; and a meeting whose ORGANIZER was dropped is not
    taken over by that.
    """
    if old.html and new.html == old.html and new.description != old.description:
        new = replace(new, html="")
    names = {one.address: one.name for one in old.attendees}
    people = tuple(replace(one, name=names.get(one.address, one.name)) for one in new.attendees)
    organizer = new.organizer or (old.organizer if people else None)
    return replace(new, attendees=people, organizer=organizer)
