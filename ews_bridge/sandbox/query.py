"""Restrictions, sorting and paging of FindItem and FindFolder."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from . import content
from . import folder_properties
from . import headers as hdr
from . import kinds
from . import properties
from .dictionaries import entry_of
from .errors import ItemError
from .mapi import Value
from .mapi import parse_value
from .mapi import path_of
from .markup import Element
from .markup import children
from .markup import local
from .markup import m
from .markup import set_attribute
from .markup import t
from .store import Folder
from .store import Item

LIMIT = 1000
Any_ = TypeVar("Any_")
Test = Callable[[Any_], bool]
Getter = Callable[[Any_], Value | None]
Parser = Callable[[str], Value]


@dataclass(slots=True)
class Page:
    """One page of results: asked for by a request, and after `cut` told about in the answer."""

    maximum: int
    offset: int
    from_end: bool
    fraction: tuple[int, int] | None
    seek: Test[Item] | None = None
    total: int = 0
    next: int = 0

    @classmethod
    def of_request(cls, request: Element, what: str) -> Page:
        """Read the paging element (`what`: Item or Folder); ItemError for impossible values."""
        indexed = request.find(m(f"IndexedPage{what}View"))
        fractional = request.find(m(f"FractionalPage{what}View"))
        seeking = request.find(m("SeekToConditionPageItemView"))
        view = next((one for one in (indexed, fractional, seeking) if one is not None), None)
        if view is None:
            return cls(LIMIT, 0, from_end=False, fraction=None)
        maximum = int(view.get("MaxEntriesReturned") or LIMIT)
        if maximum <= 0:
            raise ItemError("ErrorInvalidPagingMaxRows")
        page = cls(min(maximum, LIMIT), 0, view.get("BasePoint") == "End", None)
        if seeking is not None:
            page.seek = restriction(seeking.find(t("Condition")))
        elif fractional is not None:
            top, bottom = int(view.get("Numerator") or 0), int(view.get("Denominator") or 1)
            if bottom <= 0 or top < 0 or top > bottom:
                raise ItemError("ErrorInvalidFractionalPagingParameters")
            page.fraction = (top, bottom)
        else:
            page.offset = int(view.get("Offset") or 0)
            if page.offset < 0:
                raise ItemError("ErrorInvalidIndexedPagingParameters")
        return page

    def cut(self, found: list[Any_]) -> list[Any_]:
        """The results on this page."""
        self.total = len(found)
        start = self.offset
        if self.fraction is not None:
            start = self.total * self.fraction[0] // self.fraction[1]
        if self.seek is not None:
            positions = range(self.total - 1, -1, -1) if self.from_end else range(self.total)
            start = next((at for at in positions if isinstance(one := found[at], Item) and self.seek(one)), self.total)
        elif self.from_end:
            stop = max(0, self.total - start)
            begin = max(0, stop - self.maximum)
            self.next = self.total - begin
            return found[begin:stop]
        chosen = found[start : start + self.maximum]
        self.next = min(start, self.total) + len(chosen)
        return chosen

    def describe(self, root: Element) -> None:
        """Set the paging attributes of the answer's RootFolder."""
        if self.fraction is not None:
            root.set("NumeratorOffset", str(self.next))
            root.set("AbsoluteDenominator", str(self.total))
        else:
            root.set("IndexedPagingOffset", str(self.next))
        root.set("TotalItemsInView", str(self.total))
        set_attribute(root, "IncludesLastItemInRange", "true" if self.next >= self.total else "false")


class FolderFilter:
    """A Restriction of FindFolder."""

    def __init__(self, restriction: Element | None) -> None:
        inner = children(restriction)
        self._test = expression(inner[0], _folder_getter) if inner else None

    def __call__(self, folder: Folder) -> bool:
        return self._test is None or self._test(folder)


def restriction(element: Element | None) -> Test[Item] | None:
    """A Restriction of FindItem as a test; None if there is none.  ItemError for what cannot be searched."""
    inner = children(element)
    return expression(inner[0], _item_getter) if inner else None


def expression(element: Element, getter: Callable[[Element], tuple[Getter[Any_], Parser]]) -> Test[Any_]:
    """A search expression as a test of whatever `getter` knows the properties of."""
    name = local(element)
    parts = children(element)
    if name in ("And", "Or"):
        tests = [expression(part, getter) for part in parts]
        if name == "And":
            return lambda one: all(test(one) for test in tests)
        return lambda one: any(test(one) for test in tests)
    if name == "Not":
        inner = expression(parts[0], getter)
        return lambda one: not inner(one)
    get, parse = getter(parts[0])
    if name == "Exists":
        return lambda one: get(one) not in (None, [])
    if name == "Excludes":
        mask = int(parts[1].get("Value") or "0", 0)
        return lambda one: not _as_int(get(one)) & mask
    if name == "Contains":
        return _contains(element, parts, get)
    return _comparison(name, parts[1], get, parse, getter)


