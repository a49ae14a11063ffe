"""Shapes: which elements an answer shows of an item or a folder, worked out once per request and applied to many."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from lxml import etree

from . import elements
from . import folder_properties
from . import headers as hdr
from . import kinds
from . import parts
from . import properties
from . import rights
from .dictionaries import Entry
from .dictionaries import entry_of
from .errors import ItemError
from .fields import Field
from .mapi import PropertyPath
from .mapi import append_property
from .mapi import path_of
from .markup import Element
from .markup import children
from .markup import is_true
from .markup import put
from .markup import set_attribute
from .markup import t
from .parts import Look
from .store import Folder
from .store import Item
from .world import Mailbox

DEFAULT_ITEM = (
    *("ItemId", "Subject", "Sensitivity", "Body", "Attachments", "DateTimeReceived", "Size", "Categories", "Importance"),
    *("IsSubmitted", "IsDraft", "IsFromMe", "IsResend", "IsUnmodified", "DateTimeSent", "DateTimeCreated"),
    *("ResponseObjects", "DisplayCc", "DisplayTo", "HasAttachments", "Culture", "ConversationId", "Flag"),
)
DEFAULT_MESSAGE = (
    *DEFAULT_ITEM,
    *("Sender", "ToRecipients", "CcRecipients", "BccRecipients", "IsReadReceiptRequested"),
    *("IsDeliveryReceiptRequested", "From", "InternetMessageId", "IsRead", "IsResponseRequested", "References", "ReplyTo"),
)
# What AllProperties leaves out: it must be asked for by name (reference page of ItemShape).
BY_NAME_ONLY = ("MimeContent", "UniqueBody", "TextBody", "BlockStatus", "HasBlockedImages", "IsClutter", "IconIndex")
FIELD_URI = t("FieldURI")
INDEXED_URI = t("IndexedFieldURI")
EXTENDED_URI = t("ExtendedFieldURI")

Paint = Callable[[Item, Element], None]


@dataclass(slots=True)
class ItemShape:
    """What to show of items."""

    base: str
    look: Look
    mime: bool
    names: list[str]
    headers: list[str]
    entries: list[Entry]
    extended: list[PropertyPath]
    painters: dict[str, list[Paint]]

    def paint(self, parent: Element, item: Item) -> Element:
        """Append the item's element, with the shape's properties in the order of the schema."""
        kind = item.kind or elements.kind_of(item.item_class)
        element = etree.SubElement(parent, t(kind))
        painters = self.painters.get(kind)
        if painters is None:
            painters = self.painters[kind] = self._prepare(kind)
        for paint in painters:
            paint(item, element)
        return element

    def _prepare(self, kind: str) -> list[Paint]:
        order = elements.PLACES_OF[kind]
        known = kinds.fields_of(kind)
        wanted: set[str] = {"ItemId", *self.names}
        if self.base == "Default":
            wanted.update(DEFAULT_MESSAGE)
            wanted.update(one.name for one in kinds.OWN.get(kind, ()) if one.name not in BY_NAME_ONLY)
        elif self.base == "AllProperties":
            wanted.update(name for name in known if name not in BY_NAME_ONLY)
        if self.mime:
            wanted.add("MimeContent")
        if self.look.brief:
            wanted = {name for name in wanted if name not in known or known[name].listed}
        placed: list[tuple[int, Paint]] = []
        for name in wanted:
            if name in order and name in known:
                placed.append((order[name], _painter(known[name], self.look)))
        if self.headers and "InternetMessageHeaders" not in wanted:
            placed.append((order["InternetMessageHeaders"], _named_headers(self.headers)))
        for dictionary in {entry.dictionary for entry in self.entries}:
            if dictionary in order and dictionary not in wanted:
                chosen = [entry for entry in self.entries if entry.dictionary == dictionary]
                placed.append((order[dictionary], _entries(dictionary, chosen)))
        if self.extended:
            placed.append((order["ExtendedProperty"], _extended(self.extended)))
        placed.sort(key=lambda pair: pair[0])
        return [paint for _, paint in placed]


def _painter(field: Field, look: Look) -> Paint:
    show = field.show
    return lambda item, parent: show(item, parent, look)


def _entries(dictionary: str, chosen: list[Entry]) -> Paint:
    """Those entries of a dictionary that were asked for one by one."""

    def paint(item: Item, parent: Element) -> None:
        element = put(parent, t(dictionary))
        for entry in chosen:
            entry.show(item, element)
        if len(element) == 0:
            parent.remove(element)

    return paint


def _named_headers(names: list[str]) -> Paint:
    lower = [name.lower() for name in names]

    def paint(item: Item, parent: Element) -> None:
        found = [(name, value) for name, value in hdr.split_message(item.mime)[0] if name.lower() in lower]
        if not found:
            return
        element = put(parent, t("InternetMessageHeaders"))
        for name, value in found:
            set_attribute(put(element, t("InternetMessageHeader"), hdr.decode(value)), "HeaderName", name)

    return paint


def _extended(paths: list[PropertyPath]) -> Paint:
    def paint(item: Item, parent: Element) -> None:
        for path in paths:
            value = properties.read(item, path.name, path.type)
            if value is not None:
                append_property(parent, path, value)

    return paint


def item_shape(shape: Element | None, *, brief: bool, user: Mailbox | None = None) -> ItemShape:
    """Read an ItemShape; `brief` is for FindItem and SyncFolderItems. The rights that are shown are those of `user`.

    ItemError: ErrorInvalidPropertyForOperation if `brief` and MIME content is asked for (OXWSSYNC R3787).  Only by
    IncludeMimeContent: exchangelib names item:MimeContent in every SyncFolderItems, and its author's server is content.
    """
    result = ItemShape(
        "IdOnly", Look(brief=brief, user=user), mime=False, names=[], headers=[], entries=[], extended=[], painters={}
    )
    if shape is None:
        return result
    result.base = shape.findtext(t("BaseShape")) or "IdOnly"
    result.mime = is_true(shape.findtext(t("IncludeMimeContent")))
    result.look = Look(shape.findtext(t("BodyType")) or "Best", brief, user)
    for path in children(shape.find(t("AdditionalProperties"))):
        _add_path(result, path)
    if brief and result.mime:
        raise ItemError("ErrorInvalidPropertyForOperation")
    return result


def _add_path(result: ItemShape, path: Element) -> None:
    if path.tag == EXTENDED_URI:
        found = path_of(path)
        if found not in result.extended:
            result.extended.append(found)
    elif path.tag == FIELD_URI:
        uri = path.get("FieldURI") or ""
        if uri.startswith("folder:"):
            raise ItemError("ErrorInvalidPropertyRequest")
        result.names.append(kinds.BY_URI[uri].name if uri in kinds.BY_URI else uri.partition(":")[2])
    elif path.tag == INDEXED_URI and path.get("FieldURI") == "item:InternetMessageHeader":
        result.headers.append(path.get("FieldIndex") or "")
    elif path.tag == INDEXED_URI:
        result.entries.append(entry_of(path))


@dataclass(slots=True)
class FolderShape:
    """What to show of folders."""

    wanted: frozenset[str]
    extended: list[PropertyPath]
    user: Mailbox | None = None

    def paint(self, parent: Element, folder: Folder) -> Element:
        """Append the folder's element."""
        kind = elements.folder_kind(folder.folder_class, search=folder.search)
        element = etree.SubElement(parent, t(kind))
        put_folder_id(element, "FolderId", folder)
        for name in elements.FOLDER_ORDER[1:]:
            if name == "ExtendedProperty":
                for path in self.extended:
                    value = folder_properties.read_folder(folder, path.name, path.type)
                    if value is not None:
                        append_property(element, path, value)
            elif name == "EffectiveRights" and name in self.wanted:
                granted = rights.on(self.user, folder) if self.user is not None else rights.EVERYTHING
                parts.put_rights(element, granted, folder=True)
            elif name in self.wanted:
                _paint_folder_part(element, name, folder, kind)
        return element


