"""Which fields an item of each kind has: those of every item, and those of its own kind.

Where two kinds have a field of the same name it may be another field, so a field is looked up by its URI, or by kind and name.
"""

from __future__ import annotations

from collections.abc import Callable

from . import calendar_fields
from . import contacts
from . import fields
from . import lists
from . import meeting_fields
from . import parts
from . import settling
from . import task_series
from . import tasks
from .errors import ItemError
from .fields import Field
from .markup import Element
from .parts import Look
from .parts import Show
from .store import Item
from .vcard_writing import vcard


def _settle_task(item: Item) -> None:
    task_series.begin(item)
    tasks.settle(item)


def _show_vcard(item: Item, parent: Element, look: Look) -> None:
    parts.put_mime(parent, vcard(item))


def _mime(show: Show) -> Field:
    """The MIME of a kind that cannot be made from MIME (OXWSCORE R2012)."""

    def refuse(item: Item, element: Element) -> None:
        raise ItemError("ErrorUnsupportedMimeConversion")

    return Field("item:MimeContent", "MimeContent", show, refuse, listed=False)


#: The fields that only items of a kind have.
OWN: dict[str, tuple[Field, ...]] = {
    "CalendarItem": calendar_fields.FIELDS,
    "Contact": (_mime(_show_vcard), *contacts.FIELDS),
    "DistributionList": (_mime(parts.show_mime), *lists.FIELDS),
    "Task": (_mime(parts.show_mime), *tasks.FIELDS),
    **meeting_fields.FIELDS,
}
#: What is seen to whenever an item of a kind is saved.
SETTLE: dict[str, Callable[[Item], None]] = {
    "CalendarItem": settling.settle,
    "Contact": contacts.settle,
    "DistributionList": lists.settle,
    "Task": _settle_task,
}
BY_URI: dict[str, Field] = {
    **{one.uri: one for own in OWN.values() for one in own},
    **fields.BY_URI,
}
BY_NAME: dict[str, dict[str, Field]] = {kind: fields.BY_NAME | {one.name: one for one in own} for kind, own in OWN.items()}


def fields_of(kind: str) -> dict[str, Field]:
    """The fields of an item of this kind, by name."""
    return BY_NAME.get(kind, fields.BY_NAME)


def settle(item: Item) -> None:
    """See to what must hold of an item of its kind, before it is saved."""
    seen_to = SETTLE.get(item.kind)
    if seen_to is not None:
        seen_to(item)
