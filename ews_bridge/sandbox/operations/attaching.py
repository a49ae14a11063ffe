"""CreateAttachment, GetAttachment and DeleteAttachment."""

from __future__ import annotations

import base64

from .. import content
from .. import ids
from .. import kinds
from .. import occurrences
from .. import parts
from .. import properties
from ..classify import classify
from ..document import Attachment
from ..errors import ItemError
from ..markup import Element
from ..markup import children
from ..markup import is_true
from ..markup import local
from ..markup import m
from ..markup import put
from ..markup import t
from ..rights import Right
from ..shapes import ItemShape
from ..shapes import item_shape
from ..store import Item
from .call import Call
from .replies import Answer
from .targets import find_item


def read_attachment(call: Call, element: Element) -> Attachment:
    """An attachment from its element in a request; messages only as item attachments."""
    name = element.findtext(t("Name")) or ""
    content_id = element.findtext(t("ContentId")) or ""
    location = element.findtext(t("ContentLocation")) or ""
    inline = is_true(element.findtext(t("IsInline")))
    if local(element) == "FileAttachment":
        try:
            data = base64.b64decode("".join((element.findtext(t("Content")) or "").split()), validate=True)
        except ValueError as failure:
            raise ItemError("ErrorInvalidValueForProperty") from failure
        kind = element.findtext(t("ContentType")) or "application/octet-stream"
        photo = is_true(element.findtext(t("IsContactPhoto")))
        return Attachment(name, kind, data, content_id, location, inline, photo=photo)
    message = element.find(t("Message"))
    if message is None:
        raise ItemError("ErrorInvalidItemForOperationCreateItemAttachment")
    from .creating import assemble

    inner = assemble(call, message)
    return Attachment(name, "message/rfc822", content.transport_mime(inner), content_id, location, inline, message=True)


def create_attachment(call: Call, request: Element) -> Element:
    answer = Answer("CreateAttachment", "Attachments")
    parent = request.find(m("ParentItemId"))
    for node in children(request.find(m("Attachments"))):
        try:
            item = find_item(call, ids.parse_ews_id((parent.get("Id") if parent is not None else "") or ""), need=Right.EDIT)
            number = content.add_attachment(item, read_attachment(call, node))
            _touch(call, item)
            into = put(answer.success(), t(local(node)))
            identifier = put(into, t("AttachmentId"))
            identifier.set("Id", parts.attachment_id(item, number))
            identifier.set("RootItemId", item.mailbox.item_id(item))
            identifier.set("RootItemChangeKey", item.mailbox.item_change_key(item))
            put(into, t("Name"), node.findtext(t("Name")) or "")
        except ItemError as error:
            answer.error(error)
    return answer.element


def get_attachment(call: Call, request: Element) -> Element:
    answer = Answer("GetAttachment", "Attachments")
    for node in children(request.find(m("AttachmentIds"))):
        try:
            shape = item_shape(request.find(m("AttachmentShape")), brief=False)
            shape.base = "AllProperties"
            item, number = _attached(call, node)
            _show(answer.success(), item, number, shape)
        except ItemError as error:
            answer.error(error)
    return answer.element


def _show(parent: Element, item: Item, number: int, shape: ItemShape) -> None:
    found = content.attachment(item, number)
    element = parts.show_attachment(parent, item, number, full=True)
    if found.message:
        inner = item.mailbox.new_item(found.content, classify(found.content)[0])
        inner.read = True
        inner.created = inner.modified = item.modified
        date = properties.envelope(inner).date
        inner.received = date if date is not None else item.received
        shape.paint(element, inner)
    else:
        put(element, t("IsContactPhoto"), "true" if found.photo else "false")
        put(element, t("Content"), base64.b64encode(found.content).decode("ascii"))


def delete_attachment(call: Call, request: Element) -> Element:
    answer = Answer("DeleteAttachment")
    for node in children(request.find(m("AttachmentIds"))):
        try:
            item, number = _attached(call, node, need=Right.EDIT)
            content.remove_attachment(item, number)
            _touch(call, item)
            root = put(answer.success(), m("RootItemId"))
            root.set("RootItemId", item.mailbox.item_id(item))
            root.set("RootItemChangeKey", item.mailbox.item_change_key(item))
        except ItemError as error:
            answer.error(error)
    return answer.element


def _attached(call: Call, node: Element, *, need: Right = Right.READ) -> tuple[Item, int]:
    reference = ids.parse_ews_id(node.get("Id") or "")
    if reference.attachment is None:
        raise ItemError("ErrorInvalidAttachmentId")
    item = find_item(call, reference, need=need)
    content.attachment(item, reference.attachment)
    return item, reference.attachment


def _touch(call: Call, item: Item) -> None:
    item.edited = True
    kinds.settle(item)
    occurrences.save(item, was_read=item.read, read_only=False)
