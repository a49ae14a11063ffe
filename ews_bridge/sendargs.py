"""The command line of sendmail, as everything that calls sendmail writes it. Pure: words in, `Arguments` out.

Options stand glued to their value or apart from it, single ones are grouped, and they may follow recipients (getopt with the
letters of sendmail 8, Postfix and msmtp). What has no meaning here (`-i`, `-oem`, `-B8BITMIME`, `-N`, `-R`, …) is taken and
ignored: input is always read to its end, and every error ends the program. Another mode than sending, flushing and listing
is refused, and so is an option that nobody knows: a caller that means something must not be misunderstood.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import replace
from typing import Literal

from ews_bridge.errors import UsageError

Mode = Literal["send", "flush", "list", "help", "version", "aliases"]

#: Letters that stand alone and mean nothing here.
_IDLE = frozenset("imGcUxs")
#: Letters whose value, glued or apart, means nothing here.
_IDLE_WITH_VALUE = frozenset("ABDhLNOoRVXep")
#: Long options of msmtp and their short ones.
_LONG_WITH_VALUE = {"account": "a", "file": "C", "config": "C", "from": "f"}
LONG = ("read-recipients", "read-envelope-from", "help", "version")
#: All letters, for the manual's sake.
LETTERS = "".join(sorted({*_IDLE, *_IDLE_WITH_VALUE, *"tvnqdfrFaCbI"}))


@dataclass(frozen=True, slots=True)
class Arguments:
    """What was asked. `sender`: `-f`; `name`: `-F`; `config`: `-C`; `from_headers`: `-t`; `no_aliases`: `-n`."""

    mode: Mode = "send"
    recipients: tuple[str, ...] = ()
    from_headers: bool = False
    sender: str = ""
    name: str = ""
    account: str = ""
    config: str = ""
    no_aliases: bool = False
    verbose: bool = False


def parse(program: str, words: Sequence[str]) -> Arguments:
    """`program` is the name that it was called by: mailq and newaliases are modes. Raises UsageError."""
    called = os.path.basename(program)
    found = Arguments(mode="list" if called == "mailq" else "aliases" if called == "newaliases" else "send")
    rest = iter(words)
    for word in rest:
        if word == "--":
            found = replace(found, recipients=(*found.recipients, *rest))
        elif word.startswith("--"):
            found = _long(found, word[2:], rest)
        elif word.startswith("-") and len(word) > 1:
            found = _group(found, word[1:], rest)
        else:
            found = replace(found, recipients=(*found.recipients, word))
    _check(found)
    return found


def _group(found: Arguments, letters: str, rest: Iterator[str]) -> Arguments:
    """One word of options: letters that stand alone, and perhaps a last one whose value follows in the word or after it."""
    for position, letter in enumerate(letters):
        glued = letters[position + 1 :]

        def value(letter: str = letter, glued: str = glued) -> str:
            return glued or _next(f"-{letter}", rest)

        if letter in "tvn":
            found = _flag(found, letter)
        elif letter in _IDLE:
            pass
        elif letter in "qd":
            # The value (an interval, a queue id, a debug level) is glued or absent.
            return replace(found, mode="flush") if letter == "q" else found
        elif letter in _IDLE_WITH_VALUE:
            value()
            return found
        else:
            return _valued(found, letter, value)
    return found


def _flag(found: Arguments, letter: str) -> Arguments:
    match letter:
        case "t":
            return replace(found, from_headers=True)
        case "n":
            return replace(found, no_aliases=True)
    return replace(found, verbose=True)


def _valued(found: Arguments, letter: str, value: Callable[[], str]) -> Arguments:
    match letter:
        case "f" | "r":
            return replace(found, sender=value())
        case "F":
            return replace(found, name=value())
        case "a":
            return replace(found, account=value())
        case "C":
            return replace(found, config=value())
        case "b":
            return _mode(found, value())
        case "I":
            return replace(found, mode="aliases")
    raise UsageError(f"unknown option -{letter}", hint="man ews-send")


def _mode(found: Arguments, mode: str) -> Arguments:
    match mode:
        case "m":
            return found
        case "p":
            return replace(found, mode="list")
        case "i":
            return replace(found, mode="aliases")
    raise UsageError(f"the mode -b{mode} is not supported: only -bm (send) and -bp (list the outbox)", hint="man ews-send")


def _long(found: Arguments, word: str, rest: Iterator[str]) -> Arguments:
    name, equals, glued = word.partition("=")
    if name in _LONG_WITH_VALUE:
        return _valued(found, _LONG_WITH_VALUE[name], lambda: glued if equals else _next(f"--{name}", rest))
    if equals or name not in LONG:
        raise UsageError(f"unknown option --{name}", hint="man ews-send")
    match name:
        case "read-recipients":
            return _flag(found, "t")
        case "help":
            return replace(found, mode="help")
        case "version":
            return replace(found, mode="version")
    return found  # --read-envelope-from: Exchange takes the envelope's sender from the message anyway


def _next(option: str, rest: Iterator[str]) -> str:
    found = next(rest, None)
    if found is None:
        raise UsageError(f"option {option} needs a value", hint="man ews-send")
    return found


def _check(found: Arguments) -> None:
    """No value may hold a line end: it would become a header of its own."""
    for what, value in (("-f", found.sender), ("-F", found.name), *(("a recipient", each) for each in found.recipients)):
        if any(letter < " " or letter == "\x7f" or "\ud800" <= letter <= "\udfff" for letter in value):
            raise UsageError(f"{what} holds a line end, another control character or bytes that are no text: {value!r}")
    if found.mode in ("list", "aliases") and (found.recipients or found.from_headers):
        raise UsageError("this mode takes no recipients", hint="man ews-send")
