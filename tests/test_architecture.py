"""What the layout promises: who may import whom, where each library lives, and that the manual knows every option."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import pytest

from ews_bridge import config
from ews_bridge import errors
from ews_bridge.overview import FolderInfo
from ews_bridge.overview import Status
from ews_bridge.report import Failure
from ews_bridge.report import Notice
from ews_bridge.report import Report
from tests.torture.mutants import RULES
from tests.torture.mutants import Rule

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "ews_bridge"

#: A module imports from the layers above its own. The package itself (`__version__`) is above all.
LAYERS = (
    ("errors", "model", "report"),
    ("addresses",),
    ("aliases", "plan", "store", "runs", "names", "headers", "meaning", "labels", "tags", "disk"),
    ("configfile", "tagconfig", "itemsconfig", "addressbook"),
    ("config", "sendargs", "envelope"),
    (
        *("state", "differences", "pairing", "tables", "notmuch"),
        *("maildir_tags", "maildir_index", "maildir_file", "maildir", "mailtree"),
        *("vdir", "vdirtree", "trash", "lock", "marker", "outbox", "exchange"),
    ),
    ("batch", "binding", "folders", "signin", "tagsync"),
    ("apply", "delivery", "limits", "foretell"),
    ("converge", "kinds"),
    ("onekind",),
    ("sync", "overview", "tagedit", "lookup"),
    ("cli", "sendmail", "__main__"),
)
#: Within a layer only these, each for its reason.
BESIDE = {
    ("config", "configfile"),  # reads the file that the settings come from
    ("state", "pairing"),  # which of its rows are one item
    ("state", "tables"),  # what they are made of
    ("state", "differences"),  # which of them do not agree
    ("pairing", "tables"),
    ("differences", "tables"),
    ("differences", "pairing"),  # each with what it may be a copy of
    ("meaning", "headers"),  # what it compares
    ("maildir", "trash"),  # what a store deletes goes there
    ("tagconfig", "configfile"),
    ("itemsconfig", "configfile"),
    ("labels", "headers"),  # how a field is spelt
    ("maildir_index", "maildir_tags"),  # what a look at a file says of tags
    ("maildir", "maildir_tags"),
    ("maildir", "maildir_file"),  # a file is as its entry says, or is left alone
    ("maildir_file", "maildir_index"),
    ("maildir_file", "maildir_tags"),
    ("mailtree", "maildir_tags"),
    ("maildir", "maildir_index"),  # what a listing remembers
    ("mailtree", "maildir"),  # the tree opens the stores in it
    ("mailtree", "trash"),
    ("vdir", "trash"),
    ("vdirtree", "vdir"),
    ("vdirtree", "trash"),
    ("envelope", "aliases"),  # recipients: what is asked for, and what it stands for
    ("envelope", "sendargs"),
    ("sendmail", "cli"),  # a bug is told by the boundary
    ("__main__", "cli"),
}
#: The only places that may import a library. What is not here and not in the standard library is not a dependency.
HOMES = {
    "sqlite3": ("state.py", "pairing.py", "differences.py", "sandbox/"),
    "click": ("cli/",),
    "requests": ("exchange/",),
    "requests_ntlm": ("exchange/",),
    "urllib3": ("exchange/",),
    "pybase64": ("exchange/", "sandbox/"),
    "aiohttp": ("sandbox/",),
    "spnego": ("exchange/", "sandbox/"),
    "lxml": ("exchange/", "sandbox/"),
    "icalendar": ("exchange/", "sandbox/"),
    "vobject": ("exchange/", "sandbox/"),
}
SANDBOX_USERS = ("cli/sandbox.py", "cli/demo.py")
#: Modules that may pass 400 lines, each with its reason.
LONG = {
    "sandbox/fields.py": "a table: one entry for each element of an item",
    "sandbox/properties.py": "a table: one entry for each property",
}
WORDS_REFUSED = ("utils", "helpers", "manager", "handler", "base", "common", "misc")


def modules() -> list[Path]:
    return sorted(path for path in PACKAGE.rglob("*.py") if "__pycache__" not in path.parts)


def name_of(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """Line and full dotted name of everything that a module imports, relative names resolved."""
    package = ("ews_bridge", *path.relative_to(PACKAGE).parent.parts)
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            around = package[: len(package) - node.level + 1] if node.level else ()
            origin = ".".join((*around, node.module) if node.module else around)
            for alias in node.names:
                yield node.lineno, f"{origin}.{alias.name}" if origin.startswith("ews_bridge") else origin


def part_of(dotted: str) -> str:
    """The part of the package that a dotted name or a path lies in: "" for the package itself."""
    parts = dotted.removeprefix("ews_bridge").strip(".").split(".")
    return parts[0] if (PACKAGE / parts[0]).is_dir() or (PACKAGE / f"{parts[0]}.py").exists() else ""


def layer_of(part: str) -> int:
    return next((number for number, names in enumerate(LAYERS) if part in names), len(LAYERS))


def violations(path: Path) -> Iterator[str]:
    own = name_of(path).split("/")[0].removesuffix(".py")
    for line, dotted in imports(path):
        where = f"{name_of(path)}:{line} imports {dotted}"
        top = dotted.split(".")[0]
        if top == "ews_bridge":
            part = part_of(dotted)
            if own == part or part == "":
                continue
            if own == "sandbox":
                yield f"{where}: the sandbox imports nothing of ours"
            elif part == "sandbox":
                if name_of(path) not in SANDBOX_USERS:
                    yield f"{where}: only {SANDBOX_USERS} may"
            elif own == "__init__":
                yield f"{where}: the package itself imports nothing"
            elif layer_of(part) > layer_of(own) or (layer_of(part) == layer_of(own) and (own, part) not in BESIDE):
                yield f"{where}: not above it"
        elif top in HOMES:
            if not name_of(path).startswith(HOMES[top]):
                yield f"{where}: at home in {HOMES[top]}"
        elif top not in sys.stdlib_module_names:
            yield f"{where}: not a dependency"


@pytest.mark.parametrize("path", modules(), ids=name_of)
def test_a_module_imports_only_from_above_and_each_library_has_one_home(path: Path) -> None:
    assert list(violations(path)) == []


def test_every_module_has_its_layer() -> None:
    placed = {name for names in LAYERS for name in names} | {"__init__", "sandbox"}
    assert {name_of(path).split("/")[0].removesuffix(".py") for path in modules()} <= placed


@pytest.mark.parametrize("path", modules(), ids=name_of)
def test_a_module_says_what_it_is_for_and_stays_short(path: Path) -> None:
    text = path.read_text()
    assert ast.get_docstring(ast.parse(text)) or not text.strip()
    assert text.count("\n") <= 400 or name_of(path) in LONG
    assert path.stem not in WORDS_REFUSED


def catches_everything(node: ast.AST) -> bool:
    """`except:`, `except Exception:` or `except BaseException:` that does not end by raising it again."""
    if not isinstance(node, ast.ExceptHandler):
        return False
    broad = node.type is None or (isinstance(node.type, ast.Name) and node.type.id in ("Exception", "BaseException"))
    last = node.body[-1]
    return broad and not (isinstance(last, ast.Raise) and last.exc is None)


def test_only_the_boundary_catches_everything() -> None:
    broad = {name_of(path) for path in modules() if any(map(catches_everything, ast.walk(ast.parse(path.read_text()))))}
    # The sandbox is a server and has a boundary of its own.
    # ews-send must not wait for click: it has its own, which hands a bug to the other.
    assert {name for name in broad if not name.startswith("sandbox/")} == {"cli/boundary.py", "sendmail.py"}


def manual(page: str) -> str:
    """A man page as text that can be searched: without roff's escapes for hyphens."""
    return (ROOT / "man" / page).read_text().replace("\\-", "-")


