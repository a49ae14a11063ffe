"""The elements of an item: how each is shown, set and removed, and which property it is another name of."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass

from . import content
from . import parts
from . import properties
from .errors import ItemError
from .headers import Address
from .mapi import KEYWORDS
from .mapi import SETS
from .mapi import PropertyName
from .mapi import Value
from .mapi import format_time
from .mapi import parse_value
from .markup import Element
from .markup import children
from .markup import put
from .markup import t
from .markup import text_of
from .parts import Assign
from .parts import Look
from .parts import Show
from .store import Item


@dataclass(frozen=True, slots=True)
class Field:
    """One element of an item.  Without `assign` it is read-only, without `remove` it cannot be deleted.

    `prop` and `type` tie it to a MAPI property, through which it is also searched and sorted; `listed` is false for
    what FindItem and SyncFolderItems do not return; what is set only `at_creation` is changed by its entries.
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
    at_creation: bool = False
    append: Assign | None = None


BRIEF = 255


def simple(uri: str, name: str, prop: PropertyName, kind: str, *, writable: bool = True, removable: bool = True) -> Field:
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


def choice(uri: str, name: str, prop: PropertyName, names: tuple[str, ...]) -> Field:
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


def strings(uri: str, name: str, prop: PropertyName) -> Field:
    """A field of several texts; an empty list is none."""
    tag = t(name)

    def show(item: Item, parent: Element, look: Look) -> None:
        value = properties.read(item, prop, "StringArray")
        if isinstance(value, list) and value:
            element = put(parent, tag)
            for one in value:
                put(element, t("String"), str(one))

    def assign(item: Item, element: Element) -> None:
        properties.write(item, prop, "StringArray", [text_of(child) for child in children(element)])

    return Field(uri, name, show, assign, lambda item: properties.erase(item, prop), prop, "StringArray")


def shown(uri: str, name: str, text: Callable[[Item], str | None], *, listed: bool = True) -> Field:
    """A read-only field whose text is computed."""
    tag = t(name)

    def show(item: Item, parent: Element, look: Look) -> None:
        value = text(item)
        if value is not None:
            put(parent, tag, value)

    return Field(uri, name, show, listed=listed)


