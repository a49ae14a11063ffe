"""Where the tags of a Maildir's messages are kept: in the head of each file (`labels.py`), or in notmuch's database.

The entries of a Maildir speak of tags by the server's names (`tags.Spelling`), in the one place `model.ON_DISK`.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field
from dataclasses import replace
from typing import Protocol

from ews_bridge import labels
from ews_bridge.model import LATER
from ews_bridge.model import ON_DISK
from ews_bridge.model import Content
from ews_bridge.model import Entry
from ews_bridge.model import Tags
from ews_bridge.model import all_tags
from ews_bridge.tags import Spelling


class Database(Protocol):
    """A program that keeps tags by Message-ID, outside of the files: `notmuch.Notmuch`."""

    def revision(self) -> str:
        """Another text whenever a tag of any message may have changed."""

    def tags(self) -> Mapping[str, frozenset[str]]:
        """All its messages that have a Message-ID, by that (without brackets), with their tags, as of now."""

    def write(self, changes: Mapping[str, tuple[frozenset[str], frozenset[str]]]) -> None:
        """Add and remove tags, all of them or none."""


@dataclass(frozen=True)
class InHead:
    """Tags in a field of the head. `known`: names that may stand in an X-Label with spaces in them (`labels.said`)."""

    kind: labels.Kind
    spelling: Spelling = field(default_factory=Spelling)
    known: frozenset[str] = frozenset()

    def of(self, head: bytes) -> Tags:
        return {ON_DISK: self.spelling.read(self._words(head))}

    def with_tags(self, pieces: Iterable[bytes], names: Iterable[str], *, only: bool) -> Iterator[bytes]:
        """A file in pieces with these tags in its head, beside those that it has there already, or as the `only` ones."""

        def wanted(head: bytes) -> bytes:
            words = self._words(head)
            tags = self.spelling.written(names, words) | (frozenset() if only else words)
            return labels.rewritten(head, self.kind, tags, self.known)

        return labels.renewed(pieces, wanted)

    def retagged(self, content: Content, names: Iterable[str], *, only: bool) -> Content:
        """`with_tags` of a content."""
        return replace(content, pieces=lambda: self.with_tags(content.pieces(), names, only=only))

    def _words(self, head: bytes) -> frozenset[str]:
        return frozenset() if head.startswith((b"\n", b"\r\n")) else labels.said(head, self.kind, self.known).tags


class InDatabase:
    """Tags in a database beside the files. What it has not indexed yet has no place for tags, but will have one."""

    def __init__(self, database: Database, spelling: Spelling) -> None:
        self.database = database
        self.spelling = spelling
        self._seen = ""
        self._tags: Mapping[str, frozenset[str]] = {}

    def revision(self) -> str:
        return self.database.revision()

    def refresh(self, revision: str) -> None:
        """Before a listing: what the database says at this revision or a later one."""
        if self._seen != revision:
            self._tags = self.database.tags()
            self._seen = revision

    def of(self, key: str) -> Tags:
        """Of a message by its Message-ID; one without has no tags that could be told apart."""
        words = self._tags.get(key.strip("<>"))
        return {LATER: frozenset()} if words is None else {ON_DISK: self.spelling.read(words)}

    def told(self, items: Sequence[tuple[Entry, Tags]]) -> list[tuple[Entry, Entry | None]]:
        """Give messages these tags, all at once; None for one that has others by now than its entry says, and keeps them."""
        self.refresh(self.revision())
        results = [(entry, replace(entry, tags=tags) if self.of(entry.key) == entry.tags else None) for entry, tags in items]
        changes = {old.key: self._change(all_tags(old.tags), all_tags(new.tags)) for old, new in results if new}
        self.database.write(changes)
        return results

    def _change(self, before: frozenset[str], after: frozenset[str]) -> tuple[frozenset[str], frozenset[str]]:
        """(to add, to remove) in the database's own words."""
        names = self.spelling
        return frozenset(map(names.disk_name, after - before)), frozenset(map(names.disk_name, before - after))


Keeper = InHead | InDatabase


def looked(info: os.stat_result) -> str:
    """A text that is another one when a file may have other tags than when they were read. A rename changes it, too: the ctime is
    all that tells of an edit in place that keeps the size and sets the mtime back.
    """
    return f"{info.st_ino}-{info.st_ctime_ns}-{info.st_size}"
