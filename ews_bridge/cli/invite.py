"""`ews-bridge invite`: an invitation from a mail reader, shown and answered."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ews_bridge import config
from ews_bridge.cli import output
from ews_bridge.cli.boundary import guarded
from ews_bridge.cli.options import Given
from ews_bridge.cli.options import shared_options
from ews_bridge.cli.progress import Progress
from ews_bridge.errors import BadItem
from ews_bridge.errors import EwsBridgeError
from ews_bridge.errors import UsageError
from ews_bridge.model import Side

if TYPE_CHECKING:
    from ews_bridge.exchange.answering import Outcome
    from ews_bridge.exchange.attendees import Person
    from ews_bridge.exchange.invite import Invitation

#: How long a run that is under way is waited for.
_LOCK_SECONDS = 10.0
ACTIONS = ("show", "accept", "tentative", "decline")
_ANSWERS = {"ACCEPTED": "accepted", "TENTATIVE": "perhaps", "DECLINED": "declined", "DELEGATED": "delegated", "NEEDS-ACTION": ""}


@dataclass(frozen=True, slots=True)
class Answered:
    """What one invocation did, for --json. `principal`: for whom, where that is not the owner of the account's mailbox."""

    account: str
    principal: str
    uid: str
    summary: str
    answer: str
    new: bool
    mailed: bool


@click.command("invite")
@shared_options
@click.option("--comment", default="", metavar="TEXT", help="Say this to the organizer, too.")
@click.option("--no-reply", is_flag=True, help="Only the calendar is changed: the organizer is not told.")
@click.argument("action", type=click.Choice(ACTIONS), metavar="show|accept|tentative|decline")
@click.argument("source", metavar="FILE|-")
@click.pass_obj
def command(given: Given, *, action: str, source: str, comment: str, no_reply: bool) -> int:
    """Show an invitation, or answer it on the server.

    FILE is a message or an .ics file; - is the standard input, for a mail reader's pipe. To accept a cancellation takes
    the meeting out of the calendar.
    """
    if comment and (no_reply or action == "show"):
        raise UsageError("--comment is for an answer that the organizer gets")
    data = _read(source)
    from ews_bridge.exchange import invite

    invitation = invite.read(data)
    if action == "show":
        _show(invitation, given)
        return 0
    accounts = given.load()
    account = _account(accounts, invitation)

    def act() -> int:
        outcome = _answer(account, invitation, action, comment=comment, mailed=not no_reply)
        event = invitation.event
        given.say(f"{account.name}: {_sentence(outcome)}: {event.summary or event.uid} ({_when(invitation)})")
        for each in accounts if outcome.principal else (account,):
            if each.calendar is not None and outcome.principal in ("", each.address.lower()):
                _fetch(each, given)
        if given.json:
            done = Answered(account.name, outcome.principal, event.uid, event.summary, outcome.said, outcome.new, outcome.mailed)
            output.say_json({name: getattr(done, name) for name in Answered.__slots__})
        return 0

    return guarded(act, account=account.name)


def _read(source: str) -> bytes:
    try:
        return sys.stdin.buffer.read() if source == "-" else Path(source).read_bytes()
    except OSError as error:
        raise UsageError(f"{source} cannot be read: {error.strerror}") from error


def _account(accounts: tuple[config.Account, ...], invitation: Invitation) -> config.Account:
    """Who is invited: by the address; where that says nothing (it was a list's) or too much, by where the meeting is found."""
    event = invitation.event
    invited = {person.address for person in event.attendees}
    others = [one for one in accounts if event.organizer is None or one.address.lower() != event.organizer.address]
    asked = [one for one in others if one.address.lower() in invited] or others or list(accounts)
    if len(asked) == 1:
        return asked[0]
    found = [one for one in asked if _has_meeting(one, invitation)]
    if len(found) == 1:
        return found[0]
    if found:
        names = " and ".join(one.name for one in found)
        raise UsageError(f"it is not clear who is to answer: {names} have this meeting", hint="name one with -a ACCOUNT")
    raise BadItem(
        f"this meeting is unknown to the accounts {', '.join(one.name for one in asked)}: it is not in the calendar there, and no"
        " invitation to it in the Inbox"
    )


