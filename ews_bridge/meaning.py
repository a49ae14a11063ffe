"""Whether two renderings of a message say the same. Exchange takes a message apart and renders it anew: bytes do not tell.

What is compared is all that a writer can change: who, what about, in reply to what, the wishes that go with it, the decoded texts
and attachments. Whatever cannot be understood is not the same: the cost of that is a conflict that is none, which loses nothing.
"""

from __future__ import annotations

import email
from collections.abc import Iterator
from email.message import Message
from email.utils import getaddresses

from ews_bridge.headers import clean
from ews_bridge.headers import decoded
from ews_bridge.headers import message_id

_PEOPLE = ("From", "Sender", "To", "Cc", "Bcc", "Reply-To", "Disposition-Notification-To", "Return-Receipt-To")
_WORDS = ("Subject", "Importance", "Sensitivity", "In-Reply-To", "References")


def same_message(one: bytes, other: bytes) -> bool:
    """Of two messages with any line ends. Never raises for what is wrong with them."""
    if one == other:
        return True
    first, second = (email.message_from_bytes(each.replace(b"\r\n", b"\n")) for each in (one, other))
    if not first.keys() or first.defects or second.defects:
        return False
    try:
        return _head(first) == _head(second) and list(_parts(first)) == list(_parts(second))
    except (LookupError, ValueError):  # an unknown character set, or text that is not in the one that is named
        return False


def _head(message: Message) -> list[object]:
    people: list[object] = [sorted(_addresses(message, name)) for name in _PEOPLE]
    words: list[object] = [clean(decoded(str(message.get(name, "")).replace("\n", "")), 10_000) for name in _WORDS]
    return [message_id(str(message.get("Message-ID", ""))), *people, *words]


def _addresses(message: Message, name: str) -> Iterator[str]:
    """Without names, which a server takes from its directory."""
    for _, address in getaddresses([str(value) for value in message.get_all(name, [])]):
        yield address.casefold()


def _parts(message: Message) -> Iterator[tuple[str, str, bytes]]:
    """(type, file name, content) of what is no container."""
    for part in message.walk():
        if part.is_multipart():
            continue
        content = part.get_payload(decode=True)
        if not isinstance(content, bytes):
            raise ValueError("a part without content")
        kind = part.get_content_type()
        if part.get_content_maintype() == "text":
            text = content.decode(part.get_content_charset("us-ascii"))
            content = "\n".join(line.rstrip() for line in text.splitlines()).rstrip().encode()
        yield kind, clean(decoded(part.get_filename("")), 1000), content