def _paint_folder_part(element: Element, name: str, folder: Folder, kind: str) -> None:
    if name == "ParentFolderId":
        if folder.parent is not None:
            put_folder_id(element, name, folder.parent)
    elif name == "FolderClass":
        if folder.folder_class:
            put(element, t(name), folder.folder_class)
    elif name == "DisplayName":
        put(element, t(name), folder.name)
    elif name == "TotalCount":
        put(element, t(name), str(len(folder.items)))
    elif name == "ChildFolderCount":
        put(element, t(name), str(len(folder.children)))
    elif name == "DistinguishedFolderId":
        if folder.distinguished:
            put(element, t(name), folder.distinguished)
    elif name == "UnreadCount" and kind not in ("CalendarFolder", "ContactsFolder"):
        put(element, t(name), str(folder.unread))


def put_folder_id(parent: Element, name: str, folder: Folder) -> None:
    element = put(parent, t(name))
    element.set("Id", folder.mailbox.folder_id(folder))
    element.set("ChangeKey", folder.mailbox.folder_change_key(folder))


def put_item_id(parent: Element, name: str, item: Item) -> Element:
    element = put(parent, name)
    element.set("Id", item.mailbox.item_id(item))
    element.set("ChangeKey", item.mailbox.item_change_key(item))
    return element


DEFAULT_FOLDER = frozenset(("DisplayName", "TotalCount", "ChildFolderCount", "UnreadCount"))
ALL_FOLDER = frozenset(elements.FOLDER_ORDER) - {"DistinguishedFolderId"}


def folder_shape(shape: Element | None, *, user: Mailbox | None = None) -> FolderShape:
    """Read a FolderShape. The rights that are shown are those of `user`."""
    base = (shape.findtext(t("BaseShape")) if shape is not None else None) or "IdOnly"
    wanted = set(DEFAULT_FOLDER if base == "Default" else ALL_FOLDER if base == "AllProperties" else ())
    extended: list[PropertyPath] = []
    for path in children(shape.find(t("AdditionalProperties")) if shape is not None else None):
        if path.tag == EXTENDED_URI:
            extended.append(path_of(path))
        else:
            wanted.add((path.get("FieldURI") or "").partition(":")[2])
    return FolderShape(frozenset(wanted), extended, user)
