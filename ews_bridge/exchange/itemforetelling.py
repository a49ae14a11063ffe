"""What the writes of an Exchange folder of events, contacts or tasks would come to: nothing is written, and nobody is asked.

For each item: whom the change concerns (`meetingmail.Telling`), or why the server could not take it (`BadItem`). What would have
to be looked at anew by then (`Stale`) is left out.
"""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Sequence

from ews_bridge.errors import BadItem
from ews_bridge.errors import Stale
from ews_bridge.exchange import itemremoving
from ews_bridge.exchange import itemwriting
from ews_bridge.exchange.itemwriting import Folder
from ews_bridge.exchange.meetingmail import Telling
from ews_bridge.model import Content
from ews_bridge.model import Entry

Foretold = Iterator[tuple[Entry, Telling | BadItem]]


def creations(folder: Folder, items: Iterable[tuple[Entry, Content]]) -> Foretold:
    for each, content in items:
        try:
            data = b"".join(content.pieces())
            _, changes = folder.form.creation(data, itemwriting.others(folder, data))
            yield each, folder.meetings.foretold(each, "invitation", folder.form.read(data), [changes.audience])
        except BadItem as error:
            yield each, error
        except Stale:
            continue


def updates(folder: Folder, items: Iterable[tuple[Entry, Content]]) -> Foretold:
    some = {}
    for each, content in items:
        try:
            some[each.id] = each, b"".join(content.pieces())
        except BadItem as error:
            yield each, error
        except Stale:
            continue
    for each, edit in itemwriting.edits(folder, some):
        if isinstance(edit, BadItem):
            yield each, edit
        elif isinstance(edit, itemwriting.Edit):
            yield each, folder.meetings.foretold(each, edit.what, edit.said, edit.concerned, ident=each.id)


def deletions(folder: Folder, entries: Sequence[Entry]) -> Foretold:
    for each, ending in itemremoving.endings(folder, entries):
        if not isinstance(ending, Stale):
            said, concerned = ending
            yield each, folder.meetings.foretold(each, "cancellation", said, concerned, ident=each.id)
