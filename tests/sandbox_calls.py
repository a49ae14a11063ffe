"""Calls the sandbox's operations without a server; with EWS_SCHEMA_DIR every request and answer is validated."""

from __future__ import annotations

import base64
import datetime as dt
import functools
import os
from pathlib import Path

from lxml import etree

from ews_bridge.sandbox.markup import M
from ews_bridge.sandbox.markup import T
from ews_bridge.sandbox.markup import m
from ews_bridge.sandbox.markup import t
from ews_bridge.sandbox.operations import OPERATIONS
from ews_bridge.sandbox.operations import Call
from ews_bridge.sandbox.store import Folder
from ews_bridge.sandbox.store import Item
from ews_bridge.sandbox.world import Mailbox
from ews_bridge.sandbox.world import Mode
from ews_bridge.sandbox.world import World

SCHEMA_DIR = os.environ.get("EWS_SCHEMA_DIR")
# The schemas describe this answer without ResponseMessages; servers send it with, and clients look for them there.
# Of availability the published set has nothing.
EXEMPT = (m("GetUserConfigurationResponse"), m("GetUserAvailabilityRequest"), m("GetUserAvailabilityResponse"))
MESSAGE = (
    b"From: Carol <carol@example.org>\r\nTo: Alice <alice@example.test>\r\nSubject: Lunch\r\n"
    b"Date: Mon, 1 Jan 2024 10:00:00 +0100\r\nMessage-ID: <lunch@example.org>\r\n\r\nAt noon?\r\n"
)
PID = '<t:ExtendedFieldURI PropertyTag="{}" PropertyType="{}"/>'


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = dt.datetime(2026, 11, 24, 12, 0, tzinfo=dt.UTC)

    def __call__(self) -> dt.datetime:
        return self.now

    def tick(self, seconds: int = 60) -> None:
        self.now += dt.timedelta(seconds=seconds)


@functools.cache
def schema() -> etree.XMLSchema | None:
    return etree.XMLSchema(etree.parse(Path(SCHEMA_DIR) / "messages.xsd")) if SCHEMA_DIR else None


def check(element: etree._Element) -> None:
    """Validate against the published schemas, if there are any."""
    rules = schema()
    if rules is None or element.tag in EXEMPT:
        return
    # Through the text, for that is what a client gets.
    text = etree.tostring(element)
    if not rules.validate(etree.fromstring(text, etree.XMLParser(huge_tree=True))):
        raise AssertionError(f"{rules.error_log}\n{text.decode()[:3000]}")