def _as_int(value: Value | None) -> int:
    return value if isinstance(value, int) else 0


def _contains(element: Element, parts: list[Element], get: Getter[Any_]) -> Test[Any_]:
    mode = element.get("ContainmentMode") or "FullString"
    comparison = element.get("ContainmentComparison") or "Exact"
    wanted = _fold(parts[1].get("Value") or "", comparison)

    def matches(text: str) -> bool:
        text = _fold(text, comparison)
        if mode == "FullString":
            return text == wanted
        if mode == "Prefixed":
            return text.startswith(wanted)
        if mode == "PrefixOnWords":
            return re.search(r"(?<!\w)" + re.escape(wanted), text) is not None
        if mode == "ExactPhrase":
            return re.search(r"(?<!\w)" + re.escape(wanted) + r"(?!\w)", text) is not None
        return wanted in text

    def test(one: Any_) -> bool:
        value = get(one)
        if isinstance(value, list):
            return any(matches(str(each)) for each in value)
        return value is not None and matches(str(value))

    return test


def _fold(text: str, comparison: str) -> str:
    if "NonSpac" in comparison or "Loose" in comparison:
        text = "".join(one for one in unicodedata.normalize("NFD", text) if not unicodedata.combining(one))
    return text.casefold() if "IgnoreCase" in comparison or comparison == "Loose" else text


def _comparison(
    name: str,
    operand: Element,
    get: Getter[Any_],
    parse: Parser,
    getter: Callable[[Element], tuple[Getter[Any_], Parser]],
) -> Test[Any_]:
    inner = children(operand)[0]
    other: Getter[Any_]
    if local(inner) == "Constant":
        try:
            constant = parse(inner.get("Value") or "")
        except ItemError as failure:
            raise ItemError("ErrorInvalidRestriction") from failure

        def other(one: Any_) -> Value | None:
            return constant
    else:
        other = getter(inner)[0]
    compare = COMPARISONS.get(name)
    if compare is None:
        raise ItemError("ErrorInvalidRestriction")

    def test(one: Any_) -> bool:
        left, right = get(one), other(one)
        if isinstance(left, list) and not isinstance(right, list):
            return any(compare(_order(each), _order(right)) for each in left)
        # MAPI: a property that is not there is not equal to anything, and not greater or less than anything.
        if left is None or right is None:
            return name == "IsNotEqualTo" and left is not right
        return compare(_order(left), _order(right))

    return test


def _order(value: Value | None) -> tuple[int, object]:
    """A key under which values of any types compare; text compares without case, as a MAPI store does."""
    if isinstance(value, int):
        return 0, int(value)
    if isinstance(value, bytes):
        return 2, value
    if isinstance(value, list):
        return 3, "\0".join(str(one).casefold() for one in value)
    return 1, str(value if value is not None else "").casefold()


COMPARISONS: dict[str, Callable[[tuple[int, object], tuple[int, object]], bool]] = {
    "IsEqualTo": lambda left, right: left == right,
    "IsNotEqualTo": lambda left, right: left != right,
    "IsGreaterThan": lambda left, right: _less(right, left),
    "IsGreaterThanOrEqualTo": lambda left, right: not _less(left, right),
    "IsLessThan": lambda left, right: _less(left, right),
    "IsLessThanOrEqualTo": lambda left, right: not _less(right, left),
}


def _less(left: tuple[int, object], right: tuple[int, object]) -> bool:
    if left[0] != right[0]:
        return left[0] < right[0]
    if isinstance(left[1], int) and isinstance(right[1], int):
        return left[1] < right[1]
    if isinstance(left[1], bytes) and isinstance(right[1], bytes):
        return left[1] < right[1]
    return str(left[1]) < str(right[1])


SPECIAL: dict[str, Callable[[Item], Value | None]] = {
    "item:Body": content.plain_text,
    "item:TextBody": content.plain_text,
    "item:Preview": content.preview,
    "item:IsDraft": lambda item: item.draft,
    "item:IsRead": lambda item: item.read,
    "item:Culture": lambda item: "en-US",
    "item:ItemId": lambda item: item.mailbox.item_id(item),
    "item:ParentFolderId": lambda item: item.mailbox.folder_id(item.folder) if item.folder else None,
    "message:From": lambda item: _people(properties.envelope(item).author),
    "message:Sender": lambda item: _people(properties.envelope(item).sender),
    "message:ToRecipients": lambda item: _people(properties.envelope(item).to),
    "message:CcRecipients": lambda item: _people(properties.envelope(item).cc),
    "message:BccRecipients": lambda item: _people(properties.envelope(item).bcc),
}


