"""What a server item is as mail: its properties as an `Entry` and flags, and back. Pure.

    flag  on Exchange                                                            written as
    S     message:IsRead; always there on what is no mail and cannot be read     message:IsRead
    F     PidTagFlagStatus 0x1090 = 2 (1, "done", is not flagged)                2, or the property deleted
    R     0x1081 = 102 or 103, or \\ANSWERED or $REPLIED in Akonadi's Flags       102, icon 261, and \\ANSWERED
    P     0x1081 = 104, or $FORWARDED in Akonadi's Flags                         104, icon 262, and $FORWARDED
    D     item:IsDraft, which can be set at creation only                        never
    T     nothing: a request to delete, carried out as such                      never

0x1081 holds only the last verb, Akonadi's list holds both: a message that is R and P has its last verb there and both words
here. Other words in the list (`$TODO`, keywords) belong to others and are kept.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from collections.abc import Sequence
from datetime import UTC
from datetime import datetime

from lxml import etree

from ews_bridge.exchange import asking
from ews_bridge.exchange import soap
from ews_bridge.headers import author
from ews_bridge.headers import clean
from ews_bridge.headers import message_id
from ews_bridge.model import Entry
from ews_bridge.model import Flag
from ews_bridge.model import Flags
from ews_bridge.model import Hints

#: The elements that are mail; the others that may lie in a mail folder are shown as a readable message (`rebuilt.py`).
#: (Reports are Messages; servers call an item of a kind of their own an Item.)
MAIL = frozenset(
    {
        "Item",
        "MeetingCancellation",
        "MeetingMessage",
        "MeetingRequest",
        "MeetingResponse",
        "Message",
        "PostItem",
        "SharingMessage",
    }
)

#: Extended properties by their name: the number of a tag, or (property set, name); a name may be a number, too.
Extended = Mapping[int | tuple[str, str], Sequence[str]]

_WORDS = {Flag.ANSWERED: ("\\ANSWERED", "$REPLIED"), Flag.FORWARDED: ("$FORWARDED",)}
_VERBS = {"102": Flag.ANSWERED, "103": Flag.ANSWERED, "104": Flag.FORWARDED}
_WRITTEN = {Flag.ANSWERED: ("102", "261"), Flag.FORWARDED: ("104", "262")}  # verb, icon
_FROM, _PROPERTY, _PATH, _VALUE = (
    f"{{{soap.TYPES}}}{name}" for name in ("From", "ExtendedProperty", "ExtendedFieldURI", "Value")
)
_FLAGS_NAME = (asking.AKONADI_SET, "Flags")
_TOKEN_NAME = (asking.TOKEN_SET, "Token")

_EARLIEST, _LATEST = -2_208_988_800, 4_102_444_800  # 1900 and 2100: what is outside of them is a mistake
# Servers send up to nine digits of a second; Python reads six.
_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.\d+)?(Z|[+-]\d\d:\d\d)?")


def entry(element: etree._Element, collection: int) -> Entry:
    """An item as it comes in a listing (with `asking.ENTRY_FIELDS`) as an entry.

    Received and sent mail never changes its content: no revision. Of a draft it is the change key.
    """
    properties = extended(element)
    present = flags(element, properties)
    return Entry(
        id=soap.attribute(element, "ItemId", "Id"),
        key=message_id(soap.text(element, "InternetMessageId")),
        revision=soap.attribute(element, "ItemId", "ChangeKey") if Flag.DRAFT in present else "",
        flags=present,
        collection=collection,
        hints=Hints(
            place=first(properties, 0x300B),
            token=first(properties, _TOKEN_NAME),
            size=max(0, number(soap.text(element, "Size"))),
            sent=int(seconds(soap.text(element, "DateTimeSent"))),
            label=clean(soap.text(element, "Subject")),
            author=_author(element),
        ),
    )


def _author(element: etree._Element) -> str:
    """Of message:From, which some servers list without the address, or with one of their own directory."""
    sender = next(element.iterchildren(_FROM), None)
    found = sender.find(f"{{{soap.TYPES}}}Mailbox") if sender is not None else None
    return author(soap.text(found, "Name"), soap.text(found, "EmailAddress")) if found is not None else ""


def token(element: etree._Element) -> str:
    """Our token, "" where the item carries none."""
    return first(extended(element), _TOKEN_NAME)


def flags(element: etree._Element, properties: Extended) -> Flags:
    found: set[Flag] = set()
    is_mail = soap.name(element) in MAIL
    if not is_mail or soap.text(element, "IsRead") == "true":
        found.add(Flag.SEEN)
    if is_mail and soap.text(element, "IsDraft") == "true":
        found.add(Flag.DRAFT)
    if first(properties, 0x1090) == "2":
        found.add(Flag.FLAGGED)
    if verb := _VERBS.get(first(properties, 0x1081)):
        found.add(verb)
    words = {word.upper() for word in properties.get(_FLAGS_NAME, ())}
    found |= {flag for flag, spellings in _WORDS.items() if words & set(spellings)}
    return frozenset(found)


def extended(element: etree._Element) -> Extended:
    """All extended properties of an item or folder. Tags compare as numbers: servers spell them in many ways."""
    found: dict[int | tuple[str, str], Sequence[str]] = {}
    for child in element.iterchildren(_PROPERTY):
        path = next(child.iterchildren(_PATH), None)
        if path is None:
            continue
        values = [value.text or "" for value in child.iter(_VALUE)]
        tag = str(path.get("PropertyTag", ""))
        if tag:
            found[number(tag)] = values
        else:
            name = path.get("PropertyName") or path.get("PropertyId", "")
            found[str(path.get("PropertySetId", "")).lower(), str(name)] = values
    return found


def first(properties: Extended, name: int | tuple[str, str]) -> str:
    values = properties.get(name, ())
    return values[0] if values else ""


def number(text: str) -> int:
    """An integer in decimal or with 0x; 0 for anything else, and for what has more than 64 bits."""
    try:
        value = int(text, 0)
    except ValueError:
        return 0
    return value if abs(value) < 1 << 63 else 0


def seconds(text: str) -> float:
    """An xs:dateTime as seconds since the epoch, without a zone in UTC; 0 for none, nonsense and Exchange's "never" (4501)."""
    found = _TIME.match(text)
    if not found:
        return 0.0
    try:
        when = datetime.fromisoformat(found[1] + (found[2] or "Z")).timestamp()
    except (ValueError, OverflowError):
        return 0.0
    return when if _EARLIEST < when < _LATEST else 0.0


