"""The files that are attached to an event, to its series and to single occurrences: which are the same, and what must be written.

The server copies the files of a series into an occurrence that is changed, and so do programs into its VEVENT: such a copy is no
file of the occurrence, and is not shown there. Pure.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from collections.abc import Sequence
from datetime import date

from lxml import etree

from ews_bridge.errors import BadItem
from ews_bridge.exchange import eventitem
from ews_bridge.exchange import soap
from ews_bridge.exchange.form import Attachment
from ews_bridge.exchange.form import Snapshot
from ews_bridge.exchange.occasion import Event
from ews_bridge.exchange.occasion import File
from ews_bridge.exchange.occasion import Series

#: Attachments up to this many bytes are in the file; larger ones are named there.
INLINE = 256 * 1024
_FILES = f"{{{soap.TYPES}}}FileAttachment"


def shown(element: etree._Element, series: etree._Element | None) -> tuple[str, ...]:
    """The ids of those whose content the file of an item has. `series`: of a changed occurrence, its master."""
    copied = [file for _, file in eventitem.attached(series, {})] if series is not None else []
    found = eventitem.attached(element, {}, kind=_FILES)
    return tuple(ident for ident, file in found if ident and file.size <= INLINE and not any(map(file.is_copy, copied)))


def identity(file: File) -> tuple[str, str]:
    return file.name, hashlib.sha256(file.data).hexdigest() if file.data is not None else ""


def sign(file: File) -> tuple[str, str]:
    """As `identity`, but of what elsewhere may be only named, its name alone. Exchange counts some bytes more than there are."""
    large = file.data is None or len(file.data) > INLINE - 4096
    return (file.name, "") if large else identity(file)


def to_attach(files: Sequence[File]) -> tuple[Attachment, ...]:
    """`BadItem` for one whose content is not there."""
    for file in files:
        if file.data is None:
            raise BadItem(f"its attachment {file.name} is only named, and not in the file")
    return tuple(Attachment(file.name, file.content_type, file.data or b"") for file in files)


def changes(snapshot: Snapshot, now: Event) -> tuple[tuple[Attachment, ...], tuple[str, ...]]:
    """What is to be attached to the item itself, and the ids of what is to be taken away."""
    there = eventitem.attached(snapshot.element, snapshot.files)
    wanted = list(map(identity, now.files))
    known = [identity(file) for _, file in there]
    detach = tuple(ident for ident, file in there if identity(file) not in wanted)
    return to_attach([file for file in now.files if identity(file) not in known]), detach


def check_occurrence(before: Event, after: Event) -> None:
    """`BadItem` for a file that one occurrence is to have and its series has not: there it can only be taken away."""
    known = list(map(sign, before.files))
    for file in after.files:
        if sign(file) not in known:
            raise BadItem(f"{file.name} cannot be attached to one occurrence only", hint="attach it to the series")


def cleared(
    items: Mapping[date, etree._Element], files: Mapping[str, bytes], was: Event, now: Event, new: Series
) -> tuple[str, ...]:
    """The ids of what changed occurrences have and are to lose: files of their own, and copies of what the series lost."""
    wanted = {key.date(): list(map(sign, one.files)) for key, one in new.changed.items()}
    found = []
    for day, element in items.items():
        for ident, file in eventitem.attached(element, files):
            copied = next(filter(file.is_copy, was.files), None)
            stays = sign(file) in wanted.get(day, ()) if copied is None else copied in now.files
            found += [] if stays else [ident]
    return tuple(found)
