"""AddDelegate, GetDelegate, UpdateDelegate and RemoveDelegate: who acts for the owner of a mailbox (MS-OXWSDLGM)."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterable

from lxml import etree

from .. import delegates
from .. import rights
from ..errors import ItemError
from ..markup import NSMAP
from ..markup import Element
from ..markup import is_true
from ..markup import m
from ..markup import put
from ..markup import t
from ..rights import Right
from ..world import Mailbox
from .call import Call
from .replies import fill

#: The folders that have a level, in the order of the schema.
FOLDERS = {name: name.lower() for name in ("Calendar", "Tasks", "Inbox", "Contacts", "Notes", "Journal")}
LEVELS = {"Editor": "editor", "Author": "author", "Reviewer": "reviewer"}
Change = Callable[[Mailbox, Mailbox, Element], None]


def add_delegate(call: Call, request: Element) -> Element:
    """Add delegates: from then on each may send on behalf of the owner (and has no other rights than are given)."""

    def add(owner: Mailbox, delegate: Mailbox, user: Element) -> None:
        if delegate is owner:
            raise ItemError("ErrorDelegateCannotAddOwner")
        if delegates.has(owner, delegate, rights.DELEGATE):
            raise ItemError("ErrorDelegateAlreadyExists")
        _set(owner, delegate, user)
        delegates.grant(owner, delegate, rights.DELEGATE, "send-on-behalf")

    return _change(call, request, "AddDelegate", request.iterfind(f"{m('DelegateUsers')}/{t('DelegateUser')}"), add)


def update_delegate(call: Call, request: Element) -> Element:
    def update(owner: Mailbox, delegate: Mailbox, user: Element) -> None:
        _check_delegate(owner, delegate)
        _set(owner, delegate, user)

    return _change(call, request, "UpdateDelegate", request.iterfind(f"{m('DelegateUsers')}/{t('DelegateUser')}"), update)


def remove_delegate(call: Call, request: Element) -> Element:
    def remove(owner: Mailbox, delegate: Mailbox, user: Element) -> None:
        _check_delegate(owner, delegate)
        delegates.revoke(owner, delegate, rights.DELEGATE, rights.COPIES, rights.PRIVATE, "send-on-behalf")
        for name in FOLDERS.values():
            _set_level(owner, delegate, name, None)

    return _change(call, request, "RemoveDelegate", request.iterfind(f"{m('UserIds')}/{t('UserId')}"), remove)


def get_delegate(call: Call, request: Element) -> Element:
    """All delegates, or those named; with their rights if asked for."""
    element, owner = _begin(call, request, "GetDelegate")
    if owner is None:
        return element
    named = [*request.iterfind(f"{m('UserIds')}/{t('UserId')}")]
    wanted = named or delegates.of(owner)
    answers = put(element, m("ResponseMessages")) if wanted else element
    for one in wanted:
        message = put(answers, m("DelegateUserResponseMessageType"))
        try:
            delegate = one if isinstance(one, Mailbox) else _user(call, one)
            _check_delegate(owner, delegate)
        except ItemError as error:
            fill(message, error)
            continue
        fill(message, None)
        _show(message, owner, delegate, levels=is_true(request.get("IncludePermissions")))
    put(element, m("DeliverMeetingRequests"), delegates.scope(owner))
    return element


def _change(call: Call, request: Element, operation: str, users: Iterable[Element], change: Change) -> Element:
    element, owner = _begin(call, request, operation)
    if owner is None:
        return element
    answers = etree.Element(m("ResponseMessages"))
    for user in users:
        message = put(answers, m("DelegateUserResponseMessageType"))
        try:
            delegate = _user(call, user)
            change(owner, delegate, user)
        except ItemError as error:
            fill(message, error)
            continue
        fill(message, None)
        if operation != "RemoveDelegate":
            _show(message, owner, delegate, levels=True)
    scope = request.findtext(m("DeliverMeetingRequests"))
    if scope is not None:
        delegates.set_scope(owner, scope)
    if len(answers):
        element.append(answers)
    return element


def _begin(call: Call, request: Element, operation: str) -> tuple[Element, Mailbox | None]:
    """The answer as it begins, and whose delegates it is about; None: it says why not."""
    element = etree.Element(m(f"{operation}Response"), nsmap=NSMAP)
    try:
        owner = _owner(call, request)
    except ItemError as error:
        fill(element, error)
        return element, None
    fill(element, None)
    return element, owner


def _owner(call: Call, request: Element) -> Mailbox:
    address = (request.findtext(f"{m('Mailbox')}/{t('EmailAddress')}") or "").strip().lower()
    owner = call.world.users.get(address)
    if owner is None:
        raise ItemError("ErrorNonExistentMailbox")
    if Right.OWNER not in rights.on(call.user, owner.folder("msgfolderroot")):
        raise ItemError("ErrorAccessDenied")
    return owner


def _user(call: Call, given: Element) -> Mailbox:
    """The user of a UserId, or of the element that has one."""
    ident = given.find(t("UserId"))
    address = (given if ident is None else ident).findtext(t("PrimarySmtpAddress")) or ""
    found = call.world.users.get(address.strip().lower())
    if found is None:
        raise ItemError("ErrorDelegateNoUser")
    return found


def _check_delegate(owner: Mailbox, delegate: Mailbox) -> None:
    if not delegates.has(owner, delegate, rights.DELEGATE):
        raise ItemError("ErrorNotDelegate")


def _set(owner: Mailbox, delegate: Mailbox, user: Element) -> None:
    """Give what a DelegateUser says; what it does not speak of stays."""
    levels = {
        folder: user.findtext(f"{t('DelegatePermissions')}/{t(name + 'FolderPermissionLevel')}")
        for name, folder in FOLDERS.items()
    }
    if "Custom" in levels.values():
        raise ItemError("ErrorInvalidDelegatePermission")
    for folder, level in levels.items():
        if level is not None:
            _set_level(owner, delegate, folder, LEVELS.get(level))
    for name, right in (("ReceiveCopiesOfMeetingMessages", rights.COPIES), ("ViewPrivateItems", rights.PRIVATE)):
        told = user.findtext(t(name))
        if told is not None:
            (delegates.grant if is_true(told) else delegates.revoke)(owner, delegate, right)


def _set_level(owner: Mailbox, delegate: Mailbox, folder: str, role: str | None) -> None:
    path = rights.path_of(owner.folder(folder))
    delegates.revoke(owner, delegate, *rights.ROLES, path=path)
    if role is not None:
        delegates.grant(owner, delegate, role, path=path)


def _show(message: Element, owner: Mailbox, delegate: Mailbox, *, levels: bool) -> None:
    user = put(message, m("DelegateUser"))
    ident = put(user, t("UserId"))
    put(ident, t("PrimarySmtpAddress"), delegate.address)
    put(ident, t("DisplayName"), delegate.display_name)
    if levels:
        shown = put(user, t("DelegatePermissions"))
        for name, folder in FOLDERS.items():
            put(shown, t(f"{name}FolderPermissionLevel"), _level(owner, delegate, folder))
    for name, right in (("ReceiveCopiesOfMeetingMessages", rights.COPIES), ("ViewPrivateItems", rights.PRIVATE)):
        put(user, t(name), "true" if delegates.has(owner, delegate, right) else "false")


def _level(owner: Mailbox, delegate: Mailbox, folder: str) -> str:
    has = rights.on(delegate, owner.folder(folder)) & rights.EVERY_ITEM
    known = {rights.ROLES[role]: level for level, role in LEVELS.items()}
    return known.get(has, "Custom" if has & Right.READ or has & Right.CREATE else "None")
