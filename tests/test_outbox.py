"""The outbox: durable before anybody relies on it, in order, one hand on each letter, and nothing forgotten after a crash."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from pathlib import Path

import pytest

from ews_bridge.envelope import Envelope
from ews_bridge.errors import DiskError
from ews_bridge.outbox import Letter
from ews_bridge.outbox import Outbox
from ews_bridge.outbox import new_letter

MESSAGE = Envelope(
    b"Subject: s\n\n", memoryview(b"body"), ("b@x.test",), ("b@x.test",), (), (), exact=False, sender="a@x.test", subject="s"
)


@pytest.fixture
def outbox(tmp_path: Path) -> Outbox:
    return Outbox(tmp_path / "outbox")


def add(outbox: Outbox) -> Letter:
    with outbox.added((MESSAGE.head, MESSAGE.body), new_letter(MESSAGE, state="queued")) as claim:
        return claim.letter


def test_what_was_added_is_there_as_it_was_in_order(outbox: Outbox) -> None:
    assert outbox.letters() == []
    added = [add(outbox) for _ in range(5)]
    assert outbox.letters() == added
    with outbox.claimed(added[2].id) as claim:
        assert claim is not None
        assert b"".join(claim.pieces()) == b"Subject: s\n\nbody"
        claim.gone()
    assert outbox.letters() == added[:2] + added[3:]


def test_a_letter_is_in_one_hand_at_a_time(outbox: Outbox) -> None:
    with outbox.added((b"x",), new_letter(MESSAGE, state="sending")) as claim:
        with outbox.claimed(claim.letter.id) as other:
            assert other is None
        claim.become("unknown", reason="no answer")
    with outbox.claimed(claim.letter.id) as later:
        assert later is not None
        assert (later.letter.state, later.letter.reason, later.letter.attempts) == ("unknown", "no answer", 1)
        later.gone()
    with outbox.claimed(claim.letter.id) as gone:
        assert gone is None


def test_who_waited_for_a_letter_that_left_does_not_get_it(outbox: Outbox, tmp_path: Path) -> None:
    letter = add(outbox)
    os.unlink(tmp_path / "outbox/queue" / f"{letter.id}.json")  # the one who held it was about to remove the message, too
    with outbox.claimed(letter.id) as claim:
        assert claim is None


def test_what_failed_is_kept_with_its_reason(outbox: Outbox, tmp_path: Path) -> None:
    letter = add(outbox)
    with outbox.claimed(letter.id) as claim:
        assert claim is not None
        claim.fail("the server says no")
    assert outbox.letters() == []
    assert [(each.id, each.state, each.reason) for each in outbox.failed()] == [(letter.id, "failed", "the server says no")]
    assert (tmp_path / "outbox/failed" / f"{letter.id}.eml").read_bytes() == b"Subject: s\n\nbody"
    assert list((tmp_path / "outbox/queue").iterdir()) == []


def test_a_crash_leaves_what_can_be_finished(outbox: Outbox, tmp_path: Path) -> None:
    letter = add(outbox)
    queue = tmp_path / "outbox/queue"
    with outbox.claimed(letter.id) as claim:
        assert claim is not None
        claim.become("failed", reason="no")  # and then the power failed
    for name in ("1.eml", "1.eml.tmp", "2.eml"):  # a message that was not accepted yet
        (queue / name).write_bytes(b"half")
    os.utime(queue / "1.eml", (0, 0))
    os.utime(queue / "1.eml.tmp", (0, 0))
    assert outbox.letters() == []
    assert [each.id for each in outbox.failed()] == [letter.id]
    outbox.tidy()
    assert [each.id for each in outbox.failed()] == [letter.id]
    assert [path.name for path in queue.iterdir()] == ["2.eml"], "a fresh one may be somebody's who is just writing it"


def test_files_are_private(outbox: Outbox, tmp_path: Path) -> None:
    add(outbox)
    for path in (tmp_path / "outbox").rglob("*"):
        assert path.stat().st_mode & 0o077 == 0, path


def test_a_letter_that_cannot_be_read_is_said_and_not_skipped(outbox: Outbox, tmp_path: Path) -> None:
    letter = add(outbox)
    (tmp_path / "outbox/queue" / f"{letter.id}.json").write_text("{")
    with pytest.raises(DiskError, match="cannot read"):
        outbox.letters()


def test_ids_sort_by_time_and_tokens_differ() -> None:
    made: list[Letter] = []
    for _ in range(50):
        made.append(new_letter(MESSAGE, state="queued"))
        time.sleep(0.0001)
    assert [each.id for each in made] == sorted(each.id for each in made)
    assert len({each.token for each in made}) == 50
    assert replace(made[0], subject="").label == "message to b@x.test"
