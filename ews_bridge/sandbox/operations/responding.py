"""AcceptItem, TentativelyAcceptItem, DeclineItem, CancelCalendarItem and RemoveItem: answers to meetings, made by CreateItem.

What an answer does to the calendar does not depend on whether it is mailed: SaveOnly leaves the message among the drafts.
"""

from __future__ import annotations

from dataclasses import dataclass

from .. import appointments
from .. import attendees
from .. import calendar_writing
from .. import clocks
from .. import elements
from .. import meetings
from .. import occurrences
from .. import properties
from ..document import Document
from ..document import plain_from_html
from ..errors import ItemError
from ..headers import Address
from ..mapi import parse_time
from ..markup import Element
from ..markup import local
from ..markup import t
from ..markup import text_of
from ..rights import Right
from ..store import Folder
from ..store import Item
from . import inviting
from . import sending
from .attaching import read_attachment
from .call import Call
from .targets import check
from .targets import referenced


@dataclass(frozen=True, slots=True)
class Answer:
    """One of the three answers: what it sets, how its message begins, and the codes of its errors."""

    response: str
    prefix: str
    suffix: str
    wrong_item: str


ANSWERS = {
    "AcceptItem": Answer("Accept", "Accepted: ", "Accept", "ErrorInvalidItemForOperationAcceptItem"),
    "TentativelyAcceptItem": Answer("Tentative", "Tentative: ", "Tentative", "ErrorInvalidItemForOperationTentative"),
    "DeclineItem": Answer("Decline", "Declined: ", "Decline", "ErrorInvalidItemForOperationDeclineItem"),
}
NAMES = (*ANSWERS, "CancelCalendarItem", "RemoveItem")
NEW_TIME = "New Time Proposed: "


def answer(call: Call, node: Element, disposition: str, folder: Folder | None) -> list[Item]:
    """Do what a response object says; returns the items that came of it.

    ItemError: ErrorMissingInformationReferenceItemId, ErrorCalendarIsOrganizerFor…, ErrorCalendarIsCancelledFor…,
    ErrorCalendarIsDelegatedFor…, ErrorCalendarIsNotOrganizer, ErrorCalendarMeetingRequestIsOutOfDate,
    ErrorInvalidItemForOperation…; who answers for somebody else needs rights to that calendar, and to send (MS-OXODLGT 1.3.3).
    """
    original = referenced(call, node)
    kind = original.kind or elements.kind_of(original.item_class)
    name = local(node)
    if name == "CancelCalendarItem":
        return _cancel(call, node, original, kind, disposition)
    if name == "RemoveItem":
        return _remove(call, original, kind)
    return _respond(call, node, original, kind, disposition, folder)


def _respond(call: Call, node: Element, original: Item, kind: str, disposition: str, folder: Folder | None) -> list[Item]:
    how = ANSWERS[local(node)]
    entry = _entry_to_answer(original, kind, how)
    check(call, (entry.master or entry).folder or call.user.folder("calendar"), Right.EDIT)
    if appointments.is_organizer(entry):
        raise ItemError(f"ErrorCalendarIsOrganizerFor{how.suffix}")
    if appointments.state(entry) & appointments.IS_CANCELLED:
        raise ItemError(f"ErrorCalendarIsCancelledFor{how.suffix}")
    proposed = _proposed(call, node)
    message = _message(call, node, entry, how, proposed)
    message.mailbox = call.user  # in the name of the owner of the calendar, by whoever answers
    if disposition == "SaveOnly":
        message.draft = True
        call.user.place(message, folder or call.user.folder("drafts"))
    else:
        copy_to = folder or call.user.folder("sentitems")
        sending.dispatch(message, copy_to if disposition == "SendAndSaveCopy" else None)
    changed = [_answered(call, entry, how.response)]
    if kind == "MeetingRequest" and original.folder is not None:
        changed.append(_to_trash(call, original))
    return changed


def _entry_to_answer(original: Item, kind: str, how: Answer) -> Item:
    """The entry in the calendar; a request whose entry is gone makes it anew."""
    if kind == "CalendarItem":
        return original
    if kind != "MeetingRequest":
        raise ItemError(how.wrong_item)
    if properties.is_delegated(original):
        raise ItemError(f"ErrorCalendarIsDelegatedFor{how.suffix}")
    if meetings.is_out_of_date(original):
        raise ItemError("ErrorCalendarMeetingRequestIsOutOfDate")
    entry = meetings.associated(original)
    if entry is None:
        described = meetings.absorb(original)
        entry = None if described is None else meetings.receive_request(original, described)
    if entry is None:
        raise ItemError(how.wrong_item)
    return entry


