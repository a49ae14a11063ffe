"""Test the tests: take out one safety rule at a time and see whether it is noticed.

`python -m tests.torture.mutants [-n HISTORIES] [NAME...]`

Each rule is a text in the package and what stands there without it. The package and the tests are copied to a temporary
directory, and there the rule is taken out; the pinned histories must notice, and so should the machine, which gets so many
histories. Exit code 1 when a rule can be taken out unnoticed by both, or its text is no longer in the package.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
#: More than this is not noticed but hangs.
SECONDS = 900


@dataclass(frozen=True)
class Rule:
    """A rule: in which module, the text that is it, and what stands there without it. `machine`: whether that can notice;
    `pinned`: the tests that must.
    """

    name: str
    module: str
    text: str
    without: str
    machine: bool = True
    pinned: tuple[str, ...] = ("tests/test_pinned.py",)


#: Where the rules for events, contacts and tasks are pinned, and those about who is told of meetings.
ITEMS = ("tests/test_item_stores.py", "tests/test_items.py", "tests/test_calendars.py")
MEETINGS = ("tests/test_meeting_mail.py", "tests/test_meeting_people.py")


def items(name: str, module: str, text: str, without: str) -> Rule:
    """A rule for events, contacts and tasks."""
    return Rule(name, module, text, without, machine=False, pinned=ITEMS)


def meetings(name: str, module: str, text: str, without: str) -> Rule:
    """A rule about who is told of meetings."""
    return Rule(name, module, text, without, machine=False, pinned=MEETINGS)


def removed(name: str, module: str, text: str, without: str) -> Rule:
    """A rule about directories that were removed with what was in them."""
    return Rule(name, module, text, without, machine=False, pinned=("tests/test_removed_directories.py",))


RULES = (
    # the merge
    Rule(
        "an edit beats a deletion",
        "plan.py",
        "(_edited(link[dead.other], live) or place(live) != place(link[dead.other]))",
        "(place(live) != place(link[dead.other]))",
    ),
    Rule(
        "a move beats a deletion",
        "plan.py",
        "(_edited(link[dead.other], live) or place(live) != place(link[dead.other]))",
        "(_edited(link[dead.other], live))",
    ),
    Rule(
        "an edit beats the wish to delete",
        "plan.py",
        "Flag.TRASHED in local.flags - link.flags and not _edited(link.remote, remote)",
        "Flag.TRASHED in local.flags",
    ),
    Rule(
        "a wish that was not granted is over",
        "batch.py",
        "link.flags | (step.target.flags & {Flag.TRASHED})",
        "link.flags",
    ),
    Rule(
        "flags merge as sets",
        "plan.py",
        "merged = (local & remote) | (local - base) | (remote - base)",
        "merged = local if local != base else remote",
    ),
    Rule(
        "flags are not synced by an update of the content",
        "batch.py",
        "flags = link.flags | (step.target",
        "flags = step.source.flags | (step.target",
    ),
    Rule(
        "edited on both sides is a conflict",
        "plan.py",
        "    if edited_local and edited_remote:\n        return [Conflict(row, local, remote)]\n",
        "",
    ),
    Rule("the local version of a conflict is kept", "batch.py", "    aside(step.row, Content(lambda: iter([mine])))\n", ""),
    Rule(
        "an edit that both sides have is no conflict",
        "batch.py",
        "if isinstance(theirs, bytes) and same(mine, theirs):",
        "if False:",
        machine=False,
    ),
    Rule("what is edited and moved is edited first", "plan.py", "first = edited_local and not edited_remote", "first = False"),
    Rule(
        "what is frozen stays",
        "plan.py",
        "    if not policy.frozen:\n        return False\n",
        "    return False\n",
        machine=False,
    ),
    Rule(
        "nothing is put where nothing may be put",
        "plan.py",
        "local and local.collection in policy.closed and",
        "False and",
        machine=False,
    ),
    Rule(
        "what leaves the window is forgotten",
        "plan.py",
        "if changed and local and row.remote else [Forget(row)]",
        "if changed and local and row.remote else [Delete(row, Side.REMOTE, row.remote)]  # type: ignore",
        machine=False,
    ),
    Rule(
        "what is forgotten has no base any more",
        "apply.py",
        "replace(row, link=None) for row in forgets",
        "row for row in forgets",
        machine=False,
    ),
    Rule(
        "what is not forgotten after all has its base again",
        "apply.py",
        " + [step.row for step, _ in outcome.failed if isinstance(step, Forget)]",
        "",
        machine=False,
    ),
    Rule("refill fetches", "plan.py", "if policy.refill and dead is Side.LOCAL:", "if False:", machine=False),
    Rule(
        "a run writes where it may",
        "plan.py",
        "return to in policy.writes and to not in policy.hold_deletes",
        "return True",
        machine=False,
    ),
    # creations
    Rule("the journal is recovered", "apply.py", "for intent in state.intents():", "for intent in []:"),
    Rule(
        "what was created may have been edited since",
        "apply.py",
        'revision=made.revision if made.revision in ("", intent.source.revision) else EDITED,',
        "revision=made.revision,",
    ),
    Rule(
        "what was created may have been marked since",
        "apply.py",
        "link = link_of(intent.side, base, intent.source)",
        "link = link_of(intent.side, base, replace(intent.source, flags=made.flags))",
    ),
    Rule(
        "what was created may have been moved since",
        "apply.py",
        "for s, c in stores if s is side)",
        "for s, c in stores if s is side and c == collection)",
    ),
    Rule(
        "creations are journalled before they are tried",
        "apply.py",
        "    tools.state.begin(creates[0].to,",
        "    (lambda *a: None)(creates[0].to,",
    ),
    Rule(
        "the journal is durable before a creation is tried",
        "apply.py",
        "            batch = _begin(batch, tools)\n        running[",
        "            batch = _begin(batch, tools)\n            running[",
    ),
    Rule(
        "a conflict has one name however often it is kept",
        "onekind.py",
        "hashlib.sha256(data).hexdigest()[:12]",
        "str(time.time_ns())",
        machine=False,
    ),
    # tags
    Rule(
        "each place of tags has a base of its own",
        "plan.py",
        "(link.remote.tags.get(place, frozenset()), now)",
        "(link.remote.tags.get('akonadi', frozenset()), now)",
    ),
    Rule(
        "a tag that was removed stays so",
        "plan.py",
        "(now if place in known else held)) - removed for",
        "(now if place in known else held)) for",
    ),
    Rule(
        "what a file has when it comes is its sender's",
        "plan.py",
        "(link.local.tags.get(place, now), now)",
        "(link.local.tags.get(place, frozenset()), now)",
        machine=False,
    ),
    Rule(
        "tags are agreed on when they were carried over",
        "batch.py",
        "        theirs = replace(theirs, tags={})\n",
        "        pass\n",
    ),
    Rule(
        "an edit agrees on no tags",
        "batch.py",
        "with_tags(link_of(step.to, mine, theirs), step.row.link)",
        "link_of(step.to, mine, theirs)",
    ),
    Rule(
        "our own rewriting is no edit",
        "batch.py",
        "    if link is None or is_meaning(made.revision) or link[step.to].revision != step.target.revision:\n",
        "    if True:\n",
        machine=False,
    ),
    # what is one item
    Rule(
        "a move is confirmed by the date",
        "pairing.py",
        "(a.sent = 0 OR b.sent = 0 OR a.sent = b.sent OR b.{s}_revision LIKE '=%')",
        "TRUE",
    ),
    Rule(
        "a move is confirmed by the key",
        "pairing.py",
        "b.{s}_key != '' AND b.{s}_key = a.{s}_key\"",
        "(b.{s}_key = a.{s}_key AND b.{s}_key != '' OR b.{s}_place = a.{s}_place)\"",
        machine=False,
    ),
    Rule(
        "what both sides lost is over",
        "pairing.py",
        '_candidates(db, side, f"a.{side.other}_here")',
        '_candidates(db, side, "1")',
    ),
    Rule(
        "adoption is confirmed by the date",
        "pairing.py",
        "(a.sent = 0 OR b.sent = 0 OR a.sent = b.sent) AND author",
        "author",
        machine=False,
    ),
    Rule(
        "adoption is confirmed by the author",
        "pairing.py",
        " AND author_likeness(a.author, b.author) > 0))",
        "))",
        machine=False,
    ),
    Rule(
        "what has no Message-ID is adopted where it is the only such",
        "pairing.py",
        "if mine[old] == theirs[new] == 1]",
        "]",
        machine=False,
    ),
    Rule(
        "what has no Message-ID is adopted by its author",
        "pairing.py",
        "if headers.author_likeness(author, other) == 2",
        "if author",
        machine=False,
    ),
    # what is gone
    Rule(
        "there is a second look",
        "converge.py",
        "for place in job.stores if place in second]",
        "for place in job.stores if False]",
    ),
    Rule("twins are looked at again", "converge.py", "second = job.state.twins()", "second: set[Place] = set()", machine=False),
    Rule(
        "deletions wait for all listings",
        "plan.py",
        "to in policy.writes and to not in policy.hold_deletes",
        "to in policy.writes",
    ),
    Rule(
        "an unfinished listing sweeps nothing", "state.py", "            if scan.last and sweeping:", "            if sweeping:"
    ),
    Rule(
        "a resumed listing sweeps",
        "state.py",
        "            if scan.last and sweeping:",
        "            if scan.last and scan.first:",
    ),
    Rule(
        "a cursor comes with its entries",
        "state.py",
        "            db.executemany(tables.observing(side), [tables.seen_of(entry, generation) for entry in scan.entries])\n",
        "            if scan.cursor:\n"
        "                db.execute('INSERT INTO cursor (side, collection, cursor, generation, sweeping) '\n"
        "                           'VALUES (?, ?, ?, ?, ?) '\n"
        "                           'ON CONFLICT DO UPDATE SET cursor = excluded.cursor',\n"
        "                           (side, collection, scan.cursor, generation, sweeping))\n"
        "        with self._transaction() as db:\n"
        "            db.executemany(tables.observing(side), [tables.seen_of(entry, generation) for entry in scan.entries])\n",
    ),
    Rule("many deletions are refused", "converge.py", "        places.add(place)\n", "", machine=False),
    removed(
        "a refusal stands to the end of a run",
        "converge.py",
        "job.refused.update(guard",
        "job.refused.clear() or job.refused.update(guard",
    ),
    removed(
        "what was in a removed directory is gone",
        "folders.py",
        "                state.lose(side, row.number)\n",
        "                pass\n",
    ),
    removed("what is new in a folder brings its directory back", "folders.py", "if news or stays or ", "if stays or "),
    removed(
        "what was moved into a folder brings its directory back",
        "folders.py",
        "Create | Copy | Move) and each",
        "Create | Copy) and each",
    ),
    removed("what is outside the window keeps its folder", "folders.py", "if news or stays or ", "if news or "),
    removed("a folder that both sides lost is forgotten", "folders.py", " or not (row.local or row.remote)", ""),
    Rule(
        "a stamp is kept when all was listed",
        "state.py",
        'stamp if scan.last else ""',
        "stamp",
        machine=False,
    ),
    # the stores
    Rule(
        "a file is deleted as it was listed",
        "maildir.py",
        "        if entry.revision and not maildir_file.current(entry, os.stat(path)):\n"
        "            return maildir_file.edited(entry)\n",
        "",
        machine=False,
    ),
    Rule(
        "a file is replaced as it was listed",
        "maildir_file.py",
        '    return entry.revision in ("", revision_of(info, frozenset({Flag.DRAFT})))',
        "    return True",
        machine=False,
    ),
    Rule(
        "a file is durable before it is renamed",
        "disk.py",
        "            os.fsync(descriptor)\n            return",
        "            return",
        machine=False,
    ),
    Rule(
        "a directory is durable before it is claimed",
        "disk.py",
        "            sync_directories(touched)\n",
        "            pass\n",
        machine=False,
    ),
    Rule(
        "a draft is deleted as it was listed",
        "exchange/writing.py",
        "if _substance(after.element) == _substance(before.element):",
        "if True:",
        machine=False,
    ),
    Rule(
        "a draft is replaced as it was listed",
        "exchange/writing.py",
        "isinstance(current, bulk.Refusal) or key_of(current.element) != entry.revision:\n            yield",
        "False:\n            yield",
        machine=False,
    ),
    Rule(
        "a folder is renamed as it was listed",
        "exchange/tree.py",
        'if now.key.rpartition("/")[2] != entry.key.rpartition("/")[2]:',
        "if False:",
        machine=False,
    ),
    Rule(
        "a tree without marker is not ours",
        "binding.py",
        "    if state.any_linked() and not refill:",
        "    if False:",
        machine=False,
    ),
    # events, contacts and tasks
    items(
        "two that say the same are one",
        "plan.py",
        "alike = local.revision == remote.revision and is_meaning(local.revision)",
        "alike = False",
    ),
    items("a second file with one UID is not uploaded", "batch.py", "step.row.again and step.source.revision else", "False else"),
    items(
        "what the server made of it comes down",
        "batch.py",
        "return replace(made, revision=source.revision) if is_meaning",
        "return made if is_meaning",
    ),
    items(
        "a file is replaced as it was listed, also at the last moment",
        "vdir.py",
        "            _, before = self._current(entry)",
        "            before = os.stat(self._at(entry.id))",
    ),
    items("an item is changed as it was listed", "exchange/itemwriting.py", "looked.said.revision != each.revision):", "False):"),
    items(
        "an item is changed under its key",
        "exchange/itemwriting.py",
        "return asking.update_items(changes, overwrite=False, tell=tell)",
        "return asking.update_items(changes, overwrite=True, tell=tell)",
    ),
    items(
        "what was edited while it was deleted comes back",
        "exchange/itemremoving.py",
        "            back.append(replace(each, id=ident))\n",
        "",
    ),
    meetings(
        "nobody is mailed unless it is asked for", "exchange/meetingmail.py", "told = False if silent", "told = True if silent"
    ),
    meetings("nobody is told of what is over", "exchange/meetingmail.py", "if not each.ends or each.ends > now)", ")"),
    meetings("the first sync tells nobody", "exchange/meetingmail.py", "if collection in self.brought else self.first", ""),
    meetings("of copies nobody is told", "exchange/meetingmail.py", "and self._copied(said.uid, ident) else", "and False else"),
    meetings(
        "whose meeting came by invitation is his", "exchange/eventaudience.py", "eventpeople.is_received(element):", "False:"
    ),
    meetings(
        "a cancelled meeting says what it said",
        "exchange/itemremoving.py",
        "            if isinstance(ending, Stale):\n",
        "            if False:\n",
    ),
    meetings(
        "who is invited is so when all of the meeting is there",
        "exchange/itemcreating.py",
        "return bool(more) or telling.how(changes.audience) != asking.SILENT",
        "return bool(more)",
    ),
    items(
        "half a creation is made anew",
        "exchange/itemcreating.py",
        "isinstance(looked, snapshots.Seen) and looked.unfinished",
        "False",
    ),
    items("a hostile UID names no file", "vdir.py", "stem = uid if _NAME.fullmatch(uid) else", "stem = uid if uid else"),
    items("a known change key is not asked for again", "exchange/items.py", "_key_of(owner[i], i) == key}", "False}"),
    items("a folder in Deleted Items is gone", "exchange/tree.py", "and entry.id not in self._thrown", ""),
    items(
        "the time that a task is over is followed",
        "tables.py",
        'return "sent = COALESCE(NULLIF(?, 0), sent)"',
        'return "sent = COALESCE(sent, ?)"',
    ),
    items(
        "several invitations are one item",
        "exchange/items.py",
        "if isinstance(looked, snapshots.Seen) and looked.said.alone:",
        "if False:",
    ),
    items("a broken file keeps its key", "vdir.py", 'return Entry(name, key, f"?{', 'return Entry(name, "", f"?{'),
)

MACHINE = """
import sys
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test
from tests.test_sync_machine import Machine
run_state_machine_as_test(Machine, settings=settings(
    max_examples=int(sys.argv[1]), deadline=None, database=None, stateful_step_count=20, phases=[Phase.generate],
    suppress_health_check=list(HealthCheck), derandomize=True))
