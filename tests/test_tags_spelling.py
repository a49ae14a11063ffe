"""What tags are called on disk: one to one, whatever the table says, and what goes nowhere."""

from __future__ import annotations

import hypothesis.strategies as st
from hypothesis import given

from ews_bridge.tags import Spelling

NAMES = st.sampled_from("abcdef")


@given(st.dictionaries(NAMES, NAMES).filter(lambda table: len(set(table.values())) == len(table)), st.frozensets(NAMES))
def test_every_table_is_one_to_one(table: dict[str, str], names: frozenset[str]) -> None:
    spelling = Spelling(table)
    assert all(spelling.disk_name(server) == disk for server, disk in table.items())
    assert len({spelling.disk_name(name) for name in "abcdef"}) == 6
    assert all(spelling.server_name(spelling.disk_name(name)) == name for name in "abcdef")
    assert spelling.read(spelling.written(names, ())) == names


def test_what_never_travels_is_hidden_on_both_sides_and_kept_where_it_is() -> None:
    spelling = Spelling({"Project X": "px"}, ("inbox", "lists/*", "p*"), longest=20)
    assert spelling.read({"inbox", "lists/a", "todo", "px"}) == {"todo"}
    assert spelling.hidden("lists/b") and spelling.hidden("Project X") and not spelling.hidden("todo")
    assert spelling.hidden("ł" * 11) and not spelling.hidden("ł" * 10)
    assert spelling.written({"new"}, {"inbox", "old"}) == {"new", "inbox"}


def test_what_xml_cannot_carry_goes_nowhere() -> None:
    assert Spelling().read({"a\x01b", "\ud800", " ", "fine"}) == {"fine"}
