"""`ews-bridge status`."""

from __future__ import annotations

import time
from dataclasses import asdict
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


@click.command("status")
@shared_options
@click.pass_obj
def command(given: Given) -> int:
    """What the last sync did, and what is left to do. Does not ask the server."""
    found: dict[str, overview.Status] = {}
    codes = [guarded(lambda account=account: _look(account, found), account=account.name) for account in given.load()]  # type: ignore[misc]
    for name, status in found.items():
        for line in _lines(name, status):
            given.say(line)
    if given.json:
        output.say_json({"accounts": [{"account": name, **asdict(status)} for name, status in found.items()]})
    return gravest(codes)


def _look(account: config.Account, found: dict[str, overview.Status]) -> int:
    from ews_bridge import overview

    found[account.name] = overview.status(account)
    return 0


def _lines(name: str, status: overview.Status) -> list[str]:
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
    for failure in status.refused:
        lines += [f"  refused: {failure.what}: {failure.why}"] + ([f"    hint: {failure.hint}"] if failure.hint else [])
    for failure in status.failures:
        lines += [f"  failed: {failure.what}: {failure.why}"] + ([f"    hint: {failure.hint}"] if failure.hint else [])
    return lines
