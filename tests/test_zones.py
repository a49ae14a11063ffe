"""Time zones: by name and by what they do, and as VTIMEZONEs that say what the zone does."""

from __future__ import annotations

from datetime import UTC
from datetime import datetime
from datetime import timedelta
from zoneinfo import ZoneInfo

import icalendar
import pytest
from icalendar.timezone.windows_to_olson import WINDOWS_TO_OLSON
from lxml import etree

from ews_bridge.errors import BadItem
from ews_bridge.exchange import bodytext
from ews_bridge.exchange import contentline
from ews_bridge.exchange import soap
from ews_bridge.exchange import zones
from ews_bridge.exchange import zonexml

BERLIN = zones.Zone("W. Europe Standard Time", "Europe/Berlin")
CHANGE = (
    '<t:RecurringDayTransition><t:To Kind="Period">{}</t:To><t:TimeOffset>PT{}M</t:TimeOffset><t:Month>{}</t:Month>'
    "<t:DayOfWeek>Sunday</t:DayOfWeek><t:Occurrence>-1</t:Occurrence></t:RecurringDayTransition>"
)


def definition(name: str, periods: str, transitions: str) -> etree._Element:
    return etree.fromstring(
        f'<t:StartTimeZone xmlns:t="{soap.TYPES}" Id="tzone://Microsoft/Custom" Name="{name}"><t:Periods>{periods}</t:Periods>'
        f'<t:TransitionsGroups><t:TransitionsGroup Id="0">{transitions}</t:TransitionsGroup></t:TransitionsGroups>'
        "</t:StartTimeZone>"
    )


PERIODS = '<t:Period Bias="-PT60M" Name="Standard" Id="S"/><t:Period Bias="-PT120M" Name="Daylight" Id="D"/>'


def test_a_zone_that_somebody_made_is_known_by_its_rules() -> None:
    found = zonexml.zone(definition("Mine", PERIODS, CHANGE.format("D", 120, 3) + CHANGE.format("S", 180, 10)))
    assert found
    assert found.windows == "Central Europe Standard Time"
    assert not found.rules


def test_a_zone_that_is_like_no_other_is_described() -> None:
    found = zonexml.zone(definition("Mine: own", PERIODS, CHANGE.format("D", 120, 3) + CHANGE.format("S", 240, 10)))
    assert found
    assert found.tzid == "Mine. own"
    described = zones.vtimezone(found, 2026)
    assert described[0] == "BEGIN:VTIMEZONE"
    assert found.local(datetime(2026, 7, 1, 12, tzinfo=UTC)) == datetime(2026, 7, 1, 14)
    assert found.local(datetime(2026, 12, 1, 12, tzinfo=UTC)) == datetime(2026, 12, 1, 13)
    # Summer time is over at four instead of three.
    assert found.local(datetime(2026, 10, 25, 1, 30, tzinfo=UTC)) == datetime(2026, 10, 25, 3, 30)


def test_a_zone_that_never_changes_its_clocks_is_known_too() -> None:
    fixed = '<t:Transition><t:To Kind="Period">S</t:To></t:Transition>'
    found = zonexml.zone(definition("Fixed", '<t:Period Bias="-PT330M" Name="Standard" Id="S"/>', fixed))
    assert found in (zones.from_windows("India Standard Time"), zones.from_windows("Sri Lanka Standard Time"))


@pytest.mark.parametrize(
    ("name", "tzid"),
    [("tzone://Microsoft/Utc", "UTC"), ("W. Europe Standard Time", "Europe/Berlin"), ("Europe/Oslo", "Europe/Oslo")],
)
def test_names_of_the_server_are_understood(name: str, tzid: str) -> None:
    found = zones.from_windows(name)
    assert found
    assert found.tzid == tzid
    assert zonexml.zone(None) is None
    assert zones.from_windows("Nothing anybody knows") is None


@pytest.mark.parametrize("name", ["/freeassociation.sourceforge.net/Europe/Berlin", "/example.org/20260101/Europe/Berlin"])
def test_an_iana_name_is_found_behind_a_prefix(name: str) -> None:
    assert zones.from_tzid(name, {}, (2026, 2026)) == BERLIN


