"""`ews-bridge status`."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import asdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from ews_bridge import config
from ews_bridge.cli import output
from ews_bridge.cli.boundary import gravest
from ews_bridge.cli.boundary import guarded
from ews_bridge.cli.options import Given
from ews_bridge.cli.options import shared_options

if TYPE_CHECKING:
    from ews_bridge import overview
    from ews_bridge.state import State


@dataclass(frozen=True, slots=True)
class Kept:
    """The local version of a conflict. `folder` is "" where the state no longer knows the item; `kept` is when, in seconds."""

    file: str
    folder: str
    subject: str
    sender: str
    kept: int


@dataclass(frozen=True, slots=True)
class Standing:
    """All that is told of one account."""

    status: overview.Status
    conflicts: list[Kept]

    def last(self, name: str) -> list[str]:
        """What the reports of the last run list under this name."""
        reports = [each.last.get("report") for each in self.status.kinds]
        lists = [report.get(name) for report in reports if isinstance(report, dict)]
        return [str(each) for found in lists if isinstance(found, list) for each in found]

    def as_json(self) -> dict[str, object]:
        return {
            **asdict(self.status),
            "conflicts": [asdict(each) for each in self.conflicts],
            "reverted": self.last("reverted"),
        }


@click.command("status")
@shared_options
@click.pass_obj
def command(given: Given) -> int:
    """What the last sync did, and what is left to do. Does not ask the server."""
    found: dict[str, Standing] = {}
    codes = [guarded(lambda account=account: _look(account, found), account=account.name) for account in given.load()]  # type: ignore[misc]
    for name, standing in found.items():
        for line in _lines(name, standing):
            given.say(line)
    if given.json:
        output.say_json({"accounts": [{"account": name, **standing.as_json()} for name, standing in found.items()]})
    return gravest(codes)


def _look(account: config.Account, found: dict[str, Standing]) -> int:
    from ews_bridge import overview

    kept = sorted(_conflicts(account), key=lambda each: each.kept)
    found[account.name] = Standing(overview.status(account), kept)
    return 0


def _conflicts(account: config.Account) -> Iterator[Kept]:
    """The files of the conflicts directory. A name begins with the number of the item in the state, or with kind and number."""
    from ews_bridge import signin

    try:
        with os.scandir(account.state_dir / "conflicts") as found:
            files = [each for each in found if each.is_file(follow_symlinks=False) and not each.name.endswith(".tmp")]
    except FileNotFoundError:
        return
    for kind in config.KINDS if files else ():
        with signin.copied(account, kind) as state:
            yield from (_kept(file, kind, state) for file in files if _kind_of(file.name) == kind)


def _kind_of(name: str) -> str:
    before = name.partition("-")[0]
    return before if before in config.KINDS else "mail"


def _kept(file: os.DirEntry[str], kind: str, state: State) -> Kept:
    from ews_bridge import headers
    from ews_bridge import trash

    with open(file.path, "rb") as opened:
        start = headers.read_head(opened.fileno())
    head = headers.parse_head(start if kind == "mail" else b"")
    number = file.name.removeprefix(f"{kind}-").partition("-")[0]
    row = state.row(int(number)) if number.isdecimal() else None
    entry = (row.remote or row.local) if row else None
    paths = {each.number: view.key for each in state.folders() if (view := each.remote or each.local)}
    folder = paths.get(entry.collection, "") if entry else ""
    subject = head.subject if kind == "mail" else trash.title(start)
    return Kept(file.path, folder, subject, head.sender, int(file.stat().st_mtime))


def _lines(name: str, standing: Standing) -> list[str]:
    status = standing.status
    began, took = status.last.get("began"), status.last.get("seconds")
    lines = [f"{name}: never synced"]
    if isinstance(began, int | float) and isinstance(took, int | float):
        when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(began))
        lines = [f"{name}: last synced {when}, in {output.duration(took)}"]
    lines += [f"  {each.linked:,} {each.items} are kept in step" for each in status.kinds]
    lines += [f"  {status.pending:,} pending"] if status.pending else []
    lines += [f"  {status.trashed:,} in the trash: ews-bridge restore --list"] if status.trashed else []
    lines += [f"  {len(status.outbox):,} in the outbox: ews-send -bp"] if status.outbox else []
    lines += [f"  not sent: {letter.label}: {letter.reason} (kept as failed/{letter.id}.eml)" for letter in status.unsent]
    for kept in standing.conflicts:
        where = f" in {kept.folder}" if kept.folder else ""
        lines += [f"  conflict: {kept.subject or 'no subject'}{where}: your version is {kept.file}"]
    lines += [f"  undone by the last sync: {each}" for each in standing.last("reverted")]
    for word, failures in (("refused", status.refused), ("failed", status.failures)):
        for failure in failures:
            lines += [f"  {word}: {failure.what}: {failure.why}"] + ([f"    hint: {failure.hint}"] if failure.hint else [])
    return lines
