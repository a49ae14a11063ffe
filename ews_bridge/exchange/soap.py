"""Envelopes, and what comes back in them. Knows how servers and items break XML; knows nothing of connections.

No entity is ever expanded and no document type accepted. Characters that XML forbids are dropped before parsing: one odd
subject must not cost the page it stands on.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from lxml import etree

from ews_bridge.exchange import faults

TYPES = "http://schemas.microsoft.com/exchange/services/2006/types"
MESSAGES = "http://schemas.microsoft.com/exchange/services/2006/messages"

#: Newest first; a server that does not know one says so, and the next is tried.
VERSIONS = ("Exchange2013_SP1", "Exchange2013", "Exchange2010_SP2", "Exchange2010_SP1", "Exchange2010", "Exchange2007_SP1")
TOO_NEW = frozenset({"ErrorInvalidServerVersion", "ErrorInvalidSchemaVersionForMailboxVersion", "ErrorIncorrectSchemaVersion"})

# No TimeZoneContext: all times are then in UTC.
_ENVELOPE = (
    '<?xml version="1.0" encoding="utf-8"?>'
    f'<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" xmlns:t="{TYPES}" xmlns:m="{MESSAGES}">'
    '<s:Header><t:RequestServerVersion Version="%s"/></s:Header><s:Body>'
)
_END = b"</s:Body></s:Envelope>"
_TYPE = f"{{{TYPES}}}"
_CODE, _WORDS = f"{{{MESSAGES}}}ResponseCode", f"{{{MESSAGES}}}MessageText"

_REFERENCE = re.compile(rb"&#(?:[xX]([0-9a-fA-F]{1,8})|([0-9]{1,8}));")
_STRAY = re.compile(rb"&(?!(?:amp|lt|gt|quot|apos|#[0-9]+|#x[0-9a-fA-F]+);)")
_FORBIDDEN = bytes(sorted(set(range(32)) - {9, 10, 13}))


@dataclass(frozen=True, slots=True)
class Message:
    """One response message: the server's answer to one item, folder or listing that was asked for."""

    code: str
    text: str
    element: etree._Element
    ok: bool
    wait: float = 0

    def why(self) -> str:
        """In words, for a person."""
        return f"{self.text.rstrip('.')} ({self.code})" if self.text else self.code


def envelope(operation: bytes, version: str) -> bytes:
    """A whole request around the operation's element, whose prefixes are `m` and `t`."""
    if version != VERSIONS[0]:
        # The attribute came with 2013 SP1; older servers refuse what they do not know.
        operation = operation.replace(b' SuppressReadReceipts="true"', b"")
    return b"".join((_ENVELOPE.encode() % version.encode(), operation, _END))


def parse(text: bytes | bytearray) -> etree._Element:
    """The document element; `Lost` when it is no XML even after mending what can be mended."""
    cleaned = _clean(bytes(text))
    if b"<!DOCTYPE" in cleaned[:1000]:
        raise faults.Lost("the server sent a document type instead of an answer")
    try:
        return etree.fromstring(cleaned, _parser())
    except etree.XMLSyntaxError:
        # `&nbsp;` and a bare "&" in a text: seen in the wild. The reference stays readable as text.
        mended = _STRAY.sub(b"&amp;", cleaned)
    try:
        return etree.fromstring(mended, _parser())
    except etree.XMLSyntaxError as error:
        raise faults.Lost(f"the server's answer is not well-formed XML: {error.msg}") from error


def messages(root: etree._Element) -> list[Message]:
    """The response messages in order; a fault is raised. Availability and out-of-office answers have none: not for them."""
    fault = root.find(".//{http://schemas.xmlsoap.org/soap/envelope/}Fault")
    if fault is not None:
        raise faults.fault(*_fault(fault))
    found = root.find(f".//{{{MESSAGES}}}ResponseMessages")
    elements = [element for element in found if isinstance(element.tag, str)] if found is not None else []
    if not elements:
        raise faults.Lost("the server's answer contains no response message")
    return [_message(element) for element in elements]


