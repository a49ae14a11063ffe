"""Moves, copies and deletions of items of an Exchange folder of events, contacts or tasks (`items.ItemFolder`).

A deletion is a move to Deleted Items; the content is compared before and after, as a move honours no change key. Only where the
people of a meeting are told of its end (`meetingmail.py`) it is a DeleteItem, which tells them in the same request.
"""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Sequence
from dataclasses import replace
from itertools import chain

from ews_bridge.errors import BadItem
from ews_bridge.errors import Stale
from ews_bridge.exchange import asking
from ews_bridge.exchange import bulk
from ews_bridge.exchange import creating
from ews_bridge.exchange import snapshots
from ews_bridge.exchange import soap
from ews_bridge.exchange import writing
from ews_bridge.exchange.creating import Results
from ews_bridge.exchange.creating import name_of
from ews_bridge.exchange.form import Audience
from ews_bridge.exchange.itemwriting import Folder
from ews_bridge.exchange.meetingmail import ALL
from ews_bridge.exchange.meetingmail import SILENT
from ews_bridge.exchange.meetingmail import Telling
from ews_bridge.model import Entry
from ews_bridge.model import Said
from ews_bridge.store import Failed


def move(folder: Folder, entries: Sequence[Entry], into: Folder) -> Results:
    current, others = _current(folder, entries)
    yield from others
    yield from _moved(folder, current, asking.folder_id(into.id), into.collection, "MoveItem")


def copy(folder: Folder, entries: Sequence[Entry], into: Folder) -> Results:
    yield from _moved(folder, entries, asking.folder_id(into.id), into.collection, "CopyItem")


def _moved(folder: Folder, entries: Sequence[Entry], target: str, collection: int, how: str) -> Results:
    """MoveItem or CopyItem; a file that several items are goes with all of them."""
    done: dict[str, list[tuple[str, str]]] = {}
    failed: dict[str, Failed] = {}
    items = [(each, part) for each in entries for part in each.id.split(" ")]

    def operation(some: Sequence[tuple[Entry, str]]) -> bytes:
        return asking.move_items([part for _, part in some], target, operation=how)

    for (each, _), answer in writing.write(folder.connection, items, operation, repeat=False):
        done.setdefault(each.id, []).append(creating.new_id(answer))
        if not answer.ok:
            failed[each.id] = writing.failed(each, answer, "moved" if how == "MoveItem" else "copied")
        elif not creating.new_id(answer)[0]:
            failed[each.id] = Stale(f"{name_of(each)} was moved; the server did not say what it is called there")
    for each in entries:
        ids, keys = (" ".join(found) for found in zip(*done[each.id], strict=True))
        yield each, failed.get(each.id) or replace(each, id=ids, collection=collection, hints=replace(each.hints, place=keys))


def delete(folder: Folder, entries: Sequence[Entry]) -> Results:
    """Into Deleted Items. What says something else there was edited at the last moment, and is brought back.

    A meeting whose people are told of its end goes there by DeleteItem, and stays.
    """
    current, others = _current(folder, entries)
    for each, failed in others:
        yield each, each if isinstance(failed, _Gone) else failed
    tellings: dict[str, Telling] = {}
    refused: dict[str, Failed] = {}
    for each, ending in endings(folder, current):
        try:
            if isinstance(ending, Stale):
                raise ending
            said, concerned = ending
            tellings[each.id] = folder.meetings.telling(each, "cancellation", said, concerned, ident=each.id)
        except (Stale, BadItem) as error:
            refused[each.id] = error
            yield each, error
    loud = [each for each in current if tellings.get(each.id, SILENT).told]
    quiet = [each for each in current if each.id not in refused and each not in loud]
    for each, result in chain(_cancelled(folder, loud), _thrown_away(folder, quiet)):
        if isinstance(result, Entry):
            folder.meetings.note(tellings.get(each.id, SILENT))
        yield each, result


def endings(folder: Folder, entries: Sequence[Entry]) -> Iterator[tuple[Entry, tuple[Said, list[Audience]] | Stale]]:
    """What is said by what would be deleted, and whom that would concern; `Stale` where it says something else by now."""
    by_id = {each.id: each for each in entries} if folder.form.of_meetings else {}
    for ident, looked in snapshots.look(folder, list(by_id)):
        each = by_id[ident]
        if isinstance(looked, snapshots.Seen) and each.revision not in ("", looked.said.revision):
            yield each, Stale(f"{name_of(each)} was edited meanwhile")
        elif isinstance(looked, snapshots.Seen):
            yield each, (looked.said, [folder.form.cancelled(looked.snapshot)])


def _cancelled(folder: Folder, entries: Sequence[Entry]) -> Results:
    """Delete what people are told of the end of."""

    def operation(some: Sequence[Entry]) -> bytes:
        return asking.delete_named(asking.item_ids((each.id, "") for each in some), "MoveToDeletedItems", tell=ALL)

    for each, answer in writing.write(folder.connection, entries, operation, repeat=False):
        yield each, each if answer.ok or answer.code in bulk.GONE else writing.failed(each, answer, "deleted")


def _thrown_away(folder: Folder, entries: Sequence[Entry]) -> Results:
    """By a move, which mails nobody."""
    moved: dict[str, Entry] = {}
    target = (
        asking.folder_id(folder.trash)
        if folder.trash
        else asking.distinguished("deleteditems", folder.connection.settings.mailbox)
    )
    for each, result in _moved(folder, entries, target, folder.collection, "MoveItem"):
        if isinstance(result, Entry):
            moved[result.id] = each
        else:
            # Stale: gone meanwhile, or somewhere in Deleted Items; the next listing tells.
            yield each, result
    back: list[Entry] = []
    for ident, looked in snapshots.look(folder, list(moved)):
        each = moved[ident]
        if isinstance(looked, snapshots.Seen) and each.revision not in ("", looked.said.revision):
            back.append(replace(each, id=ident))
            yield each, Stale(f"{name_of(each)} was edited while it was being deleted")
        else:
            yield each, each
    list(_moved(folder, back, asking.folder_id(folder.id), folder.collection, "MoveItem"))


class _Gone(Stale):
    """The item is no longer there."""


def _current(folder: Folder, entries: Sequence[Entry]) -> tuple[list[Entry], list[tuple[Entry, Failed]]]:
    """(those that still say what they are expected to say, the others with the reason)"""
    single = [each for each in entries if " " not in each.id]
    now = bulk.get_items(folder.connection, [(each.id, 0) for each in single], "", mime=False)
    current: list[Entry] = []
    others: list[tuple[Entry, Failed]] = []
    changed = {each.id: each for each in entries if " " in each.id}
    for position, result in now:
        each = single[position]
        if isinstance(result, bulk.Refusal):
            gone = result.code in bulk.GONE
            others.append((each, _Gone(f"{name_of(each)} is no longer there") if gone else result.error(name_of(each))))
        elif not each.revision or soap.attribute(result.element, "ItemId", "ChangeKey") == each.hints.place != "":
            current.append(each)
        else:
            changed[each.id] = each
    for ident, looked in snapshots.look(folder, list(changed)):
        each = changed[ident]
        if isinstance(looked, snapshots.Seen) and looked.said.revision == each.revision:
            current.append(each)
        else:
            others.append((each, Stale(f"{name_of(each)} was edited meanwhile")))
    return current, others
