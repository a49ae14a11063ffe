"""Changes to items in an Exchange folder of events, contacts or tasks (`items.ItemFolder`).

An update compares what the item says now with what it is expected to say, writes only what differs, under the item's change
key, and then looks what the server made of it: that is the new revision. What one request cannot say has requests of its own:
attachments before the item, so that those who are told of it get them, changed occurrences after it. An update that is cut off
between them shows as an edit on both sides, and the file is kept aside.

Whether the people of a meeting are mailed is decided by `meetingmail.py`, and in one request with the change that they are told
of: either both happen or none.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable
from collections.abc import Iterator
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
from ews_bridge.exchange import creating
from ews_bridge.exchange import snapshots
from ews_bridge.exchange import tagwriting
from ews_bridge.exchange import writing
from ews_bridge.exchange.creating import Results
from ews_bridge.exchange.creating import name_of
from ews_bridge.exchange.form import Attachment
from ews_bridge.exchange.form import Audience
from ews_bridge.exchange.form import Changes
from ews_bridge.exchange.form import Form
from ews_bridge.exchange.form import Occurrence
from ews_bridge.exchange.meetingmail import SILENT
from ews_bridge.exchange.meetingmail import MeetingMail
from ews_bridge.exchange.meetingmail import Telling
from ews_bridge.exchange.meetingmail import is_unsent
from ews_bridge.exchange.tagging import Tagging
from ews_bridge.model import Content
from ews_bridge.model import Entry
from ews_bridge.model import Hints
from ews_bridge.model import Said
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

    @property
    def meetings(self) -> MeetingMail: ...

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
class Edit:
    """One item to be changed: as it is now, and what must be written."""

    entry: Entry
    seen: snapshots.Seen
    said: Said
    changes: Changes

    @property
    def concerned(self) -> tuple[Audience, ...]:
        return self.changes.audience, *(one.audience for one in self.changes.occurrences)

    @property
    def what(self) -> str:
        """What it is to those whom it concerns."""
        return "invitation" if is_unsent(self.seen.snapshot.element) else "update"


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


def edits(folder: Folder, some: Mapping[str, tuple[Entry, bytes]]) -> Iterator[tuple[Entry, Edit | Failed]]:
    """What is to be written, by id: the entry and the file."""
    for ident, looked in snapshots.look(folder, list(some)):
        each, data = some[ident]
        if isinstance(looked, Stale) or (isinstance(looked, snapshots.Seen) and looked.said.revision != each.revision):
            yield each, Stale(f"{name_of(each)} was edited or removed meanwhile")
        elif isinstance(looked, snapshots.Odd):
            yield each, looked.error
        else:
            try:
                changes = folder.form.changes(looked.snapshot, data, others(folder, data))
                yield each, Edit(each, looked, folder.form.read(data), changes)
            except (Stale, BadItem) as error:
                yield each, error


def _update(folder: Folder, some: Mapping[str, tuple[Entry, bytes]]) -> Results:
    ready: dict[str, list[tuple[Edit, Telling, tuple[str, str]]]] = {}  # by what the request says of mail
    for each, result in edits(folder, some):
        try:
            if not isinstance(result, Edit):
                raise result
            telling = folder.meetings.telling(each, result.what, result.said, result.concerned, ident=each.id)
            ref = _attach(folder, result.seen.ref, result.changes)
        except (Stale, BadItem) as error:
            yield each, error
        else:
            tell = asking.SILENT if result.changes.closing else telling.how(result.changes.audience)
            ready.setdefault(tell, []).append((result, telling, ref))

    written: list[tuple[Edit, Telling]] = []
    for tell, several in ready.items():
        written += [(one, telling) for one, telling, _ in several if not one.changes.xml]

        def operation(batch: Sequence[tuple[Edit, Telling, tuple[str, str]]], tell: str = tell) -> bytes:
            changes = (asking.item_change(ref, one.changes.xml) for one, _, ref in batch)
            return asking.update_items(changes, overwrite=False, tell=tell)

        first = [each for each in several if each[0].changes.xml]
        for (one, telling, _), answer in writing.write(folder.connection, first, operation, repeat=False):
            if answer.ok:
                written.append((one, telling))
            else:
                yield one.entry, writing.failed(one.entry, answer, "changed on the server")
    done: dict[str, Entry] = {}
    for one, telling in written:
        failed = follow(folder, one.seen.ref[0], one.changes, telling)
        if failed is None:
            gone = {each.id for each in one.changes.occurrences if not each.updates}
            done[" ".join(part for part in one.entry.id.split(" ") if part not in gone)] = one.entry
        else:
            yield one.entry, BadItem(f"{name_of(one.entry)} cannot be changed on the server: {failed}")
    yield from after(folder, done)


# ---- what has requests of its own


def _attach(folder: Folder, ref: tuple[str, str], changes: Changes) -> tuple[str, str]:
    """Attach and detach; the item with the change key that it has then. `BadItem`: the server did not take it."""
    key = ref[1]
    for step in attachments(ref[0], changes):
        for _, answer in writing.write(folder.connection, [step], lambda some: some[0], repeat=False):
            if not answer.ok:
                raise BadItem(f"its attachments cannot be changed on the server: {answer.why()}")
            key = next((given for each in answer.element.iter() if (given := each.get("RootItemChangeKey"))), key)
    return ref[0], key


def attachments(ident: str, changes: Changes) -> list[bytes]:
    """The requests that attach and detach."""
    return [
        *(asking.delete_attachments([each]) for each in changes.detach),
        *(asking.create_attachments(ident, [_attachment(each)]) for each in changes.attach),
    ]


def follow(folder: Folder, ident: str, changes: Changes, telling: Telling = SILENT) -> str | None:
    """What comes after the item: occurrences, the answer to an invitation, and telling of all that; why it did not work."""
    steps = [
        *(_of_occurrence(ident, one, telling.how(one.audience)) for one in changes.occurrences),
        *([asking.respond(changes.answer, ident)] if changes.answer else []),
        *(asking.delete_attachments([each]) for each in changes.cleared),
    ]
    tell = telling.how(changes.audience)
    last = bool(changes.closing) and tell != asking.SILENT
    if last:
        steps.append(asking.update_items([asking.item_change((ident, ""), changes.closing)], overwrite=True, tell=tell))
    else:
        folder.meetings.note(telling)
    for step in steps:
        if failed := told(folder, step):
            return failed
    if last:
        folder.meetings.note(telling)
    return None


def _of_occurrence(master: str, one: Occurrence, tell: str) -> bytes:
    if one.updates:
        return asking.update_items([asking.change_of(named(master, one), one.updates)], overwrite=True, tell=tell)
    return asking.delete_named(named(master, one), "MoveToDeletedItems", tell=tell)


def told(folder: Folder, operation: bytes) -> str | None:
    """Carry out one request; the reason why it, or part of it, was refused."""
    for _, answer in writing.write(folder.connection, [operation], lambda some: some[0], repeat=False):
        if not answer.ok:
            return answer.why()
    return None


def named(master: str, occurrence: Occurrence) -> str:
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
