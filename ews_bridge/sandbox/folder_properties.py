"""MAPI properties of folders, read and written."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from . import ids
from .errors import ItemError
from .mapi import PropertyName
from .mapi import Value
from .store import Folder


@dataclass(frozen=True, slots=True)
class ComputedOfFolder:
    type: str
    get: Callable[[Folder], Value | None]


def read_folder(folder: Folder, name: PropertyName, kind: str) -> Value | None:
    """The value of a folder's property, None if it has none of that name and type."""
    kept = folder.props.get(name)
    if kept is not None:
        return kept[1] if kept[0] == kind else None
    computed = FOLDER.get(name)
    return computed.get(folder) if computed is not None and computed.type == kind else None


def write_folder(folder: Folder, name: PropertyName, kind: str, value: Value) -> None:
    """Set a folder's property; ErrorInvalidPropertySet if it is read-only."""
    if name == 0x3613 and kind == "String":
        folder.folder_class = str(value)
    elif name == 0x10F4 and kind == "Boolean":
        folder.hidden = bool(value)
    elif name in FOLDER and name not in WRITABLE_OF_FOLDER:
        raise ItemError("ErrorInvalidPropertySet")
    else:
        folder.props[name] = (kind, value)


WRITABLE_OF_FOLDER: tuple[PropertyName, ...] = (0x10F3, 0x3004)

FOLDER: dict[PropertyName, ComputedOfFolder] = {
    0x3001: ComputedOfFolder("String", lambda folder: folder.name),
    0x3007: ComputedOfFolder("SystemTime", lambda folder: folder.created),
    0x3008: ComputedOfFolder("SystemTime", lambda folder: folder.modified),
    0x3601: ComputedOfFolder("Integer", lambda folder: 0 if folder.parent is None else 2 if folder.search else 1),
    0x3602: ComputedOfFolder("Integer", lambda folder: len(folder.items)),
    0x3603: ComputedOfFolder("Integer", lambda folder: folder.unread),
    0x360A: ComputedOfFolder("Boolean", lambda folder: bool(folder.children)),
    0x3613: ComputedOfFolder("String", lambda folder: folder.folder_class or None),
    0x6638: ComputedOfFolder("Integer", lambda folder: len(folder.children)),
    0x670A: ComputedOfFolder("SystemTime", lambda folder: folder.commit),
    0x670B: ComputedOfFolder("Integer", lambda folder: folder.removed_total),
    0x6751: ComputedOfFolder("Integer", lambda folder: folder.next_uid),
    0x6752: ComputedOfFolder("Integer", lambda folder: folder.key),
    0x0E08: ComputedOfFolder("Integer", lambda folder: min(2**31 - 1, sum(len(item.mime) for item in folder.items.values()))),
    0x0FF4: ComputedOfFolder("Integer", lambda folder: 63),
    0x0FF9: ComputedOfFolder("Binary", lambda folder: ids.entry_id(folder.mailbox.replica, folder.key)),
    0x0FFF: ComputedOfFolder("Binary", lambda folder: ids.entry_id(folder.mailbox.replica, folder.key)),
    0x0E09: ComputedOfFolder(
        "Binary", lambda folder: ids.entry_id(folder.mailbox.replica, folder.parent.key) if folder.parent else None
    ),
    0x10F3: ComputedOfFolder("String", lambda folder: folder.name or None),
    0x10F4: ComputedOfFolder("Boolean", lambda folder: folder.hidden),
}
