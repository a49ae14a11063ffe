"""Where the meeting of an invitation is on the server: which item, in whose mailbox.

A request goes to the delegates of whom it invites, too. Such a copy says for whom it came, and only he has the meeting in his
calendar: it is looked for there, with the rights that the delegate has (MS-OXODLGT 1.3.3, 3.2.4.3). Nobody else's calendar is
ever opened: what was merely forwarded to somebody is not his to answer.
"""

from __future__ import annotations

import base64
from collections.abc import Container
from collections.abc import Iterator
from dataclasses import dataclass

from lxml import etree

from ews_bridge.errors import BadItem
from ews_bridge.exchange import asking
from ews_bridge.exchange import bulk
from ews_bridge.exchange import eventitem
from ews_bridge.exchange import faults
from ews_bridge.exchange import globalid
from ews_bridge.exchange import mail
from ews_bridge.exchange import soap
from ews_bridge.exchange import zones
from ews_bridge.exchange.eventitem import Reading
from ews_bridge.exchange.eventpeople import Owner
from ews_bridge.exchange.invite import Invitation
from ews_bridge.exchange.session import Connection

#: An occurrence that its series does not have any more.
DELETED = frozenset({"ErrorCalendarOccurrenceIsDeletedFromRecurrence"})
#: How a server says that something of another mailbox is not for us.
DENIED = frozenset({"ErrorAccessDenied", "ErrorFolderNotFound", "ErrorItemNotFound", "ErrorSendAsDenied"})
_CLEAN_ID = '<t:ExtendedFieldURI DistinguishedPropertySetId="Meeting" PropertyId="35" PropertyType="Binary"/>'
_OF_MESSAGES = "".join(
    map(
        asking.field,
        (
            *("meeting:IsOutOfDate", "meeting:IsDelegated", "calendar:MyResponseType", "calendar:AppointmentSequenceNumber"),
            *("item:DateTimeReceived", "message:ReceivedBy", "message:ReceivedRepresenting"),
        ),
    )
)
_MESSAGES = frozenset({"MeetingRequest", "MeetingCancellation"})
_GONE = frozenset({"ErrorItemNotFound"})
_T = f"{{{soap.TYPES}}}"


@dataclass(frozen=True, slots=True)
class Target:
    """An item to answer: one of the calendar, or (`waiting`) a request in the Inbox that no item of the calendar came of.

    `trashed`: it lies in Deleted Items, where a meeting goes that was declined. `mailbox`: whose calendar it belongs in, ""
    for that of who signs in.
    """

    element: etree._Element
    waiting: bool = False
    trashed: bool = False
    mailbox: str = ""

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
class Found:
    """The item that is meant, if there is one. `principal`: whose delegate we are and got the invitation for; an address."""

    target: Target | None = None
    principal: str = ""


def find(connection: Connection, invitation: Invitation) -> Found:
    """In the calendar, else what was declined before, else a request that waits in the Inbox; else in the calendar of whose
    delegate we are. Raises `BadItem` where that is closed to us, Fault (DELETED) for an occurrence that was taken out.
    """
    mailbox = connection.settings.mailbox
    look = _Look(connection, invitation)
    target = look.entry(mailbox) or look.declined(mailbox)
    if target is not None:
        return Found(target)
    messages = list(look.items("inbox", mailbox, _MESSAGES, _OF_MESSAGES))
    requests = [one for one in messages if soap.name(one) == "MeetingRequest" and not _is_delegated(one)]
    if requests:
        newest = max(requests, key=lambda one: soap.text(one, "DateTimeReceived"))
        return Found(Target(newest, waiting=True, mailbox=mailbox))
    messages += look.items("deleteditems", mailbox, _MESSAGES, _OF_MESSAGES)
    principal = next((_principal(one) for one in messages if _is_delegated(one)), "")
    return Found(look.in_calendar_of(principal), principal) if principal else Found()


def closed(principal: str, why: str) -> BadItem:
    """The error for a meeting that is another's, and not ours to answer."""
    return BadItem(
        f"this invitation is for {principal}, whose delegate you are, and {why}",
        hint="to answer, a delegate needs the calendar there as an editor, and the right to send on behalf",
    )


