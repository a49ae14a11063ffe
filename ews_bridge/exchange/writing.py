"""The writes of an Exchange folder (`folder.ExchangeFolder`): create, update, mark, move, delete, and finding by token.

What may be sent twice: a change of flags, which says what shall be. Everything else is sent once; where the server refuses a
request as a whole, our tokens tell which of its items were made before. Meetings: nobody is ever mailed by what is done here.

Elements: an item is changed as `t:Message` first, which suits nearly all; where the server minds (ErrorUpdatePropertyMismatch,
ErrorObjectTypeChanged), it is asked what the item is and gets its own element. So no listing has to remember it.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import TypeVar

from lxml import etree

from ews_bridge.errors import BadItem
from ews_bridge.errors import Busy
from ews_bridge.errors import Stale
from ews_bridge.errors import Unavailable
from ews_bridge.exchange import asking
from ews_bridge.exchange import bulk
from ews_bridge.exchange import faults
from ews_bridge.exchange import mail
from ews_bridge.exchange import soap
from ews_bridge.exchange.creating import FULL
from ews_bridge.exchange.creating import NO_FOLDER
from ews_bridge.exchange.creating import PASSING
from ews_bridge.exchange.creating import TRIES
from ews_bridge.exchange.creating import Folder
from ews_bridge.exchange.creating import Place
from ews_bridge.exchange.creating import Results
from ews_bridge.exchange.creating import mime_content
from ews_bridge.exchange.creating import name_of
from ews_bridge.exchange.creating import new_id
from ews_bridge.exchange.session import Connection
from ews_bridge.model import Content
from ews_bridge.model import Entry
from ews_bridge.model import Flag
from ews_bridge.model import Flags
from ews_bridge.store import Failed

T = TypeVar("T")

WRITE_ITEMS = 100

CONFLICT = frozenset({"ErrorIrresolvableConflict", "ErrorStaleObject"}) | bulk.GONE | NO_FOLDER
# It wants its own element, or its change key: ask what it is.
_READ_FIRST = frozenset(
    {
        "ErrorChangeKeyRequired",
        "ErrorChangeKeyRequiredForWriteOperations",
        "ErrorInvalidPropertySet",
        "ErrorObjectTypeChanged",
        "ErrorUpdatePropertyMismatch",
    }
)
# What makes a draft what it is: compared before and after it is thrown away.
_DRAFT_FIELDS = "".join(
    asking.field(f"{kind}:{name}")
    for kind, name in (
        ("item", "Subject"),
        ("item", "Body"),
        ("item", "Attachments"),
        ("message", "ToRecipients"),
        ("message", "CcRecipients"),
        ("message", "BccRecipients"),
    )
)
_DRAFT_NAMES = frozenset({"Subject", "Body", "Name", "EmailAddress"})


# ---- update


def update(folder: Folder, items: Iterable[tuple[Entry, Content]]) -> Results:
    """The content of drafts, by SetItemField of their MIME. What was sent or received cannot be replaced, nor what the server
    does not take: `BadItem`.
    """
    for entry, content in items:
        if not entry.revision:
            yield entry, BadItem(f"{name_of(entry)} cannot be replaced: only drafts can be edited")
            continue
        try:
            size, mime = mime_content(content.pieces())
        except (Stale, BadItem) as error:  # the other side could not read it to its end
            yield entry, error
            continue
        current = items_now(folder, [entry], "")[entry.id]
        if isinstance(current, bulk.Refusal) or key_of(current.element) != entry.revision:
            yield entry, Stale(f"{name_of(entry)} was edited or removed meanwhile")
            continue
        new = asking.set_field(asking.field("item:MimeContent"), "Message", b"".join(mime).decode())
        change = asking.item_change((entry.id, entry.revision), new)
        operation = asking.update_items([change], overwrite=False)
        for _, answer in write(folder.connection, [entry], lambda _, text=operation: text, repeat=False):  # type: ignore[misc]
            if answer.ok:
                made = replace(entry, revision=new_id(answer)[1] or entry.revision, hints=replace(entry.hints, size=size))
                yield entry, made
            elif answer.code in CONFLICT:
                yield entry, Stale(f"{name_of(entry)} was edited or removed meanwhile")
            else:
                yield entry, BadItem(f"{name_of(entry)} cannot be replaced: {answer.why()}")


# ---- mark


def mark(folder: Folder, items: Sequence[tuple[Entry, Flags]]) -> Results:
    """Only the fields of flags that differ are written, without regard to the change key: others may write others.

    Drafts (whose key is their revision) and changes to Akonadi's list go by the key instead.
    """
    careful: list[tuple[Entry, Flags]] = []
    simple: list[tuple[Entry, Flags]] = []
    for entry, flags in items:
        wanted = _wanted(entry, flags)
        if wanted == entry.flags:
            yield entry, entry
        elif entry.revision or mail.needs_reading(entry.flags, wanted):
            careful.append((entry, wanted))
        else:
            simple.append((entry, wanted))

    def operation(some: Sequence[tuple[Entry, Flags]]) -> bytes:
        changes = (asking.item_change((e.id, ""), mail.updates(e.flags, w, (), "Message")) for e, w in some)
        return asking.update_items(changes, overwrite=True)

    for (entry, wanted), answer in write(folder.connection, simple, operation, repeat=True):
        if answer.ok:
            yield entry, replace(entry, flags=wanted)
        elif answer.code in _READ_FIRST:
            careful.append((entry, wanted))
        else:
            yield entry, failed(entry, answer, "marked")
    yield from rewrite(folder, careful, _flags_change, fields=asking.FLAG_FIELDS, doing="marked")


def _flags_change(entry: Entry, wanted: Flags, element: etree._Element) -> tuple[Entry, str] | Failed:
    properties, name = mail.extended(element), soap.name(element)
    words, flags = mail.words_of(properties), mail.flags(element, properties)
    text = mail.updates(entry.flags, wanted, words, "Message" if name == "Item" else name, now=flags)
    return (replace(entry, flags=wanted), text) if text else BadItem(f"{name_of(entry)} is a {name}, which has no such flag")


def rewrite(
    folder: Place,
    items: Sequence[tuple[Entry, T]],
    change: Callable[[Entry, T, etree._Element], tuple[Entry, str] | Failed],
    *,
    fields: str,
    doing: str,
) -> Results:
    """Read what is there, and write with its key what `change` makes of it: the entry as it will be, and the field updates. When
    somebody was quicker, once more. What has another revision was edited and is not written.

    `fields`: what `change` looks at; `doing`: the word for a failure ("marked").
    """
    for start in range(0, len(items), WRITE_ITEMS):
        rest = list(items[start : start + WRITE_ITEMS])
        for attempt in range(1, TRIES + 1):
            now = items_now(folder, [entry for entry, _ in rest], fields)
            changes: list[tuple[tuple[Entry, T], Entry, str]] = []
            for entry, wanted in rest:
                made = _changed(entry, wanted, now[entry.id], change)
                if isinstance(made, tuple):
                    changes.append(((entry, wanted), *made))
                else:
                    yield entry, made
            rest = []
            for (item, after, _), answer in write(folder.connection, changes, _updates, repeat=False):
                if answer.ok:
                    yield item[0], replace(after, revision=new_id(answer)[1] if after.revision else "")
                elif answer.code in CONFLICT - bulk.GONE and attempt < TRIES:
                    rest.append(item)
                else:
                    yield item[0], failed(item[0], answer, doing)
            if not rest:
                break


def _changed(
    entry: Entry,
    wanted: T,
    current: bulk.Got | bulk.Refusal,
    change: Callable[[Entry, T, etree._Element], tuple[Entry, str] | Failed],
) -> tuple[Entry, str] | Failed:
    """The entry as it will be, and the change of the item as it is now."""
    if isinstance(current, bulk.Refusal):
        return current.error(name_of(entry))
    key = key_of(current.element)
    if entry.revision and key != entry.revision:
        return Stale(f"{name_of(entry)} was edited meanwhile")
    made = change(entry, wanted, current.element)
    return (made[0], asking.item_change((entry.id, key), made[1])) if isinstance(made, tuple) else made


def _updates(some: Sequence[tuple[object, Entry, str]]) -> bytes:
    return asking.update_items((change for _, _, change in some), overwrite=False)


def _wanted(entry: Entry, flags: Flags) -> Flags:
    """Flags that the server can hold; a draft stays one."""
    return (flags - {Flag.DRAFT, Flag.TRASHED}) | (entry.flags & {Flag.DRAFT})


# ---- move, delete


def move(folder: Folder, entries: Sequence[Entry], into: str, collection: int) -> Results:
    """MoveItem; the new ids come back by position."""
    current, gone, edited = _unchanged(folder, entries)
    yield from ((entry, Stale(f"{name_of(entry)} is no longer there")) for entry in gone)
    yield from edited
    for entry, answer in _move(folder.connection, current, asking.folder_id(into)):
        ident, key = new_id(answer)
        if not answer.ok:
            yield entry, failed(entry, answer, "moved")
        elif not ident:
            yield entry, Stale(f"{name_of(entry)} was moved; the server did not say what it is called there")
        else:
            yield entry, replace(entry, id=ident, collection=collection, revision=key if entry.revision else "")


def copy(folder: Folder, entries: Sequence[Entry], into: str, collection: int) -> Results:
    """CopyItem; the copies keep the flags, and the server's properties, of their originals."""

    def operation(some: Sequence[Entry]) -> bytes:
        return asking.move_items([entry.id for entry in some], asking.folder_id(into), operation="CopyItem")

    for entry, answer in write(folder.connection, entries, operation, repeat=False):
        ident, key = new_id(answer)
        if not answer.ok:
            yield entry, failed(entry, answer, "copied")
        elif not ident:
            yield entry, Stale(f"{name_of(entry)} was copied; the server did not say what the copy is called")
        else:
            yield entry, replace(entry, id=ident, collection=collection, revision=key if entry.revision else "")


