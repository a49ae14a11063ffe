"""Answers to meetings that others organise: which item of the server is meant, and what is said to it.

The organizer is mailed only where that is asked for. Everything may be asked for twice: what is so already is not done again,
so an answer whose outcome is not known is simply given once more. What is out of date is not answered.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import dataclass
from xml.sax.saxutils import escape

from lxml import etree

from ews_bridge.errors import BadItem
from ews_bridge.exchange import asking
from ews_bridge.exchange import bulk
from ews_bridge.exchange import eventitem
from ews_bridge.exchange import eventpeople
from ews_bridge.exchange import faults
from ews_bridge.exchange import globalid
from ews_bridge.exchange import mail
from ews_bridge.exchange import soap
from ews_bridge.exchange import zones
from ews_bridge.exchange.eventitem import Reading
from ews_bridge.exchange.eventpeople import Owner
from ews_bridge.exchange.invite import Invitation
from ews_bridge.exchange.session import Connection

#: What can be said: the element, and the MyResponseType that it leads to.
VERBS = {
    "accept": ("AcceptItem", "Accept"),
    "tentative": ("TentativelyAcceptItem", "Tentative"),
    "decline": ("DeclineItem", "Decline"),
}
SAID = {"Accept": "accepted", "Tentative": "tentatively accepted", "Decline": "declined"}
_CLEAN_ID = '<t:ExtendedFieldURI DistinguishedPropertySetId="Meeting" PropertyId="35" PropertyType="Binary"/>'
_OF_MESSAGES = "".join(
    map(
        asking.field,
        ("meeting:IsOutOfDate", "calendar:MyResponseType", "calendar:AppointmentSequenceNumber", "item:DateTimeReceived"),
    )
)
_DELETED = frozenset({"ErrorCalendarOccurrenceIsDeletedFromRecurrence"})
_OUT_OF_DATE = frozenset({"ErrorCalendarMeetingRequestIsOutOfDate"})
_GONE = frozenset({"ErrorItemNotFound"})
_T = f"{{{soap.TYPES}}}"


@dataclass(frozen=True, slots=True)
class Target:
    """An item to answer: one of the calendar, or (`waiting`) a request in the Inbox that no item of the calendar came of.

    `trashed`: it lies in Deleted Items, where a meeting goes that was declined.
    """

    element: etree._Element
    waiting: bool = False
    trashed: bool = False

    @property
    def ref(self) -> tuple[str, str]:
        return soap.attribute(self.element, "ItemId", "Id"), soap.attribute(self.element, "ItemId", "ChangeKey")

    @property
    def response(self) -> str:
        return soap.text(self.element, "MyResponseType")

    @property
    def sequence(self) -> int:
        return mail.number(soap.text(self.element, "AppointmentSequenceNumber"))


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was done: the answer that stands now; `new`: it was given now; `mailed`: the organizer is told."""

    said: str
    new: bool = True
    mailed: bool = False


def answer(connection: Connection, invitation: Invitation, verb: str, *, comment: str, mailed: bool) -> Outcome:
    """Say "accept", "tentative" or "decline" to the meeting of a message; to "accept" a cancellation clears the calendar.

    `BadItem` says why a message cannot be answered so.
    """
    if invitation.method == "CANCEL":
        return _clear(connection, invitation, verb)
    if invitation.method not in ("REQUEST", "PUBLISH", ""):
        raise BadItem(f"this is no invitation ({invitation.kind}): there is nothing to answer")
    element, wanted = VERBS[verb]
    try:
        target = find(connection, invitation)
    except faults.Fault as error:
        if error.code in _DELETED and verb == "decline":
            return Outcome(SAID[wanted], new=False)
        raise
    if target is None:
        raise BadItem(
            "this meeting is neither in the calendar, nor is the invitation to it in the Inbox",
            hint="an invitation that was forwarded by hand must be sent again by its organizer",
        )
    _check(invitation, target)
    if target.response == wanted and not target.waiting and target.trashed == (verb == "decline"):
        return Outcome(SAID[wanted], new=False)
    ref = _back_in_calendar(connection, target) if target.trashed else target.ref
    told = mailed and soap.text(target.element, "IsResponseRequested") != "false"
    try:
        bulk.single(connection, respond(element, ref, comment, mailed=told, mailbox=connection.settings.mailbox), repeat=False)
    except faults.Fault as error:
        if error.code in _OUT_OF_DATE:
            raise _stale() from error
        raise
    return Outcome(SAID[wanted], mailed=told)


def find(connection: Connection, invitation: Invitation) -> Target | None:
    """The item that is meant: in the calendar, else a request that waits in the Inbox, else what was declined before."""
    wanted = base64.b64encode(bytes.fromhex(globalid.forms(invitation.event.uid)[0])).decode()
    for element in _search(connection, "calendar", wanted, eventitem.FIELDS):
        found = _of_series(connection, element, invitation)
        if found is not None:
            return Target(found)
    deleted = [one for one in _search(connection, "deleteditems", wanted, eventitem.FIELDS) if soap.name(one) == "CalendarItem"]
    trashed = next((found for one in deleted if (found := _of_series(connection, one, invitation)) is not None), None)
    if trashed is not None and soap.text(trashed, "MyResponseType") == "Decline":
        return Target(trashed, trashed=True)
    requests = [one for one in _search(connection, "inbox", wanted, _OF_MESSAGES) if soap.name(one) == "MeetingRequest"]
    if requests:
        return Target(max(requests, key=lambda one: soap.text(one, "DateTimeReceived")), waiting=True)
    return None


