"""CreateItem, with sending and the replies and forwards that are made from another item; SendItem."""

from __future__ import annotations

from .. import content
from .. import elements
from .. import fields
from .. import headers as hdr
from .. import kinds
from .. import parts
from .. import properties
from .. import transport
from ..classify import classify
from ..document import read_document
from ..document import with_header
from ..errors import ItemError
from ..headers import Address
from ..ids import parse_change_key
from ..mapi import read_property
from ..markup import Element
from ..markup import children
from ..markup import is_true
from ..markup import local
from ..markup import m
from ..markup import put
from ..markup import t
from ..markup import text_of
from ..rights import Right
from ..shapes import put_item_id
from ..store import Folder
from ..store import Item
from . import inviting
from . import responding
from . import scheduling
from .attaching import read_attachment
from .call import Call
from .replies import Answer
from .sending import dispatch
from .targets import item_of
from .targets import referenced
from .targets import target_folder

RESPONSES = ("ReplyToItem", "ReplyAllToItem", "ForwardItem")
MESSAGES = ("Message", "Item", "PostItem", *RESPONSES)
MEETING_MESSAGES = ("MeetingMessage", "MeetingRequest", "MeetingResponse", "MeetingCancellation")
HOME = {
    "CalendarItem": "calendar",
    "Contact": "contacts",
    "DistributionList": "contacts",
    "Task": "tasks",
}
# Where an item of a kind may be saved, and the error for any other place (MS-OXWSCONT R301001).
CLASSES = {
    "CalendarItem": ("IPF.Appointment", "ErrorCannotCreateCalendarItemInNonCalendarFolder"),
    "Contact": ("IPF.Contact", "ErrorCannotCreateContactInNonContactFolder"),
    "DistributionList": ("IPF.Contact", "ErrorCannotCreateContactInNonContactFolder"),
    "Task": ("IPF.Task", "ErrorCannotCreateTaskInNonTaskFolder"),
}
MIME_KINDS = ("Message", "PostItem", "CalendarItem", "Item")
EMPTY = b"MIME-Version: 1.0\r\n\r\n"


def create_item(call: Call, request: Element) -> Element:
    answer = Answer("CreateItem", "Items")
    disposition = request.get("MessageDisposition")
    for node in children(request.find(m("Items"))):
        try:
            items = _create(call, request, node, disposition)
        except ItemError as error:
            answer.error(error)
            continue
        into = answer.success()
        for item in items:
            put_item_id(put(into, t(elements.kind_of(item.item_class))), t("ItemId"), item)
    return answer.element


def _create(call: Call, request: Element, node: Element, disposition: str | None) -> list[Item]:
    """Make one item; none is returned if it was sent and thus has no id to return (OXWSMSG R203, R204)."""
    kind = local(node)
    if kind in MEETING_MESSAGES or kind not in (*elements.DEFAULT_CLASS, *RESPONSES, *responding.NAMES):
        raise ItemError("ErrorInvalidItemForOperationCreateItem")
    sendable = kind in ("Message", *RESPONSES)
    if disposition is None and (sendable or kind in responding.NAMES):
        raise ItemError("ErrorMessageDispositionRequired")
    told = scheduling.told(request, "SendMeetingInvitations") if kind == "CalendarItem" else ""
    saved = request.find(m("SavedItemFolderId"))
    folder = None if saved is None else target_folder(call, saved, "ErrorSavedItemFolderNotFound", need=Right.CREATE)
    if folder is not None and kind in CLASSES and not folder.folder_class.startswith(CLASSES[kind][0]):
        raise ItemError(CLASSES[kind][1])
    if kind in responding.NAMES:
        return responding.answer(call, node, disposition or "SaveOnly", folder)
    item = respond(call, node) if kind in RESPONSES else assemble(call, node)
    if sendable and disposition in ("SendOnly", "SendAndSaveCopy"):
        submit(call, item, folder, keep_copy=disposition == "SendAndSaveCopy")
        return []
    folder = folder or call.user.folder(HOME.get(kind, "drafts"))
    if properties.DELIVERY_TIME not in item.props:
        _stamp(call, item, folder)
    item.props.pop(properties.DELIVERY_TIME, None)
    if call.stamps in ("*", folder.distinguished or "?"):
        item.received = call.world.time()
        item.props[properties.SUBMIT_TIME] = ("SystemTime", item.received)
    letters = inviting.for_new(item, told)
    call.user.place(item, folder)
    inviting.send(item, letters)
    return [item]