def _proposed(call: Call, node: Element) -> tuple[int, int] | None:
    clocks.naive_as_utc(node, clocks.context(call.time_zone))
    start, end = node.findtext(t("ProposedStart")), node.findtext(t("ProposedEnd"))
    if start is None or end is None:
        return None
    begin, stop = parse_time(start), parse_time(end)
    if stop < begin:
        raise ItemError("ErrorCalendarEndDateIsEarlierThanStartDate")
    return begin, stop


def decline(item: Item, told: str) -> None:
    """Tell the organizer of a meeting that an attendee deletes it, if whoever is concerned is to be told."""
    if told == "SendToNone" or not appointments.state(item) & appointments.IS_RECEIVED:
        return
    if not appointments.state(item) & appointments.IS_CANCELLED:
        how = ANSWERS["DeclineItem"]
        message = _letter(item, how, None, "", Document(text=""))
        sending.dispatch(message, item.mailbox.folder("sentitems") if "SaveCopy" in told else None)


def _message(call: Call, node: Element, entry: Item, how: Answer, proposed: tuple[int, int] | None) -> Item:
    document = Document()
    body = node.find(t("Body"))
    if body is not None and body.get("BodyType") == "HTML":
        document.html = text_of(body)
    else:
        document.text = text_of(body) if body is not None else ""
    comment = document.text if document.text is not None else plain_from_html(document.html or "")
    document.attachments = [read_attachment(call, one) for one in node.iterfind(f"{t('Attachments')}/*")]
    return _letter(entry, how, proposed, comment, document)


def _letter(entry: Item, how: Answer, proposed: tuple[int, int] | None, comment: str, document: Document) -> Item:
    """The message to the organizer; it is nowhere yet."""
    own = properties.own_address(entry.mailbox)
    document.calendar = calendar_writing.reply(entry, own, how.response, comment, proposed)
    organizer = properties.envelope(entry).author
    to: list[Address] = [organizer[0]] if organizer else []
    prefix = NEW_TIME if proposed else how.prefix
    subject = (prefix + properties.text(entry, properties.SUBJECT))[:255]
    return inviting.compose(entry.mailbox, meetings.ANSWERS[how.response], subject, (to, []), document)


def _answered(call: Call, entry: Item, response: str) -> Item:
    """Note my own answer in my calendar; what I decline leaves it."""
    number = attendees.RESPONSES.index(response)
    entry.props[appointments.RESPONSE] = ("Integer", number)
    entry.props[appointments.REPLY_TIME] = ("SystemTime", call.world.time())
    intended = properties.number(entry, appointments.INTENDED_STATUS)
    busy = appointments.BUSY if intended is None else intended
    tentative = response == "Tentative" and busy != appointments.FREE
    entry.props[appointments.BUSY_STATUS] = ("Integer", appointments.TENTATIVE if tentative else busy)
    if response != "Decline":
        occurrences.save(entry)
        return entry
    if entry.master is not None:
        occurrences.delete_occurrence(entry)
        return entry.master
    occurrences.save(entry)
    return _to_trash(call, entry)


def _to_trash(call: Call, item: Item) -> Item:
    trash = item.mailbox.folder("deleteditems")
    return item if item.folder is trash else call.user.move(item, trash)


def _cancel(call: Call, node: Element, original: Item, kind: str, disposition: str) -> list[Item]:
    if kind != "CalendarItem":
        raise ItemError("ErrorInvalidItemForOperationCancelItem")
    if not appointments.is_organizer(original):
        raise ItemError("ErrorCalendarIsNotOrganizer")
    fresh = node.find(t("NewBodyContent"))
    told = {"SendOnly": "SendOnlyToAll", "SendAndSaveCopy": "SendToAllAndSaveCopy"}.get(disposition, "SendToNone")
    letters = inviting.for_end(original, told, text_of(fresh) if fresh is not None else "")
    inviting.send(original, letters)
    if original.master is not None:
        occurrences.delete_occurrence(original)
        return []
    return [_to_trash(call, original)]


def _remove(call: Call, original: Item, kind: str) -> list[Item]:
    """Take a cancelled meeting out of the calendar, with the message that said so; nothing else is removed in this way."""
    if kind != "MeetingCancellation":
        raise ItemError("ErrorInvalidItemForOperationRemoveItem")
    if properties.is_delegated(original):
        raise ItemError("ErrorCalendarIsDelegatedForRemove")
    entry = meetings.associated(original)
    _to_trash(call, original)
    if entry is None:
        return []
    if appointments.is_organizer(entry):
        raise ItemError("ErrorCalendarIsOrganizerForRemove")
    if entry.master is not None:
        occurrences.delete_occurrence(entry)
    else:
        _to_trash(call, entry)
    return []
