"""Mail headers as they come, broken ones included: nothing here raises on bad input, and nothing is lost on the way.

A header block is a list of (name, raw value) pairs; the raw value is bytes with its folding still in it.
"""

from __future__ import annotations

import base64
import binascii
import calendar
import codecs
import email.utils
import functools
import quopri
import re
import time
from dataclasses import dataclass

Header = tuple[str, bytes]

LINES = re.compile(rb"\r?\n(?![ \t])")
NAME = re.compile(rb"[!-9;-~]+[ \t]*\Z")
FOLD = re.compile(rb"\r?\n[ \t]*|\r")
BLANK_LINE = re.compile(rb"\r?\n\r?\n|\r\r")
LINE_END = re.compile(rb"\r?\n")
WORD = re.compile(r"=\?([^?*\s]+)(?:\*[^?]*)?\?([bBqQ])\?([^?]*)\?=")
BETWEEN_WORDS = re.compile(r"(\?=)[ \t]+(?==\?[^?\s]+\?[bBqQ]\?)")
PARAMETER = re.compile(r';\s*([^\s=;]+)\s*=\s*("(?:[^"\\]|\\.)*"|[^;]*)')


@dataclass(frozen=True, slots=True)
class Address:
    """A mailbox: display name (may be empty) and address (may be empty, or not an SMTP address at all)."""

    name: str
    address: str


def split_message(raw: bytes, start: int = 0, end: int | None = None) -> tuple[list[Header], int]:
    """The headers from `start` on, and where the body begins.

    An mbox "From " line before the headers is passed over.  A line that is no header ends the headers and belongs to
    the body, as mail programs read it.
    """
    end = len(raw) if end is None else end
    if raw.startswith((b"From ", b">From "), start):
        line = LINE_END.search(raw, start, end)
        start = line.end() if line else end
    leading = LINE_END.match(raw, start, end)
    if leading:
        return [], leading.end()
    blank = BLANK_LINE.search(raw, start, end)
    stop, body = (blank.start(), blank.end()) if blank else (end, end)
    headers: list[Header] = []
    position = start
    for line_bytes in LINES.split(raw[start:stop]):
        name, colon, value = line_bytes.partition(b":")
        if not colon or not NAME.match(name):
            if not line_bytes:
                break
            return headers, position
        headers.append((name.rstrip().decode("ascii"), value.lstrip(b" \t")))
        position += len(line_bytes)
        position = _after_line(raw, position, stop)
    return headers, body


def _after_line(raw: bytes, position: int, stop: int) -> int:
    end = LINE_END.match(raw, position, stop)
    return end.end() if end else position


def first(headers: list[Header], name: str) -> bytes | None:
    """The raw value of the first header of that name."""
    lower = name.lower()
    for key, value in headers:
        if key.lower() == lower:
            return value
    return None


def replaced(headers: list[Header], name: str, value: bytes | None) -> list[Header]:
    """The headers with `name` set to `value` in the place of its first occurrence; None removes it."""
    lower = name.lower()
    result: list[Header] = []
    done = value is None
    for key, old in headers:
        if key.lower() != lower:
            result.append((key, old))
        elif not done and value is not None:
            result.append((key, value))
            done = True
    if not done and value is not None:
        result.append((name, value))
    return result


def unfold(value: bytes) -> bytes:
    return FOLD.sub(b" ", value).strip() if b"\n" in value or b"\r" in value else value.strip()


def to_text(raw: bytes) -> str:
    """Bytes of unknown charset: UTF-8 if they are, else Windows-1252, which has nearly a letter for every byte."""
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("cp1252", "replace")


def decode_bytes(raw: bytes, charset: str) -> str:
    """Decode a text of a declared charset; an unknown or wrong charset falls back to `to_text`."""
    try:
        codec = codecs.lookup(charset.strip().strip("'\"") or "us-ascii")
        if not getattr(codec, "_is_text_encoding", True):
            return to_text(raw)
        return codec.decode(raw)[0]
    except (LookupError, UnicodeError, ValueError):
        return to_text(raw)


