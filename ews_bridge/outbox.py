"""The messages on their way out, on disk: what is in here is not lost, and what has left is not in here.

    DIRECTORY/queue/ID.eml     the message as it will be sent; never changes
    DIRECTORY/queue/ID.json    where it stands (`Letter`); replaced as a whole
    DIRECTORY/failed/ID.eml, ID.json    those that failed for good, with the reason

                   ┌──────────── the server certainly did not take it ───────────┐
    add ──► queued ─┴► sending ──► gone (removed)                                 │
                          │  └───► failed/                                        │
                          └─ no answer, or killed ──► unknown ──► found: gone ────┘
                                                         └ not found after the settling time: sending again

A letter exists when its .json does: it is written last and removed first. Every change is a file synced, renamed, and its
directory synced, before anything is done that relies on it. Whoever works on a letter holds a flock on its .eml, which ends
with the process; who does not get it leaves the letter alone. IDs sort in the order in which they were added.

Must never do: forget a letter that may not have left; say that it has not been tried when it may have.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Iterator
from collections.abc import Sequence
from contextlib import contextmanager
from dataclasses import asdict
from dataclasses import dataclass
from dataclasses import replace
from pathlib import Path
from typing import Any
from typing import Literal

from ews_bridge import disk
from ews_bridge.envelope import Envelope
from ews_bridge.errors import DiskError

State = Literal["queued", "sending", "unknown", "failed"]

_PIECE = 1 << 20
#: A message without a letter is what a crash left of one that nobody was told is safe.
_ORPHAN_SECONDS = 3600.0


@dataclass(frozen=True, slots=True)
class Letter:
    """Where a message stands. `token` is what the server's copy carries; `since` is when it came into this state.

    `to`, `cc`, `bcc`, `exact`: see `envelope.Envelope`. Times in seconds since the epoch, `size` in bytes.
    """

    id: str
    token: str
    state: State
    since: float
    added: float
    size: int
    to: tuple[str, ...]
    cc: tuple[str, ...]
    bcc: tuple[str, ...]
    exact: bool
    sender: str
    subject: str
    attempts: int = 0
    reason: str = ""

    @property
    def recipients(self) -> tuple[str, ...]:
        return self.to + self.cc + self.bcc

    @property
    def label(self) -> str:
        """What to call it in a message for people."""
        from ews_bridge.headers import parse_head  # loads all of `email`, which sending does without

        subject = parse_head(b"Subject: " + self.subject.encode("utf-8", "surrogateescape")).subject
        return subject or f"message to {self.recipients[0]}"


class Claim:
    """A letter that nobody else works on while this is open."""

    def __init__(self, directory: Path, letter: Letter) -> None:
        self.letter = letter
        self._directory = directory

    def pieces(self) -> Iterator[bytes]:
        """The message, in pieces."""
        with _translated(f"cannot read {self._path('.eml')}"), open(self._path(".eml"), "rb") as file:
            while piece := file.read(_PIECE):
                yield piece

    def become(self, state: State, *, attempts: int | None = None, reason: str = "") -> None:
        """Make the new state durable."""
        count = self.letter.attempts if attempts is None else attempts
        self.letter = replace(self.letter, state=state, since=time.time(), attempts=count, reason=reason)
        _write(self._path(".json"), self.letter)

    def gone(self) -> None:
        """It has left, or was given back: forget it."""
        with _translated(f"cannot remove {self._path('.json')}"):
            os.unlink(self._path(".json"))
            disk.sync_directory(str(self._directory / "queue"))
            os.unlink(self._path(".eml"))

    def fail(self, reason: str) -> None:
        """It will never leave: keep it in failed/, with the reason."""
        self.become("failed", reason=reason)
        _set_aside(self._directory, self.letter.id)

    def _path(self, suffix: str) -> str:
        return str(self._directory / "queue" / (self.letter.id + suffix))


class Outbox:
    """The outbox in `directory`, which is made when the first letter comes."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._queue = directory / "queue"

    @contextmanager
    def added(self, message: Sequence[bytes | memoryview], letter: Letter) -> Iterator[Claim]:
        """Take a message in, durably, and hold it for the block."""
        path = str(self._queue / f"{letter.id}.eml")
        with contextlib.ExitStack() as stack:
            with _translated(f"cannot create {path}"):
                disk.make_directory(str(self._queue))
                descriptor = os.open(f"{path}.tmp", os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
                stack.callback(os.close, descriptor)
                # Held before anybody can see it.
                fcntl.flock(descriptor, fcntl.LOCK_EX)
                for piece in message:
                    _write_all(descriptor, piece)
                os.fsync(descriptor)
                os.rename(f"{path}.tmp", path)
            _write(str(self._queue / f"{letter.id}.json"), letter)
            yield Claim(self._directory, letter)

    @contextmanager
    def claimed(self, ident: str) -> Iterator[Claim | None]:
        """Hold a letter for the block; None when somebody else does, or it has left."""
        path = str(self._queue / f"{ident}.eml")
        with contextlib.ExitStack() as stack:
            try:
                descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
            except FileNotFoundError:
                yield None
                return
            stack.callback(os.close, descriptor)
            # Who held it before may have removed it: it is read again now that it is ours.
            letter = _read(self._queue / f"{ident}.json") if _locked(descriptor) else None
            yield Claim(self._directory, letter) if letter else None

    def letters(self) -> list[Letter]:
        """Those on their way, in order."""
        return [letter for letter in _all(self._queue) if letter.state != "failed"]

    def failed(self) -> list[Letter]:
        """Those that failed for good, in order."""
        return [*_all(self._directory / "failed"), *(letter for letter in _all(self._queue) if letter.state == "failed")]

    def tidy(self) -> None:
        """Finish what a crash cut off: letters that failed and were not set aside, messages without a letter."""
        for letter in _all(self._queue):
            if letter.state == "failed":
                with contextlib.suppress(FileNotFoundError):
                    _set_aside(self._directory, letter.id)
        for path in [*self._queue.glob("*.eml"), *self._queue.glob("*.tmp")]:
            with contextlib.suppress(FileNotFoundError):
                old = time.time() - path.stat().st_mtime > _ORPHAN_SECONDS
                if old and not path.with_suffix(".json").exists():
                    path.unlink()


def new_letter(envelope: Envelope, *, state: State) -> Letter:
    """A letter for a message that comes in now. One that is sent at once is born in that state, which spares a write."""
    now = time.time()
    return Letter(
        id=f"{int(now * 1_000_000):017d}-{os.urandom(4).hex()}",
        token=os.urandom(10).hex(),
        state=state,
        since=now,
        added=now,
        size=envelope.size,
        to=envelope.to,
        cc=envelope.cc,
        bcc=envelope.bcc,
        exact=envelope.exact,
        sender=envelope.sender,
        subject=envelope.subject,
        attempts=1 if state == "sending" else 0,
    )


def _all(directory: Path) -> list[Letter]:
    if not directory.is_dir():
        return []
    found = [_read(path) for path in sorted(directory.glob("*.json"))]
    return [letter for letter in found if letter is not None]


def _read(path: Path) -> Letter | None:
    """None when it is no longer there."""
    try:
        values: dict[str, Any] = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise DiskError(f"cannot read {path}: {error}") from error
    del values["version"]
    fields: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}
    return Letter(**fields)


def _write(path: str, letter: Letter) -> None:
    with _translated(f"cannot write {path}"):
        disk.write_whole(path, json.dumps({"version": 1, **asdict(letter)}).encode())


def _set_aside(directory: Path, ident: str) -> None:
    """Message first: a letter without its message would be taken for complete."""
    with _translated(f"cannot move {ident} to {directory / 'failed'}"):
        disk.make_directory(str(directory / "failed"))
        with contextlib.suppress(FileNotFoundError):
            os.rename(directory / "queue" / f"{ident}.eml", directory / "failed" / f"{ident}.eml")
        os.rename(directory / "queue" / f"{ident}.json", directory / "failed" / f"{ident}.json")
        disk.sync_directories(str(directory / name) for name in ("queue", "failed"))


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _write_all(descriptor: int, piece: bytes | memoryview) -> None:
    rest = memoryview(piece)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


@contextmanager
def _translated(doing: str) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise
    except OSError as error:
        raise disk.disk_error(error, doing) from error