def system_time(when: float) -> str:
    """As Exchange takes it: UTC, whole seconds."""
    return datetime.fromtimestamp(int(min(when, _LATEST)), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def creation(flags: Flags, token: str, *, sent: float, received: float, categories: str = "", tags: str = "") -> str:
    """The properties of a new message, in the order of the schema, as they stand behind its MimeContent. `categories` and `tags`
    are elements: item:Categories, and a property beside ours.

    0x0E07 says read and unsent, and only at creation: without it every new item is a draft. The times are given, because the
    server would put its own; 0: not known.
    """
    draft = Flag.DRAFT in flags
    state = (8 if draft else 0) | (1 if Flag.SEEN in flags else 0)
    parts = [asking.extended(asking.MESSAGE_FLAGS, str(state))]
    parts += [asking.extended(asking.DELIVERY_TIME, system_time(received))] if received else []
    parts += [asking.extended(asking.SUBMIT_TIME, system_time(sent))] if sent else []
    if Flag.FLAGGED in flags:
        parts.append(asking.extended(asking.FLAG_STATUS, "2"))
    if done := _done(flags, frozenset()):
        parts += [asking.extended(asking.LAST_VERB, done[0]), asking.extended(asking.ICON, done[1])]
    if words := _words(flags, ()):
        parts.append(asking.extended(asking.FLAGS, words))
    parts.append(asking.extended(asking.TOKEN, token) + tags)
    read = "true" if Flag.SEEN in flags else "false"
    return f"{categories}{''.join(parts)}<t:IsRead>{read}</t:IsRead>"


def needs_reading(before: Flags, wanted: Flags) -> bool:
    """Whether the words that others keep in Akonadi's list must be known before this change is written."""
    return bool((before ^ wanted) & set(_WORDS))


def updates(before: Flags, wanted: Flags, words: Sequence[str], element: str, *, now: Flags = frozenset()) -> str:
    """The field updates that take an item from `before` to `wanted`; `words` is Akonadi's list as it is now.

    `now`: the flags as just read. What somebody added since `before` stays: R and P share a property that we must write whole.
    """
    changed = before ^ wanted
    wanted |= (now - before) & set(_WORDS)
    parts: list[str] = []
    if Flag.FLAGGED in changed:
        parts.append(_update(asking.FLAG_STATUS, "2" if Flag.FLAGGED in wanted else "", element))
    if changed & set(_WORDS):
        done = _done(wanted, before) or ("", "")
        parts.append(_update(asking.LAST_VERB, done[0], element))
        parts.append(_update(asking.ICON, done[1], element))
        parts.append(_update(asking.FLAGS, _words(wanted, words), element))
    if Flag.SEEN in changed and element in MAIL:
        read = "true" if Flag.SEEN in wanted else "false"
        parts.append(asking.set_field(asking.field("message:IsRead"), element, f"<t:IsRead>{read}</t:IsRead>"))
    return "".join(parts)


def words_of(properties: Extended) -> Sequence[str]:
    """Akonadi's list."""
    return properties.get(_FLAGS_NAME, ())


def _update(path: str, value: str | Sequence[str], element: str) -> str:
    # An empty list of values is against the schema: nothing left means that the property goes.
    return asking.set_field(path, element, asking.extended(path, value)) if value else asking.delete_field(path)


def _done(wanted: Flags, before: Flags) -> tuple[str, str] | None:
    """(verb, icon) to write: of two the one that was not there before, else the reply."""
    both = [flag for flag in (Flag.ANSWERED, Flag.FORWARDED) if flag in wanted]
    new = [flag for flag in both if flag not in before]
    chosen = new or both
    return _WRITTEN[chosen[0]] if chosen else None


def _words(wanted: Flags, words: Sequence[str]) -> list[str]:
    """Akonadi's list with our words set right and everything else as it is."""
    ours = {spelling for spellings in _WORDS.values() for spelling in spellings}
    kept = [word for word in words if word.upper() not in ours]
    return kept + [spellings[0] for flag, spellings in _WORDS.items() if flag in wanted]
