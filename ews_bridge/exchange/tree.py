"""`store.Tree` over the folders of one mailbox below the message root: listing, stamps, and changes of folders.

Folders keep their ids when they are renamed or moved. Special folders are known by their distinguished names, never by what
they are called. What a folder holds is told by its label: "IPF.Note" is mail; "hidden", "search" and the classes of
calendars, contacts and tasks are none.

Must never do: delete a folder with something in it; loop on a listing that makes no sense.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from lxml import etree

from ews_bridge.errors import BadItem
from ews_bridge.errors import Stale
from ews_bridge.errors import Unavailable
from ews_bridge.exchange import asking
from ews_bridge.exchange import bulk
from ews_bridge.exchange import faults
from ews_bridge.exchange import mail
from ews_bridge.exchange import soap
from ews_bridge.exchange.creating import Dates
from ews_bridge.exchange.folder import ExchangeFolder
from ews_bridge.exchange.session import Connection
from ews_bridge.exchange.survey import Survey
from ews_bridge.exchange.survey import refuse_access
from ews_bridge.exchange.survey import survey
from ews_bridge.model import Entry
from ews_bridge.model import Hints
from ews_bridge.model import Known
from ews_bridge.model import Scan
from ews_bridge.names import path_of
from ews_bridge.names import unescape
from ews_bridge.store import Store

if TYPE_CHECKING:  # not needed where only mail is synced
    from ews_bridge.exchange.form import Form
    from ews_bridge.exchange.items import Ids
    from ews_bridge.exchange.meetingmail import MeetingMail
    from ews_bridge.exchange.tagging import Tagging

#: Asked for by name; what a mailbox does not have is absent from the answer.
_ROLES = ("msgfolderroot", "inbox", "sentitems", "drafts", "deleteditems", "junkemail", "outbox", "calendar", "contacts", "tasks")

#: Labels of what has no folder class of its own to go by.
_LABELS = {
    "Folder": "IPF.Note",
    "CalendarFolder": "IPF.Appointment",
    "ContactsFolder": "IPF.Contact",
    "TasksFolder": "IPF.Task",
}
_ELEMENTS = {folder_class: element for element, folder_class in _LABELS.items()}

_GONE = frozenset({"ErrorFolderNotFound", "ErrorItemNotFound", "ErrorObjectNotFound"})


@dataclass(frozen=True, slots=True)
class _Node:
    """A folder as the server lists it. `name` is "" where only its path is known, whose last component then is `component`."""

    id: str
    parent: str
    name: str = ""
    label: str = ""
    component: str = ""


def is_of(label: str, folder_class: str) -> bool:
    """Whether a folder with this label is of that class (PidTagContainerClass 0x3613), or of one derived from it."""
    return label == folder_class or label.startswith(f"{folder_class}.")


class ExchangeTree:
    """All folders; where there is a `form`, only those of its class that are not in Deleted Items.

    `special`: the answer of an earlier `special()`, so that it is asked once in the life of a mailbox. `delete`: what becomes
    of deleted mail after it was moved to Deleted Items: "trash" (it stays), "soft" or "hard". `ids`, and `meetings` by
    collection: see `ItemFolder`. `tagging`: the mailbox's tags, where they are synced; `dates`: by path, see `creating.Dates`.
    `adopting`: whether a collection has files that may be what its folder holds (see `ExchangeFolder`).
    """

    def __init__(
        self,
        connection: Connection,
        *,
        special: Mapping[str, str] | None = None,
        delete: str = "trash",
        adopting: Callable[[int], bool] = lambda _: False,
        tagging: Tagging | None = None,
        form: Form | None = None,
        ids: Ids = lambda _: {},
        meetings: Callable[[int], MeetingMail] = lambda _: MeetingMail(),
    ) -> None:
        self.connection, self.tagging, self._adopting = connection, tagging, adopting
        self._form = form
        self._class = form.folder_class if form else _LABELS["Folder"]
        self._meetings = meetings
        self._items: Callable[..., Store] | None = None
        if form:
            from ews_bridge.exchange import items

            self._items = partial(items.ItemFolder, connection, form=form, kept=items.Kept(), ids=ids)
        self._thrown: set[str] = set()  # the folders below Deleted Items, as listed last
        self._delete_type = {"trash": "MoveToDeletedItems", "soft": "SoftDelete", "hard": "HardDelete"}[delete]
        self._special = dict(special or {})
        self.dates: dict[str, Dates] = {}
        self._paths: dict[str, Entry] = {}  # by path, filled when a folder is to be made or moved

    def special(self) -> dict[str, str]:
        """Distinguished name → FolderId, to be remembered: these ids never change."""
        if not self._special:
            ids = [asking.distinguished(name, self.connection.settings.mailbox) for name in _ROLES]
            found = bulk.get_folders(self.connection, ids, "")
            for name, answer in zip(_ROLES, found, strict=True):
                if answer.ok:
                    self._special[name] = _folder_id(answer.element)
            if not self._special.get("msgfolderroot"):
                refuse_access(self.connection, found[0].code, found[0].why())
                raise Unavailable(f"the server does not show the mailbox: {found[0].why()}")
        return dict(self._special)

    def scan(self, cursor: str, known: Known) -> Iterator[Scan]:
        """One `Scan`: paths are known when all has been listed. The cursor is the SyncState.

        A folder whose path changed with its parent's is listed, too. A listing of changes that makes no sense is replaced by a
        full one; in a full one, a folder whose parent is not there stands at the top.
        """
        try:
            yield from self._scan(cursor, known)
        except faults.Fault as error:
            refuse_access(self.connection, error.code, str(error))
            raise

    def _scan(self, cursor: str, known: Known) -> Iterator[Scan]:
        self._paths = {}
        state, lost = cursor, False
        if state:
            self.special()
            try:
                nodes, vanished, state = self._changes(state)
                entries = self._merged(nodes, vanished, known) if nodes else ()
                if entries is not None:
                    yield Scan(entries, tuple(vanished), cursor=state, last=True)
                    return
            except bulk.StateLost:
                lost = True
        # Everything anew, the special folders first: of a mailbox that was moved or made anew, their ids are others, too.
        self._special = {} if cursor and (lost or not self._form) else self._special
        self.special()
        nodes, _, state = self._changes("")
        yield Scan(tuple(filter(self._wanted, self._entries(nodes))), cursor=state, first=True, last=True)

    def _wanted(self, entry: Entry) -> bool:
        return self._form is None or (is_of(entry.hints.label, self._class) and entry.id not in self._thrown)

    def survey(self) -> Survey:
        """How all folders stand. Raises AuthError where the whole mailbox may not be seen."""
        return survey(self.connection)

    def open(self, entry: Entry, collection: int) -> Store:
        special = self.special()
        bin_ = special.get("deleteditems", "")
        if self._items is not None:
            return self._items(entry.id, collection, trash=bin_, tagging=self.tagging, meetings=self._meetings(collection))
        return ExchangeFolder(
            self.connection,
            entry.id,
            collection,
            sent_items=entry.id == special.get("sentitems"),
            staging=special.get("drafts", "") if entry.id == special.get("sentitems") else "",
            drafts=entry.id == special.get("drafts"),
            trash=bin_,
            delete_type=self._delete_type,
            adopting=partial(self._adopting, collection),
            tagging=self.tagging,
            dates=self.dates.setdefault(entry.key, Dates()),
        )

    # ---- changes of folders

    def create(self, path: str) -> Entry:
        """Make a folder of the tree's kind. Its parent must be there; the folder itself may be."""
        parent, _, component = path.rpartition("/")
        there = self._listed().get(path)
        if there is not None:
            return self._own(there)
        form = {"folder_class": self._class, "element": _ELEMENTS.get(self._class, "Folder")}
        operation = asking.create_folder(self._parent_id(parent), unescape(component), **form)
        try:
            answer = bulk.single(self.connection, operation, repeat=False)
        except faults.Fault as error:
            self._paths = {}
            if error.code == "ErrorFolderExists" and (same := self._same(path)):
                return self._own(same)
            raise BadItem(f"folder {path} cannot be created: {error}") from error
        made = Entry(_folder_id(answer.element), path, hints=Hints(label=self._class))
        self._paths[path] = made
        return made

    def _own(self, entry: Entry) -> Entry:
        """The folder, if it is of the kind that this tree is of."""
        if self._form is not None and not is_of(entry.hints.label, self._class):
            raise BadItem(f"{entry.key} on the server holds something else", hint="give the directory another name")
        return entry

    def move(self, entry: Entry, path: str) -> Entry:
        """Rename, move, or both. There already: nothing is done. Renamed by somebody else since it was listed: `Stale`."""
        paths = self._listed()
        now = next((there for there in paths.values() if there.id == entry.id), None)
        if now is None:
            raise BadItem(f"folder {entry.key} is no longer there")
        if now.key == path:
            return now
        if entry.id in self._special.values():
            raise BadItem(f"folder {entry.key} belongs to the mailbox and cannot be moved")
        # Its name alone: a folder above it may just have been moved by us.
        if now.key.rpartition("/")[2] != entry.key.rpartition("/")[2]:
            raise Stale(f"folder {entry.key} was renamed on the server meanwhile: it is {now.key}")
        old_parent, _, old = now.key.rpartition("/")
        parent, _, component = path.rpartition("/")
        ident = entry.id
        try:
            if parent != old_parent:
                moved = bulk.single(self.connection, asking.move_folder(ident, self._parent_id(parent)), repeat=False)
                ident = _folder_id(moved.element)
            if component != old:
                bulk.single(self.connection, asking.rename_folder(ident, unescape(component)), repeat=False)
        except faults.Fault as error:
            raise BadItem(f"folder {entry.key} cannot become {path}: {error}") from error
        finally:
            self._paths = {}
        return Entry(ident, path, hints=now.hints)

    def delete(self, entry: Entry) -> None:
        """Into Deleted Items, when there is nothing in it, hidden from us or not."""
        if entry.id in self._special.values():
            raise BadItem(f"folder {entry.key} belongs to the mailbox and cannot be deleted")
        fields = "".join(map(asking.field, ("folder:TotalCount", "folder:ChildFolderCount")))
        (answer,) = bulk.get_folders(self.connection, [asking.folder_id(entry.id)], fields)
        if answer.code in _GONE:
            return
        if not answer.ok:
            raise BadItem(f"folder {entry.key} cannot be deleted: {answer.why()}")
        counts = [answer.element.findtext(f".//{{{soap.TYPES}}}{name}") for name in ("TotalCount", "ChildFolderCount")]
        if counts != ["0", "0"]:
            raise BadItem(f"folder {entry.key} is not empty on the server and was left there")
        try:
            bulk.single(self.connection, asking.delete_folder(entry.id), repeat=False)
        except faults.Fault as error:
            if error.code not in _GONE:
                raise BadItem(f"folder {entry.key} cannot be deleted: {error}") from error
        self._paths = {}

    def _listed(self) -> dict[str, Entry]:
        """All folders by path, listed once for several changes."""
        if not self._paths:
            self.special()
            nodes = [_node(element) for element in bulk.find_folders(self.connection, asking.FOLDER_FIELDS)]
            entries = self._entries({node.id: node for node in nodes})
            self._paths = {entry.key: entry for entry in entries}
        return self._paths

    def _parent_id(self, path: str) -> str:
        if not path:
            return asking.distinguished("msgfolderroot", self.connection.settings.mailbox)
        parent = self._listed().get(path) or self._same(path)
        if parent is None:
            raise BadItem(f"there is no folder {path} on the server")
        return asking.folder_id(parent.id)

    def _same(self, path: str) -> Entry | None:
        """By a path that differs in case only: to the server that is the same name."""
        return next((entry for key, entry in self._listed().items() if key.casefold() == path.casefold()), None)

    # ---- listing

    def _changes(self, state: str) -> tuple[dict[str, _Node], dict[str, None], str]:
        """Everything since a state: (changed folders, those that are gone, the new state).

        Some servers answer HTTP 500 to this with properties: then the ids, and the properties in batches.
        """
        try:
            return self._pages(state, asking.FOLDER_FIELDS, tries=2)
        except (faults.Fault, faults.Lost) as error:
            if isinstance(error, faults.Lost) and not error.reached:
                raise
        ids, vanished, after = self._pages(state, "", tries=0)
        return self._described(ids), vanished, after

    def _pages(self, state: str, fields: str, *, tries: int) -> tuple[dict[str, _Node], dict[str, None], str]:
        nodes: dict[str, _Node] = {}
        vanished: dict[str, None] = {}
        while True:
            page = bulk.sync_hierarchy(self.connection, state, fields, tries=tries)
            _take(page, nodes, vanished)
            state = page.state
            if page.last:
                return nodes, vanished, state

    def _described(self, ids: Mapping[str, _Node]) -> dict[str, _Node]:
        nodes: dict[str, _Node] = {}
        answers = bulk.get_folders(self.connection, [asking.folder_id(ident) for ident in ids], asking.FOLDER_FIELDS)
        for ident, answer in zip(ids, answers, strict=True):
            element = answer.element.find(f"{{{soap.MESSAGES}}}Folders/*")
            if answer.ok and element is not None:
                nodes[ident] = _node(element)
            elif answer.code not in _GONE:
                # A folder left out would look deleted.
                raise Unavailable(f"a folder cannot be read: {answer.why()}")
        return nodes

    def _merged(self, changed: dict[str, _Node], vanished: Mapping[str, None], known: Known) -> tuple[Entry, ...] | None:
        """The changed folders and the known ones whose paths changed with them; None when a parent is missing.

        Also None where only the folders of one kind are known: what they are in may be any other.
        """
        if self._form is not None:
            return None
        before = {ident: entry for ident, entry in known().items() if ident not in vanished}
        ids = {entry.key: entry.id for entry in before.values()}
        nodes: dict[str, _Node] = {}
        for ident, entry in before.items():
            parent, _, component = entry.key.rpartition("/")
            above = ids.get(parent, "") if parent else self._special["msgfolderroot"]
            nodes[ident] = _Node(ident, above, label=entry.hints.label, component=component)
        nodes |= changed
        nodes.pop(self._special["msgfolderroot"], None)
        roots = {*nodes, self._special["msgfolderroot"]}
        if any(node.parent not in roots for node in changed.values() if node.id in nodes):
            return None
        entries = self._entries(nodes)
        return tuple(e for e in entries if e.id in changed or e.key != before[e.id].key)

    def _entries(self, nodes: Mapping[str, _Node]) -> tuple[Entry, ...]:
        """Every folder with its path, parents before children."""
        root = self._special["msgfolderroot"]
        paths: dict[str, str] = {root: ""}
        for start in nodes:
            chain: list[str] = []
            ident = start
            while ident not in paths:
                chain.append(ident)
                paths[ident] = ""  # a cycle ends here, and hangs from the top
                ident = nodes[ident].parent if nodes[ident].parent in nodes or nodes[ident].parent == root else root
            for ident in reversed(chain):
                paths[ident] = self._path(nodes[ident], paths.get(nodes[ident].parent, ""))
        bin_ = paths.get(self._special.get("deleteditems", ""), "")
        self._thrown = {i for i, path in paths.items() if bin_ and path.startswith(f"{bin_}/")}
        found = [Entry(i, paths[i], hints=Hints(label=node.label)) for i, node in nodes.items() if i != root]
        return tuple(sorted(found, key=lambda entry: entry.key.count("/")))

    def _path(self, node: _Node, parent: str) -> str:
        if node.component and node.id != self._special.get("inbox"):
            # Known by its path only; the component is spelt as it must be. At the top another spelling may be due.
            return path_of(parent, unescape(node.component))
        return path_of(parent, node.name, is_inbox=node.id == self._special.get("inbox"))


