"""New messages in an Exchange folder, with their flags, tags and dates; and finding by token those that we made before.

What comes into Sent Items is made elsewhere and moved there: many servers give what is created there the present as its
dates, and keep those of what is moved. Dates are read back, for some servers keep none.
"""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import replace
from itertools import chain
from itertools import islice
from typing import TYPE_CHECKING

from ews_bridge import headers
from ews_bridge.errors import BadItem
from ews_bridge.errors import Stale
from ews_bridge.errors import Unavailable
from ews_bridge.exchange import asking
from ews_bridge.exchange import bulk
from ews_bridge.exchange import creating
from ews_bridge.exchange import faults
from ews_bridge.exchange import mail
from ews_bridge.exchange import soap
from ews_bridge.exchange.creating import Draft
from ews_bridge.exchange.creating import Folder
from ews_bridge.exchange.creating import Made
from ews_bridge.exchange.creating import Results
from ews_bridge.exchange.creating import mime_content
from ews_bridge.exchange.creating import name_of
from ews_bridge.exchange.creating import new_id
from ews_bridge.exchange.session import Connection
from ews_bridge.model import Entry
from ews_bridge.model import Flag
from ews_bridge.model import Flags
from ews_bridge.model import Hints
from ews_bridge.model import New
from ews_bridge.model import Tags
from ews_bridge.store import Failed

if TYPE_CHECKING:
    from ews_bridge.exchange.tagging import Tagging


@dataclass(frozen=True, slots=True)
class _Elsewhere:
    """Where items are made that are to be moved (`creating.Place`)."""

    connection: Connection
    id: str
    collection: int


@dataclass(frozen=True, slots=True)
class _Going:
    """What an item on its way up will be. Times in seconds since the epoch, 0: not known."""

    flags: Flags
    tags: Tags
    sent: float
    received: float


def find(folder: Folder, tokens: Sequence[str]) -> dict[str, Entry]:
    """The messages in the folder that carry these tokens; of several with one token the oldest. Those that were on their way into
    it are brought there.
    """
    found = {token: folder.entry(element) for token, element in creating.elements(folder, tokens, folder.entry_fields).items()}
    rest = [token for token in tokens if token not in found]
    if not folder.staging or not rest:
        return found
    staged = creating.elements(_staging(folder), rest, folder.entry_fields)
    entries = {token: entry for token, element in staged.items() if Flag.DRAFT not in (entry := folder.entry(element)).flags}
    names = {token: name_of(entry) for token, entry in entries.items()}
    for token, result in _into_place(folder, {token: entry.id for token, entry in entries.items()}, names):
        if isinstance(result, tuple):
            found[token] = replace(entries[token], id=result[0])
    return found


def create(folder: Folder, items: Iterable[tuple[Entry, New]]) -> Results:
    """What comes into the Drafts folder is a draft: mutt does not mark those that it postpones, and Outlook must be able to edit
    and send them.
    """
    unread: list[tuple[Entry, Failed]] = []
    going: dict[str, _Going] = {}

    def drafts() -> Iterator[Draft]:
        for source, new in items:
            new = replace(new, flags=new.flags | {Flag.DRAFT}) if folder.drafts else new
            try:
                draft, going[new.token] = _encoded(folder.tagging, source, new)
            except (Stale, BadItem) as error:  # the other side could not read it to its end
                unread.append((source, error))
                continue
            yield draft

    sent = _through_staging(folder, drafts()) if folder.staging else creating.send(folder, drafts())
    for some in iter(lambda: list(islice(sent, creating.CREATE_ITEMS)), []):
        yield from ((one.source, _entry(folder, one, result, going[one.token])) for one, result in some)
        made = {result[0]: going[one.token] for one, result in some if isinstance(result, tuple)}
        if made and (folder.staging or not folder.dates.seen):  # of other folders the first batch tells
            _look_at_dates(folder, made)
    yield from unread


def _through_staging(folder: Folder, drafts: Iterable[Draft]) -> Iterator[tuple[Draft, Made]]:
    sent = creating.send(_staging(folder), drafts)
    for some in iter(lambda: list(islice(sent, creating.CREATE_ITEMS)), []):
        yield from ((one, result) for one, result in some if not isinstance(result, tuple))
        drafted = {one.token: one for one, _ in some}
        ids = {one.token: result[0] for one, result in some if isinstance(result, tuple)}
        names = {token: name_of(one.source) for token, one in drafted.items()}
        yield from ((drafted[token], result) for token, result in _into_place(folder, ids, names))


def _staging(folder: Folder) -> _Elsewhere:
    return _Elsewhere(folder.connection, folder.staging, folder.collection)


def _into_place(folder: Folder, ids: Mapping[str, str], names: Mapping[str, str]) -> Iterator[tuple[str, Made]]:
    """From where they were made into the folder, by token. What cannot be moved stays: `find` moves it in the next run."""
    if not ids:
        return
    operation = asking.move_items(list(ids.values()), asking.folder_id(folder.id))
    answers = bulk.call(folder.connection, operation, repeat=False)
    if len(answers) != len(ids):
        raise faults.Lost(f"the server answered {len(answers)} of {len(ids)} items that were moved")
    failed: Unavailable | None = None
    for token, answer in zip(ids, answers, strict=True):
        moved = new_id(answer)
        if answer.ok and moved[0]:
            yield token, moved
        elif answer.code in bulk.GONE:
            yield token, Stale(f"{names[token]} was removed while it was uploaded")
        else:
            failed = Unavailable(f"{names[token]} was uploaded and cannot be moved to its folder: {answer.why()}")
    if failed:
        raise failed


def _look_at_dates(folder: Folder, made: Mapping[str, _Going]) -> None:
    ids = list(made)
    for position, result in bulk.get_items(folder.connection, [(ident, 0) for ident in ids], asking.TIME_FIELDS, mime=False):
        if isinstance(result, bulk.Got):
            wanted = made[ids[position]]
            there = [mail.seconds(soap.text(result.element, name)) for name in ("DateTimeSent", "DateTimeReceived")]
            pairs = zip((wanted.sent, wanted.received), there, strict=True)
            folder.dates.seen += 1
            folder.dates.odd += any(want and abs(want - have) >= 2 for want, have in pairs)


def _entry(folder: Folder, one: Draft, result: Made, going: _Going) -> Entry | Failed:
    if not isinstance(result, tuple):
        return result
    ident, key = result
    flags = going.flags - {Flag.TRASHED}
    hints = Hints(token=one.token, size=one.size, sent=one.source.hints.sent, label=one.source.hints.label)
    return Entry(ident, one.source.key, key if Flag.DRAFT in flags else "", flags, folder.collection, hints, going.tags)


def _encoded(tagging: Tagging | None, source: Entry, new: New) -> tuple[Draft, _Going]:
    pieces = new.content.pieces()
    head = next(pieces, b"")
    size, mime = mime_content(chain((head,), pieces))
    # The file's time is when it was put there: a copy without its times would make old mail new.
    received = headers.received(head) or source.hints.sent or new.content.modified
    sent = source.hints.sent or received
    categories, tags, said = tagging.creation(new.tags) if tagging else ("", "", {})
    rest = mail.creation(new.flags, new.token, sent=sent, received=received, categories=categories, tags=tags)
    xml = b"".join((b"<t:Message>", *mime, rest.encode(), b"</t:Message>"))
    return Draft(source, new.token, xml, size), _Going(new.flags, said, sent, received)
