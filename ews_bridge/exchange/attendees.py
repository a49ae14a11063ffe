"""Who organises a meeting and who takes part: ORGANIZER and ATTENDEE (RFC 5545 section 3.8.4) ⇄ mailboxes with a response. Pure.

    kind        ROLE, CUTYPE                          on the server
    Required    REQ-PARTICIPANT, CHAIR, none          RequiredAttendees
    Optional    OPT-PARTICIPANT, NON-PARTICIPANT      OptionalAttendees
    Resource    CUTYPE=RESOURCE or ROOM               Resources

PARTSTAT is what the server knows of an answer. What it cannot know (an answer in a file that was brought in from elsewhere, who
acts for whom) stays with the line, which is kept.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from dataclasses import replace
from xml.sax.saxutils import escape

from lxml import etree

from ews_bridge.exchange import soap
from ews_bridge.exchange.contentline import Line
from ews_bridge.exchange.contentline import quote

KINDS = {"Required": "RequiredAttendees", "Optional": "OptionalAttendees", "Resource": "Resources"}
_RESPONSES = {"Accept": "ACCEPTED", "Tentative": "TENTATIVE", "Decline": "DECLINED", "Organizer": "ACCEPTED"}
#: What the owner of the mailbox says, as the element that says it to the server.
ANSWERS = {"ACCEPTED": "AcceptItem", "TENTATIVE": "TentativelyAcceptItem", "DECLINED": "DeclineItem"}
WAITING = "NEEDS-ACTION"
_SHOWN = {
    "Required": (("ROLE", "REQ-PARTICIPANT"),),
    "Optional": (("ROLE", "OPT-PARTICIPANT"),),
    "Resource": (("CUTYPE", "RESOURCE"), ("ROLE", "NON-PARTICIPANT")),
}
#: Stands for an address that is none (Exchange's internal ones), as other programs write it.
NO_ADDRESS = "invalid:nomail"
_T = f"{{{soap.TYPES}}}"


@dataclass(frozen=True, slots=True)
class Person:
    """One who takes part. `address`: in lower case, or a whole URI where it is no mail address. `parameters`: all but CN and
    PARTSTAT, as they are written.
    """

    address: str
    name: str = ""
    kind: str = "Required"
    partstat: str = WAITING
    parameters: tuple[tuple[str, str], ...] = ()

    def is_mailbox(self) -> bool:
        return ":" not in self.address

    def line(self, name: str) -> Line:
        """As ORGANIZER or ATTENDEE."""
        uri = f"mailto:{self.address}" if self.is_mailbox() else self.address
        shown: tuple[tuple[str, str], ...] = (("CN", quote(self.name)),) if self.name else ()
        if name == "ATTENDEE":
            shown += (("PARTSTAT", self.partstat),)
        return Line(name, uri, (*shown, *self.parameters))


def from_line(line: Line) -> Person:
    address = "".join(line.value.split())
    if address.lower().startswith("mailto:"):
        address = address[7:].lower()
    elif ":" not in address:
        address = address.lower() if "@" in address else NO_ADDRESS
    role, kind = line.parameter("ROLE").upper(), "Required"
    if line.parameter("CUTYPE").upper() in ("RESOURCE", "ROOM"):
        kind = "Resource"
    elif role in ("OPT-PARTICIPANT", "NON-PARTICIPANT"):
        kind = "Optional"
    rest = tuple(one for one in line.parameters if one[0] not in ("CN", "PARTSTAT"))
    partstat = line.parameter("PARTSTAT").upper() or WAITING
    return Person(address, line.parameter("CN").strip(), kind, partstat, rest)


def from_mailbox(element: etree._Element, kind: str = "Required", response: str = "", *, asked: bool = False) -> Person:
    """A mailbox of the server. `asked`: whether answers are wanted."""
    box = element.find(f"{_T}Mailbox")
    box = element if box is None else box
    address = soap.text(box, "EmailAddress")
    usable = "@" in address and soap.text(box, "RoutingType") in ("", "SMTP")
    partstat = _RESPONSES.get(response, WAITING)
    shown = _SHOWN[kind] + ((("RSVP", "TRUE"),) if asked and partstat == WAITING else ())
    return Person(address.lower() if usable else NO_ADDRESS, soap.text(box, "Name").strip(), kind, partstat, shown)


def answer(response: str) -> str:
    """PARTSTAT of a ResponseType."""
    return _RESPONSES.get(response, WAITING)


def organizer(element: etree._Element) -> Person | None:
    """The organizer of an item; None when it does not say."""
    found = element.find(f"{_T}Organizer")
    if found is None or found.find(f"{_T}Mailbox") is None:
        return None
    return replace(from_mailbox(found), parameters=())


def attendees(element: etree._Element) -> list[Person]:
    """All who are invited, as the server lists them."""
    asked = soap.text(element, "IsResponseRequested") != "false"
    found = []
    for kind, name in KINDS.items():
        for one in element.iterfind(f"{_T}{name}/{_T}Attendee"):
            found.append(from_mailbox(one, kind, soap.text(one, "ResponseType"), asked=asked))
    return found


def merged(served: Person, kept: Person | None) -> Person:
    """What the server says of one, with what his line in the file said beside it."""
    if kept is None or kept.kind != served.kind:
        return served
    partstat = kept.partstat if served.partstat == WAITING else served.partstat
    return replace(kept, partstat=partstat, name=kept.name or served.name)


def tells_more(one: Person, served: Person | None) -> bool:
    """Whether a line in a file says what the server, which knows `served` of the person, does not."""
    known = {("RSVP", "TRUE"), ("RSVP", "FALSE"), ("CUTYPE", "INDIVIDUAL"), ("ROLE", "REQ-PARTICIPANT"), *_SHOWN[one.kind]}
    answer = served.partstat if served else WAITING
    return one.partstat not in (WAITING, answer) or bool(set(one.parameters) - known)


def xml(people: Iterable[Person], kind: str) -> str:
    """The element of one kind; "" when nobody is of it."""
    inner = "".join(f"<t:Attendee>{_mailbox(one)}</t:Attendee>" for one in people if one.kind == kind and one.is_mailbox())
    return f"<t:{KINDS[kind]}>{inner}</t:{KINDS[kind]}>" if inner else ""


def _mailbox(one: Person) -> str:
    name = f"<t:Name>{escape(one.name)}</t:Name>" if one.name else ""
    return f"<t:Mailbox>{name}<t:EmailAddress>{escape(one.address)}</t:EmailAddress></t:Mailbox>"
