"""Render a message anew, as Exchange does when MIME is asked for: its header order, boundaries and encodings are its own.

The content stays: header values, texts, attachments.  Signed and encrypted parts are kept byte for byte.  What is
broken is kept as it came rather than repaired or dropped.
"""

from __future__ import annotations

import binascii

from . import headers as hdr
from .document import base64_lines
from .document import has_long_line
from .document import make_boundary
from .document import with_crlf
from .document import write_headers
from .headers import Header
from .mimetree import Part
from .mimetree import exact_base64
from .mimetree import parse

ORDER = (
    "From",
    "Sender",
    "Reply-To",
    "To",
    "CC",
    "BCC",
    "Subject",
    "Thread-Topic",
    "Thread-Index",
    "Importance",
    "X-Priority",
    "Sensitivity",
    "Date",
    "Message-ID",
    "References",
    "In-Reply-To",
    "Disposition-Notification-To",
    "Return-Receipt-To",
    "Accept-Language",
    "Content-Language",
)
TRACE = ("received", "return-path", "delivered-to")
STRUCTURE = ("content-type", "content-transfer-encoding", "mime-version")
PROTECTED = ("multipart/signed", "multipart/encrypted", "application/pkcs7-mime", "application/x-pkcs7-mime")
RECIPIENTS = ("from", "sender", "reply-to", "to", "cc", "bcc")
RANKS = dict.fromkeys(TRACE, -1) | {name.lower(): rank for rank, name in enumerate(ORDER)}


def render(raw: bytes, changes: list[tuple[str, bytes | None]], *, regenerate: bool) -> bytes:
    """The message with `changes` (header name, new value or None) made; `regenerate` renders all the rest anew too."""
    root = parse(raw)
    headers = root.headers
    for name, value in changes:
        headers = hdr.replaced(headers, name, value)
    if not regenerate:
        return write_headers(headers) + b"\r\n" + raw[root.body :]
    content, body = _render_body(root)
    ordered = _arrange([one for one in headers if one[0].lower() not in STRUCTURE])
    rendered = [(name, _render_value(name, value)) for name, value in ordered]
    return write_headers([*rendered, *content, ("MIME-Version", b"1.0")]) + b"\r\n" + body


def _arrange(headers: list[Header]) -> list[Header]:
    """Trace headers, then the known ones in ORDER, then the others as they came; repeated ones keep their order."""
    ranked = [(RANKS.get(header[0].lower(), len(RANKS)), header) for header in headers]
    ranked.sort(key=lambda pair: pair[0])
    return [header for _, header in ranked]


def _render_value(name: str, value: bytes) -> bytes:
    """A header value written anew where that loses nothing, else unfolded and folded again as it is."""
    lower = name.lower()
    plain = hdr.unfold(value)
    if lower in RECIPIENTS:
        found = hdr.addresses(plain)
        if found and all("@" in one.address and one.address.isascii() for one in found) and b":" not in plain:
            return hdr.encode_addresses(list(found))
        return _folded(plain)
    if lower in ("subject", "thread-topic"):
        text = hdr.decode(plain)
        if "\ufffd" not in text and not _undecodable(plain):
            return hdr.encode(text) if text else b""
    return _folded(plain)


def _undecodable(plain: bytes) -> bool:
    """Raw 8-bit bytes that are not UTF-8, or an encoded word of a charset nobody knows: keep these as they came."""
    try:
        text = plain.decode("utf-8")
    except UnicodeDecodeError:
        return True
    for match in hdr.WORD.finditer(text):
        try:
            "".encode(match[1])
        except (LookupError, ValueError):
            return True
    return False


def _folded(plain: bytes) -> bytes:
    """Fold at spaces, but not where the next line would begin with a tab: unfolding would lose it."""
    lines: list[bytes] = []
    line = b""
    for word in plain.split(b" "):
        if line.strip() and word and not word.startswith(b"\t") and len(line) + 1 + len(word) > 76:
            lines.append(line)
            line = word
        else:
            line = line + b" " + word if line or word == b"" else word
    lines.append(line)
    return b"\r\n ".join(lines)


def _render_body(part: Part) -> tuple[list[Header], bytes]:
    """The part's Content-* structure headers and its body."""
    body = part.raw[part.body : part.end]
    if part.type in PROTECTED:
        return _structure(part), body
    if part.children:
        return _render_multipart(part)
    if part.type.startswith(("multipart/", "message/")):
        return _structure(part), with_crlf(body)
    if part.encoding == "base64":
        exact = exact_base64(body)
        if exact is None:
            return _structure(part), body
        content = exact
    elif part.encoding in ("", "7bit", "8bit", "binary", "quoted-printable"):
        content = part.content()
    else:
        return _structure(part), body
    if part.type.startswith("text/"):
        encoding, encoded = _encode_text(content)
    else:
        encoding, encoded = b"base64", base64_lines(content)
    return [*_content_type(part), ("Content-Transfer-Encoding", encoding)], encoded


def _encode_text(content: bytes) -> tuple[bytes, bytes]:
    """7bit for short ASCII lines, quoted-printable if mostly ASCII, else base64; line ends become CRLF."""
    content = with_crlf(content)
    if content.isascii() and not has_long_line(content) and b"\0" not in content:
        return b"7bit", content
    foreign = len(content) - len(content.translate(None, bytes(range(128, 256))))
    if foreign * 6 > len(content) or b"\0" in content:
        return b"base64", base64_lines(content)
    encoded = binascii.b2a_qp(content, istext=True)
    return b"quoted-printable", with_crlf(encoded)


def _render_multipart(part: Part) -> tuple[list[Header], bytes]:
    rendered: list[bytes] = []
    for child in part.children:
        if child.type in PROTECTED:
            rendered.append(part.raw[child.start : child.end])
            continue
        content, body = _render_body(child)
        others = [(name, hdr.unfold(value)) for name, value in child.headers if name.lower() not in STRUCTURE]
        rendered.append(write_headers([*content, *others]) + b"\r\n" + body)
    boundary = make_boundary(rendered)
    pieces = [b"--" + boundary + b"\r\n" + one + b"\r\n" for one in rendered]
    preamble = part.raw[slice(*part.preamble)].strip()
    if preamble and b"multi-part" not in preamble.lower() and b"multipart" not in preamble.lower():
        pieces.insert(0, with_crlf(preamble) + b"\r\n")
    pieces.append(b"--" + boundary + b"--\r\n")
    epilogue = part.raw[slice(*part.epilogue)]
    if epilogue.strip():
        pieces.append(with_crlf(epilogue))
    kind = part.type.encode("utf-8", "surrogateescape")
    extra = b"".join(_parameter(name, text) for name, text in part.parameters.items() if name != "boundary")
    return [("Content-Type", kind + b';\r\n boundary="' + boundary + b'"' + extra)], b"".join(pieces)


def _parameter(name: str, value: str) -> bytes:
    if not value.isascii():
        data = value.encode("utf-8", "replace")
        return f";\r\n {name}*=utf-8''".encode() + b"".join(b"%%%02X" % byte for byte in data)
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f';\r\n {name}="{escaped}"'.encode("ascii", "replace")


def _content_type(part: Part) -> list[Header]:
    value = hdr.first(part.headers, "Content-Type")
    return [] if value is None else [("Content-Type", hdr.unfold(value))]


def _structure(part: Part) -> list[Header]:
    """Content-Type and Content-Transfer-Encoding exactly as they came: a signature depends on them."""
    return [one for one in part.headers if one[0].lower() in ("content-type", "content-transfer-encoding")]
