"""t:Contact ⇄ vCard 3.0. Pure.

A vCard is lines, a contact has slots for some of them (`contact_slots.py`). What finds no slot is kept in `form.LEFTOVER` as it
stands; so is a line that says more than its slot can hold (a label, a third given name), marked with the slot that it belongs
to. When the server changes a slot, the kept line lends what it still knows: its parameters, its group, its label.

Never touches a field that the file says nothing new about: what a file is compared with is the item's own rendering, through the
same reading. Never writes what Exchange derives: CompleteName, HasPicture, and FileAs where a mapping says how it is made.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import replace
from operator import itemgetter

from lxml import etree

from ews_bridge.errors import BadItem
from ews_bridge.exchange import asking
from ews_bridge.exchange import contact_fields as fields
from ews_bridge.exchange import contact_slots as slots
from ews_bridge.exchange import form
from ews_bridge.exchange import mail
from ews_bridge.exchange import soap
from ews_bridge.exchange import vcard
from ews_bridge.exchange import vcardfile
from ews_bridge.exchange.contact_fields import Field
from ews_bridge.exchange.contact_fields import Value
from ews_bridge.exchange.contact_slots import Values
from ews_bridge.exchange.vcard import Key
from ews_bridge.exchange.vcard import Line

#: A message of Exchange has 10 MB at most unless somebody allowed more, and base64 makes four bytes of three.
PHOTO_LIMIT = 7 << 20
#: A larger one is not fetched. The server's figure for an attachment counts more than its content.
FETCH_LIMIT = 2 * PHOTO_LIMIT
#: Outlook knows the picture of a contact by this name, whatever its format.
PHOTO_NAME = "ContactPicture.jpg"
#: Marks a kept line with the slot that it belongs to.
SLOT = "X-EWS-BRIDGE-SLOT"
NAMELESS = "Unnamed"
#: What somebody without a name is called by.
_TELLING = ("NICKNAME", "EMAIL", "TEL", "IMPP", "ADR", "NOTE")

_NAMES = (fields.DISPLAY_NAME, fields.GIVEN, fields.MIDDLE, fields.SURNAME, fields.SUFFIX, fields.COMPANY)


@dataclass(frozen=True, slots=True)
class Card:
    """The lines of a card by the slots that they take, and the rest. `taken`: slots that hold something no line can say."""

    lines: Mapping[str, Line]
    rest: Sequence[Line] = ()
    taken: frozenset[str] = frozenset()


def asked() -> str:
    """What must be asked for beside `form.UID_FIELDS` and the attachments."""
    mine = (*slots.FIELDS, *fields.ORIGINALS, fields.CERTIFICATES, fields.FILE_AS, fields.FILE_AS_MAPPING, fields.LEFTOVER)
    return fields.asked(mine) + asking.field("item:Attachments")


def photo_ids(element: etree._Element, limit: int | None = None) -> tuple[str, ...]:
    """The attachments that are the contact's picture; with a limit only those that are not larger, in bytes."""
    found = []
    for each in element.iterfind(f"{{{soap.TYPES}}}Attachments/{{{soap.TYPES}}}FileAttachment"):
        if soap.text(each, "IsContactPhoto") == "true" and (limit is None or mail.number(soap.text(each, "Size")) <= limit):
            found.append(soap.attribute(each, "AttachmentId", "Id"))
    return tuple(found)


def render(snapshot: form.Snapshot) -> bytes:
    card = card_of(snapshot)
    lines = [card.lines[slot.key] for slot in slots.SLOTS if slot.key in card.lines]
    if "N" not in card.lines:
        lines.insert(1, Line("N", ";;;;"))  # 3.0 wants one
    return vcardfile.write((Line("UID", vcard.escaped(form.uid(snapshot.element))), *lines, *card.rest))


def creation(lines: Sequence[Line]) -> form.Changes:
    card = allotted(lines, Card({}))
    said = values_of(card)
    xml: dict[Field, Value] = {field: value for field, value in said.items() if field.path}
    if said.keys() & {fields.SURNAME, fields.GIVEN}:
        xml[fields.FILE_AS_MAPPING] = "LastCommaFirst"
    else:
        xml[fields.FILE_AS] = said.get(fields.DISPLAY_NAME, NAMELESS)
    if certificates := [str(value) for field, value in said.items() if field in slots.CERTIFICATES]:
        xml[fields.CERTIFICATES] = tuple(map(fields.certificate_blob, certificates))
    if uid := uid_of(lines):
        xml[fields.UID] = uid
    if kept := leftover(card):
        xml[fields.LEFTOVER] = vcardfile.dumps(kept)
    return form.Changes(fields.whole(xml), attach=_photo(said))


