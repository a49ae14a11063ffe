"""What is printed: results on stdout, complaints on stderr, for people or as one JSON object.

JSON carries `"version": 1`; it is raised when a key changes its meaning or goes away, not when one is added.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence

from ews_bridge.errors import DiskError
from ews_bridge.report import Failure

VERSION = 1


def say(text: str) -> None:
    """A line for stdout. Raises BrokenPipeError when nobody reads it, DiskError when it cannot be written."""
    try:
        print(text)
    except BrokenPipeError:
        raise
    except UnicodeEncodeError:
        encoding = sys.stdout.encoding
        print(text.encode(encoding, "backslashreplace").decode(encoding))
    except OSError as error:
        raise DiskError(f"cannot write the output: {error.strerror}") from error


def complain(text: str, *, hint: str = "", account: str = "") -> None:
    """One line for stderr, one more for the hint. A name that the server chose cannot steer the terminal."""
    about = f"ews-bridge: {account}: " if account else "ews-bridge: "
    print(printable(about + text), file=sys.stderr)
    if hint:
        print(printable(f"hint: {hint}"), file=sys.stderr)


def complain_of(failures: Iterable[Failure], *, account: str) -> None:
    """Name each thing that failed, why, and what to do; a hint that several share is given once, after them."""
    by_hint: dict[str, list[Failure]] = {}
    for failure in failures:
        by_hint.setdefault(failure.hint, []).append(failure)
    for hint, together in by_hint.items():
        for failure in together[:-1]:
            complain(f"{failure.what}: {failure.why}", account=account)
        complain(f"{together[-1].what}: {together[-1].why}", hint=hint, account=account)


def say_json(values: Mapping[str, object]) -> None:
    """The one object of --json."""
    say(json.dumps({"version": VERSION, **values}, ensure_ascii=False, indent=2))


def printable(text: str) -> str:
    """Text on one line without control characters: names come from the server and may hold anything."""
    return "".join(letter if letter.isprintable() else f"\\x{ord(letter):02x}" for letter in text)


def size(count: float) -> str:
    """A number of bytes for people, in powers of 1000."""
    for unit in ("B", "kB", "MB"):
        if count < 999.5:
            return f"{count:.0f} B" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} GB"


def duration(seconds: float) -> str:
    """A time for people: "3.2 s", "4 min 05 s", "2 h 10 min"."""
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


def table(heads: Sequence[str], rows: Sequence[Sequence[str]], *, right: Iterable[int] = ()) -> list[str]:
    """Lines with columns aligned, by the width that a terminal gives each letter; `right`: columns aligned to the right."""
    columns = set(right)
    cells = [[printable(cell) for cell in row] for row in (heads, *rows)]
    widths = [max(width(row[column]) for row in cells) for column in range(len(heads))]
    lines = []
    for row in cells:
        parts = []
        for column, cell in enumerate(row):
            room = " " * (widths[column] - width(cell))
            parts.append(room + cell if column in columns else cell + room)
        lines.append("  ".join(parts).rstrip())
    return lines


def width(text: str) -> int:
    """Columns that a terminal needs for `text`: East Asian wide letters take two, combining ones none."""
    from unicodedata import combining
    from unicodedata import east_asian_width

    return sum(0 if combining(letter) else 2 if east_asian_width(letter) in "WF" else 1 for letter in text)
