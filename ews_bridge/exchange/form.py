"""The contract of the codecs: what one kind of item (event, task, contact) is on the server, and as a file.

Pure: elements and bytes in, bytes and XML out; no connection, no clock, no paths. Who carries the requests out, and in which
order, is `items.py`. A codec never drops what it does not understand: what has no home on the server travels in a property of
ours (`LEFTOVER`) and stands in the file again when it comes back.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field
from types import MappingProxyType
from typing import Protocol

from lxml import etree

from ews_bridge.exchange import asking
from ews_bridge.exchange import mail
from ews_bridge.exchange import soap
from ews_bridge.model import Said as Said  # where the local side finds it, too

#: What a file says and Exchange has no field for: lines of the file, as they stood.
LEFTOVER = f'<t:ExtendedFieldURI PropertySetId="{asking.TOKEN_SET}" PropertyName="Leftover" PropertyType="String"/>'
#: The UID of the file, where the server has no place for it (contacts, tasks).
UID = f'<t:ExtendedFieldURI PropertySetId="{asking.TOKEN_SET}" PropertyName="Uid" PropertyType="String"/>'
#: No other items (see `Form.creation`).
NOTHING: Mapping[str, etree._Element] = MappingProxyType({})
#: What `uid` reads.
UID_FIELDS = UID + asking.SEARCH_KEY


def uid(element: etree._Element) -> str:
    """The UID of an item for which the server has none: that of the file it came from; else made of PidTagSearchKey 0x300B, which
    stays the same for as long as the item lives, wherever it is moved. To be asked for with `UID_FIELDS`.
    """
    properties = mail.extended(element)
    if given := mail.first(properties, (asking.TOKEN_SET, "Uid")):
        return given
    return base64.b64decode(mail.first(properties, 0x300B)).hex() or soap.attribute(element, "ItemId", "Id")


@dataclass(frozen=True, slots=True)
class Companions:
    """What else must be fetched before an item can be rendered: the ids of its changed occurrences and of its attachments.

    `members`: the ids of the contacts that a distribution list holds. Fetched like occurrences, into `parts`; one that is gone
    is left out, and the list is rendered without it.
    """

    occurrences: tuple[str, ...] = ()
    attachments: tuple[str, ...] = ()
    members: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All of the server's that one file is made of.

    `element` is the item (of a series: the recurring master; of single invitations to one series: the first of them), `parts`
    the changed occurrences, `files` the contents of attachments by their id. All as GetItem and GetAttachment answer them.
    """

    element: etree._Element
    parts: tuple[etree._Element, ...] = ()
    files: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file to be attached. `photo`: the picture of a contact (IsContactPhoto)."""

    name: str
    content_type: str
    data: bytes
    photo: bool = False


@dataclass(frozen=True, slots=True)
class Audience:
    """Who takes part in a meeting of the owner's and would want to know of a change: the addresses of `people`, whom the server
    can tell, and of those who `miss` it.

    `changed`: it is about nothing but who takes part, and these are the ones invited or no longer invited. `ends`: when the last
    of what the change is about is over, in seconds since the epoch; 0: never.
    """

    people: tuple[str, ...] = ()
    miss: tuple[str, ...] = ()
    changed: bool = False
    ends: int = 0


@dataclass(frozen=True, slots=True)
class Occurrence:
    """One occurrence of a series to change: its place in the series, from 1, and the field updates; "" deletes it.

    `id`: of what is an item of its own already (a changed occurrence, a single invitation to a series), its id; then the place
    may be unknown (0). Where the master's own update drops the changed occurrences (`Recurrence` is set), there is no id.
    """

    index: int
    updates: str
    id: str = ""
    audience: Audience = Audience()


@dataclass(frozen=True, slots=True)
class Changes:
    """What must be written. `xml`: of a new item the content of its element, in the order of the schema; of one that is there
    the field updates (SetItemField, DeleteItemField), of what differs only and "" when nothing does. `occurrences`,
    `attach` and `detach` (attachment ids) belong to it. `audience`: who would want to know of them, the occurrences apart;
    `closing`: field updates that tell them when all the rest is written without a word, "" where `xml` tells them.
    `answer`: what the file's owner now says to the invitation of somebody else ("AcceptItem", "TentativelyAcceptItem",
    "DeclineItem"), to be given on the item itself and without a mail. `cleared`: ids of attachments of changed occurrences, to be
    taken away after all that.
    """

    xml: str = ""
    occurrences: tuple[Occurrence, ...] = ()
    attach: tuple[Attachment, ...] = ()
    detach: tuple[str, ...] = ()
    closing: str = ""
    audience: Audience = Audience()
    answer: str = ""
    cleared: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.xml or self.occurrences or self.attach or self.detach or self.answer or self.cleared)


class Form(Protocol):
    """One kind of item. Raises `BadItem`, with what and why, for what cannot be converted; nothing else."""

    @property
    def folder_class(self) -> str:
        """The container class of its folders ("IPF.Task")."""

    @property
    def suffix(self) -> str:
        """The ending of its files (".ics")."""

    @property
    def of_meetings(self) -> bool:
        """Whether its items may be meetings, with people who want to know of changes."""

    def fields(self) -> str:
        """What GetItem is to be asked for, as AdditionalProperties."""

    def companions(self, element: etree._Element, series: etree._Element | None = None) -> Companions:
        """What else belongs to this item. `series`: of a changed occurrence, its recurring master."""

    def render(self, snapshot: Snapshot) -> bytes:
        """The file. The same item gives the same bytes."""

    def read(self, data: bytes) -> Said:
        """What a file says, wherever it comes from. `BadItem` when it is no such file."""

    def creation(self, data: bytes, others: Mapping[str, etree._Element] = NOTHING) -> tuple[str, Changes]:
        """The element's name ("Task") and its content; `BadItem` for what Exchange cannot hold, by name.

        `others`: the elements of `Said.members`, by their UIDs, as far as the server has them.
        """

    def changes(self, snapshot: Snapshot, data: bytes, others: Mapping[str, etree._Element] = NOTHING) -> Changes:
        """What takes the item to what the file says. Fields that the file says nothing new about are not touched."""

    def cancelled(self, snapshot: Snapshot) -> Audience:
        """Who would want to know when the item is deleted; for forms that are `of_meetings`."""
