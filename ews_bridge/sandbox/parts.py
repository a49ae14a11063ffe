"""Elements of an item that have a form of their own: identifiers, bodies, recipients, attachments, flags."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass

import pybase64

from . import content
from . import headers as hdr
from . import ids
from . import properties
from . import rights
from .errors import ItemError
from .headers import Address
from .mapi import KEYWORDS
from .mapi import SETS
from .mapi import PropertyName
from .mapi import format_time
from .mapi import parse_time
from .markup import Element
from .markup import children
from .markup import put
from .markup import set_attribute
from .markup import t
from .markup import text_of
from .rights import Right
from .store import Item
from .world import Mailbox


@dataclass(frozen=True, slots=True)
class Look:
    """How an answer shows items: the wanted body type, `brief` for FindItem and SyncFolderItems (short strings), and to whom."""

    body: str = "Best"
    brief: bool = False
    user: Mailbox | None = None


Show = Callable[[Item, Element, Look], None]
Assign = Callable[[Item, Element], None]

CULTURE: PropertyName = (SETS["Common"], "sandbox-culture")


def put_mailbox(parent: Element, address: Address) -> Element:
    """Append a t:Mailbox."""
    element = put(parent, t("Mailbox"))
    put(element, t("Name"), address.name or address.address)
    if address.address:
        put(element, t("EmailAddress"), address.address)
        put(element, t("RoutingType"), "SMTP")
    return element


def mailboxes(element: Element) -> list[Address]:
    """The mailboxes in a recipient element of a request."""
    found: list[Address] = []
    for mailbox in element.iter(t("Mailbox")):
        name = mailbox.findtext(t("Name")) or ""
        where = mailbox.findtext(t("EmailAddress")) or ""
        found.append(Address(name if name != where else "", where.strip()))
    return found


def show_mime(item: Item, parent: Element, look: Look) -> None:
    put_mime(parent, content.mime_of(item))


def put_mime(parent: Element, mime: bytes) -> None:
    """Append a t:MimeContent."""
    element = put(parent, t("MimeContent"))
    element.set("CharacterSet", "UTF-8")
    element.text = pybase64.b64encode(mime)  # ASCII bytes, which lxml takes as text


def show_id(item: Item, parent: Element, look: Look) -> None:
    if item.key:
        element = put(parent, t("ItemId"))
        element.set("Id", item.mailbox.item_id(item))
        element.set("ChangeKey", item.mailbox.item_change_key(item))


def show_parent(item: Item, parent: Element, look: Look) -> None:
    if item.folder is not None:
        element = put(parent, t("ParentFolderId"))
        element.set("Id", item.mailbox.folder_id(item.folder))
        element.set("ChangeKey", item.mailbox.folder_change_key(item.folder))


def show_body(item: Item, parent: Element, look: Look) -> None:
    kind, text = content.body(item, look.body)
    put(parent, t("Body"), text).set("BodyType", kind)


def show_text_body(item: Item, parent: Element, look: Look) -> None:
    put(parent, t("TextBody"), content.plain_text(item)).set("BodyType", "Text")


def show_unique_body(item: Item, parent: Element, look: Look) -> None:
    kind, text = content.body(item, look.body)
    put(parent, t("UniqueBody"), text).set("BodyType", kind)


def assign_body(item: Item, element: Element) -> None:
    content.set_body(item, element.get("BodyType") or "Text", text_of(element))


def assign_subject(item: Item, element: Element) -> None:
    if len(text_of(element)) > 255:
        raise ItemError("ErrorPropertyValidationFailure", "Property validation failed.")
    properties.write(item, properties.SUBJECT, "String", text_of(element))


def show_attachment(parent: Element, item: Item, number: int, *, full: bool) -> Element:
    """Append a t:FileAttachment or t:ItemAttachment without its content; `full` adds what GetAttachment shows."""
    found = content.attachment(item, number)
    element = put(parent, t("ItemAttachment" if found.message else "FileAttachment"))
    identifier = put(element, t("AttachmentId"))
    identifier.set("Id", attachment_id(item, number))
    put(element, t("Name"), found.name)
    if found.content_type:
        put(element, t("ContentType"), found.content_type)
    if found.content_id:
        put(element, t("ContentId"), found.content_id)
    if found.location:
        put(element, t("ContentLocation"), found.location)
    if not full:
        put(element, t("Size"), str(len(found.content)))
        put(element, t("LastModifiedTime"), format_time(item.modified))
        put(element, t("IsInline"), "true" if found.inline else "false")
        if not found.message:
            put(element, t("IsContactPhoto"), "true" if found.photo else "false")
    return element


def attachment_id(item: Item, number: int) -> str:
    folder = item.folder.key if item.folder else 0
    return ids.ews_id(item.mailbox.guid, ids.entry_id(item.mailbox.replica, folder, item.key), number, item.occurrence or None)


def show_attachments(item: Item, parent: Element, look: Look) -> None:
    numbers = content.attachment_numbers(item)
    if numbers:
        element = put(parent, t("Attachments"))
        for number in numbers:
            show_attachment(element, item, number, full=False)


def show_categories(item: Item, parent: Element, look: Look) -> None:
    value = properties.read(item, KEYWORDS, "StringArray")
    if isinstance(value, list) and value:
        element = put(parent, t("Categories"))
        for one in value:
            put(element, t("String"), str(one))


def assign_categories(item: Item, element: Element) -> None:
    properties.write(item, KEYWORDS, "StringArray", [text_of(child) for child in children(element)])


def show_headers(item: Item, parent: Element, look: Look) -> None:
    found = hdr.split_message(item.mime)[0]
    if found:
        element = put(parent, t("InternetMessageHeaders"))
        for name, value in found:
            set_attribute(put(element, t("InternetMessageHeader"), hdr.decode(value)), "HeaderName", name)


def show_rights(item: Item, parent: Element, look: Look) -> None:
    known = look.user is not None and item.folder is not None
    put_rights(parent, rights.on(look.user, item.folder) if known else rights.EVERYTHING, folder=False)  # type: ignore[arg-type]


def put_rights(parent: Element, granted: Right, *, folder: bool) -> None:
    """Append t:EffectiveRights: PidTagAccess 0x0FF4, which speaks of the object itself.

    So a folder can be modified and deleted by its owner, whatever may be done to the items in it (MS-OXCFOLD 2.2.2.2).
    """
    changing = (Right.OWNER, Right.OWNER) if folder else (Right.DELETE, Right.EDIT)
    meant = (Right.OWNER, Right.CREATE, Right.SUBFOLDERS, *changing, Right.READ, Right.OWNER)
    names = ("CreateAssociated", "CreateContents", "CreateHierarchy", "Delete", "Modify", "Read", "ViewPrivateItems")
    element = put(parent, t("EffectiveRights"))
    for name, right in zip(names, meant, strict=True):
        put(element, t(name), "true" if right in granted and (folder or not name.startswith("Create")) else "false")


def show_conversation(item: Item, parent: Element, look: Look) -> None:
    digest = properties.conversation_id(item)
    put(parent, t("ConversationId")).set("Id", base64.b64encode(b"\0\3$\0" + digest + digest).decode("ascii"))


FLAGS = ("NotFlagged", "Complete", "Flagged")
# PidLidTaskStartDate, PidLidTaskDueDate, PidTagFlagCompleteTime
FLAG_START: PropertyName = (SETS["Task"], 0x8104)
FLAG_DUE: PropertyName = (SETS["Task"], 0x8105)
FLAG_COMPLETE: PropertyName = 0x1091
FLAG_DATES = (("StartDate", FLAG_START), ("DueDate", FLAG_DUE), ("CompleteDate", FLAG_COMPLETE))


def show_flag(item: Item, parent: Element, look: Look) -> None:
    status = properties.number(item, properties.FLAG_STATUS) or 0
    element = put(parent, t("Flag"))
    put(element, t("FlagStatus"), FLAGS[status] if 0 <= status < 3 else FLAGS[0])
    for name, prop in FLAG_DATES:
        value = properties.read(item, prop, "SystemTime")
        if isinstance(value, int) and status:
            put(element, t(name), format_time(value))


def assign_flag(item: Item, element: Element) -> None:
    status = element.findtext(t("FlagStatus")) or FLAGS[0]
    if status not in FLAGS:
        raise ItemError("ErrorInvalidValueForProperty")
    remove_flag(item)
    if status == FLAGS[0]:
        return
    properties.write(item, properties.FLAG_STATUS, "Integer", FLAGS.index(status))
    for name, prop in FLAG_DATES:
        text = element.findtext(t(name))
        if text:
            properties.write(item, prop, "SystemTime", parse_time(text))
        elif status == "Complete" and prop == FLAG_COMPLETE:
            properties.write(item, prop, "SystemTime", item.mailbox.world.time())


def remove_flag(item: Item) -> None:
    for prop in (properties.FLAG_STATUS, FLAG_START, FLAG_DUE, FLAG_COMPLETE):
        properties.erase(item, prop)


MAIL_RESPONSES = ("ReplyToItem", "ReplyAllToItem", "ForwardItem")


def show_responses(item: Item, parent: Element, look: Look) -> None:
    if not item.draft and item.kind == "":
        put_responses(parent, MAIL_RESPONSES)


def put_responses(parent: Element, names: tuple[str, ...]) -> None:
    """Append t:ResponseObjects: what may be answered to an item."""
    element = put(parent, t("ResponseObjects"))
    for name in names:
        put(element, t(name))


def show_received_by(item: Item, parent: Element, look: Look) -> None:
    where = properties.text(item, properties.RECEIVED_ADDRESS)
    if where:
        put_mailbox(put(parent, t("ReceivedBy")), Address(properties.text(item, properties.RECEIVED_NAME), where))


def show_represented(item: Item, parent: Element, look: Look) -> None:
    if properties.text(item, properties.RECEIVED_ADDRESS):
        owner = properties.own_address(properties.received_for(item))
        put_mailbox(put(parent, t("ReceivedRepresenting")), owner)


def show_culture(item: Item, parent: Element, look: Look) -> None:
    put(parent, t("Culture"), properties.text(item, CULTURE) or "en-US")


ICONS = {
    256: "MailRead",
    -1: "MailUnread",
    257: "MailUnread",
    261: "MailReplied",
    262: "MailForwarded",
    1: "PostItem",
    0x110: "MailEncrypted",
    0x111: "MailSmimeSigned",
}


def show_icon(item: Item, parent: Element, look: Look) -> None:
    put(parent, t("IconIndex"), ICONS.get(properties.number(item, properties.ICON) or 0, "Default"))


def from_me(item: Item) -> str:
    author = properties.envelope(item).author
    return "true" if author and author[0].address.lower() == item.mailbox.address.lower() else "false"


def assign_mime(item: Item, element: Element) -> None:
    item.mime = decode_mime(element)
    item.attachment_numbers = None
    item.mailbox.world.forget(item)


def decode_mime(element: Element) -> bytes:
    """The bytes of a MimeContent of a request; ErrorMimeContentInvalidBase64String."""
    try:
        packed = text_of(element).encode("ascii").translate(None, b" \t\r\n")
        return bytes(pybase64.b64decode(packed, validate=True))
    except ValueError as failure:
        raise ItemError("ErrorMimeContentInvalidBase64String") from failure
