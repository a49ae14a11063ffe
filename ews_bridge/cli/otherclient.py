"""The mailbox's owner, and a correspondent, at some other mail program: what the demo lets change on the server.

Plain EWS by hand, so that what the demo shows does not rest on the code that it shows. Each function is one request,
and raises AssertionError when the server does not say that it was done.
"""

from __future__ import annotations

import base64
import urllib.request
from dataclasses import dataclass
from xml.etree import ElementTree
from xml.sax.saxutils import escape
from xml.sax.saxutils import quoteattr

_TYPES = "http://schemas.microsoft.com/exchange/services/2006/types"
_MESSAGES = "http://schemas.microsoft.com/exchange/services/2006/messages"
_NAMES = {"t": _TYPES, "m": _MESSAGES}


@dataclass(frozen=True)
class Owner:
    """Someone who is signed in (Basic) at the server at `url`."""

    url: str
    address: str
    password: str


def folders(owner: Owner) -> dict[str, tuple[str, int]]:
    """Display name → (folder id, number of messages) of all mail folders."""
    reply = _call(
        owner,
        '<m:FindFolder Traversal="Deep"><m:FolderShape><t:BaseShape>Default</t:BaseShape><t:AdditionalProperties>'
        '<t:FieldURI FieldURI="folder:FolderClass"/></t:AdditionalProperties></m:FolderShape>'
        '<m:ParentFolderIds><t:DistinguishedFolderId Id="msgfolderroot"/></m:ParentFolderIds></m:FindFolder>',
    )
    found = {}
    for folder in reply.iterfind(".//t:Folder", _NAMES):
        if (folder.findtext("t:FolderClass", "IPF.Note", _NAMES)).startswith("IPF.Note"):
            folder_id, count = folder.find("t:FolderId", _NAMES), folder.findtext("t:TotalCount", "", _NAMES)
            assert folder_id is not None
            found[folder.findtext("t:DisplayName", "", _NAMES)] = (folder_id.attrib["Id"], int(count))
    return found


def send(sender: Owner, to: str, subject: str, text: str) -> None:
    """Send a message; the server delivers it to its own users at once."""
    mime = f"From: {sender.address}\r\nTo: {to}\r\nSubject: {subject}\r\nMessage-ID: <demo@example.test>\r\n\r\n{text}\r\n"
    content = base64.b64encode(mime.encode()).decode()
    message = f"<t:Message><t:MimeContent>{content}</t:MimeContent></t:Message>"
    _call(sender, f'<m:CreateItem MessageDisposition="SendOnly"><m:Items>{message}</m:Items></m:CreateItem>')


def find(owner: Owner, folder_id: str, subject: str) -> tuple[str, str]:
    """Id and change key of the one message in the folder with this subject."""
    reply = _call(
        owner,
        '<m:FindItem Traversal="Shallow"><m:ItemShape><t:BaseShape>IdOnly</t:BaseShape></m:ItemShape>'
        '<m:Restriction><t:IsEqualTo><t:FieldURI FieldURI="item:Subject"/><t:FieldURIOrConstant>'
        f"<t:Constant Value={quoteattr(subject)}/></t:FieldURIOrConstant></t:IsEqualTo></m:Restriction>"
        f"<m:ParentFolderIds><t:FolderId Id={quoteattr(folder_id)}/></m:ParentFolderIds></m:FindItem>",
    )
    (found,) = reply.iterfind(".//t:ItemId", _NAMES)
    return found.attrib["Id"], found.attrib["ChangeKey"]