def _recipients(uri: str, name: str, header: str, choose: Callable[[Item], tuple[Address, ...]], *, single: bool) -> Field:
    """A field that shows the parts.mailboxes of a header."""
    tag = t(name)

    def show(item: Item, parent: Element, look: Look) -> None:
        found = choose(item)
        if not found:
            return
        element = put(parent, tag)
        for address in found[:1] if single else found:
            parts.put_mailbox(element, address)

    def assign(item: Item, element: Element) -> None:
        content.set_addresses(item, header, parts.mailboxes(element))

    def remove(item: Item) -> None:
        content.set_addresses(item, header, [])

    return Field(uri, name, show, assign, remove, listed=single)


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
FIELDS: tuple[Field, ...] = (
    Field("item:MimeContent", "MimeContent", parts.show_mime, parts.assign_mime, listed=False),
    Field("item:ItemId", "ItemId", parts.show_id),
    Field("item:ParentFolderId", "ParentFolderId", parts.show_parent),
    simple("item:ItemClass", "ItemClass", properties.ITEM_CLASS, "String", removable=False),
    Field(
        "item:Subject",
        "Subject",
        simple("item:Subject", "Subject", properties.SUBJECT, "String").show,
        parts.assign_subject,
        lambda item: properties.erase(item, properties.SUBJECT),
        properties.SUBJECT,
    ),
    choice("item:Sensitivity", "Sensitivity", properties.SENSITIVITY, ("Normal", "Personal", "Private", "Confidential")),
    Field(
        "item:Body",
        "Body",
        parts.show_body,
        parts.assign_body,
        lambda item: content.set_body(item, "Text", ""),
        listed=False,
    ),
    Field("item:Attachments", "Attachments", parts.show_attachments, listed=False),
    simple("item:DateTimeReceived", "DateTimeReceived", properties.DELIVERY_TIME, "SystemTime", writable=False),
    simple("item:Size", "Size", properties.SIZE, "Integer", writable=False),
    Field(
        "item:Categories",
        "Categories",
        parts.show_categories,
        parts.assign_categories,
        lambda item: properties.erase(item, KEYWORDS),
        KEYWORDS,
        "StringArray",
    ),
    choice("item:Importance", "Importance", properties.IMPORTANCE, ("Low", "Normal", "High")),
    simple("item:InReplyTo", "InReplyTo", properties.IN_REPLY_TO, "String"),
    shown("item:IsSubmitted", "IsSubmitted", lambda item: "false"),
    shown("item:IsDraft", "IsDraft", lambda item: "true" if item.draft else "false"),
    shown("item:IsFromMe", "IsFromMe", parts.from_me),
    shown("item:IsResend", "IsResend", lambda item: "false"),
    shown("item:IsUnmodified", "IsUnmodified", _flag_bit(2)),
    Field("item:InternetMessageHeaders", "InternetMessageHeaders", parts.show_headers, listed=False),
    simple("item:DateTimeSent", "DateTimeSent", properties.SUBMIT_TIME, "SystemTime", writable=False),
    simple("item:DateTimeCreated", "DateTimeCreated", properties.CREATED, "SystemTime", writable=False),
    Field("item:ResponseObjects", "ResponseObjects", parts.show_responses, listed=False),
    simple("item:ReminderDueBy", "ReminderDueBy", (COMMON, 0x8502), "SystemTime"),
    simple("item:ReminderIsSet", "ReminderIsSet", (COMMON, 0x8503), "Boolean"),
    simple("item:ReminderNextTime", "ReminderNextTime", (COMMON, 0x8560), "SystemTime"),
    simple("item:ReminderMinutesBeforeStart", "ReminderMinutesBeforeStart", (COMMON, 0x8501), "Integer"),
    simple("item:DisplayCc", "DisplayCc", 0x0E03, "String", writable=False),
    simple("item:DisplayTo", "DisplayTo", 0x0E04, "String", writable=False),
    simple("item:HasAttachments", "HasAttachments", properties.HAS_ATTACHMENTS, "Boolean", writable=False),
    Field(
        "item:Culture",
        "Culture",
        parts.show_culture,
        lambda item, element: properties.write(item, parts.CULTURE, "String", text_of(element)),
        lambda item: properties.erase(item, parts.CULTURE),
    ),
    Field("item:EffectiveRights", "EffectiveRights", parts.show_rights),
    simple("item:LastModifiedName", "LastModifiedName", 0x3FFA, "String", writable=False),
    simple("item:LastModifiedTime", "LastModifiedTime", properties.MODIFIED, "SystemTime", writable=False),
    shown("item:IsAssociated", "IsAssociated", lambda item: "false"),
    shown("item:WebClientReadFormQueryString", "WebClientReadFormQueryString", _web_link),
    shown("item:WebClientEditFormQueryString", "WebClientEditFormQueryString", lambda item: None),
    Field("item:ConversationId", "ConversationId", parts.show_conversation),
    Field("item:UniqueBody", "UniqueBody", parts.show_unique_body, listed=False),
    Field("item:Flag", "Flag", parts.show_flag, parts.assign_flag, parts.remove_flag, properties.FLAG_STATUS, "Integer"),
    simple("item:StoreEntryId", "StoreEntryId", 0x0FFB, "Binary"),
    simple("item:InstanceKey", "InstanceKey", 0x0FF6, "Binary", writable=False),
    shown("item:Preview", "Preview", content.preview),
    shown("item:IsClutter", "IsClutter", lambda item: "false"),
    shown("item:BlockStatus", "BlockStatus", lambda item: "false", listed=False),
    shown("item:HasBlockedImages", "HasBlockedImages", lambda item: "false", listed=False),
    Field("item:TextBody", "TextBody", parts.show_text_body, listed=False),
    Field("item:IconIndex", "IconIndex", parts.show_icon, prop=properties.ICON, type="Integer"),
    _recipients("message:Sender", "Sender", "Sender", _envelope("sender"), single=True),
    _recipients("message:ToRecipients", "ToRecipients", "To", _envelope("to"), single=False),
    _recipients("message:CcRecipients", "CcRecipients", "Cc", _envelope("cc"), single=False),
    _recipients("message:BccRecipients", "BccRecipients", "Bcc", _envelope("bcc"), single=False),
    simple("message:IsReadReceiptRequested", "IsReadReceiptRequested", properties.READ_RECEIPT, "Boolean"),
    simple("message:IsDeliveryReceiptRequested", "IsDeliveryReceiptRequested", properties.DELIVERY_RECEIPT, "Boolean"),
    simple("message:ConversationIndex", "ConversationIndex", properties.CONVERSATION_INDEX, "Binary"),
    simple("message:ConversationTopic", "ConversationTopic", properties.TOPIC, "String"),
    _recipients("message:From", "From", "From", _envelope("author"), single=True),
    simple("message:InternetMessageId", "InternetMessageId", properties.MESSAGE_ID, "String"),
    simple("message:IsRead", "IsRead", properties.READ, "Boolean", removable=False),
    simple("message:IsResponseRequested", "IsResponseRequested", 0x0063, "Boolean"),
    simple("message:References", "References", properties.REFERENCES, "String"),
    _recipients("message:ReplyTo", "ReplyTo", "Reply-To", _envelope("reply_to"), single=False),
    Field("message:ReceivedBy", "ReceivedBy", parts.show_received_by),
    Field("message:ReceivedRepresenting", "ReceivedRepresenting", parts.show_represented),
    shown("postitem:PostedTime", "PostedTime", lambda item: format_time(properties.sent_time(item))),
    shown("meeting:IsDelegated", "IsDelegated", lambda item: "true" if properties.is_delegated(item) else "false"),
)
BY_URI = {one.uri: one for one in FIELDS}
BY_NAME = {one.name: one for one in FIELDS}
