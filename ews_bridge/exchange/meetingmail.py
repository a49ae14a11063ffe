"""Whether the people of a meeting are told of what a sync does to it: `meeting_mail`, and the account of who was.

Nobody is mailed unless the settings say so, never about what is over, and never by the first sync of a calendar: what is on disk
then is no news to those who take part. Whatever goes up, who is told of it, or would be, is noted for the report.

Where the user is to be asked and has not answered, the change waits: that somebody was not told could not be made up for later.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from dataclasses import replace
from typing import TYPE_CHECKING

from ews_bridge.errors import BadItem
from ews_bridge.exchange import asking
from ews_bridge.model import Said
from ews_bridge.report import WAITS
from ews_bridge.report import Notice

if TYPE_CHECKING:  # a sync of mail alone loads no codecs
    from ews_bridge.exchange.form import Audience

#: Values of the attributes that `asking.SILENT` is a value of, too (MS-OXWSMTGS).
ALL, CHANGED = "SendToAllAndSaveCopy", "SendToChangedAndSaveCopy"


@dataclass(frozen=True, slots=True)
class Telling:
    """What is decided about one item: whom its change concerns (`notice`; None: nobody), and whether they are told."""

    notice: Notice | None = None
    now: float = 0

    def how(self, audience: Audience) -> str:
        """What a request that concerns these people says about mail."""
        if self.notice is None or not self.notice.told or not _concerned(audience, self.now):
            return asking.SILENT
        return CHANGED if audience.changed else ALL


#: Nobody is told.
SILENT = Telling()


class MeetingMail:
    """The policy of one run. `wish`: "never", "ask" or "always"; `noted`: where it is told whom the changes that were made
    concerned. Used by several threads.
    """

    def __init__(self, wish: str = "never", noted: list[Notice] | None = None, *, now: Callable[[], float] = time.time) -> None:
        self.wish = wish
        self._noted = [] if noted is None else noted
        self._now = now
        self._answers: dict[Notice, bool] = {}

    def telling(self, said: Said, what: str, *audiences: Audience) -> Telling:
        """What is to be done about an item ("invitation", "update", "cancellation"). `BadItem`: the user must be asked before."""
        notice = self.foretold(said, what, *audiences)
        return Telling(replace(notice, told=self._is_told(notice)), self._now()) if notice else SILENT

    def foretold(self, said: Said, what: str, *audiences: Audience) -> Notice | None:
        """Whom it concerns, if anybody, and whether they would be told, as far as that is known without asking."""
        now = self._now()
        people = {one for each in audiences for one in _concerned(each, now)}
        if not people:
            return None
        told = None if self.wish == "ask" else self.wish == "always"
        return Notice(what, said.label, said.uid, tuple(sorted(people)), told)

    def answer(self, notice: Notice, *, told: bool) -> None:
        """What the user said."""
        self._answers[notice] = told

    def note(self, telling: Telling) -> None:
        """It was done."""
        if telling.notice is not None:
            self._noted.append(telling.notice)

    def _is_told(self, notice: Notice) -> bool:
        told = self._answers.get(notice, notice.told)
        if told is None:
            hint = "sync on a terminal, or with --meeting-mail always or never"
            raise BadItem(f"{WAITS}: {', '.join(notice.people)} would be mailed", hint=hint)
        return told


def _concerned(audience: Audience, now: float) -> tuple[str, ...]:
    return audience.people if not audience.ends or audience.ends > now else ()