def _take(page: bulk.Page, nodes: dict[str, _Node], vanished: dict[str, None]) -> None:
    for kind, change in page.changes:
        if kind in ("Create", "Update"):
            element = next((e for e in change if isinstance(e.tag, str)), None)
            if element is not None and (node := _node(element)).id:
                nodes[node.id] = node
                vanished.pop(node.id, None)
        elif kind == "Delete" and (ident := soap.attribute(change, "FolderId", "Id")):
            nodes.pop(ident, None)
            vanished[ident] = None


def _node(element: etree._Element) -> _Node:
    return _Node(
        soap.attribute(element, "FolderId", "Id"),
        soap.attribute(element, "ParentFolderId", "Id"),
        soap.text(element, "DisplayName"),
        _label(element),
    )


def _label(element: etree._Element) -> str:
    kind = soap.name(element)
    if mail.first(mail.extended(element), 0x10F4) in ("true", "1"):
        return "hidden"
    if kind == "SearchFolder":
        return "search"
    return soap.text(element, "FolderClass") or _LABELS.get(kind, "")


def _folder_id(answer: etree._Element) -> str:
    found = answer.find(f".//{{{soap.TYPES}}}FolderId")
    if found is None:
        raise Unavailable("the server did not say which folder it means")
    return str(found.get("Id", ""))
