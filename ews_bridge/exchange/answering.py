"""Answers to meetings that others organise: what is said, for whom, and when there is nothing to say.

The organizer is mailed only where that is asked for. Everything may be asked for twice: what is so already is not done again,
so an answer whose outcome is not known is simply given once more. What is out of date is not answered.
"""

from __future__ import annotations

from dataclasses import dataclass

from ews_bridge.errors import BadItem
from ews_bridge.exchange import asking
from ews_bridge.exchange import bulk
from ews_bridge.exchange import eventpeople
from ews_bridge.exchange import faults
from ews_bridge.exchange import meetings
from ews_bridge.exchange import soap
from ews_bridge.exchange.invite import Invitation
from ews_bridge.exchange.meetings import Target
from ews_bridge.exchange.session import Connection

#: What can be said: the element, and the MyResponseType that it leads to.
VERBS = {
    "accept": ("AcceptItem", "Accept"),
    "tentative": ("TentativelyAcceptItem", "Tentative"),
    "decline": ("DeclineItem", "Decline"),
}
SAID = {"Accept": "accepted", "Tentative": "tentatively accepted", "Decline": "declined"}
#: What is said of a meeting that is not in the calendar, because it was cancelled, or the owner himself declined it.
REMOVED = "removed"
_OUT_OF_DATE = frozenset({"ErrorCalendarMeetingRequestIsOutOfDate"})
_T = f"{{{soap.TYPES}}}"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was done: the answer that stands now; `new`: it was given now; `mailed`: the organizer is told.

    `principal`: the address of whom it was given for, where that is somebody else.
    """

    said: str
    new: bool = True
    mailed: bool = False
    principal: str = ""


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
        found = meetings.find(connection, invitation)
    except faults.Fault as error:
        if error.code in meetings.DELETED and verb == "decline":
            return Outcome(SAID[wanted], new=False)
        raise
    target, principal = found.target, found.principal
    if target is None:
        return _missing(principal, verb)
    _check(invitation, target)
    if target.response == wanted and not target.waiting and target.trashed == (verb == "decline"):
        return Outcome(SAID[wanted], new=False, principal=principal)
    told = mailed and soap.text(target.element, "IsResponseRequested") != "false"
    try:
        ref = _back_in_calendar(connection, target) if target.trashed else target.ref
        bulk.single(connection, asking.respond(element, *ref, comment=comment, mailed=told), repeat=False)
    except faults.Fault as error:
        if error.code in _OUT_OF_DATE:
            raise _stale() from error
        if principal and error.code in meetings.DENIED:
            raise meetings.closed(principal, "the server does not let you answer for that mailbox") from error
        raise
    return Outcome(SAID[wanted], mailed=told, principal=principal)


def _missing(principal: str, verb: str) -> Outcome:
    """There is nothing to answer. Of another's mailbox only the calendar is seen: what is gone from it was declined there."""
    if principal and verb == "decline":
        return Outcome(REMOVED, new=False, principal=principal)
    if principal:
        raise BadItem(
            f"this invitation is for {principal}, whose delegate you are, and the meeting is not in that calendar (any more)",
            hint=f"what was declined, {principal} finds in Deleted Items",
        )
    raise BadItem(
        "this meeting is neither in the calendar, nor is the invitation to it in the Inbox",
        hint="an invitation that was forwarded by hand must be sent again by its organizer",
    )


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
        found = meetings.find(connection, invitation)
    except faults.Fault as error:
        if error.code in meetings.DELETED:
            return Outcome(REMOVED, new=False)
        raise
    target, principal = found.target, found.principal
    if target is None or target.waiting or target.trashed:
        return Outcome(REMOVED, new=False, principal=principal)
    if not eventpeople.is_received(target.element):
        raise BadItem("you organise this meeting yourself: its cancellation is yours, too")
    if target.sequence > invitation.sequence:
        raise BadItem("this cancellation is out of date: its organizer sent a newer invitation")
    try:
        bulk.single(connection, asking.delete_items([target.ref[0]], "MoveToDeletedItems"), repeat=False)
    except faults.Fault as error:
        if principal and error.code in meetings.DENIED:
            raise meetings.closed(principal, "the server does not let you change the calendar there") from error
        raise
    return Outcome(REMOVED, principal=principal)


def _back_in_calendar(connection: Connection, target: Target) -> tuple[str, str]:
    """What was declined and is accepted now returns from Deleted Items; its id there."""
    calendar = asking.distinguished("calendar", target.mailbox)
    moved = bulk.single(connection, asking.move_items([target.ref[0]], calendar), repeat=False)
    found = moved.element.find(f".//{_T}ItemId")
    if found is None:
        raise faults.Lost("the server moved the meeting and did not say where it is now")
    return str(found.get("Id", "")), str(found.get("ChangeKey", ""))
