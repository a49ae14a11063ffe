"""Strict checking of requests: Exchange validates each against its schema before it looks at it, and so do we.

The words are those of the real thing (System.Xml.Schema), which some clients show to their users.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from lxml import etree

from .markup import XSI
from .markup import local
from .markup import m
from .notation import Complex
from .notation import Simple
from .notation import operation_type
from .notation import type_named

# What real servers let pass although their schema does not have it, because a widespread client sends it.
_TOLERATED_ATTRIBUTES = {(m("FindPeople"), "Traversal")}  # exchangelib; its tests run against Exchange Online


@dataclass(frozen=True, slots=True)
class Found:
    """The first violation of a request: where, and in the server's words."""

    element: etree._Element
    violation: str


def check(request: etree._Element) -> Found | None:
    """The first violation in an operation's element, in document order; None if there is none, or no table for it."""
    kind = operation_type(local(request))
    return None if kind is None else _check(request, kind)


def _check(element: etree._Element, kind: Complex) -> Found | None:
    if kind.anything:
        return None
    problem = _check_attributes(element, kind.attributes)
    if problem:
        return Found(element, problem)
    children = list(element)
    if kind.text is not None:
        return _check_text(element, kind.text, children)
    state = 0
    for child in children:
        following = kind.steps[state].get(str(child.tag))
        if following is None:
            return Found(child, _unexpected(element, child, kind.steps[state]))
        state = following
        found = _check_child(child, kind.kinds[state])
        if found is not None:
            return found
    text = (element.text or "") + "".join(child.tail or "" for child in children)
    if text and len(kind.steps) == 1:
        return Found(element, f"{_named(element)} cannot contain text or white space. Content model is empty.")
    if text.strip():
        return Found(element, f"{_named(element)} cannot contain text.{_expected(kind.steps[state])}")
    if state not in kind.final:
        return Found(element, f"{_named(element)} has incomplete content.{_expected(kind.steps[state])}")
    return None


def _check_child(child: etree._Element, kind: str | Complex | Simple) -> Found | None:
    if isinstance(kind, str):
        kind = type_named(kind)
    if isinstance(kind, Complex):
        return _check(child, kind)
    problem = _check_attributes(child, {})
    return Found(child, problem) if problem else _check_text(child, kind, list(child))


def _check_attributes(element: etree._Element, declared: dict[str, tuple[Simple, bool]]) -> str | None:
    for name, value in ((str(name), str(value)) for name, value in element.attrib.items()):
        known = declared.get(name)
        if known is not None:
            reason = known[0].reason(value)
            if reason:
                return f"The '{name}' attribute is invalid - {_invalid(value, known[0], reason)}"
        elif not name.startswith(f"{{{XSI}}}") and (str(element.tag), name) not in _TOLERATED_ATTRIBUTES:
            return f"The '{name.lstrip('{').replace('}', ':')}' attribute is not declared."
    for wanted, (_, required) in declared.items():
        if required and wanted not in element.attrib:
            return f"The required attribute '{wanted}' is missing."
    return None


def _check_text(element: etree._Element, kind: Simple, children: list[etree._Element]) -> Found | None:
    if children:
        child = etree.QName(children[0])
        text = (
            f"{_named(element)} cannot contain child element '{child.localname}' in namespace '{child.namespace}' "
            "because the parent element's content model is text only."
        )
        return Found(children[0], text)
    value = element.text or ""
    reason = kind.reason(value)
    if not reason:
        return None
    name = str(element.tag).lstrip("{").replace("}", ":")
    return Found(element, f"The '{name}' element is invalid - {_invalid(value[:100], kind, reason)}")


def _named(element: etree._Element) -> str:
    name = etree.QName(element)
    return f"The element '{name.localname}' in namespace '{name.namespace}'"


def _invalid(value: str, kind: Simple, reason: str) -> str:
    return f"The value '{value}' is invalid according to its datatype '{kind.name}' - {reason}"


def _expected(possible: Iterable[str]) -> str:
    names = [etree.QName(tag) for tag in possible]
    if not names:
        return ""
    listed = ", ".join(name.localname for name in names)
    return f" List of possible elements expected: '{listed}' in namespace '{names[0].namespace}'."


def _unexpected(parent: etree._Element, child: etree._Element, possible: Iterable[str]) -> str:
    found = etree.QName(child)
    text = f"{_named(parent)} has invalid child element '{found.localname}' in namespace '{found.namespace}'."
    return text + _expected(possible)
