"""`python -m tests.bench.upward`: what the way up costs: flags that a reader changed, messages dropped into a Maildir."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from pathlib import Path

from tests.bench import table
from tests.bench.cases import Bench
from tests.bench.running import Run
from tests.bench.running import machine
from tests.bench.running import sandbox
from tests.bench.table import aim
from tests.bench.user import User
from tests.bench.user import user

FLAGS = 10_000
UPLOADS = 2_000
UPLOAD_SIZE = 20_000


def upward(bench: Bench, *, rtt_ms: float = 0) -> Iterator[str]:
    """Many flag changes in one folder, then many new messages; each is checked to be quiet after it."""
    yield from ("", f"## The way up, round trips of {rtt_ms:g} ms", "")
    marks, uploads = FLAGS // bench.share, UPLOADS // bench.share
    with sandbox(f"bulk:{marks}x2K", rtt_ms=rtt_ms) as server, user(server, bench.directory) as someone:
        someone.sync()
        changed = _flag_all(someone)
        assert changed == marks, f"{changed} of {marks} messages are on disk"
        marking = someone.sync()
        _is_quiet(someone)
        size = _drop(someone, uploads)
        uploading = someone.sync()
        _is_quiet(someone)
    yield from table.table(
        ("", *table.COST),
        [
            [f"{marks:,} flag changes", *table.cost(marking, marks, 0)],
            [f"{uploads:,} uploads of {UPLOAD_SIZE // 1000} KB", *table.cost(uploading, uploads, size)],
        ],
    )
    _aims(bench, marking, marks, uploading, uploads)


def _aims(bench: Bench, marking: Run, marks: int, uploading: Run, uploads: int) -> None:
    """A whole run is measured, with its start and its listings."""
    for what, rate, wanted in (("flag changes", marks / marking.wall, 1000), ("uploads", uploads / uploading.wall, 300)):
        bench.aims.append(aim(f"the way up: {what}", f"≥ {wanted:,}/s", f"{rate:,.0f}/s", met=rate >= wanted))


def _flag_all(someone: User) -> int:
    """Each message of the Inbox gets the flag it has not, or loses the one it has; how many they are."""
    inbox = someone.home / "Mail/INBOX"
    files = [file for part in ("cur", "new") for file in (inbox / part).iterdir()]
    for file in files:
        name, _, letters = file.name.partition(":2,")
        file.rename(inbox / "cur" / f"{name}:2,{''.join(sorted(set(letters) ^ {'F'}))}")
    return len(files)


def _drop(someone: User, count: int) -> int:
    """New messages in the Inbox, as a mail filter would drop them; their bytes."""
    total = 0
    for number in range(count):
        line = f"This is line after line of message {number}, and there is nothing to see in it.\n"
        data = (
            f"From: Bob <bob@example.test>\nTo: alice@example.test\nSubject: dropped {number}\n"
            f"Date: Tue, 03 Nov 2026 {number // 3600 % 24:02}:{number // 60 % 60:02}:{number % 60:02} +0000\n"
            f"Message-ID: <dropped.{number}@example.test>\nMIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n\n"
            + line
            * (UPLOAD_SIZE // len(line))
        ).encode()
        (someone.home / f"Mail/INBOX/cur/1793700000.{number}.dropped:2,S").write_bytes(data)
        total += len(data)
    return total


def _is_quiet(someone: User) -> None:
    said = someone.sync().out
    assert "nothing new" in said, f"not quiet: {said}"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.upward", description="Measure the way up.")
    parser.add_argument("--quick", action="store_true", help="a twentieth of the sizes")
    parser.add_argument("--rtt-ms", type=float, default=0, help="the sandbox answers so much later")
    parser.add_argument("--directory", type=Path, default=Path("/var/tmp"), help="on the disk that is measured (%(default)s)")
    given = parser.parse_args()
    bench = Bench(given.directory, 1, 20 if given.quick else 1)
    print("\n".join(f"- {fact}" for fact in machine(bench.directory)))
    for line in upward(bench, rtt_ms=given.rtt_ms):
        print(line, flush=True)
    for line in ("", *table.table(("", "aim", "measured", "met"), bench.aims), "", f"Load at the end: {os.getloadavg()[0]:.1f}"):
        print(line)


if __name__ == "__main__":
    main()