def delete(folder: Folder, entries: Sequence[Entry]) -> Results:
    """Into Deleted Items, by MoveItem, which mails nobody whatever the item is; what lies there becomes recoverable.

    Where the settings want it gone from there, too, that comes after: the first step can be looked at and undone.
    """
    drafts = [entry for entry in entries if entry.revision]
    others = [entry for entry in entries if not entry.revision]
    into = (
        asking.folder_id(folder.trash)
        if folder.trash
        else asking.distinguished("deleteditems", folder.connection.settings.mailbox)
    )
    if folder.id == folder.trash:
        current, gone, edited = _unchanged(folder, entries)
        yield from ((entry, entry) for entry in gone)
        yield from edited
        for entry, answer in write(folder.connection, current, partial(_delete_for_good, "SoftDelete"), repeat=False):
            yield entry, entry if answer.ok or answer.code in bulk.GONE else failed(entry, answer, "deleted")
        return
    moved: list[Entry] = []
    for entry, answer in _move(folder.connection, others, into):
        moved += [replace(entry, id=new_id(answer)[0])] if answer.ok and new_id(answer)[0] else []
        yield entry, entry if answer.ok or answer.code in bulk.GONE else failed(entry, answer, "deleted")
    for entry in drafts:
        result, there = _delete_draft(folder, entry, into)
        moved += [there] if there else []
        yield entry, result
    if folder.delete_type != "MoveToDeletedItems":
        # What fails now lies in Deleted Items, where it is seen and can be deleted again.
        list(write(folder.connection, moved, partial(_delete_for_good, folder.delete_type), repeat=False))


