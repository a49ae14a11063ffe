"""One account, from settings to report: lock, sign-in, the outbox, then each kind that has a section (`onekind.py`).

What goes wrong with one kind as a whole does not stop the others, unless it is the server or the sign-in.
"""

from __future__ import annotations

import contextlib
import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass

from ews_bridge import kinds
from ews_bridge import onekind
from ews_bridge import signin
from ews_bridge import trash
from ews_bridge.config import Account
from ews_bridge.errors import Refused
from ews_bridge.errors import UsageError
from ews_bridge.exchange.session import Connection
from ews_bridge.model import Side
from ews_bridge.report import Failure
from ews_bridge.report import Report
from ews_bridge.runs import Options as Options
from ews_bridge.runs import Progress as Progress


def sync(account: Account, *, options: Options, progress: Progress, report: Report | None = None) -> Report:
    """Bring one account together and report. Raises EwsBridgeError for what concerns the whole account.

    `report`: where it is told what was done, for who wants to know of it after an error, too.
    """
    wanted = kinds.of(account, options.only)
    whole = Report() if report is None else report
    refused: dict[str, Refused] = {}
    missed: list[set[str]] = []
    name = f"{time.strftime('%Y%m%dT%H%M%S')}-{secrets.token_hex(2)}"
    with _locked(account, options), signin.connected(account) as connection:
        for kind in wanted:
            part = Report()
            try:
                if kind.name == "mail":
                    _outbox(account, options, connection, part)
                told = _Told(progress, kind.name)
                unknown = onekind.keep(
                    account, kind, options=options, progress=told, connection=connection, name=name, report=part
                )
                missed.append(set(unknown))
            except Refused as error:
                refused[kind.name] = error
            finally:
                _add(whole, part, kind.name)
        if not options.dry_run:
            trash.prune(str(account.state_dir / "trash"))
    nowhere = [path for path in options.folders if missed and all(path in each for each in missed)]
    if nowhere:
        raise UsageError(f"there is no folder {nowhere[0]!r} among those that are synced", hint="ews-bridge folders lists them")
    if len(refused) == len(wanted):
        raise next(iter(refused.values()))
    whole.refused += [Failure(kind, str(error), error.hint) for kind, error in refused.items()]
    return whole


@contextlib.contextmanager
def _locked(account: Account, options: Options) -> Iterator[None]:
    """A dry run waits for nobody."""
    if options.dry_run:
        yield
        return
    with signin.locked(account, wait=options.wait):
        yield


def _outbox(account: Account, options: Options, connection: Connection, report: Report) -> None:
    """What waits to be sent goes first: then the copy that a mail reader kept meets the server's, and is adopted."""
    if options.dry_run or Side.REMOTE not in options.writes or not (account.state_dir / "outbox").exists():
        return
    from ews_bridge import delivery  # who never sends does not load what sends

    flushed = delivery.flush(account, connection)
    report.count(["sent"] * flushed.sent)
    report.failures += [Failure(f"not sent: {letter.label}", str(error), error.hint) for letter, error in flushed.failed]


def _add(whole: Report, part: Report, kind: str) -> None:
    whole.kinds[kind] = part.done
    for word, count in part.done.items():
        whole.done[word] = whole.done.get(word, 0) + count
    whole.pending += part.pending
    whole.bytes += part.bytes
    for name in ("failures", "refused", "conflicts", "reverted", "notes", "meeting_mail"):
        getattr(whole, name).extend(getattr(part, name))


@dataclass(frozen=True, slots=True)
class _Told:
    """Progress of one kind: what is no mail says so."""

    progress: Progress
    kind: str

    def phase(self, name: str, total: int | None) -> None:
        self.progress.phase(name, total)

    def advance(self, items: int, bytes: int) -> None:
        self.progress.advance(items, bytes)

    def step(self, text: str) -> None:
        self.progress.step(text if self.kind == "mail" else f"{self.kind}: {text}")
