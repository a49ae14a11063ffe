"""`python -m ews_bridge.sandbox`: the sandbox without the rest of ews-bridge."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from . import rights
from .auth import SCHEMES
from .server import Settings
from .server import serve


def main(argv: list[str] | None = None) -> int:
    """Serve until a signal; the exit code is 0, 64 (usage) or 69 (the address or a file cannot be used)."""
    try:
        serve(_settings(argv))
    except ValueError as error:
        print(f"sandbox: {error}", file=sys.stderr)
        return 64
    except OSError as error:
        print(f"sandbox: {error}", file=sys.stderr)
        return 69
    return 0


def _settings(argv: list[str] | None) -> Settings:
    parser = argparse.ArgumentParser(prog="sandbox", description="Serve an Exchange that fits in memory.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0 (default): any free one")
    parser.add_argument("--user", action="append", metavar="ADDRESS:PASSWORD", help="may be given several times")
    parser.add_argument("--grant", action="append", default=[], metavar="USER:OWNER[/FOLDER]:RIGHT[,RIGHT]", help="repeatable")
    parser.add_argument("--seed", default="demo", metavar="demo|empty|bulk:COUNT[xSIZE][/FOLDERS]|FOLDER")
    parser.add_argument("--data", type=Path, metavar="FILE", help="keep the mailboxes in FILE")
    parser.add_argument("--auth", default="basic,ntlm", help=f"a list of: {', '.join(SCHEMES)}")
    parser.add_argument("--mime", choices=("regenerate", "keep"), default="regenerate")
    parser.add_argument("--rtt-ms", type=float, default=0, metavar="N", help="delay of each answer, in milliseconds")
    parser.add_argument("--mb-per-s", type=float, default=0, metavar="N", help="what each connection carries; 0: no limit")
    parser.add_argument("--ready-file", type=Path, metavar="FILE", help="write the URL there when connections are accepted")
    parser.add_argument("--language", default="en", help="of the folder names")
    given = parser.parse_args(argv)
    users = tuple(_user(text) for text in given.user) if given.user else Settings().users
    return Settings(
        host=given.host,
        port=given.port,
        users=users,
        grants=tuple(one for text in given.grant for one in rights.parse(text)),
        seed=given.seed,
        data=given.data,
        auth=frozenset(given.auth.replace(" ", "").lower().split(",")),
        mime=given.mime,
        rtt_ms=given.rtt_ms,
        rate=given.mb_per_s * 1e6,
        ready_file=given.ready_file,
        language=given.language,
    )


def _user(text: str) -> tuple[str, str]:
    address, colon, password = text.partition(":")
    if not colon or "@" not in address:
        raise ValueError(f"--user: ADDRESS:PASSWORD is wanted, not {text!r}")
    return address, password


if __name__ == "__main__":
    sys.exit(main())
