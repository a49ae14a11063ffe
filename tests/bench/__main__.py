"""`python -m tests.bench`: measure, print as it goes, and write the whole as Markdown."""

from __future__ import annotations

import argparse
import compileall
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.bench import table
from tests.bench.cases import CASES
from tests.bench.cases import Bench
from tests.bench.cases import elsewhere
from tests.bench.running import ROOT
from tests.bench.running import Server
from tests.bench.running import machine


def main() -> int:
    given = _arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the sandbox ends, and directories go
    # As an installation does. Where Python may not write what it compiled, each run would compile all modules anew (0.12 s).
    for code in ("ews_bridge", "tests/bench"):
        compileall.compile_dir(ROOT / code, quiet=1)
    # Below /var/tmp, which is a disk where /tmp may be memory.
    bench = Bench(given.directory, given.repeat or (1 if given.quick else 3), 20 if given.quick else 1)
    written: list[str] = []
    for line in _lines(given, bench):
        print(line, flush=True)
        written.append(line)
    given.output.write_text("\n".join(written) + "\n", encoding="utf-8")
    return 0


def _lines(given: argparse.Namespace, bench: Bench) -> Iterator[str]:
    yield "# ews-bridge: speed"
    yield ""
    yield from (f"- {fact}" for fact in machine(bench.directory))
    if given.url:
        command, user = given.password_command, given.user
        server = Server(given.url, user, given.email or user, given.auth, command, sandbox=False)
        yield f"- server: {given.url}"
        yield from elsewhere(bench, server)
        return
    yield "- server: the sandbox, in a process of its own on the same machine; each client run is a process of its own, too"
    for name in given.only or CASES:
        yield from CASES[name](bench)
    if bench.share == 1:
        yield from ("", "## Aims", "")
        yield from table.table(("", "aim", "measured", "met"), bench.aims)
    yield from ("", f"Load at the end: {os.getloadavg()[0]:.1f}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description="Measure ews-bridge against a bare floor.")
    parser.add_argument("--quick", action="store_true", help="a twentieth of the sizes, each once: does it work?")
    parser.add_argument("--only", action="append", choices=list(CASES), help="a part of it; may be repeated")
    parser.add_argument("--repeat", type=int, help="how often the short runs are repeated")
    parser.add_argument("--directory", type=Path, default=Path("/var/tmp"), help="on the disk that is measured (%(default)s)")
    parser.add_argument("--output", type=Path, default=Path("bench.md"), help="where the table goes (%(default)s)")
    other = parser.add_argument_group("another server, which is only read")
    other.add_argument("--url", help="its Exchange.asmx")
    other.add_argument("--user", help="the user name to sign in with")
    other.add_argument("--email", help="the mailbox, where it is not the user name")
    other.add_argument("--password-command", help="a shell line that prints the password")
    other.add_argument("--auth", choices=("basic", "ntlm"), default="basic", help="the floor knows only basic")
    given = parser.parse_args()
    if given.url and not (given.user and given.password_command):
        parser.error("--url wants --user and --password-command")
    return given


if __name__ == "__main__":
    sys.exit(main())
