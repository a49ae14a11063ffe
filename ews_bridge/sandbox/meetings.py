"""Messages of meetings: what arrives in an Inbox, and what it does to the calendar there before anybody has read it.

A request makes or changes a tentative entry in the attendee's calendar, a cancellation marks it, an answer is noted in the
organizer's list of attendees; what is older than what the calendar holds changes nothing (MS-OXOCAL 3.1.4.7 to 3.1.4.9).
"""

from __future__ import annotations

import datetime as dt

from . import appointments
from . import attendees
from . import calendar_reading
from . import content
from . import elements
from . import global_ids
from . import occurrences
from . import properties
from . import settling
from .appointments import APPOINTMENT
from .appointments import MEETING
from .document import read_document
from .errors import ItemError
from .icalendar_lines import Component
from .mapi import KEYWORDS
from .mapi import PropertyName
from .store import Item
from .timezones import UTC
from .world import Mailbox

# PidLidMeetingType and its values; PidLidChangeHighlight; PidLidAppointmentProposedStartWhole and …EndWhole
MEETING_TYPE: PropertyName = (MEETING, 0x26)
NEW, FULL_UPDATE, INFORMATIONAL, DELEGATOR_COPY = 0x1, 0x10000, 0x20000, 0x100000
HIGHLIGHT: PropertyName = (APPOINTMENT, 0x8204)
START_CHANGED, END_CHANGED, LOCATION_CHANGED = 0x1, 0x2, 0x8
PROPOSED_START: PropertyName = (APPOINTMENT, 0x8250)
PROPOSED_END: PropertyName = (APPOINTMENT, 0x8251)
RESPONSE_REQUESTED = 0x0063
ANSWERS = {
    "Accept": "IPM.Schedule.Meeting.Resp.Pos",
    "Tentative": "IPM.Schedule.Meeting.Resp.Tent",
    "Decline": "IPM.Schedule.Meeting.Resp.Neg",
}
EMPTY = b"MIME-Version: 1.0\r\n\r\n"
CANCELLED = "Canceled: "
# What a new version of a meeting does not change in the attendee's copy.
OWN_OF_ATTENDEE = frozenset(
    (
        *(appointments.RESPONSE, appointments.REPLY_TIME, appointments.BUSY_STATUS, appointments.REMINDER_SET),
        *(appointments.REMINDER_MINUTES, appointments.REMINDER_SIGNAL, KEYWORDS),
    )
)


def is_meeting_message(item: Item) -> bool:
    return item.item_class.startswith("IPM.Schedule.Meeting.")


def absorb(message: Item) -> Item | None:
    """Give a message of a meeting the properties that its iCalendar says; None if that cannot be read.

    Returns the calendar item that the iCalendar describes, which is nowhere yet.
    """
    try:
        calendar = calendar_reading.read_calendar(calendar_reading.calendar_text(message.mime))
        described = message.mailbox.new_item(EMPTY, elements.DEFAULT_CLASS["CalendarItem"])
        described.kind, described.read = "CalendarItem", True
        calendar_reading.apply(described, calendar, UTC)
        settling.settle(described)
    except ItemError:
        return None
    for name, kept in described.props.items():
        if isinstance(name, tuple) and name[0] in (APPOINTMENT, MEETING):
            message.props[name] = kept
    message.declared = dict(described.declared)
    message.exceptions, message.deleted = dict(described.exceptions), set(described.deleted)
    message.props[appointments.STATE] = ("Integer", appointments.IS_MEETING | appointments.IS_RECEIVED)
    if calendar.text("METHOD").upper() in ("REPLY", "COUNTER"):
        _absorb_answer(message, calendar)
    elif calendar.text("METHOD").upper() == "REQUEST":
        message.props[RESPONSE_REQUESTED] = ("Boolean", True)
    return described


def _absorb_answer(message: Item, calendar: Component) -> None:
    event = next(calendar.within("VEVENT"))
    line = event.line("ATTENDEE")
    response = calendar_reading.response_of(line) if line is not None else "Unknown"
    if response in ANSWERS:
        message.item_class = ANSWERS[response]
        message.props[appointments.RESPONSE] = ("Integer", attendees.RESPONSES.index(response))
    if calendar.text("METHOD").upper() == "COUNTER":
        for name, proposed in ((appointments.START, PROPOSED_START), (appointments.END, PROPOSED_END)):
            message.props[proposed] = message.props[name]


