"""Telling the others of a meeting: requests, updates and cancellations, as the Send… attribute of a request asks for them.

Nothing goes out for a meeting that somebody else organizes, and nothing where nobody is invited.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from .. import appointments
from .. import attendees
from .. import calendar_writing
from .. import content
from .. import headers as hdr
from .. import meetings
from .. import properties
from .. import transport
from ..attendees import Attendee
from ..document import Document
from ..document import write_document
from ..headers import Address
from ..store import Item
from ..world import Mailbox
from . import sending

TO_ALL = ("SendOnlyToAll", "SendToAllAndSaveCopy")
TO_CHANGED = ("SendOnlyToChanged", "SendToChangedAndSaveCopy")
REQUEST_CLASS = "IPM.Schedule.Meeting.Request"
CANCELLATION_CLASS = "IPM.Schedule.Meeting.Canceled"


@dataclass(frozen=True, slots=True)
class Letters:
    """Who is to get what about a meeting, once its change is saved."""

    requested: tuple[Attendee, ...] = ()
    cancelled: tuple[Attendee, ...] = ()
    comment: str = ""
    keep_copy: bool = False


def for_new(item: Item, how: str) -> Letters:
    """What creating a meeting sends; notes in the item that it was sent."""
    everybody = tuple(attendees.everybody(item))
    if how not in TO_ALL or not everybody or not appointments.is_organizer(item):
        return Letters()
    _stamp(item)
    return Letters(requested=everybody, keep_copy="SaveCopy" in how)


def for_change(before: Item, item: Item, how: str) -> Letters:
    """What changing a meeting sends. Another time is a new version, to which everybody is asked again."""
    if not appointments.is_organizer(item) or how not in (*TO_ALL, *TO_CHANGED):
        return Letters()
    old = {one.key: one for one in attendees.everybody(before)}
    new = {one.key: one for one in attendees.everybody(item)}
    invited = appointments.flag(before, appointments.INVITED)
    # PidLidFInvited (MS-OXOCAL 2.2.1.1): before that, nobody knows of it.
    removed = tuple(one for key, one in old.items() if key not in new and invited)
    if not old and not new:
        return Letters()
    if invited and _another_time(before, item):
        number = properties.number(item, appointments.SEQUENCE) or 0
        item.props[appointments.SEQUENCE] = ("Integer", number + 1)
        attendees.forget_answers(item)
    _stamp(item)
    wanted = tuple(one for key, one in new.items() if how in TO_ALL or key not in old)
    return Letters(wanted, removed, keep_copy="SaveCopy" in how)


def for_end(item: Item, how: str, comment: str = "") -> Letters:
    """What deleting a meeting sends, if its organizer does it."""
    everybody = tuple(attendees.everybody(item))
    if how not in TO_ALL or not everybody or not appointments.is_organizer(item):
        return Letters()
    number = properties.number(item, appointments.SEQUENCE) or 0
    item.props[appointments.SEQUENCE] = ("Integer", number + 1)
    _stamp(item)
    return Letters(cancelled=everybody, comment=comment, keep_copy="SaveCopy" in how)


def _stamp(item: Item) -> None:
    item.props[appointments.INVITED] = ("Boolean", True)
    item.props[appointments.OWNER_CHANGE] = ("SystemTime", item.mailbox.world.time())


def _another_time(before: Item, item: Item) -> bool:
    times = any(before.props.get(name) != item.props.get(name) for name in (appointments.START, appointments.END))
    return times or appointments.recurrence(before) != appointments.recurrence(item)


def send(item: Item, letters: Letters) -> None:
    """Send what is to be sent, each kind in one message."""
    mailbox = item.mailbox
    copy_to = mailbox.folder("sentitems") if letters.keep_copy else None
    if letters.requested:
        made = message(item, REQUEST_CLASS, "REQUEST", calendar_writing.calendar(item, "REQUEST"), letters.requested)
        sending.dispatch(made, copy_to)
    if letters.cancelled:
        ended = _cancelled(item, letters)
        made = message(ended, CANCELLATION_CLASS, "CANCEL", calendar_writing.calendar(ended, "CANCEL"), letters.cancelled)
        sending.dispatch(made, copy_to)


def _cancelled(item: Item, letters: Letters) -> Item:
    """The meeting as those see it for whom it is over."""
    ended = item.twin()
    ended.master, ended.occurrence, ended.key = item.master, item.occurrence, item.key
    ended.modified = item.modified
    meetings.cancel(ended)
    for name in attendees.LISTS:
        listed = [one for one in attendees.read(ended, name) if one.key in {each.key for each in letters.cancelled}]
        attendees.write(ended, name, listed)
    known = {one.key for one in attendees.everybody(ended)}
    missing = [one for one in letters.cancelled if one.key not in known]
    if missing:
        attendees.write(ended, "RequiredAttendees", [*attendees.read(ended, "RequiredAttendees"), *missing])
    if letters.comment:
        content.set_body(ended, "Text", letters.comment)
    return ended


def message(item: Item, item_class: str, method: str, calendar: bytes, to: Iterable[Attendee]) -> Item:
    """A message about a meeting, from the owner of the mailbox, which is nowhere yet."""
    optional = {one.key for one in attendees.read(item, "OptionalAttendees")}
    people = list(to)
    kind, text = content.body(item, "Best")
    first = [one.address for one in people if one.key not in optional]
    return compose(
        item.mailbox,
        item_class,
        properties.text(item, properties.SUBJECT),
        (first, [one.address for one in people if one.key in optional]),
        Document(
            text=content.plain_text(item),
            html=text if kind == "HTML" else None,
            calendar=(method, calendar),
            attachments=[content.attachment(item, number) for number in content.attachment_numbers(item)],
        ),
    )


def compose(mailbox: Mailbox, item_class: str, subject: str, to: tuple[list[Address], list[Address]], document: Document) -> Item:
    """A message with the parts of a document."""
    document.headers = [
        ("From", hdr.encode_address(properties.own_address(mailbox))),
        *((name, hdr.encode_addresses(listed)) for name, listed in zip(("To", "Cc"), to, strict=True) if listed),
        ("Subject", hdr.encode(subject)),
        ("Message-ID", transport.new_message_id(mailbox)),
        ("Content-class", b"urn:content-classes:calendarmessage"),
    ]
    made = mailbox.new_item(write_document(document), item_class)
    made.read = True
    meetings.absorb(made)
    made.item_class = item_class
    return made
