"""Figures → Markdown."""

from __future__ import annotations

from collections.abc import Sequence

from tests.bench.running import Run

MB = 1_000_000


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Columns as wide as they must be, figures to the right."""
    widths = [max(len(cell) for cell in column) for column in zip(head, *rows, strict=True)]
    rule = [":" + "-" * (widths[0] + 1), *("-" * (width + 1) + ":" for width in widths[1:])]
    return [_line(head, widths), f"|{'|'.join(rule)}|", *(_line(row, widths) for row in rows)]


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = [cells[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(cells[1:], widths[1:], strict=True))]
    return "| " + " | ".join(padded) + " |"


#: The columns of `cost`.
COST = ("wall s", "messages/s", "MB/s", "CPU ms/message", "peak MB", "requests")


def cost(run: Run, messages: int, size: int) -> list[str]:
    """What a run cost that moved so many messages of so many bytes in all."""
    return [
        f"{run.wall:.2f}",
        f"{messages / run.wall:,.0f}",
        f"{size / run.wall / MB:.1f}",
        f"{1000 * run.cpu / messages:.2f}" if messages else "",
        megabytes(run.peak),
        requests(run),
    ]


def megabytes(size: int) -> str:
    return f"{size / MB:,.0f}"


def requests(run: Run) -> str:
    return "" if run.requests is None else f"{run.requests:,}"


def aim(what: str, wanted: str, figure: str, *, met: bool) -> list[str]:
    """A row of the table of aims."""
    return [what, wanted, figure, "yes" if met else "NO"]
