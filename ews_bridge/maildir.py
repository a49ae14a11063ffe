"""Store over one Maildir folder: `{cur,new,tmp}`, one file a message, its flags in its name.

    <received, epoch seconds>.<token>.<host>:2,<flags>      what we create; any other name is as good

A rename is what decides a race with a mail reader: whoever comes second finds the old name gone and looks again. Must
never: overwrite a file that is not the one it was told of, call a message gone that was only renamed while we listed, show a
message that is not whole and durable, touch a letter that is not ours. Format: https://cr.yp.to/proto/maildir.html
and the usage of mutt, Dovecot and notmuch.
"""

import contextlib
import json
import os
import re
import secrets
import threading
import time
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import TypeVar

from ews_bridge import maildir_file
from ews_bridge.disk import disk_error
from ews_bridge.disk import durably
from ews_bridge.disk import make_directories
from ews_bridge.disk import relocate
from ews_bridge.disk import removed_on_failure
from ews_bridge.disk import write_new
from ews_bridge.errors import BadItem
from ews_bridge.errors import Stale
from ews_bridge.maildir_index import Index
from ews_bridge.maildir_index import flags_of
from ews_bridge.maildir_index import id_of
from ews_bridge.maildir_index import lettered
from ews_bridge.maildir_index import proven
from ews_bridge.maildir_index import revision_of
from ews_bridge.maildir_index import split
from ews_bridge.maildir_tags import InDatabase
from ews_bridge.maildir_tags import InHead
from ews_bridge.maildir_tags import Keeper
from ews_bridge.model import Content
from ews_bridge.model import Entry
from ews_bridge.model import Flag
from ews_bridge.model import Flags
from ews_bridge.model import Hints
from ews_bridge.model import Known
from ews_bridge.model import New
from ews_bridge.model import Scan
from ews_bridge.model import Tags
from ews_bridge.model import all_tags
from ews_bridge.store import Failed
from ews_bridge.store import Store
from ews_bridge.trash import Trash

#: The age in seconds at which a file in tmp/ is abandoned (maildir.html).
TMP_AGE = 36 * 3600

_PAGE = 1000  # new messages on one page of a scan

_Result = TypeVar("_Result")
_Argument = TypeVar("_Argument")


class _Gone(Stale):
    """The file is in neither new/ nor cur/, after a second look."""


