"""Whether two From fields name one author: what decides whether a file and an item that never met are one message."""

from __future__ import annotations

import pytest

from ews_bridge.headers import author
from ews_bridge.headers import author_likeness
from ews_bridge.headers import author_of

BOB = "Bob Brown <bob@example.org>"


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (BOB, "bob@example.org bob brown"),
        ("BOB@Example.org", "bob@example.org"),
        ('"Brown, Bob" <bob@example.org>', "bob@example.org brown, bob"),
        ("=?utf-8?q?B=C3=B6b?= <bob@example.org>", "bob@example.org böb"),
        ("Bob Brown", " bob brown"),
        ("", ""),
        ("<>", " <>"),
    ],
)
def test_an_author_is_an_address_and_a_name(value: str, told: str) -> None:
    assert author_of(value) == told


def test_a_name_of_the_directory_is_no_address() -> None:
    assert author("Bob Brown", "/O=ORG/OU=EXCHANGE/CN=RECIPIENTS/CN=BOB") == " bob brown"


@pytest.mark.parametrize(
    ("other", "likeness"),
    [
        (BOB, 2),
        ("bob@EXAMPLE.org", 2),  # another spelling, no name
        ("Bob Brown <bob@was.example>", 2),  # the address changed
        ("bob brown", 2),  # a server that lists names only
        ("Robert <bob@example.org>", 2),
        ("", 1),
        ("Robert", 1),  # the directory's name for him, perhaps
        ("Robert <robert@example.org>", 0),
        ("Bob Brown via list <list@example.org>", 0),  # what a mailing list makes of it
    ],
)
def test_authors_are_two_only_where_address_and_name_say_so(other: str, likeness: int) -> None:
    assert author_likeness(author_of(BOB), author_of(other)) == author_likeness(author_of(other), author_of(BOB)) == likeness
