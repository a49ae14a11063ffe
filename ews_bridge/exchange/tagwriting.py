"""Writing tags on items of an Exchange folder, of any kind: lists that are written as a whole, and by other clients, too.

Must never do: write a list that somebody changed since it was read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ews_bridge.errors import BadItem
from ews_bridge.errors import Stale
from ews_bridge.exchange import asking
from ews_bridge.exchange import bulk
from ews_bridge.exchange import soap
from ews_bridge.exchange.creating import TRIES
from ews_bridge.exchange.creating import Place
from ews_bridge.exchange.creating import Results
from ews_bridge.exchange.creating import name_of
from ews_bridge.exchange.creating import new_id
from ews_bridge.exchange.tagging import Tagging
from ews_bridge.exchange.writing import CONFLICT
from ews_bridge.exchange.writing import WRITE_ITEMS
from ews_bridge.exchange.writing import failed
from ews_bridge.exchange.writing import items_now
from ews_bridge.exchange.writing import key_of
from ews_bridge.exchange.writing import write
from ews_bridge.model import Entry
from ews_bridge.model import Tags
from ews_bridge.model import all_tags


def tag(folder: Place, tagging: Tagging, items: Sequence[tuple[Entry, Tags]]) -> Results:
    """Both lists of tags, each as a whole: read, compared with what the entry says, and written with the key that was read."""
    unknown = tagging.ensure(frozenset().union(*(all_tags(tags) for _, tags in items)))
    able: list[tuple[Entry, Tags]] = []
    for entry, tags in items:
        if lacking := sorted(tags.get("akonadi", frozenset()) & unknown):
            why = f"{name_of(entry)} cannot be tagged {lacking[0]}: you may not add to the list of tags of this mailbox"
            yield entry, BadItem(why, hint='take a tag that is in the list, or set server = ["categories"]')
        else:
            able.append((entry, tags))
    for start in range(0, len(able), WRITE_ITEMS):
        yield from _tag(folder, tagging, able[start : start + WRITE_ITEMS])


def _tag(folder: Place, tagging: Tagging, items: Sequence[tuple[Entry, Tags]]) -> Results:
    rest = list(items)
    for attempt in range(1, TRIES + 1):
        now = items_now(folder, [entry for entry, _ in rest], tagging.fields)
        changes: list[tuple[Entry, Tags, str]] = []
        for entry, tags in rest:
            current = now[entry.id]
            if isinstance(current, bulk.Refusal):
                yield entry, current.error(name_of(entry))
            elif (entry.revision and key_of(current.element) != entry.revision) or tagging.of(current.element) != entry.tags:
                yield entry, Stale(f"{name_of(entry)} was edited or tagged meanwhile")
            else:
                element = soap.name(current.element)
                text = tagging.changes(current.element, tags, "Message" if element == "Item" else element)
                changes.append((entry, tags, asking.item_change((entry.id, key_of(current.element)), text)))
        rest = []

        def operation(some: Sequence[tuple[Entry, Tags, str]]) -> bytes:
            return asking.update_items((change for _, _, change in some), overwrite=False)

        for (entry, tags, _), answer in write(folder.connection, changes, operation, repeat=False):
            if answer.ok:
                yield entry, replace(entry, tags=tags, revision=new_id(answer)[1] if entry.revision else "")
            elif answer.code in CONFLICT - bulk.GONE and attempt < TRIES:
                rest.append((entry, tags))
            else:
                yield entry, failed(entry, answer, "tagged")
        if not rest:
            return
