"""The recurrence of a task: `t:Recurrence` ⇄ RRULE, or X-EWS-REGENERATE for one that is counted from its completion. Pure.

Between the two it is a text, `START RULE`: "2026-11-24 FREQ=WEEKLY;BYDAY=TU", "2026-11-24 REGENERATE;FREQ=DAILY;INTERVAL=3". The
day it counts from is the task's start, else its due day; where Exchange counts from another, the line says so (X-EWS-FROM).
"""

from __future__ import annotations

from datetime import date

from lxml import etree

from ews_bridge.errors import BadItem
from ews_bridge.exchange import recurrence
from ews_bridge.exchange import rrule
from ews_bridge.exchange import soap
from ews_bridge.exchange.contentline import Component
from ews_bridge.exchange.contentline import Line

_MARK = "REGENERATE;"
#: Elements by FREQ (types.xsd, TaskRecurrencePatternTypes).
_ELEMENTS = {frequency: f"{frequency.capitalize()}Regeneration" for frequency in ("DAILY", "WEEKLY", "MONTHLY", "YEARLY")}


def of_element(element: etree._Element) -> str:
    """What the server says."""
    pattern, bounds = [child for child in element if isinstance(child.tag, str)]
    start = soap.text(bounds, "StartDate")[:10]
    name = soap.name(pattern)
    frequency = next((each for each, known in _ELEMENTS.items() if known == name), "")
    if not frequency:
        rule = recurrence.from_element(element)
        until = rule.until.strftime("%Y%m%d") if rule.until else ""
        return f"{start} {recurrence.to_rrule(rule, date.fromisoformat(start), until)}"
    parts = [f"FREQ={frequency}", f"INTERVAL={soap.text(pattern, 'Interval') or 1}"]
    if count := soap.text(bounds, "NumberOfOccurrences"):
        parts.append(f"COUNT={count}")
    if until := soap.text(bounds, "EndDate"):
        parts.append(f"UNTIL={until[:10].replace('-', '')}")
    return f"{start} {_MARK}{';'.join(parts)}"


def of_file(todo: Component, start: date | None) -> str:
    """What a file says; `BadItem` for a rule that Exchange cannot hold."""
    line = todo.line("RRULE") or todo.line("X-EWS-REGENERATE")
    if line is None:
        return ""
    if len(todo.all("RRULE")) > 1:
        raise BadItem("Exchange cannot hold a task with several recurrence rules")
    start = _from(line) or start
    if start is None:
        raise BadItem("the task recurs, and has neither a start nor a due date to count from")
    if line.name != "RRULE":
        rrule.parts(line.value)
        return f"{start.isoformat()} {_MARK}{line.value}"
    rule = _rule(line.value, start)
    until = rule.until.strftime("%Y%m%d") if rule.until else ""
    return f"{start.isoformat()} {recurrence.to_rrule(rule, start, until)}"


def start_of(text: str) -> str:
    return text.partition(" ")[0]


def to_lines(text: str, start: str) -> list[str]:
    """As a file has it; `start`: the day that a reader would count from, "" for none."""
    if not text:
        return []
    begins, _, rule = text.partition(" ")
    other = f";X-EWS-FROM={begins.replace('-', '')}" if start and start != begins else ""
    name = "X-EWS-REGENERATE" if rule.startswith(_MARK) else "RRULE"
    return [f"{name}{other}:{rule.removeprefix(_MARK)}"]


def to_xml(text: str) -> str:
    begins, _, rule = text.partition(" ")
    start = date.fromisoformat(begins)
    if not rule.startswith(_MARK):
        return recurrence.to_xml(_rule(rule, start), start)
    part = rrule.parts(rule.removeprefix(_MARK))
    name = _ELEMENTS.get(part.get("FREQ", ""), "")
    if not name:
        raise BadItem(f"X-EWS-REGENERATE {rule.removeprefix(_MARK)} cannot be read")
    pattern = f"<t:{name}><t:Interval>{part.get('INTERVAL', '1')}</t:Interval></t:{name}>"
    bounds = f"<t:StartDate>{begins}</t:StartDate>"
    if count := part.get("COUNT"):
        numbered = f"<t:NumberOfOccurrences>{count}</t:NumberOfOccurrences>"
        return f"<t:Recurrence>{pattern}<t:NumberedRecurrence>{bounds}{numbered}</t:NumberedRecurrence></t:Recurrence>"
    if until := part.get("UNTIL"):
        ends = f"<t:EndDate>{_date(until).isoformat()}</t:EndDate>"
        return f"<t:Recurrence>{pattern}<t:EndDateRecurrence>{bounds}{ends}</t:EndDateRecurrence></t:Recurrence>"
    return f"<t:Recurrence>{pattern}<t:NoEndRecurrence>{bounds}</t:NoEndRecurrence></t:Recurrence>"


def _rule(value: str, start: date) -> recurrence.Rule:
    rule = rrule.read(value, start)
    until = rrule.parts(value).get("UNTIL", "")
    return rrule.with_end(rule, value, start, _date(until) if until else None)


def _from(line: Line) -> date | None:
    text = line.parameter("X-EWS-FROM")
    return _date(text) if text else None


def _date(text: str) -> date:
    try:
        return date.fromisoformat(f"{text[:4]}-{text[4:6]}-{text[6:8]}")
    except ValueError as error:
        raise BadItem(f"{text[:40]!r} is no date") from error
