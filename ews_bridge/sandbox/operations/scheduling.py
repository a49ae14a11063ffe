"""What creating, changing and deleting means for calendar items: who has to be told, and what the request has to say of it."""

from __future__ import annotations

from .. import appointments
from .. import clocks
from ..errors import ItemError
from ..markup import Element
from ..markup import children
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
    """Before the parts of a new item are set."""
    clocks.set_by(item, children(node), clocks.context(call.time_zone))


def prepare_update(call: Call, item: Item, updates: Element | None) -> None:
    """Before the changes to an item are made."""
    values = [value for update in children(updates) for part in children(update)[1:] for value in children(part)]
    clocks.set_by(item, values, clocks.context(call.time_zone))


def save(item: Item, *, was_read: bool, read_only: bool) -> None:
    """Note a change to an item; a changed occurrence goes into its series."""
    series = item.master
    if series is None:
        item.mailbox.touch(item, was_read=was_read, read_only=read_only)
        return
    appointments.fold(item)
    series.mailbox.touch(series, was_read=series.read, read_only=False)
    item.change = series.change


def remove_occurrence(item: Item) -> None:
    """Delete one occurrence: nothing goes to Deleted Items."""
    series = item.master
    if series is not None:
        appointments.delete_occurrence(item)
        series.mailbox.touch(series, was_read=series.read, read_only=False)