class Maildir:
    """The Maildir at `directory`. `path` is the folder's path, for the trash; `host` goes into the names of new files.

    `tags`: what keeps the tags of its messages; None: they have none.
    """

    def __init__(
        self, directory: str, *, collection: int, path: str, trash: Trash, host: str, tags: Keeper | None = None
    ) -> None:
        self.directory = directory
        self._collection = collection
        self._path = path
        self._trash = trash
        self._tags = tags
        self._host = re.sub(r"[^A-Za-z0-9._-]", "_", host) or "localhost"
        self._index = Index(directory)
        self._lock = threading.Lock()
        self._prepared = False

    @property
    def collection(self) -> int:
        return self._collection

    def scan(self, cursor: str, known: Known) -> Iterator[Scan]:
        """What differs from `known()`, in pages that have no `first`; the cursor moves with the last page.

        While the directories are as the cursor has them: one empty page, for two `stat`. Not so with a draft here, which may be
        edited in place, nor where tags are in the files: a directory's mtime does not tell that, and the cursor stays "".
        Nothing is written.
        """
        stamp = self._index.stamp()
        tagged = self._tags.revision() if isinstance(self._tags, InDatabase) else ""
        if proven(cursor, stamp, tagged):
            yield Scan(cursor=cursor, last=True)
            return
        if isinstance(self._tags, InDatabase):
            self._tags.refresh(tagged)
        before = known()
        fresh: list[Entry] = []
        present: set[str] = set()
        editable = isinstance(self._tags, InHead)
        # The second look is for what seems gone: readdir may miss a file that is renamed within its directory meanwhile.
        for _ in range(2):
            self._index.relist()
            missed = False
            for id_, file in self._index.messages(before):
                if id_ in present:
                    continue
                was = before.get(id_)
                try:
                    entry = self._index.look(id_, file, was, self._collection, self._tags)
                except FileNotFoundError:
                    missed = True
                    continue
                present.add(id_)
                if entry is None:
                    continue
                editable = editable or entry.revision != ""
                if entry is not was:
                    fresh.append(entry)
                if len(fresh) == _PAGE:
                    yield Scan(entries=tuple(fresh), cursor=cursor)
                    fresh = []
            if not missed and before.keys() <= present:
                break
        vanished = tuple(id_ for id_ in before if id_ not in present)
        yield Scan(entries=tuple(fresh), vanished=vanished, cursor="" if editable else json.dumps((*stamp, tagged)), last=True)

    def entry(self, file: str) -> Entry | None:
        """The message in one file, given as "cur/NAME"; None where there is none."""
        if isinstance(self._tags, InDatabase):
            self._tags.refresh(self._tags.revision())
        try:
            return self._index.look(id_of(split(os.path.basename(file)).base), file, None, self._collection, self._tags)
        except FileNotFoundError:
            return None

    def file(self, entry: Entry) -> str | None:
        """Where the entry's file is now, as "cur/NAME"."""
        self._index.refresh()
        return self._index.locate(entry)

    def read(self, entries: Sequence[Entry]) -> Iterator[tuple[Entry, Content | Failed]]:
        since = self._index.ready()
        for entry in entries:
            opened = self._on_file(entry, since, partial(self._opened, entry))
            if not isinstance(opened, int):
                yield entry, opened
                continue
            try:
                yield entry, self._retagged(maildir_file.content(opened, entry), (), only=True)
            finally:
                os.close(opened)

    def find(self, token: str) -> Entry | None:
        """As in `Store.find`. A file whose time is still the one that its name was made with is as we made it."""
        self._index.refresh()
        found = []
        for id_, file in self._index.tokens(token):
            with contextlib.suppress(FileNotFoundError):
                found.append(self._index.look(id_, file, None, self._collection, self._tags))
        first = min((entry for entry in found if entry), key=lambda entry: entry.id, default=None)
        if first and first.revision.startswith(f"{first.id.partition('.')[0]}000000000-"):
            return replace(first, revision="")
        return first

    def create(self, items: Iterable[tuple[Entry, New]]) -> Iterator[tuple[Entry, Entry | Failed]]:
        self._prepare()
        touched: set[str] = set()
        made = ((source, self._create(source, new, touched)) for source, new in items)
        return durably(((source, self._tagged_as_made(result)) for source, result in made), touched)

    def update(self, items: Iterable[tuple[Entry, Content]]) -> Iterator[tuple[Entry, Entry | Failed]]:
        self._prepare()
        renewed = ((entry, self._retagged(content, all_tags(entry.tags), only=True)) for entry, content in items)
        return self._each(renewed, self._update)

    def mark(self, items: Sequence[tuple[Entry, Flags]]) -> Iterator[tuple[Entry, Entry | Failed]]:
        """As in `Store.mark`. Flags that a reader changed since the entry was listed are not overwritten: `Stale`."""
        return self._each(items, self._mark)

    def tag(self, items: Sequence[tuple[Entry, Tags]]) -> Iterator[tuple[Entry, Entry | Failed]]:
        """As in `Store.tag`. In a head the field is rewritten, and the file keeps its time; a database is told."""
        self._prepare()
        if isinstance(self._tags, InDatabase):
            told = self._tags.told(items)
            return ((entry, made or self._tagged_meanwhile(entry)) for entry, made in told)
        return self._each(items, self._tag)

    def move(self, entries: Sequence[Entry], into: Store) -> Iterator[tuple[Entry, Entry | Failed]]:
        """As in `Store.move`. The entry keeps the flags it was listed with: what a reader changed since is seen by the scan."""
        if not isinstance(into, Maildir):
            raise TypeError(f"a file cannot be moved into a {type(into).__name__}")
        into._prepare()
        into._index.ready()
        return self._each(((entry, into) for entry in entries), self._move)

    def copy(self, entries: Sequence[Entry], into: Store) -> Iterator[tuple[Entry, Entry | Failed]]:
        """As in `Store.copy`. A file of its own, not a hard link: readers edit in place."""
        unread: list[tuple[Entry, Failed]] = []

        def copies() -> Iterator[tuple[Entry, New]]:
            for entry, content in self.read(entries):
                if isinstance(content, Content):
                    yield entry, New(content, secrets.token_hex(10), entry.key, entry.flags, all_tags(entry.tags))
                else:
                    unread.append((entry, content))

        yield from into.create(copies())
        yield from unread

    def delete(self, entries: Sequence[Entry]) -> Iterator[tuple[Entry, Entry | Failed]]:
        for entry, result in self._each(((entry, self._trash) for entry in entries), self._delete):
            yield entry, entry if isinstance(result, _Gone) else result

    def _each(
        self,
        items: Iterable[tuple[Entry, _Argument]],
        act: Callable[[Entry, _Argument, set[str], str], Entry | Failed],
    ) -> Iterator[tuple[Entry, Entry | Failed]]:
        """Do `act` on the file of each entry; the directories that it adds to its set are synced, then the results are given."""
        since = self._index.ready()
        touched: set[str] = set()
        results = ((entry, self._on_file(entry, since, partial(act, entry, what, touched))) for entry, what in items)
        return durably(results, touched)

    def _on_file(self, entry: Entry, since: int, act: Callable[[str], _Result]) -> _Result | Failed:
        """`act` on the entry's file. When that is gone, list once more (once in a call: many may be) and try again."""
        try:
            for _ in range(2):
                file = self._index.locate(entry)
                if file is not None:
                    with contextlib.suppress(FileNotFoundError):
                        return act(file)
                if self._index.listings != since:
                    break
                self._index.relist()
        except OSError as error:
            raise disk_error(error, f"cannot write {self.directory}") from error
        return _Gone(f"{maildir_file.name_of(entry)} is no longer in {self._path}")

    def _opened(self, entry: Entry, file: str) -> int | Failed:
        return maildir_file.opened(self._index.at(file), entry)

    def _create(self, source: Entry, new: New, touched: set[str]) -> Entry | Failed:
        received = int(new.content.modified) if new.content.modified >= 1 else int(time.time())
        base = f"{received}.{new.token}.{self._host}"
        letters = "".join(sorted(new.flags))
        file = f"cur/{base}:2,{letters}" if letters else f"new/{base}"
        staged = self._index.at(f"tmp/{base}")
        try:
            info = write_new(staged, self._retagged(new.content, new.tags).pieces(), modified=new.content.modified)
            with removed_on_failure(staged):
                relocate(staged, self._index.at(file), staging=f"{staged}.copy")
        except (Stale, BadItem) as error:
            return error
        except FileExistsError:
            return BadItem(f"{self._index.at(file)} exists already")
        except OSError as error:
            raise disk_error(error, f"cannot create a file in {self.directory}") from error
        touched.add(os.path.dirname(self._index.at(file)))
        self._index.renamed(None, file)
        hints = Hints(str(info.st_ino), new.token, info.st_size, source.hints.sent, source.hints.label)
        return Entry(base, new.key, revision_of(info, new.flags), new.flags, self._collection, hints)

    def _update(self, entry: Entry, content: Content, touched: set[str], file: str) -> Entry | Failed:
        path = self._index.at(file)
        if not maildir_file.current(entry, os.stat(path)) or (maildir_file.wished(file) and Flag.TRASHED not in entry.flags):
            return maildir_file.edited(entry)  # also a wish to delete that came meanwhile: the planner weighs it
        staged = self._index.at(f"tmp/{self._fresh_name()}")
        try:
            info = write_new(staged, content.pieces(), modified=content.modified)
            with removed_on_failure(staged):
                # Once more, as writing takes its time. The content can be read only once: there is no second try.
                if not maildir_file.current(entry, os.stat(path)):
                    raise maildir_file.edited(entry)
                os.rename(staged, path)
        except FileNotFoundError:
            return maildir_file.edited(entry)
        except (Stale, BadItem) as error:
            return error
        touched.add(os.path.dirname(path))
        hints = replace(entry.hints, place=str(info.st_ino), size=info.st_size)
        return replace(entry, revision=revision_of(info, flags_of(split(os.path.basename(path)).letters)), hints=hints)

    def _mark(self, entry: Entry, flags: Flags, touched: set[str], file: str) -> Entry | Failed:
        path = self._index.at(file)
        base, separator, letters = split(os.path.basename(file))
        if set(lettered(letters, entry.flags)) != set(letters):
            return Stale(f"the flags of {maildir_file.name_of(entry)} changed in {self._path}")
        info = os.stat(path)
        if not maildir_file.current(entry, info):
            return maildir_file.edited(entry)
        wanted = lettered(letters, flags)
        # A message without flags may stay where it is; one in new/ with flags is odd to many readers.
        target = file if wanted == letters else f"cur/{base}{separator or ':2,'}{wanted}"
        if target != file:
            if os.path.lexists(self._index.at(target)):
                return BadItem(
                    f"{self._index.at(target)} is another file of the same name", hint="give one of the two another name"
                )
            os.rename(path, self._index.at(target))
            touched.update((os.path.dirname(path), os.path.dirname(self._index.at(target))))
            self._index.renamed(file, target)
        now = flags_of(wanted)
        return replace(entry, flags=now, revision=revision_of(info, now))

    def _tag(self, entry: Entry, tags: Tags, touched: set[str], file: str) -> Entry | Failed:
        path = self._index.at(file)
        opened = self._opened(entry, file)
        if not isinstance(opened, int):
            return opened
        with open(opened, "rb"):
            now = self._index.look(entry.id, file, None, self._collection, self._tags)
            if now is None or now.tags != entry.tags:
                return self._tagged_meanwhile(entry)
            try:
                content = self._retagged(maildir_file.content(opened, entry), all_tags(tags), only=True)
                maildir_file.renew(path, opened, entry, content, staged=self._index.at(f"tmp/{self._fresh_name()}"))
            except (Stale, BadItem) as error:
                return error
        touched.add(os.path.dirname(path))
        made = self._index.look(entry.id, file, None, self._collection, self._tags)
        if made is None or made.tags != tags:
            return BadItem(f"{path} cannot be tagged: its head does not end", hint="is it a mail message?")
        hints = replace(entry.hints, place=made.hints.place, looked=made.hints.looked)
        return replace(entry, tags=tags, revision=made.revision, hints=hints)

    def _tagged_meanwhile(self, entry: Entry) -> Stale:
        return Stale(f"the tags of {maildir_file.name_of(entry)} changed in {self._path}")

    def _retagged(self, content: Content, names: Iterable[str], *, only: bool = False) -> Content:
        """A content with these tags in its head, if they are kept there; beside its own, or as the `only` ones."""
        return self._tags.retagged(content, names, only=only) if isinstance(self._tags, InHead) else content

    def _tagged_as_made(self, made: Entry | Failed) -> Entry | Failed:
        """What was made, with the tags that it has: its own as well."""
        if self._tags is None or not isinstance(made, Entry):
            return made
        if isinstance(self._tags, InDatabase):
            return replace(made, tags=self._tags.of(made.key))
        file = self._index.locate(made)
        seen = self._index.look(made.id, file, None, self._collection, self._tags) if file else None
        if seen is None:
            return _Gone(f"{maildir_file.name_of(made)} is no longer in {self._path}")
        return replace(made, tags=seen.tags, hints=replace(made.hints, looked=seen.hints.looked))

    def _move(self, entry: Entry, into: "Maildir", touched: set[str], file: str) -> Entry | Failed:
        path = self._index.at(file)
        if not maildir_file.current(entry, os.stat(path)):
            return maildir_file.edited(entry)
        base, separator, letters = split(os.path.basename(file))
        if into._index.taken(base):
            base = into._fresh_name()
        target = f"{os.path.dirname(file)}/{base}{separator}{letters}"
        relocate(path, into._index.at(target), staging=into._index.at(f"tmp/{into._fresh_name()}"))
        touched.update((os.path.dirname(path), os.path.dirname(into._index.at(target))))
        self._index.renamed(file, None)
        into._index.renamed(None, target)
        return replace(entry, id=id_of(base), collection=into.collection)

    def _delete(self, entry: Entry, trash: Trash, touched: set[str], file: str) -> Entry | Failed:
        path = self._index.at(file)
        if entry.revision and not maildir_file.current(entry, os.stat(path)):
            return maildir_file.edited(entry)
        touched.update(map(os.path.dirname, (path, trash.place(path, self._path, os.path.basename(path)))))
        self._index.renamed(file, None)
        return entry

    def _fresh_name(self) -> str:
        return f"{int(time.time())}.R{secrets.token_hex(8)}.{self._host}"

    def _prepare(self) -> None:
        """Before the first write: make what is missing, and remove abandoned files from tmp/. Not in a scan: a dry run scans."""
        with self._lock:
            if self._prepared:
                return
            try:
                make_directories(self.directory, ("tmp", "new", "cur"))
                maildir_file.remove_abandoned(self._index.at("tmp"), TMP_AGE)
            except OSError as error:
                raise disk_error(error, f"cannot create {self.directory}") from error
            self._prepared = True