def changes(snapshot: form.Snapshot, lines: Sequence[Line]) -> form.Changes:
    element = snapshot.element
    known = fields.contents(element)
    before = card_of(snapshot)
    after = allotted(lines, before)
    old, new = values_of(before), values_of(after)
    differing = [field for field in (*slots.FIELDS, *slots.CERTIFICATES, slots.PHOTO) if old.get(field) != new.get(field)]
    updates = [fields.update(field, new.get(field, ""), element) for field in differing if field.path]
    if any(field in slots.CERTIFICATES for field in differing):
        updates.append(fields.update(fields.CERTIFICATES, _certificates(known, old, new), element))
    if any(field in _NAMES for field in differing):
        updates += _filed_anew(element, known, old, new)
    if (uid := uid_of(lines)) and uid != form.uid(element):
        updates.append(fields.update(fields.UID, uid, element))
    kept = leftover(after)
    # A line that the server overruled is still kept there: it would be back when the file says neither.
    stored = _kept(known) if fields.SENSITIVITY in differing else leftover(before)
    if signs(kept) != signs(stored):
        updates.append(fields.update(fields.LEFTOVER, vcardfile.dumps(kept), element))
    pictured = slots.PHOTO in differing
    return form.Changes("".join(updates), attach=_photo(new) if pictured else (), detach=photo_ids(element) if pictured else ())


def uid_of(lines: Iterable[Line]) -> str:
    return next((vcard.text(line.value).strip() for line in lines if line.name == "UID"), "")


def named(lines: Sequence[Line]) -> list[Line]:
    """With an FN, made of what else the card says where it has none."""
    if any(line.name == "FN" for line in lines):
        return list(lines)
    return [Line("FN", vcard.escaped(_derived(allotted(lines, Card({}))))), *lines]


def card_of(snapshot: form.Snapshot) -> Card:
    """The item as lines: each slot as its kept line says it, where that still fits."""
    element = snapshot.element
    known = fields.contents(element)
    kept: dict[str, Line] = {}
    rest = []
    for line in _kept(known):
        key, line = _unmarked(line)
        if key:
            kept[key] = line
        else:
            rest.append(line)
    lines, taken = {}, set()
    for slot in slots.SLOTS:
        said = _slot_values(slot, snapshot, known)
        if said is None:
            taken.add(slot.key)
        elif said and (slot.key in kept or said != slots.USUAL):
            lines[slot.key] = slots.lent(slot, kept[slot.key], said) if slot.key in kept else slots.line(slot, said)
    if "FN" not in lines:
        name = " ".join(soap.text(element, "FileAs").split()) or _derived(Card(lines, rest))
        lines["FN"] = Line("FN", vcard.escaped(name))
    return Card(lines, rest, frozenset(taken))


def allotted(lines: Iterable[Line], before: Card) -> Card:
    """The lines of a file in slots: what was there keeps its slot, what is new takes a free one."""
    pending = [(line, vcard.key(line)) for line in lines if line.name != "UID"]
    found: dict[str, Line] = {}
    rest: list[Line] = []

    def take(like: Line, same: Callable[[Key], object]) -> Line | None:
        wanted = same(vcard.key(like))
        at = next((n for n, (_, key) in enumerate(pending) if same(key) == wanted), None)
        return None if at is None else pending.pop(at)[0]

    def keep(same: Callable[[Key], object], names: frozenset[str] | None = None) -> None:
        for slot, line in before.lines.items():
            if slot not in found and (names is None or slots.BY_KEY[slot].name in names):
                again = take(line, same)
                if again is not None and slots.values(slots.BY_KEY[slot], again):
                    found[slot] = again
                elif again is not None:
                    pending.append((again, vcard.key(again)))

    keep(itemgetter(slice(None)))
    rest += [again for line in before.rest if (again := take(line, itemgetter(slice(None)))) is not None]
    keep(itemgetter(0, 1), slots.ALIKE)  # the same address, called something else
    keep(itemgetter(0, 2, 3, 4))  # called the same, with another value
    for line, _ in pending:
        free = (key for key in slots.candidates(line) if key not in found and key not in before.taken)
        slot = next((key for key in free if slots.values(slots.BY_KEY[key], line)), None)
        if slot is None:
            rest.append(line)
        else:
            found[slot] = line
    return Card(found, rest, before.taken)


def _slot_values(slot: slots.Slot, snapshot: form.Snapshot, known: fields.Contents) -> Values | None:
    """What the item says in a slot; None for what it has but no line can say."""
    element = snapshot.element
    if slot.shape == "photo":
        data = [snapshot.files[each] for each in photo_ids(element) if each in snapshot.files]
        return {slots.PHOTO: base64.b64encode(data[0]).decode()} if data and data[0] else {}
    if slot.shape == "certificate":
        blobs = fields.read(fields.CERTIFICATES, known)
        number = slots.CERTIFICATES.index(slot.fields[0])
        if number >= len(blobs):
            return {}
        return {slot.fields[0]: found} if (found := fields.certificate(blobs[number])) else None
    said = {field: value for field in slot.fields if (value := _trimmed(fields.read(field, known)))}
    if slot.name == "EMAIL" and said:
        entry = fields.find_entry(element, slot.fields[0])
        if entry is not None and entry.get("RoutingType", "SMTP").upper() != "SMTP":
            original = fields.read(fields.ORIGINALS[fields.EMAILS.index(slot.fields[0])], known)
            return {slot.fields[0]: original} if "@" in original else None
    line = slots.line(slot, said) if said and slot.shape != "class" else None
    return said if line is None or slots.values(slot, line) is not None else None


