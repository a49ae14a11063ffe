"""notmuch's database as a place of tags (`maildir_tags.Database`), through the program `notmuch`.

Tags belong to a Message-ID there, whatever files it has. That something changed is told by the database's revision (`lastmod`)
together with its UUID: another database begins to count anew.

Must never do: index, create or rename anything; tell of tags that notmuch or its hooks set by themselves (`tags.AUTOMATIC`).
"""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from urllib.parse import quote
from urllib.parse import unquote

from ews_bridge.errors import ConfigError
from ews_bridge.errors import DiskError

#: The longest tag that notmuch takes, in bytes (NOTMUCH_TAG_MAX).
TAG_MAX = 200


class Notmuch:
    """The database that `notmuch` uses by itself: of the user's configuration, or $NOTMUCH_CONFIG."""

    def __init__(self, program: str = "notmuch") -> None:
        self._program = program

    def new_tags(self) -> tuple[str, ...]:
        """What every new message gets (`new.tags`): none of it is anybody's doing."""
        return tuple(line for line in self._run("config", "get", "new.tags").splitlines() if line)

    def revision(self) -> str:
        _, uuid, lastmod = self._run("count", "--lastmod", "--exclude=false", "*").split()
        return f"{uuid}:{lastmod}"

    def tags(self) -> Mapping[str, frozenset[str]]:
        """One line of a dump is "+TAG +TAG -- id:MESSAGE-ID", with %XX in tags for what would not be clear (notmuch-dump(1))."""
        found: dict[str, frozenset[str]] = {}
        for line in self._run("dump", "--format=batch-tag", "--include=tags").splitlines():
            if line.startswith("#"):
                continue
            words, separator, ident = line.rpartition("-- id:")
            if separator:
                tags = frozenset(unquote(word[1:]) for word in words.split(" ") if word.startswith("+"))
                found[_unquoted(ident)] = tags
        return found

    def write(self, changes: Mapping[str, tuple[frozenset[str], frozenset[str]]]) -> None:
        """By Message-ID, in brackets or without: (to add, to remove)."""
        lines = []
        for key, (added, removed) in changes.items():
            words = [f"+{quote(tag, safe='')}" for tag in sorted(added)] + [f"-{quote(tag, safe='')}" for tag in sorted(removed)]
            ident = key.strip("<>").replace('"', '""')
            lines.append(f'{" ".join(words)} -- id:"{ident}"\n')
        if lines:
            self._run("tag", "--batch", given="".join(lines))

    def _run(self, *arguments: str, given: str = "") -> str:
        try:
            done = subprocess.run([self._program, *arguments], input=given.encode(), capture_output=True, check=False)
        except FileNotFoundError as error:
            raise ConfigError(f'local = "notmuch", and there is no program {self._program}', hint="install notmuch") from error
        if done.returncode:
            said = done.stderr.decode(errors="replace").strip()
            raise DiskError(f"notmuch {arguments[0]} failed: {said}", hint="has notmuch been set up? notmuch setup, notmuch new")
        return done.stdout.decode(errors="replace")


def _unquoted(ident: str) -> str:
    """An id as the dump writes it: in double quotes, themselves doubled, where it has odd characters."""
    return ident[1:-1].replace('""', '"') if ident.startswith('"') and ident.endswith('"') and len(ident) > 1 else ident
