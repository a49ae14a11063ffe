"""The `Form` of a contacts folder, which holds both contacts and distribution lists: which of the two an item or a file is."""

from __future__ import annotations

from collections.abc import Mapping

from lxml import etree

from ews_bridge.errors import BadItem
from ews_bridge.exchange import contact
from ews_bridge.exchange import distlist
from ews_bridge.exchange import form
from ews_bridge.exchange import soap
from ews_bridge.exchange import vcard
from ews_bridge.exchange import vcardfile
from ews_bridge.exchange.vcard import Line

_LIST = "DistributionList"


class Cards:
    """Contacts and lists ⇄ vCards. See `form.Form`."""

    folder_class = "IPF.Contact"
    suffix = ".vcf"
    of_meetings = False

    def fields(self) -> str:
        return form.UID_FIELDS + contact.asked() + distlist.asked()

    def companions(self, element: etree._Element, series: etree._Element | None = None) -> form.Companions:
        if _kind(element) == _LIST:
            return form.Companions(members=distlist.contacts(element))
        return form.Companions(attachments=contact.photo_ids(element, contact.FETCH_LIMIT))

    def render(self, snapshot: form.Snapshot) -> bytes:
        return distlist.render(snapshot) if _kind(snapshot.element) == _LIST else contact.render(snapshot)

    def read(self, data: bytes) -> form.Said:
        lines = _lines(data)
        name = next(vcard.text(line.value) for line in lines if line.name == "FN")
        members = distlist.uids(lines) if distlist.is_group(lines) else ()
        meaning = vcard.digest(line for line in lines if line.name != "UID")
        return form.Said(contact.uid_of(lines), meaning, " ".join(name.split()), members=members)

    def creation(self, data: bytes, others: Mapping[str, etree._Element] = form.NOTHING) -> tuple[str, form.Changes]:
        lines = _lines(data)
        return (_LIST, distlist.creation(lines, others)) if distlist.is_group(lines) else ("Contact", contact.creation(lines))

    def changes(self, snapshot: form.Snapshot, data: bytes, others: Mapping[str, etree._Element] = form.NOTHING) -> form.Changes:
        lines = _lines(data)
        kind = _kind(snapshot.element)
        if distlist.is_group(lines) != (kind == _LIST):
            there, here = ("a distribution list", "a contact") if kind == _LIST else ("a contact", "a group")
            raise BadItem(f"it is {there} on the server and {here} in the file", hint="Make a new file for it.")
        return distlist.changes(snapshot, lines, others) if kind == _LIST else contact.changes(snapshot, lines)

    def cancelled(self, snapshot: form.Snapshot) -> form.Audience:
        return form.Audience()


def _kind(element: etree._Element) -> str:
    kind = soap.name(element)
    if kind not in ("Contact", _LIST):
        raise BadItem(f"it is no contact but a {kind} in a contacts folder")
    return kind


def _lines(data: bytes) -> list[Line]:
    lines = contact.named(vcardfile.read(data))
    return distlist.meant(lines) if distlist.is_group(lines) else lines
