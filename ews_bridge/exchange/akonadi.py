"""Akonadi's store of tags, as its EWS resource keeps it in a mailbox: the records of its list, and the tags of an item. Pure.

On an item the property `Tags` holds the ids (GIDs) of its tags. On the top folder `GlobalTags` holds a record for each tag, with
its name, and `GlobalTagsVersion` a number that whoever writes the list must raise. A record is base64 of Qt's qCompress (the
length, big-endian, and a zlib stream) of a QDataStream (version Qt_5_4, big-endian):

    record = QByteArray gid, QByteArray data
    data   = quint32 1, QString name, QByteArray gid, qint32 count, count × (QByteArray type, QByteArray value)

An id is bytes and stands in the property as Latin-1. KMail's are random UUIDs; others are the name in UTF-8. Akonadi often
writes a list of only the tags that it has just touched: a record that is missing says nothing, and a list is only ever added to.

Must never do: drop an id that has no name here; change a record that it does not understand.
"""

from __future__ import annotations

import re
import struct
import uuid
import zlib
from collections.abc import Collection
from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass

import pybase64

#: A record larger than this, unpacked, is nobody's tag (a zlib stream can grow by a thousand).
RECORD_MAX = 1 << 20

_VERSION = 1
_NULL = 0xFFFFFFFF
#: Akonadi reads its attribute from the first "(" in the data on, wherever that is (unserializeTag).
_TRAP = b"("
_UUID = re.compile(rb"\{?[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\}?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Record:
    """A tag of the list. `attributes` as they stand: (type, value); KMail's looks are in one of type TAG."""

    gid: bytes
    name: str
    attributes: tuple[tuple[bytes, bytes], ...] = ()


# ---- records


def decoded(value: str) -> Record | None:
    """A value of `GlobalTags`; None for what is none."""
    try:
        packed = pybase64.b64decode(value, validate=True)
        stream = zlib.decompressobj()
        data = stream.decompress(packed[4:], RECORD_MAX)
        if not stream.eof:
            return None
        outer = _Reader(data)
        gid, tag = outer.array(), _Reader(outer.array())
        if tag.number() != _VERSION:
            return None
        name, _, count = tag.text(), tag.array(), tag.number()
        return Record(gid, name, tuple((tag.array(), tag.array()) for _ in range(count)))
    except (ValueError, zlib.error, struct.error):
        return None


def encoded(record: Record) -> str:
    """A value of `GlobalTags` that Akonadi can read: without the attributes where they would lead its parser astray."""
    data = _data(record)
    if record.attributes and data.find(_TRAP) != data.rfind(record.attributes[0][1]):
        data = _data(Record(record.gid, record.name))
    whole = _array(record.gid) + _array(data)
    packed: bytes = pybase64.b64encode(struct.pack(">I", len(whole)) + zlib.compress(whole, 9))
    return packed.decode("ascii")


def new_record(name: str, gid: bytes = b"") -> Record:
    """A tag as KMail makes one: a random id, and a TAG attribute that gives its name and no looks."""
    return Record(gid or str(uuid.uuid4()).encode("ascii"), name, ((b"TAG", _tag_attribute(name)),))


def renamed(record: Record, name: str) -> Record:
    """The same tag under another name. Its looks stay; other attributes, too."""
    attributes = tuple((kind, _renamed_attribute(value, name) if kind == b"TAG" else value) for kind, value in record.attributes)
    return Record(record.gid, name, attributes)


def _data(record: Record) -> bytes:
    attributes = b"".join(_array(kind) + _array(value) for kind, value in record.attributes)
    head = struct.pack(">I", _VERSION) + _text(record.name) + _array(record.gid)
    return head + struct.pack(">i", len(record.attributes)) + attributes


def _tag_attribute(name: str) -> bytes:
    """TagAttribute::serialized: name, icon, font, shortcut, in a toolbar, background, foreground, priority."""
    return f'({_quoted(name)} "" "" "" "0" () () "-1")'.encode()


def _renamed_attribute(value: bytes, name: str) -> bytes:
    found = re.match(rb'\("(?:[^"\\]|\\.)*"', value, re.DOTALL)
    return b"(" + _quoted(name).encode() + value[found.end() :] if found else value


def _quoted(text: str) -> str:
    """ImapParser::quote."""
    for plain, written in (("\\", "\\\\"), ('"', '\\"'), ("\n", "\\n"), ("\r", "\\r")):
        text = text.replace(plain, written)
    return f'"{text}"'


def _array(data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + data


def _text(text: str) -> bytes:
    return _array(text.encode("utf-16-be", "surrogatepass"))


class _Reader:
    """A QDataStream. Raises ValueError where it ends too early."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def number(self) -> int:
        return int(struct.unpack(">I", self._take(4))[0])

    def array(self) -> bytes:
        length = self.number()
        return b"" if length == _NULL else self._take(length)

    def text(self) -> str:
        return self.array().decode("utf-16-be", "replace")

    def _take(self, length: int) -> bytes:
        if self._at + length > len(self._data):
            raise ValueError("the record is cut short")
        self._at += length
        return self._data[self._at - length : self._at]


# ---- the list


@dataclass(frozen=True, slots=True)
class Listed:
    """The list as the server has it. `values` are kept as they came; those that nobody understands, too."""

    values: tuple[str, ...] = ()
    version: int = 0

    def records(self) -> dict[bytes, Record]:
        """By id; of several with one id the last, as Akonadi reads them."""
        return {record.gid: record for value in self.values if (record := decoded(value))}

    def with_records(self, more: Iterable[Record]) -> Listed:
        """The list to be written: these added, or in the place of those with their ids, and the version raised."""
        new = {record.gid: encoded(record) for record in more}
        kept = [value for value in self.values if not ((record := decoded(value)) and record.gid in new)]
        return Listed((*kept, *new.values()), max(self.version, 0) + 1)


# ---- ids and names


def gid_of(value: str) -> bytes:
    """The id in a value of `Tags`. What is not Latin-1 was never written by Akonadi: taken as UTF-8."""
    try:
        return value.encode("latin-1")
    except UnicodeEncodeError:
        return value.encode()


def value_of(gid: bytes) -> str:
    """An id as a value of `Tags`."""
    return gid.decode("latin-1")


def own_name(gid: bytes) -> str:
    """The name that an id itself is; "" for a UUID, which names nothing, and for what is no text."""
    try:
        return "" if _UUID.fullmatch(gid) else gid.decode()
    except UnicodeDecodeError:
        return ""


@dataclass(frozen=True, slots=True)
class Names:
    """Which name each id has, as far as is known: from the list as it is and as it was, and from the ids themselves."""

    by_gid: Mapping[bytes, str]

    def name(self, gid: bytes) -> str:
        """ "" where none is known: such a tag is left alone."""
        return self.by_gid.get(gid, "") or own_name(gid)

    def of(self, values: Iterable[str]) -> frozenset[str]:
        """What a `Tags` property says, in names."""
        return frozenset(name for value in values if (name := self.name(gid_of(value))))

    def gid(self, name: str) -> bytes | None:
        """The id for a name; of several the first in order. None: there is no such tag yet."""
        found = sorted(gid for gid, known in self.by_gid.items() if known == name)
        return found[0] if found else None

    def retagged(self, values: Sequence[str], wanted: Collection[str]) -> list[str]:
        """A `Tags` property that says `wanted`: ids without a name stay, and so do all ids of a name that stays.

        A name without an id is left out: give it one first (`missing`).
        """
        kept = [value for value in values if not (name := self.name(gid_of(value))) or name in wanted]
        said = self.of(kept)
        return kept + [value_of(gid) for name in sorted(set(wanted) - said) if (gid := self.gid(name)) is not None]

    def missing(self, wanted: Iterable[str]) -> list[str]:
        """Those of the names that have no id."""
        known = set(self.by_gid.values())
        return sorted(set(wanted) - known)


def names_of(listed: Listed, before: Mapping[bytes, str]) -> Names:
    """What the list says now, and for what is not in it what was known before: Akonadi's lists are cut short at times."""
    now = {gid: record.name for gid, record in listed.records().items() if record.name}
    return Names({**before, **now})


def recovered(values: Sequence[str], categories: Sequence[str], names: Names) -> dict[bytes, str]:
    """Names of ids that no list has, from the item's categories: Akonadi writes both lists side by side.

    Only where they are equally long and what is known agrees, each in its place.
    """
    gids = [gid_of(value) for value in values]
    if len(gids) != len(categories) or any((name := names.name(g)) and name != c for g, c in zip(gids, categories, strict=True)):
        return {}
    return {gid: name for gid, name in zip(gids, categories, strict=True) if not names.name(gid)}