def entries(mailbox: Mailbox) -> list[Item]:
    return [item for item in mailbox.folder("calendar").items.values() if item.kind == "CalendarItem"]


def associated(message: Item) -> Item | None:
    """The entry that a message is about: a meeting, a series, or an occurrence with or without its series.

    It is in the calendar of whom the message was sent to, which a delegate's copy says (MS-OXODLGT 3.2.4.3).
    """
    identifier = appointments.identifier(message, appointments.GLOBAL_ID)
    if not identifier:
        return None
    day = global_ids.day_of(identifier)
    clean = global_ids.clean(identifier)
    same = [item for item in entries(properties.received_for(message)) if appointments.identifier(item) == clean]
    if day is None:
        return next((item for item in same if appointments.identifier(item, appointments.GLOBAL_ID) == clean), None)
    orphan = next((item for item in same if appointments.identifier(item, appointments.GLOBAL_ID) == identifier), None)
    series = next((item for item in same if appointments.recurrence(item) is not None), None)
    if orphan is not None or series is None:
        return orphan
    found = appointments.recurrence(series)
    if found is None or found.index(day) is None or day.toordinal() in series.deleted:
        return None
    return occurrences.occurrence(series, day)


def _version(item: Item) -> tuple[int, int]:
    return properties.number(item, appointments.SEQUENCE) or 0, appointments.moment(item, appointments.OWNER_CHANGE)


def is_out_of_date(message: Item) -> bool:
    """Whether the calendar holds something newer than the message says; an answer is to a version, whenever it came."""
    entry = associated(message)
    if entry is None:
        return False
    if elements.kind_of(message.item_class) == "MeetingResponse":
        return _version(message)[0] < _version(entry)[0]
    return _version(message) < _version(entry)


def process(message: Item, described: Item) -> None:
    """What the calendar does with a message that has just arrived."""
    kind = elements.kind_of(message.item_class)
    if kind == "MeetingRequest":
        receive_request(message, described)
    elif kind == "MeetingCancellation":
        _receive_cancellation(message)
    elif kind == "MeetingResponse":
        _receive_answer(message)


# -- requests


def receive_request(message: Item, described: Item) -> Item | None:
    """Make or change the attendee's entry; returns it, or None where nothing is to be done."""
    if appointments.is_organizer(described):
        return None
    _take_content(described, message)
    described.props[appointments.INTENDED_STATUS] = described.props[appointments.BUSY_STATUS]
    message.props[appointments.INTENDED_STATUS] = described.props[appointments.BUSY_STATUS]
    entry = associated(message)
    if entry is None:
        return _new_entry(message, described)
    if not appointments.is_organizer(entry) and _version(message) >= _version(entry):
        _update_entry(message, described, entry)
    return entry


def _take_content(described: Item, message: Item) -> None:
    """The body and the attachments of the message are those of the meeting."""
    document = read_document(message.mime)
    if document.html is not None or document.text is not None:
        kind, text = ("HTML", document.html) if document.html is not None else ("Text", document.text)
        content.set_body(described, kind, text or "")
    for one in document.attachments:
        content.add_attachment(described, one)


def _new_entry(message: Item, described: Item) -> Item:
    message.props[MEETING_TYPE] = ("Integer", NEW)
    mailbox = message.mailbox
    series = _series_of(message)
    if series is not None:
        # An occurrence that had been deleted is there again.
        day = global_ids.day_of(appointments.identifier(message, appointments.GLOBAL_ID)) or dt.date.min
        series.deleted.discard(day.toordinal())
        entry = occurrences.occurrence(series, day)
        _overwrite(entry, described, frozenset())
    else:
        entry = described
    entry.props[appointments.RESPONSE] = ("Integer", appointments.NOT_RESPONDED)
    entry.props[appointments.BUSY_STATUS] = ("Integer", appointments.TENTATIVE)
    entry.props[appointments.REMINDER_SET] = ("Boolean", True)
    settling.settle(entry)
    if series is None:
        mailbox.place(entry, mailbox.folder("calendar"))
    else:
        occurrences.save(entry)
    return entry


