"""One TOML file read key by key, so that every mistake can be named: file, line, key, the reason and the nearest valid name.

Knows nothing of what the keys mean; that is `config.py`.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Collection
from collections.abc import Iterable
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from typing import NoReturn

from ews_bridge.errors import ConfigError


@dataclass(frozen=True)
class Source:
    """The file that the values come from, to say where in it a mistake is."""

    file: Path
    text: str

    def refuse(self, path: tuple[str, ...], reason: str, *, hint: str = "") -> NoReturn:
        line = _line_of(self.text, path)
        where = f"{self.file}:{line}" if line else str(self.file)
        raise ConfigError(f"{where}: {'.'.join(path)}: {reason}", hint=hint)


class Table:
    """One table of the file. A key that is not in `valid` is refused at once: a misspelt one is not reported as missing."""

    def __init__(self, source: Source, path: tuple[str, ...], data: object, valid: Collection[str]) -> None:
        self.source, self.path = source, path
        if not isinstance(data, dict):
            source.refuse(path, "must be a table")
        self.data: dict[str, Any] = data
        for key in data:
            if key not in valid:
                self.refuse(key, f"unknown key{nearest(key, valid)}")

    def refuse(self, key: str, reason: str) -> NoReturn:
        self.source.refuse((*self.path, key), reason)

    def text(self, key: str, default: str | None = None) -> str:
        """A string that is not empty; with no default it must be there."""
        value = self.data.get(key)
        if value is None:
            if default is None:
                self.refuse(key, "is missing")
            return default
        if not isinstance(value, str):
            self.refuse(key, f"must be a string, not {_kind(value)}")
        if not value.strip() or any(ord(letter) < 32 for letter in value):
            self.refuse(key, "must not be empty or hold control characters")
        return value

    def choice(self, key: str, valid: tuple[str, ...], default: str) -> str:
        value = self.text(key, default)
        if value not in valid:
            self.refuse(key, f"{value!r} is not one of its values{nearest(value, valid)}")
        return value

    def number(self, key: str, default: float, low: float, high: float) -> float:
        value = self.data.get(key)
        if value is None:
            return default
        if isinstance(value, bool) or not isinstance(value, int | float):
            self.refuse(key, f"must be a number, not {_kind(value)}")
        if not low <= value <= high:
            self.refuse(key, f"must be between {low:g} and {high:g}")
        return float(value)

    def integer(self, key: str, default: int, low: int, high: int) -> int:
        value = self.number(key, default, low, high)
        if value != int(value):
            self.refuse(key, "must be a whole number")
        return int(value)

    def share(self, key: str, default: float) -> float:
        """A percentage as a share: 0.25 for "25%"."""
        match = re.fullmatch(r"(\d{1,3}(?:\.\d+)?)\s*%", self.text(key, f"{default:%}"))
        share = float(match.group(1)) / 100 if match else 0.0
        if not 0 < share <= 1:
            self.refuse(key, "must be a percentage between 1% and 100%")
        return share

    def amount(self, key: str, units: Mapping[str, int], example: str) -> int:
        """A number with a unit, as a plain number; 0 where the key is not given."""
        if key not in self.data:
            return 0
        match = re.fullmatch(r"([1-9]\d{0,9})\s*([A-Za-z]?)", self.text(key))
        unit = units.get(match[2]) if match else None
        if match is None or unit is None:
            self.refuse(key, f"must be a number with a unit, such as {example}")
        return int(match[1]) * unit

    def age(self, key: str) -> int:
        """A span such as "2y", in seconds; 0 where the key is not given."""
        return self.amount(key, {"d": 86_400, "w": 7 * 86_400, "m": 30 * 86_400, "y": 365 * 86_400}, "30d, 6m or 2y")

    def strings(self, key: str, value: object) -> tuple[str, ...]:
        if not isinstance(value, list) or not value or not all(isinstance(each, str) and each for each in value):
            self.refuse(key, "must be a list of strings that are not empty")
        return tuple(value)

    def file(self, key: str) -> Path:
        """A path: `~` and environment variables expanded, then absolute."""
        told = self.text(key)
        path = os.path.expandvars(os.path.expanduser(told))
        unset = re.search(r"\$(\w+|\{\w+\})", path)
        if unset:
            self.refuse(key, f"the environment has no {unset.group(1).strip('{}')}")
        if not path.startswith("/"):
            self.refuse(key, f"{told!r} must be absolute or begin with ~/")
        return Path(os.path.normpath(path))


def nearest(name: str, valid: Iterable[str]) -> str:
    """What was perhaps meant, else all that would be valid."""
    import difflib  # only for mistakes

    names = list(valid)
    close = difflib.get_close_matches(name.lower(), names, n=1, cutoff=0.6)
    return f" (did you mean {close[0]!r}?)" if close else f" (valid: {', '.join(names)})"


def _kind(value: object) -> str:
    names = {bool: "a boolean", int: "a number", float: "a number", str: "a string", list: "a list", dict: "a table"}
    return names.get(type(value), "a date")


def _line_of(text: str, path: tuple[str, ...]) -> int:
    """The line, from 1, where this key is set, else where the nearest table around it is; 0 when there is none."""
    table: tuple[str, ...] = ()
    best, best_depth = 0, 0
    for number, line in enumerate(text.splitlines(), 1):
        if line.lstrip().startswith("["):
            here = table = _keys_of(line)
        else:
            here = (*table, *_keys_of(line.partition("=")[0] + "= 0")) if "=" in line else ()
        depth = len(here)
        if depth > best_depth and here == path[:depth]:
            best, best_depth = number, depth
    return best


def _keys_of(line: str) -> tuple[str, ...]:
    """The parts of the dotted key that this one line of TOML begins with; nothing when it is no such line."""
    try:
        level: object = tomllib.loads(line)
    except tomllib.TOMLDecodeError:
        return ()
    keys: list[str] = []
    while isinstance(level, dict) and level:
        key, level = next(iter(level.items()))
        keys.append(key)
    return tuple(keys)
