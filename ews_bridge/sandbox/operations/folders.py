"""Operations on folders."""

from __future__ import annotations

from .. import elements
from .. import folder_properties
from .. import rights
from ..errors import ItemError
from ..mapi import PROPERTY
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
from ..query import FolderFilter
from ..query import Page
from ..rights import Right
from ..shapes import EXTENDED_URI
from ..shapes import folder_shape
from ..shapes import put_folder_id
from ..store import Folder
from .call import Call
from .replies import Answer
from .targets import folder_of
from .targets import target_folder

CLASS_OF_KIND = {
    "CalendarFolder": "IPF.Appointment",
    "ContactsFolder": "IPF.Contact",
    "TasksFolder": "IPF.Task",
    "Folder": "IPF.Note",
    "SearchFolder": "IPF.Note",
}


def get_folder(call: Call, request: Element) -> Element:
    answer = Answer("GetFolder", "Folders")
    for node in children(request.find(m("FolderIds"))):
        try:
            shape = folder_shape(request.find(m("FolderShape")), user=call.user)
            folder = folder_of(call, node)
            shape.paint(answer.success(), folder)
        except ItemError as error:
            answer.error(error)
    return answer.element


def find_folder(call: Call, request: Element) -> Element:
    """FindFolder; pages hold at most 1,000 folders (EWSFindCountLimit)."""
    answer = Answer("FindFolder")
    deep = request.get("Traversal") == "Deep"
    for node in children(request.find(m("ParentFolderIds"))):
        try:
            shape = folder_shape(request.find(m("FolderShape")), user=call.user)
            parent = folder_of(call, node, "ErrorFolderNotFound")
            wanted = FolderFilter(request.find(m("Restriction")))
            found = [one for one in (parent.descendants() if deep else parent.children) if wanted(one)]
            found = [one for one in found if rights.on(call.user, one) & Right.VISIBLE]
            page = Page.of_request(request, "Folder")
            chosen = page.cut(found)
            root = put(answer.success(), m("RootFolder"))
            page.describe(root)
            into = put(root, t("Folders"))
            for folder in chosen:
                shape.paint(into, folder)
        except ItemError as error:
            answer.error(error)
    return answer.element


def create_folder(call: Call, request: Element) -> Element:
    answer = Answer("CreateFolder", "Folders")
    for node in children(request.find(m("Folders"))):
        try:
            parent = target_folder(call, request.find(m("ParentFolderId")), "ErrorParentFolderNotFound", need=Right.SUBFOLDERS)
            folder = _create(call, parent, node)
            _show_id(answer.success(), folder)
        except ItemError as error:
            answer.error(error)
    return answer.element


def _create(call: Call, parent: Folder, node: Element) -> Folder:
    kind = local(node)
    folder_class = node.findtext(t("FolderClass")) or CLASS_OF_KIND.get(kind, "IPF.Note")
    values = [read_property(one) for one in node.findall(PROPERTY)]
    folder = call.user.create_folder(parent, node.findtext(t("DisplayName")) or "", folder_class)
    for path, value in values:
        folder_properties.write_folder(folder, path.name, path.type, value)
    folder.search = kind == "SearchFolder"
    return folder


def update_folder(call: Call, request: Element) -> Element:
    answer = Answer("UpdateFolder", "Folders")
    for change in children(request.find(m("FolderChanges"))):
        try:
            parts = children(change)
            folder = folder_of(call, parts[0], need=Right.OWNER)
            for update in children(parts[1]):
                _update(call, folder, update)
            call.user.touch_folder(folder)
            _show_id(answer.success(), folder)
        except ItemError as error:
            answer.error(error)
    return answer.element


def _update(call: Call, folder: Folder, update: Element) -> None:
    parts = children(update)
    path = parts[0]
    deleting = local(update) == "DeleteFolderField"
    values = children(parts[1]) if len(parts) > 1 else []
    if not deleting and len(values) != 1:
        raise ItemError("ErrorIncorrectUpdatePropertyCount")
    if path.tag == EXTENDED_URI:
        found = path_of(path)
        if deleting:
            folder.props.pop(found.name, None)
            return
        given, value = read_property(values[0])
        if given.name != found.name:
            raise ItemError("ErrorUpdatePropertyMismatch")
        folder_properties.write_folder(folder, found.name, found.type, value)
        return
    uri = path.get("FieldURI") or ""
    if uri == "folder:PermissionSet":
        # There are no permissions here; exchangelib "deletes" those it does not know with every save.
        return
    if deleting:
        raise ItemError("ErrorInvalidPropertyDelete")
    if uri == "folder:DisplayName":
        call.user.rename_folder(folder, text_of(values[0]))
    elif uri == "folder:FolderClass":
        folder.folder_class = text_of(values[0])
    else:
        raise ItemError("ErrorInvalidPropertySet")


