"""Contacts on the sandbox, without a network: what a codec writes goes there, and what it renders comes from there."""

from __future__ import annotations

import base64

from lxml import etree

from ews_bridge.exchange import form
from ews_bridge.exchange.cards import Cards
from ews_bridge.sandbox.markup import t
from tests.sandbox_calls import codes
from tests.sandbox_calls import item_ids
from tests.sandbox_calls import new_client

FORM = Cards()
TEXT = "<t:BodyType>Text</t:BodyType>"


class Contacts:
    """The contacts folder of one mailbox."""

    def __init__(self) -> None:
        self.client = new_client()

    def add(self, data: bytes) -> str:
        """A file as a new item; returns its id."""
        kind, new = FORM.creation(data, self.others(FORM.read(data).members))
        return self.make(f"<t:{kind}>{new.xml}</t:{kind}>", new)

    def make(self, xml: str, new: form.Changes | None = None) -> str:
        """An item from its XML; returns its id."""
        response = self.client.create(xml, "contacts")
        assert codes(response) == ["NoError"], etree.tostring(response).decode()
        ident = item_ids(response)[0]
        self._attach(ident, new or form.Changes())
        return ident

    def change(self, ident: str, data: bytes) -> form.Changes:
        """Take the item to what the file says; returns what was written."""
        made = FORM.changes(self.snapshot(ident), data, self.others(FORM.read(data).members))
        self.write(ident, made)
        return made

    def write(self, ident: str, made: form.Changes) -> None:
        if made.xml:
            response = self.client.update(ident, made.xml)
            assert codes(response) == ["NoError"], made.xml + etree.tostring(response).decode()
        for attachment in made.detach:
            ids = f'<m:AttachmentIds><t:AttachmentId Id="{attachment}"/></m:AttachmentIds>'
            self.client.ok("DeleteAttachment", ids)
        self._attach(ident, made)

    def render(self, ident: str) -> bytes:
        return FORM.render(self.snapshot(ident))

    def snapshot(self, ident: str) -> form.Snapshot:
        element = self.client.get(ident, FORM.fields(), shape=TEXT)
        wanted = FORM.companions(element)
        parts = tuple(part for each in wanted.members if (part := self._part(each)) is not None)
        return form.Snapshot(element, parts, {each: self._content(each) for each in wanted.attachments})

    def _part(self, ident: str) -> etree._Element | None:
        response = self.client.call("GetItem", self.client.get_request(ident, FORM.fields(), "IdOnly", TEXT))
        return next(response.iter(t("Contact"), t("DistributionList")), None)

    def others(self, uids: tuple[str, ...]) -> dict[str, etree._Element]:
        """The items with these UIDs, as the engine would find them."""
        found = {}
        if uids:
            for _, ident in self.client.sync(folder="contacts").changes:
                element = self.client.get(ident, FORM.fields(), shape=TEXT)
                if form.uid(element) in uids:
                    found[form.uid(element)] = element
        return found

    def _attach(self, ident: str, made: form.Changes) -> None:
        for one in made.attach:
            content = base64.b64encode(one.data).decode()
            inner = (
                f'<m:ParentItemId Id="{ident}"/><m:Attachments><t:FileAttachment><t:Name>{one.name}</t:Name>'
                f"<t:ContentType>{one.content_type}</t:ContentType><t:IsContactPhoto>{str(one.photo).lower()}</t:IsContactPhoto>"
                f"<t:Content>{content}</t:Content></t:FileAttachment></m:Attachments>"
            )
            self.client.ok("CreateAttachment", inner)

    def _content(self, attachment: str) -> bytes:
        inner = f'<m:AttachmentShape/><m:AttachmentIds><t:AttachmentId Id="{attachment}"/></m:AttachmentIds>'
        response = self.client.ok("GetAttachment", inner)
        return base64.b64decode(next(response.iter(t("Content"))).text or "")
