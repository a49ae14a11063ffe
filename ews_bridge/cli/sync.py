"""`ews-bridge sync`."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from collections.abc import Mapping
from dataclasses import asdict
from dataclasses import dataclass
from dataclasses import field
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import click

from ews_bridge import config
from ews_bridge.cli import output
from ews_bridge.cli.boundary import gravest
from ews_bridge.cli.boundary import guarded
from ews_bridge.cli.options import Given
from ews_bridge.cli.options import shared_options
from ews_bridge.cli.progress import Progress
from ews_bridge.errors import EwsBridgeError
from ews_bridge.errors import UsageError
from ews_bridge.itemsconfig import MEETING_MAIL
from ews_bridge.model import Side
from ews_bridge.report import Notice
from ews_bridge.report import Report

if TYPE_CHECKING:
    from ews_bridge import sync as engine

#: What the summary says for each word that a report counts, in its order.
_WORDS = {
    "sent": "sent",
    "download": "downloaded",
    "update local": "updated",
    "mark local": "marked",
    "tag local": "tagged",
    "move local": "moved",
    "delete local": "deleted (trash)",
    "upload": "uploaded",
    "update remote": "updated on the server",
    "mark remote": "marked on the server",
    "tag remote": "tagged on the server",
    "move remote": "moved on the server",
    "delete remote": "deleted on the server",
    "copy local": "copied",
    "copy remote": "copied on the server",
    "conflict": "in conflict",
    "forgotten": "no longer selected (trash)",
    "new folder": "folders made",
    "renamed folder": "folders renamed",
    "removed folder": "folders removed",
}

#: So many notices about meetings are printed, or the rest of the report would not be seen.
_NOTICES = 20


@dataclass
class Outcome:
    """What became of one account."""

    account: str
    code: int = 0
    seconds: float = 0.0
    report: Report | None = None
    error: EwsBridgeError | None = None
    steps: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, object]:
        error = self.error and {"message": str(self.error), "hint": self.error.hint}
        values: dict[str, object] = {"account": self.account, "exit_code": self.code, "error": error}
        if self.report is not None:
            values |= {**asdict(self.report), "seconds": round(self.seconds, 3)}
        if self.steps:
            values["steps"] = self.steps
        return values


@click.command("sync")
@shared_options
@click.option("--dry-run", is_flag=True, help="Print what would be done, and do nothing.")
@click.option("--pull-only", is_flag=True, help="Change nothing on the server; what changed on disk waits.")
@click.option("--push-only", is_flag=True, help="Change nothing on disk; what changed on the server waits.")
@click.option("--only", multiple=True, type=click.Choice(config.KINDS), help="Only what is of this kind; may be repeated.")
@click.option("--meeting-mail", type=click.Choice(MEETING_MAIL), help="Whether people are told of meetings, in this run.")
@click.option("--allow-deletes", is_flag=True, help="Delete even what looks like a mass deletion.")
@click.option("--refill", is_flag=True, help="Fetch again what is missing on disk, instead of taking it for deleted.")
@click.option(
    "--wait", type=click.FloatRange(min=0), default=30.0, show_default=True, metavar="SECONDS", help="Wait for another run."
)
@click.argument("folders", nargs=-1, metavar="[FOLDER]...")
@click.pass_obj
def command(
    given: Given,
    *,
    dry_run: bool,
    pull_only: bool,
    push_only: bool,
    only: tuple[str, ...],
    meeting_mail: str | None,
    allow_deletes: bool,
    refill: bool,
    wait: float,
    folders: tuple[str, ...],
) -> int:
    """Bring the server and the disk together: mail, calendars, contacts, tasks.

    A FOLDER is a path as `ews-bridge folders` prints it; without one, all folders of the configuration are synced.
    """
    if allow_deletes and refill:
        raise UsageError("--allow-deletes and --refill exclude each other")
    if push_only and (pull_only or refill):
        raise UsageError(f"--push-only and {'--pull-only' if pull_only else '--refill'} exclude each other")
    accounts = given.load()
    from ews_bridge import sync as engine

    options = engine.Options(
        dry_run=dry_run,
        allow_deletes=allow_deletes,
        refill=refill,
        wait=wait,
        folders=folders,
        only=only,
        meeting_mail=meeting_mail or "",
        writes=frozenset((Side.LOCAL,) if pull_only else (Side.REMOTE,) if push_only else Side),
    )
    outcomes = [_one(account, given, options) for account in accounts]
    if given.json:
        output.say_json({"dry_run": dry_run, "accounts": [outcome.as_json() for outcome in outcomes]})
    return gravest(outcome.code for outcome in outcomes)


def _one(account: config.Account, given: Given, options: engine.Options) -> Outcome:
    """Sync one account and tell what became of it, unless all of that is for the JSON."""
    outcome = Outcome(account.name)

    def show(text: str) -> None:
        outcome.steps.append(text)
        given.say(f"{account.name}: {text}")

    def action() -> int:
        from ews_bridge import sync as engine

        began = time.monotonic()
        with Progress(
            account.name, shown=not given.quiet, on_step=show if options.dry_run or given.verbose else None
        ) as progress:
            asking = replace(options, ask=partial(_ask, progress, account.name)) if _can_ask(given, options) else options
            outcome.report = Report()
            try:
                engine.sync(account, options=asking, progress=progress, report=outcome.report)
            except EwsBridgeError:
                _tell_mail(outcome.report, outcome.account, given, dry_run=options.dry_run)
                raise
        outcome.seconds = time.monotonic() - began
        return _tell(outcome, outcome.report, given, dry_run=options.dry_run)

    outcome.code = guarded(action, account=account.name, failed=lambda error: setattr(outcome, "error", error))
    return outcome


def _can_ask(given: Given, options: engine.Options) -> bool:
    return sys.stdin.isatty() and sys.stderr.isatty() and not (given.quiet or options.dry_run)


def _ask(progress: Progress, account: str, notice: Notice) -> bool | None:
    return progress.ask(output.printable(f"{account}: mail {_people(notice)}: {notice}?"))


def _tell(outcome: Outcome, report: Report, given: Given, *, dry_run: bool) -> int:
    """Name what failed, say in a line what was done; the exit code."""
    output.complain_of((*report.refused, *report.failures), account=outcome.account)
    for note in report.notes:
        output.complain(note, account=outcome.account)
    for reverted in dict.fromkeys(report.reverted):
        output.complain(f"undone: {reverted}", account=outcome.account)
    _tell_mail(report, outcome.account, given, dry_run=dry_run)
    for number, conflict in enumerate(report.conflicts, 1):
        hint = "ews-bridge status shows where the local versions are" if number == len(report.conflicts) else ""
        output.complain(conflict, hint=hint, account=outcome.account)
    given.say(summary(outcome.account, report, outcome.seconds, dry_run=dry_run))
    return 1 if report.refused or report.failures or report.conflicts else 0


def _tell_mail(report: Report, account: str, given: Given, *, dry_run: bool) -> None:
    """Who was told of meetings, and who would have been: of a run that failed, too."""
    words = {True: "would mail", False: "would not mail", None: "would ask whether to mail"}
    for notice in report.meeting_mail[:_NOTICES]:
        told = words[notice.told] if dry_run else "mailed" if notice.told else "did not mail"
        why = f" ({notice.why})" if notice.why else ""
        given.say(f"{account}: {told} {_people(notice)}: {notice}{why}")
    if (more := len(report.meeting_mail) - _NOTICES) > 0:
        given.say(f"{account}: and of {more:,} meetings more; --json names them")


def _people(notice: Notice) -> str:
    return ", ".join(notice.people)


def summary(account: str, report: Report, seconds: float, *, dry_run: bool) -> str:
    """The line at the end of a sync."""
    groups = [", ".join(_counts(kind, done)) for kind, done in (report.kinds or {"mail": report.done}).items() if done]
    parts = ["; ".join(groups)] if groups else []
    parts += [f"{output.size(report.bytes)} in {output.duration(seconds)}"] if report.bytes else []
    parts += [f"{len(report.failures):,} failed"] if report.failures else []
    parts += [f"{len(report.refused):,} refused"] if report.refused else []
    parts += [f"{report.pending:,} pending"] if report.pending else []
    would = "would be: " if dry_run and parts else ""
    return f"{account}: {would}{', '.join(parts) or 'nothing new'}"


def _counts(kind: str, done: Mapping[str, int]) -> Iterator[str]:
    """What was done, in words; what is no mail says so."""
    about = "" if kind == "mail" else f"{kind}: "
    for word in (*(word for word in _WORDS if word in done), *(word for word in done if word not in _WORDS)):
        words = _WORDS.get(word, word)
        yield f"{about}{done[word]:,} {words if done[word] != 1 else words.replace('folders', 'folder')}"
        about = ""
