"""Everything that calls sendmail spells its options in its own way; each spelling is understood, and no other guessed at."""

from __future__ import annotations

import pytest

from ews_bridge.errors import UsageError
from ews_bridge.sendargs import Arguments
from ews_bridge.sendargs import parse

BOB = ("bob@example.test",)

#: (who calls it so, the words, what is meant)
SPELLINGS = [
    ("neomutt", "-oem -oi -- bob@example.test", Arguments(recipients=BOB)),
    ("neomutt, 8 bit", "-oem -oi -B8BITMIME -- bob@example.test", Arguments(recipients=BOB)),
    (
        "neomutt, envelope",
        "-oem -oi -f a@b.test -N delay,failure -R hdrs -- bob@example.test",
        Arguments(recipients=BOB, sender="a@b.test"),
    ),
    ("git send-email", "-i bob@example.test", Arguments(recipients=BOB)),
    ("git send-email, envelope", "-i -f a@b.test bob@example.test", Arguments(recipients=BOB, sender="a@b.test")),
    ("cronie", "-FCronDaemon -i -odi -oem -oi -t -f root", Arguments(name="CronDaemon", from_headers=True, sender="root")),
    ("cron of Debian", "-FCronDaemon -i -B8BITMIME -oem root", Arguments(name="CronDaemon", recipients=("root",))),
    ("cron of the ISC", "-FCronDaemon -odi -oem -oi -t", Arguments(name="CronDaemon", from_headers=True)),
    ("systemd-cron", "-i -B 8BITMIME bob@example.test", Arguments(recipients=BOB)),
    ("busybox", "-ti", Arguments(from_headers=True)),
    ("mdadm", "-t -froot", Arguments(from_headers=True, sender="root")),
    ("anacron", "-FAnacron -odi root", Arguments(name="Anacron", recipients=("root",))),
    ("s-nail", "-i -- bob@example.test", Arguments(recipients=BOB)),
    ("at", "-i bob", Arguments(recipients=("bob",))),
    ("PHP", "-t -i", Arguments(from_headers=True)),
    ("mu4e", "-f a@b.test -oi -oem -odi bob@example.test", Arguments(recipients=BOB, sender="a@b.test")),
    ("Emacs and msmtp", "-f a@b.test --read-envelope-from -oi bob@example.test", Arguments(recipients=BOB, sender="a@b.test")),
    ("aerc and msmtp", "-a work --read-recipients", Arguments(account="work", from_headers=True)),
    (
        "msmtp, long",
        "--account=work --from=a@b.test -- bob@example.test",
        Arguments(account="work", recipients=BOB, sender="a@b.test"),
    ),
    ("msmtp, long apart", "--account work --file cfg bob@example.test", Arguments(account="work", config="cfg", recipients=BOB)),
    ("smartd", "-t -oi", Arguments(from_headers=True)),
    (
        "glued",
        "-awork -Ccfg -rx@y.test bob@example.test",
        Arguments(account="work", config="cfg", sender="x@y.test", recipients=BOB),
    ),
    ("grouped with a value at the end", "-tiFName", Arguments(from_headers=True, name="Name")),
    ("grouped with a value after it", "-tif a@b.test", Arguments(from_headers=True, sender="a@b.test")),
    ("options after recipients", "bob@example.test -oi -t", Arguments(recipients=BOB, from_headers=True)),
    ("two dashes", "-t -- -odd@example.test", Arguments(from_headers=True, recipients=("-odd@example.test",))),
    ("the sending mode", "-bm -v bob@example.test", Arguments(verbose=True, recipients=BOB)),
    ("the sending mode apart", "-b m bob@example.test", Arguments(recipients=BOB)),
    ("list", "-bp", Arguments(mode="list")),
    ("flush", "-q", Arguments(mode="flush")),
    ("flush with an interval", "-q30m", Arguments(mode="flush")),
    ("flush one account", "-a work -q", Arguments(mode="flush", account="work")),
    ("aliases", "-bi", Arguments(mode="aliases")),
    ("no aliases", "-n root", Arguments(no_aliases=True, recipients=("root",))),
    (
        "what means nothing",
        "-Ac -G -U -m -c -h3 -L tag -O Timeout=1m -o7 -p smtp -V id -X log -em bob@example.test",
        Arguments(recipients=BOB),
    ),
    ("nothing", "", Arguments()),
]


@pytest.mark.parametrize(
    ("words", "meant"), [(words, meant) for _, words, meant in SPELLINGS], ids=[name for name, _, _ in SPELLINGS]
)
def test_each_spelling_is_understood(words: str, meant: Arguments) -> None:
    assert parse("ews-send", words.split()) == meant


@pytest.mark.parametrize(
    "words", ["-bs", "-bt", "-bd", "-bv", "-b s", "-Mx", "-P", "--pretend", "--serverinfo", "-f", "-t -F", "-bp bob", "-z"]
)
def test_what_is_not_supported_is_refused(words: str) -> None:
    with pytest.raises(UsageError) as refused:
        parse("ews-send", words.split())
    assert refused.value.exit_code == 64


@pytest.mark.parametrize(
    "bad", ["bob@example.test\nBcc: eve@example.test", "bob@example.test\r", "bob\0@example.test", "bob\udcff@x.test"]
)
def test_no_value_can_become_a_header(bad: str) -> None:
    for words in (["-f", bad, "a@b.test"], ["-F", bad, "a@b.test"], ["--", bad]):
        with pytest.raises(UsageError):
            parse("ews-send", words)


def test_the_name_of_the_program_is_a_mode() -> None:
    assert parse("/usr/bin/mailq", []).mode == "list"
    assert parse("/usr/bin/newaliases", []).mode == "aliases"
    assert parse("/usr/sbin/sendmail", ["x@y.test"]).mode == "send"
