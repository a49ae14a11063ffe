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
    an item was over (0: no limit). `meeting_mail`, of calendars alone: whether the people of one's own meetings are mailed of
    what a sync does to these: "never", "ask" or "always".
    """

    path: Path
    guard: float = 0.25
    read_only: tuple[str, ...] = ()
    since: int = 0
    meeting_mail: str = "never"


#: What `meeting_mail` may be.
MEETING_MAIL = ("never", "ask", "always")
#: The keys of each section.
KEYS = {
    name: tuple(each.name for each in fields(ItemsSection) if name == "calendar" or each.name != "meeting_mail")
    for name in ("calendar", "contacts", "tasks")
}


def read(source: Source, path: tuple[str, ...], data: object) -> ItemsSection | None:
    """The section as it stands in a file; None where there is none. Refuses what is not understood."""
    if data is None:
        return None
    table = Table(source, path, data, KEYS[path[-1]])
    return ItemsSection(
        path=table.file("path"),
        guard=table.share("guard", ItemsSection.guard),
        read_only=table.strings("read_only", table.data["read_only"]) if "read_only" in table.data else (),
        since=table.age("since"),
        meeting_mail=table.choice("meeting_mail", MEETING_MAIL, ItemsSection.meeting_mail),
    )
