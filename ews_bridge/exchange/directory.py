"""The directory of the organisation: names looked up in it, groups taken apart, and whether somebody is away.

Only asks, except `set_oof`. Where the server knows an entry by another kind of address only, it is left out: nobody can write
to it from here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal
from typing import cast
from typing import get_args
from xml.sax.saxutils import escape

from lxml import etree

from ews_bridge.addressbook import Person
from ews_bridge.exchange import faults
from ews_bridge.exchange import soap
from ews_bridge.exchange.session import Connection

#: ResolveNames tells no more candidates than these.
MOST = 100
NOBODY = "ErrorNameResolutionNoResults"
_CONTROL = re.compile("[\0-\x1f\x7f]")
_M, _T = f"{{{soap.MESSAGES}}}", f"{{{soap.TYPES}}}"

State = Literal["Disabled", "Enabled", "Scheduled"]
Audience = Literal["None", "Known", "All"]
AUDIENCES: tuple[Audience, ...] = get_args(Audience)


@dataclass(frozen=True, slots=True)
class Found:
    """Who a text may mean; not `complete` when there are more than the server tells."""

    people: tuple[Person, ...]
    complete: bool = True


@dataclass(frozen=True, slots=True)
class Oof:
    """The automatic replies of a mailbox. Times as xs:dateTime in UTC, "" without; texts as they are kept, mostly HTML."""

    state: State = "Disabled"
    audience: Audience = "All"
    start: str = ""
    end: str = ""
    internal: str = ""
    external: str = ""


def resolve(connection: Connection, text: str, *, contacts: bool) -> Found:
    """Who a text may mean, in the directory and, where wanted, among the contacts of the mailbox."""
    wanted = _CONTROL.sub(" ", text).strip()
    if not wanted:
        return Found(())
    scope = "ContactsActiveDirectory" if contacts else "ActiveDirectory"
    operation = (
        f'<m:ResolveNames ReturnFullContactData="true" SearchScope="{scope}">'
        f"<m:UnresolvedEntry>{escape(wanted)}</m:UnresolvedEntry></m:ResolveNames>"
    )
    message = connection.ask(operation.encode(), _one, repeat=True)
    if message.code == NOBODY:
        return Found(())
    _check(message)
    found = message.element.find(f"{_M}ResolutionSet")
    people = () if found is None else [_person(one) for one in found.iterchildren(f"{_T}Resolution")]
    last = "true" if found is None else found.get("IncludesLastItemInRange", "true")
    return Found(tuple(one for one in people if one is not None), complete=last in ("true", "1"))


def expand(connection: Connection, address: str) -> tuple[Person, ...] | None:
    """Who is in a group, groups in it as they are; None if there is no such group."""
    mailbox = f"<m:Mailbox><t:EmailAddress>{escape(_CONTROL.sub(' ', address).strip())}</t:EmailAddress></m:Mailbox>"
    message = connection.ask(f"<m:ExpandDL>{mailbox}</m:ExpandDL>".encode(), _one, repeat=True)
    if message.code == NOBODY:
        return None
    _check(message)
    found = message.element.find(f"{_M}DLExpansion")
    people = () if found is None else [_member(one) for one in found.iterchildren(f"{_T}Mailbox")]
    return tuple(one for one in people if one is not None)


def _one(body: bytearray) -> soap.Message:
    return soap.messages(soap.parse(body))[0]


def _check(message: soap.Message) -> None:
    if not message.ok:
        raise faults.fault(message.code, message.text, message.wait)


def _person(resolution: etree._Element) -> Person | None:
    mailbox, contact = resolution.find(f"{_T}Mailbox"), resolution.find(f"{_T}Contact")
    person = None if mailbox is None else _member(mailbox, contact)
    if person is None or contact is None:
        return person
    told = [soap.text(contact, name) for name in ("JobTitle", "Department", "CompanyName", "OfficeLocation")]
    numbers = contact.find(f"{_T}PhoneNumbers")
    phones = {} if numbers is None else {one.get("Key", ""): (one.text or "") for one in numbers}
    told.append(phones.get("BusinessPhone") or phones.get("MobilePhone") or "")
    return Person(person.address, person.name, ", ".join(filter(None, told)), person.group)


def _member(mailbox: etree._Element, contact: etree._Element | None = None) -> Person | None:
    """A t:Mailbox; where it is known by an X.500 name, the SMTP address is that of its contact."""
    kind, routing = soap.text(mailbox, "MailboxType"), soap.text(mailbox, "RoutingType") or "SMTP"
    address = soap.text(mailbox, "EmailAddress")
    if routing.upper() != "SMTP" or "@" not in address:
        address = _smtp(contact)
    return Person(address, soap.text(mailbox, "Name"), "", group=kind in ("PublicDL", "PrivateDL")) if address else None


def _smtp(contact: etree._Element | None) -> str:
    entries = None if contact is None else contact.find(f"{_T}EmailAddresses")
    found = [(one.text or "") for one in entries] if entries is not None else []
    # `SMTP:` in capitals marks the address that is written to.
    chosen = sorted((one for one in found if one.lower().startswith("smtp:")), key=lambda one: not one.startswith("SMTP:"))
    return chosen[0][5:] if chosen else ""


def oof(connection: Connection, email: str) -> Oof:
    """The automatic replies of the mailbox."""
    root = connection.ask(_oof_request("Get", email, ""), _oof_answer, repeat=True)
    settings = root.find(f".//{_T}OofSettings")
    if settings is None:
        raise faults.Lost("the server's answer has no OofSettings")
    duration = settings.find(f"{_T}Duration")
    start, end = ("", "") if duration is None else (soap.text(duration, "StartTime"), soap.text(duration, "EndTime"))
    replies = [settings.findtext(f"{_T}{name}/{_T}Message") or "" for name in ("InternalReply", "ExternalReply")]
    state, audience = cast(State, soap.text(settings, "OofState")), cast(Audience, soap.text(settings, "ExternalAudience"))
    return Oof(state, audience, start, end, *replies)


def set_oof(connection: Connection, email: str, wanted: Oof) -> None:
    """Replace the automatic replies. To say the same twice changes nothing, so it is asked again when no answer came."""
    duration = f"<t:Duration><t:StartTime>{wanted.start}</t:StartTime><t:EndTime>{wanted.end}</t:EndTime></t:Duration>"
    content = (
        f"<t:UserOofSettings><t:OofState>{wanted.state}</t:OofState><t:ExternalAudience>{wanted.audience}</t:ExternalAudience>"
        f"{duration if wanted.start and wanted.end else ''}"
        f"<t:InternalReply><t:Message>{escape(wanted.internal)}</t:Message></t:InternalReply>"
        f"<t:ExternalReply><t:Message>{escape(wanted.external)}</t:Message></t:ExternalReply></t:UserOofSettings>"
    )
    connection.ask(_oof_request("Set", email, content), _oof_answer, repeat=True)


def _oof_request(verb: str, email: str, content: str) -> bytes:
    name = f"{verb}UserOofSettingsRequest"
    return f"<m:{name}><t:Mailbox><t:Address>{escape(email)}</t:Address></t:Mailbox>{content}</m:{name}>".encode()


def _oof_answer(body: bytearray) -> etree._Element:
    """The answer's root; it has one ResponseMessage, and no ResponseMessages."""
    root = soap.parse(body)
    message = root.find(f".//{_M}ResponseMessage")
    if message is None:
        soap.messages(root)  # a fault is raised
        raise faults.Lost("the server's answer contains no response message")
    code = message.findtext(f"{_M}ResponseCode") or ""
    if code != "NoError":
        raise faults.fault(code, message.findtext(f"{_M}MessageText") or "")
    return root