def test_every_option_of_every_command_is_in_the_manual() -> None:
    from ews_bridge.cli import program

    text = manual("ews-bridge.1")
    context = program.make_context("ews-bridge", [], resilient_parsing=True)
    for name in program.list_commands(context):
        command = program.get_command(context, name)
        assert command is not None
        section = re.search(rf'^\.SS "?{name}\b.*?(?=^\.S[SH] |\Z)', text, re.MULTILINE | re.DOTALL)
        assert section, f"no section for {name}"
        for parameter in command.params:
            if parameter.param_type_name == "option" and parameter not in program.params:
                for option in parameter.opts:
                    shared = any(option in each.opts for each in program.params)
                    assert re.search(rf"(?<![\w-]){option}(?![\w-])", text if shared else section.group()), (name, option)
    for parameter in program.params:
        for option in parameter.opts:
            assert re.search(rf"(?<![\w-]){option}(?![\w-])", text), option


def test_every_key_of_a_report_and_of_a_folder_as_json_is_in_the_manual() -> None:
    text = manual("ews-bridge.1")
    shown = text[text.index('.SH "JSON OUTPUT"') : text.index('.SH "EXIT STATUS"')]
    keys = {each.name for kind in (Report, Failure, Notice, FolderInfo, Status) for each in fields(kind)}
    missing = {key for key in keys if not re.search(rf"^\.BR?[ \w,\"]*\b{key}\b", shown, re.MULTILINE)}
    assert not missing


