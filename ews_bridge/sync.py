"""One account, from settings to report: lock, state, sign-in, folder trees, then the items in them.

The order of a run: hold the lock → make sure that the tree on disk is the one we know → list both folder trees and make them
alike → finish what an earlier run began (`recover`) → ask which folders of the server changed → list those and the local
ones → rounds of plan and apply (`converge.py`) → remove folders that are gone → prune the trash → report.

A dry run is the same code on a copy of the state in memory; only what carries steps out is exchanged for what prints them.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import socket
import time
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Sequence
from concurrent.futures import Executor
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict
from dataclasses import dataclass
from dataclasses import field
from functools import partial
from pathlib import Path
from typing import Protocol

from ews_bridge import apply
from ews_bridge import binding
from ews_bridge import converge
from ews_bridge import disk
from ews_bridge import folders as folder_trees
from ews_bridge import lock
from ews_bridge import signin
from ews_bridge import trash
from ews_bridge.config import Account
from ews_bridge.config import MailSection
from ews_bridge.errors import CannotCreate
from ews_bridge.errors import ConfigError
from ews_bridge.errors import UsageError
from ews_bridge.exchange.session import Connection
from ews_bridge.exchange.tree import ExchangeTree
from ews_bridge.mailtree import MailTree
from ews_bridge.model import Content
from ews_bridge.model import Failure
from ews_bridge.model import Policy
from ews_bridge.model import Report
from ews_bridge.model import Row
from ews_bridge.model import Side
from ews_bridge.model import Step
from ews_bridge.names import directory
from ews_bridge.state import State
from ews_bridge.store import Store

#: Folders in which losing everything is ordinary: no guard stands before them (design: Guards).
UNGUARDED = ("deleteditems", "junkemail")


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line asks of one run. `writes`: the sides that may be written; `folders`: paths, none means all."""

    dry_run: bool = False
    allow_deletes: bool = False
    refill: bool = False
    wait: float = 30.0
    folders: tuple[str, ...] = ()
    writes: frozenset[Side] = frozenset({Side.LOCAL})


class Progress(Protocol):
    """Where a run tells how far it is. Called from one thread."""

    def phase(self, name: str, total: int | None) -> None:
        """A new part of the work begins; `total` items are expected (None: not known)."""

    def advance(self, items: int, bytes: int) -> None:
        """So much more is done."""

    def step(self, text: str) -> None:
        """A step that was taken, or in a dry run would be."""


@dataclass(frozen=True, slots=True)
class FolderInfo:
    """One mail folder of the server. `items` and `unread` as the server counts; `special`: its role, "" for none."""

    path: str
    directory: Path
    items: int
    unread: int
    special: str
    synced: bool


@dataclass(frozen=True, slots=True)
class Status:
    """How an account stands, without asking the server. `last`: what the last run said of itself, {} before the first."""

    last: dict[str, object]
    linked: int
    pending: int
    failures: list[Failure]
    refused: list[Failure]
    trashed: int


@dataclass(frozen=True, slots=True)
class Run:
    """What is open while one account is synced."""

    account: Account
    mail: MailSection
    options: Options
    progress: Progress
    state: State
    trees: dict[Side, MailTree | ExchangeTree]
    remote: ExchangeTree
    workers: Executor
    name: str
    report: Report = field(default_factory=Report)


def sync(account: Account, *, options: Options, progress: Progress) -> Report:
    """Bring one account's mail together and report. Raises EwsBridgeError for what concerns the whole account."""
    _section(account)
    with _opened(account, wait=options.wait) as state:
        began = time.time()
        with signin.connected(account, state) as connection, _run(account, options, progress, state, connection) as run:
            _bind(run)
            in_the_way = _trees(run)
            _items(run)
            _finish(run, began, in_the_way)
        return run.report


def _section(account: Account) -> MailSection:
    if account.mail is None:
        raise ConfigError(f"account {account.name} has no [accounts.{account.name}.mail] section: there is nothing to sync")
    return account.mail


@contextmanager
def _opened(account: Account, *, wait: float) -> Iterator[State]:
    """The account's state, with the lock held."""
    try:
        account.state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise CannotCreate(f"cannot create {account.state_dir}: {error.strerror}") from error
    with lock.held(account.state_dir / "lock", wait=wait):
        state = State.open(account.state_dir / "state.sqlite3")
        try:
            yield state
        finally:
            state.close()


