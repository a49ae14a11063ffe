"""What steps would come to on the server, before they are taken: for a dry run, and for what the user must be asked before.

Only for events, contacts and tasks: whether the server could take a file is known from its codec, and whom the change of a
meeting concerns, too. Reads both sides; writes nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator

from ews_bridge.batch import Stores
from ews_bridge.batch import unfit
from ews_bridge.errors import BadItem
from ews_bridge.exchange import itemforetelling
from ews_bridge.exchange.items import ItemFolder
from ews_bridge.exchange.meetingmail import Telling
from ews_bridge.model import Content
from ews_bridge.model import Create
from ews_bridge.model import Delete
from ews_bridge.model import Entry
from ews_bridge.model import Side
from ews_bridge.model import Step
from ews_bridge.model import Update
from ews_bridge.store import Store

#: The store of a folder of the server, one that is not there yet, too.
Opened = Callable[[int], Store]


def foretold(steps: Iterable[Step], stores: Stores, opened: Opened) -> Iterator[tuple[Step, Telling | BadItem]]:
    """Of the steps that write events, contacts or tasks to the server: whom it concerns, or why it cannot be done."""
    groups: dict[tuple[type[Step], int, int], dict[str, Step]] = {}
    for step in steps:
        if error := unfit(step):
            yield step, error
            continue
        match step:
            case Create(to=Side.REMOTE, source=source):
                groups.setdefault((Create, source.collection, source.collection), {})[source.id] = step
            case Update(to=Side.REMOTE, source=source, target=target):
                groups.setdefault((Update, source.collection, target.collection), {})[target.id] = step
            case Delete(to=Side.REMOTE, target=target):
                groups.setdefault((Delete, target.collection, target.collection), {})[target.id] = step
    for (kind, here, there), some in groups.items():
        folder = stores.get((Side.REMOTE, there)) or opened(there)
        if not isinstance(folder, ItemFolder):
            continue
        if kind is Delete:
            targets = [step.target for step in some.values() if isinstance(step, Delete)]
            results = itemforetelling.deletions(folder, targets)
        elif kind is Update:
            results = itemforetelling.updates(folder, _contents(some.values(), stores[Side.LOCAL, here]))
        else:
            results = itemforetelling.creations(folder, _contents(some.values(), stores[Side.LOCAL, here]))
        for entry, result in results:
            yield some[entry.id], result


def _contents(steps: Iterable[Step], store: Store) -> Iterator[tuple[Entry, Content]]:
    """The files of creations and updates, each with the entry that its step is known by here."""
    known = {step.source.id: step for step in steps if isinstance(step, Create | Update)}
    for entry, content in store.read([step.source for step in known.values()]):
        step = known[entry.id]
        if isinstance(content, Content):
            yield step.target if isinstance(step, Update) else entry, content