def messages(owner: Owner, folder_id: str) -> dict[str, tuple[bool, bool]]:
    """Subject → (read, flagged) of the messages in the folder."""
    reply = _call(
        owner,
        '<m:FindItem Traversal="Shallow"><m:ItemShape><t:BaseShape>IdOnly</t:BaseShape><t:AdditionalProperties>'
        '<t:FieldURI FieldURI="item:Subject"/><t:FieldURI FieldURI="message:IsRead"/>'
        '<t:ExtendedFieldURI PropertyTag="0x1090" PropertyType="Integer"/></t:AdditionalProperties></m:ItemShape>'
        f"<m:ParentFolderIds><t:FolderId Id={quoteattr(folder_id)}/></m:ParentFolderIds></m:FindItem>",
    )
    found = {}
    for item in reply.iterfind(".//t:Items/*", _NAMES):
        read, flag = item.findtext("t:IsRead", "", _NAMES), item.findtext("t:ExtendedProperty/t:Value", "", _NAMES)
        found[item.findtext("t:Subject", "", _NAMES)] = (read == "true", flag == "2")
    return found


def titles(owner: Owner, name: str) -> dict[str, tuple[str, str]]:
    """Subject → id and change key of what is in one of the folders that every mailbox has ("calendar", "contacts", "tasks")."""
    reply = _call(
        owner,
        '<m:FindItem Traversal="Shallow"><m:ItemShape><t:BaseShape>IdOnly</t:BaseShape><t:AdditionalProperties>'
        '<t:FieldURI FieldURI="item:Subject"/></t:AdditionalProperties></m:ItemShape>'
        f"<m:ParentFolderIds><t:DistinguishedFolderId Id={quoteattr(name)}/></m:ParentFolderIds></m:FindItem>",
    )
    found = {}
    for item in reply.iterfind(".//t:Items/*", _NAMES):
        ident = item.find("t:ItemId", _NAMES)
        assert ident is not None
        found[item.findtext("t:Subject", "", _NAMES)] = (ident.attrib["Id"], ident.attrib["ChangeKey"])
    return found


def retitle_task(owner: Owner, item: tuple[str, str], subject: str) -> None:
    """Give a task another subject."""
    field = f'<t:FieldURI FieldURI="item:Subject"/><t:Task><t:Subject>{escape(subject)}</t:Subject></t:Task>'
    change = f"<t:ItemChange>{_item(item)}<t:Updates><t:SetItemField>{field}</t:SetItemField></t:Updates></t:ItemChange>"
    _call(
        owner,
        '<m:UpdateItem ConflictResolution="NeverOverwrite" MessageDisposition="SaveOnly">'
        f"<m:ItemChanges>{change}</m:ItemChanges></m:UpdateItem>",
    )


def move(owner: Owner, item: tuple[str, str], folder_id: str) -> None:
    """File a message."""
    target = f"<m:ToFolderId><t:FolderId Id={quoteattr(folder_id)}/></m:ToFolderId>"
    _call(owner, f"<m:MoveItem>{target}<m:ItemIds>{_item(item)}</m:ItemIds></m:MoveItem>")


def delete(owner: Owner, item: tuple[str, str]) -> None:
    """Delete a message for good."""
    _call(owner, f'<m:DeleteItem DeleteType="HardDelete"><m:ItemIds>{_item(item)}</m:ItemIds></m:DeleteItem>')


def _item(item: tuple[str, str]) -> str:
    return f"<t:ItemId Id={quoteattr(item[0])} ChangeKey={quoteattr(item[1])}/>"


def _call(owner: Owner, operation: str) -> ElementTree.Element:
    """Carry one request out and return its reply; every response in it must say Success."""
    envelope = (
        f'<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" xmlns:t="{_TYPES}" xmlns:m="{_MESSAGES}">'
        f'<s:Header><t:RequestServerVersion Version="Exchange2013_SP1"/></s:Header>'
        f"<s:Body>{operation}</s:Body></s:Envelope>"
    )
    login = base64.b64encode(f"{owner.address}:{owner.password}".encode()).decode()
    headers = {"Content-Type": "text/xml; charset=utf-8", "Authorization": f"Basic {login}"}
    request = urllib.request.Request(owner.url, envelope.encode(), headers)
    without_proxy = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with without_proxy.open(request, timeout=30) as answer:
        reply = ElementTree.fromstring(answer.read())
    classes = [each.attrib["ResponseClass"] for each in reply.iter() if "ResponseClass" in each.attrib]
    assert classes and set(classes) == {"Success"}, ElementTree.tostring(reply, encoding="unicode")
    return reply