def decode(value: bytes | None) -> str:
    """A header value as text: unfolded, encoded words decoded (RFC 2047), raw 8-bit text read as far as possible."""
    if value is None:
        return ""
    text = to_text(unfold(value))
    if "=?" not in text:
        return text
    return _decode_words(text)


def _decode_words(text: str) -> str:
    text = BETWEEN_WORDS.sub(r"\1", text)
    pieces: list[str] = []
    position = 0
    pending = b""
    pending_charset = ""
    # A multi-byte character may be cut in two by adjacent words of one charset: join bytes first, decode then.
    for match in WORD.finditer(text):
        between = text[position : match.start()]
        charset = match[1].lower()
        if pending_charset and (between or charset != pending_charset):
            pieces.append(decode_bytes(pending, pending_charset))
            pending, pending_charset = b"", ""
        pieces.append(between)
        pending += _word_bytes(match[2], match[3])
        pending_charset = charset
        position = match.end()
    if pending_charset:
        pieces.append(decode_bytes(pending, pending_charset))
    pieces.append(text[position:])
    return "".join(pieces).replace("\r", " ").replace("\n", " ")


def _word_bytes(encoding: str, payload: str) -> bytes:
    data = payload.encode("utf-8", "surrogateescape")
    if encoding in "qQ":
        return quopri.decodestring(data.replace(b"_", b"=20"))
    try:
        return base64.b64decode(data + b"=" * (-len(data) % 4))
    except (binascii.Error, ValueError):
        return data


def encode(text: str, limit: int = 900) -> bytes:
    """A header value from text: as it is if ASCII, else in UTF-8 encoded words of at most 75 characters."""
    text = text.replace("\r", " ").replace("\n", " ")
    if text.isascii() and "=?" not in text and len(text) < limit:
        return text.encode("ascii")
    words: list[str] = []
    chunk = b""
    for character in text:
        encoded = character.encode("utf-8", "replace")
        if len(chunk) + len(encoded) > 45:
            words.append(f"=?utf-8?B?{base64.b64encode(chunk).decode()}?=")
            chunk = b""
        chunk += encoded
    words.append(f"=?utf-8?B?{base64.b64encode(chunk).decode()}?=")
    return "\r\n ".join(words).encode("ascii")


def encode_addresses(addresses: list[Address]) -> bytes:
    """A list of mailboxes as a header value, one to a line."""
    return b",\r\n ".join(encode_address(address) for address in addresses)


def encode_address(address: Address) -> bytes:
    where = address.address.encode("ascii", "replace")
    if not address.name or address.name == address.address:
        return where
    if address.name.isascii() and "=?" not in address.name:
        name = address.name.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{name}"'.encode("ascii") + b" <" + where + b">"
    return encode(address.name) + b" <" + where + b">"


@functools.lru_cache(maxsize=4096)
def addresses(value: bytes | None) -> tuple[Address, ...]:
    """The mailboxes of an address header; groups are opened, comments serve as names, garbage becomes a name."""
    if not value:
        return ()
    text = to_text(unfold(value))
    found: list[Address] = []
    for piece in _split_list(text):
        address = _one_address(piece)
        if address.name or address.address:
            found.append(address)
    return tuple(found)


def _split_list(text: str) -> list[str]:
    """Cut at commas and semicolons outside quotes, comments and angle brackets; a group's name is dropped."""
    pieces: list[str] = []
    current: list[str] = []
    quoted = angle = False
    depth = 0
    position = 0
    while position < len(text):
        character = text[position]
        if character == "\\" and (quoted or depth) and position + 1 < len(text):
            current.append(text[position : position + 2])
            position += 2
            continue
        if quoted:
            quoted = character != '"'
        elif character == '"' and not depth:
            quoted = True
        elif character == "(":
            depth += 1
        elif character == ")" and depth:
            depth -= 1
        elif not depth and character in "<>":
            angle = character == "<"
        elif not depth and not angle and character in ",;":
            pieces.append("".join(current))
            current = []
            position += 1
            continue
        elif not depth and not angle and character == ":":
            current = []
            position += 1
            continue
        current.append(character)
        position += 1
    pieces.append("".join(current))
    return pieces


