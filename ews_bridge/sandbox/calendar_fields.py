"""The elements of calendar items, which meeting requests share: how each is shown, set and removed."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from functools import lru_cache

from . import appointments
from . import attendees
from . import calendar_reading
from . import calendar_writing
from . import global_ids
from . import occurrences
from . import parts
from . import properties
from . import recurrence
from . import timezones
from .appointments import APPOINTMENT
from .errors import ItemError
from .fields import Field
from .fields import choice
from .fields import shown
from .fields import simple
from .mapi import SETS
from .mapi import PropertyName
from .mapi import format_time
from .mapi import offset_text
from .mapi import parse_time
from .markup import Element
from .markup import put
from .markup import t
from .markup import text_of
from .parts import Assign
from .parts import Look
from .parts import Show
from .store import Folder
from .store import Item
from .timezones import Zone

ANSWERS = ("AcceptItem", "TentativelyAcceptItem", "DeclineItem")
BUSY_STATUSES = ("Free", "Tentative", "Busy", "OOF", "WorkingElsewhere", "NoData")
# PidLidMeetingWorkspaceUrl, NetShowUrl, ConferencingCheck, ConferencingType
WORKSPACE: PropertyName = (APPOINTMENT, 0x8209)
NET_SHOW: PropertyName = (APPOINTMENT, 0x8248)
ONLINE: PropertyName = (APPOINTMENT, 0x8240)
CONFERENCE: PropertyName = (APPOINTMENT, 0x8241)
WHEN: PropertyName = (SETS["Meeting"], "sandbox-when")
JOIN_URL: PropertyName = (SETS["PublicStrings"], "OnlineMeetingExternalLink")
RESPONSE_REQUESTED = 0x0063


def _truth(value: bool) -> str:
    return "true" if value else "false"


def _state(bit: int) -> Callable[[Item], str]:
    return lambda item: _truth(bool(appointments.state(item) & bit))


def _response(item: Item) -> str:
    number = properties.number(item, appointments.RESPONSE) or 0
    return attendees.RESPONSES[number] if 0 <= number < len(attendees.RESPONSES) else attendees.RESPONSES[0]


def _recurrence_id(item: Item) -> str | None:
    meant = appointments.meant_for(item)
    return None if meant is None else format_time(meant)


def _original_start(item: Item) -> str | None:
    return None if item.master is None else format_time(appointments.original_start(item))


def _assign_uid(item: Item, element: Element) -> None:
    if item.key:
        # exchangelib sends all it has read: what changes nothing is let pass.
        if text_of(element) != appointments.uid(item):
            raise ItemError("ErrorInvalidPropertySet")
    elif text_of(element):
        item.props[appointments.GLOBAL_ID] = ("Binary", global_ids.of_uid(text_of(element)))


def _duration(item: Item) -> str:
    seconds = appointments.moment(item, appointments.END) - appointments.moment(item, appointments.START)
    days, rest = divmod(seconds, 86_400)
    hours, minutes = rest // 3600, rest % 3600 // 60
    clock = (f"{hours}H" if hours else "") + (f"{minutes}M" if minutes else "")
    if not days and not clock:
        return "PT0S"
    return "P" + (f"{days}D" if days else "") + (f"T{clock}" if clock else "")


def _wall_clock(name: PropertyName, zone_name: str) -> Callable[[Item], str]:
    def text(item: Item) -> str:
        where = appointments.zone(item, zone_name)
        at = appointments.moment(item, name)
        return where.local(at).isoformat() + offset_text(where.offset(at))

    return text


def _span(item: Item) -> tuple[int, int]:
    return appointments.moment(item, appointments.START), appointments.moment(item, appointments.END)


@lru_cache(maxsize=4)
def _entries(folder: Folder, change: int) -> tuple[list[tuple[int, int, int]], list[Item]]:
    """What a calendar holds as of a change to the world: (begin, end, key) of single items, and the series."""
    items = [item for item in folder.items.values() if item.kind == "CalendarItem"]
    single = [item for item in items if appointments.recurrence(item) is None]
    return [(*_span(one), one.key) for one in single], [item for item in items if appointments.recurrence(item) is not None]


def _count(*, adjacent: bool) -> Callable[[Item], str]:
    """How many others in the same calendar are at the same time, or right before or after."""

    def text(item: Item) -> str:
        if item.folder is None:
            return "0"
        begin, end = _span(item)
        spans, series = _entries(item.folder, item.mailbox.world.change)
        others = [(start, stop) for start, stop, key in spans if key != item.key]
        for one in series:
            if one.key != item.key:
                shown = occurrences.within(one, begin, end + 1)
                others += [_span(each) for each in shown]
        if adjacent:
            return str(sum(stop == begin or start == end for start, stop in others))
        return str(sum(start < end and stop > begin for start, stop in others))

    return text


def _show_organizer(item: Item, parent: Element, look: Look) -> None:
    author = properties.envelope(item).author
    parts.put_mailbox(put(parent, t("Organizer")), author[0] if author else properties.own_address(item.mailbox))


def _attendees(name: str) -> Field:
    def show(item: Item, parent: Element, look: Look) -> None:
        attendees.append(parent, name, attendees.read(item, name))

    def assign(item: Item, element: Element) -> None:
        attendees.invite(item, name, attendees.parse(element))

    def remove(item: Item) -> None:
        attendees.write(item, name, [])

    return Field(f"calendar:{name}", name, show, assign, remove, listed=False)


def _show_recurrence(item: Item, parent: Element, look: Look) -> None:
    found = appointments.recurrence(item)
    if found is not None:
        where = appointments.zone(item)
        recurrence.append(parent, found, offset_text(where.offset(appointments.moment(item, appointments.START))))


def _assign_recurrence(item: Item, element: Element) -> None:
    if item.master is not None:
        raise ItemError("ErrorInvalidPropertySet")
    appointments.set_recurrence(item, recurrence.read(element))


def _remove_recurrence(item: Item) -> None:
    if item.master is not None:
        raise ItemError("ErrorInvalidPropertyDelete")
    appointments.set_recurrence(item, None)


def _put_occurrence(parent: Element, name: str, one: Item) -> None:
    element = put(parent, t(name))
    parts.show_id(one, element, Look())
    put(element, t("Start"), format_time(appointments.moment(one, appointments.START)))
    put(element, t("End"), format_time(appointments.moment(one, appointments.END)))
    put(element, t("OriginalStart"), format_time(appointments.original_start(one)))


def _boundary(index: int, name: str) -> Show:
    def show(item: Item, parent: Element, look: Look) -> None:
        one = occurrences.first_and_last(item)[index]
        if one is not None:
            _put_occurrence(parent, name, one)

    return show


def _show_modified(item: Item, parent: Element, look: Look) -> None:
    found = occurrences.exceptions(item)
    if found:
        element = put(parent, t("ModifiedOccurrences"))
        for one in found:
            _put_occurrence(element, "Occurrence", one)


def _show_deleted(item: Item, parent: Element, look: Look) -> None:
    if item.deleted:
        element = put(parent, t("DeletedOccurrences"))
        for one in sorted(item.deleted):
            start, _ = appointments.times(item, dt.date.fromordinal(one))
            put(put(element, t("DeletedOccurrence")), t("Start"), format_time(start))


def _show_zone(name: str) -> Show:
    def show(item: Item, parent: Element, look: Look) -> None:
        timezones.put_zone(parent, name, appointments.zone(item, name), full=not look.brief)

    return show


def _assign_zone(name: str) -> Assign:
    def assign(item: Item, element: Element) -> None:
        appointments.set_zone(item, name, timezones.read_zone(element))

    return assign


def _assign_zone_id(name: str) -> Assign:
    def assign(item: Item, element: Element) -> None:
        found = timezones.named(text_of(element))
        if found is None:
            raise ItemError("ErrorCalendarInvalidTimeZone")
        appointments.set_zone(item, name, found)

    return assign


def _show_meeting_zone(item: Item, parent: Element, look: Look) -> None:
    if appointments.recurrence(item) is not None:
        timezones.put_meeting_zone(parent, appointments.zone(item))


def _assign_meeting_zone(item: Item, element: Element) -> None:
    found: Zone = timezones.read_meeting_zone(element)
    for name in ("StartTimeZone", "EndTimeZone"):
        appointments.set_zone(item, name, found)


def _show_location(item: Item, parent: Element, look: Look) -> None:
    where = properties.text(item, appointments.LOCATION)
    if where:
        element = put(parent, t("EnhancedLocation"))
        put(element, t("DisplayName"), where)
        address = put(element, t("PostalAddress"))
        put(address, t("Type"), "Business")
        put(address, t("LocationSource"), "None")


def _assign_location(item: Item, element: Element) -> None:
    properties.write(item, appointments.LOCATION, "String", element.findtext(t("DisplayName")) or "")


def _truths(uri: str, name: str, prop: PropertyName, *, otherwise: bool, opposite: bool = False) -> Field:
    """A yes or no that is always shown; `opposite` if the property says the contrary."""
    tag = t(name)

    def show(item: Item, parent: Element, look: Look) -> None:
        value = properties.read(item, prop, "Boolean")
        put(parent, tag, _truth((value is True) != opposite if value is not None else otherwise))

    def assign(item: Item, element: Element) -> None:
        properties.write(item, prop, "Boolean", (text_of(element).strip() in ("1", "true")) != opposite)

    return Field(uri, name, show, assign, lambda item: properties.erase(item, prop), prop, "Boolean")


def _time(name: str, prop: PropertyName) -> Field:
    made = simple(f"calendar:{name}", name, prop, "SystemTime", removable=False)

    def assign(item: Item, element: Element) -> None:
        item.props[prop] = ("SystemTime", parse_time(text_of(element)))

    return Field(made.uri, name, made.show, assign, None, prop, "SystemTime")


def _ignored(field: Field) -> Field:
    """A field that a request may set without any effect."""
    return Field(field.uri, field.name, field.show, lambda item, element: None, lambda item: None, field.prop, field.type)


def _show_mime(item: Item, parent: Element, look: Look) -> None:
    parts.put_mime(parent, calendar_writing.publish(item))


def _assign_mime(item: Item, element: Element) -> None:
    if item.master is not None:
        raise ItemError("ErrorInvalidPropertySet")
    text = calendar_reading.calendar_text(parts.decode_mime(element))
    calendar_reading.apply(item, calendar_reading.read_calendar(text), appointments.zone(item))


def _show_responses(item: Item, parent: Element, look: Look) -> None:
    """The organizer may cancel, an attendee answer, and remove what was cancelled."""
    state = appointments.state(item)
    names: tuple[str, ...] = ("ForwardItem",)
    if state & appointments.IS_CANCELLED:
        names = ("RemoveItem", *parts.MAIL_RESPONSES)
    elif state & appointments.IS_RECEIVED:
        names = (*ANSWERS, *parts.MAIL_RESPONSES)
    elif state & appointments.IS_MEETING:
        names = ("CancelCalendarItem", *parts.MAIL_RESPONSES)
    parts.put_responses(parent, names)


FIELDS: tuple[Field, ...] = (
    Field("item:MimeContent", "MimeContent", _show_mime, _assign_mime, listed=False),
    Field("item:ResponseObjects", "ResponseObjects", _show_responses, listed=False),
    Field("calendar:UID", "UID", shown("calendar:UID", "UID", lambda item: appointments.uid(item) or None).show, _assign_uid),
    shown("calendar:RecurrenceId", "RecurrenceId", _recurrence_id),
    shown(
        "calendar:DateTimeStamp",
        "DateTimeStamp",
        lambda item: format_time(appointments.moment(item, appointments.OWNER_CHANGE) or item.modified),
    ),
    _time("Start", appointments.START),
    _time("End", appointments.END),
    shown("calendar:OriginalStart", "OriginalStart", _original_start),
    _truths("calendar:IsAllDayEvent", "IsAllDayEvent", appointments.ALL_DAY, otherwise=False),
    choice("calendar:LegacyFreeBusyStatus", "LegacyFreeBusyStatus", appointments.BUSY_STATUS, BUSY_STATUSES),
    simple("calendar:Location", "Location", appointments.LOCATION, "String"),
    simple("calendar:When", "When", WHEN, "String"),
    shown("calendar:IsMeeting", "IsMeeting", _state(appointments.IS_MEETING)),
    shown("calendar:IsCancelled", "IsCancelled", _state(appointments.IS_CANCELLED)),
    # Of an occurrence or exception it is true, of the series itself it is not.
    shown("calendar:IsRecurring", "IsRecurring", lambda item: _truth(item.master is not None)),
    shown(
        "calendar:MeetingRequestWasSent",
        "MeetingRequestWasSent",
        lambda item: _truth(appointments.flag(item, appointments.INVITED)),
    ),
    _truths("calendar:IsResponseRequested", "IsResponseRequested", RESPONSE_REQUESTED, otherwise=True),
    shown("calendar:CalendarItemType", "CalendarItemType", appointments.item_type),
    shown("calendar:MyResponseType", "MyResponseType", _response),
    Field("calendar:Organizer", "Organizer", _show_organizer),
    *(_attendees(name) for name in attendees.LISTS),
    shown("calendar:ConflictingMeetingCount", "ConflictingMeetingCount", _count(adjacent=False), listed=False),
    shown("calendar:AdjacentMeetingCount", "AdjacentMeetingCount", _count(adjacent=True), listed=False),
    shown("calendar:Duration", "Duration", _duration),
    shown("calendar:TimeZone", "TimeZone", lambda item: appointments.zone(item).name),
    simple("calendar:AppointmentReplyTime", "AppointmentReplyTime", appointments.REPLY_TIME, "SystemTime", writable=False),
    simple("calendar:AppointmentSequenceNumber", "AppointmentSequenceNumber", appointments.SEQUENCE, "Integer", writable=False),
    simple("calendar:AppointmentState", "AppointmentState", appointments.STATE, "Integer", writable=False),
    Field("calendar:Recurrence", "Recurrence", _show_recurrence, _assign_recurrence, _remove_recurrence, listed=False),
    Field("calendar:FirstOccurrence", "FirstOccurrence", _boundary(0, "FirstOccurrence"), listed=False),
    Field("calendar:LastOccurrence", "LastOccurrence", _boundary(1, "LastOccurrence"), listed=False),
    Field("calendar:ModifiedOccurrences", "ModifiedOccurrences", _show_modified, listed=False),
    Field("calendar:DeletedOccurrences", "DeletedOccurrences", _show_deleted, listed=False),
    Field("calendar:MeetingTimeZone", "MeetingTimeZone", _show_meeting_zone, _assign_meeting_zone, listed=False),
    *(Field(f"calendar:{name}", name, _show_zone(name), _assign_zone(name)) for name in ("StartTimeZone", "EndTimeZone")),
    simple("calendar:ConferenceType", "ConferenceType", CONFERENCE, "Integer"),
    _truths("calendar:AllowNewTimeProposal", "AllowNewTimeProposal", appointments.NO_PROPOSAL, otherwise=True, opposite=True),
    _truths("calendar:IsOnlineMeeting", "IsOnlineMeeting", ONLINE, otherwise=False),
    simple("calendar:MeetingWorkspaceUrl", "MeetingWorkspaceUrl", WORKSPACE, "String"),
    simple("calendar:NetShowUrl", "NetShowUrl", NET_SHOW, "String"),
    Field("calendar:EnhancedLocation", "EnhancedLocation", _show_location, _assign_location),
    shown("calendar:StartWallClock", "StartWallClock", _wall_clock(appointments.START, "StartTimeZone")),
    shown("calendar:EndWallClock", "EndWallClock", _wall_clock(appointments.END, "EndTimeZone")),
    *(
        Field(
            f"calendar:{name}Id",
            f"{name}Id",
            shown("", f"{name}Id", lambda item, name=name: appointments.zone(item, name).id).show,  # type: ignore[misc]
            _assign_zone_id(name),
        )
        for name in ("StartTimeZone", "EndTimeZone")
    ),
    choice("meetingRequest:IntendedFreeBusyStatus", "IntendedFreeBusyStatus", appointments.INTENDED_STATUS, BUSY_STATUSES),
    _ignored(simple("calendar:JoinOnlineMeetingUrl", "JoinOnlineMeetingUrl", JOIN_URL, "String")),
    _ignored(Field("calendar:OnlineMeetingSettings", "OnlineMeetingSettings", lambda item, parent, look: None, listed=False)),
    shown("calendar:IsOrganizer", "IsOrganizer", lambda item: _truth(appointments.is_organizer(item))),
)