@contextmanager
def _run(account: Account, options: Options, progress: Progress, state: State, connection: Connection) -> Iterator[Run]:
    mail = _section(account)
    if options.dry_run:
        state = state.copy()
    name = f"{time.strftime('%Y%m%dT%H%M%S')}-{secrets.token_hex(2)}"
    kept = trash.Trash(str(account.state_dir / "trash"), name)
    local = MailTree(str(mail.path), layout=mail.layout, trash=kept, host=_host())
    remote = _remote(connection, state)
    trees: dict[Side, MailTree | ExchangeTree] = {Side.LOCAL: local, Side.REMOTE: remote}
    with ThreadPoolExecutor(2 * account.connections) as workers:
        yield Run(account, mail, options, progress, state, trees, remote, workers, name)


def _bind(run: Run) -> None:
    options = run.options
    binding.check(run.account, run.mail, run.state, refill=options.refill)
    if not options.dry_run:
        binding.bind(run.account, run.mail, run.state, refill=options.refill)


def _remote(connection: Connection, state: State) -> ExchangeTree:
    return ExchangeTree(connection, special=json.loads(state.get("special") or "{}"))


def _host() -> str:
    """This machine in file names: no character that a Maildir gives a meaning."""
    return "".join(c if c.isalnum() or c in ".-" else "-" for c in socket.gethostname()) or "localhost"


# ---- the two parts of a run


def _policy(run: Run) -> Policy:
    return Policy(writes=run.options.writes, refill=run.options.refill)


def _trees(run: Run) -> list[Failure]:
    """Make the folder trees alike; returns what was in the way."""
    run.progress.phase("listing folders", None)
    folder_trees.observe(run.state, run.trees)
    if special := run.remote.special():
        run.state.put({"special": json.dumps(special)})
    take = partial(_show_folder, run.progress) if run.options.dry_run else folder_trees.take
    return folder_trees.converge(run.state, run.trees, run.mail.folders, _policy(run), run.report, take)


def _show_folder(progress: Progress, state: State, trees: folder_trees.Trees, step: Step, report: Report) -> bool:
    report.count(folder_trees.word(step))
    if folder_trees.word(step):
        progress.step(str(step))
    return False


def _items(run: Run) -> None:
    """Bring together what is in the folders."""
    stamps = run.remote.probe()
    rows = [row for row in run.state.folders() if folder_trees.in_scope(row, run.mail.folders)]
    stores: dict[tuple[Side, int], Store] = {
        (side, row.number): run.trees[side].open(entry, row.number) for row in rows for side in Side if (entry := row[side])
    }
    paths = {row.number: entry.key for row in run.state.folders() if (entry := row.remote or row.local)}
    selected = _selected(run, rows)
    tools = _tools(run, stores)
    if not run.options.dry_run:
        apply.recover(run.state, stores)
    special = {ident: name for name, ident in json.loads(run.state.get("special") or "{}").items()}
    roots = [row.remote.key for row in rows if row.remote and special.get(row.remote.id) in UNGUARDED]
    unguarded = {number for number, path in paths.items() if any(f"{path}/".startswith(f"{root}/") for root in roots)}
    if run.options.allow_deletes:
        unguarded |= selected
    job = converge.Job(
        state=run.state,
        stores=stores,
        paths=paths,
        selected=selected,
        policy=_policy(run),
        guard=run.mail.guard,
        unguarded=unguarded,
        take=_shower(run) if run.options.dry_run else _taker(run, tools),
        workers=run.workers,
        now=_now,
        stamps={row.number: stamps.get(row.remote.id, "") for row in rows if row.remote},
    )
    run.progress.phase("listing messages", None)
    converge.converge(job, run.report)


def _selected(run: Run, rows: Sequence[Row]) -> set[int]:
    # Of two folders with one path, one is gone and the other has taken its name.
    by_path: dict[str, set[int]] = {}
    for row in rows:
        if entry := row.remote or row.local:
            by_path.setdefault(entry.key, set()).add(row.number)
    unknown = [path for path in run.options.folders if path not in by_path]
    if unknown:
        raise UsageError(f"there is no folder {unknown[0]!r} among those that are synced", hint="ews-bridge folders lists them")
    return set().union(*(by_path[path] for path in run.options.folders or by_path))


def _tools(run: Run, stores: apply.Stores) -> apply.Tools:
    return apply.Tools(
        state=run.state,
        stores=stores,
        workers=run.workers,
        width=2 * run.account.connections,
        new_token=lambda: secrets.token_hex(10),
        aside=lambda row, content: _keep_aside(run, row, content),
        now=_now,
        advance=run.progress.advance,
    )


