"""What may not be done in which folder: by the configuration (`read_only`), and by the rights that the server tells.

What would be refused is not tried: a local change there is undone and told, as in every read-only folder.
"""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field

from ews_bridge import folders
from ews_bridge.exchange.survey import Refusal
from ews_bridge.exchange.survey import Survey
from ews_bridge.model import Row
from ews_bridge.report import READ_ONLY


@dataclass(frozen=True, slots=True)
class Limits:
    """Numbers of collections. `frozen` and `closed`: see `model.Policy`; `fixed`: it stays as the server has it, and why."""

    frozen: frozenset[int] = frozenset()
    closed: frozenset[int] = frozenset()
    fixed: Mapping[int, str] = field(default_factory=dict)


def limits(rows: Iterable[Row], survey: Survey, read_only: Sequence[str]) -> Limits:
    """The limits of these folders. A folder that is new on disk is frozen where none may be made."""
    rows = list(rows)
    ids = {row.remote.key: row.remote.id for row in rows if row.remote}
    frozen, closed, fixed = set[int](), set[int](), dict[int, str]()
    for row in rows:
        entry = row.remote or row.local
        if entry is None:
            continue
        barren = row.local is not None and survey.refuses(_parent(row.local.key, ids), Refusal.FOLDERS)
        if folders.included(entry.key, read_only) or (row.remote is None and barren):
            frozen.add(row.number)
        elif row.remote:
            moved = row.local is not None and row.link is not None and row.local.key != row.link.local.key
            frozen |= {row.number} if survey.refuses(entry.id, Refusal.CHANGE) else set()
            closed |= {row.number} if survey.refuses(entry.id, Refusal.ADD) else set()
            if survey.refuses(entry.id, Refusal.RENAME) or (moved and barren):
                fixed[row.number] = "you may not change the folder itself"
    return Limits(frozenset(frozen), frozenset(closed), fixed | dict.fromkeys(frozen, READ_ONLY))


def _parent(path: str, ids: dict[str, str]) -> str:
    """The id of the nearest folder above that the server has; "" where there is none but the root."""
    while "/" in path:
        path = path.rpartition("/")[0]
        if path in ids:
            return ids[path]
    return ""
