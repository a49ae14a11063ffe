"""The elements of meeting requests, responses and cancellations: their own, and those they share with calendar items."""

from __future__ import annotations

from . import appointments
from . import attendees
from . import calendar_fields
from . import elements
from . import meetings
from . import parts
from . import properties
from .fields import Field
from .fields import shown
from .fields import simple
from .markup import Element
from .markup import put
from .markup import t
from .parts import Look
from .store import Item

REQUEST_TYPES = {
    meetings.NEW: "NewMeetingRequest",
    meetings.FULL_UPDATE: "FullUpdate",
    meetings.INFORMATIONAL: "InformationalUpdate",
    meetings.DELEGATOR_COPY: "PrincipalWantsCopy",
}


def _show_associated(item: Item, parent: Element, look: Look) -> None:
    entry = meetings.associated(item)
    if entry is not None and entry.mailbox is item.mailbox:  # another's calendar is opened by whoever has the right
        element = put(parent, t("AssociatedCalendarItemId"))
        element.set("Id", entry.mailbox.item_id(entry))
        element.set("ChangeKey", entry.mailbox.item_change_key(entry))


def _response(item: Item) -> str:
    if elements.kind_of(item.item_class) == "MeetingRequest":
        return attendees.NO_RESPONSE
    number = properties.number(item, appointments.RESPONSE) or 0
    return attendees.RESPONSES[number] if elements.kind_of(item.item_class) == "MeetingResponse" else "Unknown"


def _request_type(item: Item) -> str:
    if meetings.is_out_of_date(item):
        return "Outdated"
    return REQUEST_TYPES.get(properties.number(item, meetings.MEETING_TYPE) or 0, "NewMeetingRequest")


def _show_highlights(item: Item, parent: Element, look: Look) -> None:
    changed = properties.number(item, meetings.HIGHLIGHT)
    if changed is None:
        return
    element = put(parent, t("ChangeHighlights"))
    for name, bit in (
        ("HasLocationChanged", meetings.LOCATION_CHANGED),
        ("HasStartTimeChanged", meetings.START_CHANGED),
        ("HasEndTimeChanged", meetings.END_CHANGED),
    ):
        put(element, t(name), "true" if changed & bit else "false")


def _show_responses(item: Item, parent: Element, look: Look) -> None:
    kind = elements.kind_of(item.item_class)
    if not item.draft and kind == "MeetingRequest":
        copy = properties.number(item, meetings.MEETING_TYPE) == meetings.DELEGATOR_COPY
        parts.put_responses(parent, (*(() if copy else calendar_fields.ANSWERS), *parts.MAIL_RESPONSES))
    elif not item.draft and kind == "MeetingCancellation":
        parts.put_responses(parent, ("RemoveItem", *parts.MAIL_RESPONSES))


OWN: tuple[Field, ...] = (
    Field("meeting:AssociatedCalendarItemId", "AssociatedCalendarItemId", _show_associated),
    shown("meeting:IsOutOfDate", "IsOutOfDate", lambda item: "true" if meetings.is_out_of_date(item) else "false"),
    shown("meeting:HasBeenProcessed", "HasBeenProcessed", lambda item: "true"),
    shown("meeting:ResponseType", "ResponseType", _response),
    shown("meetingRequest:MeetingRequestType", "MeetingRequestType", _request_type),
    Field("meetingRequest:ChangeHighlights", "ChangeHighlights", _show_highlights),
    simple("meeting:ProposedStart", "ProposedStart", meetings.PROPOSED_START, "SystemTime", writable=False),
    simple("meeting:ProposedEnd", "ProposedEnd", meetings.PROPOSED_END, "SystemTime", writable=False),
    Field("item:ResponseObjects", "ResponseObjects", _show_responses, listed=False),
)


def _fields(names: tuple[str, ...]) -> tuple[Field, ...]:
    chosen = {*elements.MEETING, *names, "ResponseObjects"}
    own = {one.name: one for one in OWN if one.name in chosen}
    return (*own.values(), *(one for one in calendar_fields.FIELDS if one.name in chosen and one.name not in own))


FIELDS: dict[str, tuple[Field, ...]] = {
    "MeetingRequest": _fields(elements.REQUEST),
    "MeetingResponse": _fields(elements.RESPONSE),
    "MeetingCancellation": _fields(elements.CANCELLATION),
}