def _delete_for_good(how: str, entries: Sequence[Entry]) -> bytes:
    return asking.delete_items([entry.id for entry in entries], how)


def _delete_draft(folder: Folder, entry: Entry, into: str) -> tuple[Entry | Failed, Entry | None]:
    """What became of it, and as what it lies in Deleted Items now.

    MoveItem honours no key: look at the draft before and after, and bring it back when it was edited in between.

    The change key is another one after a move, so it is the content that is compared.
    """
    before = items_now(folder, [entry], _DRAFT_FIELDS)[entry.id]
    if isinstance(before, bulk.Refusal):
        return entry if before.code in bulk.GONE else before.error(name_of(entry)), None
    if key_of(before.element) != entry.revision:
        return Stale(f"{name_of(entry)} was edited meanwhile"), None
    ((_, answer),) = _move(folder.connection, [entry], into)
    if not answer.ok:
        return entry if answer.code in bulk.GONE else failed(entry, answer, "deleted"), None
    there = replace(entry, id=new_id(answer)[0])
    after = items_now(folder, [there], _DRAFT_FIELDS)[there.id] if there.id else None
    if not isinstance(after, bulk.Got):
        return entry, None
    if _substance(after.element) == _substance(before.element):
        return entry, there
    list(_move(folder.connection, [there], asking.folder_id(folder.id)))
    return Stale(f"{name_of(entry)} was edited while it was being deleted"), None


