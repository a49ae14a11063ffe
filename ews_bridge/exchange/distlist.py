"""t:DistributionList ⇄ a vCard 3.0 group, as Apple's address book made it usual. Pure.

A member that is a contact is named by its UID, an address by a mailto: URI. What is neither (somebody of the directory without an
SMTP address, a name and nothing else) has a URI of ours, so that it stays what it is. Members are added and removed one by one:
what the file says nothing new about keeps the entry that the server has.
"""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import replace
from urllib.parse import quote
from urllib.parse import unquote
from xml.sax.saxutils import escape

from lxml import etree

from ews_bridge.exchange import asking
from ews_bridge.exchange import contact
from ews_bridge.exchange import contact_fields as fields
from ews_bridge.exchange import contact_slots as slots
from ews_bridge.exchange import form
from ews_bridge.exchange import soap
from ews_bridge.exchange import vcard
from ews_bridge.exchange import vcardfile
from ews_bridge.exchange.contact import Card
from ews_bridge.exchange.vcard import Line

#: What a list has of what a contact has.
_SLOTS = ("FN", "NOTE", "CATEGORIES")
_FIELDS = tuple(field for key in _SLOTS for field in slots.BY_KEY[key].fields)
_NOT_MINE = frozenset(slots.BY_KEY) - set(_SLOTS)
_URI = "x-exchange:"
_PARTS = ("Name", "EmailAddress", "RoutingType", "MailboxType", "ItemId", "OriginalDisplayName")
_MEMBERS = asking.field("distributionlist:Members")


@dataclass(frozen=True, slots=True)
class Member:
    """One entry of the list: what a file calls it, the key that the server knows it by, its t:Mailbox."""

    line: Line
    key: str
    mailbox: str


def asked() -> str:
    """What must be asked for beside what a contact has."""
    return _MEMBERS


def contacts(element: etree._Element) -> tuple[str, ...]:
    """The ids of the members that are items of the mailbox."""
    ids = (soap.attribute(each, "ItemId", "Id") for each in element.iter(f"{{{soap.TYPES}}}Mailbox"))
    return tuple(dict.fromkeys(filter(None, ids)))


def is_group(lines: Iterable[Line]) -> bool:
    return any(line.name == vcard.KIND and vcard.text(line.value).strip().lower() == "group" for line in lines)


def uids(lines: Iterable[Line]) -> tuple[str, ...]:
    """The UIDs of the contacts that a group names, in both ways that a UID may be written: 4.0 has it as a URN."""
    named = dict.fromkeys(_target(line) for line in lines if line.name == vcard.MEMBER)
    return tuple(uid for each in named if not each.lower().startswith(("mailto:", _URI)) for uid in (each, f"{vcard.URN}{each}"))


def meant(lines: Sequence[Line]) -> list[Line]:
    """Without the N that 3.0 demands: a group has no surname."""
    return [line for line in lines if line.name != "N"]


def render(snapshot: form.Snapshot) -> bytes:
    card = _card(snapshot)
    name = vcard.text(card.lines["FN"].value)
    lines = [
        Line("UID", vcard.escaped(form.uid(snapshot.element))),
        card.lines["FN"],
        Line("N", vcard.structured([name, *[""] * 4])),
    ]
    lines += [Line(vcard.KIND, "group"), *(card.lines[key] for key in _SLOTS[1:] if key in card.lines)]
    return vcardfile.write((*lines, *(member.line for member in _members(snapshot)), *card.rest))


def creation(lines: Sequence[Line], others: Mapping[str, etree._Element]) -> form.Changes:
    written, waiting = _written(_member_lines(lines), others)
    card = contact.allotted(_own(lines), Card({}, (), _NOT_MINE))
    xml = dict(contact.values_of(card))
    if uid := contact.uid_of(lines):
        xml[fields.UID] = uid
    if kept := [*contact.leftover(card), *waiting]:
        xml[fields.LEFTOVER] = vcardfile.dumps(kept)
    members = "".join(f"<t:Member>{mailbox}</t:Member>" for mailbox in written)
    return form.Changes(fields.whole(xml) + (f"<t:Members>{members}</t:Members>" if members else ""))


def changes(snapshot: form.Snapshot, lines: Sequence[Line], others: Mapping[str, etree._Element]) -> form.Changes:
    element = snapshot.element
    before = _card(snapshot)
    there = _members(snapshot)
    stay, new = _compared(there, _member_lines(lines))
    written, waiting = _written(new, others)
    after = contact.allotted(_own(lines), replace(before, rest=_own(before.rest)))
    old_said, new_said = contact.values_of(before), contact.values_of(after)
    updates = [
        fields.update(field, new_said.get(field, ""), element) for field in _FIELDS if old_said.get(field) != new_said.get(field)
    ]
    if (uid := contact.uid_of(lines)) and uid != form.uid(element):
        updates.append(fields.update(fields.UID, uid, element))
    kept = [*contact.leftover(after), *waiting]
    if contact.signs(kept) != contact.signs(contact.leftover(before)):
        updates.append(fields.update(fields.LEFTOVER, vcardfile.dumps(kept), element))
    gone = [member for member in there if member not in stay]
    return form.Changes("".join((*updates, *_member_updates(stay, gone, written))))


def _card(snapshot: form.Snapshot) -> Card:
    return replace(contact.card_of(snapshot), taken=_NOT_MINE)