def _trimmed(value: Value) -> Value:
    return value.strip() if isinstance(value, str) else tuple(filter(None, (each.strip() for each in value)))


def values_of(card: Card) -> dict[Field, Value]:
    found: dict[Field, Value] = {}
    for key, line in card.lines.items():
        found |= slots.values(slots.BY_KEY[key], line) or {}
    return found


def leftover(card: Card) -> list[Line]:
    """What the fields do not say: lines that differ in meaning from what their slot is written as, and those without one."""
    found = []
    for key, line in sorted(card.lines.items()):
        slot = slots.BY_KEY[key]
        plain = slots.line(slot, slots.values(slot, line) or {})
        if vcard.key(plain) != vcard.key(line) or plain.name != line.name:
            mark = replace(line, params=(*line.params, (SLOT, (key,))))
            # The picture itself is the server's.
            found.append(replace(mark, value="-") if slot.shape in ("photo", "certificate") else mark)
    return [*found, *card.rest]


def signs(lines: Iterable[Line]) -> list[str]:
    return sorted(repr(vcard.key(line)) for line in lines)


def _kept(known: fields.Contents) -> Sequence[Line]:
    return vcardfile.loads(str(fields.read(fields.LEFTOVER, known)))


def _unmarked(line: Line) -> tuple[str, Line]:
    key = next((values[0] for param, values in line.params if param == SLOT and values), "")
    return key if key in slots.BY_KEY else "", replace(line, params=tuple(each for each in line.params if each[0] != SLOT))


def _certificates(known: fields.Contents, old: Mapping[Field, Value], new: Mapping[Field, Value]) -> tuple[str, ...]:
    """The list as a whole: what is there stays as it is unless the file dropped it; what we cannot read stays, too."""
    was, wanted = ([str(said[field]) for field in slots.CERTIFICATES if field in said] for said in (old, new))
    blobs = [str(blob) for blob in fields.read(fields.CERTIFICATES, known)]
    stay = [blob for blob in blobs if (found := fields.certificate(blob)) not in was or found in wanted]
    there = {fields.certificate(blob) for blob in stay}
    return (*stay, *(fields.certificate_blob(each) for each in wanted if each not in there))


def _photo(said: Mapping[Field, Value]) -> tuple[form.Attachment, ...]:
    data = said.get(slots.PHOTO)
    if not isinstance(data, str):
        return ()
    content = base64.b64decode(data)
    if len(content) > PHOTO_LIMIT:
        size = f"{len(content) / (1 << 20):.1f} MB"
        raise BadItem(f"its picture has {size}; Exchange takes {PHOTO_LIMIT >> 20} MB", hint="Make the picture smaller.")
    return (form.Attachment(PHOTO_NAME, f"image/{slots.picture(data).lower()}", content, photo=True),)


def _filed_anew(
    element: etree._Element, known: fields.Contents, old: Mapping[Field, Value], new: Mapping[Field, Value]
) -> list[str]:
    """FileAs, when the server does not make it itself and it is made of the old names in one of the usual ways."""
    if soap.text(element, "FileAsMapping") not in ("", "None"):
        return []
    current = fields.read(fields.FILE_AS, known)
    ways = zip(_ways(old), _ways(new), strict=True)
    after = next((then for now, then in ways if now and now == current), "")
    return [fields.update(fields.FILE_AS, after, element)] if after and after != current else []


def _ways(said: Mapping[Field, Value]) -> tuple[str, ...]:
    display, given, middle, surname, suffix, company = (str(said.get(field, "")) for field in _NAMES)
    first = " ".join(filter(None, (given, middle)))
    return (
        ", ".join(filter(None, (surname, first))),
        display,
        " ".join(filter(None, (first, surname, suffix))),
        " ".join(filter(None, (surname, first))),
        company,
    )


def _derived(card: Card) -> str:
    """A name for what has none: of its parts, else the company, else whatever it can be recognised by."""
    said = values_of(card)
    name = " ".join(str(said[each]) for each in (fields.PREFIX, *_NAMES[1:5]) if each in said)
    lines = [line for each in _TELLING for line in (*card.lines.values(), *card.rest) if line.name == each]
    texts = (" ".join(vcard.text(line.value).replace(";", " ").split()) for line in lines)
    return name or str(said.get(fields.COMPANY, "")) or next(filter(None, texts), NAMELESS)