"""


@dataclass(frozen=True)
class Notice:
    """Who noticed and in how many seconds; "" if nobody did."""

    by: str
    seconds: float


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "-n", type=int, default=12_000, metavar="HISTORIES", help="histories for the machine; 0: pinned tests only"
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="only rules whose name contains this")
    arguments = parser.parse_args()
    rules = [rule for rule in RULES if not arguments.names or any(name in rule.name for name in arguments.names)]
    _expect_peace()
    survived = [rule.name for rule in rules if not _tried(rule, arguments.n)]
    print(
        f"{len(rules) - len(survived)} of {len(rules)} rules are noticed when they are taken out", *survived, sep="\n  survived: "
    )
    return 1 if survived else 0


def _expect_peace() -> None:
    """With all rules in place nobody must complain."""
    noticed = _pinned(ROOT, ("tests/test_pinned.py", *ITEMS))
    if noticed.by:
        raise SystemExit(f"{noticed.by} fails with all rules in place")


def _tried(rule: Rule, histories: int) -> bool:
    with tempfile.TemporaryDirectory(prefix="mutant-") as name:
        home = Path(name)
        for part in ("ews_bridge", "tests"):
            shutil.copytree(ROOT / part, home / part, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(ROOT / "pyproject.toml", home)
        file = home / "ews_bridge" / rule.module
        text = file.read_text(encoding="utf-8")
        if text.count(rule.text) != 1:
            print(f"{rule.name}: its text is {text.count(rule.text)} times in {rule.module}", flush=True)
            return False
        file.write_text(text.replace(rule.text, rule.without), encoding="utf-8")
        pinned = _pinned(home, rule.pinned)
        machine = _machine(home, histories) if rule.machine and histories else Notice("", 0)
    said = f"{rule.name}: "
    said += f"pinned {pinned.by} {pinned.seconds:.0f} s" if pinned.by else "no pinned test"
    if rule.machine and histories:
        said += f"; machine {machine.by} {machine.seconds:.0f} s" if machine.by else f"; not in {histories} histories"
    print(said, flush=True)
    return bool(pinned.by or machine.by)


def _pinned(home: Path, tests: Sequence[str]) -> Notice:
    ran, seconds = _run(home, "pytest", *tests, "-x", "-q", "-p", "no:cacheprovider", "-p", "no:randomly")
    found = re.search(r"^(?:FAILED|ERROR) \S+?::(\S+)", ran.stdout, re.MULTILINE)
    return Notice(found[1] if found else f"exit {ran.returncode}" if ran.returncode else "", seconds)


def _machine(home: Path, histories: int) -> Notice:
    (home / "machine.py").write_text(MACHINE, encoding="utf-8")
    ran, seconds = _run(home, "machine", str(histories))
    last = ran.stderr.strip().splitlines() or ["?"]
    why = next((line for line in last if re.match(r"\w*(Error|Exception|Group)\b", line)), last[-1])
    return Notice(f"({why[:60]})" if ran.returncode else "", seconds)


def _run(home: Path, *arguments: str) -> tuple[subprocess.CompletedProcess[str], float]:
    began = time.monotonic()
    try:
        ran = subprocess.run(
            [sys.executable, "-m", *arguments], cwd=home, capture_output=True, text=True, timeout=SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        ran = subprocess.CompletedProcess([], 1, "", "hangs")
    return ran, time.monotonic() - began


if __name__ == "__main__":
    sys.exit(main())
