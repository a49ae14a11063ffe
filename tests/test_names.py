"""Any name a server may give becomes a harmless directory, and the directory tells the name again."""

import pytest
from hypothesis import example
from hypothesis import given
from hypothesis import strategies as st

from ews_bridge import names
from ews_bridge.names import Layout
from ews_bridge.names import from_imap
from tests.effort import at_most

LAYOUTS: list[Layout] = ["verbatim", "maildir++", "flat"]
HOSTILE = [
    "", ".", "..", "../../x", "...", "a/b", "a%2Fb", "a%2fb", "%", "%%", "%_", "%25", "100%", "cur", "new", "tmp", "CON", "NUL",
    "INBOX", "inbox", "InBox", "\0", "a\0b", "two\nlines", "tab\t", "\x7f", "\x85", "\u2028", "\ud800", "\ud83d\ude00", "😀",
    "e\u0301", "é", "x" * 300, "ü" * 300, "😀" * 64, " ", "end ", "a.b", ".a", "a.", "a..b", "~" + "0" * 16,
    "x" * 238 + "~" + "0" * 16,
]  # fmt: skip

name = st.one_of(
    st.sampled_from(HOSTILE),
    st.text(max_size=12),
    st.text(st.characters(), max_size=8),
    st.text(alphabet="%2Ff.a/ ~\ud800", max_size=8),
    st.text(min_size=120, max_size=400),
)
path = st.lists(name, min_size=1, max_size=4)


def join(parts: list[str]) -> str:
    result = ""
    for part in parts:
        result = names.path_of(result, part)
    return result


@given(name)
def test_a_name_survives_escaping_and_is_harmless(text: str) -> None:
    component = names.escape(text)
    assert names.unescape(component) == text
    assert component not in {"", ".", "..", "cur", "new", "tmp"}
    assert not component.startswith(".")
    assert not any(character in component for character in "/\0\n")
    component.encode()  # no surrogate is left: it can be stored, printed and named


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_names_one_by_one(text: str) -> None:
    assert names.unescape(names.escape(text)) == text


@given(name, name)
def test_two_names_never_share_a_component(one: str, other: str) -> None:
    assert (names.escape(one) == names.escape(other)) == (one == other)


@pytest.mark.parametrize("text", ["Archive", "a.b", "Ü & ü", "100%", "50% off", "e\u0301", "CON", "a b", "a:b", "~x"])
def test_ordinary_names_stay_as_they_are(text: str) -> None:
    assert names.escape(text) == text


@pytest.mark.parametrize(("text", "component"), [
    ("..", "%2E."), ("cur", "%63ur"), ("a/b", "a%2Fb"), ("a%2Fb", "a%252Fb"), ("", "%_"), ("end ", "end%20"), ("\n", "%0A"),
])  # fmt: skip
def test_spellings_are_fixed(text: str, component: str) -> None:
    assert names.escape(text) == component


def test_the_inbox_is_never_mistaken() -> None:
    assert names.path_of("", "Posteingang", is_inbox=True) == "INBOX"
    assert names.path_of("", "INBOX") == "%49NBOX"
    assert names.path_of("", "inbox") == "%69nbox"
    assert names.path_of("A", "inbox") == "A/inbox"
    for layout in LAYOUTS:
        seen = {names.directory(path, layout) for path in ("INBOX", "%49NBOX", "INBOX/x", "x", "%49NBOX/x")}
        assert len(seen) == 5
    assert names.directory("INBOX", "maildir++") == ""
    assert names.directory("INBOX/x", "maildir++") == ".INBOX.x"
    assert names.path(".INBOX", "maildir++") == "%49NBOX"


@pytest.mark.parametrize(("layout", "directory"), [("verbatim", "A/b.c"), ("maildir++", ".A.b%2Ec"), ("flat", "A.b%2Ec")])
def test_layouts(layout: Layout, directory: str) -> None:
    assert names.directory("A/b.c", layout) == directory
    assert names.path(directory, layout) == "A/b.c"


@at_most(500)
@given(path, st.sampled_from(LAYOUTS), st.sampled_from(["", "INBOX"]))
@example(["..", ".."], "verbatim", "")
@example(["a.b", "c"], "flat", "")
@example(["", ""], "maildir++", "INBOX")
def test_a_path_survives_its_directory(parts: list[str], layout: Layout, parent: str) -> None:
    path = "/".join([parent, *map(names.escape, parts)]) if parent else join(parts)
    directory = names.directory(path, layout)
    components = directory.split("/")
    assert all(len(component.encode()) <= 255 for component in components)
    assert not any(component in {".", "..", "cur", "new", "tmp"} for component in components)
    assert not directory.startswith("/")
    if any(map(names.is_cut, components)):
        assert names.path(directory, layout) is None
        pairs = zip(components, path.split("/"), strict=True) if layout == "verbatim" else [(directory, path)]
        assert names.path(directory, layout, {cut: full for cut, full in pairs if names.is_cut(cut)}) == path
    else:
        assert names.path(directory, layout) == path


@at_most(500)
@given(path, path, st.sampled_from(LAYOUTS))
def test_two_paths_never_share_a_directory(one: list[str], other: list[str], layout: Layout) -> None:
    assert (names.directory(join(one), layout) == names.directory(join(other), layout)) == (one == other)


strange = st.text(alphabet="ab%2E0. ~/\u2028\udcff", min_size=1, max_size=8)


@given(st.lists(strange, min_size=1, max_size=3), st.sampled_from(LAYOUTS))
def test_a_directory_of_someone_else_has_a_path_that_names_one_folder(parts: list[str], layout: Layout) -> None:
    path = names.path("/".join(parts), layout)
    if path is not None:
        assert path == names.path(names.directory(path, layout), layout)
        path.encode()


@pytest.mark.parametrize("directory", ["", ".git", "a/cur", "cur", "a//b", "a/.hidden"])
def test_what_is_not_a_folder_has_no_path(directory: str) -> None:
    assert names.path(directory, "verbatim") is None


@pytest.mark.parametrize("directory", ["a", "..a", ".a.", "."])
def test_what_is_not_a_maildirplusplus_folder_has_no_path(directory: str) -> None:
    assert names.path(directory, "maildir++") is None


def test_cut_names_end_at_a_character() -> None:
    cut = names.directory("ü" * 300, "verbatim")
    assert names.is_cut(cut)
    assert cut[:119] == "ü" * 119
    assert not names.is_cut("short~0123456789abcdef")


@pytest.mark.parametrize(
    ("imap", "meant"),
    [
        ("Entw&APw-rfe", "Entwürfe"),
        ("Lists/R&-D", "Lists/R&D"),
        ("&U,BTFw-/&ZeVnLIqe-", "台北/日本語"),
        ("~peter/mail/&2D3cqQ-", "~peter/mail/\U0001f4a9"),
        ("plain", "plain"),
        ("R&D", "R&D"),  # no IMAP name: it stands for itself
        ("a &b- c", "a &b- c"),
        ("&2D0-", "&2D0-"),
    ],
)
def test_a_path_of_an_imap_program_is_read_as_it_was_meant(imap: str, meant: str) -> None:
    assert from_imap(imap) == meant