def respond(element: str, ref: tuple[str, str], comment: str, *, mailed: bool, mailbox: str) -> bytes:
    """The request that gives an answer. What is not sent is saved where it is in nobody's way: in Deleted Items."""
    disposition = "SendAndSaveCopy" if mailed else "SaveOnly"
    there = asking.distinguished("deleteditems", mailbox)
    folder = "" if mailed else f"<m:SavedItemFolderId>{there}</m:SavedItemFolderId>"
    body = f'<t:Body BodyType="Text">{escape(comment)}</t:Body>' if comment else ""
    reference = asking.item_id(*ref).replace("<t:ItemId", "<t:ReferenceItemId", 1)
    return (
        f'<m:CreateItem MessageDisposition="{disposition}">{folder}'
        f"<m:Items><t:{element}>{body}{reference}</t:{element}></m:Items></m:CreateItem>"
    ).encode()


def _check(invitation: Invitation, target: Target) -> None:
    """`BadItem` for what is not to be answered."""
    element = target.element
    if not target.waiting and not eventpeople.is_received(element):
        raise BadItem("you organise this meeting yourself: there is nobody to answer to")
    if soap.text(element, "IsCancelled") == "true":
        raise BadItem("this meeting was cancelled", hint="`ews-bridge invite accept` on the cancellation clears the calendar")
    if target.sequence > invitation.sequence or soap.text(element, "IsOutOfDate") == "true":
        raise _stale()


def _stale() -> BadItem:
    return BadItem("this invitation is out of date: its organizer sent a newer one", hint="answer the newest one")


def _clear(connection: Connection, invitation: Invitation, verb: str) -> Outcome:
    """Take a cancelled meeting, or the one occurrence of it, out of the calendar. Nobody is mailed."""
    if verb != "accept":
        raise BadItem(f"this meeting was cancelled: there is nothing to {verb}", hint="accept clears the calendar")
    try:
        target = find(connection, invitation)
    except faults.Fault as error:
        if error.code in _DELETED:
            return Outcome("removed", new=False)
        raise
    if target is None or target.waiting or target.trashed:
        return Outcome("removed", new=False)
    if not eventpeople.is_received(target.element):
        raise BadItem("you organise this meeting yourself: its cancellation is yours, too")
    if target.sequence > invitation.sequence:
        raise BadItem("this cancellation is out of date: its organizer sent a newer invitation")
    bulk.single(connection, asking.delete_items([target.ref[0]], "MoveToDeletedItems"), repeat=False)
    return Outcome("removed")


def _of_series(connection: Connection, element: etree._Element, invitation: Invitation) -> etree._Element | None:
    """The item, or the occurrence of it that is meant; None where it is another occurrence."""
    moment = invitation.occurrence
    if moment is None:
        return element
    reading = Reading(zones.UTC_ZONE, Owner(), {})
    event = reading.event(element)
    if event.rule:
        index = event.rule.index(event.start.date(), event.zone.local(moment).date())
        return _occurrence(connection, soap.attribute(element, "ItemId", "Id"), index) if index else None
    original = event.zone.moment(event.original) if event.original else eventitem.moment(soap.text(element, "Start"))
    return element if original == moment else None


def _occurrence(connection: Connection, master: str, index: int) -> etree._Element:
    """An occurrence of a series by its place."""
    ident = f'<t:OccurrenceItemId RecurringMasterId="{asking.attribute(master)}" InstanceIndex="{index}"/>'
    return _item(bulk.single(connection, _get(ident, eventitem.FIELDS), repeat=True))


def _search(connection: Connection, folder: str, identifier: str, fields: str) -> Iterator[etree._Element]:
    """The items of a folder that belong to this meeting, with fields; those that are gone by then are left out."""
    test = (
        f'<t:IsEqualTo>{_CLEAN_ID}<t:FieldURIOrConstant><t:Constant Value="{identifier}"/></t:FieldURIOrConstant></t:IsEqualTo>'
    )
    operation = (
        '<m:FindItem Traversal="Shallow"><m:ItemShape><t:BaseShape>IdOnly</t:BaseShape></m:ItemShape>'
        f"<m:Restriction>{test}</m:Restriction>"
        f"<m:ParentFolderIds>{asking.distinguished(folder, connection.settings.mailbox)}</m:ParentFolderIds></m:FindItem>"
    ).encode()
    found = bulk.single(connection, operation, repeat=True).element
    for ident in [str(one.get("Id", "")) for one in found.iter(f"{_T}ItemId")]:
        for answer in bulk.call(connection, _get(asking.item_id(ident), fields), repeat=True):
            if answer.ok:
                yield _item(answer)
            elif answer.code not in _GONE:
                raise faults.fault(answer.code, answer.text, answer.wait)


def _get(ident: str, fields: str) -> bytes:
    return (
        "<m:GetItem><m:ItemShape><t:BaseShape>IdOnly</t:BaseShape>"
        f"<t:AdditionalProperties>{fields}</t:AdditionalProperties></m:ItemShape><m:ItemIds>{ident}</m:ItemIds></m:GetItem>"
    ).encode()


def _item(answer: soap.Message) -> etree._Element:
    found = answer.element.find(f"{{{soap.MESSAGES}}}Items")
    if found is None or not len(found):
        raise faults.Lost("the server answered without an item")
    return found[0]


def _back_in_calendar(connection: Connection, target: Target) -> tuple[str, str]:
    """What was declined and is accepted now returns from Deleted Items; its id there."""
    calendar = asking.distinguished("calendar", connection.settings.mailbox)
    moved = bulk.single(connection, asking.move_items([target.ref[0]], calendar), repeat=False)
    found = moved.element.find(f".//{_T}ItemId")
    if found is None:
        raise faults.Lost("the server moved the meeting and did not say where it is now")
    return str(found.get("Id", "")), str(found.get("ChangeKey", ""))
