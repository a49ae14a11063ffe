"""Whether the people of a meeting are told of what a sync does to it: `meeting_mail`, and the account of who was.

Nobody is mailed unless the settings say so, never about what is over, never by what the first sync of a calendar brings up (it is
no news to those who take part), and never about one of several items of one UID, which are copies of one meeting. Whatever goes
up, who is told of it, or would be, is noted for the report.

Where the user is to be asked and has not answered, the change waits: that somebody was not told could not be made up for later.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from collections.abc import Iterable
from dataclasses import dataclass
from dataclasses import replace
from typing import TYPE_CHECKING

from ews_bridge.errors import BadItem
from ews_bridge.exchange import asking
from ews_bridge.exchange import soap
from ews_bridge.model import Entry
from ews_bridge.model import Said
from ews_bridge.report import WAITS
from ews_bridge.report import Notice

if TYPE_CHECKING:  # a sync of mail alone loads no codecs
    from lxml import etree

    from ews_bridge.exchange.form import Audience

#: Values of the attributes that `asking.SILENT` is a value of, too (MS-OXWSMTGS).
ALL, CHANGED = "SendToAllAndSaveCopy", "SendToChangedAndSaveCopy"
FIRST = "the first sync of a calendar mails nobody"
_COPY = "its UID is that of another event on the server, too"
_MISS = "no request tells them"


@dataclass(frozen=True, slots=True)
class Telling:
    """What is decided about one change. `notices`: whom it concerns, and whether they are told; `key`: which change it is."""

    notices: tuple[Notice, ...] = ()
    key: str = ""
    concerned: frozenset[Audience] = frozenset()

    @property
    def told(self) -> bool | None:
        """Whether somebody is told; None: the user has to be asked."""
        return self.notices[0].told if self.notices else False

    def how(self, audience: Audience) -> str:
        """What a request that concerns these people says about mail."""
        if not self.told or audience not in self.concerned:
            return asking.SILENT
        return CHANGED if audience.changed else ALL


#: Nobody is told.
SILENT = Telling()


def is_unsent(element: etree._Element) -> bool:
    """Whether nobody was told of a meeting yet."""
    return soap.text(element, "MeetingRequestWasSent") == "false"


class MeetingMail:
    """The policy of one run for some calendars. `wish`: "never", "ask" or "always"; `noted`: where it is told whom the changes
    that were made concerned. `copied`: whether the server has another item with this UID than that with this id. `why`: the
    reason if nobody is told whatever the wish is. Used by several threads.
    """

    def __init__(
        self,
        wish: str = "never",
        noted: list[Notice] | None = None,
        *,
        copied: Callable[[str, str], bool] = lambda uid, ident: False,
        why: str = "",
        now: Callable[[], float] = time.time,
    ) -> None:
        self.wish = wish
        self._noted = [] if noted is None else noted
        self._copied = copied
        self._why = why if wish != "never" else ""
        self._now = now
        self._answers: dict[str, bool] = {}

    def foretold(self, entry: Entry, what: str, said: Said, audiences: Iterable[Audience], *, ident: str = "") -> Telling:
        """Whom a change concerns ("invitation", "update", "cancellation"), and whether they would be told as far as that is known
        without asking. `said`: what the item says then, or of one that is deleted, before; `ident`: of the item that is changed.
        """
        now = self._now()
        concerned = frozenset(each for each in audiences if not each.ends or each.ends > now)
        people = {one for each in concerned for one in each.people}
        miss = {one for each in concerned for one in each.miss} - people
        silent = self.wish == "never"
        why = self._why or (_COPY if people and not silent and self._copied(said.uid, ident) else "")
        told = False if silent or why else None if self.wish == "ask" else True
        notices = [Notice(what, said.label, said.uid, tuple(sorted(people)), told=told, why=why)] if people else []
        if miss:
            notices.append(Notice(what, said.label, said.uid, tuple(sorted(miss)), why="" if silent else why or _MISS))
        key = hashlib.sha256(repr((what, entry.collection, entry.id, said.revision)).encode()).hexdigest()
        return Telling(tuple(notices), key, frozenset(each for each in concerned if each.people))

    def telling(self, entry: Entry, what: str, said: Said, audiences: Iterable[Audience], *, ident: str = "") -> Telling:
        """What is to be done; an answer of the user is good for once. `BadItem`: he must be asked before."""
        found = self.foretold(entry, what, said, audiences, ident=ident)
        if found.told is not None:
            return found
        told = self._answers.pop(found.key, None)
        first, *rest = found.notices
        if told is None:
            hint = "sync on a terminal, or with --meeting-mail always or never"
            raise BadItem(f"{WAITS}: {', '.join(first.people)} would be mailed", hint=hint)
        return replace(found, notices=(replace(first, told=told), *rest))

    def answer(self, telling: Telling, *, told: bool | None) -> None:
        """What the user says now; None: later."""
        self._answers.pop(telling.key, None)
        if told is not None:
            self._answers[telling.key] = told

    def note(self, telling: Telling) -> None:
        """It was done."""
        self._noted.extend(telling.notices)


@dataclass(frozen=True, slots=True)
class Policies:
    """The policy of each calendar: of those that were `brought` up by a run before, the usual one."""

    usual: MeetingMail
    first: MeetingMail
    brought: frozenset[int]

    def of(self, collection: int) -> MeetingMail:
        return self.usual if collection in self.brought else self.first
