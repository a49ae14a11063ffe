"""`store.Store` over one Exchange folder of mail: the listing and the contents. The writes are in `writing.py`.

An id is the item's EWS id, which changes when the item moves. Only drafts have a revision (their change key): what was sent or
received keeps its content for ever, whatever happens to its flags.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from lxml import etree

from ews_bridge.errors import BadItem
from ews_bridge.errors import Stale
from ews_bridge.errors import Unavailable
from ews_bridge.exchange import asking
from ews_bridge.exchange import bulk
from ews_bridge.exchange import creating
from ews_bridge.exchange import faults
from ews_bridge.exchange import mail
from ews_bridge.exchange import mailcreating
from ews_bridge.exchange import soap
from ews_bridge.exchange import writing
from ews_bridge.exchange.session import Connection
from ews_bridge.model import Content
from ews_bridge.model import Entry
from ews_bridge.model import Flag
from ews_bridge.model import Flags
from ews_bridge.model import Known
from ews_bridge.model import New
from ews_bridge.model import Scan
from ews_bridge.model import Tags
from ews_bridge.store import Failed
from ews_bridge.store import Store

if TYPE_CHECKING:  # where there are no tags it is not loaded
    from ews_bridge.exchange.tagging import Tagging

#: A server that does not give a property in a listing says one of these.
_UNLISTABLE = frozenset({"ErrorInvalidPropertyForOperation", "ErrorInvalidPropertyRequest", "ErrorUnsupportedPathForQuery"})
#: The server has the item but cannot make a message of it.
_NO_MIME = frozenset(
    {
        "ErrorContentConversionFailed",
        "ErrorCorruptData",
        "ErrorItemCorrupt",
        "ErrorMimeContentConversionFailed",
        "ErrorMimeContentInvalid",
        "ErrorUnsupportedMimeConversion",
    }
)
#: FindItem and SyncFolderItems cut strings to this length: a Message-ID so long is asked for again.
_CUT = 255


class ExchangeFolder:
    """One folder. `sent_items`: files carry the time sent instead of the time received. `drafts`: what is made here is a draft.
    `trash`: the Deleted Items folder's id, where deleted items go; in that folder itself they become recoverable ones
    (SoftDelete). `delete_type`, where it is SoftDelete or HardDelete, is what becomes of them after that. `tagging`: the
    mailbox's tags; None: they stay what they are, and are not looked at. `staging`: the folder in which new items are made before
    they are moved into this one; "" for none. `dates`: where it is noted whether new items keep theirs. `adopting`
    tells whether there are files that may be what is listed: then its authors are asked for, too.
    """

    def __init__(
        self,
        connection: Connection,
        ident: str,
        collection: int,
        *,
        sent_items: bool = False,
        drafts: bool = False,
        trash: str = "",
        delete_type: str = "MoveToDeletedItems",
        adopting: Callable[[], bool] = lambda: False,
        tagging: Tagging | None = None,
        staging: str = "",
        dates: creating.Dates | None = None,
    ) -> None:
        self.connection = connection
        self.id = ident
        self.drafts = drafts
        self.trash = trash
        self.delete_type = delete_type
        self.staging = staging
        self.dates = dates or creating.Dates()
        self.tagging = tagging
        self.entry_fields = asking.ENTRY_FIELDS + (tagging.fields if tagging else "")
        self._collection = collection
        self._sent_items = sent_items
        self._listable = True
        self._adopting = adopting

    @property
    def collection(self) -> int:
        return self._collection

    # ---- listing

    def scan(self, cursor: str, known: Known) -> Iterator[Scan]:
        """One `Scan` for each page of SyncFolderItems; the cursor is its SyncState."""
        state, first = cursor, not cursor
        fields = self.entry_fields + (asking.AUTHOR if self._adopting() else "")
        while True:
            try:
                try:
                    page = self._page(state, fields)
                except bulk.StateLost:
                    # The server forgot (a restored database, a moved mailbox): everything anew, no reason to alarm anyone.
                    state, first = "", True
                    page = self._page("", fields)
            except faults.Fault as error:
                if error.code in creating.NO_FOLDER:
                    raise Stale("the folder is no longer on the server") from error
                raise
            yield self._scan(page, first=first)
            if page.last:
                return
            state, first = page.state, False

    def _page(self, state: str, fields: str) -> bulk.Page:
        if self._listable:
            try:
                return bulk.sync_items(self.connection, self.id, state, fields)
            except faults.Fault as error:
                if error.code not in _UNLISTABLE:
                    raise
                self._listable = False
        return bulk.sync_items(self.connection, self.id, state, "")

    def _scan(self, page: bulk.Page, *, first: bool) -> Scan:
        """Several changes of one item in a page: the last one counts."""
        items: dict[str, etree._Element] = {}
        read: dict[str, bool] = {}
        vanished: dict[str, None] = {}
        for kind, change in page.changes:
            if kind in ("Create", "Update"):
                element = next((e for e in change if isinstance(e.tag, str)), None)
                ident = soap.attribute(element, "ItemId", "Id") if element is not None else ""
                if element is None or not ident:
                    # Left out, it would be missed for good: the next listing goes on after this page.
                    raise Unavailable("the server's listing has an item without an id")
                items[ident] = element
                vanished.pop(ident, None)
                read.pop(ident, None)
                continue
            ident = soap.attribute(change, "ItemId", "Id")
            if kind == "Delete" and ident:
                items.pop(ident, None)
                read.pop(ident, None)
                vanished[ident] = None
            elif kind == "ReadFlagChange" and ident:
                read[ident] = soap.text(change, "IsRead") == "true"
        entries = self._entries(items, read, vanished)
        marks = tuple(
            (ident, *_read_flag(is_read)) for ident, is_read in read.items() if ident not in items and ident not in vanished
        )
        return Scan(entries, tuple(vanished), marks, page.state, first, page.last)

    def _entries(self, items: dict[str, etree._Element], read: dict[str, bool], vanished: dict[str, None]) -> tuple[Entry, ...]:
        """The listed items; those of which the listing does not say enough are asked for."""
        short = [(ident, 0) for ident, e in items.items() if not self._listable or len(soap.text(e, "InternetMessageId")) >= _CUT]
        for position, result in bulk.get_items(self.connection, short, self.entry_fields, mime=False):
            ident = short[position][0]
            if isinstance(result, bulk.Got):
                items[ident] = result.element
            elif result.code in bulk.GONE:
                # Gone since the listing; the next one would say so.
                del items[ident]
                vanished[ident] = None
        found = []
        for ident, element in items.items():
            entry = self.entry(element)
            if ident in read:
                present, absent = _read_flag(read[ident])
                entry = replace(entry, flags=(entry.flags | present) - absent)
            found.append(entry)
        return tuple(found)

    def entry(self, element: etree._Element) -> Entry:
        """An item that was asked for `entry_fields`."""
        entry = mail.entry(element, self._collection)
        return replace(entry, tags=self.tagging.of(element)) if self.tagging else entry

    # ---- contents

    def read(self, entries: Sequence[Entry]) -> Iterator[tuple[Entry, Content | Failed]]:
        """GetItem with MIME, in batches bounded by bytes. What has no usable MIME is built from its properties."""
        wanted = [(entry.id, entry.hints.size) for entry in entries]
        for position, result in bulk.get_items(self.connection, wanted, asking.TIME_FIELDS, mime=True):
            entry = entries[position]
            yield entry, self._content(entry, result)

    def _content(self, entry: Entry, result: bulk.Got | bulk.Refusal) -> Content | Failed:
        if isinstance(result, bulk.Refusal):
            if result.code not in _NO_MIME:
                return result.error(_name(entry))
            return self._rebuilt(entry, result.text)
        if entry.revision and soap.attribute(result.element, "ItemId", "ChangeKey") != entry.revision:
            return Stale(f"{_name(entry)} was edited meanwhile")
        kind = soap.name(result.element)
        if kind not in mail.MAIL:
            return self._rebuilt(entry, f"it is a {kind}, not a message")
        if result.mime is None:
            return self._rebuilt(entry, "the server gave no readable message")
        pieces = result.mime
        return Content(lambda: iter(pieces), self._modified(result.element))

    def _rebuilt(self, entry: Entry, reason: str) -> Content | Failed:
        """A readable message from all the properties that the server is willing to give."""
        from ews_bridge.exchange import rebuilt  # loads what composes a message: rarely needed, and large

        refusal = bulk.Refusal("", reason)
        for shape in ("AllProperties", "Default"):
            operation = asking.get_items([(entry.id, "")], "", shape=shape, body="Best")
            try:
                answer = bulk.call(self.connection, operation, repeat=True)[0]
            except (faults.Fault, faults.Lost) as error:
                if not self.connection.answers():
                    raise
                refusal = bulk.Refusal("", str(error))
                continue
            found = answer.element.find(f"{{{soap.MESSAGES}}}Items")
            if answer.ok and found is not None and len(found):
                made = [rebuilt.message(found[0], reason)]
                return Content(lambda made=made: iter(made), self._modified(found[0]))  # type: ignore[misc]
            refusal = bulk.Refusal(answer.code, answer.why())
        if refusal.code in bulk.GONE:
            return Stale(f"{_name(entry)} is no longer there")
        return BadItem(f"{_name(entry)}: {reason}; its properties cannot be read either: {refusal.text}")

    def _modified(self, element: etree._Element) -> float:
        first, second = ("DateTimeSent", "DateTimeReceived") if self._sent_items else ("DateTimeReceived", "DateTimeSent")
        return mail.seconds(soap.text(element, first)) or mail.seconds(soap.text(element, second))

    # ---- writes

    def find(self, token: str) -> Entry | None:
        """By our token. Of several (CopyItem copies it) the oldest."""
        return mailcreating.find(self, [token]).get(token)

    def create(self, items: Iterable[tuple[Entry, New]]) -> Iterator[tuple[Entry, Entry | Failed]]:
        return mailcreating.create(self, items)

    def update(self, items: Iterable[tuple[Entry, Content]]) -> Iterator[tuple[Entry, Entry | Failed]]:
        return writing.update(self, items)

    def mark(self, items: Sequence[tuple[Entry, Flags]]) -> Iterator[tuple[Entry, Entry | Failed]]:
        return writing.mark(self, items)

    def tag(self, items: Sequence[tuple[Entry, Tags]]) -> Iterator[tuple[Entry, Entry | Failed]]:
        if self.tagging is None:
            raise TypeError("this folder's tags are not looked at")
        from ews_bridge.exchange import tagwriting

        return tagwriting.tag(self, self.tagging, items)

    def move(self, entries: Sequence[Entry], into: Store) -> Iterator[tuple[Entry, Entry | Failed]]:
        if not isinstance(into, ExchangeFolder):
            raise TypeError("items move between folders of one server only")
        return writing.move(self, entries, into.id, into.collection)

    def copy(self, entries: Sequence[Entry], into: Store) -> Iterator[tuple[Entry, Entry | Failed]]:
        if not isinstance(into, ExchangeFolder):
            raise TypeError("items are copied between folders of one server only")
        return writing.copy(self, entries, into.id, into.collection)

    def delete(self, entries: Sequence[Entry]) -> Iterator[tuple[Entry, Entry | Failed]]:
        return writing.delete(self, entries)


def _read_flag(is_read: bool) -> tuple[Flags, Flags]:
    seen: Flags = frozenset({Flag.SEEN})
    return (seen, frozenset()) if is_read else (frozenset(), seen)


def _name(entry: Entry) -> str:
    return entry.hints.label or entry.key or entry.id
