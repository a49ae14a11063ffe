"""Items with all that belongs to them, as files: GetItem, then what it names (changed occurrences, attachments), then the codec.

What goes wrong for one item stays with that item. Where several items are one file (`model.Said.alone`), its id is theirs with
spaces between, the one that the file begins with first.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import replace
from typing import Protocol

from lxml import etree

from ews_bridge.errors import BadItem
from ews_bridge.errors import Stale
from ews_bridge.exchange import asking
from ews_bridge.exchange import bulk
from ews_bridge.exchange import faults
from ews_bridge.exchange import mail
from ews_bridge.exchange import soap
from ews_bridge.exchange.form import Companions
from ews_bridge.exchange.form import Form
from ews_bridge.exchange.form import Snapshot
from ews_bridge.exchange.session import Connection
from ews_bridge.exchange.tagging import Tagging
from ews_bridge.model import Said
from ews_bridge.model import Tags

#: Items in one request: events with their bodies and attendees are some kilobytes each.
LOOK_ITEMS = 50
#: Attachments in one request; their sizes are not known before.
ATTACHMENTS = 10


class Source(Protocol):
    """What is needed of the folder that the items are in. `tagging`: see `items.ItemFolder`."""

    @property
    def connection(self) -> Connection: ...

    @property
    def form(self) -> Form: ...

    @property
    def tagging(self) -> Tagging | None: ...


@dataclass(frozen=True, slots=True)
class Seen:
    """An item as it is now. `data`: its file; `said`: what that says."""

    snapshot: Snapshot
    data: bytes
    said: Said

    def tags(self, tagging: Tagging | None) -> Tags:
        """Those of the item; several items that are one file have none in common, and are not looked at."""
        return tagging.of(self.snapshot.element) if tagging and not self.said.alone else {}

    @property
    def ref(self) -> tuple[str, str]:
        """(id, change key) of the item itself; where the file has several, of the first."""
        return soap.attribute(self.snapshot.element, "ItemId", "Id"), soap.attribute(self.snapshot.element, "ItemId", "ChangeKey")

    @property
    def change_key(self) -> str:
        """That of the item; of several, all, in the order of the ids."""
        several = self.snapshot.parts if self.said.alone else ()
        return " ".join(soap.attribute(each, "ItemId", "ChangeKey") for each in (self.snapshot.element, *several))

    @property
    def token(self) -> str:
        return mail.token(self.snapshot.element)

    @property
    def unfinished(self) -> bool:
        """Whether the run that made it was cut off before all of it was there."""
        return bool(mail.first(mail.extended(self.snapshot.element), (asking.TOKEN_SET, "Unfinished")))


@dataclass(frozen=True, slots=True)
class Odd:
    """An item that cannot be had as a file: why, and what it is called as far as is known."""

    error: BadItem
    label: str = ""


Looked = Seen | Odd | Stale


def look(folder: Source, ids: Sequence[str]) -> Iterator[tuple[str, Looked]]:
    """Each of these items, once; `Stale` is what is gone."""
    for start in range(0, len(ids), LOOK_ITEMS):
        yield from _look(folder, ids[start : start + LOOK_ITEMS])


def _look(folder: Source, ids: Sequence[str]) -> Iterator[tuple[str, Looked]]:
    connection, form = folder.connection, folder.form
    # The categories are asked for by every form.
    fields = form.fields() + asking.TOKEN + asking.UNFINISHED + (asking.TAGS if folder.tagging else "")
    got: dict[str, list[etree._Element]] = {}
    wanted: dict[str, list[Companions]] = {}
    items = _items(connection, [part for ident in ids for part in ident.split(" ")], fields)
    for ident in ids:
        try:
            got[ident] = [_element(items[part]) for part in ident.split(" ")]
            wanted[ident] = [form.companions(element) for element in got[ident]]
        except Stale as gone:
            yield ident, gone
        except BadItem as error:
            yield ident, Odd(error, soap.text(got[ident][0], "Subject") if ident in got else "")
    all_of_them = [each for several in wanted.values() for each in several]
    others = list(dict.fromkeys(i for each in all_of_them for i in each.occurrences + each.members))
    parts = _items(connection, others, fields)
    for ident, several in wanted.items():
        wanted[ident] = [_with_parts(form, one, each, parts) for one, each in zip(got[ident], several, strict=True)]
    files = _attachments(connection, [i for several in wanted.values() for each in several for i in each.attachments])
    for ident, companions in wanted.items():
        yield ident, _seen(form, got[ident], companions, parts, files)


def _with_parts(
    form: Form, series: etree._Element, wanted: Companions, parts: Mapping[str, bulk.Got | bulk.Refusal]
) -> Companions:
    """With the attachments of the changed occurrences."""
    changed = [result.element for i in wanted.occurrences if isinstance(result := parts[i], bulk.Got)]
    files = (i for one in changed for i in form.companions(one, series).attachments)
    return replace(wanted, attachments=(*wanted.attachments, *files))


def _element(result: bulk.Got | bulk.Refusal) -> etree._Element:
    if isinstance(result, bulk.Refusal):
        raise result.error("the item")
    return result.element


def _seen(
    form: Form,
    elements: Sequence[etree._Element],
    wanted: Sequence[Companions],
    parts: Mapping[str, bulk.Got | bulk.Refusal],
    files: Mapping[str, bytes | bulk.Refusal],
) -> Looked:
    first, *rest = elements
    label = soap.text(first, "Subject")
    for needed in (i for each in wanted for i in (*map(parts.get, each.occurrences), *map(files.get, each.attachments))):
        if isinstance(needed, bulk.Refusal):
            error = needed.error(label or "the item")
            return error if isinstance(error, Stale) else Odd(error, label)
    beside = (result for each in wanted for i in each.occurrences + each.members if isinstance(result := parts[i], bulk.Got))
    contents = {i: content for each in wanted for i in each.attachments if isinstance(content := files[i], bytes)}
    return seen(form, Snapshot(first, (*rest, *(result.element for result in beside)), contents))


def seen(form: Form, snapshot: Snapshot) -> Seen | Odd:
    """A snapshot as a file."""
    try:
        data = form.render(snapshot)
        return Seen(snapshot, data, form.read(data))
    except BadItem as error:
        return Odd(error, soap.text(snapshot.element, "Subject"))


def together(form: Form, several: Sequence[Seen]) -> tuple[str, Seen | Odd]:
    """Single occurrences of one series as one file, and its id: the earliest first."""
    ordered = sorted((each.snapshot for each in several), key=lambda each: soap.text(each.element, "Start"))
    files = {ident: data for each in ordered for ident, data in each.files.items()}
    whole = Snapshot(ordered[0].element, tuple(each.element for each in ordered[1:]), files)
    return " ".join(soap.attribute(each.element, "ItemId", "Id") for each in ordered), seen(form, whole)


def _items(connection: Connection, ids: Sequence[str], fields: str) -> dict[str, bulk.Got | bulk.Refusal]:
    found = bulk.get_items(connection, [(ident, 0) for ident in ids], fields, mime=False)
    return {ids[position]: result for position, result in found}


def _attachments(connection: Connection, ids: Sequence[str]) -> dict[str, bytes | bulk.Refusal]:
    found: dict[str, bytes | bulk.Refusal] = {}
    for start in range(0, len(ids), ATTACHMENTS):
        some = ids[start : start + ATTACHMENTS]
        answers = bulk.call(connection, asking.get_attachments(some), repeat=True)
        if len(answers) != len(some):
            raise faults.Lost(f"the server answered {len(answers)} of {len(some)} attachments")
        for ident, answer in zip(some, answers, strict=True):
            found[ident] = _content(answer) if answer.ok else bulk.Refusal(answer.code, answer.why())
    return found


def _content(answer: soap.Message) -> bytes | bulk.Refusal:
    try:
        return base64.b64decode(answer.element.findtext(f".//{{{soap.TYPES}}}Content") or "")
    except (binascii.Error, ValueError):
        return bulk.Refusal("", "the server gave no readable attachment")