@pytest.mark.parametrize("name", ["../../etc/passwd", "/etc/localtime", "Europe", "", "Europe/Nowhere"])
def test_a_name_that_is_none_is_none(name: str) -> None:
    assert zones.from_iana(name) is None
    with pytest.raises(BadItem):
        zones.from_tzid(name, {}, (2026, 2026))


@pytest.mark.parametrize("windows", sorted(WINDOWS_TO_OLSON))
def test_the_vtimezone_of_every_windows_zone_says_what_the_zone_does(windows: str) -> None:
    zone = zones.from_windows(windows)
    assert zone
    lines = zones.vtimezone(zone, 2026)
    own = [line.replace(zone.tzid, f"X-{windows}") if line.startswith("TZID") else line for line in lines]
    component = icalendar.Timezone.from_ical("\r\n".join(own) + "\r\n")
    assert isinstance(component, icalendar.Timezone)
    described = component.to_tz()
    when = datetime(2026, 1, 1, 12, tzinfo=UTC)
    while when.year < 2034:
        assert when.astimezone(described).utcoffset() == when.astimezone(ZoneInfo(zone.tzid)).utcoffset(), when
        when += timedelta(days=3)


def test_the_hours_at_a_change_of_the_clocks() -> None:
    first = BERLIN.moment(datetime(2026, 10, 25, 2, 30))
    assert first == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    assert BERLIN.tells(first)
    assert not BERLIN.tells(first + timedelta(hours=1))
    assert BERLIN.moment(datetime(2026, 3, 29, 2, 30)) == datetime(2026, 3, 29, 1, 30, tzinfo=UTC)


def test_before_the_rules_of_today_the_server_knows_no_others() -> None:
    # There was no summer time in 1965; Windows does not know that.
    assert BERLIN.moment(datetime(1965, 7, 1, 9)) == datetime(1965, 7, 1, 7, tzinfo=UTC)
    assert BERLIN.local(datetime(1965, 7, 1, 7, tzinfo=UTC)) == datetime(1965, 7, 1, 9)


# ---- lines


@pytest.mark.parametrize(
    "line",
    [
        *("SUMMARY:a:b;c,d", 'X-A;P="a:b;c";Q=d,e;R="f","g":value\\,x', "X-EMPTY:", 'ATTENDEE;CN="B, C":mailto:x@example.org'),
        *("X-ODD;P=a=b:c", "X-CARET;P=a^nb:c"),
    ],
)
def test_a_line_is_written_as_it_was_read(line: str) -> None:
    assert str(contentline.parse(line)) == line


def test_parameters_are_decoded() -> None:
    assert contentline.parse("X;CN=\"Bob ^n^^ ^'x^'\":v").parameter("CN") == 'Bob \n^ "x"'
    assert contentline.quote('a"b\n^, c') == '"a^\'b^n^^, c"'


def test_folding_never_tears_a_character() -> None:
    text = "SUMMARY:" + "äöü€😀" * 40
    folded = contentline.fold([text])
    assert max(map(len, folded.split(b"\r\n"))) == 75
    assert [line.decode() for line in folded.split(b"\r\n")]
    assert list(contentline.unfold(folded.decode())) == [text]


@pytest.mark.parametrize("text", ["a,b;c\\d\ne", "\\n", "\\\\,", ""])
def test_texts_are_escaped_and_back(text: str) -> None:
    assert contentline.unescape(contentline.escape(text)) == text


# ---- HTML


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<p>One</p><p>Two</p>", "One\n\nTwo"),
        ("<html><head><style>x</style></head><body>One<br>Two&nbsp;&amp;</body></html>", "One\nTwo &"),
        ("<ul><li>One</li><li>Two</li></ul>", "* One\n* Two"),
        ('<a href="https://x.org/j">Join</a>', "Join <https://x.org/j>"),
        ('<a href="https://x.org/">https://x.org</a>', "https://x.org"),
        ("<table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table>", "a b\nc"),
        ("", ""),
        ("<script>x</script>", ""),
    ],
)
def test_html_is_read_as_a_person_sees_it(html: str, text: str) -> None:
    assert bodytext.from_html(html) == text
