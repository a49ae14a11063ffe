"""XML of the two EWS namespaces: names, and elements whose text is always legal XML."""

from __future__ import annotations

import re

from lxml import etree

M = "http://schemas.microsoft.com/exchange/services/2006/messages"
T = "http://schemas.microsoft.com/exchange/services/2006/types"
XSI = "http://www.w3.org/2001/XMLSchema-instance"
NSMAP = {"m": M, "t": T}

ILLEGAL = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

Element = etree._Element


def m(name: str) -> str:
    return f"{{{M}}}{name}"


def t(name: str) -> str:
    return f"{{{T}}}{name}"


def local(element: Element) -> str:
    """The element's name without its namespace."""
    return str(element.tag).rpartition("}")[2]


def namespace(element: Element) -> str:
    return str(element.tag)[1:].partition("}")[0]


def put(parent: Element, tag: str, text: str | None = None) -> Element:
    """Append an element; characters which XML cannot carry become '?' as a server would rather send a mark than fail."""
    child = etree.SubElement(parent, tag)
    if text is not None:
        write(child, text)
    return child


def write(element: Element, text: str) -> None:
    try:
        element.text = text
    except (ValueError, UnicodeEncodeError):
        element.text = ILLEGAL.sub("?", text)


def set_attribute(element: Element, name: str, text: str) -> None:
    try:
        element.set(name, text)
    except (ValueError, UnicodeEncodeError):
        element.set(name, ILLEGAL.sub("?", text))


def children(element: Element | None) -> list[Element]:
    """The child elements, without comments and processing instructions."""
    return [] if element is None else [child for child in element if isinstance(child.tag, str)]


def text_of(element: Element, default: str = "") -> str:
    return element.text if element.text is not None else default


def is_true(text: str | None) -> bool:
    """xs:boolean; absent is false."""
    return text is not None and text.strip() in ("1", "true")
