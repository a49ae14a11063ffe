"""New events, contacts and tasks in an Exchange folder (`items.ItemFolder`), and finding by token those that we made before.

What takes several requests (changed occurrences, attachments, and a meeting whose people are told of it once all of it is there)
is marked until the last of them is answered. Cut off before, it is removed by the next run and made anew: it is nobody's but
ours. The request that takes the mark away is the one that invites, so nobody is invited twice.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from collections.abc import Iterator

from lxml import etree

from ews_bridge.errors import BadItem
from ews_bridge.errors import Stale
from ews_bridge.exchange import asking
from ews_bridge.exchange import creating
from ews_bridge.exchange import itemwriting
from ews_bridge.exchange import snapshots
from ews_bridge.exchange import soap
from ews_bridge.exchange import writing
from ews_bridge.exchange.creating import Results
from ews_bridge.exchange.creating import name_of
from ews_bridge.exchange.form import Changes
from ews_bridge.exchange.itemwriting import Folder
from ews_bridge.exchange.meetingmail import Telling
from ews_bridge.model import Entry
from ews_bridge.model import New
from ews_bridge.store import Failed

#: The elements of `t:ItemType` that stand before ExtendedProperty (types.xsd).
_BEFORE = re.compile(
    "MimeContent|ItemId|ParentFolderId|ItemClass|Subject|Sensitivity|Body|Attachments|DateTimeReceived|Size|Categories|Importance|"
    "InReplyTo|IsSubmitted|IsDraft|IsFromMe|IsResend|IsUnmodified|InternetMessageHeaders|DateTimeSent|DateTimeCreated|"
    "ResponseObjects|ReminderDueBy|ReminderIsSet|ReminderNextTime|ReminderMinutesBeforeStart|DisplayCc|DisplayTo|HasAttachments"
)


def find(folder: Folder, token: str) -> Entry | None:
    """The item that carries this token, and all of it; one that was not finished is removed."""
    element = creating.elements(folder, [token], asking.TOKEN).get(token)
    if element is None:
        return None
    ident = soap.attribute(element, "ItemId", "Id")
    ((_, looked),) = snapshots.look(folder, [ident])
    if isinstance(looked, snapshots.Seen) and looked.unfinished:
        _remove(folder, ident)
        return None
    if isinstance(looked, snapshots.Odd):
        return itemwriting.odd(folder, ident, soap.attribute(element, "ItemId", "ChangeKey"), looked, None)
    return itemwriting.entry(folder, ident, looked) if isinstance(looked, snapshots.Seen) else None


def _remove(folder: Folder, ident: str) -> None:
    """What we made and could not finish: nobody has missed it yet, and it stays recoverable."""
    list(writing.write(folder.connection, [ident], lambda some: asking.delete_items(some, "SoftDelete"), repeat=False))


def create(folder: Folder, items: Iterable[tuple[Entry, New]]) -> Results:
    """As in `Store.create`. What refers to others that are still on their way up (a list of contacts) is `Stale`: it waits."""
    unfit: list[tuple[Entry, Failed]] = []
    going: dict[str, tuple[Changes, Telling]] = {}

    def drafts() -> Iterator[creating.Draft]:
        for source, new in items:
            try:
                data = b"".join(new.content.pieces())
                name, changes = folder.form.creation(data, itemwriting.others(folder, data))
                telling = folder.meetings.telling(source, "invitation", folder.form.read(data), [changes.audience])
            except (Stale, BadItem) as error:
                unfit.append((source, error))
                continue
            marks = asking.extended(asking.TOKEN, new.token)
            marks += asking.extended(asking.UNFINISHED, "1") if _follows(changes, telling) else ""
            going[source.id] = changes, telling
            xml = f"<t:{name}>{_with(changes.xml, marks)}</t:{name}>".encode()
            yield creating.Draft(source, new.token, xml, len(xml))

    made: dict[str, Entry] = {}
    for one, result in creating.send(folder, drafts()):
        if not isinstance(result, tuple):
            yield one.source, result
            continue
        changes, telling = going.pop(one.source.id)
        failed = _finish(folder, result[0], changes, telling) if _follows(changes, telling) else None
        if failed is not None:
            _remove(folder, result[0])
            yield one.source, BadItem(f"{name_of(one.source)} cannot be uploaded: {failed}")
            continue
        folder.meetings.note(telling)
        made[result[0]] = one.source
        if len(made) >= snapshots.LOOK_ITEMS:
            yield from itemwriting.after(folder, made)
            made = {}
    yield from itemwriting.after(folder, made)
    yield from unfit


def _with(content: str, properties: str) -> str:
    """The content of a new item with more extended properties, where the schema wants them."""
    found = etree.fromstring(f'<i xmlns:t="{soap.TYPES}" xmlns:m="{soap.MESSAGES}">{content}</i>')
    before = [child for child in found if _BEFORE.fullmatch(soap.name(child))]
    mark = etree.Element("here")
    found.insert(found.index(before[-1]) + 1 if before else 0, mark)
    text = etree.tostring(found, encoding="unicode")
    inner = re.sub(r"\A<i[^>]*>|</i>\Z|\A<i[^>]*/>\Z", "", text)
    return re.sub(r"<here[^>]*/>", lambda _: properties, inner, count=1)


def _follows(changes: Changes, telling: Telling) -> bool:
    more = changes.occurrences or changes.attach or changes.detach or changes.answer
    return bool(more) or telling.how(changes.audience) != asking.SILENT


def _finish(folder: Folder, ident: str, changes: Changes, telling: Telling) -> str | None:
    """The rest of a creation; why it did not work."""
    for step in itemwriting.attachments(ident, changes):
        if failed := itemwriting.told(folder, step):
            return failed
    if failed := itemwriting.follow(folder, ident, changes):
        return failed
    done = asking.item_change((ident, ""), asking.delete_field(asking.UNFINISHED))
    return itemwriting.told(folder, asking.update_items([done], overwrite=True, tell=telling.how(changes.audience)))