def _people(addresses: tuple[hdr.Address, ...]) -> str:
    return "; ".join(f"{one.name} {one.address}".strip() for one in addresses)


def _item_getter(path: Element) -> tuple[Getter[Item], Parser]:
    """How to read the property a path names, and how to read a constant to compare it with."""
    if local(path) == "ExtendedFieldURI":
        found = path_of(path)
        kind = found.type.removesuffix("Array")
        return lambda item: properties.read(item, found.name, found.type), lambda text: parse_value(kind, [text])
    if local(path) == "IndexedFieldURI" and path.get("FieldURI") != "item:InternetMessageHeader":
        entry = entry_of(path)
        return lambda item: properties.read(item, entry.prop, "String"), lambda text: text
    if local(path) == "IndexedFieldURI":
        name = path.get("FieldIndex") or ""
        return lambda item: hdr.decode(hdr.first(hdr.split_message(item.mime)[0], name)), lambda text: text
    uri = path.get("FieldURI") or ""
    if uri in SPECIAL:
        is_bool = uri in ("item:IsDraft", "item:IsRead")
        return SPECIAL[uri], lambda text: parse_value("Boolean" if is_bool else "String", [text])
    field = kinds.BY_URI.get(uri)
    if field is None or field.prop is None:
        raise ItemError("ErrorUnsupportedPathForQuery")
    prop, kind, parse = field.prop, field.type, field.parse
    single = kind.removesuffix("Array")
    return lambda item: properties.read(item, prop, kind), parse or (lambda text: parse_value(single, [text]))


def _folder_getter(path: Element) -> tuple[Getter[Folder], Parser]:
    if local(path) == "ExtendedFieldURI":
        found = path_of(path)
        kind = found.type.removesuffix("Array")
        return lambda folder: folder_properties.read_folder(folder, found.name, found.type), lambda text: parse_value(
            kind, [text]
        )
    uri = path.get("FieldURI") or ""
    getters: dict[str, tuple[Getter[Folder], str]] = {
        "folder:DisplayName": (lambda folder: folder.name, "String"),
        "folder:FolderClass": (lambda folder: folder.folder_class, "String"),
        "folder:TotalCount": (lambda folder: len(folder.items), "Integer"),
        "folder:UnreadCount": (lambda folder: folder.unread, "Integer"),
        "folder:ChildFolderCount": (lambda folder: len(folder.children), "Integer"),
    }
    if uri not in getters:
        raise ItemError("ErrorUnsupportedPathForQuery")
    get, kind = getters[uri]
    return get, lambda text: parse_value(kind, [text])


def sort(items: list[Item], order: Element | None) -> list[Item]:
    """The items in the order asked for; without one, the newest arrival first."""
    if order is None:
        return sorted(items, key=lambda item: (item.received, item.uid), reverse=True)
    result = items
    for field_order in reversed(children(order)):
        path = children(field_order)[0]
        try:
            get, _ = _item_getter(path)
        except ItemError as failure:
            raise ItemError("ErrorUnsupportedPathForSortGroup") from failure
        keyed = [(_sort_key(get(item)), item) for item in result]
        keyed.sort(key=lambda pair: pair[0], reverse=field_order.get("Order") == "Descending")
        result = [item for _, item in keyed]
    return result


def _sort_key(value: Value | None) -> tuple[int, int, bytes]:
    if value is None:
        return -1, 0, b""
    if isinstance(value, int):
        return 0, int(value), b""
    if isinstance(value, bytes):
        return 2, 0, value
    return 1, 0, str(_order(value)[1]).encode("utf-8", "replace")


WORDS = re.compile(r'(?:(\w+):)?(?:"([^"]*)"|(\S+))')


def query(text: str) -> Test[Item]:
    """A QueryString (AQS), of which `subject:`, `from:`, `to:`, `cc:`, `body:` and bare words are understood."""
    tests: list[Test[Item]] = []
    for found in WORDS.finditer(text):
        where = (found[1] or "").lower()
        word = (found[2] if found[2] is not None else found[3] or "").strip("()").casefold()
        if not word or (not where and word in ("and",)):
            continue
        tests.append(_word_test(where, word))
    return lambda item: all(test(item) for test in tests)


def _word_test(where: str, word: str) -> Test[Item]:
    def test(item: Item) -> bool:
        seen = properties.envelope(item)
        texts: dict[str, Callable[[], str]] = {
            "subject": lambda: properties.text(item, properties.SUBJECT),
            "from": lambda: _people(seen.author),
            "to": lambda: _people(seen.to),
            "cc": lambda: _people(seen.cc),
            "body": lambda: content.plain_text(item),
        }
        chosen = [texts[where]] if where in texts else list(texts.values())
        return any(word in get().casefold() for get in chosen)

    return test