def test_every_key_of_the_configuration_is_in_the_manual() -> None:
    text = manual("ews-bridge.toml.5")
    keys = (*config.ACCOUNT_KEYS, *config.MAIL_KEYS, *config.ITEMS_KEYS, *config.TAGS_KEYS, *config.SEND_KEYS)
    for key in keys:
        assert re.search(rf"^\.BR {key} |^\.BI \[accounts\. NAME \.{key}\]", text, re.MULTILINE), key
    for value in (*config.AUTHS, *config.LAYOUTS, *config.DELETES, *config.QUEUES):
        assert value in text, value


def test_the_exit_codes_of_the_manual_are_those_of_the_errors() -> None:
    def below(kind: type[errors.EwsBridgeError]) -> Iterator[type[errors.EwsBridgeError]]:
        yield kind
        for each in kind.__subclasses__():
            yield from below(each)

    raised = {kind.exit_code for kind in below(errors.EwsBridgeError)} | {0, 70}
    sending = {65, 67}  # about one message: ews-send only
    for page, expected in (("ews-bridge.1", raised - sending), ("ews-send.1", raised - {1})):
        section = re.search(r'^\.SH "EXIT STATUS"$(.*?)^\.SH', manual(page), re.MULTILINE | re.DOTALL)
        assert section
        assert {int(code) for code in re.findall(r"^\.B (\d+)$", section.group(1), re.MULTILINE)} - {130, 141, 143} == expected
    assert set(errors.GRAVITY) | {64} | sending == raised


def test_every_option_of_ews_send_is_in_its_manual() -> None:
    from ews_bridge import sendargs

    text = manual("ews-send.1")
    letters = sendargs.LETTERS
    for option in [f"-{letter}" for letter in letters] + [f"--{name}" for name in ("account", "file", *sendargs.LONG)]:
        assert re.search(rf"(?<![\w-]){option}(?![\w-])|(?<![\w-]){option}[mpi] ", text), option


def test_nothing_names_the_machine_it_was_written_on() -> None:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True)
    if listed.returncode:
        pytest.skip("not a git checkout")
    private = re.compile(r"(?<![\w./~$:}-])/(?:root|work|workspace|builds?|mnt|Users)/")
    for name in filter(None, listed.stdout.decode().split("\0")):
        path = ROOT / name
        text = path.read_text(errors="replace") if path.is_file() and path != Path(__file__) else ""
        found = private.search(text)
        assert not found, f"{name}: {found.group()}"
        assert str(ROOT) not in text or len(ROOT.parts) < 3, name


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_each_rule_that_is_taken_out_to_test_the_tests_is_there(rule: Rule) -> None:
    assert (PACKAGE / rule.module).read_text(encoding="utf-8").count(rule.text) == 1