def text(element: etree._Element, name: str) -> str:
    """The text of a child in the types namespace, "" when absent."""
    found = next(element.iterchildren(_TYPE + name), None)
    return (found.text or "") if found is not None else ""


def attribute(element: etree._Element, name: str, attribute: str) -> str:
    """An attribute of a child in the types namespace, "" when absent."""
    found = next(element.iterchildren(_TYPE + name), None)
    return str(found.get(attribute, "")) if found is not None else ""


def name(element: etree._Element) -> str:
    tag = str(element.tag)
    return tag[tag.rfind("}") + 1 :]


def _parser() -> etree.XMLParser:
    # One for each answer: lxml's parsers are not to be shared between threads.
    return etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=True, remove_comments=True)


def _clean(document: bytes) -> bytes:
    if b"&#" in document:
        document = _references(document)
    document = document.translate(None, _FORBIDDEN)
    try:
        text = document.decode()
    except UnicodeDecodeError:
        # A lone surrogate as bytes, or Latin-1 in a subject.
        return document.decode(errors="replace").encode()
    if "\ufffe" in text or "\uffff" in text:
        return text.translate({0xFFFE: None, 0xFFFF: None}).encode()
    return document


def _references(document: bytes) -> bytes:
    """Character references that name no character are dropped; a pair of surrogates becomes the character it stands for."""
    pending: list[int] = [0, -1]  # a high surrogate and where its reference ended

    def one(found: re.Match[bytes]) -> bytes:
        number = int(found[1], 16) if found[1] else int(found[2])
        if 0xD800 <= number < 0xDC00:
            pending[:] = [number, found.end()]
            return b""
        if 0xDC00 <= number < 0xE000 and pending[1] == found.start():
            return chr(0x10000 + ((pending[0] - 0xD800) << 10) + (number - 0xDC00)).encode()
        forbidden = number < 32 and number not in (9, 10, 13)
        if forbidden or 0xD800 <= number < 0xE000 or number in (0xFFFE, 0xFFFF) or number > 0x10FFFF:
            return b""
        return found[0]

    return _REFERENCE.sub(one, document)


def _message(element: etree._Element) -> Message:
    code = _said(element, _CODE)
    inner, wait = _values(element) if code != "NoError" else ("", 0)
    if inner == faults.BUSY:
        code = inner
    kind = element.get("ResponseClass", "")
    ok = kind == "Success" or (kind == "Warning" and code not in ("ErrorBatchProcessingStopped", faults.BUSY))
    return Message(code, _said(element, _WORDS), element, ok, wait)


def _said(element: etree._Element, tag: str) -> str:
    found = next(element.iterchildren(tag), None)  # in half the time of `findtext`
    return (found.text or "").strip() if found is not None else ""


def _fault(element: etree._Element) -> tuple[str, str, float]:
    code = words = ""
    for child in element.iter():
        if isinstance(child.tag, str) and name(child) in ("ResponseCode", "Message", "faultstring", "faultcode"):
            value = (child.text or "").strip()
            if name(child) == "ResponseCode" or (not code and name(child) == "faultcode"):
                code = value.rpartition(":")[2]
            elif name(child) == "Message" or not words:
                words = value
    inner, wait = _values(element)
    return (inner if inner == faults.BUSY else code), words, wait


def _values(element: etree._Element) -> tuple[str, float]:
    """(inner response code, seconds to wait) from the named values, wherever they stand among the others."""
    inner, wait = "", 0.0
    for value in element.iter(f"{{{TYPES}}}Value"):
        given = (value.text or "").strip()
        if value.get("Name") == "InnerErrorResponseCode":
            inner = given
        elif value.get("Name") == "BackOffMilliseconds" and given.isdigit():
            wait = int(given) / 1000
    return inner, wait
