"""Items with all that belongs to them, as files: GetItem, then what it names (changed occurrences, attachments), then the codec.

What goes wrong for one item stays with that item.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass

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
from ews_bridge.model import Said

#: Items in one request: events with their bodies and attendees are some kilobytes each.
LOOK_ITEMS = 50
#: Attachments in one request; their sizes are not known before.
ATTACHMENTS = 10


@dataclass(frozen=True, slots=True)
class Seen:
    """An item as it is now. `data`: its file; `said`: what that says."""

    snapshot: Snapshot
    data: bytes
    said: Said

    @property
    def change_key(self) -> str:
        return soap.attribute(self.snapshot.element, "ItemId", "ChangeKey")

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


def look(connection: Connection, form: Form, ids: Sequence[str]) -> Iterator[tuple[str, Looked]]:
    """Each of these items, once; `Stale` is what is gone."""
    for start in range(0, len(ids), LOOK_ITEMS):
        yield from _look(connection, form, ids[start : start + LOOK_ITEMS])


def _look(connection: Connection, form: Form, ids: Sequence[str]) -> Iterator[tuple[str, Looked]]:
    fields = form.fields() + asking.TOKEN + asking.UNFINISHED
    got: dict[str, etree._Element] = {}
    wanted: dict[str, Companions] = {}
    for ident, result in _items(connection, ids, fields).items():
        if isinstance(result, bulk.Refusal):
            error = result.error("the item")
            yield ident, error if isinstance(error, Stale) else Odd(error)
            continue
        try:
            wanted[ident] = form.companions(result.element)
            got[ident] = result.element
        except BadItem as error:
            yield ident, Odd(error, soap.text(result.element, "Subject"))
    parts = _items(
        connection, list(dict.fromkeys(i for each in wanted.values() for i in each.occurrences + each.members)), fields
    )
    files = _attachments(connection, [i for each in wanted.values() for i in each.attachments])
    for ident, element in got.items():
        yield ident, _seen(form, element, wanted[ident], parts, files)


def _seen(
    form: Form,
    element: etree._Element,
    wanted: Companions,
    parts: Mapping[str, bulk.Got | bulk.Refusal],
    files: Mapping[str, bytes | bulk.Refusal],
) -> Looked:
    label = soap.text(element, "Subject")
    for needed in (*(parts[i] for i in wanted.occurrences), *(files[i] for i in wanted.attachments)):
        if isinstance(needed, bulk.Refusal):
            error = needed.error(label or "the item")
            return error if isinstance(error, Stale) else Odd(error, label)
    those = [result.element for i in wanted.occurrences + wanted.members if isinstance(result := parts[i], bulk.Got)]
    contents = {i: content for i in wanted.attachments if isinstance(content := files[i], bytes)}
    snapshot = Snapshot(element, tuple(those), contents)
    try:
        data = form.render(snapshot)
        return Seen(snapshot, data, form.read(data))
    except BadItem as error:
        return Odd(error, label)


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
