"""Operations that read items."""

from __future__ import annotations

from .. import appointments
from .. import occurrences
from .. import people
from .. import properties
from .. import query
from ..contacts import DISPLAY_NAME
from ..errors import ItemError
from ..mapi import parse_time
from ..markup import Element
from ..markup import children
from ..markup import m
from ..markup import put
from ..markup import t
from ..query import Page
from ..rights import Right
from ..shapes import ItemShape
from ..shapes import item_shape
from ..store import Folder
from ..store import Item
from .call import Call
from .replies import Answer
from .targets import folder_of
from .targets import item_of

# Two years, with the days that leap years add.
WIDEST_VIEW = 2 * 366 * 86_400


def get_item(call: Call, request: Element) -> Element:
    answer = Answer("GetItem", "Items")
    shape: ItemShape | None = None
    for node in children(request.find(m("ItemIds"))):
        try:
            shape = shape or item_shape(request.find(m("ItemShape")), brief=False, user=call.user)
            item = item_of(call, node)
        except ItemError as error:
            answer.error(error)
            continue
        into = answer.success()
        try:
            shape.paint(into, item)
        except ItemError as error:
            answer.withdraw()
            answer.error(error)
    return answer.element


def find_item(call: Call, request: Element) -> Element:
    """FindItem; pages hold at most 1,000 items (EWSFindCountLimit)."""
    answer = Answer("FindItem")
    for node in children(request.find(m("ParentFolderIds"))):
        try:
            _find_in(call, folder_of(call, node, need=Right.READ), request, answer)
        except ItemError as error:
            answer.error(error)
    return answer.element


def _find_in(call: Call, folder: Folder, request: Element, answer: Answer) -> None:
    shape = item_shape(request.find(m("ItemShape")), brief=True, user=call.user)
    view = request.find(m("CalendarView"))
    if view is not None:
        _view(folder, view, request, shape, answer)
        return
    wanted = query.restriction(request.find(m("Restriction")))
    words = request.findtext(m("QueryString"))
    found: list[Item] = list(folder.items.values())
    if request.get("Traversal") == "Associated":
        found = []
    if wanted is not None:
        found = [item for item in found if wanted(item)]
    if words:
        matches = query.query(words)
        found = [item for item in found if matches(item)]
    names, order = request.find(m("ContactsView")), request.find(m("SortOrder"))
    if names is not None:
        found = _between(found, names)
    page = Page.of_request(request, "Item")
    chosen = page.cut(found if names is not None and order is None else query.sort(found, order))
    root = put(answer.success(), m("RootFolder"))
    page.describe(root)
    into = put(root, t("Items"))
    for item in chosen:
        shape.paint(into, item)


def _between(found: list[Item], view: Element) -> list[Item]:
    """ContactsView: the contacts and lists whose names lie between two, in the order of their names."""
    first, last = (people.folded(view.get(name) or "") for name in ("InitialName", "FinalName"))
    named = sorted((people.folded(properties.text(item, DISPLAY_NAME)), item.key, item) for item in found)
    chosen = [item for name, _, item in named if first <= name and (not last or name <= last)]
    return chosen[: int(view.get("MaxEntriesReturned") or len(chosen))]


def _view(folder: Folder, view: Element, request: Element, shape: ItemShape, answer: Answer) -> None:
    """A CalendarView: single items and occurrences, no series, in the order of their begin.

    ItemError: ErrorCalendarFolderIsInvalidForCalendarView, ErrorInvalidOperation with a restriction, an order or another
    traversal, ErrorCalendarEndDateIsEarlierThanStartDate, ErrorCalendarViewRangeTooBig.
    """
    if not folder.folder_class.startswith("IPF.Appointment"):
        raise ItemError("ErrorCalendarFolderIsInvalidForCalendarView")
    others = (m("Restriction"), m("SortOrder"), m("GroupBy"), m("QueryString"))
    if request.get("Traversal") != "Shallow" or any(request.find(tag) is not None for tag in others):
        raise ItemError("ErrorInvalidOperation")
    begin, end = parse_time(view.get("StartDate") or ""), parse_time(view.get("EndDate") or "")
    if end < begin:
        raise ItemError("ErrorCalendarEndDateIsEarlierThanStartDate")
    if end - begin > WIDEST_VIEW:
        raise ItemError("ErrorCalendarViewRangeTooBig")
    most = int(view.get("MaxEntriesReturned") or query.LIMIT)
    if most <= 0:
        raise ItemError("ErrorInvalidPagingMaxRows")
    found = [one for item in folder.items.values() if item.kind == "CalendarItem" for one in occurrences.within(item, begin, end)]
    found.sort(key=lambda one: (appointments.moment(one, appointments.START), one.key))
    root = put(answer.success(), m("RootFolder"))
    root.set("TotalItemsInView", str(len(found)))
    root.set("IncludesLastItemInRange", "true" if len(found) <= most else "false")
    into = put(root, t("Items"))
    for item in found[:most]:
        shape.paint(into, item)