def _substance(element: etree._Element) -> list[tuple[str, str]]:
    found = ((soap.name(e), (e.text or "").strip()) for e in element.iter() if isinstance(e.tag, str))
    return [(name, text) for name, text in found if name in _DRAFT_NAMES and text]


def _move(connection: Connection, entries: Sequence[Entry], into: str) -> Iterator[tuple[Entry, soap.Message]]:
    return write(connection, entries, lambda some: asking.move_items([entry.id for entry in some], into), repeat=False)


# ---- what all have in common


def write(
    connection: Connection, items: Sequence[T], operation: Callable[[Sequence[T]], bytes], *, repeat: bool
) -> Iterator[tuple[T, soap.Message]]:
    """One operation on many items: one message for each. Raises what passes by itself, after the others are told."""
    for start in range(0, len(items), WRITE_ITEMS):
        yield from _write_batch(connection, items[start : start + WRITE_ITEMS], operation, repeat=repeat)


def _write_batch(
    connection: Connection, some: Sequence[T], operation: Callable[[Sequence[T]], bytes], *, repeat: bool
) -> Iterator[tuple[T, soap.Message]]:
    try:
        answers = _while_busy(lambda: bulk.call(connection, operation(some), repeat=repeat))
    except faults.Fault as error:
        if error.code in PASSING:
            raise
        if len(some) == 1:
            yield some[0], soap.Message(error.code, str(error), etree.Element("fault"), ok=False)
            return
        # Part of it may be done: done again it is not found, or in conflict, and listed anew.
        for one in some:
            yield from _write_batch(connection, [one], operation, repeat=repeat)
        return
    if len(answers) != len(some):
        raise faults.Lost(f"the server answered {len(answers)} of {len(some)} items")
    passing: Unavailable | None = None
    for one, answer in zip(some, answers, strict=True):
        if not answer.ok and answer.code in PASSING | FULL:
            passing = faults.fault(answer.code, answer.text, answer.wait)
        else:
            yield one, answer
    if passing:
        raise passing


def _while_busy(send: Callable[[], list[soap.Message]]) -> list[soap.Message]:
    """A busy server carried nothing out; `Connection.ask` waits as long as it wants before the next try."""
    for _ in range(TRIES - 1):
        try:
            return send()
        except Busy:
            continue
    return send()


def items_now(folder: Place, entries: Sequence[Entry], fields: str) -> dict[str, bulk.Got | bulk.Refusal]:
    """What these items are now, by id."""
    wanted = [(entry.id, 0) for entry in entries]
    got = bulk.get_items(folder.connection, wanted, fields, mime=False)
    return {entries[position].id: result for position, result in got}


def _unchanged(folder: Folder, entries: Sequence[Entry]) -> tuple[list[Entry], list[Entry], list[tuple[Entry, Stale]]]:
    """(those that have no revision or still have it, those that are gone, those that were edited)"""
    drafts = [entry for entry in entries if entry.revision]
    now = items_now(folder, drafts, "") if drafts else {}
    current: list[Entry] = []
    gone: list[Entry] = []
    edited: list[tuple[Entry, Stale]] = []
    for entry in entries:
        result = now.get(entry.id)
        if result is None or (isinstance(result, bulk.Got) and key_of(result.element) == entry.revision):
            current.append(entry)
        elif isinstance(result, bulk.Refusal) and result.code in bulk.GONE:
            gone.append(entry)
        else:
            edited.append((entry, Stale(f"{name_of(entry)} was edited meanwhile")))
    return current, gone, edited


def failed(entry: Entry, answer: soap.Message, verb: str) -> Failed:
    if answer.code in CONFLICT:
        return Stale(f"{name_of(entry)} was edited or removed meanwhile")
    return BadItem(f"{name_of(entry)} cannot be {verb}: {answer.why()}")


def key_of(element: etree._Element) -> str:
    return soap.attribute(element, "ItemId", "ChangeKey")