def _one_address(piece: str) -> Address:
    piece = piece.strip()
    comments = re.findall(r"\(([^()]*)\)", piece) if "(" in piece and '"' not in piece else []
    bare = re.sub(r"\([^()]*\)", " ", piece) if comments else piece
    if "<" in bare:
        name, _, rest = bare.rpartition("<")
        name = _unquote(name.strip()) or (comments[0] if comments else "")
        return Address(_decode_words(name) if "=?" in name else name, rest.partition(">")[0].strip().replace(" ", ""))
    bare = bare.strip()
    if "@" in bare and " " not in bare:
        name = comments[0].strip() if comments else ""
        return Address(_decode_words(name) if "=?" in name else name, bare.strip('"'))
    name = _unquote(bare)
    return Address(_decode_words(name) if "=?" in name else name, "")


def _unquote(text: str) -> str:
    if len(text) >= 2 and text[0] == text[-1] == '"':
        text = text[1:-1]
    return re.sub(r"\\(.)", r"\1", text) if "\\" in text else text


def date(value: bytes | None) -> int | None:
    """A Date header as seconds since 1970; None if it cannot be read."""
    if value is None:
        return None
    text = to_text(unfold(value))
    try:
        parts = email.utils.parsedate_tz(text)
        if parts is None:
            return None
        moment = calendar.timegm((parts[0], parts[1], parts[2], parts[3], parts[4], min(parts[5], 59), 0, 1, 0))
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    moment -= parts[9] or 0
    # Outside these years neither a FILETIME (from 1601) nor xs:dateTime's four digits hold it.
    return moment if -11644473600 < moment < 253402300800 else None


def format_date(seconds: int) -> bytes:
    """RFC 5322 date in UTC, as Exchange writes it."""
    moment = time.gmtime(seconds)
    day = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"][moment.tm_wday]
    month = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"][moment.tm_mon - 1]
    clock = f"{moment.tm_hour:02}:{moment.tm_min:02}:{moment.tm_sec:02}"
    return f"{day}, {moment.tm_mday} {month} {moment.tm_year:04} {clock} +0000".encode("ascii")


def parameters(value: bytes | None) -> tuple[str, dict[str, str]]:
    """A structured header such as Content-Type: its value in lower case, and its parameters (RFC 2231 joined)."""
    if value is None:
        return "", {}
    text = to_text(unfold(value))
    head, _, _ = text.partition(";")
    pieces: dict[str, dict[int, tuple[bool, str]]] = {}
    for match in PARAMETER.finditer(text[len(head) :]):
        name, raw = match[1].lower(), match[2].strip()
        encoded = name.endswith("*")
        name, _, section = name.rstrip("*").partition("*")
        index = int(section) if section.isdigit() else 0
        pieces.setdefault(name, {}).setdefault(index, (encoded, _unquote(raw)))
    result: dict[str, str] = {}
    for name, sections in pieces.items():
        result[name] = _join_sections([sections[index] for index in sorted(sections)])
    return head.strip().lower(), result


def _join_sections(sections: list[tuple[bool, str]]) -> str:
    if not any(encoded for encoded, _ in sections):
        text = "".join(text for _, text in sections)
        return _decode_words(text) if "=?" in text else text
    charset = "utf-8"
    data = b""
    for number, (encoded, text) in enumerate(sections):
        if encoded and number == 0 and text.count("'") >= 2:
            charset, _, rest = text.partition("'")
            text = rest.partition("'")[2]
        data += _percent(text) if encoded else text.encode("utf-8", "replace")
    return decode_bytes(data, charset or "utf-8")


def _percent(text: str) -> bytes:
    raw = text.encode("utf-8", "replace")
    return re.sub(rb"%([0-9A-Fa-f]{2})", lambda found: bytes([int(found[1], 16)]), raw)
