"""When people and rooms have time: GetUserAvailability (MS-OXWAVLS). Only asks; all times are UTC."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

from lxml import etree

from ews_bridge.exchange import faults
from ews_bridge.exchange import soap
from ews_bridge.exchange.session import Connection

#: A request takes no more mailboxes than these, and no longer time than these days.
MOST = 100
DAYS = 62
_M, _T = f"{{{soap.MESSAGES}}}", f"{{{soap.TYPES}}}"
# The zone of the request and of the answer; the two changes of its clocks are demanded, and change nothing.
_CHANGE = (
    "<t:Bias>0</t:Bias><t:Time>00:00:00</t:Time><t:DayOrder>0</t:DayOrder><t:Month>0</t:Month><t:DayOfWeek>Sunday</t:DayOfWeek>"
)
_HALVES = f"<t:StandardTime>{_CHANGE}</t:StandardTime><t:DaylightTime>{_CHANGE}</t:DaylightTime>"
_UTC = f"<t:TimeZone><t:Bias>0</t:Bias>{_HALVES}</t:TimeZone>"


@dataclass(frozen=True, slots=True)
class Busy:
    """A time that is taken. `status` is Busy, Tentative, OOF, WorkingElsewhere or Free; the texts are "" if they are not told."""

    start: dt.datetime
    end: dt.datetime
    status: str
    subject: str = ""
    location: str = ""


@dataclass(frozen=True, slots=True)
class Calendar:
    """What somebody's calendar tells; `why` is not "" where it tells nothing."""

    address: str
    busy: tuple[Busy, ...] = ()
    why: str = ""


def calendars(connection: Connection, addresses: Sequence[str], start: dt.datetime, end: dt.datetime) -> list[Calendar]:
    """The calendars of these addresses between two moments in UTC, in their order."""
    found: list[Calendar] = []
    for first in range(0, len(addresses), MOST):
        some = addresses[first : first + MOST]
        root = connection.ask(_request(some, start, end), _answer, repeat=True)
        responses = list(root.iter(f"{_M}FreeBusyResponse"))
        if len(responses) != len(some):
            raise faults.Lost("the server's answer does not fit the question")
        found += [_calendar(address, response) for address, response in zip(some, responses, strict=True)]
    return found


def _request(addresses: Sequence[str], start: dt.datetime, end: dt.datetime) -> bytes:
    boxes = "".join(
        f"<t:MailboxData><t:Email><t:Address>{escape(address)}</t:Address></t:Email><t:AttendeeType>Required</t:AttendeeType>"
        "<t:ExcludeConflicts>false</t:ExcludeConflicts></t:MailboxData>"
        for address in addresses
    )
    window = f"<t:StartTime>{start:%Y-%m-%dT%H:%M:%S}</t:StartTime><t:EndTime>{end:%Y-%m-%dT%H:%M:%S}</t:EndTime>"
    return (
        f"<m:GetUserAvailabilityRequest>{_UTC}<m:MailboxDataArray>{boxes}</m:MailboxDataArray><t:FreeBusyViewOptions>"
        f"<t:TimeWindow>{window}</t:TimeWindow><t:MergedFreeBusyIntervalInMinutes>30</t:MergedFreeBusyIntervalInMinutes>"
        "<t:RequestedView>Detailed</t:RequestedView></t:FreeBusyViewOptions></m:GetUserAvailabilityRequest>"
    ).encode()


def _answer(body: bytearray) -> etree._Element:
    """The answer's root; it has no ResponseMessages."""
    root = soap.parse(body)
    if root.find(f".//{_M}FreeBusyResponseArray") is None:
        soap.messages(root)  # a fault is raised
        raise faults.Lost("the server's answer has no FreeBusyResponseArray")
    return root


def _calendar(address: str, response: etree._Element) -> Calendar:
    code = response.findtext(f"{_M}ResponseMessage/{_M}ResponseCode") or ""
    if code != "NoError":
        words = response.findtext(f"{_M}ResponseMessage/{_M}MessageText") or ""
        return Calendar(address, why=f"{words.rstrip('.')} ({code})" if words else code)
    return Calendar(address, tuple(_busy(event) for event in response.iter(f"{_T}CalendarEvent")))


def _busy(event: etree._Element) -> Busy:
    details = event.find(f"{_T}CalendarEventDetails")
    subject, location = ("", "") if details is None else (soap.text(details, "Subject"), soap.text(details, "Location"))
    start, end = (_moment(soap.text(event, name)) for name in ("StartTime", "EndTime"))
    return Busy(start, end, soap.text(event, "BusyType"), subject, location)


def _moment(text: str) -> dt.datetime:
    """Times of the answer have no zone: they are by the request's clock."""
    try:
        moment = dt.datetime.fromisoformat(text)
    except ValueError as error:
        raise faults.Lost(f"the server's answer has a time that is none: {text!r}") from error
    return moment.replace(tzinfo=dt.UTC) if moment.tzinfo is None else moment.astimezone(dt.UTC)
