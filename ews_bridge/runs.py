"""What a run is asked to do, and where it tells how far it is: what the command line and the engine know of each other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from ews_bridge.model import Side
from ews_bridge.report import Notice


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line asks of one run. `writes`: the sides that may be written; `folders`: paths, `only`: kinds (of
    `config.KINDS`), none means all. `meeting_mail`: in place of what the settings say. `ask`: asks the user whether people are
    told of a meeting (None: later); where there is none, nobody can be asked.
    """

    dry_run: bool = False
    allow_deletes: bool = False
    refill: bool = False
    wait: float = 30.0
    folders: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    meeting_mail: str = ""
    ask: Callable[[Notice], bool | None] | None = None
    writes: frozenset[Side] = frozenset(Side)


class Progress(Protocol):
    """Where a run tells how far it is. Called from one thread."""

    def phase(self, name: str, total: int | None) -> None:
        """A new part of the work begins; `total` items are expected (None: not known)."""

    def advance(self, items: int, bytes: int) -> None:
        """So much more is done."""

    def step(self, text: str) -> None:
        """A step that was taken, or in a dry run would be."""
