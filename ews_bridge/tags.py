"""Which tags travel, and what each is called on disk. Pure.

A table may give a tag another name on disk ("Project X" is "px" there). Nothing may be lost by it: so the table is made one to
one by turning around what would meet ("px" of the server is then "Project X" on disk).
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field

_UNSPEAKABLE = re.compile("[\x00-\x1f\ud800-\udfff\ufffe\uffff]")

#: What notmuch sets by itself, from flags and contents, and what its users' hooks leave on everything that is new.
AUTOMATIC = ("unread", "flagged", "replied", "passed", "draft", "attachment", "signed", "encrypted", "inbox", "new", "sent")


@dataclass(frozen=True)
class Spelling:
    """`names`: a tag's name on the server → its name on disk, each name once. `never`: globs of names on disk; such tags stay
    where they are, on both sides, and so do those with names of more than `longest` bytes (0: no limit).
    """

    names: Mapping[str, str] = field(default_factory=dict)
    never: tuple[str, ...] = ()
    longest: int = 0

    def __post_init__(self) -> None:
        there = {disk: server for server, disk in self.names.items()}
        here = dict(self.names)
        for disk in there.keys() - self.names.keys():
            first = there[disk]
            while first in there:
                first = there[first]
            here[disk] = first
        object.__setattr__(self, "_here", here)
        object.__setattr__(self, "_there", {disk: server for server, disk in here.items()})

    _here: Mapping[str, str] = field(init=False, repr=False, compare=False)
    _there: Mapping[str, str] = field(init=False, repr=False, compare=False)

    def stays(self, disk: str) -> bool:
        """Whether a tag with this name on disk is none of ours. So is one that XML cannot carry."""
        return (
            bool(_UNSPEAKABLE.search(disk))
            or not disk.strip()
            or 0 < self.longest < len(disk.encode())
            or any(fnmatch.fnmatchcase(disk, pattern) for pattern in self.never)
        )

    def hidden(self, name: str) -> bool:
        """The same of a name on the server."""
        return self.stays(self.disk_name(name))

    def disk_name(self, name: str) -> str:
        return self._here.get(name, name)

    def server_name(self, disk: str) -> str:
        return self._there.get(disk, disk)

    def read(self, words: Iterable[str]) -> frozenset[str]:
        """What is on disk, in the server's names."""
        return frozenset(self.server_name(word) for word in words if not self.stays(word))

    def written(self, names: Iterable[str], words: Iterable[str]) -> frozenset[str]:
        """What is to be on disk for these names, where `words` is there now."""
        return frozenset(map(self.disk_name, names)) | {word for word in words if self.stays(word)}
