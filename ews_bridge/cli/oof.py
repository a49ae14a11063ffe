"""`ews-bridge oof`."""

from __future__ import annotations

import datetime as dt
import sys
from dataclasses import asdict
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING
from typing import cast

import click

from ews_bridge.cli import output
from ews_bridge.cli.options import Given
from ews_bridge.cli.options import shared_options
from ews_bridge.errors import UsageError

if TYPE_CHECKING:
    from ews_bridge.exchange.directory import Audience
    from ews_bridge.exchange.directory import Oof

AUDIENCES = {"nobody": "None", "contacts": "Known", "everybody": "All"}
WORDS = {kept: word for word, kept in AUDIENCES.items()}


@click.command("oof")
@shared_options
@click.option("--from", "start", metavar="WHEN", help="on: not before this time, 2026-12-24 or 2026-12-24T14:00, local time.")
@click.option("--until", "end", metavar="WHEN", help="on: not after this time; a day counts to its end.")
@click.option("--text", metavar="FILE|-", help="on: the reply to people of the organisation.")
@click.option("--external-text", metavar="FILE|-", help="on: the reply to others; the same as --text if not given.")
@click.option("--external", type=click.Choice(tuple(AUDIENCES)), help="on: which others get a reply.")
@click.argument("action", type=click.Choice(["show", "on", "off"]), default="show")
@click.pass_obj
def command(
    given: Given,
    *,
    action: str,
    start: str | None,
    end: str | None,
    text: str | None,
    external_text: str | None,
    external: str | None,
) -> int:
    """Show, set and end the automatic replies of the mailbox.

    What is not said anew stays as it is: `ews-bridge oof on` alone takes the replies of last time.
    """
    from ews_bridge import signin
    from ews_bridge.exchange import directory

    if action != "on" and any((start, end, text, external_text, external)):
        raise UsageError("dates, texts and --external belong to `ews-bridge oof on`")
    if (start is None) != (end is None):
        raise UsageError("--from and --until belong together")
    accounts = given.load()
    if action != "show" and len(accounts) > 1:
        raise UsageError("there are several accounts", hint="say which one: -a ACCOUNT")
    shown: dict[str, object] = {}
    for account in accounts:
        with signin.connected(account) as connection:
            settings = directory.oof(connection, account.address)
            if action != "show":
                settings = _changed(settings, action, start, end, text, external_text, external)
                directory.set_oof(connection, account.address, settings)
        shown[account.name] = asdict(settings)
        for line in _lines(settings):
            given.say(f"{account.name}: {line}")
    if given.json:
        output.say_json({"oof": shown})
    return 0


def _changed(
    kept: Oof, action: str, start: str | None, end: str | None, text: str | None, external_text: str | None, external: str | None
) -> Oof:
    if action == "off":
        return replace(kept, state="Disabled", start="", end="")
    internal = kept.internal if text is None else _read(text)
    outside = _read(external_text) if external_text is not None else kept.external if text is None else internal
    if not internal.strip():
        raise UsageError("there is no text to reply with", hint="--text FILE, or --text - for the standard input")
    audience = kept.audience if external is None else cast("Audience", AUDIENCES[external])
    if start is None or end is None:
        return replace(kept, state="Enabled", audience=audience, start="", end="", internal=internal, external=outside)
    first, last = _moment(start, day_end=False), _moment(end, day_end=True)
    if last <= first or last <= dt.datetime.now(dt.UTC):
        raise UsageError("--until is not after --from, or has passed")
    times = [f"{moment:%Y-%m-%dT%H:%M:%SZ}" for moment in (first, last)]
    return replace(kept, state="Scheduled", audience=audience, start=times[0], end=times[1], internal=internal, external=outside)


def _read(name: str) -> str:
    try:
        return sys.stdin.read() if name == "-" else Path(name).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read {name}: {error}") from error


def _moment(text: str, *, day_end: bool) -> dt.datetime:
    """A local day or time, in UTC. `day_end`: a day means the midnight after it."""
    try:
        moment = dt.datetime.fromisoformat(text)
    except ValueError as error:
        raise UsageError(f"{text!r} is no time", hint="2026-12-24 or 2026-12-24T14:00") from error
    if day_end and len(text) <= len("2026-12-24"):
        moment += dt.timedelta(days=1)
    return moment.astimezone(dt.UTC)


def _lines(settings: Oof) -> list[str]:
    """The settings in words."""
    if settings.state == "Disabled":
        return ["automatic replies are off"]
    when = ""
    if settings.state == "Scheduled":
        first, last = (dt.datetime.fromisoformat(text).astimezone() for text in (settings.start, settings.end))
        when = f" from {first:%Y-%m-%d %H:%M} until {last:%Y-%m-%d %H:%M}"
    lines = [f"automatic replies are on{when}; others who get one: {WORDS.get(settings.audience, settings.audience)}"]
    return [*lines, f"internal: {settings.internal.strip()}", f"external: {settings.external.strip()}"]
