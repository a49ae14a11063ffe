"""Looking up addresses: first in the contacts on disk, then in the server's directory, whose answers are kept for a day.

The contacts are there without the server. What cannot be asked is told and keeps nothing else from being found.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from collections.abc import Sequence
from dataclasses import asdict
from dataclasses import dataclass
from dataclasses import field
from pathlib import Path

from ews_bridge import addressbook
from ews_bridge import disk
from ews_bridge import signin
from ews_bridge.addressbook import Person
from ews_bridge.config import Account
from ews_bridge.errors import EwsBridgeError
from ews_bridge.exchange import directory
from ews_bridge.exchange.directory import Found

#: Seconds for which an answer of the directory is not asked for again, and how many answers are kept.
FRESH = 24 * 3600.0
KEPT = 500


@dataclass(slots=True)
class Result:
    """Who was found: contacts first, each address once. `more`: the directory has more than it told. `failed`: by account."""

    people: list[Person] = field(default_factory=list)
    more: bool = False
    failed: dict[str, EwsBridgeError] = field(default_factory=dict)

    def add(self, people: Iterable[Person]) -> None:
        known = {person.address.casefold() for person in self.people}
        for person in people:
            if person.address.casefold() not in known:
                known.add(person.address.casefold())
                self.people.append(person)


def find(accounts: Sequence[Account], text: str, *, offline: bool) -> Result:
    """Everybody that a text may mean."""
    result = Result()
    for account in accounts:
        if account.contacts is not None:
            result.add(addressbook.search(account.contacts.path, text))
    for account in accounts:
        memory = _Memory(account.state_dir / "directory.json")
        known, fresh = memory.recall(text)
        if not fresh and not offline:
            try:
                # Contacts that are synced were found on disk.
                with signin.connected(account, brief=True) as connection:
                    known = directory.resolve(connection, text, contacts=account.contacts is None)
                memory.keep(text, known)
            except EwsBridgeError as error:
                result.failed[account.name] = error
        if known is not None:
            result.add(known.people)
            result.more |= not known.complete
    return result


def expand(accounts: Sequence[Account], name: str, *, offline: bool) -> Result | None:
    """Who is in a group, of the contacts or of the directory; None if there is no such group."""
    result = Result()
    for account in accounts:
        local = None if account.contacts is None else addressbook.members(account.contacts.path, name)
        if local is not None:
            result.add(local)
            return result
    for account in () if offline else accounts:
        try:
            with signin.connected(account, brief=True) as connection:
                found = directory.expand(connection, name)
        except EwsBridgeError as error:
            result.failed[account.name] = error
            continue
        if found is not None:
            result.add(found)
            return result
    return result if result.failed else None


class _Memory:
    """What the directory answered, in a file; one that cannot be read remembers nothing."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def recall(self, text: str) -> tuple[Found | None, bool]:
        """What was answered, and whether it is young enough not to be asked for again."""
        kept = self._read().get(addressbook.plain(text))
        if not isinstance(kept, dict):
            return None, False
        try:
            found = Found(tuple(Person(**person) for person in kept["people"]), bool(kept["complete"]))
            return found, 0 <= time.time() - float(kept["at"]) < FRESH
        except (KeyError, TypeError, ValueError):
            return None, False

    def keep(self, text: str, found: Found) -> None:
        """Remember an answer, and forget the oldest ones."""
        entries = self._read()
        entries.pop(addressbook.plain(text), None)
        people = [asdict(person) for person in found.people]
        entries[addressbook.plain(text)] = {"at": time.time(), "complete": found.complete, "people": people}
        newest = dict(list(entries.items())[-KEPT:])
        disk.make_directory(str(self._path.parent))
        disk.write_whole(str(self._path), json.dumps(newest, ensure_ascii=False).encode())

    def _read(self) -> dict[str, object]:
        try:
            found = json.loads(self._path.read_bytes())
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}
