"""Tags on Exchange: reading and writing them on items of any kind, and the mailbox's list of tags.

Two places (`tagconfig.PLACES`): "akonadi", the ids that Akonadi's EWS resource keeps in a named property (`akonadi.py`), and
"categories", which Outlook shows. Both are lists that are written as a whole, so only with the change key of what was read just
before; what a list holds beside our tags (ids without a name, hidden names) stays in it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from contextlib import contextmanager
from xml.sax.saxutils import escape

import pybase64
from lxml import etree

from ews_bridge.errors import Unavailable
from ews_bridge.exchange import akonadi
from ews_bridge.exchange import asking
from ews_bridge.exchange import bulk
from ews_bridge.exchange import faults
from ews_bridge.exchange import mail
from ews_bridge.exchange import soap
from ews_bridge.exchange.session import Connection
from ews_bridge.model import Tags

#: The list may be written by somebody else between our look and our write.
TRIES = 4

_CONFLICT = frozenset({"ErrorIrresolvableConflict", "ErrorStaleObject"})
_DENIED = "ErrorAccessDenied"
_NO_LIST = frozenset({"ErrorFolderNotFound", "ErrorInvalidOperation", "ErrorInvalidRequest", "ErrorItemNotFound"})
_TAGS = (asking.AKONADI_SET, "Tags")
_LIST = (asking.AKONADI_SET, "GlobalTags")
_LIST_VERSION = (asking.AKONADI_SET, "GlobalTagsVersion")
_FIELDS = {"akonadi": asking.TAGS, "categories": asking.field("item:Categories")}


class Tagging:
    """The tags of one mailbox. `places`: where they live; `hidden`: names that are none of ours. `known`: the names of ids as
    remembered; `unnamed`: the ids that items had and that no name was known of.
    """

    def __init__(
        self,
        connection: Connection,
        places: Sequence[str],
        *,
        hidden: Callable[[str], bool] = lambda name: False,
        known: Mapping[bytes, str] | None = None,
    ) -> None:
        self.connection = connection
        self.places = tuple(places)
        self.names = akonadi.Names(dict(known or {}))
        self.unnamed: set[bytes] = set()
        self._hidden = hidden
        self._lock = threading.Lock()
        self._asked_again = False
        self._last = akonadi.Listed()
        self._made: dict[bytes, akonadi.Record] = {}

    @property
    def fields(self) -> str:
        """What an item must be asked for."""
        return "".join(_FIELDS[place] for place in self.places) + ("" if "categories" in self.places else _FIELDS["categories"])

    # ---- the list

    def load(self) -> None:
        """Read the mailbox's list: one request, and none where Akonadi's store is not used. Where it may not be read (that of a
        shared mailbox belongs to its root), there is none: what is known stays.
        """
        if "akonadi" in self.places:
            with _allowed():
                listed, _ = self._listed()
                self.names = akonadi.names_of(listed, self.names.by_gid)

    def ensure(self, names: Iterable[str]) -> frozenset[str]:
        """Have an id for each of these names, in the mailbox's list, too. Returns those that have none, since who signs in may
        not write the list: that of a shared mailbox belongs to its root.
        """
        with self._lock:
            wanted = list(names)
            if "akonadi" in self.places and self.names.missing(wanted):
                with _allowed():
                    self._write(lambda: [akonadi.new_record(name) for name in self.names.missing(wanted)])
                return frozenset(self.names.missing(wanted))
            return frozenset()

    def rename(self, old: str, new: str) -> None:
        """Give every tag of the list that is called `old` the name `new`; nothing where there is none, or one with that name."""
        with self._lock:
            if "akonadi" not in self.places:
                return

            def records() -> list[akonadi.Record]:
                listed = self._last.records()
                taken = self.names.gid(new) is not None
                gids = [gid for gid, name in self.names.by_gid.items() if name == old and not taken]
                return [akonadi.renamed(listed[g], new) if g in listed else akonadi.new_record(new, g) for g in sorted(gids)]

            with _allowed():
                self._write(records)

    def confirm(self) -> None:
        """At the end of a run: what it wrote into the list is still there, or is written again."""
        with self._lock:
            if self._made:
                self._write(list)

    def _listed(self) -> tuple[akonadi.Listed, tuple[str, str]]:
        """The list as it is, and (id, change key) of its folder."""
        fields = asking.TAG_LIST + asking.TAG_LIST_VERSION
        root = asking.distinguished("msgfolderroot", self.connection.settings.mailbox)
        (answer,) = bulk.get_folders(self.connection, [root], fields)
        folder = answer.element.find(f"{{{soap.MESSAGES}}}Folders/*")
        if not answer.ok or folder is None:
            raise faults.Fault(f"the mailbox's list of tags cannot be read: {answer.why()}", code=answer.code)
        properties = mail.extended(folder)
        version = mail.number(mail.first(properties, _LIST_VERSION))
        self._last = akonadi.Listed(tuple(properties.get(_LIST, ())), version)
        where = soap.attribute(folder, "FolderId", "Id"), soap.attribute(folder, "FolderId", "ChangeKey")
        return self._last, where

    def _write(self, records: Callable[[], list[akonadi.Record]]) -> None:
        """Add or replace records in the list as it is at that moment, and read it back: not every server minds the change key,
        and somebody else may have written it in between. Then once more.
        """
        for _ in range(TRIES):
            listed, (ident, key) = self._listed()
            self.names = akonadi.names_of(listed, self.names.by_gid)
            there = listed.records()
            new = records() + [record for gid, record in self._made.items() if gid not in there]
            if not new:
                return
            after = listed.with_records(new)
            try:
                bulk.single(self.connection, asking.update_tag_list(ident, key, after.values, after.version), repeat=False)
            except faults.Fault as error:
                if error.code not in _CONFLICT:
                    raise
                continue
            again, _ = self._listed()
            if set(after.values) <= set(again.values):
                self.names = akonadi.names_of(again, self.names.by_gid)
                self._made |= {record.gid: record for record in new}
                return
        raise Unavailable("the mailbox's list of tags is being written by somebody else all the time")

    # ---- items

    def of(self, element: etree._Element) -> Tags:
        """What an item says, in names, as far as it was asked for `fields`."""
        found: dict[str, frozenset[str]] = {}
        categories = _categories(element)
        values = self._values(element)
        if "akonadi" in self.places:
            self._learn(values, categories)
            found["akonadi"] = self._shown(self.names.of(values))
        if "categories" in self.places:
            found["categories"] = self._shown(categories)
        return found

    def changes(self, element: etree._Element, wanted: Tags, name: str) -> str:
        """The field updates that give an item these tags; `name`: as which element it is written."""
        parts: list[str] = []
        now = self.of(element)
        if "akonadi" in wanted and wanted["akonadi"] != now["akonadi"]:
            values = self._values(element)
            kept = self._hidden_of(self.names.of(values))
            after = self.names.retagged(values, wanted["akonadi"] | kept)
            content = asking.extended(asking.TAGS, after)
            parts.append(asking.set_field(asking.TAGS, name, content) if after else asking.delete_field(asking.TAGS))
        if "categories" in wanted and wanted["categories"] != now["categories"]:
            before = _categories(element)
            kept = self._hidden_of(before)
            after = [c for c in before if c in wanted["categories"] or c in kept]
            after += sorted(wanted["categories"] - set(after))
            path = _FIELDS["categories"]
            parts.append(asking.set_field(path, name, _categories_xml(after)) if after else asking.delete_field(path))
        return "".join(parts)

    def creation(self, names: frozenset[str]) -> tuple[str, str, Tags]:
        """For a new item with these tags: its Categories element, its extended property, and what it will say."""
        if not self.places:
            return "", "", {}
        said: Tags = dict.fromkeys(self.places, names)
        if not names:
            return "", "", said
        there = names - self.ensure(names)
        values = self.names.retagged([], there) if "akonadi" in self.places else []
        said = {place: there if place == "akonadi" else names for place in self.places}
        categories = _categories_xml(sorted(names)) if "categories" in self.places else ""
        return categories, asking.extended(asking.TAGS, values) if values else "", said

    def _values(self, element: etree._Element) -> Sequence[str]:
        return mail.extended(element).get(_TAGS, ())

    def _learn(self, values: Sequence[str], categories: Sequence[str]) -> None:
        """An id without a name: the list may have it by now (asked for once), or the categories beside it tell."""
        unnamed = [gid for value in values if not self.names.name(gid := akonadi.gid_of(value))]
        if not unnamed:
            return
        with self._lock:
            if not self._asked_again:
                self._asked_again = True
                self.load()
            if found := akonadi.recovered(values, categories, self.names):
                self.names = akonadi.Names({**self.names.by_gid, **found})
            # Those that got their name only now, too: what was listed before does not show it.
            self.unnamed |= set(unnamed)

    def _shown(self, names: Iterable[str]) -> frozenset[str]:
        return frozenset(name for name in names if not self._hidden(name))

    def _hidden_of(self, names: Iterable[str]) -> frozenset[str]:
        return frozenset(name for name in names if self._hidden(name))


@contextmanager
def _allowed() -> Iterator[None]:
    """Leave undone what is not allowed."""
    try:
        yield
    except faults.Fault as error:
        if error.code != _DENIED:
            raise


def master_list(connection: Connection) -> dict[str, int] | None:
    """The mailbox's category list: name → colour (MS-OXOCFG 2.2.5.2.2, -1: none). {} where the server has none, None where it is
    not for who signs in: in a shared mailbox it belongs to the calendar.
    """
    try:
        answer = bulk.single(connection, asking.category_list(connection.settings.mailbox), repeat=True).element
    except faults.Fault as error:
        if error.code in _NO_LIST:
            return {}
        if error.code == _DENIED:
            return None
        raise
    packed = answer.findtext(f".//{{{soap.TYPES}}}XmlData") or ""
    try:
        root = etree.fromstring(
            pybase64.b64decode(packed, validate=True), etree.XMLParser(resolve_entities=False, no_network=True)
        )
    except (ValueError, etree.XMLSyntaxError):
        return {}
    found = [e for e in root.iter() if isinstance(e.tag, str) and etree.QName(e).localname == "category"]
    return {str(e.get("name")): _colour(str(e.get("color", ""))) for e in found if e.get("name")}


def _colour(text: str) -> int:
    return int(text) if text.lstrip("-").isdigit() else -1


def _categories(element: etree._Element) -> list[str]:
    found = element.find(f"{{{soap.TYPES}}}Categories")
    return [] if found is None else [e.text for e in found if isinstance(e.tag, str) and e.text]


def _categories_xml(names: Iterable[str]) -> str:
    return f"<t:Categories>{''.join(f'<t:String>{escape(name)}</t:String>' for name in names)}</t:Categories>"