def _stamp(call: Call, item: Item, folder: Folder) -> None:
    """Set the time received of an item created without one: its Date, but the present in Sent Items (as Exchange does)."""
    date = properties.envelope(item).date
    here = folder.distinguished == "sentitems" or date is None
    item.received = call.world.time() if here or date is None else date


def assemble(call: Call, node: Element) -> Item:
    """Make an item from the element that describes it; it is nowhere yet."""
    kind = local(node)
    given = node.find(t("MimeContent"))
    mime = EMPTY
    item_class = elements.DEFAULT_CLASS[kind]
    if given is not None:
        if kind not in MIME_KINDS:
            raise ItemError("ErrorUnsupportedMimeConversion")
        mime = parts.decode_mime(given) if kind != "CalendarItem" else EMPTY
        if kind in ("Message", "Item"):
            item_class = classify(mime)[0]
    item = call.user.new_item(mime, item_class)
    item.draft = kind in ("Message", "Item")
    item.read = True
    item.kind = "" if kind in ("Message", "Item") else kind
    read = node.find(t("IsRead"))
    if kind == "CalendarItem":
        scheduling.prepare(call, item, node)
    for child in children(node):
        _set_part(call, item, child, kind)
    if read is not None:
        item.read = is_true(read.text)
    if given is None and kind == "Message" and not properties.text(item, properties.MESSAGE_ID):
        item.mime = with_header(item.mime, "Message-ID", transport.new_message_id(call.user))
    _check_class(item, kind)
    kinds.settle(item)
    return item


def _set_part(call: Call, item: Item, child: Element, kind: str) -> None:
    name = local(child)
    if name == "MimeContent":
        return
    if name == "ExtendedProperty":
        path, value = read_property(child)
        properties.write(item, path.name, path.type, value)
        if path.name == properties.DELIVERY_TIME:
            item.props[path.name] = (path.type, value)
    elif name == "Attachments":
        for attached in children(child):
            content.add_attachment(item, read_attachment(call, attached))
    elif name != "StoreEntryId":
        field = kinds.fields_of(kind).get(name)
        if field is None or field.assign is None:
            raise ItemError("ErrorInvalidPropertySet")
        field.assign(item, child)


def _check_class(item: Item, kind: str) -> None:
    """An item class that belongs to another element is refused, but for mail (OXWSCORE R2023)."""
    fits = elements.kind_of(item.item_class)
    if kind not in ("Message", "Item") and fits != kind:
        raise ItemError("ErrorObjectTypeChanged")
    if item.kind == "" and fits in elements.APART:
        raise ItemError("ErrorObjectTypeChanged")


def submit(call: Call, item: Item, folder: Folder | None, *, keep_copy: bool) -> Item | None:
    """Send an item that is nowhere yet; returns the copy in `folder` (Sent Items if None) if one is kept."""
    return dispatch(item, (folder or call.user.folder("sentitems")) if keep_copy else None)


# -- replies and forwards


def respond(call: Call, node: Element) -> Item:
    """Make the reply to, or the forward of, the item that a response object refers to."""
    original = referenced(call, node)
    kind = local(node)
    item = call.user.new_item(EMPTY, "IPM.Note")
    item.draft = item.read = True
    seen = properties.envelope(original)
    subject = node.findtext(t("Subject"))
    if subject is None:
        prefix = "FW: " if kind == "ForwardItem" else "RE: "
        old = properties.text(original, properties.SUBJECT)
        subject = old if old.upper().startswith(prefix) else prefix + old
    properties.write(item, properties.SUBJECT, "String", subject[:255])
    if kind == "ForwardItem":
        for attachment in read_document(original.mime).attachments:
            content.add_attachment(item, attachment)
    else:
        content.set_addresses(item, "To", list(seen.reply_to or seen.author))
        if kind == "ReplyAllToItem":
            _reply_to_all(call, item, original)
    _set_threading(item, original)
    for child in children(node):
        _set_response_part(item, child)
    _set_new_body(item, node, original)
    item.mime = with_header(item.mime, "Message-ID", transport.new_message_id(call.user))
    call.world.forget(item)
    _mark_answered(call, original, kind)
    return item


def _reply_to_all(call: Call, item: Item, original: Item) -> None:
    seen = properties.envelope(original)
    own = call.user.address.lower()
    already = {one.address.lower() for one in seen.reply_to or seen.author}
    to = [one for one in seen.to if one.address.lower() not in already | {own}]
    content.set_addresses(item, "To", [*(seen.reply_to or seen.author), *to])
    content.set_addresses(item, "Cc", [one for one in seen.cc if one.address.lower() != own])


