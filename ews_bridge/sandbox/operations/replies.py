"""Answers of operations: one response element with one message for each thing asked for."""

from __future__ import annotations

from lxml import etree

from ..errors import ItemError
from ..markup import NSMAP
from ..markup import Element
from ..markup import T
from ..markup import m
from ..markup import put


class Answer:
    """The answer to one request.  `container` is the element which its messages have even when they report an error."""

    def __init__(self, operation: str, container: str | None = None, message: str | None = None) -> None:
        self.element = etree.Element(m(f"{operation}Response"), nsmap=NSMAP)
        self._messages = put(self.element, m("ResponseMessages"))
        self._message = m(message or f"{operation}ResponseMessage")
        self._container = m(container) if container else None

    def success(self) -> Element:
        """Begin a message that reports success; returns its container, or the message if it has none."""
        message = self._begin("Success")
        put(message, m("ResponseCode"), "NoError")
        return put(message, self._container) if self._container else message

    def warning(self, error: ItemError) -> Element:
        """Begin a message with a warning; returns the message."""
        return self._report("Warning", error)

    def error(self, error: ItemError) -> Element:
        """Add a message that reports an error; returns the message."""
        message = self._report("Error", error)
        if self._container:
            put(message, self._container)
        return message

    def withdraw(self) -> None:
        """Take back the message begun last: an error came up while it was being filled."""
        self._messages.remove(self._messages[-1])

    def _report(self, kind: str, error: ItemError) -> Element:
        message = self._begin(kind)
        put(message, m("MessageText"), error.text)
        put(message, m("ResponseCode"), error.code)
        put(message, m("DescriptiveLinkKey"), "0")
        if error.values:
            detail = put(message, m("MessageXml"))
            for name, value in error.values.items():
                put(detail, f"{{{T}}}Value", value).set("Name", name)
        return message

    def _begin(self, kind: str) -> Element:
        message = put(self._messages, self._message)
        message.set("ResponseClass", kind)
        return message


def lone_answer(name: str, error: ItemError | None = None) -> Element:
    """The answer of an operation that has no ResponseMessages: it is itself the one message."""
    element = etree.Element(m(name), nsmap=NSMAP)
    fill(element, error)
    return element


def fill(message: Element, error: ItemError | None) -> None:
    """Let a message report success, or an error."""
    message.set("ResponseClass", "Success" if error is None else "Error")
    if error is not None:
        put(message, m("MessageText"), error.text)
    put(message, m("ResponseCode"), "NoError" if error is None else error.code)
    if error is not None:
        put(message, m("DescriptiveLinkKey"), "0")
