"""The structure of a MIME message by offsets into its bytes: no copies, no exceptions, whatever the bytes are."""

from __future__ import annotations

import base64
import binascii
import quopri
import re
from dataclasses import dataclass
from dataclasses import field

import pybase64

from . import headers as hdr

# Deeper nesting is an attack, not mail; what lies deeper stays one part.
MAXIMUM_DEPTH = 40
MAXIMUM_PARTS = 5000
DELIMITER_REST = re.compile(rb"(--)?[ \t]*(?:\r?\n|\Z)")
UUENCODED = ("x-uuencode", "uuencode", "x-uue", "uue")


@dataclass(slots=True)
class Part:
    """One part: raw[start:end] is all of it, raw[body:end] its body; offsets count in `raw`, the whole message."""

    raw: bytes
    start: int
    body: int
    end: int
    headers: list[hdr.Header]
    type: str
    parameters: dict[str, str]
    children: list[Part] = field(default_factory=list)
    preamble: tuple[int, int] = (0, 0)
    epilogue: tuple[int, int] = (0, 0)

    @property
    def encoding(self) -> str:
        """Content-Transfer-Encoding in lower case, '' if there is none."""
        return hdr.parameters(hdr.first(self.headers, "Content-Transfer-Encoding"))[0]

    @property
    def disposition(self) -> str:
        return hdr.parameters(hdr.first(self.headers, "Content-Disposition"))[0]

    @property
    def filename(self) -> str:
        """The name of an attachment, from Content-Disposition or Content-Type; '' if it has none."""
        name = hdr.parameters(hdr.first(self.headers, "Content-Disposition"))[1].get("filename", "")
        return name or self.parameters.get("name", "")

    @property
    def content_id(self) -> str:
        return hdr.decode(hdr.first(self.headers, "Content-ID")).strip().strip("<>")

    def content(self) -> bytes:
        """The body with its transfer encoding removed; what does not decode comes as far as it decodes."""
        return decode_content(self.raw[self.body : self.end], self.encoding)

    def text(self) -> str:
        """The body of a text part as a string with CRLF line ends kept as they are."""
        return hdr.decode_bytes(self.content(), self.parameters.get("charset", "us-ascii"))


def parse(raw: bytes) -> Part:
    """The tree of a message."""
    return _parse(raw, 0, len(raw), 0, "text/plain", [MAXIMUM_PARTS])


def _parse(raw: bytes, start: int, end: int, depth: int, default: str, budget: list[int]) -> Part:
    headers, body = hdr.split_message(raw, start, end)
    kind, parameters = hdr.parameters(hdr.first(headers, "Content-Type"))
    if "/" not in kind:
        kind, parameters = default, parameters if kind == "text" else {}
    part = Part(raw, start, min(body, end), end, headers, kind, parameters)
    boundary = parameters.get("boundary", "").rstrip()
    if not kind.startswith("multipart/") or not boundary or depth >= MAXIMUM_DEPTH:
        return part
    inner = "message/rfc822" if kind == "multipart/digest" else "text/plain"
    lines = _delimiters(raw, part.body, end, boundary)
    if not lines:
        return part
    part.preamble = (part.body, lines[0][0])
    for index, (_, after, closing) in enumerate(lines):
        if closing:
            part.epilogue = (after, end)
            break
        budget[0] -= 1
        if budget[0] < 0:
            part.children = []
            return part
        stop = lines[index + 1][0] if index + 1 < len(lines) else end
        part.children.append(_parse(raw, after, max(after, stop), depth + 1, inner, budget))
    return part


def _delimiters(raw: bytes, start: int, end: int, boundary: str) -> list[tuple[int, int, bool]]:
    """Delimiter lines: (where the part before ends, where the next begins, whether it is the closing one).

    A plain search for the marker, then a look around it: a regular expression that begins with a line end would crawl
    through a message of 150 MB.
    """
    marker = b"--" + boundary.encode("utf-8", "replace")
    found: list[tuple[int, int, bool]] = []
    at = raw.find(marker, start, end)
    while at >= 0:
        rest = DELIMITER_REST.match(raw, at + len(marker), end)
        if rest and (at == start or raw[at - 1] == 10):
            begin = at
            if at > start:
                begin -= 2 if raw[at - 2 : at - 1] == b"\r" else 1
            begin = max(begin, found[-1][1] if found else start)
            found.append((begin, rest.end(), rest[1] is not None))
        at = raw.find(marker, at + len(marker), end)
    return found


def decode_content(body: bytes, encoding: str) -> bytes:
    """Undo a transfer encoding, tolerantly."""
    if encoding == "base64":
        return _lenient_base64(body)
    if encoding == "quoted-printable":
        return quopri.decodestring(body)
    if encoding in UUENCODED:
        return _uudecode(body)
    return body


def exact_base64(body: bytes) -> bytes | None:
    """The decoded bytes if the body is clean base64, else None."""
    packed = body.translate(None, b" \t\r\n")
    try:
        return bytes(pybase64.b64decode(packed, validate=True))
    except (binascii.Error, ValueError):
        return None


def _lenient_base64(body: bytes) -> bytes:
    exact = exact_base64(body)
    if exact is not None:
        return exact
    packed = re.sub(rb"[^A-Za-z0-9+/]", b"", body)
    if len(packed) % 4 == 1:
        packed = packed[:-1]
    return base64.b64decode(packed + b"=" * (-len(packed) % 4))


def _uudecode(body: bytes) -> bytes:
    out: list[bytes] = []
    for line in body.splitlines():
        if line.startswith((b"begin ", b"end")) or not line.strip():
            continue
        try:
            out.append(binascii.a2b_uu(line))
        except binascii.Error:
            # Encoders that pad too generously: take as many bytes as the length says (as Python's uu module did).
            count = (((line[0] - 32) & 63) * 4 + 5) // 3
            try:
                out.append(binascii.a2b_uu(line[:count]))
            except binascii.Error:
                out.append(line)
    return b"".join(out)
