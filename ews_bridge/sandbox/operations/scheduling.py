"""What creating, changing and deleting means for calendar items: who has to be told, and what the request has to say of it."""

from __future__ import annotations

from .. import calendar_reading
from .. import clocks
from .. import settling
from ..errors import ItemError
from ..markup import Element
from ..markup import children
from ..markup import local
from ..markup import t
from ..parts import decode_mime
from ..store import Item
from .call import Call

TO_ALL = ("SendOnlyToAll", "SendToAllAndSaveCopy")
TO_CHANGED = ("SendOnlyToChanged", "SendToChangedAndSaveCopy")


def told(request: Element, attribute: str) -> str:
    """Whom an operation tells; ItemError Error…Required if the request does not say (OXWSMTGS R1213, R46)."""
    given = request.get(attribute)
    if given is None:
        raise ItemError(f"Error{attribute}Required")
    return given


def prepare(call: Call, item: Item, node: Element) -> None:
    """Before the parts of a new item are set: what its iCalendar says, if it has any, and its zones."""
    around = clocks.context(call.time_zone)
    given = node.find(t("MimeContent"))
    if given is not None:
        text = calendar_reading.calendar_text(decode_mime(given))
        calendar_reading.apply(item, calendar_reading.read_calendar(text), around)
    clocks.set_by(item, children(node), around)


def prepare_update(call: Call, item: Item, updates: Element) -> None:
    """Before the changes to an item are made."""
    clocks.set_by(item, _values(updates), clocks.context(call.time_zone))


def revise(before: Item, item: Item, updates: Element) -> None:
    """After the changes to an item are made: what they mean for its times, and for the exceptions of a series."""
    values = _values(updates)
    clocks.shift(before, item, values)
    # A whole new iCalendar says itself what is excepted.
    if not any(local(value) == "MimeContent" for value in values):
        settling.revise(before, item)


def _values(updates: Element) -> list[Element]:
    return [value for update in children(updates) for part in children(update)[1:] for value in children(part)]