def _is_delegated(message: etree._Element) -> bool:
    """Whether it is a delegate's copy: received by him, for somebody else. What servers mean by IsDelegated is not so clear."""
    received, represented = _address(message, "ReceivedBy"), _address(message, "ReceivedRepresenting")
    return soap.text(message, "IsDelegated") == "true" or (received != represented and bool(received and represented))


def _address(message: etree._Element, name: str) -> str:
    return (message.findtext(f"{_T}{name}/{_T}Mailbox/{_T}EmailAddress") or "").lower()


def _principal(message: etree._Element) -> str:
    """For whom a delegate's copy came."""
    address = _address(message, "ReceivedRepresenting")
    if "@" not in address:
        raise BadItem(
            "this invitation is for somebody whose delegate you are, and the server does not say who that is",
            hint="an account whose `mailbox` is the address there answers it",
        )
    return address


@dataclass(frozen=True, slots=True)
class _Look:
    connection: Connection
    invitation: Invitation

    def entry(self, mailbox: str) -> Target | None:
        """In the calendar."""
        found = self._meant(self.items("calendar", mailbox, {"CalendarItem"}, eventitem.FIELDS))
        return None if found is None else Target(found, mailbox=mailbox)

    def declined(self, mailbox: str) -> Target | None:
        """Where a meeting goes that was declined."""
        found = self._meant(self.items("deleteditems", mailbox, {"CalendarItem"}, eventitem.FIELDS))
        if found is None or soap.text(found, "MyResponseType") != "Decline":
            return None
        return Target(found, trashed=True, mailbox=mailbox)

    def in_calendar_of(self, principal: str) -> Target | None:
        try:
            found = self.entry(principal)
        except faults.Fault as error:
            if error.code in DENIED:
                raise closed(principal, "the calendar there is closed to you") from error
            raise
        if found is not None:
            return found
        try:
            return self.declined(principal)
        except faults.Fault as error:
            # Hardly any delegate may see what was deleted there.
            if error.code in DENIED:
                return None
            raise

    def items(self, folder: str, mailbox: str, names: Container[str], fields: str) -> Iterator[etree._Element]:
        """The items of a folder that belong to this meeting, with fields; those that are gone by then are left out."""
        identifier = base64.b64encode(bytes.fromhex(globalid.forms(self.invitation.event.uid)[0])).decode()
        constant = f'<t:FieldURIOrConstant><t:Constant Value="{identifier}"/></t:FieldURIOrConstant>'
        operation = (
            '<m:FindItem Traversal="Shallow"><m:ItemShape><t:BaseShape>IdOnly</t:BaseShape></m:ItemShape>'
            f"<m:Restriction><t:IsEqualTo>{_CLEAN_ID}{constant}</t:IsEqualTo></m:Restriction>"
            f"<m:ParentFolderIds>{asking.distinguished(folder, mailbox)}</m:ParentFolderIds></m:FindItem>"
        ).encode()
        found = bulk.single(self.connection, operation, repeat=True).element
        for ident in [one for one in found.iter(f"{_T}ItemId") if (of := one.getparent()) is not None and soap.name(of) in names]:
            for answer in bulk.call(self.connection, _get(asking.item_id(str(ident.get("Id", ""))), fields), repeat=True):
                if answer.ok:
                    yield _item(answer)
                elif answer.code not in _GONE:
                    raise faults.fault(answer.code, answer.text, answer.wait)

    def _meant(self, elements: Iterator[etree._Element]) -> etree._Element | None:
        return next((found for one in elements if (found := self._of_series(one)) is not None), None)

    def _of_series(self, element: etree._Element) -> etree._Element | None:
        """The item, or the occurrence of it that is meant; None where it is another occurrence."""
        moment = self.invitation.occurrence
        if moment is None:
            return element
        event = Reading(zones.UTC_ZONE, Owner(), {}).event(element)
        if event.rule:
            index = event.rule.index(event.start.date(), event.zone.local(moment).date())
            return self._occurrence(soap.attribute(element, "ItemId", "Id"), index) if index else None
        original = event.zone.moment(event.original) if event.original else eventitem.moment(soap.text(element, "Start"))
        return element if original == moment else None

    def _occurrence(self, master: str, index: int) -> etree._Element:
        """An occurrence of a series by its place."""
        ident = f'<t:OccurrenceItemId RecurringMasterId="{asking.attribute(master)}" InstanceIndex="{index}"/>'
        return _item(bulk.single(self.connection, _get(ident, eventitem.FIELDS), repeat=True))


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
