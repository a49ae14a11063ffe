"""The text of a body that is HTML, as a person would read it in a terminal. Pure."""

from __future__ import annotations

import re

from lxml import etree
from lxml import html

_LISTS = ("dl", "ol", "ul", "table", "pre", "blockquote", "p", "h1", "h2", "h3", "h4", "h5", "h6")
_BLOCKS = frozenset((*_LISTS, "address", "div", "dt", "dd", "fieldset", "form", "hr", "li", "tr"))
_SPACED = frozenset(_LISTS)
_HIDDEN = frozenset(("head", "script", "style", "title", "template"))
_SPACE = re.compile(r"[ \t\r\n\f]+")


def from_html(markup: str) -> str:
    """Lines and paragraphs as they are seen; an address of a link behind its words, where they differ."""
    if not markup.strip():
        return ""
    try:
        root = html.document_fromstring(markup.replace("\x00", ""))
    except (etree.ParserError, ValueError):
        return ""
    pieces: list[str] = []
    _walk(root, pieces)
    text = "".join(pieces).replace("\xa0", " ")
    lines = [_SPACE.sub(" ", line).strip() for line in text.split("\n")]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip("\n")


def _walk(element: etree._Element, pieces: list[str]) -> None:
    tag = element.tag if isinstance(element.tag, str) else ""
    if tag and tag not in _HIDDEN:
        start = len(pieces)
        if tag in _BLOCKS:
            _break(pieces)
        if tag == "br":
            pieces.append("\n")
        if tag == "li":
            pieces.append("* ")
        pieces.append(_SPACE.sub(" ", element.text or ""))
        for child in element:
            _walk(child, pieces)
        if tag == "a":
            _address(element, "".join(pieces[start:]).strip(), pieces)
        if tag in ("td", "th"):
            pieces.append(" ")
        if tag in _BLOCKS:
            _break(pieces)
        if tag in _SPACED:
            pieces.append("\n")
    pieces.append(_SPACE.sub(" ", element.tail or ""))


def _address(element: etree._Element, words: str, pieces: list[str]) -> None:
    target = str(element.get("href", ""))
    if target.startswith(("http:", "https:")) and target.rstrip("/") != words.rstrip("/"):
        pieces.append(f" <{target}>")


def _break(pieces: list[str]) -> None:
    so_far = next((piece for piece in reversed(pieces) if piece.strip(" ")), "\n")
    if not so_far.rstrip(" ").endswith("\n"):
        pieces.append("\n")
