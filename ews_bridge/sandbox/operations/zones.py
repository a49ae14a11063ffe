"""The time zones a server offers: Windows names, and rules for the change to and from daylight saving time."""

from __future__ import annotations

from dataclasses import dataclass

from ..markup import Element
from ..markup import put
from ..markup import t


@dataclass(frozen=True, slots=True)
class Change:
    """A yearly change of clocks: month, day of the week, which one in the month (-1 the last), time of day."""

    month: int
    occurrence: int
    time: str
    day: str = "Sunday"


@dataclass(frozen=True, slots=True)
class Zone:
    """A time zone; `offset` is minutes east of Greenwich, without `summer` and `winter` it knows no daylight time."""

    id: str
    name: str
    offset: int
    summer: Change | None = None
    winter: Change | None = None


EUROPE = (Change(3, -1, "PT2H"), Change(10, -1, "PT3H"))
BRITAIN = (Change(3, -1, "PT1H"), Change(10, -1, "PT2H"))
EASTERN_EUROPE = (Change(3, -1, "PT3H"), Change(10, -1, "PT4H"))
AMERICA = (Change(3, 2, "PT2H"), Change(11, 1, "PT2H"))
AUSTRALIA = (Change(10, 1, "PT2H"), Change(4, 1, "PT3H"))
ZEALAND = (Change(9, -1, "PT2H"), Change(4, 1, "PT3H"))

ZONES = (
    Zone("Hawaiian Standard Time", "(UTC-10:00) Hawaii", -600),
    Zone("Alaskan Standard Time", "(UTC-09:00) Alaska", -540, *AMERICA),
    Zone("Pacific Standard Time", "(UTC-08:00) Pacific Time (US & Canada)", -480, *AMERICA),
    Zone("US Mountain Standard Time", "(UTC-07:00) Arizona", -420),
    Zone("Mountain Standard Time", "(UTC-07:00) Mountain Time (US & Canada)", -420, *AMERICA),
    Zone("Central Standard Time", "(UTC-06:00) Central Time (US & Canada)", -360, *AMERICA),
    Zone("Eastern Standard Time", "(UTC-05:00) Eastern Time (US & Canada)", -300, *AMERICA),
    Zone("Atlantic Standard Time", "(UTC-04:00) Atlantic Time (Canada)", -240, *AMERICA),
    Zone("Newfoundland Standard Time", "(UTC-03:30) Newfoundland", -210, *AMERICA),
    Zone("E. South America Standard Time", "(UTC-03:00) Brasilia", -180),
    Zone("Argentina Standard Time", "(UTC-03:00) City of Buenos Aires", -180),
    Zone("UTC", "(UTC) Coordinated Universal Time", 0),
    Zone("Greenwich Standard Time", "(UTC+00:00) Monrovia, Reykjavik", 0),
    Zone("GMT Standard Time", "(UTC+00:00) Dublin, Edinburgh, Lisbon, London", 0, *BRITAIN),
    Zone("W. Europe Standard Time", "(UTC+01:00) Amsterdam, Berlin, Bern, Rome, Stockholm, Vienna", 60, *EUROPE),
    Zone("Romance Standard Time", "(UTC+01:00) Brussels, Copenhagen, Madrid, Paris", 60, *EUROPE),
    Zone("Central Europe Standard Time", "(UTC+01:00) Belgrade, Bratislava, Budapest, Ljubljana, Prague", 60, *EUROPE),
    Zone("Central European Standard Time", "(UTC+01:00) Sarajevo, Skopje, Warsaw, Zagreb", 60, *EUROPE),
    Zone("W. Central Africa Standard Time", "(UTC+01:00) West Central Africa", 60),
    Zone("FLE Standard Time", "(UTC+02:00) Helsinki, Kyiv, Riga, Sofia, Tallinn, Vilnius", 120, *EASTERN_EUROPE),
    Zone("GTB Standard Time", "(UTC+02:00) Athens, Bucharest", 120, *EASTERN_EUROPE),
    Zone("South Africa Standard Time", "(UTC+02:00) Harare, Pretoria", 120),
    Zone("Turkey Standard Time", "(UTC+03:00) Istanbul", 180),
    Zone("Arab Standard Time", "(UTC+03:00) Kuwait, Riyadh", 180),
    Zone("Russian Standard Time", "(UTC+03:00) Moscow, St. Petersburg", 180),
    Zone("Arabian Standard Time", "(UTC+04:00) Abu Dhabi, Muscat", 240),
    Zone("India Standard Time", "(UTC+05:30) Chennai, Kolkata, Mumbai, New Delhi", 330),
    Zone("SE Asia Standard Time", "(UTC+07:00) Bangkok, Hanoi, Jakarta", 420),
    Zone("China Standard Time", "(UTC+08:00) Beijing, Chongqing, Hong Kong, Urumqi", 480),
    Zone("Singapore Standard Time", "(UTC+08:00) Kuala Lumpur, Singapore", 480),
    Zone("Tokyo Standard Time", "(UTC+09:00) Osaka, Sapporo, Tokyo", 540),
    Zone("Korea Standard Time", "(UTC+09:00) Seoul", 540),
    Zone("AUS Eastern Standard Time", "(UTC+10:00) Canberra, Melbourne, Sydney", 600, *AUSTRALIA),
    Zone("New Zealand Standard Time", "(UTC+12:00) Auckland, Wellington", 720, *ZEALAND),
)


def put_zones(parent: Element, wanted: list[str], *, full: bool) -> None:
    """Append the definitions of the wanted zones, of all if none is named; `full` adds the rules."""
    for zone in ZONES:
        if wanted and zone.id not in wanted:
            continue
        element = put(parent, t("TimeZoneDefinition"))
        element.set("Id", zone.id)
        element.set("Name", zone.name)
        if full:
            _put_rules(element, zone)


def _put_rules(element: Element, zone: Zone) -> None:
    periods = put(element, t("Periods"))
    _put_period(periods, zone, "Standard", zone.offset)
    group = put(put(element, t("TransitionsGroups")), t("TransitionsGroup"))
    group.set("Id", "0")
    if zone.summer is not None and zone.winter is not None:
        _put_period(periods, zone, "Daylight", zone.offset + 60)
        _put_change(group, zone, zone.summer, "Daylight")
        _put_change(group, zone, zone.winter, "Standard")
    else:
        put(put(group, t("Transition")), t("To"), f"trule:Microsoft/Registry/{zone.id}/1-Standard").set("Kind", "Period")
    transitions = put(element, t("Transitions"))
    put(put(transitions, t("Transition")), t("To"), "0").set("Kind", "Group")


def _put_period(periods: Element, zone: Zone, name: str, offset: int) -> None:
    period = put(periods, t("Period"))
    hours, minutes = divmod(abs(offset), 60)
    # Bias counts from local time to UTC: east of Greenwich it is negative.
    period.set("Bias", f"{'-' if offset > 0 else ''}PT{hours}H{f'{minutes}M' if minutes else ''}")
    period.set("Name", name)
    period.set("Id", f"trule:Microsoft/Registry/{zone.id}/1-{name}")


def _put_change(group: Element, zone: Zone, change: Change, to: str) -> None:
    transition = put(group, t("RecurringDayTransition"))
    put(transition, t("To"), f"trule:Microsoft/Registry/{zone.id}/1-{to}").set("Kind", "Period")
    put(transition, t("TimeOffset"), change.time)
    put(transition, t("Month"), str(change.month))
    put(transition, t("DayOfWeek"), change.day)
    put(transition, t("Occurrence"), str(change.occurrence))
