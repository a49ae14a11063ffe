"""Akonadi's store of tags: its records byte for byte, its list, and which ids have which names."""

from __future__ import annotations

import base64
import struct
import zlib

import hypothesis.strategies as st
import pytest
from hypothesis import given

from ews_bridge.exchange import akonadi
from ews_bridge.exchange.akonadi import Listed
from ews_bridge.exchange.akonadi import Names
from ews_bridge.exchange.akonadi import Record

UUID = b"6f1c2a34-0d5e-4b8a-9c77-2f0d8e6b1a55"
#: What Qt's own QDataStream and qCompress make of these.
GOLDEN = {
    "AAAAKHjaY2BgYCnJT8lnYGCQAWJGIOZgKGHIZ0hhAInB5BgAZocFUA==": Record(b"todo", "todo"),
    "AAAAaXjaY2Bg4IpKPLrn8OajTUfaGRgYwoGYEYh5GKIYEhlrGD4zOjGyM6CrAqlgDnF0B1JqGkoIKSUFJTgyUFLQ0AQhJV1DJU0A0WIaug==": Record(
        "Zażółć".encode(), "Zażółć", ((b"TAG", '("Zażółć" "" "" "" "0" () () "-1")'.encode()),)
    ),
    "AAAAuHjajYxBCsIwFERHvIEn+AQXyeJDEpu24sqV2y5cdJumabEohZJjeGi/eAGZGR6zeQCO9eSSj6eK7RgyV0Mb+Zyahv1kxzbXg4shAHjLdrIDOmxYsSAjoYDQ"
    "43/L17C/X2+Ci1bdti45FeoVqVd8PLnEec6jvF+tIu1DICsRGtKGFDtlPs3gJhI=": Record(
        UUID, "Project X", ((b"TAG", b'("Project X" "mail-tagged" "" "" "0" (255 0 0 255) () "-1")'),)
    ),
}


def unpacked(value: str) -> bytes:
    packed = base64.b64decode(value)
    data = zlib.decompress(packed[4:])
    assert struct.unpack(">I", packed[:4])[0] == len(data)
    return data


@pytest.mark.parametrize("value", GOLDEN)
def test_akonadis_records_are_read_and_written_bit_for_bit(value: str) -> None:
    assert akonadi.decoded(value) == GOLDEN[value]
    assert unpacked(akonadi.encoded(GOLDEN[value])) == unpacked(value)


def test_a_new_tag_is_what_kmail_would_have_written() -> None:
    made = akonadi.new_record("Zażółć", "Zażółć".encode())
    assert made in GOLDEN.values()
    fresh = akonadi.new_record("x")
    assert len(fresh.gid) == 36 and fresh.gid == fresh.gid.lower() and akonadi.own_name(fresh.gid) == ""


def as_akonadi_reads(value: str) -> bool:
    """Its parser takes the whole data for the attribute, from the first parenthesis on: is that where the attribute is?"""
    data = unpacked(value)
    (length,) = struct.unpack(">I", data[:4])
    tag = data[4 + length + 4 :]
    record = akonadi.decoded(value)
    assert record
    return not record.attributes or tag.find(b"(") == tag.find(record.attributes[0][1])


@given(st.text(max_size=50).filter(lambda text: not any(0xD800 <= ord(c) <= 0xDFFF for c in text)))
def test_whatever_a_tag_is_called_akonadi_can_read_its_record(name: str) -> None:
    value = akonadi.encoded(akonadi.new_record(name))
    assert as_akonadi_reads(value)
    found = akonadi.decoded(value)
    assert found and found.name == name


@pytest.mark.parametrize("name", ["with (parenthesis)", "twenty utf16 units!!", "⠨ braille", "twelve chars"])
def test_names_that_lead_akonadis_parser_astray_come_without_looks(name: str) -> None:
    record = akonadi.decoded(akonadi.encoded(akonadi.new_record(name)))
    assert record and record.name == name
    assert record.attributes == ()


@pytest.mark.parametrize(
    "value",
    ["", "no base64 ☠", "AAAA", base64.b64encode(b"\0\0\0\4" + zlib.compress(b"\0\0")).decode(), GOLDEN_CUT := "AAAAKHjaY2Bg"],
)
def test_what_is_no_record_is_none(value: str) -> None:
    assert akonadi.decoded(value) is None


