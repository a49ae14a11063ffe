"""Writing tags on items of an Exchange folder, of any kind: lists that are written as a whole, and by other clients, too.

Must never do: write a list that somebody changed since it was read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from lxml import etree

from ews_bridge.errors import BadItem
from ews_bridge.errors import Stale
from ews_bridge.exchange import soap
from ews_bridge.exchange.creating import Place
from ews_bridge.exchange.creating import Results
from ews_bridge.exchange.creating import name_of
from ews_bridge.exchange.tagging import Tagging
from ews_bridge.exchange.writing import rewrite
from ews_bridge.model import Entry
from ews_bridge.model import Tags
from ews_bridge.model import all_tags
from ews_bridge.store import Failed


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

    def change(entry: Entry, tags: Tags, element: etree._Element) -> tuple[Entry, str] | Failed:
        if tagging.of(element) != entry.tags:
            return Stale(f"{name_of(entry)} was tagged meanwhile")
        name = soap.name(element)
        return replace(entry, tags=tags), tagging.changes(element, tags, "Message" if name == "Item" else name)

    yield from rewrite(folder, able, change, fields=tagging.fields, doing="tagged")
