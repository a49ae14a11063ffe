"""Delegates: who acts for the owner of a mailbox, and gets copies of the messages of meetings that come to it (MS-OXODLGT).

What a delegate may do there are rights like any others (rights.py). A copy says whose the message is: its "received
representing" is the owner, its "received by" the delegate (3.2.4.3). Nothing of it is done to the delegate's own calendar.
"""

from __future__ import annotations

from . import meetings
from . import properties
from . import rights
from .rights import Grant
from .store import Item
from .world import Mailbox

#: DeliverMeetingRequests, as PidTagScheduleInfoDelegatorWantsCopy and …WantsInfo say it; MAPI has no words for the last one.
SCOPES = {
    "DelegatesOnly": (False, False),
    "DelegatesAndMe": (True, False),
    "DelegatesAndSendInformationToMe": (True, True),
    "NoForward": (False, True),
}
_WANTS_COPY, _WANTS_INFO = 0x6842, 0x684B
_DELEGATED_BY_RULE = 0x3FE3
_PRIVATE = 2


def scope(owner: Mailbox) -> str:
    """Where the owner's meeting requests go; what is said of it counts for all delegates."""
    kept = tuple(bool(owner.root.props.get(tag, ("Boolean", True))[1]) for tag in (_WANTS_COPY, _WANTS_INFO))
    return next(name for name, pair in SCOPES.items() if pair == kept)


def set_scope(owner: Mailbox, name: str) -> None:
    for tag, value in zip((_WANTS_COPY, _WANTS_INFO), SCOPES[name], strict=True):
        owner.root.props[tag] = ("Boolean", value)


def of(owner: Mailbox) -> list[Mailbox]:
    """The delegates of a mailbox, by address."""
    users = owner.world.users
    return [users[one] for one in sorted(_having(owner, rights.DELEGATE)) if one in users]


def has(owner: Mailbox, delegate: Mailbox, name: str) -> bool:
    return delegate.address.lower() in _having(owner, name)


def grant(owner: Mailbox, delegate: Mailbox, *names: str, path: str = "") -> None:
    user, of_whom = delegate.address.lower(), owner.address.lower()
    owner.world.grants |= {Grant(user, of_whom, path, name) for name in names}


def revoke(owner: Mailbox, delegate: Mailbox, *names: str, path: str = "") -> None:
    user, of_whom = delegate.address.lower(), owner.address.lower()
    owner.world.grants -= {Grant(user, of_whom, path, name) for name in names}


def pass_on(message: Item, described: Item) -> list[Mailbox]:
    """Whom a message about a meeting that has just arrived goes to, too; the owner's own is put where it belongs.

    What is private stays with the owner.
    """
    owner, to = message.mailbox, scope(message.mailbox)
    if to == "NoForward" or properties.number(described, properties.SENSITIVITY) == _PRIVATE:
        return []
    copied = [one for one in of(owner) if has(owner, one, rights.COPIES)]
    if copied and to == "DelegatesOnly":
        owner.move(message, owner.folder("deleteditems"))
    elif copied and to == "DelegatesAndSendInformationToMe":
        message.props[meetings.MEETING_TYPE] = ("Integer", meetings.DELEGATOR_COPY)
    return copied


def mark(copy: Item, owner: Mailbox) -> None:
    """Say of a delegate's copy whose message it is."""
    copy.props[properties.REPRESENTED_ADDRESS] = ("String", owner.address)
    copy.props[properties.REPRESENTED_NAME] = ("String", owner.display_name)
    copy.props[_DELEGATED_BY_RULE] = ("Boolean", True)


def _having(owner: Mailbox, name: str) -> set[str]:
    return {one.user for one in owner.world.grants if one.owner == owner.address.lower() and one.name == name}
