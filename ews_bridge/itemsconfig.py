"""`[accounts.NAME.calendar]`, `….contacts]` and `….tasks]`: where such items live on disk, and how far back."""

from __future__ import annotations

from dataclasses import dataclass
from dataclasses import fields
from pathlib import Path

from ews_bridge.configfile import Source
from ews_bridge.configfile import Table


@dataclass(frozen=True)
class ItemsSection:
    """`guard` is a share, 0.25 for "25%"; `read_only` are globs of folders; `since` is in seconds before now, counted from when
    an item was over (0: no limit).
    """

    path: Path
    guard: float = 0.25
    read_only: tuple[str, ...] = ()
    since: int = 0


KEYS = tuple(each.name for each in fields(ItemsSection))


def read(source: Source, path: tuple[str, ...], data: object) -> ItemsSection | None:
    """The section as it stands in a file; None where there is none. Refuses what is not understood."""
    if data is None:
        return None
    table = Table(source, path, data, KEYS)
    return ItemsSection(
        path=table.file("path"),
        guard=table.share("guard", ItemsSection.guard),
        read_only=table.strings("read_only", table.data["read_only"]) if "read_only" in table.data else (),
        since=table.age("since"),
    )
