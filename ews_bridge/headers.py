"""The few header fields that tell one mail from another, from the head of a file. Pure but for `read_head`.

Much faster than a full parser (a first scan reads every file), and never fails: what cannot be understood is "" or 0.
"""

import calendar
import os
import re
from dataclasses import dataclass
from email.errors import HeaderParseError
from email.header import decode_header
from email.utils import parsedate_tz

#: No mail has a longer head; one without an empty line is not read to its end.
HEAD_MAX = 256 * 1024

_ID_MAX = 2000  # comments nest: what a hostile sender may make us take apart is bounded
_EARLIEST, _LATEST = -2_208_988_800, 4_102_444_800  # 1900 and 2100: what is outside of them is a mistake
_DAY = 86_400
# An offset without minutes, or with a colon: the standard library takes the first for minutes and the second for none.
_OFFSET = re.compile(r"(?<=\s)([+-])(\d{1,2})(?::?(\d\d))?(?=\s*(?:\(|$))")
_FIELD = re.compile(rb"^(message-id|date|subject|from)[ \t]*:(.*(?:\n[ \t].*)*)", re.IGNORECASE | re.MULTILINE)
_RECEIVED = re.compile(rb"^received[ \t]*:(.*(?:\n[ \t].*)*)", re.IGNORECASE | re.MULTILINE)
_END = re.compile(rb"\r?\n\r?\n")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]+")
_ID = re.compile(r"<([^<>]*)>")
_COMMENT = re.compile(r"\((?:[^()\\]|\\.)*\)")
_MAILBOX = re.compile(r"(.*)<([^<>\s]+@[^<>\s]+)>\s*", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Head:
    """`message_id` as in Entry.key, `sent` in seconds since the epoch, 0: unknown; `subject` and `sender` are for people.

    `author` is the From once more, as `author_likeness` compares it.
    """

    message_id: str = ""
    sent: int = 0
    subject: str = ""
    sender: str = ""
    author: str = ""


def read_head(descriptor: int) -> bytes:
    """The bytes up to the first empty line, at most `HEAD_MAX`, from an open file at its start."""
    head = b""
    while len(head) < HEAD_MAX and (piece := os.read(descriptor, 16384)):
        # Look again at the last three bytes: the empty line may lie across two pieces.
        found = _END.search(head + piece, max(0, len(head) - 3))
        head += piece
        if found:
            return head[: found.start()]
    return head[:HEAD_MAX]


def parse_head(head: bytes) -> Head:
    """The fields; of a repeated one the first."""
    fields: dict[bytes, str] = {}
    for name, value in _FIELD.findall(head):
        fields.setdefault(name.lower(), unfolded(value))
    return Head(
        message_id(fields.get(b"message-id", "")),
        _seconds(fields.get(b"date", "")),
        clean(decoded(fields.get(b"subject", ""))),
        clean(decoded(fields.get(b"from", ""))),
        author_of(fields.get(b"from", "")),
    )


def author_of(value: str) -> str:
    """A From in the form in which two are compared: "address name" in small letters; either may be missing."""
    found = _MAILBOX.fullmatch(value)
    if found:
        return author(clean(decoded(found[1])).strip("\"' "), found[2])
    bare = value.strip()
    return author("", bare) if "@" in bare and " " not in bare else author(clean(decoded(bare)), "")


def author(name: str, address: str) -> str:
    """The same of a name and an address apart; what is no mail address (a directory's name of somebody) counts as none."""
    known = address if "@" in address and "/" not in address.partition("@")[0][:1] else ""
    return f"{known} {clean(name)}".casefold().rstrip()


def author_likeness(one: str, other: str) -> int:
    """2: the same author. 1: nothing says that they are two. 0: two.

    Who has another address but the same name is the same: addresses change, and servers show the one of today. A mailing list
    that puts its own address into From changes the name, too.
    """
    (address, _, name), (address_, _, name_) = one.partition(" "), other.partition(" ")
    if (address and address == address_) or (name and name == name_):
        return 2
    return 0 if address and address_ else 1


def received(data: bytes) -> int:
    """When the last host took the mail, in seconds since the epoch: from the topmost Received of a message. 0: not said."""
    end = _END.search(data)
    found = _RECEIVED.search(data, 0, end.start() if end else min(len(data), HEAD_MAX))
    return _seconds(unfolded(found[1]).rpartition(";")[2]) if found else 0


def message_id(value: str) -> str:
    """A Message-ID as a key: "<id@host>" without comments and white space, in brackets even where a sender forgot them.

    RFC 5322 §3.6.4 and §4.5.4. "" when there is none. Apply it to what a server gives, too.
    """
    bare = _outside_comments(value[:_ID_MAX])
    found = _ID.search(bare)
    inner = found[1] if found else bare.strip().strip("<>").partition(" ")[0]
    inner = _CONTROL.sub("", "".join(inner.split()))
    return f"<{inner}>" if inner else ""


def clean(text: str, length: int = 80) -> str:
    """One line for a terminal: no control characters or direction marks, single spaces, not too long."""
    line = " ".join(_CONTROL.sub(" ", text).split())
    return line if len(line) <= length else line[: length - 1] + "…"


def unfolded(value: bytes) -> str:
    """A field's value in one line; what is not UTF-8 is taken as Latin-1."""
    try:
        text = value.decode("utf-8")
    except UnicodeDecodeError:
        text = value.decode("latin-1")
    return text.replace("\r", "").replace("\n", "").strip()


def _outside_comments(value: str) -> str:
    # A "(" inside the brackets is part of an (unusual) id; comments nest, so they are taken away from the inside out.
    before, bracket, rest = value.partition("<")
    if bracket and "(" not in _without_comments(before):
        return bracket + rest
    return _without_comments(value)


def _without_comments(text: str) -> str:
    count = 1
    while count:
        text, count = _COMMENT.subn("", text)
    return text


def _seconds(value: str) -> int:
    """A date as seconds since the epoch, without a zone in UTC; 0 for none and for nonsense. RFC 5322 §3.3 and §4.3: from a
    year with three digits 1900 is missing, and so it is from one with two, from 50 on.
    """
    try:
        parts = parsedate_tz(_OFFSET.sub(lambda found: f"{found[1]}{found[2]:0>2}{found[3] or '00'}", value))
        if not parts:
            return 0
        year = parts[0] + 1900 if 100 <= parts[0] < 1000 else parts[0]
        if 2050 <= year < 2069 and str(year) not in value:  # the standard library begins the century at 69
            year -= 100
        offset = parts[9] or 0
        seconds = calendar.timegm((year, *parts[1:6], 0, 1, 0)) - (offset if abs(offset) < _DAY else 0)
    except (ValueError, OverflowError, TypeError, IndexError):  # what the standard library raises for nonsense
        return 0
    return seconds if _EARLIEST < seconds < _LATEST else 0


def decoded(value: str) -> str:
    """RFC 2047; a word in an unknown or wrong character set is shown as far as it goes."""
    if "=?" not in value:
        return value
    try:
        words = decode_header(value)
    except (HeaderParseError, ValueError):
        return value
    return "".join(word if isinstance(word, str) else _word(word, charset) for word, charset in words)


def _word(word: bytes, charset: str | None) -> str:
    try:
        return word.decode(charset or "utf-8", "replace")
    except (LookupError, ValueError):
        return word.decode("utf-8", "replace")
