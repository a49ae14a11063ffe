"""Appointments: the properties of a calendar item and what they say (MS-OXOCAL, MS-OXWSMTGS). Moments are seconds since 1970.

The occurrences of a series are made in occurrences.py; what must hold of every item saved is seen to in settling.py.
"""

from __future__ import annotations

import datetime as dt
from functools import lru_cache

from lxml import etree

from . import global_ids
from . import properties
from . import recurrence as recurring
from . import timezones
from .mapi import SETS
from .mapi import PropertyName
from .recurrence import Recurrence
from .store import Item
from .timezones import Zone

APPOINTMENT = SETS["Appointment"]
MEETING = SETS["Meeting"]
COMMON = SETS["Common"]
# The names of MS-OXPROPS without PidLid.
SEQUENCE: PropertyName = (APPOINTMENT, 0x8201)
BUSY_STATUS: PropertyName = (APPOINTMENT, 0x8205)
LOCATION: PropertyName = (APPOINTMENT, 0x8208)
START: PropertyName = (APPOINTMENT, 0x820D)
END: PropertyName = (APPOINTMENT, 0x820E)
ALL_DAY: PropertyName = (APPOINTMENT, 0x8215)
STATE: PropertyName = (APPOINTMENT, 0x8217)
RESPONSE: PropertyName = (APPOINTMENT, 0x8218)
REPLY_TIME: PropertyName = (APPOINTMENT, 0x8220)
RECURRING: PropertyName = (APPOINTMENT, 0x8223)
INTENDED_STATUS: PropertyName = (APPOINTMENT, 0x8224)
INVITED: PropertyName = (APPOINTMENT, 0x8229)
GLOBAL_ID: PropertyName = (MEETING, 0x03)
CLEAN_ID: PropertyName = (MEETING, 0x23)
NO_PROPOSAL: PropertyName = (APPOINTMENT, 0x825A)
OWNER_CHANGE: PropertyName = (MEETING, 0x1A)
COMMON_START: PropertyName = (COMMON, 0x8516)
COMMON_END: PropertyName = (COMMON, 0x8517)
REMINDER_MINUTES: PropertyName = (COMMON, 0x8501)
REMINDER_TIME: PropertyName = (COMMON, 0x8502)
REMINDER_SET: PropertyName = (COMMON, 0x8503)
REMINDER_SIGNAL: PropertyName = (COMMON, 0x8560)
# Bits of AppointmentStateFlags.
IS_MEETING, IS_RECEIVED, IS_CANCELLED = 1, 2, 4
FREE, TENTATIVE, BUSY = 0, 1, 2
# Values of ResponseStatus; attendees.py has the names of all.
ORGANIZER, NOT_RESPONDED = 1, 5
OCCURRENCE_CLASS = "IPM.Appointment.Occurrence"

# What follows from other properties and is never an occurrence's own.
DERIVED = frozenset((COMMON_START, COMMON_END, RECURRING, REMINDER_TIME, REMINDER_SIGNAL))


# -- what an item says


def moment(item: Item, name: PropertyName) -> int:
    value = properties.read(item, name, "SystemTime")
    return value if isinstance(value, int) else 0


def flag(item: Item, name: PropertyName) -> bool:
    return properties.read(item, name, "Boolean") is True


def state(item: Item) -> int:
    return properties.number(item, STATE) or 0


def is_organizer(item: Item) -> bool:
    return not state(item) & IS_RECEIVED


def identifier(item: Item, name: PropertyName = CLEAN_ID) -> bytes:
    value = properties.read(item, name, "Binary")
    return value if isinstance(value, bytes) else b""


def uid(item: Item) -> str:
    """The UID; '' for an item without identity."""
    found = identifier(item, GLOBAL_ID)
    return global_ids.uid_of(found) if found else ""


def meant_for(item: Item) -> int | None:
    """The moment an occurrence was meant for, also of one without its series; None for anything else."""
    if item.master is not None:
        return original_start(item)
    found = identifier(item, GLOBAL_ID)
    day = global_ids.day_of(found) if found else None
    if day is None:
        return None
    where = zone(item)
    return where.moment(dt.datetime.combine(day, where.local(moment(item, START)).time()))


@lru_cache(maxsize=4096)
def _zone(kept: bytes) -> Zone:
    return timezones.read_zone(etree.fromstring(kept))


def zone(item: Item, name: str = "StartTimeZone") -> Zone:
    """The time zone in which the item begins; or ends."""
    kept = item.declared.get(name) or item.declared.get("StartTimeZone")
    return timezones.UTC if kept is None else _zone(kept)


def set_zone(item: Item, name: str, wanted: Zone) -> None:
    parent = etree.Element("kept")
    timezones.put_zone(parent, name, wanted, full=True)
    item.declared[name] = etree.tostring(parent[0])


@lru_cache(maxsize=4096)
def _recurrence(kept: bytes) -> Recurrence:
    return recurring.unpack(kept)


def recurrence(item: Item) -> Recurrence | None:
    """The recurrence of a series; None for a single appointment and for an occurrence."""
    kept = item.declared.get("Recurrence")
    return None if kept is None else _recurrence(kept)


def set_recurrence(item: Item, wanted: Recurrence | None) -> None:
    if wanted is None:
        item.declared.pop("Recurrence", None)
    else:
        item.declared["Recurrence"] = recurring.pack(wanted)


def item_type(item: Item) -> str:
    """The CalendarItemType."""
    if item.master is not None:
        return "Exception" if item.occurrence in item.master.exceptions else "Occurrence"
    return "RecurringMaster" if "Recurrence" in item.declared else "Single"


def times(series: Item, day: dt.date) -> tuple[int, int]:
    """Begin and end of the occurrence of a day, as the pattern has it: by the clock on the wall of the first occurrence.

    Where clocks skip the begin and not the end, it lasts as long as the first one does.
    """
    where = zone(series)
    begin, end = where.local(moment(series, START)), where.local(moment(series, END))
    local = dt.datetime.combine(day, begin.time())
    start, stop = where.moment(local), where.moment(local + (end - begin))
    return start, stop if stop >= start else start + int((end - begin).total_seconds())


def original_start(shown: Item) -> int:
    """When an occurrence would be by the pattern of its series."""
    if shown.master is None:
        raise ValueError("not an occurrence")
    return times(shown.master, dt.date.fromordinal(shown.occurrence))[0]


def derive(item: Item) -> None:
    """The properties that say again what others say."""
    begin, end = moment(item, START), moment(item, END)
    item.props[COMMON_START], item.props[COMMON_END] = ("SystemTime", begin), ("SystemTime", end)
    item.props[RECURRING] = ("Boolean", "Recurrence" in item.declared)
    item.props[REMINDER_TIME] = ("SystemTime", begin)
    minutes = properties.number(item, REMINDER_MINUTES) or 0
    item.props[REMINDER_SIGNAL] = ("SystemTime", begin - minutes * 60)
