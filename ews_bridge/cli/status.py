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
    """The local version of a conflict. `folder` is "" where the state no longer knows the message; `kept` is when, in seconds."""

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
        """What the report of the last run lists under this name."""
        report = self.status.last.get("report")
        found = report.get(name) if isinstance(report, dict) else None
        return [str(each) for each in found] if isinstance(found, list) else []

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
    from ews_bridge import signin

    with signin.copied(account) as state:
        kept = sorted(_conflicts(account, state), key=lambda each: each.kept)
    found[account.name] = Standing(overview.status(account), kept)
    return 0


def _conflicts(account: config.Account, state: State) -> Iterator[Kept]:
    """The files of the conflicts directory. A name begins with the number of the message in the state."""
    from ews_bridge import headers

    try:
        with os.scandir(account.state_dir / "conflicts") as found:
            files = [each for each in found if each.is_file(follow_symlinks=False) and not each.name.endswith(".tmp")]
    except FileNotFoundError:
        return
    paths = {row.number: entry.key for row in state.folders() if (entry := row.remote or row.local)}
    for file in files:
        with open(file.path, "rb") as opened:
            head = headers.parse_head(headers.read_head(opened.fileno()))
        number = file.name.partition("-")[0]
        row = state.row(int(number)) if number.isdecimal() else None
        entry = (row.remote or row.local) if row else None
        folder = paths.get(entry.collection, "") if entry else ""
        yield Kept(file.path, folder, head.subject, head.sender, int(file.stat().st_mtime))


def _lines(name: str, standing: Standing) -> list[str]:
    status = standing.status
    began, took = status.last.get("began"), status.last.get("seconds")
    lines = [f"{name}: never synced"]
    if isinstance(began, int | float) and isinstance(took, int | float):
        when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(began))
        lines = [f"{name}: last synced {when}, in {output.duration(took)}"]
    lines += [f"  {status.linked:,} messages are kept in step"]
    lines += [f"  {status.pending:,} pending"] if status.pending else []
    lines += [f"  {status.trashed:,} in the trash: ews-bridge restore --list"] if status.trashed else []
    lines += [f"  {len(status.outbox):,} in the outbox: ews-send -bp"] if status.outbox else []
    lines += [f"  not sent: {letter.label}: {letter.reason} (kept as failed/{letter.id}.eml)" for letter in status.unsent]
    for kept in standing.conflicts:
        where = f" in {kept.folder}" if kept.folder else ""
        lines += [f"  conflict: {kept.subject or 'no subject'}{where}: your version is {kept.file}"]
    lines += [f"  undone by the last sync, as the folder is read-only: {each}" for each in standing.last("reverted")]
    for word, failures in (("refused", status.refused), ("failed", status.failures)):
        for failure in failures:
            lines += [f"  {word}: {failure.what}: {failure.why}"] + ([f"    hint: {failure.hint}"] if failure.hint else [])
    return lines
