"""Tags in the head of a file: read as mail readers write them, written so that nothing else changes."""

from __future__ import annotations

import re
from collections.abc import Iterable

import hypothesis.strategies as st
import pytest
from hypothesis import given

from ews_bridge import labels
from ews_bridge.labels import Kind
from ews_bridge.labels import Said


def renewed(pieces: list[bytes], kind: Kind, tags: Iterable[str]) -> bytes:
    return b"".join(labels.renewed(pieces, lambda head: labels.rewritten(head, kind, frozenset(tags))))


HEAD = b"From: Bob <bob@example.test>\nSubject: x-keywords: none\n and a second line\nMessage-ID: <1@example.test>\n"


@pytest.mark.parametrize(
    ("kind", "line", "tags"),
    [
        (Kind.KEYWORDS, b"X-Keywords: todo, Project X\n", {"todo", "Project X"}),
        (Kind.KEYWORDS, b"x-keywords:todo,,\n Project\n X\n", {"todo", "Project X"}),
        (Kind.KEYWORDS, b"X-Keywords: a\nX-Keywords: b\n", {"a", "b"}),
        (Kind.KEYWORDS, b"X-Keywords: =?utf-8?q?Za=C5=BC=C3=B3=C5=82=C4=87?=, todo\n", {"Zażółć", "todo"}),
        (Kind.KEYWORDS, "X-Keywords: Zażółć\n".encode(), {"Zażółć"}),
        (Kind.KEYWORDS, b"X-Keywords: a%2C b, 100%\r\n", {"a, b", "100%"}),
        (Kind.KEYWORDS, b"X-Keywords:\n", set()),
        (Kind.KEYWORDS, b"X-Label: todo\n", set()),
        (Kind.LABEL, b"X-Label: todo Project%20X\n", {"todo", "Project X"}),
        (Kind.LABEL, b"X-Label: a,b\n", {"a,b"}),
    ],
)
def test_tags_are_read_as_readers_write_them(kind: Kind, line: bytes, tags: set[str]) -> None:
    assert labels.said(HEAD + line, kind).tags == tags


def test_a_label_with_spaces_is_one_tag_when_we_know_it_and_none_while_it_is_half_known() -> None:
    known = {"Project X", "Project X Y", "todo"}

    def of(label: str) -> Said:
        return labels.said(f"X-Label: {label}\n".encode(), Kind.LABEL, known)

    assert of("Project X") == Said(frozenset({"Project X"}))
    assert of("todo Project X Y") == Said(frozenset({"todo", "Project X Y"}))
    assert of("Project todo") == Said(frozenset({"todo"}), ("Project",))
    assert of("X Project") == Said(frozenset(), ("X", "Project"))
    assert of("project") == Said(frozenset({"project"})), "another word"
    kept = labels.rewritten(b"X-Label: Project todo\n", Kind.LABEL, {"new"}, known)
    assert kept == b"X-Label: new Project\n"


TAGS = st.frozensets(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20))
LINES = st.sampled_from([b"X-Keywords: a\n", b"X-Label: b c\n", b"x-keywords: d,\n e\n", b"Subject: s\n t\n", b"A: b\n"])
HEADS = st.lists(LINES, max_size=6).map(b"".join)


@given(HEADS, TAGS, st.sampled_from(Kind))
def test_what_is_written_is_read_again_and_all_other_lines_stay(head: bytes, tags: frozenset[str], kind: Kind) -> None:
    after = labels.rewritten(head, kind, tags)
    assert labels.said(after, kind).tags == tags
    assert kind.pattern.sub(b"", after) == kind.pattern.sub(b"", head)
    assert len(kind.pattern.findall(after)) == bool(tags) or after == head
    assert labels.rewritten(after, kind, tags) == after
    assert after.isascii() and all(len(line) < 998 for line in after.splitlines())


@given(st.lists(st.binary(max_size=30), max_size=4), TAGS)
def test_the_rest_of_a_file_is_never_touched(pieces: list[bytes], tags: frozenset[str]) -> None:
    body = b"".join(pieces)
    file = [HEAD[:20], HEAD[20:], b"\n", *pieces]
    after = renewed(file, Kind.KEYWORDS, tags)
    assert after.endswith(b"\n" + body) and after.startswith(HEAD)
    assert renewed([after], Kind.KEYWORDS, ()) == b"".join(file)


def test_line_ends_are_those_of_the_file() -> None:
    head = HEAD.replace(b"\n", b"\r\n")
    after = labels.rewritten(head, Kind.KEYWORDS, [f"a long tag {n}" for n in range(20)])
    assert after.startswith(head)
    assert len(re.findall(rb"(?<!\r)\n", after)) == 0
    assert renewed([head, b"\r\nbody\n"], Kind.LABEL, ["a"]) == head + b"X-Label: a\r\n\r\nbody\n"


@pytest.mark.parametrize("file", [b"", b"no head at all", b"A: b\n", b"A: b\n" * 100_000])
def test_a_file_whose_head_does_not_end_stays_as_it_is(file: bytes) -> None:
    assert renewed([file], Kind.KEYWORDS, ["a"]) == file


def test_a_message_without_a_head_gets_one() -> None:
    assert renewed([b"\nbody"], Kind.KEYWORDS, ["a"]) == b"X-Keywords: a\n\nbody"


def test_a_signed_part_is_never_touched() -> None:
    signed = (
        b'MIME-Version: 1.0\nContent-Type: multipart/signed; micalg=pgp-sha256; boundary="b"\n\n--b\n'
        b"X-Keywords: inner\nContent-Type: text/plain\n\nsigned\n--b\nContent-Type: application/pgp-signature\n\nx\n--b--\n"
    )
    after = renewed([signed], Kind.KEYWORDS, ["todo"])
    assert after.partition(b"\n\n")[2] == signed.partition(b"\n\n")[2]
    assert b"X-Keywords: todo\n" in after.partition(b"\n\n")[0] + b"\n"
