"""What a user may do in somebody else's mailbox: rights granted as an administrator or the owner grants them.

Folder permissions are the roles of MS-OXCPERM 2.2.7 as Outlook names them. Who has full access to a mailbox may do everything
in it but send in its name: that is a right of its own, as on Exchange. Everybody has all rights in the own mailbox.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import dataclass
from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .store import Folder
    from .world import Mailbox
    from .world import World


class Right(enum.Flag):
    """What may be done with a folder and the items in it. The bits of PidTagMemberRights that differ here."""

    VISIBLE = enum.auto()
    READ = enum.auto()
    CREATE = enum.auto()
    EDIT = enum.auto()
    DELETE = enum.auto()
    SUBFOLDERS = enum.auto()
    OWNER = enum.auto()


NOTHING = Right(0)
EVERYTHING = ~NOTHING
_REVIEWER = Right.VISIBLE | Right.READ
#: Permission levels of folders, and full access to a mailbox.
ROLES = {
    "reviewer": _REVIEWER,
    "contributor": Right.VISIBLE | Right.CREATE,
    "author": _REVIEWER | Right.CREATE,
    "editor": _REVIEWER | Right.CREATE | Right.EDIT | Right.DELETE,
    "publishing-editor": _REVIEWER | Right.CREATE | Right.EDIT | Right.DELETE | Right.SUBFOLDERS,
    "full": EVERYTHING,
}
#: Rights to send in the name of a mailbox: as if it sent itself, or told as "USER on behalf of OWNER".
SENDING = ("send-as", "send-on-behalf")
#: To be a delegate of the owner, to get copies of his messages of meetings, and to see what is private (delegates.py).
DELEGATE, COPIES, PRIVATE = "delegate", "meeting-copies", "private-items"
#: What a role says of the items in a folder.
EVERY_ITEM = Right.READ | Right.CREATE | Right.EDIT | Right.DELETE | Right.VISIBLE


#: What can only be granted for all of a mailbox.
_WHOLE = (*SENDING, DELEGATE)


@dataclass(frozen=True, slots=True)
class Grant:
    """`user` has the right called `name` in `owner`'s mailbox: in the folder at `path` and those below it, "" for all of it.

    Addresses in lower case; a path is made of display names, joined by "/".
    """

    user: str
    owner: str
    path: str
    name: str


def parse(text: str) -> tuple[Grant, ...]:
    """`USER:OWNER[/FOLDER]:RIGHT[,RIGHT…]`, as on the command line. Raises ValueError."""
    parts = text.split(":")
    if len(parts) != 3 or "@" not in parts[0] or "@" not in parts[1]:
        raise ValueError(f"--grant: USER:OWNER[/FOLDER]:RIGHT[,RIGHT] is wanted, not {text!r}")
    user, place, names = parts
    owner, _, path = place.partition("/")
    for name in names.split(","):
        if name not in (*ROLES, *_WHOLE) or (path and name in _WHOLE):
            raise ValueError(f"--grant: {name!r} is no right here (known: {', '.join((*ROLES, *_WHOLE))})")
    return tuple(Grant(user.lower(), owner.lower(), path, name) for name in names.split(","))


def give(world: World, grants: Iterable[Grant]) -> None:
    """Grant. Raises ValueError when a user or a folder is not there."""
    for one in grants:
        for address in (one.user, one.owner):
            if address not in world.users:
                raise ValueError(f"--grant: there is no mailbox of {address}")
        paths = {path_of(folder).casefold() for folder in world.users[one.owner].folders.values()}
        if one.path.casefold() not in paths:
            raise ValueError(f"--grant: there is no folder {one.path!r} in the mailbox of {one.owner}")
        world.grants |= {one, *(_of_delegate(one, world.users[one.owner]) if one.name == DELEGATE else ())}


def _of_delegate(grant: Grant, owner: Mailbox) -> tuple[Grant, ...]:
    """What who is named a delegate on the command line has: all that is needed to answer the owner's meetings."""
    calendar = path_of(owner.folder("calendar"))
    whole = (replace(grant, name=name) for name in (COPIES, "send-on-behalf"))
    return (*whole, replace(grant, name="editor", path=calendar))


def on(actor: Mailbox, folder: Folder) -> Right:
    """What `actor` may do with a folder. The nearest folder above for which anything was granted decides."""
    owner = folder.mailbox
    if owner is actor:
        return EVERYTHING
    granted = [one for one in _granted(actor, owner) if one.name in ROLES]
    if any(one.name == "full" and not one.path for one in granted):
        return EVERYTHING
    if _outside(folder):
        return Right.VISIBLE if folder.parent is None and granted else NOTHING
    here: Folder | None = folder
    while here is not None:
        path = path_of(here).casefold()
        found = [ROLES[one.name] for one in granted if one.path.casefold() == path]
        if found:
            return _all(found)
        here = here.parent
    # What is on the way to a folder that may be seen is visible, too, or nobody would find it.
    above = path_of(folder).casefold() + "/" if path_of(folder) else ""
    return Right.VISIBLE if any(one.path.casefold().startswith(above) for one in granted) else NOTHING


def sends_for(actor: Mailbox, owner: Mailbox) -> str:
    """How `actor` may send in the name of `owner`: "send-as", "send-on-behalf", or "" for not at all."""
    if owner is actor:
        return "send-as"
    names = {one.name for one in _granted(actor, owner)}
    return next((name for name in SENDING if name in names), "")


def _granted(actor: Mailbox, owner: Mailbox) -> list[Grant]:
    user, of = actor.address.lower(), owner.address.lower()
    return [one for one in actor.world.grants if one.user == user and one.owner == of]


def _all(found: list[Right]) -> Right:
    rights = NOTHING
    for one in found:
        rights |= one
    return rights


def _outside(folder: Folder) -> bool:
    """Whether it is none of those that people see: roles are given for the tree below the message root."""
    top = folder.mailbox.distinguished["msgfolderroot"]
    return folder is not top and not folder.under(top)


def path_of(folder: Folder) -> str:
    """Display names from below the message root; "" for that root itself, and for all that is not below it."""
    names: list[str] = []
    here: Folder | None = folder
    while here is not None and here.distinguished != "msgfolderroot":
        names.append(here.name)
        here = here.parent
    return "/".join(reversed(names)) if here is not None else ""
