"""Operations that read items."""

from __future__ import annotations

from .. import query
from ..errors import ItemError
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
    page = Page.of_request(request, "Item")
    chosen = page.cut(query.sort(found, request.find(m("SortOrder"))))
    root = put(answer.success(), m("RootFolder"))
    page.describe(root)
    into = put(root, t("Items"))
    for item in chosen:
        shape.paint(into, item)
