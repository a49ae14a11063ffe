"""SOAP envelopes: a request's bytes into a Request, an answer or a fault into bytes.

It never follows an entity, reads a DTD or fetches anything, whatever the body says; it knows no operation and no mailbox.
"""

from __future__ import annotations

import re
import xml.parsers.expat
from collections.abc import Sequence
from dataclasses import dataclass

from lxml import etree

from .errors import RequestFault
from .markup import ILLEGAL
from .markup import M
from .markup import T
from .markup import t

SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
ERRORS = "http://schemas.microsoft.com/exchange/services/2006/errors"

# What a mailbox server of this build takes for RequestServerVersion; "Exchange2015" and "Exchange2019" were never valid.
VERSIONS = (
    *("Exchange2007", "Exchange2007_SP1", "Exchange2010", "Exchange2010_SP1", "Exchange2010_SP2"),
    *("Exchange2013", "Exchange2013_SP1", "Exchange2016"),
    *("V2015_10_05", "V2016_01_06", "V2016_04_13", "V2016_07_13", "V2016_10_10", "V2017_01_07", "V2017_04_14"),
    "V2017_07_11",
)
OLDEST = "Exchange2007_SP1"  # what a request without RequestServerVersion asks for

_SERVER_VERSION = {
    "MajorVersion": "15",
    "MinorVersion": "2",
    "MajorBuildNumber": "1544",
    "MinorBuildNumber": "4",
    "Version": "V2017_07_11",
}
_DECLARATION = b'<?xml version="1.0" encoding="utf-8"?>'
# Everything before the root element. Atomic groups: a hostile prolog must not make the search go back and forth.
_PROLOG = re.compile(rb"(?:\xef\xbb\xbf)?(?>(?>\s+|<\?(?>.*?\?>)|<!--(?>.*?-->))*)<[A-Za-z_]", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Request:
    """One parsed request; `element` is the operation's element, still inside its envelope."""

    operation: str
    element: etree._Element
    version: str
    time_zone: str | None
    impersonated: str | None


def parse(body: bytes) -> Request:
    """The request in `body`.

    Raises RequestFault: ErrorInvalidRequest for what is not a SOAP envelope, ErrorInvalidServerVersion, and
    ErrorSchemaValidation for a Body that holds anything but one operation.
    """
    if not _PROLOG.match(body):  # a DOCTYPE, another encoding than UTF-8, or no XML at all
        raise RequestFault("ErrorInvalidRequest")
    # `encoding` wins over the declaration: else UTF-7 could carry a DOCTYPE past the pattern above.
    parser = etree.XMLParser(
        encoding="utf-8",
        resolve_entities=False,
        load_dtd=False,
        no_network=True,
        huge_tree=True,
        remove_comments=True,
        remove_pis=True,
    )
    try:
        envelope = etree.fromstring(body, parser)
    except etree.XMLSyntaxError as error:
        raise RequestFault("ErrorInvalidRequest") from error
    content = envelope.find(f"{{{SOAP}}}Body")
    if envelope.tag != f"{{{SOAP}}}Envelope" or content is None:
        raise RequestFault("ErrorInvalidRequest")
    header = envelope.find(f"{{{SOAP}}}Header")
    version = _version(header)
    if len(content) != 1 or not str(content[0].tag).startswith(f"{{{M}}}"):
        raise _not_an_operation(body, content)
    element = content[0]
    return Request(etree.QName(element).localname, element, version, _time_zone(header), _impersonated(header))


def answer(response: etree._Element) -> bytes:
    """The envelope around a complete response element, which is moved into it."""
    envelope = etree.Element(f"{{{SOAP}}}Envelope", nsmap={"s": SOAP})
    header = etree.SubElement(envelope, f"{{{SOAP}}}Header")
    etree.SubElement(header, t("ServerVersionInfo"), _SERVER_VERSION, nsmap={"h": T})
    etree.SubElement(envelope, f"{{{SOAP}}}Body").append(response)
    return _DECLARATION + etree.tostring(envelope, encoding="utf-8")


def fault(code: str, text: str, *, long_text: str = "", values: Sequence[tuple[str, str]] = ()) -> bytes:
    """A whole-request fault, which has no s:Header.

    `text` is the message; `long_text` what faultstring says where that is longer. `values` go into MessageXml in their
    order: clients look for BackOffMilliseconds in the first place only. The three that schema faults use are elements
    of their own, all others are t:Value.
    """
    envelope = etree.Element(f"{{{SOAP}}}Envelope", nsmap={"s": SOAP})
    content = etree.SubElement(envelope, f"{{{SOAP}}}Body")
    element = etree.SubElement(content, f"{{{SOAP}}}Fault")
    etree.SubElement(element, "faultcode", nsmap={"a": T}).text = f"a:{code}"
    reason = etree.SubElement(element, "faultstring")
    reason.set("{http://www.w3.org/XML/1998/namespace}lang", "en-US")
    reason.text = _printable(long_text or text)
    detail = etree.SubElement(element, "detail")
    etree.SubElement(detail, f"{{{ERRORS}}}ResponseCode", nsmap={"e": ERRORS}).text = code
    etree.SubElement(detail, f"{{{ERRORS}}}Message", nsmap={"e": ERRORS}).text = _printable(text)
    if values:
        message_xml = etree.SubElement(detail, t("MessageXml"), nsmap={"t": T})
        for name, value in values:
            if name in ("LineNumber", "LinePosition", "Violation"):
                etree.SubElement(message_xml, f"{{{T}}}{name}").text = _printable(value)
            else:
                etree.SubElement(message_xml, t("Value"), Name=name).text = _printable(value)
    return _DECLARATION + etree.tostring(envelope, encoding="utf-8")


def fault_of(error: RequestFault) -> bytes:
    """The fault that an operation or a check asked for."""
    if error.code == "ErrorSchemaValidation":
        violation = dict(error.values).get("Violation", "")
        text = "The request failed schema validation."
        long_text = f"The request failed schema validation: {violation}" if violation else text
        return fault(error.code, text, long_text=long_text, values=error.values)
    return fault(error.code, error.text, values=error.values)


def schema_fault(body: bytes, element: etree._Element, violation: str) -> RequestFault:
    """ErrorSchemaValidation at `element`, with the place in `body` where its name stands."""
    line, column = _place(body, element)
    values = [("LineNumber", str(line)), ("LinePosition", str(column)), ("Violation", violation)]
    return RequestFault("ErrorSchemaValidation", "The request failed schema validation.", values)


def unexpected_child(parent: etree._Element, child: etree._Element, expected: Sequence[str]) -> str:
    """The server's words for an element that may not stand where it stands."""
    found = etree.QName(child)
    owner = etree.QName(parent)
    text = (
        f"The element '{owner.localname}' in namespace '{owner.namespace}' has invalid child element "
        f"'{found.localname}' in namespace '{found.namespace}'."
    )
    if expected:
        names = ", ".join(etree.QName(name).localname for name in expected)
        text += f" List of possible elements expected: '{names}' in namespace '{etree.QName(expected[0]).namespace}'."
    return text


def _not_an_operation(body: bytes, content: etree._Element) -> RequestFault:
    if len(content) == 0:
        return schema_fault(body, content, f"The element 'Body' in namespace '{SOAP}' has incomplete content.")
    stray = content[0] if len(content) == 1 else content[1]
    return schema_fault(body, stray, unexpected_child(content, stray, ()))


def _version(header: etree._Element | None) -> str:
    wanted = None if header is None else header.find(t("RequestServerVersion"))
    if wanted is None:
        return OLDEST
    version = wanted.get("Version", "")
    if version not in VERSIONS:
        raise RequestFault("ErrorInvalidServerVersion", "The specified server version is invalid.")
    return version


def _time_zone(header: etree._Element | None) -> str | None:
    zone = None if header is None else header.find(f"{t('TimeZoneContext')}/{t('TimeZoneDefinition')}")
    return None if zone is None else zone.get("Id")


def _impersonated(header: etree._Element | None) -> str | None:
    who = None if header is None else header.find(f"{t('ExchangeImpersonation')}/{t('ConnectingSID')}/*")
    return None if who is None else (who.text or "").strip()


def _place(body: bytes, element: etree._Element) -> tuple[int, int]:
    """Line and column (from 1) of the element's name: lxml keeps only the line, so the start tags are counted again."""
    root = element.getroottree().getroot()
    wanted = next(number for number, each in enumerate(root.iter(etree.Element)) if each is element)
    seen = -1
    place = (1, 1)
    parser = xml.parsers.expat.ParserCreate("utf-8")

    def start(_name: str, _attributes: object) -> None:
        nonlocal seen, place
        seen += 1
        if seen == wanted:
            place = (parser.CurrentLineNumber, parser.CurrentColumnNumber + 2)

    parser.StartElementHandler = start
    parser.Parse(body)
    return place


def _printable(text: str) -> str:
    return ILLEGAL.sub("?", text)
