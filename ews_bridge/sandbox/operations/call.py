"""What an operation is told besides its request."""

from __future__ import annotations

from dataclasses import dataclass

from ..world import Mailbox
from ..world import World


@dataclass
class Call:
    """One request: the world it acts on, whose mailbox it means, and what its SOAP header said.

    `stamps`: the distinguished folder, or "*" for all, in which what is created counts as sent and received now.
    """

    world: World
    user: Mailbox
    version: str = "Exchange2013_SP1"
    impersonated: bool = False
    time_zone: str | None = None
    stamps: str = ""