def _series_of(message: Item) -> Item | None:
    """The series in the calendar of whose occurrence a message speaks, if its pattern has the day."""
    identifier = appointments.identifier(message, appointments.GLOBAL_ID)
    day = global_ids.day_of(identifier)
    if day is None:
        return None
    for item in entries(message.mailbox):
        found = appointments.recurrence(item)
        if found is not None and appointments.identifier(item) == global_ids.clean(identifier) and found.index(day):
            return item
    return None


def _update_entry(message: Item, described: Item, entry: Item) -> None:
    changed = _highlights(entry, described)
    message.props[HIGHLIGHT] = ("Integer", changed)
    anew = bool(changed & (START_CHANGED | END_CHANGED)) or appointments.recurrence(entry) != appointments.recurrence(described)
    message.props[MEETING_TYPE] = ("Integer", FULL_UPDATE if anew else INFORMATIONAL)
    cancelled = appointments.state(entry) & appointments.IS_CANCELLED
    _overwrite(entry, described, OWN_OF_ATTENDEE)
    if entry.master is None:
        entry.exceptions, entry.deleted = dict(described.exceptions), set(described.deleted)
    if anew or cancelled:
        entry.props[appointments.RESPONSE] = ("Integer", appointments.NOT_RESPONDED)
        entry.props[appointments.BUSY_STATUS] = ("Integer", appointments.TENTATIVE)
    settling.settle(entry)
    occurrences.save(entry)


def _highlights(entry: Item, described: Item) -> int:
    bits = ((appointments.START, START_CHANGED), (appointments.END, END_CHANGED), (appointments.LOCATION, LOCATION_CHANGED))
    return sum(bit for name, bit in bits if entry.props.get(name) != described.props.get(name))


def _overwrite(entry: Item, described: Item, own: frozenset[PropertyName]) -> None:
    """Give an entry what the message says, but for what is the attendee's own."""
    for name, kept in described.props.items():
        if name not in own and name not in appointments.DERIVED and name != appointments.GLOBAL_ID:
            entry.props[name] = kept
    for key, xml in described.declared.items():
        if entry.master is None or key != "Recurrence":
            entry.declared[key] = xml
    for key in (*attendees.LISTS, "Recurrence"):
        if key not in described.declared:
            entry.declared.pop(key, None)
    entry.mime, entry.attachment_numbers = described.mime, None
    entry.mailbox.world.forget(entry)


# -- cancellations and answers


def _receive_cancellation(message: Item) -> None:
    entry = associated(message)
    if entry is not None and not appointments.is_organizer(entry) and _version(message) >= _version(entry):
        cancel(entry)
        entry.props[appointments.SEQUENCE] = message.props[appointments.SEQUENCE]
        entry.props[appointments.OWNER_CHANGE] = message.props[appointments.OWNER_CHANGE]
        settling.settle(entry)
        occurrences.save(entry)


def cancel(entry: Item) -> None:
    """Mark a meeting as cancelled: it takes no time any more."""
    entry.props[appointments.STATE] = ("Integer", appointments.state(entry) | appointments.IS_CANCELLED)
    entry.props[appointments.BUSY_STATUS] = ("Integer", appointments.FREE)
    subject = properties.text(entry, properties.SUBJECT)
    if not subject.startswith(CANCELLED):
        properties.write(entry, properties.SUBJECT, "String", (CANCELLED + subject)[:255])


def _receive_answer(message: Item) -> None:
    entry = associated(message)
    author = properties.envelope(message).author
    if entry is None or not author or not appointments.is_organizer(entry) or is_out_of_date(message):
        return
    number = properties.number(message, appointments.RESPONSE) or 0
    proposed = None
    if PROPOSED_START in message.props:
        proposed = appointments.moment(message, PROPOSED_START), appointments.moment(message, PROPOSED_END)
    at = message.mailbox.world.time()
    if attendees.answered(entry, author[0].address, attendees.RESPONSES[number], at, proposed):
        occurrences.save(entry)
