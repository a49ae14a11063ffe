"""The elements of an item: how each is shown, set and removed, and which property it is another name of."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass

import pybase64

from . import content
from . import headers as hdr
from . import ids
from . import properties
from .errors import ItemError
from .headers import Address
from .mapi import KEYWORDS
from .mapi import SETS
from .mapi import PropertyName
from .mapi import Value
from .mapi import format_time
from .mapi import parse_time
from .mapi import parse_value
from .markup import Element
from .markup import children
from .markup import put
from .markup import set_attribute
from .markup import t
from .markup import text_of
from .store import Item


@dataclass(frozen=True, slots=True)
class Look:
    """How an answer shows items: the wanted body type, and `brief` for FindItem and SyncFolderItems (short strings)."""

    body: str = "Best"
    brief: bool = False


Show = Callable[[Item, Element, Look], None]
Assign = Callable[[Item, Element], None]


@dataclass(frozen=True, slots=True)
class Field:
    """One element of an item.  Without `assign` it is read-only, without `remove` it cannot be deleted.

    `prop` and `type` tie it to a MAPI property, through which it is also searched and sorted; `listed` is false for
    what FindItem and SyncFolderItems do not return.
    """

    uri: str
    name: str
    show: Show
    assign: Assign | None = None
    remove: Callable[[Item], None] | None = None
    prop: PropertyName | None = None
    type: str = "String"
    listed: bool = True
    parse: Callable[[str], Value] | None = None


BRIEF = 255


def _simple(uri: str, name: str, prop: PropertyName, kind: str, *, writable: bool = True, removable: bool = True) -> Field:
    """A field whose text is the text of a property."""
    tag = t(name)

    def show(item: Item, parent: Element, look: Look) -> None:
        value = properties.read(item, prop, kind)
        if value is None:
            return
        put(parent, tag, _text(kind, value, look))

    def assign(item: Item, element: Element) -> None:
        properties.write(item, prop, kind, parse_value(kind, [text_of(element)]))

    def remove(item: Item) -> None:
        properties.erase(item, prop)

    return Field(uri, name, show, assign if writable else None, remove if writable and removable else None, prop, kind)


def _text(kind: str, value: Value, look: Look) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if kind == "SystemTime" and isinstance(value, int):
        return format_time(value)
    if isinstance(value, bytes):
        return base64.b64encode(value).decode("ascii")
    text = str(value)
    return text[:BRIEF] if look.brief and len(text) > BRIEF else text


def _choice(uri: str, name: str, prop: PropertyName, names: tuple[str, ...]) -> Field:
    """A field whose words stand for the numbers of a property."""
    tag = t(name)

    def show(item: Item, parent: Element, look: Look) -> None:
        value = properties.number(item, prop)
        put(parent, tag, names[value] if value is not None and 0 <= value < len(names) else names[0])

    def parse(text: str) -> int:
        if text not in names:
            raise ItemError("ErrorInvalidValueForProperty")
        return names.index(text)

    def assign(item: Item, element: Element) -> None:
        properties.write(item, prop, "Integer", parse(text_of(element)))

    return Field(uri, name, show, assign, lambda item: properties.erase(item, prop), prop, "Integer", parse=parse)


def _shown(uri: str, name: str, text: Callable[[Item], str | None], *, listed: bool = True) -> Field:
    """A read-only field whose text is computed."""
    tag = t(name)

    def show(item: Item, parent: Element, look: Look) -> None:
        value = text(item)
        if value is not None:
            put(parent, tag, value)

    return Field(uri, name, show, listed=listed)


def _recipients(uri: str, name: str, header: str, choose: Callable[[Item], tuple[Address, ...]], *, single: bool) -> Field:
    """A field that shows the mailboxes of a header."""
    tag = t(name)

    def show(item: Item, parent: Element, look: Look) -> None:
        found = choose(item)
        if not found:
            return
        element = put(parent, tag)
        for address in found[:1] if single else found:
            put_mailbox(element, address)

    def assign(item: Item, element: Element) -> None:
        content.set_addresses(item, header, mailboxes(element))

    def remove(item: Item) -> None:
        content.set_addresses(item, header, [])

    return Field(uri, name, show, assign, remove, listed=single)


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


# -- fields with a form of their own


def _show_mime(item: Item, parent: Element, look: Look) -> None:
    element = put(parent, t("MimeContent"))
    element.set("CharacterSet", "UTF-8")
    element.text = pybase64.b64encode(content.mime_of(item))  # ASCII bytes, which lxml takes as text


def _show_id(item: Item, parent: Element, look: Look) -> None:
    if item.key:
        element = put(parent, t("ItemId"))
        element.set("Id", item.mailbox.item_id(item))
        element.set("ChangeKey", item.mailbox.item_change_key(item))


def _show_parent(item: Item, parent: Element, look: Look) -> None:
    if item.folder is not None:
        element = put(parent, t("ParentFolderId"))
        element.set("Id", item.mailbox.folder_id(item.folder))
        element.set("ChangeKey", item.mailbox.folder_change_key(item.folder))


def _show_body(item: Item, parent: Element, look: Look) -> None:
    kind, text = content.body(item, look.body)
    put(parent, t("Body"), text).set("BodyType", kind)


def _show_text_body(item: Item, parent: Element, look: Look) -> None:
    put(parent, t("TextBody"), content.plain_text(item)).set("BodyType", "Text")


def _show_unique_body(item: Item, parent: Element, look: Look) -> None:
    kind, text = content.body(item, look.body)
    put(parent, t("UniqueBody"), text).set("BodyType", kind)


def _assign_body(item: Item, element: Element) -> None:
    content.set_body(item, element.get("BodyType") or "Text", text_of(element))


def _assign_subject(item: Item, element: Element) -> None:
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
            put(element, t("IsContactPhoto"), "false")
    return element


def attachment_id(item: Item, number: int) -> str:
    folder = item.folder.key if item.folder else 0
    return ids.ews_id(item.mailbox.guid, ids.entry_id(item.mailbox.replica, folder, item.key), number)


def _show_attachments(item: Item, parent: Element, look: Look) -> None:
    numbers = content.attachment_numbers(item)
    if numbers:
        element = put(parent, t("Attachments"))
        for number in numbers:
            show_attachment(element, item, number, full=False)


def _show_categories(item: Item, parent: Element, look: Look) -> None:
    value = properties.read(item, KEYWORDS, "StringArray")
    if isinstance(value, list) and value:
        element = put(parent, t("Categories"))
        for one in value:
            put(element, t("String"), str(one))


def _assign_categories(item: Item, element: Element) -> None:
    properties.write(item, KEYWORDS, "StringArray", [text_of(child) for child in children(element)])


def _show_headers(item: Item, parent: Element, look: Look) -> None:
    found = hdr.split_message(item.mime)[0]
    if found:
        element = put(parent, t("InternetMessageHeaders"))
        for name, value in found:
            set_attribute(put(element, t("InternetMessageHeader"), hdr.decode(value)), "HeaderName", name)


def _show_rights(item: Item, parent: Element, look: Look) -> None:
    put_rights(parent, folder=False)


def put_rights(parent: Element, *, folder: bool) -> None:
    """Append t:EffectiveRights of somebody who may do everything."""
    element = put(parent, t("EffectiveRights"))
    for name in ("CreateAssociated", "CreateContents", "CreateHierarchy"):
        put(element, t(name), "true" if folder else "false")
    for name in ("Delete", "Modify", "Read", "ViewPrivateItems"):
        put(element, t(name), "true")


def _show_conversation(item: Item, parent: Element, look: Look) -> None:
    digest = properties.conversation_id(item)
    put(parent, t("ConversationId")).set("Id", base64.b64encode(b"\0\3$\0" + digest + digest).decode("ascii"))


FLAGS = ("NotFlagged", "Complete", "Flagged")
# PidLidTaskStartDate, PidLidTaskDueDate, PidTagFlagCompleteTime
FLAG_START: PropertyName = (SETS["Task"], 0x8104)
FLAG_DUE: PropertyName = (SETS["Task"], 0x8105)
FLAG_COMPLETE: PropertyName = 0x1091
FLAG_DATES = (("StartDate", FLAG_START), ("DueDate", FLAG_DUE), ("CompleteDate", FLAG_COMPLETE))


def _show_flag(item: Item, parent: Element, look: Look) -> None:
    status = properties.number(item, properties.FLAG_STATUS) or 0
    element = put(parent, t("Flag"))
    put(element, t("FlagStatus"), FLAGS[status] if 0 <= status < 3 else FLAGS[0])
    for name, prop in FLAG_DATES:
        value = properties.read(item, prop, "SystemTime")
        if isinstance(value, int) and status:
            put(element, t(name), format_time(value))


def _assign_flag(item: Item, element: Element) -> None:
    status = element.findtext(t("FlagStatus")) or FLAGS[0]
    if status not in FLAGS:
        raise ItemError("ErrorInvalidValueForProperty")
    _remove_flag(item)
    if status == FLAGS[0]:
        return
    properties.write(item, properties.FLAG_STATUS, "Integer", FLAGS.index(status))
    for name, prop in FLAG_DATES:
        text = element.findtext(t(name))
        if text:
            properties.write(item, prop, "SystemTime", parse_time(text))
        elif status == "Complete" and prop == FLAG_COMPLETE:
            properties.write(item, prop, "SystemTime", item.mailbox.world.time())


def _remove_flag(item: Item) -> None:
    for prop in (properties.FLAG_STATUS, FLAG_START, FLAG_DUE, FLAG_COMPLETE):
        properties.erase(item, prop)


def _show_responses(item: Item, parent: Element, look: Look) -> None:
    if item.draft or item.kind not in ("Message", "MeetingRequest"):
        return
    element = put(parent, t("ResponseObjects"))
    for name in ("ReplyToItem", "ReplyAllToItem", "ForwardItem"):
        put(element, t(name))


def _show_received_by(name: str) -> Show:
    def show(item: Item, parent: Element, look: Look) -> None:
        where = properties.text(item, properties.RECEIVED_ADDRESS)
        if where:
            put_mailbox(put(parent, t(name)), Address(properties.text(item, properties.RECEIVED_NAME), where))

    return show


def _show_culture(item: Item, parent: Element, look: Look) -> None:
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
ICON_NUMBERS = {word: number for number, word in ICONS.items()}


def _show_icon(item: Item, parent: Element, look: Look) -> None:
    put(parent, t("IconIndex"), ICONS.get(properties.number(item, properties.ICON) or 0, "Default"))


def _from_me(item: Item) -> str:
    author = properties.envelope(item).author
    return "true" if author and author[0].address.lower() == item.mailbox.address.lower() else "false"


def _assign_mime(item: Item, element: Element) -> None:
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


def _envelope(name: str) -> Callable[[Item], tuple[Address, ...]]:
    def choose(item: Item) -> tuple[Address, ...]:
        found: tuple[Address, ...] = getattr(properties.envelope(item), name)
        return found

    return choose


def _web_link(item: Item) -> str:
    return f"?ae=Item&a=Open&t={item.item_class}&id={item.mailbox.item_id(item).replace('/', '%2f').replace('+', '%2b')}"


def _flag_bit(bit: int) -> Callable[[Item], str]:
    return lambda item: "true" if (properties.number(item, properties.MESSAGE_FLAGS) or 0) & bit else "false"


COMMON = SETS["Common"]
CULTURE: PropertyName = (COMMON, "sandbox-culture")
FIELDS: tuple[Field, ...] = (
    Field("item:MimeContent", "MimeContent", _show_mime, _assign_mime, listed=False),
    Field("item:ItemId", "ItemId", _show_id),
    Field("item:ParentFolderId", "ParentFolderId", _show_parent),
    _simple("item:ItemClass", "ItemClass", properties.ITEM_CLASS, "String", removable=False),
    Field(
        "item:Subject",
        "Subject",
        _simple("item:Subject", "Subject", properties.SUBJECT, "String").show,
        _assign_subject,
        lambda item: properties.erase(item, properties.SUBJECT),
        properties.SUBJECT,
    ),
    _choice("item:Sensitivity", "Sensitivity", properties.SENSITIVITY, ("Normal", "Personal", "Private", "Confidential")),
    Field(
        "item:Body",
        "Body",
        _show_body,
        _assign_body,
        lambda item: content.set_body(item, "Text", ""),
        listed=False,
    ),
    Field("item:Attachments", "Attachments", _show_attachments, listed=False),
    _simple("item:DateTimeReceived", "DateTimeReceived", properties.DELIVERY_TIME, "SystemTime", writable=False),
    _simple("item:Size", "Size", properties.SIZE, "Integer", writable=False),
    Field(
        "item:Categories",
        "Categories",
        _show_categories,
        _assign_categories,
        lambda item: properties.erase(item, KEYWORDS),
        KEYWORDS,
        "StringArray",
    ),
    _choice("item:Importance", "Importance", properties.IMPORTANCE, ("Low", "Normal", "High")),
    _simple("item:InReplyTo", "InReplyTo", properties.IN_REPLY_TO, "String"),
    _shown("item:IsSubmitted", "IsSubmitted", lambda item: "false"),
    _shown("item:IsDraft", "IsDraft", lambda item: "true" if item.draft else "false"),
    _shown("item:IsFromMe", "IsFromMe", _from_me),
    _shown("item:IsResend", "IsResend", lambda item: "false"),
    _shown("item:IsUnmodified", "IsUnmodified", _flag_bit(2)),
    Field("item:InternetMessageHeaders", "InternetMessageHeaders", _show_headers, listed=False),
    _simple("item:DateTimeSent", "DateTimeSent", properties.SUBMIT_TIME, "SystemTime", writable=False),
    _simple("item:DateTimeCreated", "DateTimeCreated", properties.CREATED, "SystemTime", writable=False),
    Field("item:ResponseObjects", "ResponseObjects", _show_responses, listed=False),
    _simple("item:ReminderDueBy", "ReminderDueBy", (COMMON, 0x8502), "SystemTime"),
    _simple("item:ReminderIsSet", "ReminderIsSet", (COMMON, 0x8503), "Boolean"),
    _simple("item:ReminderNextTime", "ReminderNextTime", (COMMON, 0x8560), "SystemTime"),
    _simple("item:ReminderMinutesBeforeStart", "ReminderMinutesBeforeStart", (COMMON, 0x8501), "Integer"),
    _simple("item:DisplayCc", "DisplayCc", 0x0E03, "String", writable=False),
    _simple("item:DisplayTo", "DisplayTo", 0x0E04, "String", writable=False),
    _simple("item:HasAttachments", "HasAttachments", properties.HAS_ATTACHMENTS, "Boolean", writable=False),
    Field(
        "item:Culture",
        "Culture",
        _show_culture,
        lambda item, element: properties.write(item, CULTURE, "String", text_of(element)),
        lambda item: properties.erase(item, CULTURE),
    ),
    Field("item:EffectiveRights", "EffectiveRights", _show_rights),
    _simple("item:LastModifiedName", "LastModifiedName", 0x3FFA, "String", writable=False),
    _simple("item:LastModifiedTime", "LastModifiedTime", properties.MODIFIED, "SystemTime", writable=False),
    _shown("item:IsAssociated", "IsAssociated", lambda item: "false"),
    _shown("item:WebClientReadFormQueryString", "WebClientReadFormQueryString", _web_link),
    _shown("item:WebClientEditFormQueryString", "WebClientEditFormQueryString", lambda item: None),
    Field("item:ConversationId", "ConversationId", _show_conversation),
    Field("item:UniqueBody", "UniqueBody", _show_unique_body, listed=False),
    Field("item:Flag", "Flag", _show_flag, _assign_flag, _remove_flag, properties.FLAG_STATUS, "Integer"),
    _simple("item:StoreEntryId", "StoreEntryId", 0x0FFB, "Binary"),
    _simple("item:InstanceKey", "InstanceKey", 0x0FF6, "Binary", writable=False),
    _shown("item:Preview", "Preview", content.preview),
    _shown("item:IsClutter", "IsClutter", lambda item: "false"),
    _shown("item:BlockStatus", "BlockStatus", lambda item: "false", listed=False),
    _shown("item:HasBlockedImages", "HasBlockedImages", lambda item: "false", listed=False),
    Field("item:TextBody", "TextBody", _show_text_body, listed=False),
    Field("item:IconIndex", "IconIndex", _show_icon, prop=properties.ICON, type="Integer"),
    _recipients("message:Sender", "Sender", "Sender", _envelope("sender"), single=True),
    _recipients("message:ToRecipients", "ToRecipients", "To", _envelope("to"), single=False),
    _recipients("message:CcRecipients", "CcRecipients", "Cc", _envelope("cc"), single=False),
    _recipients("message:BccRecipients", "BccRecipients", "Bcc", _envelope("bcc"), single=False),
    _simple("message:IsReadReceiptRequested", "IsReadReceiptRequested", properties.READ_RECEIPT, "Boolean"),
    _simple("message:IsDeliveryReceiptRequested", "IsDeliveryReceiptRequested", properties.DELIVERY_RECEIPT, "Boolean"),
    _simple("message:ConversationIndex", "ConversationIndex", properties.CONVERSATION_INDEX, "Binary"),
    _simple("message:ConversationTopic", "ConversationTopic", properties.TOPIC, "String"),
    _recipients("message:From", "From", "From", _envelope("author"), single=True),
    _simple("message:InternetMessageId", "InternetMessageId", properties.MESSAGE_ID, "String"),
    _simple("message:IsRead", "IsRead", properties.READ, "Boolean", removable=False),
    _simple("message:IsResponseRequested", "IsResponseRequested", 0x0063, "Boolean"),
    _simple("message:References", "References", properties.REFERENCES, "String"),
    _recipients("message:ReplyTo", "ReplyTo", "Reply-To", _envelope("reply_to"), single=False),
    Field("message:ReceivedBy", "ReceivedBy", _show_received_by("ReceivedBy")),
    Field("message:ReceivedRepresenting", "ReceivedRepresenting", _show_received_by("ReceivedRepresenting")),
    _shown("postitem:PostedTime", "PostedTime", lambda item: format_time(properties.sent_time(item))),
    _shown("meeting:IsDelegated", "IsDelegated", lambda item: "false"),
    _shown("meeting:IsOutOfDate", "IsOutOfDate", lambda item: "false"),
    _shown("meeting:HasBeenProcessed", "HasBeenProcessed", lambda item: "false"),
    _shown("meeting:ResponseType", "ResponseType", lambda item: "NoResponseReceived"),
)
BY_URI = {one.uri: one for one in FIELDS}
BY_NAME = {one.name: one for one in FIELDS}
# Setting these is allowed by nobody but the server: the error is about the property, not about the value.
READ_ONLY = frozenset(one.name for one in FIELDS if one.assign is None) - {"Attachments"}
