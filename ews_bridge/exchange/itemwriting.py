"""The writes of an Exchange folder of events, contacts or tasks (`items.ItemFolder`). Nobody is ever mailed by what is done here.

An update compares what the item says now with what it is expected to say, writes only what differs, under the item's change
key, and then looks what the server made of it: that is the new revision. What one request cannot say (changed occurrences,
attachments) follows in requests of its own; an update that is cut off between them shows as an edit on both sides, and the file
is kept aside.

A deletion is a move to Deleted Items; the content is compared before and after, as a move honours no change key.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import replace
from typing import Protocol
from xml.sax.saxutils import escape

from lxml import etree

from ews_bridge.errors import BadItem
from ews_bridge.errors import Stale
from ews_bridge.exchange import asking
from ews_bridge.exchange import bulk
from ews_bridge.exchange import creating
from ews_bridge.exchange import snapshots
from ews_bridge.exchange import soap
from ews_bridge.exchange import tagwriting
from ews_bridge.exchange import writing
from ews_bridge.exchange.creating import Results
from ews_bridge.exchange.creating import name_of
from ews_bridge.exchange.form import Attachment
from ews_bridge.exchange.form import Changes
from ews_bridge.exchange.form import Form
from ews_bridge.exchange.form import Occurrence
from ews_bridge.exchange.tagging import Tagging
from ews_bridge.model import Content
from ews_bridge.model import Entry
from ews_bridge.model import Hints
from ews_bridge.model import Tags
from ews_bridge.store import Failed

#: `hints.sent` of what is not over, and may never be: after every window.
NEVER = 1 << 40
#: Updates that are read, compared and written together.
UPDATE_ITEMS = 20


class Folder(creating.Place, Protocol):
    """What is needed of the folder."""

    @property
    def form(self) -> Form: ...

    @property
    def trash(self) -> str: ...

    @property
    def tagging(self) -> Tagging | None: ...

    def ids(self, uids: Iterable[str], /) -> Mapping[str, str]: ...


# ---- entries


def entry(folder: Folder, ident: str, seen: snapshots.Seen) -> Entry:
    said = seen.said
    hints = Hints(seen.change_key, seen.token, len(seen.data), said.ended or NEVER, said.label)
    return Entry(ident, said.uid, said.revision, frozenset(), folder.collection, hints, seen.tags(folder.tagging))


def odd(folder: Folder, ident: str, change_key: str, item: snapshots.Odd, was: Entry | None) -> Entry:
    """What is there and cannot be converted. It keeps the key that it had: once mended, it is the same item."""
    label = item.label or (was.hints.label if was else "") or "an item"
    key = was.key if was else ""
    return Entry(ident, key, f"?{change_key}", frozenset(), folder.collection, Hints(change_key, label=label))


def after(folder: Folder, entries: Mapping[str, Entry]) -> Results:
    """What the server shows now under these ids, each with the entry that the result is for."""
    for ident, looked in snapshots.look(folder, list(entries)):
        source = entries[ident]
        match looked:
            case snapshots.Seen():
                yield source, entry(folder, ident, looked)
            case snapshots.Odd():
                yield source, odd(folder, ident, "", looked, replace(source, id=ident))
            case Stale():
                yield source, looked


# ---- updates


def others(folder: Folder, data: bytes) -> dict[str, etree._Element]:
    """The items that a file refers to, by their UIDs, as far as the server has them. `Stale`: some are on their way up."""
    ids = folder.ids(folder.form.read(data).members)
    looked = snapshots.look(folder, list(ids.values()))
    return {seen.said.uid: seen.snapshot.element for _, seen in looked if isinstance(seen, snapshots.Seen)}


@dataclass(frozen=True, slots=True)
class _Update:
    """One item to be changed: as it is now, and what must be written."""

    entry: Entry
    seen: snapshots.Seen
    changes: Changes


def update(folder: Folder, items: Iterable[tuple[Entry, Content]]) -> Results:
    some: dict[str, tuple[Entry, bytes]] = {}
    for each, content in items:
        try:
            some[each.id] = each, b"".join(content.pieces())
        except (Stale, BadItem) as error:  # the other side could not read it to its end
            yield each, error
        if len(some) == UPDATE_ITEMS:
            yield from _update(folder, some)
            some = {}
    if some:
        yield from _update(folder, some)


def _update(folder: Folder, some: Mapping[str, tuple[Entry, bytes]]) -> Results:
    planned: list[_Update] = []
    for ident, looked in snapshots.look(folder, list(some)):
        each, data = some[ident]
        if isinstance(looked, Stale) or (isinstance(looked, snapshots.Seen) and looked.said.revision != each.revision):
            yield each, Stale(f"{name_of(each)} was edited or removed meanwhile")
        elif isinstance(looked, snapshots.Odd):
            yield each, looked.error
        else:
            try:
                planned.append(_Update(each, looked, folder.form.changes(looked.snapshot, data, others(folder, data))))
            except (Stale, BadItem) as error:
                yield each, error
    written = [one for one in planned if not one.changes.xml]

    def operation(batch: Sequence[_Update]) -> bytes:
        changes = (asking.item_change(one.seen.ref, one.changes.xml) for one in batch)
        return asking.update_items(changes, overwrite=False)

    first = [one for one in planned if one.changes.xml]
    for one, answer in writing.write(folder.connection, first, operation, repeat=False):
        if answer.ok:
            written.append(one)
        else:
            yield one.entry, writing.failed(one.entry, answer, "changed on the server")
    done: dict[str, Entry] = {}
    for one in written:
        failed = follow(folder, one.seen.ref[0], one.changes)
        if failed is None:
            gone = {each.id for each in one.changes.occurrences if not each.updates}
            done[" ".join(part for part in one.entry.id.split(" ") if part not in gone)] = one.entry
        else:
            yield one.entry, BadItem(f"{name_of(one.entry)} cannot be changed on the server: {failed}")
    yield from after(folder, done)


# ---- what follows the item itself


def follow(folder: Folder, ident: str, changes: Changes) -> str | None:
    """Occurrences, attachments and the answer to an invitation, each in requests of its own; why one did not work."""
    steps = [
        *(
            asking.update_items([asking.change_of(_named(ident, o), o.updates)], overwrite=True)
            for o in changes.occurrences
            if o.updates
        ),
        *(asking.delete_named(_named(ident, o), "MoveToDeletedItems") for o in changes.occurrences if not o.updates),
        *([asking.delete_attachments(changes.detach)] if changes.detach else []),
        *(asking.create_attachments(ident, [_attachment(each)]) for each in changes.attach),
        *([asking.respond(changes.answer, ident)] if changes.answer else []),
    ]
    for step in steps:
        if failed := told(folder, step):
            return failed
    return None


def told(folder: Folder, operation: bytes) -> str | None:
    """Carry out one request; the reason why it, or part of it, was refused."""
    for _, answer in writing.write(folder.connection, [operation], lambda some: some[0], repeat=False):
        if not answer.ok:
            return answer.why()
    return None


def _named(master: str, occurrence: Occurrence) -> str:
    return asking.item_id(occurrence.id) if occurrence.id else asking.occurrence_id(master, occurrence.index)


def _attachment(each: Attachment) -> bytes:
    photo = "<t:IsContactPhoto>true</t:IsContactPhoto>" if each.photo else ""
    head = f"<t:FileAttachment><t:Name>{escape(each.name)}</t:Name><t:ContentType>{escape(each.content_type)}</t:ContentType>"
    content = base64.b64encode(each.data)
    return b"".join((head.encode(), photo.encode(), b"<t:Content>", content, b"</t:Content></t:FileAttachment>"))


# ---- tags


def tag(folder: Folder, tagging: Tagging, items: Sequence[tuple[Entry, Tags]]) -> Results:
    """As in `tagwriting.tag`; then what the file says of it, as categories are in it, too."""
    # There a revision is the change key.
    keyed = {each.id: replace(each, revision=each.hints.place) for each, _ in items}
    done: dict[str, Entry] = {}
    for each, result in tagwriting.tag(folder, tagging, [(keyed[each.id], tags) for each, tags in items]):
        if isinstance(result, Entry):
            done[each.id] = each
        else:
            yield each, result
    yield from after(folder, done)


# ---- move, copy, delete


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
    """Into Deleted Items. What says something else there was edited at the last moment, and is brought back."""
    current, others = _current(folder, entries)
    for each, failed in others:
        yield each, each if isinstance(failed, _Gone) else failed
    moved: dict[str, Entry] = {}
    target = (
        asking.folder_id(folder.trash)
        if folder.trash
        else asking.distinguished("deleteditems", folder.connection.settings.mailbox)
    )
    for each, result in _moved(folder, current, target, folder.collection, "MoveItem"):
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
