"""One look at all folders of a mailbox: which changed, how much they hold, and what may not be done there.

It is the request that a sync of a quiet mailbox needs anyway: rights are asked for with it, so that they are those of now, and
cost nothing more.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from dataclasses import field
from enum import StrEnum

from lxml import etree

from ews_bridge.errors import AuthError
from ews_bridge.exchange import asking
from ews_bridge.exchange import bulk
from ews_bridge.exchange import faults
from ews_bridge.exchange import mail
from ews_bridge.exchange import soap
from ews_bridge.exchange.session import Connection

#: Seconds in which a folder may change again without a new PidTagLocalCommitTimeMax. A time from the far future tells of a clock
#: that went wrong once, and is as good as any.
FRESH = 2.0
FUTURE = 60.0

#: What a server says of a mailbox that is not there for this user; some say only that they do not find its root.
_NO_ACCESS = frozenset(
    {
        "ErrorAccessDenied",
        "ErrorFolderNotFound",
        "ErrorItemNotFound",
        "ErrorNonExistentMailbox",
        "ErrorObjectNotFound",
        "ErrorSyncFolderNotFound",
    }
)


class Refusal(StrEnum):
    """What the server will not let this user do with a folder. `CHANGE`: anything at all to what is in it."""

    CHANGE = "change"
    ADD = "add"
    FOLDERS = "folders"
    RENAME = "rename"


@dataclass(frozen=True, slots=True)
class Survey:
    """How all folders stand, by FolderId.

    `stamps` change whenever anything in the folder does; "" where the server tells none. `counts` are (items, unread), as the
    server counts: PidTagContentCount 0x3602, PidTagContentUnreadCount 0x3603; `empty`: of which the server says that it counted
    none. `refused` names only folders in which something is.
    """

    stamps: dict[str, str] = field(default_factory=dict)
    counts: dict[str, tuple[int, int]] = field(default_factory=dict)
    empty: set[str] = field(default_factory=set)
    refused: dict[str, frozenset[Refusal]] = field(default_factory=dict)

    def refuses(self, ident: str, what: Refusal) -> bool:
        """Whether the server would refuse this; a folder that is not known is one where nothing is known to be refused."""
        return what in self.refused.get(ident, frozenset())


def refuse_access(connection: Connection, code: str, why: str) -> None:
    """Raise AuthError where what the server says is that the whole of somebody else's mailbox may not be seen."""
    mailbox = connection.settings.mailbox
    if mailbox and code in _NO_ACCESS:
        hint = f"its owner or an administrator must give {connection.settings.email} access; or is `mailbox` misspelt?"
        raise AuthError(f"there is no access to the mailbox {mailbox}: {why}", hint=hint)


def survey(connection: Connection) -> Survey:
    """One request for each 1,000 folders. Raises AuthError where the mailbox may not be seen.

    A stamp is PidTagLocalCommitTimeMax, the counts, and PidTagDeletedCountTotal. The time has whole
    seconds: a change that follows within the same second does not move it. So one that is still fresh by the server's own
    clock is given as a stamp that will never come again.
    """
    found = Survey()
    for element in _folders(connection):
        ident, properties = soap.attribute(element, "FolderId", "Id"), mail.extended(element)
        values = [mail.first(properties, tag) for tag in (0x670A, 0x3602, 0x3603, 0x670B)]
        found.counts[ident] = (mail.number(values[1]), mail.number(values[2]))
        if values[1] == "0":
            found.empty.add(ident)
        age = connection.server_time - mail.seconds(values[0])
        if -FUTURE < age < FRESH:
            values.append(str(time.monotonic_ns()))
        found.stamps[ident] = "|".join(values) if values[0] else ""
        if refused := _refused(element):
            found.refused[ident] = refused
    if not connection.settings.mailbox and all(found.refuses(ident, Refusal.CHANGE) for ident in found.stamps):
        found.refused.clear()  # a mailbox of one's own in which one may change nothing: this server does not know rights
    return found


def _folders(connection: Connection) -> Iterator[etree._Element]:
    try:
        yield from bulk.find_folders(connection, asking.SURVEY_FIELDS)
    except faults.Fault as error:
        refuse_access(connection, error.code, str(error))
        raise


def _refused(element: etree._Element) -> frozenset[Refusal]:
    """From folder:EffectiveRights, PidTagAccess 0x0FF4, which speaks of the folder itself (MS-OXCFOLD 2.2.2.2).

    It does not say what may be done to the items. But who can neither put anything there nor owns the folder has been given no
    more than reading, in each of the permission levels that there are (MS-OXCPERM 2.2.7).
    """
    rights = element.find(f"{{{soap.TYPES}}}EffectiveRights")
    if rights is None:
        return frozenset()
    create, below, delete, modify = (
        soap.text(rights, name) != "false" for name in ("CreateContents", "CreateHierarchy", "Delete", "Modify")
    )
    meant = {
        Refusal.CHANGE: not (create or delete or modify),
        Refusal.ADD: not create,
        Refusal.FOLDERS: not below,
        Refusal.RENAME: not (delete and modify),
    }
    return frozenset(refusal for refusal, holds in meant.items() if holds)
