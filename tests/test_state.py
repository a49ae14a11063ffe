"""The state file: an older one is brought up to date with all that it knows, a newer one is refused."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from ews_bridge import tables
from ews_bridge.errors import ConfigError
from ews_bridge.model import Flag
from ews_bridge.model import Row
from ews_bridge.state import State

OLD = Path(__file__).parent / "data/state/version-1.sql"


def shape(path: Path) -> dict[str, object]:
    """Every table with its columns, in no order, and every index."""
    database = sqlite3.connect(path)
    names = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    found: dict[str, object] = {
        name: {column[1:5] for column in database.execute(f"SELECT * FROM pragma_table_info('{name}')")} for name in names
    }
    indexes = database.execute("SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL")
    found |= {name: " ".join(sql.split()) for name, sql in indexes}
    return found


def test_an_older_state_is_brought_up_to_date_and_keeps_what_it_knows(tmp_path: Path) -> None:
    database = sqlite3.connect(tmp_path / "old")
    database.executescript(OLD.read_text())
    database.close()
    State.open(tmp_path / "new").close()
    state = State.open(tmp_path / "old")
    row = state.row(2)
    assert isinstance(row, Row) and row.link and row.local and row.remote
    assert row.local.flags == row.link.flags == {Flag.SEEN}
    assert row.local.tags == row.remote.tags == row.link.local.tags == {}
    assert state.count_differing() == 0
    assert [intent.token for intent in state.intents()] == ["token"]
    assert state.get("mailbox") == "alice@example.test"
    state.settle([row])
    state.close()
    assert shape(tmp_path / "old") == shape(tmp_path / "new")
    State.open(tmp_path / "old").close()


def test_a_newer_state_is_refused(tmp_path: Path) -> None:
    database = sqlite3.connect(tmp_path / "state")
    database.execute(f"PRAGMA user_version = {tables.VERSION + 1}")
    database.close()
    with pytest.raises(ConfigError, match="newer"):
        State.open(tmp_path / "state")


def test_what_is_written_together_is_all_there_or_nothing_is(tmp_path: Path) -> None:
    state = State.open(tmp_path / "state")
    with pytest.raises(ZeroDivisionError), state.together():
        state.put({"one": "1"})
        state.put({"two": str(1 // 0)})
    assert (state.get("one"), state.get("two")) == ("", "")
    with state.together():
        state.put({"one": "1"})
        state.put({"two": "2"})
    state.close()
    again = State.open(tmp_path / "state")
    assert (again.get("one"), again.get("two")) == ("1", "2")
    again.close()
