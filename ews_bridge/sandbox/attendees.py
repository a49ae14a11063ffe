"""Who is invited to a meeting, and what each has answered; kept with the item as the elements in which EWS shows it."""

from __future__ import annotations

from dataclasses import dataclass
from dataclasses import replace

from lxml import etree

from . import content
from . import parts
from .headers import Address
from .mapi import format_time
from .mapi import parse_time
from .markup import NSMAP
from .markup import Element
from .markup import put
from .markup import t
from .store import Item

#: The lists of attendees, and the header in which their names are kept for DisplayTo and DisplayCc.
LISTS = {"RequiredAttendees": "To", "OptionalAttendees": "Cc", "Resources": "Bcc"}
NO_RESPONSE = "NoResponseReceived"
#: PidLidResponseStatus, as EWS calls its values.
RESPONSES = ("Unknown", "Organizer", "Tentative", "Accept", "Decline", NO_RESPONSE)


@dataclass(frozen=True, slots=True)
class Attendee:
    """One who is invited; times are seconds since 1970."""

    address: Address
    response: str = "Unknown"
    responded: int | None = None
    proposed: tuple[int, int] | None = None

    @property
    def key(self) -> str:
        return self.address.address.lower()


def parse(element: Element) -> list[Attendee]:
    """The attendees in an element of a request or of an item."""
    return [_parse_one(one) for one in element.iter(t("Attendee"))]


def _parse_one(element: Element) -> Attendee:
    address = parts.mailboxes(element)[0]
    responded = element.findtext(t("LastResponseTime"))
    start, end = element.findtext(t("ProposedStart")), element.findtext(t("ProposedEnd"))
    return Attendee(
        address,
        element.findtext(t("ResponseType")) or "Unknown",
        parse_time(responded) if responded else None,
        (parse_time(start), parse_time(end)) if start and end else None,
    )


def append(parent: Element, name: str, attendees: list[Attendee]) -> None:
    """Append a list of attendees; nothing if there are none."""
    if not attendees:
        return
    element = put(parent, t(name))
    for one in attendees:
        shown = put(element, t("Attendee"))
        parts.put_mailbox(shown, one.address)
        put(shown, t("ResponseType"), one.response)
        if one.responded is not None:
            put(shown, t("LastResponseTime"), format_time(one.responded))
        if one.proposed is not None:
            put(shown, t("ProposedStart"), format_time(one.proposed[0]))
            put(shown, t("ProposedEnd"), format_time(one.proposed[1]))


def read(item: Item, name: str) -> list[Attendee]:
    """One of the LISTS of an item."""
    kept = item.declared.get(name)
    return [] if kept is None else parse(etree.fromstring(kept))


def write(item: Item, name: str, attendees: list[Attendee]) -> None:
    """Set one of the LISTS, and the names that DisplayTo and DisplayCc show."""
    parent = etree.Element("kept", nsmap=NSMAP)
    append(parent, name, attendees)
    if attendees:
        item.declared[name] = etree.tostring(parent[0])
    else:
        item.declared.pop(name, None)
    content.set_addresses(item, LISTS[name], [one.address for one in attendees])


def invite(item: Item, name: str, wanted: list[Attendee]) -> None:
    """Set one of the LISTS from a request: answers are not the client's to say, so known ones stay and others begin anew."""
    known = {one.key: one for one in everybody(item)}
    write(item, name, [known.get(one.key, Attendee(one.address)) for one in wanted])


def everybody(item: Item) -> list[Attendee]:
    """All that are invited, each once."""
    found: dict[str, Attendee] = {}
    for name in LISTS:
        for one in read(item, name):
            found.setdefault(one.key, one)
    return list(found.values())


def answered(item: Item, address: str, response: str, at: int, proposed: tuple[int, int] | None) -> bool:
    """Note the answer of an attendee; False if nobody of that address is invited."""
    found = False
    for name in LISTS:
        listed = read(item, name)
        if any(one.key == address.lower() for one in listed):
            found = True
            new = [replace(one, response=response, responded=at, proposed=proposed) for one in listed]
            pairs = zip(listed, new, strict=True)
            write(item, name, [after if before.key == address.lower() else before for before, after in pairs])
    return found


def forget_answers(item: Item) -> None:
    """Everybody is asked anew."""
    for name in LISTS:
        if name in item.declared:
            write(item, name, [Attendee(one.address) for one in read(item, name)])
