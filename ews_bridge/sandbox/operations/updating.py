"""UpdateItem, MarkAllItemsAsRead: changes to items that stay where they are."""

from __future__ import annotations

from .. import attendees
from .. import content
from .. import elements
from .. import fields
from .. import kinds
from .. import lists
from .. import occurrences
from .. import parts
from .. import properties
from .. import task_series
from .. import transport
from ..dictionaries import entry_of
from ..errors import ItemError
from ..fields import Field
from ..ids import parse_change_key
from ..mapi import HEADERS_SET
from ..mapi import PropertyName
from ..mapi import path_of
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
from ..shapes import EXTENDED_URI
from ..shapes import INDEXED_URI
from ..shapes import put_item_id
from ..store import Item
from . import inviting
from . import scheduling
from .call import Call
from .creating import send_existing
from .replies import Answer
from .targets import folder_of
from .targets import item_of
from .targets import target_folder

# Changes to these show in the MIME, so a world that keeps MIME as it came has to render the item from then on.
NOT_AFTER_SENDING = ("ToRecipients", "CcRecipients", "BccRecipients", "From", "Sender", "ReplyTo")
IN_MIME = (
    *NOT_AFTER_SENDING,
    *("Subject", "Body", "Importance", "Sensitivity", "InReplyTo", "References", "InternetMessageId"),
)


def update_item(call: Call, request: Element) -> Element:
    answer = Answer("UpdateItem", "Items")
    for change in children(request.find(m("ItemChanges"))):
        try:
            item = _update(call, request, change)
        except ItemError as error:
            answer.error(error)
            continue
        into = answer.success()
        if item is not None:
            kind = elements.kind_of(item.item_class)
            put_item_id(put(into, t(item.kind or kind)), t("ItemId"), item)
        message = into.getparent()
        if message is not None:
            put(put(message, m("ConflictResults")), t("Count"), "0")
    return answer.element


def _update(call: Call, request: Element, change: Element) -> Item | None:
    node, updates = children(change)[:2]
    item = item_of(call, node, need=Right.EDIT)
    _check_conflict(request.get("ConflictResolution"), node, item)
    disposition = request.get("MessageDisposition")
    if disposition is None and elements.kind_of(item.item_class) == "Message":
        raise ItemError("ErrorMessageDispositionRequired")
    calendar = item.kind == "CalendarItem"
    told = scheduling.told(request, "SendMeetingInvitationsOrCancellations") if calendar else ""
    kept = item.twin()
    was_read = item.read
    only_read = True
    try:
        if calendar:
            scheduling.prepare_update(call, item, updates)
        for update in children(updates):
            only_read &= _apply(item, update)
        if calendar:
            scheduling.revise(kept, item, updates)
        if not only_read:
            kinds.settle(item)
        letters = inviting.for_change(kept, item, told)
    except ItemError:
        _restore(item, kept)
        raise
    if item.read and not was_read and not is_true(request.get("SuppressReadReceipts")):
        transport.answer_receipt(item, read=True)
    single = task_series.split(item, kept) if item.kind == "Task" else None
    # Marking read what is read changes nothing, not even the change key.
    if not only_read or was_read != item.read:
        occurrences.save(item, was_read=was_read, read_only=only_read)
    inviting.send(item, letters)
    if single is not None and item.folder is not None:
        call.user.place(single, item.folder)
        return single
    if disposition in ("SendOnly", "SendAndSaveCopy") and not calendar:
        saved = request.find(m("SavedItemFolderId"))
        target = None if saved is None else target_folder(call, saved, "ErrorSavedItemFolderNotFound", need=Right.CREATE)
        send_existing(call, item, target, keep_copy=disposition == "SendAndSaveCopy")
        return None
    return item


def _check_conflict(resolution: str | None, node: Element, item: Item) -> None:
    """AlwaysOverwrite asks for nothing; the others for a change key, and NeverOverwrite for the current one."""
    given = node.get("ChangeKey")
    known = parse_change_key(given) if given else None
    if resolution == "AlwaysOverwrite":
        return
    if known is None:
        raise ItemError("ErrorChangeKeyRequired")
    if resolution == "NeverOverwrite" and known != item.change:
        raise ItemError("ErrorIrresolvableConflict")


def _restore(item: Item, kept: Item) -> None:
    """Undo a half-done update: an item is updated completely or not at all."""
    for name in ("mime", "item_class", "read", "draft", "received", "created", "edited", "mime_broken"):
        setattr(item, name, getattr(kept, name))
    item.props, item.declared = kept.props, kept.declared
    item.attachment_numbers, item.next_attachment = kept.attachment_numbers, kept.next_attachment
    item.exceptions, item.deleted = kept.exceptions, kept.deleted
    item.mailbox.world.forget(item)


