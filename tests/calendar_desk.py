"""Plays the engine for the calendar's codec: one calendar of the sandbox, written to and read from with what the codec says.

Every request and every answer goes through the published schemas where EWS_SCHEMA_DIR names them (`sandbox_calls`).
"""

from __future__ import annotations

import base64
from xml.sax.saxutils import escape

from lxml import etree

from ews_bridge.exchange import asking
from ews_bridge.exchange import eventitem
from ews_bridge.exchange import soap
from ews_bridge.exchange import zones
from ews_bridge.exchange.event import Events
from ews_bridge.exchange.eventpeople import Owner
from ews_bridge.exchange.form import Attachment
from ews_bridge.exchange.form import Changes
from ews_bridge.exchange.form import Snapshot

from .sandbox_calls import Client
from .sandbox_calls import item_ids
from .sandbox_calls import new_client

HOME = zones.Zone("W. Europe Standard Time", "Europe/Berlin")
ALICE = "alice@example.test"
T = f"{{{soap.TYPES}}}"
M = f"{{{soap.MESSAGES}}}"


class Desk:
    """A calendar on the server, and the codec of its owner."""

    def __init__(self, client: Client | None = None, owner: str = ALICE, home: zones.Zone = HOME) -> None:
        self.client = client or new_client()
        self.form = Events(home, Owner((owner,)))

    def put(self, data: bytes) -> str:
        """The id of the item that a file makes."""
        name, changes = self.form.creation(data)
        content = f"<m:Items><t:{name}>{changes.xml}</t:{name}></m:Items>"
        ident = item_ids(self.client.ok("CreateItem", content, SendMeetingInvitations="SendToNone"))[0]
        self._follow(ident, changes)
        return ident

    def snapshot(self, ident: str) -> Snapshot:
        element = self._get(asking.item_id(ident))
        companions = self.form.companions(element)
        parts = tuple(self._get(asking.item_id(one)) for one in companions.occurrences)
        files = [*companions.attachments, *(i for part in parts for i in self.form.companions(part, element).attachments)]
        return Snapshot(element, parts, {one: self._content(one) for one in files})

    def file(self, ident: str) -> bytes:
        """The item as the file that it is rendered to."""
        return self.form.render(self.snapshot(ident))

    def edit(self, ident: str, data: bytes) -> Changes:
        """Bring the item to what a file says."""
        changes = self.form.changes(self.snapshot(ident), data)
        if changes.xml:
            self.update(asking.item_id(ident), changes.xml)
        self._follow(ident, changes)
        return changes

    def meaning(self, data: bytes) -> str:
        return self.form.read(data).meaning

    def update(self, target: str, updates: str) -> None:
        inner = f"<m:ItemChanges><t:ItemChange>{target}<t:Updates>{updates}</t:Updates></t:ItemChange></m:ItemChanges>"
        self.client.ok(
            "UpdateItem", inner, ConflictResolution="AlwaysOverwrite", SendMeetingInvitationsOrCancellations="SendToNone"
        )

    def _follow(self, ident: str, changes: Changes) -> None:
        """What comes after the item itself."""
        for one in changes.occurrences:
            nth = f'<t:OccurrenceItemId RecurringMasterId="{ident}" InstanceIndex="{one.index}"/>'
            target = asking.item_id(one.id) if one.id else nth
            if one.updates:
                self.update(target, one.updates)
            else:
                inner = f"<m:ItemIds>{target}</m:ItemIds>"
                self.client.ok("DeleteItem", inner, DeleteType="HardDelete", SendMeetingCancellations="SendToNone")
        for file in changes.attach:
            self.attach(ident, file)
        for gone in changes.detach + changes.cleared:
            self.client.ok("DeleteAttachment", f'<m:AttachmentIds><t:AttachmentId Id="{gone}"/></m:AttachmentIds>')

    def occurrence(self, ident: str, index: int) -> str:
        """The id of an occurrence of a series."""
        found = self._get(f'<t:OccurrenceItemId RecurringMasterId="{ident}" InstanceIndex="{index}"/>')
        return soap.attribute(found, "ItemId", "Id")

    def names(self, ident: str) -> list[str]:
        """Of the files that are attached to an item."""
        return [file.name for _, file in eventitem.attached(self._get(asking.item_id(ident)), {})]

    def attach(self, ident: str, file: Attachment) -> None:
        kind = f"<t:ContentType>{escape(file.content_type)}</t:ContentType>" if file.content_type else ""
        inner = f"<t:Name>{escape(file.name)}</t:Name>{kind}<t:Content>{base64.b64encode(file.data).decode()}</t:Content>"
        self.client.ok(
            "CreateAttachment",
            f'<m:ParentItemId Id="{ident}"/><m:Attachments><t:FileAttachment>{inner}</t:FileAttachment></m:Attachments>',
        )

    def _get(self, target: str) -> etree._Element:
        shape = (
            "<m:ItemShape><t:BaseShape>IdOnly</t:BaseShape>"
            f"<t:AdditionalProperties>{self.form.fields()}</t:AdditionalProperties></m:ItemShape>"
        )
        answer = self.client.ok("GetItem", f"{shape}<m:ItemIds>{target}</m:ItemIds>")
        return answer.find(f".//{M}Items")[0]  # type: ignore[index]

    def _content(self, ident: str) -> bytes:
        answer = self.client.ok("GetAttachment", f'<m:AttachmentIds><t:AttachmentId Id="{ident}"/></m:AttachmentIds>')
        return base64.b64decode(answer.findtext(f".//{T}Content") or "")


def event(*lines: str, uid: str = "meeting-1@example.org") -> bytes:
    """A file with one event."""
    return calendar("BEGIN:VEVENT", f"UID:{uid}", *lines, "END:VEVENT")


def calendar(*lines: str) -> bytes:
    return "\r\n".join(("BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//test//EN", *lines, "END:VCALENDAR", "")).encode()
