"""`ews-bridge freebusy`."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import click

from ews_bridge.cli import output
from ews_bridge.cli.options import Given
from ews_bridge.cli.options import shared_options
from ews_bridge.errors import UsageError

if TYPE_CHECKING:
    from ews_bridge.exchange.availability import Busy
    from ews_bridge.exchange.availability import Calendar

WORDS = {"OOF": "away", "WorkingElsewhere": "elsewhere", "NoData": "unknown"}


@click.command("freebusy")
@shared_options
@click.option("--day", metavar="DATE", help="The first day, 2026-12-24; today if not given.")
@click.option("--days", type=click.IntRange(1, 62), default=1, show_default=True, help="How many days.")
@click.argument("addresses", nargs=-1, metavar="[ADDRESS]...")
@click.pass_obj
def command(given: Given, *, addresses: tuple[str, ...], day: str | None, days: int) -> int:
    """When people and rooms have time.

    Lists the times at which each ADDRESS is not free, by the local clock; without one, your own. Exits with 1 when a
    calendar tells nothing.
    """
    from ews_bridge import signin
    from ews_bridge.exchange import availability

    accounts = given.load()
    if len(accounts) > 1:
        raise UsageError("there are several accounts", hint="say which one asks: -a ACCOUNT")
    (account,) = accounts
    first = _day(day)
    # By the local clock: a day may have 23 or 25 hours.
    start, end = (one.astimezone(dt.UTC) for one in (first, first + dt.timedelta(days=days)))
    with signin.connected(account) as connection:
        found = availability.calendars(connection, list(addresses) or [account.address], start, end)
    for calendar in found:
        if calendar.why:
            output.complain(f"{calendar.address}: {calendar.why}", account=account.name)
    if given.json:
        output.say_json({"calendars": [_as_json(calendar) for calendar in found]})
    for line in _lines(found):
        given.say(line)
    return int(any(calendar.why for calendar in found))


def _day(text: str | None) -> dt.datetime:
    """The midnight with which the day begins, by the local clock."""
    try:
        day = dt.date.today() if text is None else dt.date.fromisoformat(text)
    except ValueError as error:
        raise UsageError(f"{text!r} is no day", hint="2026-12-24") from error
    return dt.datetime.combine(day, dt.time())


def _lines(found: list[Calendar]) -> list[str]:
    rows: list[list[str]] = []
    for calendar in found:
        taken = [busy for busy in calendar.busy if busy.status != "Free"]
        rows += [[calendar.address, *_row(busy)] for busy in taken]
        if not taken and not calendar.why:
            rows.append([calendar.address, "", "free", "", ""])
    return output.table(["WHO", "WHEN", "STATUS", "SUBJECT", "WHERE"], rows) if rows else []


def _row(busy: Busy) -> list[str]:
    start, end = busy.start.astimezone(), busy.end.astimezone()
    until = f"{end:%H:%M}" if start.date() == end.date() else f"{end:%Y-%m-%d %H:%M}"
    return [f"{start:%Y-%m-%d %H:%M} - {until}", WORDS.get(busy.status, busy.status.lower()), busy.subject, busy.location]


def _as_json(calendar: Calendar) -> dict[str, object]:
    busy = [
        {
            "start": one.start.isoformat(),
            "end": one.end.isoformat(),
            "status": one.status,
            "subject": one.subject,
            "location": one.location,
        }
        for one in calendar.busy
    ]
    return {"address": calendar.address, "busy": busy, "why": calendar.why}