def _apply(item: Item, update: Element) -> bool:
    """Make one change; returns whether it concerned nothing but the read flag."""
    parts = children(update)
    path = parts[0]
    action = local(update)
    values = children(parts[1]) if len(parts) > 1 else []
    if action != "DeleteItemField" and len(values) != 1:
        raise ItemError("ErrorIncorrectUpdatePropertyCount")
    if path.tag == EXTENDED_URI:
        return _apply_extended(item, action, path, values)
    if path.tag == INDEXED_URI:
        _apply_entry(item, action, path, values)
        return False
    uri = path.get("FieldURI") or ""
    kind = item.kind or elements.kind_of(item.item_class)
    field = kinds.BY_URI.get(uri)
    if field is not None and field.uri not in fields.BY_URI and kinds.fields_of(kind).get(field.name) is not field:
        raise ItemError("ErrorInvalidPropertyRequest")
    own = None if field is None else kinds.fields_of(kind).get(field.name)
    field = own if own is not None and own.uri == uri else field
    if field is None or field.at_creation:
        raise ItemError("ErrorInvalidPropertySet" if action != "DeleteItemField" else "ErrorInvalidPropertyDelete")
    if values and local(values[0]) != field.name:
        raise ItemError("ErrorUpdatePropertyMismatch")
    if field.name in NOT_AFTER_SENDING and not item.draft:
        raise ItemError("ErrorInvalidPropertyUpdateSentMessage")
    _apply_field(item, action, field, values)
    if field.name in IN_MIME:
        item.edited = True
    if field.name == "MimeContent":
        item.edited = False
    return field.name == "IsRead"


def _apply_field(item: Item, action: str, field: Field, values: list[Element]) -> None:
    if action == "DeleteItemField":
        if field.remove is None:
            raise ItemError("ErrorInvalidPropertyDelete")
        field.remove(item)
    elif action == "AppendToItemField":
        if field.name == "Body":
            content.append_body(item, values[0].get("BodyType") or "Text", text_of(values[0]))
        elif field.name in ("ToRecipients", "CcRecipients", "BccRecipients", "ReplyTo"):
            header = {"ToRecipients": "To", "CcRecipients": "Cc", "BccRecipients": "Bcc", "ReplyTo": "Reply-To"}[field.name]
            envelope = properties.envelope(item)
            old = {"To": envelope.to, "Cc": envelope.cc, "Bcc": envelope.bcc, "Reply-To": envelope.reply_to}[header]
            content.set_addresses(item, header, [*old, *parts.mailboxes(values[0])])
        elif field.name in attendees.LISTS:
            attendees.invite(item, field.name, [*attendees.read(item, field.name), *attendees.parse(values[0])])
        elif field.append is None:
            raise ItemError("ErrorInvalidPropertyAppend")
        else:
            field.append(item, values[0])
    elif field.assign is None:
        raise ItemError("ErrorInvalidPropertySet")
    else:
        field.assign(item, values[0])


def _apply_extended(item: Item, action: str, path: Element, values: list[Element]) -> bool:
    wanted = path_of(path)
    if action == "DeleteItemField":
        properties.erase(item, wanted.name)
    elif action == "AppendToItemField":
        raise ItemError("ErrorInvalidPropertyAppend")
    else:
        if local(values[0]) != "ExtendedProperty":
            raise ItemError("ErrorUpdatePropertyMismatch")
        given, value = read_property(values[0])
        if given.name != wanted.name or given.type != wanted.type:
            raise ItemError("ErrorUpdatePropertyMismatch")
        properties.write(item, given.name, given.type, value)
    if wanted.name in properties.HEADER_OF or _is_header(wanted.name):
        item.edited = True
    return wanted.name in (properties.READ, properties.MESSAGE_FLAGS)


def _is_header(name: PropertyName) -> bool:
    return isinstance(name, tuple) and name[0] == HEADERS_SET


def _apply_entry(item: Item, action: str, path: Element, values: list[Element]) -> None:
    """Change one entry of a contact's addresses or numbers, or one part of a postal address; or take out one member of a list."""
    if path.get("FieldURI") == lists.MEMBER and action == "DeleteItemField":
        lists.remove_member(item, path.get("FieldIndex") or "")
        return
    entry = entry_of(path)
    if action == "DeleteItemField":
        entry.remove(item)
        return
    given = children(values[0])
    if action == "AppendToItemField":
        raise ItemError("ErrorInvalidPropertyAppend")
    if local(values[0]) != entry.dictionary or len(given) != 1 or given[0].get("Key") != path.get("FieldIndex"):
        raise ItemError("ErrorUpdatePropertyMismatch")
    entry.assign(item, given[0])


def mark_all_items_as_read(call: Call, request: Element) -> Element:
    answer = Answer("MarkAllItemsAsRead")
    read = is_true(request.findtext(m("ReadFlag")))
    quiet = is_true(request.findtext(m("SuppressReadReceipts")))
    for node in children(request.find(m("FolderIds"))):
        try:
            folder = folder_of(call, node, need=Right.EDIT)
            for item in [one for one in folder.items.values() if one.read != read]:
                if read and not quiet:
                    transport.answer_receipt(item, read=True)
                item.read = read
                call.user.touch(item, was_read=not read, read_only=True)
            answer.success()
        except ItemError as error:
            answer.error(error)
    return answer.element
