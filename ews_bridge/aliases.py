"""The file that says who gets the mail of local names: that of sendmail and Postfix (aliases(5)), or of msmtp. Read only.

    root: alice@example.com, bob
    default: carol@example.com      all other local names (msmtp)

A target that is a program, a file or a list in a file is refused when it would be used: this is no delivery agent.
"""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Mapping
from pathlib import Path

from ews_bridge import addresses
from ews_bridge.errors import ConfigError

Aliases = Mapping[str, tuple[str, ...]]


def read(path: Path) -> Aliases:
    """Name, in lower case → targets as written. Raises ConfigError."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read the aliases in {path}: {error}") from error
    found: dict[str, tuple[str, ...]] = {}
    for number, line in _lines(text):
        name, colon, targets = line.partition(":")
        if not colon or not name.strip() or not targets.strip():
            raise ConfigError(f"{path}:{number}: not an alias: it must be `name: address, ...`")
        found[name.strip().strip('"').lower()] = tuple(target.strip() for target in targets.split(",") if target.strip())
    return found


def _lines(text: str) -> Iterable[tuple[int, str]]:
    """Lines without comments, each with those that continue it, by the number of its first."""
    joined: list[tuple[int, str]] = []
    for number, line in enumerate(text.splitlines(), 1):
        bare = line.partition("#")[0].rstrip() if '"' not in line else line.rstrip()
        if not bare or bare.startswith("#"):
            continue
        if bare[0].isspace() and joined:
            joined[-1] = (joined[-1][0], joined[-1][1] + bare)
        else:
            joined.append((number, bare))
    return joined


def expand(name: str, aliases: Aliases, *, domain: str) -> tuple[str, ...]:
    """The addresses that a local name stands for, in order, each once; `domain` is for names without an alias."""
    found: dict[str, None] = {}
    _expand(name, aliases, domain, found, frozenset())
    return tuple(found)


def _expand(name: str, aliases: Aliases, domain: str, found: dict[str, None], above: frozenset[str]) -> None:
    known = name.lower()
    targets = aliases.get(known, ()) if known not in above else ()
    above |= {known}
    if not targets and "default" not in above:
        targets = aliases.get("default", ())
        above |= {"default"}
    if not targets:
        found[f"{name}@{domain}"] = None
    for target in targets:
        bare = addresses.parse(target)
        if target.startswith(("|", "/", '"|', ":")) or not bare.clear or len(bare.mailboxes) != 1:
            raise ConfigError(f"the alias {name!r} leads to {target!r}, which is no mail address")
        address = bare.mailboxes[0].address
        if "@" in address:
            found[address] = None
        else:
            _expand(address, aliases, domain, found, above)