def _has_meeting(account: config.Account, invitation: Invitation) -> bool:
    """Whether it is in this account's calendar, or came to its Inbox: for its owner, or for somebody whose delegate he is."""
    from ews_bridge import signin
    from ews_bridge.exchange import meetings
    from ews_bridge.exchange.faults import Fault

    try:
        with signin.connected(account) as connection:
            found = meetings.find(connection, invitation)
    except EwsBridgeError as error:
        if isinstance(error, Fault) and error.code in meetings.DELETED:
            return True
        error.args = (f"{account.name}: {error}",)
        raise
    return found.target is not None or bool(found.principal)


def _answer(account: config.Account, invitation: Invitation, verb: str, *, comment: str, mailed: bool) -> Outcome:
    from ews_bridge import signin
    from ews_bridge.exchange import answering
    from ews_bridge.exchange.faults import Fault

    with signin.connected(account) as connection:
        try:
            return answering.answer(connection, invitation, verb, comment=comment, mailed=mailed)
        except Fault as error:
            raise BadItem(f"the server does not take this answer: {error}", hint=error.hint) from error


def _fetch(account: config.Account, given: Given) -> None:
    """Bring the calendar's files up to date; what waits on disk is not uploaded by the way. The answer stands, whatever comes."""
    from ews_bridge import sync as engine

    options = engine.Options(only=("calendar",), writes=frozenset((Side.LOCAL,)), wait=_LOCK_SECONDS)
    try:
        with Progress(account.name, shown=not given.quiet) as progress:
            engine.sync(account, options=options, progress=progress)
    except EwsBridgeError as error:
        output.complain(f"the calendar's files follow with the next sync: {error}", account=account.name)


def _sentence(outcome: Outcome) -> str:
    from ews_bridge.exchange import answering

    if outcome.said == answering.REMOVED:
        where = f"the calendar of {outcome.principal}" if outcome.principal else "the calendar"
        return f"taken out of {where}" if outcome.new else f"not in {where} any more, nothing was sent"
    said = f"{outcome.said} for {outcome.principal}" if outcome.principal else outcome.said
    if not outcome.new:
        return f"{said} already, nothing was sent"
    return f"{said}, {'the organizer is told' if outcome.mailed else 'the organizer is not told'}"


# ---- what an invitation says


def _show(invitation: Invitation, given: Given) -> None:
    if given.json:
        output.say_json(
            {name: value for name, value in _facts(invitation) if value} | {"description": invitation.event.description}
        )
        return
    for name, value in _facts(invitation):
        if value:
            given.say(f"{name.capitalize() + ':':<11} {value}")
    text = invitation.event.description.strip()
    for line in ["", *text.split("\n")] if text else []:
        given.say(line)


def _facts(invitation: Invitation) -> Iterator[tuple[str, str]]:
    event = invitation.event
    yield invitation.kind.split()[0], event.summary or "(without a title)"
    yield "when", _when(invitation)
    original = invitation.occurrence
    yield "instead of", _moment(original) if original and original != event.begins() else ""
    yield "repeats", invitation.repeats
    yield "where", event.location
    yield "organizer", _person(event.organizer) if event.organizer else ""
    yield "attendees", ", ".join(map(_person, event.attendees))
    yield "link", event.link
    yield "comment", invitation.comment
    yield "status", event.status.lower()


def _when(invitation: Invitation) -> str:
    """In this machine's own zone; with the zone of the event where the clock shows something else there."""
    event = invitation.event
    if event.all_day:
        last = event.end - timedelta(days=1)
        return f"{event.start:%a %d %b %Y}" + (f" to {last:%a %d %b %Y}" if last > event.start else "")
    if event.floating:
        return f"{event.start:%a %d %b %Y %H:%M} to {event.end:%H:%M}"
    begin, end = event.begins().astimezone(), event.ends().astimezone()
    same_day = begin.date() == end.date()
    there = "" if begin.replace(tzinfo=None) == event.start else f" ({event.start:%H:%M} in {event.zone.tzid})"
    return f"{begin:%a %d %b %Y %H:%M} to {end.strftime('%H:%M' if same_day else '%a %d %b %Y %H:%M')}{there}"


def _moment(when: datetime) -> str:
    return f"{when.astimezone():%a %d %b %Y %H:%M}"


def _person(person: Person) -> str:
    address = f"<{person.address}>" if person.is_mailbox() else ""
    answer = _ANSWERS.get(person.partstat, person.partstat.lower())
    return " ".join(filter(None, (person.name, address, f"({answer})" if answer else "")))
