"""What is measured. Each case yields lines of Markdown as it has them, and adds rows to the table of aims."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from collections.abc import Iterator
from contextlib import ExitStack
from contextlib import closing
from dataclasses import dataclass
from dataclasses import field
from dataclasses import replace
from pathlib import Path

from tests.bench import contacts
from tests.bench import sending
from tests.bench import table
from tests.bench.changes import Changes
from tests.bench.running import Run
from tests.bench.running import Server
from tests.bench.running import measured
from tests.bench.running import middle
from tests.bench.running import sandbox
from tests.bench.table import MB
from tests.bench.table import aim
from tests.bench.user import User
from tests.bench.user import home
from tests.bench.user import user


@dataclass
class Bench:
    """How much, where, how often. `share` divides the sizes of a short run. `aims` fills as cases end."""

    directory: Path
    repeat: int
    share: int = 1
    aims: list[list[str]] = field(default_factory=list)


# ---- the first mirror, against the floor


#: Lines to the server: what each is called, its round trip in ms, and the megabytes a second of each connection (0: no limit).
#: Four connections of the last carry some 450 messages a second.
LINES = (("0 ms", 0, 0.0), ("40 ms", 40, 0.0), ("40 ms and 7.5 MB/s", 40, 7.5))


def mirror(bench: Bench) -> Iterator[str]:
    """The comparison: two mailboxes, three lines to the server, the floor and ours. The smaller shows what a run costs before it
    begins. A server in memory is so fast that it is the client that is measured; behind the third line it is as slow as those
    that are not.
    """
    for count in (2_000 // bench.share, 10_000 // bench.share):
        yield from _heading(f"First mirror: {count:,} messages of 36 KB in 17 folders (medians of {bench.repeat})")
        rows: list[list[str]] = []
        ours: dict[str, Run] = {}
        for line, rtt, rate in LINES:
            with sandbox(f"bulk:{count}x36K/17", rtt_ms=rtt, mb_per_s=rate) as server:
                floor, ours[line] = _both(bench, server)
            messages, size = _told(floor)
            rows += [
                [f"floor, {line}", *table.cost(floor, messages, size)],
                [f"ews-bridge, {line}", *table.cost(ours[line], messages, size)],
            ]
            wall, cpu = ours[line].wall / floor.wall, ours[line].cpu / floor.cpu
            rows.append(["ratio", f"{wall:.2f}", "", "", f"{cpu:.2f}", f"{ours[line].peak / floor.peak:.2f}", ""])
            name = f"first mirror of {count:,} at {line}"
            bench.aims.append(aim(f"{name}, wall", "≤ 1.3 × the floor", f"{wall:.2f} ×", met=wall <= 1.3))
            bench.aims.append(aim(f"{name}, client CPU", "≤ 2 × the floor", f"{cpu:.2f} ×", met=cpu <= 2))
        slower = ours["40 ms"].wall / ours["0 ms"].wall
        bench.aims.append(aim(f"first mirror of {count:,}, 40 ms against 0 ms", "< 2 ×", f"{slower:.2f} ×", met=slower < 2))
        yield from table.table(("", *table.COST), rows)


def elsewhere(bench: Bench, server: Server) -> Iterator[str]:
    """The same against any server, once and reading only, and what a run costs that finds nothing new."""
    yield from _heading(f"First mirror of {server.email}")
    rows: list[list[str]] = []
    if server.auth == "basic":
        with home(bench.directory) as place:
            floor = _floor(server, place)
        rows.append(["floor", *table.cost(floor, *_told(floor))])
    with user(server, bench.directory) as someone:
        first = someone.sync()
        messages, size = someone.messages()
        idle = middle(_quiet(someone, bench.repeat)[1:])
    rows += [["ews-bridge", *table.cost(first, messages, size)], [f"nothing new (median of {bench.repeat})", *_idle(idle)]]
    yield from table.table(("", *table.COST), rows)


def _both(bench: Bench, server: Server) -> tuple[Run, Run]:
    """The floor and ours, in turns: what else the machine does hits both alike."""
    floors: list[Run] = []
    ours: list[Run] = []
    # Nothing is removed before the end: ext4 is slow to give out inodes that were freed a moment ago.
    with ExitStack() as kept:
        for _ in range(bench.repeat):
            floors.append(_floor(server, kept.enter_context(home(bench.directory))))
            ours.append(kept.enter_context(user(server, bench.directory)).sync())
    return middle(floors), middle(ours)


def _floor(server: Server, place: Path) -> Run:
    command = [sys.executable, "-m", "tests.bench.floor", server.url, server.user, str(place / "Mail")]
    run = measured(command, stdin=server.password() + "\n")
    return replace(run, requests=json.loads(run.out)["requests"])


def _told(floor: Run) -> tuple[int, int]:
    """(messages, bytes) that the floor wrote."""
    said = json.loads(floor.out)
    return said["messages"], said["bytes"]


# ---- a large mailbox


def large(bench: Bench) -> Iterator[str]:
    """Many messages in many folders: the first mirror, and runs that find nothing."""
    yield from _sized(bench, 100_000 // bench.share, 100, "the large mailbox")


def one_folder(bench: Bench) -> Iterator[str]:
    """The same number in one folder."""
    yield from _sized(bench, 100_000 // bench.share, 1, "one large folder")


def many_folders(bench: Bench) -> Iterator[str]:
    """A tree of folders with one message each."""
    yield from _sized(bench, 2000 // bench.share, 2000 // bench.share, "many folders")


def _sized(bench: Bench, count: int, folders: int, what: str) -> Iterator[str]:
    yield from _heading(f"{count:,} messages of 2 KB in {folders:,} folder{'s' if folders > 1 else ''}")
    # In /1 the number of folders is said, too: without it the Inbox would be the folder.
    with sandbox(f"bulk:{count}x2K/{folders}") as server, user(server, bench.directory) as someone:
        first = someone.sync()
        messages, size = someone.messages()
        assert messages == count, f"{messages} of {count} messages are on disk"
        second, *quiet = _quiet(someone, bench.repeat)
        idle = middle(quiet)
    rows = [
        ["first mirror", *table.cost(first, messages, size)],
        ["second run: all is listed once", *_idle(second)],
        [f"nothing new (median of {bench.repeat})", *_idle(idle)],
    ]
    if folders <= 100:
        bench.aims.append(aim(f"{what}: peak memory", "< 150 MB", f"{first.peak / MB:.0f} MB", met=first.peak < 150 * MB))
    limit = -(-(folders + 20) // 1000) + 1  # FindFolder gives 1,000; some twenty folders are there anyway
    bench.aims.append(aim(f"{what}: nothing new", "< 1 s", f"{idle.wall:.2f} s", met=idle.wall < 1))
    met = idle.requests is not None and idle.requests <= limit
    bench.aims.append(aim(f"{what}: nothing new, requests", f"≤ {limit}", table.requests(idle), met=met))
    yield from table.table(("", *table.COST), rows)


def _quiet(someone: User, repeat: int) -> list[Run]:
    """The second run, then `repeat` more. A directory that changed less than 2 s ago proves nothing: wait."""
    time.sleep(2.5)
    return [someone.sync() for _ in range(1 + repeat)]


def _idle(run: Run) -> list[str]:
    return [f"{run.wall:.2f}", "", "", f"({run.cpu:.2f} s)", table.megabytes(run.peak), table.requests(run)]


# ---- changes


def incremental(bench: Bench) -> Iterator[str]:
    """What a number of changes costs in mailboxes of three sizes: it should be the same in all."""
    sizes = [size // bench.share for size in (1000, 10_000, 100_000)]
    counts = (1, 10, 100)
    yield from _heading(f"Changes, in mailboxes of 100 folders (seconds, of these CPU / requests; medians of {bench.repeat})")
    rows: list[list[str]] = []
    costs: dict[tuple[int, str], Run] = {}
    for size in sizes:
        with sandbox(f"bulk:{size}x2K/100") as server, user(server, bench.directory) as someone:
            someone.sync()
            idle = _quiet(someone, 1)[1]
            with closing(Changes(server)) as changes:
                found = {count: _cycle(bench, someone, changes, count) for count in counts}
        row = [f"{size:,} messages", _short(idle)]
        for name in ("new", "marked", "deleted"):
            row += [_short(found[count][name]) for count in counts]
            costs |= {(size, f"{count} {name}"): found[count][name] for count in counts}
        rows.append(row)
    names = [f"{count} {name}" for name in ("new", "marked", "deleted") for count in counts]
    yield from table.table(("", "nothing", *names), rows)
    for word in ("wall", "cpu"):
        ratios = [(getattr(costs[sizes[-1], name], word) / getattr(costs[sizes[0], name], word), name) for name in names]
        worst, what = max(ratios)
        aimed = f"changes in {sizes[-1]:,} against {sizes[0]:,} messages, {word}"
        bench.aims.append(aim(aimed, "flat (≤ 1.5 ×)", f"{worst:.2f} × ({what})", met=worst <= 1.5))


def _cycle(bench: Bench, someone: User, changes: Changes, count: int) -> dict[str, Run]:
    """Make, mark and delete `count` messages, with a sync after each."""
    runs: dict[str, list[Run]] = {"new": [], "marked": [], "deleted": []}
    acts: list[tuple[str, Callable[[], None]]] = [
        ("new", lambda: changes.create(count)),
        ("marked", changes.mark),
        ("deleted", changes.delete),
    ]
    for _ in range(bench.repeat):
        for name, act in acts:
            act()
            run = someone.sync("--json")
            done = json.loads(run.out)["accounts"][0]["done"]
            assert sum(done.values()) == count, f"{name}: {done} instead of {count}"
            runs[name].append(run)
    return {name: middle(each) for name, each in runs.items()}


def _short(run: Run) -> str:
    return f"{run.wall:.2f}, {run.cpu:.2f} / {table.requests(run)}"


# ---- one large message


def large_message(bench: Bench) -> Iterator[str]:
    """A message with a large attachment."""
    size = 150 * MB // bench.share
    yield from _heading(f"One message of {size // MB} MB")
    with home(bench.directory) as seed:
        (seed / "inbox").mkdir()
        _write_message(seed / "inbox/large.eml", size)
        with sandbox(str(seed)) as server, user(server, bench.directory) as someone:
            run = someone.sync()
            messages, stored = someone.messages()
            assert messages == 1 and stored > size * 0.98, f"{messages} messages of {stored} bytes"
    yield from table.table(("", *table.COST), [["first mirror", *table.cost(run, messages, stored)]])
    ratio = run.peak / size
    bench.aims.append(aim("one large message: peak memory", "< 3 × its size", f"{ratio:.2f} ×", met=ratio < 3))


def _write_message(path: Path, size: int) -> None:
    line = b"QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWZnaGlqa2xtbm9wcXJzdHV2d3h5ejAx\r\n"
    head = (
        "From: Bob <bob@example.test>\r\nTo: alice@example.test\r\nSubject: the drawings\r\n"
        "Date: Tue, 03 Nov 2026 10:00:00 +0000\r\nMessage-ID: <large@example.test>\r\nMIME-Version: 1.0\r\n"
        'Content-Type: application/octet-stream; name="drawings.tar"\r\nContent-Transfer-Encoding: base64\r\n\r\n'
    )
    with path.open("wb") as file:
        file.write(head.encode())
        for _ in range(size // (1000 * len(line))):
            file.write(1000 * line)


def _heading(text: str) -> list[str]:
    return ["", f"## {text}", ""]


# ---- sending


def send(bench: Bench) -> Iterator[str]:
    """One message, beside what else would send it."""
    repeat = max(5, 3 * bench.repeat)
    yield from _heading(f"Sending one message of 2 KB (medians of {repeat})")
    rows: list[list[str]] = []
    with sandbox("empty") as server:
        for who, run in sending.costs(server, bench.directory, repeat):
            rows.append([who, f"{run.wall:.3f} s", f"{run.cpu:.3f} s"])
            wanted = {"ews-send": 0.5, "ews-send, into the outbox": 0.12}.get(who)
            if wanted:
                bench.aims.append(aim(who, f"< {wanted} s", f"{run.wall:.3f} s", met=run.wall < wanted))
    yield from table.table(("", "wall", "CPU"), rows)


# ---- contacts


def address_book(bench: Bench) -> Iterator[str]:
    """An address book both ways."""
    count = 10_000 // bench.share
    yield from _heading(f"{count:,} contacts")
    rows: list[list[str]] = []
    with sandbox("empty") as server:
        for what, run, cards, size in contacts.costs(server, bench.directory, count, bench.repeat):
            rows.append([what, *(table.cost(run, cards, size) if cards else _idle(run))])
            if not cards:
                bench.aims.append(aim("contacts: nothing new", "< 1 s", f"{run.wall:.2f} s", met=run.wall < 1))
            bench.aims += [
                aim(
                    f"{what}, client CPU",
                    f"≤ {wanted} ms each",
                    f"{1000 * run.cpu / cards:.1f} ms",
                    met=run.cpu <= wanted * cards / 1000,
                )
                for words, wanted in (("go up", 5), ("come down", 3))
                if words in what
            ]
    yield from table.table(("", *table.COST), rows)


CASES: dict[str, Callable[[Bench], Iterator[str]]] = {
    "mirror": mirror,
    "large": large,
    "incremental": incremental,
    "large-message": large_message,
    "one-folder": one_folder,
    "many-folders": many_folders,
    "send": send,
    "contacts": address_book,
}
