"""Whose meeting an item is, and who takes part: the server's lists, with what is kept of a file's ORGANIZER and ATTENDEE. Pure.

Three cases. A meeting of the mailbox's owner: its people are the server's. A meeting that he was invited to: likewise, and his
own answer is MyResponseType. A meeting of somebody else that never came by invitation (a file that was brought in): Exchange
would make him its organizer, so to the server it is an appointment without people, and they are kept.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import replace

from lxml import etree

from ews_bridge.exchange import attendees
from ews_bridge.exchange import mail
from ews_bridge.exchange import soap
from ews_bridge.exchange.attendees import Person
from ews_bridge.exchange.contentline import Component
from ews_bridge.exchange.occasion import Event

#: AppointmentState, a bit field (MS-OXOCAL 2.2.1.10).
_RECEIVED = 2


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose mailbox it is: all his addresses, in lower case, the first of them the main one."""

    addresses: tuple[str, ...] = ()

    def is_me(self, person: Person) -> bool:
        return person.address in self.addresses

    def organizes(self, event: Event) -> bool:
        """Whether it is his to invite people to: of an event without an organizer, too."""
        return event.organizer is None or self.is_me(event.organizer)


@dataclass(frozen=True, slots=True)
class People:
    organizer: Person | None = None
    attendees: tuple[Person, ...] = ()


def is_received(element: etree._Element) -> bool:
    """Whether the item is here because somebody else invites to it."""
    return bool(mail.number(soap.text(element, "AppointmentState")) & _RECEIVED)


def read(element: etree._Element, kept: Component, owner: Owner) -> People:
    """Organizer and attendees of an item, as its file has them."""
    line = kept.line("ORGANIZER")
    organizer = attendees.from_line(line) if line else None
    told = [attendees.from_line(one) for one in kept.all("ATTENDEE")]
    lines = {person.address: person for person in told}
    received = is_received(element)
    if not received and organizer and not owner.is_me(organizer):
        return People(organizer, tuple(told))
    served = [attendees.merged(person, lines.get(person.address)) for person in attendees.attendees(element)]
    present = {person.address for person in served}
    extra = [one for one in lines.values() if one.address not in present and (owner.is_me(one) or not one.is_mailbox())]
    people = [*served, *extra]
    if received:
        return People(attendees.organizer(element), tuple(_with_own_answer(element, people, owner)))
    if not people and not organizer:
        return People()
    return People(organizer or attendees.organizer(element), tuple(people))


def _with_own_answer(element: etree._Element, people: Sequence[Person], owner: Owner) -> list[Person]:
    """The owner's own line says what he answered; he gets one where he was invited through a list."""
    name = soap.text(element, "MyResponseType")
    answer = attendees.answer(name)
    found = [_answered(one, answer) if owner.is_me(one) else one for one in people]
    if owner.addresses and not any(map(owner.is_me, found)):
        found.append(Person(owner.addresses[0], partstat=answer))
    return found


def _answered(person: Person, answer: str) -> Person:
    """One who was asked for an answer, with it."""
    asked = answer == attendees.WAITING
    return replace(person, partstat=answer, parameters=tuple(one for one in person.parameters if asked or one[0] != "RSVP"))


def kept(event: Event, owner: Owner, element: etree._Element | None) -> list[str]:
    """The lines that the server cannot hold of what a file says about people; `element` is the item, where there is one."""
    lines = []
    if is_foreign(event, owner, element):
        lines = [str(event.organizer.line("ORGANIZER"))] if event.organizer else []
        return lines + [str(person.line("ATTENDEE")) for person in event.attendees]
    received = element is not None and is_received(element)
    served = {one.address: one for one in (attendees.attendees(element) if element is not None else ())}
    if event.organizer and not received and (not event.attendees or event.organizer.parameters):
        lines.append(str(event.organizer.line("ORGANIZER")))
    for person in event.attendees:
        own = owner.is_me(person)
        if received and own:
            continue
        if own or not person.is_mailbox() or attendees.tells_more(person, served.get(person.address)):
            lines.append(str(person.line("ATTENDEE")))
    return lines


def is_foreign(event: Event, owner: Owner, element: etree._Element | None) -> bool:
    """Whether the server must not know its people: a meeting of somebody else that is not here by invitation, nor in the calendar
    of him who organises it.
    """
    if owner.organizes(event) or (element is not None and is_received(element)):
        return False
    known = attendees.organizer(element) if element is not None else None
    return known is None or event.organizer is None or known.address != event.organizer.address


def invited(event: Event, owner: Owner) -> tuple[Person, ...]:
    """The attendees that the server is to have of the owner's own meeting."""
    return tuple(one for one in event.attendees if not owner.is_me(one) and one.is_mailbox())


def hexadecimal(text: str) -> str:
    """A binary property in hexadecimal; "" for what is no base64."""
    try:
        return base64.b64decode(text).hex().upper()
    except binascii.Error:
        return ""
