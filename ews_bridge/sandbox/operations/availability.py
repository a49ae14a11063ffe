"""GetUserAvailability: when users are free; the details only of one's own calendar. Times to meet are not suggested.

The answer is built unlike the others: no ResponseMessages, and times by the clock of the zone that the request describes.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from lxml import etree

from .. import appointments
from .. import occurrences
from .. import properties
from ..calendar_fields import BUSY_STATUSES
from ..errors import ItemError
from ..markup import NSMAP
from ..markup import Element
from ..markup import children
from ..markup import m
from ..markup import put
from ..markup import t
from ..meetings import entries
from ..store import Item
from ..timezones import DAYS
from ..timezones import Change
from ..timezones import Era
from ..timezones import Zone
from ..world import Mailbox
from .call import Call

WIDEST = 62 * 86_400
# Which status hides which where appointments overlap: MergedFreeBusy shows one of them.
WEIGHT = {0: 0, 4: 1, 1: 2, 2: 3, 3: 4}
VIEWS = ("None", "MergedOnly", "FreeBusy", "FreeBusyMerged", "Detailed", "DetailedMerged")
SAFE = {"Detailed": "FreeBusy", "DetailedMerged": "FreeBusyMerged"}


@dataclass(frozen=True, slots=True)
class Wish:
    """What is asked for: from when to when, in steps of how many minutes, in which zone and how much of it."""

    zone: Zone
    begin: int
    end: int
    interval: int
    view: str


def get_user_availability(call: Call, request: Element) -> Element:
    answer = etree.Element(m("GetUserAvailabilityResponse"), nsmap=NSMAP)
    responses = put(answer, m("FreeBusyResponseArray"))
    for data in children(request.find(m("MailboxDataArray"))):
        response = put(responses, m("FreeBusyResponse"))
        message = put(response, m("ResponseMessage"))
        try:
            wish = _wish(request)
            mailbox = _mailbox(call, data)
        except ItemError as error:
            message.set("ResponseClass", "Error")
            put(message, m("MessageText"), error.text)
            put(message, m("ResponseCode"), error.code)
            put(message, m("DescriptiveLinkKey"), "0")
            continue
        message.set("ResponseClass", "Success")
        put(message, m("ResponseCode"), "NoError")
        _put_view(put(response, m("FreeBusyView")), mailbox, wish, own=mailbox is call.user)
    return answer


def _mailbox(call: Call, data: Element) -> Mailbox:
    address = (data.findtext(f"{t('Email')}/{t('Address')}") or "").strip().lower()
    found = call.world.users.get(address)
    if found is None:
        raise ItemError("ErrorMailRecipientNotFound", f"Unable to resolve e-mail address {address}.")
    return found


def _wish(request: Element) -> Wish:
    zone = _zone(request.find(t("TimeZone")))
    options = request.find(t("FreeBusyViewOptions"))
    if options is None:
        raise ItemError("ErrorInvalidFreeBusyViewType", "The free/busy view is not valid.")
    begin, end = (_moment(zone, options.findtext(f"{t('TimeWindow')}/{t(name)}") or "") for name in ("StartTime", "EndTime"))
    if end <= begin:
        raise ItemError("ErrorInvalidTimeInterval", "The end of the time window is not after its start.")
    if end - begin > WIDEST:
        raise ItemError("ErrorTimeIntervalTooBig", "The time window is longer than 62 days.")
    interval = int(options.findtext(t("MergedFreeBusyIntervalInMinutes")) or 30)
    if not 5 <= interval <= 1440:
        raise ItemError("ErrorInvalidMergedFreeBusyInterval", "The interval must lie between 5 and 1440 minutes.")
    view = options.findtext(t("RequestedView")) or "FreeBusy"
    if view not in VIEWS or view == "None":
        raise ItemError("ErrorInvalidFreeBusyViewType", "The free/busy view is not valid.")
    return Wish(zone, begin, end, interval, view)


def _moment(zone: Zone, text: str) -> int:
    try:
        clock = dt.datetime.fromisoformat(text.strip())
    except ValueError as failure:
        raise ItemError("ErrorInvalidTimeInterval", "The time window is not valid.") from failure
    # A zone after the time is not looked at: the request's TimeZone decides.
    return zone.moment(clock.replace(tzinfo=None, microsecond=0))


def _zone(element: Element | None) -> Zone:
    """The zone in the form that only this operation has: biases in minutes, counted from local time to UTC."""
    if element is None:
        raise ItemError("ErrorTimeZone", "The time zone is missing.")
    base = -int(element.findtext(t("Bias")) or 0)
    halves = [element.find(t(name)) for name in ("StandardTime", "DaylightTime")]
    standard, daylight = halves
    if standard is None or daylight is None or not int(standard.findtext(t("Month")) or 0):
        return Zone("", "", (Era(0, base, base),))
    offsets = [base - int(half.findtext(t("Bias")) or 0) for half in (standard, daylight)]
    return Zone("", "", (Era(0, offsets[0], offsets[1], _change(daylight), _change(standard)),))


def _change(half: Element) -> Change:
    clock = dt.time.fromisoformat((half.findtext(t("Time")) or "00:00:00")[:8])
    order, day = int(half.findtext(t("DayOrder")) or 1), half.findtext(t("DayOfWeek")) or ""
    month, minutes = int(half.findtext(t("Month")) or 1), clock.hour * 60 + clock.minute
    if day not in DAYS:
        return Change(month, 0, 0, minutes, order)
    return Change(month, -1 if order == 5 else order, DAYS.index(day), minutes)


def _put_view(parent: Element, mailbox: Mailbox, wish: Wish, *, own: bool) -> None:
    view = wish.view if own else SAFE.get(wish.view, wish.view)
    found = [one for item in entries(mailbox) for one in occurrences.within(item, wish.begin, wish.end)]
    busy = [one for one in found if _ends_after(one, wish.begin)]
    busy.sort(key=lambda one: appointments.moment(one, appointments.START))
    put(parent, t("FreeBusyViewType"), view)
    if view.endswith(("Merged", "MergedOnly")):
        put(parent, t("MergedFreeBusy"), _merged(busy, wish))
    if view != "MergedOnly" and busy:
        events = put(parent, t("CalendarEventArray"))
        for one in busy:
            _put_event(events, one, wish.zone, detailed=view.startswith("Detailed"))


def _ends_after(item: Item, moment: int) -> bool:
    return appointments.moment(item, appointments.END) > moment


def _status(item: Item) -> int:
    status = properties.number(item, appointments.BUSY_STATUS) or 0
    return status if status in WEIGHT else appointments.BUSY


def _merged(busy: list[Item], wish: Wish) -> str:
    digits = []
    step = wish.interval * 60
    for begin in range(wish.begin, wish.end, step):
        inside = [
            _status(one)
            for one in busy
            if appointments.moment(one, appointments.START) < begin + step and _ends_after(one, begin)
        ]
        digits.append(str(max(inside, key=WEIGHT.__getitem__, default=0)))
    return "".join(digits)


def _put_event(parent: Element, item: Item, zone: Zone, *, detailed: bool) -> None:
    event = put(parent, t("CalendarEvent"))
    for name, prop in (("StartTime", appointments.START), ("EndTime", appointments.END)):
        put(event, t(name), zone.local(appointments.moment(item, prop)).isoformat())
    put(event, t("BusyType"), BUSY_STATUSES[_status(item)])
    if not detailed:
        return
    details = put(event, t("CalendarEventDetails"))
    put(details, t("ID"), appointments.identifier(item, appointments.GLOBAL_ID).hex().upper())
    put(details, t("Subject"), properties.text(item, properties.SUBJECT))
    put(details, t("Location"), properties.text(item, appointments.LOCATION))
    facts = {
        "IsMeeting": bool(appointments.state(item) & appointments.IS_MEETING),
        "IsRecurring": item.master is not None,
        "IsException": appointments.item_type(item) == "Exception",
        "IsReminderSet": appointments.flag(item, appointments.REMINDER_SET),
        "IsPrivate": properties.number(item, properties.SENSITIVITY) == 2,
    }
    for name, value in facts.items():
        put(details, t(name), "true" if value else "false")
