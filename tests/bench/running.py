"""Programs as measured children, the sandbox in a process of its own, and facts about the machine."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from collections.abc import Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

ROOT = Path(__file__).resolve().parent.parent.parent


@dataclass(frozen=True)
class Run:
    """What one run of a program cost: seconds, seconds of CPU, bytes at the peak, requests (None: nobody counted)."""

    wall: float
    cpu: float
    peak: int
    requests: int | None
    out: str


def measured(command: list[str], *, env: Mapping[str, str] | None = None, stdin: str = "") -> Run:
    """Run a program to its end, which must be a good one."""
    with tempfile.TemporaryFile("w+") as given, tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        given.write(stdin)
        given.seek(0)
        began = time.monotonic()
        process = subprocess.Popen(command, env=env, cwd=ROOT, stdin=given, stdout=out, stderr=err)
        # Its own figures; a child's maximum begins with what we ourselves hold, so this program stays small.
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.monotonic() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        err.seek(0)
        if process.returncode:
            raise SystemExit(f"{' '.join(command)}: exit code {process.returncode}\n{err.read()}{out.read()}")
        return Run(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024, None, out.read())


def middle(runs: list[Run]) -> Run:
    """The medians, each of its own."""
    requests = [run.requests for run in runs if run.requests is not None]
    return Run(
        median(run.wall for run in runs),
        median(run.cpu for run in runs),
        int(median(run.peak for run in runs)),
        int(median(requests)) if requests else None,
        runs[-1].out,
    )


@dataclass(frozen=True)
class Server:
    """Where a mailbox is. `sandbox`: it is ours, counts requests, and may be changed. `password_command` is a shell line."""

    url: str
    user: str
    email: str
    auth: str
    password_command: str
    sandbox: bool

    def password(self) -> str:
        asked = subprocess.run(self.password_command, shell=True, check=True, stdout=subprocess.PIPE, text=True)
        return asked.stdout.splitlines()[0]

    def reset(self) -> None:
        if self.sandbox:
            self._control("DELETE")

    def requests(self) -> int | None:
        """How many the sandbox was sent since the reset."""
        return int(self._control("GET")["http"]) if self.sandbox else None

    def _control(self, method: str) -> dict[str, Any]:
        address = self.url.removesuffix("EWS/Exchange.asmx") + "sandbox/stats"
        with urllib.request.urlopen(urllib.request.Request(address, method=method), timeout=60) as answer:
            found: dict[str, Any] = json.load(answer)
            return found


@contextmanager
def sandbox(seed: str, *, rtt_ms: float = 0, mb_per_s: float = 0) -> Iterator[Server]:
    """An Exchange in memory that serves MIME as it was seeded, in a process of its own."""
    command = [sys.executable, "-m", "ews_bridge.sandbox", "--seed", seed, "--mime", "keep", "--auth", "basic"]
    command += ["--rtt-ms", str(rtt_ms), "--mb-per-s", str(mb_per_s)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            url = process.stdout.readline().strip()
            if not url:
                raise SystemExit(f"the sandbox does not start with --seed {seed}")
            yield Server(url, "alice@example.test", "alice@example.test", "basic", "echo secret", sandbox=True)
        finally:
            process.terminate()


def machine(directory: Path) -> list[str]:
    """What the figures depend on."""
    model = next((line.partition(":")[2].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")), "")
    load = os.getloadavg()[0]
    return [
        f"{os.cpu_count()} cores{f' ({model})' if model else ''}, load {load:.1f} at the beginning",
        f"Python {platform.python_version()}, {platform.system()} {platform.release()}",
        f"disk: {_file_system(directory)}",
        time.strftime("%Y-%m-%d %H:%M"),
    ]


def _file_system(directory: Path) -> str:
    mounts = [line.split()[1:3] for line in _lines("/proc/mounts")]
    above = [(place, kind) for place, kind in mounts if directory.resolve().is_relative_to(place)]
    return max(above, key=lambda each: len(each[0]), default=("", "unknown"))[1]


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text().splitlines()
    except OSError:
        return []