def move_folder(call: Call, request: Element) -> Element:
    return _move_or_copy(call, request, "MoveFolder")


def copy_folder(call: Call, request: Element) -> Element:
    return _move_or_copy(call, request, "CopyFolder")


def _move_or_copy(call: Call, request: Element, operation: str) -> Element:
    answer = Answer(operation, "Folders")
    for node in children(request.find(m("FolderIds"))):
        try:
            target = target_folder(call, request.find(m("ToFolderId")), "ErrorToFolderNotFound", need=Right.SUBFOLDERS)
            folder = folder_of(call, node, need=Right.OWNER if operation == "MoveFolder" else Right.READ)
            if operation == "MoveFolder":
                call.user.move_folder(folder, target)
            else:
                folder = _copy(folder, target)
            _show_id(answer.success(), folder)
        except ItemError as error:
            answer.error(error)
    return answer.element


def _copy(folder: Folder, parent: Folder) -> Folder:
    """Copy a folder with all it holds."""
    if folder is parent or parent.under(folder):
        raise ItemError("ErrorMoveCopyFailed")
    mailbox = parent.mailbox
    copied = mailbox.create_folder(parent, folder.name, folder.folder_class)
    copied.props = dict(folder.props)
    for item in list(folder.items.values()):
        mailbox.copy(item, copied)
    for child in list(folder.children):
        _copy(child, copied)
    return copied


def delete_folder(call: Call, request: Element) -> Element:
    answer = Answer("DeleteFolder")
    how = request.get("DeleteType") or "HardDelete"
    for node in children(request.find(m("FolderIds"))):
        try:
            delete_one(call, folder_of(call, node, need=Right.OWNER), how)
            answer.success()
        except ItemError as error:
            answer.error(error)
    return answer.element


def delete_one(call: Call, folder: Folder, how: str) -> None:
    """Delete a folder: for good, or into Deleted Items, where it gets another name if its own is taken."""
    if folder.distinguished or folder.parent is None:
        raise ItemError("ErrorDeleteDistinguishedFolder")
    target = folder.mailbox.folder("deleteditems")
    if how != "MoveToDeletedItems" or folder.under(target):
        call.user.remove_folder(folder)
        return
    taken = {one.name.casefold() for one in target.children}
    name, number = folder.name, 1
    while name.casefold() in taken:
        name = f"{folder.name}{number}"
        number += 1
    folder.name = name
    call.user.move_folder(folder, target)


def empty_folder(call: Call, request: Element) -> Element:
    answer = Answer("EmptyFolder")
    how = request.get("DeleteType") or "HardDelete"
    for node in children(request.find(m("FolderIds"))):
        try:
            folder = folder_of(call, node, need=Right.DELETE)
            if elements.folder_kind(folder.folder_class, search=folder.search) in ("CalendarFolder", "SearchFolder"):
                raise ItemError("ErrorCannotEmptyFolder")
            for item in list(folder.items.values()):
                dispose(call, folder, item.key, how)
            if is_true(request.get("DeleteSubFolders")):
                for child in list(folder.children):
                    if not child.distinguished:
                        delete_one(call, child, how)
            answer.success()
        except ItemError as error:
            answer.error(error)
    return answer.element


def dispose(call: Call, folder: Folder, key: int, how: str) -> None:
    """Delete an item: into Purges or Deletions of the Recoverable Items, or into Deleted Items."""
    item = folder.items[key]
    user = folder.mailbox
    where = {"SoftDelete": "recoverableitemsdeletions", "MoveToDeletedItems": "deleteditems"}.get(how)
    target = user.folder(where or "recoverableitemspurges")
    if folder is target or folder.distinguished in ("recoverableitemspurges", "recoverableitemsdeletions"):
        user.remove(item)
    else:
        user.move(item, target)


def _show_id(parent: Element, folder: Folder) -> None:
    kind = elements.folder_kind(folder.folder_class, search=folder.search)
    put_folder_id(put(parent, t(kind)), "FolderId", folder)
