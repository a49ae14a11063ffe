"""What a run did: for the summary line, `--json`, and what `status` says of the last one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from dataclasses import field

#: Why something was undone.
READ_ONLY = "the folder is read-only"


@dataclass(frozen=True, slots=True)
class Failure:
    """One item or collection that could not be synced: what it is, why, and what to do."""

    what: str
    why: str
    hint: str = ""


#: How the reason of a failure begins that is none: the user is to be asked.
WAITS = "it waits until you were asked"


@dataclass(frozen=True, slots=True)
class Notice:
    """Whom a change to a meeting of the owner's concerned, and whether they were mailed. `what`: "invitation", "update" or
    "cancellation"; `people`: their addresses; `told` None: the user has to be asked. `why`: the reason if they
    are not told though the settings say so.
    """

    what: str
    label: str
    uid: str
    people: tuple[str, ...]
    told: bool | None = False
    why: str = ""

    def __str__(self) -> str:
        return f"{self.what} {'to' if self.what == 'invitation' else 'of'} {self.label}"


@dataclass(slots=True)
class Report:
    """What a run did, for the summary line and --json. Counts are items, by the word of the step ("download", "delete local");
    `kinds`: the same for each kind ("mail", "tasks").
    """

    done: dict[str, int] = field(default_factory=dict)
    kinds: dict[str, dict[str, int]] = field(default_factory=dict)
    pending: int = 0
    failures: list[Failure] = field(default_factory=list)
    refused: list[Failure] = field(default_factory=list)
    conflicts: list[str] = field(default_factory=list)
    reverted: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    meeting_mail: list[Notice] = field(default_factory=list)
    bytes: int = 0

    def count(self, words: Iterable[str]) -> None:
        for word in words:
            self.done[word] = self.done.get(word, 0) + 1