def test_a_record_that_unpacks_without_end_is_none() -> None:
    bomb = base64.b64encode(struct.pack(">I", 1 << 30) + zlib.compress(bytes(64 << 20), 9)).decode()
    assert akonadi.decoded(bomb) is None


@given(st.binary(max_size=60))
def test_no_bytes_upset_the_reader(data: bytes) -> None:
    akonadi.decoded(base64.b64encode(struct.pack(">I", len(data)) + zlib.compress(data)).decode())


def test_renaming_keeps_looks_and_what_is_not_understood() -> None:
    record = akonadi.decoded(list(GOLDEN)[2])
    assert record
    more = Record(record.gid, record.name, (*record.attributes, (b"OTHER", b"\0\1(")))
    after = akonadi.renamed(more, 'the "new" one')
    assert after.attributes == (
        (b"TAG", b'("the \\"new\\" one" "mail-tagged" "" "" "0" (255 0 0 255) () "-1")'),
        (b"OTHER", b"\0\1("),
    )


# ---- the list


def test_the_list_only_grows_its_version_rises_and_what_nobody_understands_stays_byte_for_byte() -> None:
    values = (*GOLDEN, "garbage", next(iter(GOLDEN))[:-4])
    listed = Listed(values, 7)
    after = listed.with_records([akonadi.new_record("new", b"new")])
    assert after.version == 8
    assert after.values[: len(values)] == values
    assert after.records()[b"new"].name == "new"


def test_a_record_is_replaced_in_the_list_by_its_id() -> None:
    after = Listed(tuple(GOLDEN), 1).with_records([Record(b"todo", "to do")])
    assert len(after.values) == len(GOLDEN)
    assert after.records()[b"todo"].name == "to do"


def test_a_list_that_akonadi_cut_short_takes_no_name_away() -> None:
    whole = akonadi.names_of(Listed(tuple(GOLDEN), 1), {})
    short = akonadi.names_of(Listed(tuple(GOLDEN)[:1], 2), whole.by_gid)
    assert short.name(UUID) == "Project X"


# ---- ids


def test_ids_are_latin_1_on_the_wire() -> None:
    gid = "Zażółć".encode()
    assert akonadi.value_of(gid) == "ZaÅ¼Ã³Å\x82Ä\x87"
    assert akonadi.gid_of(akonadi.value_of(gid)) == gid


@given(st.binary(max_size=40))
def test_any_id_survives_the_wire(gid: bytes) -> None:
    assert akonadi.gid_of(akonadi.value_of(gid)) == gid


NAMES = Names({UUID: "Project X", b"todo": "todo", b"b-todo": "todo"})
UNKNOWN = "00000000-0000-4000-8000-000000000000"


def test_an_item_says_names_and_an_id_without_one_says_nothing() -> None:
    assert NAMES.of([UUID.decode(), "todo", UNKNOWN, akonadi.value_of("Zażółć".encode())]) == {"Project X", "todo", "Zażółć"}


def test_retagging_keeps_ids_without_a_name_and_those_of_names_that_stay() -> None:
    now = ["todo", UNKNOWN, UUID.decode()]
    assert NAMES.retagged(now, {"todo"}) == ["todo", UNKNOWN]
    assert NAMES.retagged(now, set()) == [UNKNOWN]
    assert NAMES.retagged([], {"Project X", "todo"}) == [UUID.decode(), "b-todo"]
    assert NAMES.missing({"todo", "new"}) == ["new"]


def test_names_are_recovered_from_the_categories_beside_the_ids() -> None:
    assert akonadi.recovered([UNKNOWN, "todo"], ["Lost", "todo"], NAMES) == {UNKNOWN.encode(): "Lost"}
    assert akonadi.recovered([UNKNOWN, "todo"], ["todo", "Lost"], NAMES) == {}, "not side by side"
    assert akonadi.recovered([UNKNOWN], ["Lost", "Red"], NAMES) == {}, "a category of Outlook's own is among them"