def _taker(run: Run, tools: apply.Tools) -> Callable[[Iterable[Sequence[Step]]], set[converge.Place]]:
    """Carries steps out; the generation of the tree is raised before the first."""
    raised: list[bool] = []

    def pages(planned: Iterable[Sequence[Step]]) -> Iterator[Sequence[Step]]:
        for steps in planned:
            if steps and not raised:
                binding.raise_generation(run.mail, run.state)
                raised.append(True)
            for word in apply.words(steps):
                run.progress.step(word)
            yield steps

    def take(planned: Iterable[Sequence[Step]]) -> set[converge.Place]:
        run.progress.phase("syncing", run.state.count_differing())
        return apply.apply(pages(planned), tools, run.report)

    return take


def _shower(run: Run) -> Callable[[Iterable[Sequence[Step]]], set[converge.Place]]:
    """Prints steps instead of taking them: the first round is all there is."""
    shown: list[bool] = []

    def take(planned: Iterable[Sequence[Step]]) -> set[converge.Place]:
        for steps in planned:
            if not shown:
                run.report.count(said for step in steps if (said := apply.word(step)))
                for line in apply.words(steps):
                    run.progress.step(line)
        shown.append(True)
        return set()

    return take


def _keep_aside(run: Run, row: Row, content: Content) -> str:
    """The local version of a conflict, under a name that is the same when the step is repeated."""
    data = b"".join(content.pieces())
    path = run.account.state_dir / "conflicts" / f"{row.number}-{hashlib.sha256(data).hexdigest()[:12]}"
    disk.make_directory(str(path.parent))
    disk.write_whole(str(path), data)
    return str(path)


def _now() -> int:
    return int(time.time())


def _finish(run: Run, began: float, in_the_way: list[Failure]) -> None:
    """Folders that are gone, those that waited for their names, the trash, and what `status` will say of this run."""
    if run.options.dry_run:
        for step in folder_trees.dying(run.state, run.mail.folders, _policy(run)):
            _show_folder(run.progress, run.state, run.trees, step, run.report)
        for row in folder_trees.leaving(run.state, run.mail.folders):
            run.progress.step(f"forget {row.local.key if row.local else ''}: no longer synced, its files go to the trash")
        return
    settings = (run.state, run.trees, run.mail.folders, _policy(run), run.report, folder_trees.take)
    folder_trees.delete(*settings)
    run.report.failures += folder_trees.converge(*settings) if in_the_way else []
    for row in folder_trees.leaving(run.state, run.mail.folders):
        assert row.local is not None
        store = run.trees[Side.LOCAL].open(row.local, row.number)
        count = folder_trees.forget(run.state, row, store, run.trees[Side.LOCAL])
        run.report.done["forgotten"] = run.report.done.get("forgotten", 0) + count
    trash.prune(str(run.account.state_dir / "trash"))
    last = {"run": run.name, "began": began, "seconds": time.time() - began, "report": asdict(run.report)}
    run.state.put({"last": json.dumps(last)})


# ---- looking without syncing


def folders(account: Account, *, wait: float = 30.0) -> list[FolderInfo]:
    """The server's mail folders, by path. Asks the server; remembers nothing."""
    mail = _section(account)
    with _opened(account, wait=wait) as state, signin.connected(account, state) as connection:
        memory, remote = state.copy(), _remote(connection, state)
        folder_trees.observe(memory, {Side.REMOTE: remote})
        special = {ident: name for name, ident in remote.special().items()}
        counts = remote.counts()
        found = [
            FolderInfo(
                path=entry.key,
                directory=mail.path / (row.local.id if row.local else directory(entry.key, mail.layout)),
                items=counts.get(entry.id, (0, 0))[0],
                unread=counts.get(entry.id, (0, 0))[1],
                special=special.get(entry.id, ""),
                synced=folder_trees.included(entry.key, mail.folders),
            )
            for row in memory.folders()
            if (entry := row.remote) and folder_trees.is_mail(entry.hints.label)
        ]
    return sorted(found, key=lambda each: each.path)


def status(account: Account, *, wait: float = 30.0) -> Status:
    """How the account stands, from the state alone."""
    with _opened(account, wait=wait) as state:
        last = json.loads(state.get("last") or "{}")
        failures = [Failure(str((row.remote and row.remote.hints.label) or row.number), why) for row, why in state.failures()]
        refused = [Failure(**each) for each in last.get("report", {}).get("refused", [])]
        kept = sum(1 for _ in trash.entries(str(account.state_dir / "trash")))
        return Status(last, state.linked(), state.count_differing(), failures, refused, kept)
