"""Sending a message that is nowhere yet, with a copy of it or without."""

from __future__ import annotations

from .. import properties
from .. import transport
from ..store import Folder
from ..store import Item


def dispatch(item: Item, copy_to: Folder | None) -> Item | None:
    """Send; returns the copy in `copy_to`, if one is wanted."""
    submission = transport.prepare(item.mailbox, item)
    transport.send(item.mailbox, submission)
    if copy_to is None:
        return None
    item.read = True
    item.draft = False
    item.received = item.mailbox.world.time()
    item.props.pop(properties.DELIVERY_TIME, None)
    item.mailbox.place(item, copy_to)
    return item
