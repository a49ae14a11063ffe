"""The rules that come with a time zone from the server (`t:TimeZoneDefinition`), as a VTIMEZONE. Pure.

Only zones without a known name need it: those that somebody made, or that a server calls `tzone://Microsoft/Custom`.
"""

from __future__ import annotations

import calendar
import re
from datetime import date
from datetime import datetime
from datetime import time
from datetime import timedelta

from lxml import etree

from ews_bridge.errors import BadItem
from ews_bridge.exchange import soap
from ews_bridge.exchange import zones
from ews_bridge.exchange.contentline import Component
from ews_bridge.exchange.recurrence import CODES
from ews_bridge.exchange.recurrence import NAMES

_DURATION = re.compile(r"(-?)P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:([\d.]+)S)?)?")
_T = f"{{{soap.TYPES}}}"


def zone(element: etree._Element | None) -> zones.Zone | None:
    """A StartTimeZone or EndTimeZone of an item; None when it says nothing that can be understood."""
    if element is None:
        return None
    return zones.from_windows(str(element.get("Id", "")), _definition(element))


def duration(text: str) -> timedelta:
    """An xs:duration of days and less."""
    found = _DURATION.fullmatch(text.strip())
    if not found:
        raise BadItem(f"the server gives a duration of {text!r}")
    sign, days, hours, minutes, seconds = found.groups()
    length = timedelta(int(days or 0), float(seconds or 0), 0, 0, int(minutes or 0), int(hours or 0))
    return -length if sign else length


def _definition(element: etree._Element) -> Component | None:
    """The rules that hold now, which are those of the last group; None when there are none."""
    offsets = {period.get("Id"): -duration(period.get("Bias", "PT0S")) for period in element.iter(f"{_T}Period")}
    groups = element.findall(f"{_T}TransitionsGroups/{_T}TransitionsGroup")
    if not offsets or not groups:
        return None
    transitions = [child for child in groups[-1] if child.findtext(f"{_T}To") in offsets]
    if not transitions:
        return None
    name = element.get("Name") or element.get("Id") or "Custom"
    lines = ["BEGIN:VTIMEZONE", f"TZID:{name.replace(':', '.')}"]
    after = [offsets[child.findtext(f"{_T}To")] for child in transitions]
    for position, child in enumerate(transitions):
        before = after[position - 1]
        kind = "DAYLIGHT" if after[position] > before else "STANDARD"
        lines += [f"BEGIN:{kind}", *_when(child)]
        lines += [f"TZOFFSETFROM:{zones.utc_offset(before)}", f"TZOFFSETTO:{zones.utc_offset(after[position])}", f"END:{kind}"]
    return zones.component([*lines, "END:VTIMEZONE"])


def _when(child: etree._Element) -> list[str]:
    """DTSTART and RRULE of one change of the clocks; of a zone that has none, DTSTART alone."""
    month = int(soap.text(child, "Month") or 0)
    if not month:
        return ["DTSTART:19700101T000000"]
    at = (datetime.combine(date(1970, 1, 1), time()) + duration(soap.text(child, "TimeOffset") or "PT0S")).strftime("%H%M%S")
    if day := int(soap.text(child, "Day") or 0):
        return [f"DTSTART:1970{month:02}{day:02}T{at}", f"RRULE:FREQ=YEARLY;BYMONTH={month};BYMONTHDAY={day}"]
    weekday = NAMES.index(soap.text(child, "DayOfWeek"))
    position = int(soap.text(child, "Occurrence") or 1)
    position = -1 if position > 4 or position < 0 else position
    days = [day for day in range(1, calendar.monthrange(1970, month)[1] + 1) if calendar.weekday(1970, month, day) == weekday]
    first = days[position - 1 if position > 0 else -1]
    rule = f"RRULE:FREQ=YEARLY;BYMONTH={month};BYDAY={position}{CODES[weekday]}"
    return [f"DTSTART:1970{month:02}{first:02}T{at}", rule]