def _set_threading(item: Item, original: Item) -> None:
    message_id = properties.text(original, properties.MESSAGE_ID)
    if message_id:
        references = " ".join(filter(None, (properties.text(original, properties.REFERENCES), message_id)))
        item.mime = with_header(item.mime, "In-Reply-To", message_id.encode("ascii", "replace"))
        item.mime = with_header(item.mime, "References", references.encode("ascii", "replace").replace(b" ", b"\r\n "))
    topic = properties.text(original, properties.TOPIC)
    if topic:
        item.mime = with_header(item.mime, "Thread-Topic", hdr.encode(topic))
    item.mailbox.world.forget(item)


def _set_response_part(item: Item, child: Element) -> None:
    name = local(child)
    if name in ("Subject", "Body", "NewBodyContent", "ReferenceItemId"):
        return
    field = fields.BY_NAME.get(name)
    if name == "ExtendedProperty":
        path, value = read_property(child)
        properties.write(item, path.name, path.type, value)
    elif field is None or field.assign is None:
        raise ItemError("ErrorInvalidPropertySet")
    else:
        field.assign(item, child)


def _set_new_body(item: Item, node: Element, original: Item) -> None:
    """The new text above the quoted original, or the text given as the whole body."""
    whole = node.find(t("Body"))
    if whole is not None:
        content.set_body(item, whole.get("BodyType") or "Text", text_of(whole))
        return
    fresh = node.find(t("NewBodyContent"))
    seen = properties.envelope(original)
    author = seen.author[0] if seen.author else Address("", "")
    lead = f"From: {author.name or author.address}\r\nSubject: {properties.text(original, properties.SUBJECT)}\r\n\r\n"
    quoted = f"________________________________\r\n{lead}{content.plain_text(original)}"
    kind = fresh.get("BodyType") if fresh is not None else "Text"
    text = text_of(fresh) if fresh is not None else ""
    if kind == "HTML":
        content.set_body(item, "HTML", text)
        content.append_body(item, "Text", "\r\n" + quoted)
    else:
        content.set_body(item, "Text", f"{text}\r\n\r\n{quoted}")


def _mark_answered(call: Call, original: Item, kind: str) -> None:
    """Remember on the original what was done with it: PidTagLastVerbExecuted and the icon."""
    verb = {"ReplyToItem": 102, "ReplyAllToItem": 103, "ForwardItem": 104}[kind]
    original.props[properties.LAST_VERB] = ("Integer", verb)
    original.props[0x1082] = ("SystemTime", call.world.time())
    original.props[properties.ICON] = ("Integer", 262 if verb == 104 else 261)
    call.user.touch(original, was_read=original.read, read_only=False)


# -- sending what is there already


def send_item(call: Call, request: Element) -> Element:
    """SendItem: the draft leaves its folder; a copy goes to Sent Items if wanted (OXWSCORE R1648, R1649)."""
    answer = Answer("SendItem")
    keep_copy = is_true(request.get("SaveItemToFolder"))
    saved = request.find(m("SavedItemFolderId"))
    for node in children(request.find(m("ItemIds"))):
        try:
            if saved is not None and not keep_copy:
                raise ItemError("ErrorInvalidSendItemSaveSettings")
            target = None if saved is None else target_folder(call, saved, "ErrorSavedItemFolderNotFound", need=Right.CREATE)
            item = item_of(call, node, need=Right.EDIT)
            check_change_key(node, item)
            send_existing(call, item, target, keep_copy=keep_copy)
            answer.success()
        except ItemError as error:
            answer.error(error)
    return answer.element


def check_change_key(node: Element, item: Item) -> None:
    """A write that must know the current revision: ErrorChangeKeyRequired, ErrorInvalidChangeKey or ErrorStaleObject."""
    given = node.get("ChangeKey")
    if not given:
        raise ItemError("ErrorChangeKeyRequiredForWriteOperations")
    if parse_change_key(given) != item.change:
        raise ItemError("ErrorStaleObject")


def send_existing(call: Call, item: Item, target: Folder | None, *, keep_copy: bool) -> Item | None:
    """Send an item of a folder; it moves to `target` (Sent Items if None), or is gone if no copy is wanted."""
    if elements.kind_of(item.item_class) != "Message" or item.item_class.startswith("REPORT."):
        raise ItemError("ErrorInvalidItemForOperationSendItem", "The item is not of a kind that can be sent.")
    submission = transport.prepare(call.user, item)
    transport.send(call.user, submission)
    if not keep_copy:
        call.user.remove(item)
        return None
    was_read = item.read
    item.read, item.draft, item.received = True, False, call.world.time()
    call.user.touch(item, was_read=was_read, read_only=False)
    return call.user.move(item, target or call.user.folder("sentitems"))