def _own(lines: Iterable[Line]) -> list[Line]:
    return [line for line in lines if line.name not in (vcard.KIND, vcard.MEMBER, "N")]


def _member_lines(lines: Iterable[Line]) -> list[Line]:
    return [line for line in lines if line.name == vcard.MEMBER]


def _members(snapshot: form.Snapshot) -> list[Member]:
    known = {soap.attribute(each, "ItemId", "Id"): form.uid(each) for each in snapshot.parts}
    found = []
    for each in snapshot.element.iterfind(f"{{{soap.TYPES}}}Members/{{{soap.TYPES}}}Member"):
        mailbox = each.find(f"{{{soap.TYPES}}}Mailbox")
        if mailbox is not None:
            key = str(each.get("Key", ""))
            found.append(Member(_line(mailbox, key, known), key, _copied(mailbox)))
    return found


def _line(mailbox: etree._Element, key: str, known: Mapping[str, str]) -> Line:
    name, address, routing = (soap.text(mailbox, part).strip() for part in ("Name", "EmailAddress", "RoutingType"))
    item = soap.attribute(mailbox, "ItemId", "Id")
    if item in known:
        return Line(vcard.MEMBER, vcard.escaped(vcard.URN + known[item].removeprefix(vcard.URN)))
    if "@" in address and routing.upper() in ("", "SMTP"):
        target = f"mailto:{address}"
    else:
        target = _URI + quote(address or item or key or name, safe="")
    # A parameter has no way to say a quotation mark.
    called = " ".join(name.replace('"', "'").split())
    return Line(vcard.MEMBER, vcard.escaped(target), (("CN", (called,)),) if called and called != address else ())


def _copied(mailbox: etree._Element) -> str:
    """The entry as it can be sent back."""
    parts = []
    for part in _PARTS[:4]:
        if text := soap.text(mailbox, part):
            parts.append(f"<t:{part}>{escape(text)}</t:{part}>")
    if item := soap.attribute(mailbox, "ItemId", "Id"):
        parts.append(asking.item_id(item))
    return f"<t:Mailbox>{''.join(parts)}</t:Mailbox>"


def _compared(there: Sequence[Member], lines: Sequence[Line]) -> tuple[list[Member], list[Line]]:
    """The members that a file still names, and the lines that name new ones."""
    pending = list(there)
    new = []
    for line in lines:
        same = next((member for member in pending if vcard.key(member.line) == vcard.key(line)), None)
        if same is None:
            new.append(line)
        else:
            pending.remove(same)
    return [member for member in there if member not in pending], new


def _written(lines: Iterable[Line], others: Mapping[str, etree._Element]) -> tuple[list[str], list[Line]]:
    """The mailboxes of new members, and the lines that name nobody whom the server knows: they wait in the leftover."""
    found, waiting = [], []
    for line in lines:
        mailbox = _mailbox(line, others)
        if mailbox:
            found.append(f"<t:Mailbox>{mailbox}</t:Mailbox>")
        else:
            waiting.append(line)
    return found, waiting


def _mailbox(line: Line, others: Mapping[str, etree._Element]) -> str:
    target = _target(line)
    name = next((values[0] for param, values in line.params if param in ("CN", "X-CN") and values), "")
    if target.lower().startswith("mailto:"):
        address = unquote(target[7:].split("?")[0]).strip()
        return _parts(name or address, address, "SMTP", "OneOff") if address else ""
    if target.startswith(_URI):
        address = unquote(target.removeprefix(_URI))
        return _parts(name, address, "EX", "Mailbox") if address.startswith("/") else ""
    element = others.get(target, others.get(vcard.URN + target))
    if element is None:
        return ""
    kind = "PrivateDL" if soap.name(element) == "DistributionList" else "Contact"
    known = fields.contents(element)
    addresses = (str(fields.read(field, known)) for field in fields.EMAILS)
    address = next((each for each in addresses if "@" in each), "")
    inner = _parts(soap.text(element, "DisplayName"), address, "SMTP" if address else "", kind)
    return inner + asking.item_id(soap.attribute(element, "ItemId", "Id"))


def _parts(*texts: str) -> str:
    return "".join(f"<t:{part}>{escape(text)}</t:{part}>" for part, text in zip(_PARTS, texts, strict=False) if text)


def _member_updates(stay: Sequence[Member], gone: Sequence[Member], written: Sequence[str]) -> list[str]:
    if all(member.key for member in gone):
        index = '<t:IndexedFieldURI FieldURI="distributionlist:Members:Member" FieldIndex="{}"/>'
        removed = [asking.delete_field(index.format(asking.attribute(member.key))) for member in gone]
        return [*removed, _listed("AppendToItemField", written)] if written else removed
    # A server that gives its members no keys: the list as a whole.
    every = [*(member.mailbox for member in stay), *written]
    return [_listed("SetItemField", every) if every else asking.delete_field(_MEMBERS)]


def _listed(action: str, mailboxes: Iterable[str]) -> str:
    members = "".join(f"<t:Member>{mailbox}</t:Member>" for mailbox in mailboxes)
    inner = f"<t:DistributionList><t:Members>{members}</t:Members></t:DistributionList>"
    return f"<t:{action}>{_MEMBERS}{inner}</t:{action}>"


def _target(line: Line) -> str:
    return vcard.text(line.value).strip().removeprefix(vcard.URN)