class Client:
    """One user of a world."""

    def __init__(self, mailbox: Mailbox) -> None:
        self.mailbox = mailbox
        self.world = mailbox.world

    def call(self, operation: str, inner: str, **attributes: str) -> etree._Element:
        """Run an operation; returns the whole response element."""
        given = "".join(f' {name}="{value}"' for name, value in attributes.items())
        request = etree.fromstring(f'<m:{operation} xmlns:m="{M}" xmlns:t="{T}"{given}>{inner}</m:{operation}>')
        check(request)
        response = OPERATIONS[operation](Call(self.world, self.mailbox), request)
        check(response)
        return response

    def ok(self, operation: str, inner: str, **attributes: str) -> etree._Element:
        """Run an operation that must succeed throughout."""
        response = self.call(operation, inner, **attributes)
        assert set(codes(response)) == {"NoError"}, etree.tostring(response).decode()[:2000]
        return response

    def id(self, distinguished: str) -> str:
        return f'<t:DistinguishedFolderId Id="{distinguished}"/>'

    def get(self, item_id: str, extra: str = "", base: str = "IdOnly", shape: str = "") -> etree._Element:
        """The item's element."""
        response = self.ok("GetItem", self.get_request(item_id, extra, base, shape))
        found = response.find(f".//{m('Items')}")
        assert found is not None
        return found[0]

    def get_request(self, item_id: str, extra: str = "", base: str = "IdOnly", shape: str = "") -> str:
        added = f"<t:AdditionalProperties>{extra}</t:AdditionalProperties>" if extra else ""
        return (
            f"<m:ItemShape><t:BaseShape>{base}</t:BaseShape>{shape}{added}</m:ItemShape>"
            f'<m:ItemIds><t:ItemId Id="{item_id}"/></m:ItemIds>'
        )

    def mime(self, item_id: str) -> bytes:
        element = self.get(item_id, shape="<t:IncludeMimeContent>true</t:IncludeMimeContent>")
        return base64.b64decode(element.findtext(t("MimeContent")) or "")

    def create(self, inner: str, folder: str | None = None, disposition: str = "SaveOnly") -> etree._Element:
        saved = f"<m:SavedItemFolderId>{self.id(folder)}</m:SavedItemFolderId>" if folder else ""
        return self.call("CreateItem", f"{saved}<m:Items>{inner}</m:Items>", MessageDisposition=disposition)

    def upload(self, mime: bytes, folder: str = "inbox", extra: str = "") -> str:
        """Create a message from MIME; returns its id."""
        content = f"<t:MimeContent>{base64.b64encode(mime).decode()}</t:MimeContent>"
        response = self.create(f"<t:Message>{content}{extra}</t:Message>", folder)
        assert codes(response) == ["NoError"], etree.tostring(response).decode()
        return item_ids(response)[0]

    def update(
        self, item_id: str, change: str, resolution: str = "AlwaysOverwrite", key: str = "", **more: str
    ) -> etree._Element:
        change_key = f' ChangeKey="{key}"' if key else ""
        inner = (
            f'<m:ItemChanges><t:ItemChange><t:ItemId Id="{item_id}"{change_key}/><t:Updates>{change}</t:Updates>'
            "</t:ItemChange></m:ItemChanges>"
        )
        more.setdefault("MessageDisposition", "SaveOnly")
        return self.call("UpdateItem", inner, ConflictResolution=resolution, **more)

    def mark_read(self, item_id: str, read: bool = True, **more: str) -> None:
        value = "true" if read else "false"
        response = self.update(item_id, set_field("message:IsRead", f"<t:IsRead>{value}</t:IsRead>"), **more)
        assert codes(response) == ["NoError"]

    def sync(
        self, state: str = "", folder: str = "inbox", most: int = 512, extra: str = "", ignore: str = "", shape: str = ""
    ) -> Sync:
        given = f"<m:SyncState>{state}</m:SyncState>" if state else ""
        added = f"<t:AdditionalProperties>{extra}</t:AdditionalProperties>" if extra else ""
        ignored = f"<m:Ignore>{ignore}</m:Ignore>" if ignore else ""
        response = self.call(
            "SyncFolderItems",
            f"<m:ItemShape><t:BaseShape>IdOnly</t:BaseShape>{shape}{added}</m:ItemShape>"
            f"<m:SyncFolderId>{self.id(folder)}</m:SyncFolderId>{given}{ignored}"
            f"<m:MaxChangesReturned>{most}</m:MaxChangesReturned>",
        )
        return Sync(response)

    def find(self, inner: str = "", folder: str = "inbox", extra: str = "", after: str = "") -> etree._Element:
        """FindItem; returns its RootFolder."""
        added = f"<t:AdditionalProperties>{extra}</t:AdditionalProperties>" if extra else ""
        response = self.ok(
            "FindItem",
            f"<m:ItemShape><t:BaseShape>IdOnly</t:BaseShape>{added}</m:ItemShape>{inner}"
            f"<m:ParentFolderIds>{self.id(folder)}</m:ParentFolderIds>{after}",
            Traversal="Shallow",
        )
        root = response.find(f".//{m('RootFolder')}")
        assert root is not None
        return root

    def folder_value(self, distinguished: str, tag: str, kind: str) -> str | None:
        """An extended property of a folder."""
        response = self.ok(
            "GetFolder",
            "<m:FolderShape><t:BaseShape>IdOnly</t:BaseShape><t:AdditionalProperties>"
            f"{PID.format(tag, kind)}</t:AdditionalProperties></m:FolderShape>"
            f"<m:FolderIds>{self.id(distinguished)}</m:FolderIds>",
        )
        return response.findtext(f".//{t('Value')}")


class Sync:
    """An answer of SyncFolderItems or SyncFolderHierarchy."""

    def __init__(self, response: etree._Element) -> None:
        self.code = codes(response)[0]
        self.state = response.findtext(f".//{m('SyncState')}") or ""
        last = response.findtext(f".//{m('IncludesLastItemInRange')}")
        self.last = (last or response.findtext(f".//{m('IncludesLastFolderInRange')}")) == "true"
        changes = response.find(f".//{m('Changes')}")
        self.elements = [] if changes is None else list(changes)
        self.changes = [(str(one.tag).rpartition("}")[2], _id_in(one)) for one in self.elements]


def _id_in(element: etree._Element) -> str:
    found = element.find(f".//{t('ItemId')}")
    if found is None:
        found = element.find(f".//{t('FolderId')}")
    assert found is not None
    return found.get("Id") or ""


def new_client(mime: Mode = "regenerate", language: str = "en", clock: Clock | None = None) -> Client:
    world = World(mime=mime, language=language, clock=clock or Clock())
    mailbox = world.add_user("alice@example.test", "secret", "Alice Adams")
    world.add_user("bob@example.test", "secret", "Bob Brown")
    return Client(mailbox)


def codes(response: etree._Element) -> list[str]:
    return [element.text or "" for element in response.iter(m("ResponseCode"))]


def item_ids(response: etree._Element) -> list[str]:
    return [element.get("Id") or "" for element in response.iter(t("ItemId"))]


def change_key(element: etree._Element) -> str:
    found = next(element.iter(t("ItemId")))
    return found.get("ChangeKey") or ""


def set_field(uri: str, value: str, kind: str = "Message") -> str:
    return f'<t:SetItemField><t:FieldURI FieldURI="{uri}"/><t:{kind}>{value}</t:{kind}></t:SetItemField>'


def extended(tag: str, kind: str, value: str) -> str:
    return f"<t:ExtendedProperty>{PID.format(tag, kind)}<t:Value>{value}</t:Value></t:ExtendedProperty>"


def set_extended(tag: str, kind: str, value: str) -> str:
    uri = PID.format(tag, kind)
    return f"<t:SetItemField>{uri}<t:Message>{extended(tag, kind, value)}</t:Message></t:SetItemField>"


def only(folder: Folder) -> Item:
    """The one item of a folder."""
    (item,) = folder.items.values()
    return item
