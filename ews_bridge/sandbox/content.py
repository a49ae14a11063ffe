"""An item's MIME, bodies, recipients and attachments: read from its bytes, and written back into them."""

from __future__ import annotations

from . import headers as hdr
from . import properties
from .document import Attachment
from .document import Document
from .document import attachment_of
from .document import html_from_plain
from .document import plain_from_html
from .document import read_document
from .document import with_header
from .document import write_document
from .errors import ItemError
from .headers import Address
from .mapi import Value
from .rendering import render
from .store import Item


def mime_of(item: Item) -> bytes:
    """The item as MIME: rendered anew, or in a world that keeps MIME the very bytes that came, unless edited since."""
    if item.mime_broken:
        raise ItemError("ErrorMimeContentConversionFailed")
    world = item.mailbox.world
    if world.mime == "keep":
        if not item.edited:
            return item.mime
        return world.rendered(item, lambda: render(item.mime, properties.header_changes(item), regenerate=False))
    return world.rendered(item, lambda: render(item.mime, properties.header_changes(item), regenerate=True))


def transport_mime(item: Item) -> bytes:
    """The item as it would be sent: its bytes, with the properties that override header fields put in."""
    changes = properties.header_changes(item)
    return render(item.mime, changes, regenerate=False) if changes else item.mime


def plain_text(item: Item) -> str:
    """The text of the body, made from the HTML if there is no other."""
    found = item.mailbox.world.outline(item)
    if found.text is not None:
        return found.text.text()
    return plain_from_html(found.html.text()) if found.html is not None else ""


def body(item: Item, wanted: str) -> tuple[str, str]:
    """(type, text) of the body: `wanted` is Text, HTML or Best; HTML is made from the text if there is none."""
    found = item.mailbox.world.outline(item)
    if wanted == "Text":
        return "Text", plain_text(item)
    if found.html is not None:
        return "HTML", found.html.text()
    if wanted == "Best":
        return "Text", plain_text(item)
    return "HTML", html_from_plain(plain_text(item))


def preview(item: Item) -> str:
    """The first 256 characters of the text, white space folded."""
    return " ".join(plain_text(item)[:2000].split())[:255]


def set_body(item: Item, kind: str, text: str) -> None:
    document = read_document(item.mime)
    labels = _labels(item, document)
    document.text, document.html = (None, text) if kind == "HTML" else (text, None)
    _reorder(item, document, labels)


def _set_plain_body(item: Item, value: Value) -> None:
    set_body(item, "Text", str(value))


# PidTagBody: the body is content, so the property is another way to it.
properties.COMPUTED[properties.BODY] = properties.Computed("String", plain_text, _set_plain_body)


def append_body(item: Item, kind: str, text: str) -> None:
    document = read_document(item.mime)
    if document.html is not None and "</body>" in document.html.lower():
        at = document.html.lower().rindex("</body>")
        addition = text if kind == "HTML" else html_from_plain(text)
        document.html = document.html[:at] + addition + document.html[at:]
    elif document.html is not None:
        document.html += text if kind == "HTML" else html_from_plain(text)
    if document.text is not None:
        document.text += plain_from_html(text) if kind == "HTML" else text
    _reorder(item, document, _labels(item, document))


def set_addresses(item: Item, header: str, addresses: list[Address]) -> None:
    """Set an address header of the content; an empty list removes it."""
    value = hdr.encode_addresses(addresses) if addresses else None
    item.mime = with_header(item.mime, header, value)
    item.mailbox.world.forget(item)


def attachment_numbers(item: Item) -> list[int]:
    """The numbers of the attachments, in the order of the content; they stay when others come or go."""
    if item.attachment_numbers is None:
        count = len(item.mailbox.world.outline(item).attachments)
        item.attachment_numbers = list(range(1, count + 1))
        item.next_attachment = count + 1
    return item.attachment_numbers


def attachment(item: Item, number: int) -> Attachment:
    """One attachment; ErrorItemNotFound if there is none of that number."""
    numbers = attachment_numbers(item)
    parts = item.mailbox.world.outline(item).attachments
    if number not in numbers or numbers.index(number) >= len(parts):
        raise ItemError("ErrorItemNotFound")
    index = numbers.index(number)
    return attachment_of(parts[index], index)


def attachments(item: Item) -> list[Attachment]:
    """All attachments of an item."""
    return [attachment_of(part, index) for index, part in enumerate(item.mailbox.world.outline(item).attachments)]


def add_attachment(item: Item, attached: Attachment) -> int:
    """Add an attachment and give it its number."""
    document = read_document(item.mime)
    labels = _labels(item, document)
    document.attachments.append(attached)
    number = item.next_attachment
    item.next_attachment += 1
    labels[id(attached)] = number
    _reorder(item, document, labels)
    return number


def remove_attachment(item: Item, number: int) -> None:
    """Take an attachment out; ErrorItemNotFound if there is none of that number."""
    numbers = attachment_numbers(item)
    document = read_document(item.mime)
    if number not in numbers or numbers.index(number) >= len(document.attachments):
        raise ItemError("ErrorItemNotFound")
    labels = _labels(item, document)
    document.attachments.pop(numbers.index(number))
    _reorder(item, document, labels)


def _labels(item: Item, document: Document) -> dict[int, int]:
    """The number of each attachment object of a document just read from the item."""
    return dict(zip([id(one) for one in document.attachments], attachment_numbers(item), strict=False))


def _reorder(item: Item, document: Document, labels: dict[int, int]) -> None:
    # Writing puts inline attachments, which belong to the HTML, before the others: number them in that order.
    inline = [one for one in document.attachments if one.inline and one.content_id and document.html is not None]
    others = [one for one in document.attachments if one not in inline]
    document.attachments = [*inline, *others]
    item.attachment_numbers = [labels[id(one)] for one in document.attachments if id(one) in labels]
    item.mime = write_document(document)
    item.mailbox.world.forget(item)
