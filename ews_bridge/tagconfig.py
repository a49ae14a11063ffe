"""`[accounts.NAME.tags]`: where tags live on the server, what keeps them on disk, and which stay where they are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field
from dataclasses import fields
from typing import Literal
from typing import cast
from typing import get_args

from ews_bridge.configfile import Source
from ews_bridge.configfile import Table
from ews_bridge.configfile import nearest

#: What keeps tags on disk.
Keeping = Literal["x-keywords", "x-label", "notmuch", "none"]
KEEPERS: tuple[Keeping, ...] = get_args(Keeping)
#: Where tags may live on Exchange: in Akonadi's own property, and as Outlook's categories.
PLACES = ("akonadi", "categories")


@dataclass(frozen=True)
class TagsSection:
    """`names`: a tag's name on the server → its name on disk; `never`: globs of names on disk; such tags go nowhere."""

    server: tuple[str, ...] = PLACES
    local: Keeping = "x-keywords"
    names: Mapping[str, str] = field(default_factory=dict)
    never: tuple[str, ...] = ()


KEYS = tuple(each.name for each in fields(TagsSection))


def read(source: Source, path: tuple[str, ...], data: object) -> TagsSection | None:
    """The section as it stands in a file; None where there is none. Refuses what is not understood."""
    if data is None:
        return None
    table = Table(source, path, data, KEYS)
    server = table.strings("server", table.data.get("server", list(PLACES)))
    for place in server:
        if place not in PLACES:
            table.refuse("server", f"{place!r} is not one of its values{nearest(place, PLACES)}")
    names = table.data.get("names", {})
    if not isinstance(names, dict) or not all(isinstance(each, str) and each.strip() for each in names.values()):
        table.refuse("names", 'must be a table such as { "Project X" = "px" }')
    if len(set(names.values())) < len(names):
        table.refuse("names", "gives two tags one name")
    return TagsSection(
        server=tuple(place for place in PLACES if place in server),
        local=cast(Keeping, table.choice("local", KEEPERS, TagsSection.local)),
        names=names,
        never=table.strings("never", table.data["never"]) if "never" in table.data else (),
    )
