"""Folders both ways: made, renamed, moved and removed on either side, on both, and in the middle of a run, in every layout."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from collections.abc import Iterator
from pathlib import Path

import pytest
from exchangelib.folders import Messages

from ews_bridge.names import Layout
from tests.desk import Desk
from tests.desk import Moment
from tests.desk import desk
from tests.desk import lf

Act = Callable[[Desk], None]
OURS = 'folders = ["INBOX*", "Projects*", "Archive*", "Mine*", "MINE*", "Theirs*", "Drafts", "Deleted Items*"]'


@pytest.fixture(params=["verbatim", "maildir++", "flat"])
def layout(request: pytest.FixtureRequest) -> Layout:
    found: Layout = request.param
    return found


@pytest.fixture
def it(tmp_path: Path, layout: Layout) -> Iterator[Desk]:
    """Projects with 20 and 21, Projects/Below with 22, Archive empty."""
    with desk(tmp_path, fill=False) as found:
        found.configure(f'{OURS}\nlayout = "{layout}"')
        found.server.alice.create_folder(found.place("Projects"), "Below")
        found.fill("INBOX", 1)
        found.fill("Projects", 20, 21)
        found.fill("Projects/Below", 22)
        found.sync()
        found.agree()
        yield found


# ---- what Outlook does


def o_nothing(it: Desk) -> None:
    pass


def o_make(it: Desk) -> None:
    Messages(parent=it.outlook.msg_folder_root, name="Theirs").save()


def o_make_mine(it: Desk) -> None:
    """In other letters than mutt's: the same folder to Exchange."""
    Messages(parent=it.outlook.msg_folder_root, name="MINE").save()


def o_rename(it: Desk) -> None:
    folder = it.folder("Projects")
    folder.name = "Theirs"
    folder.save()


def o_move(it: Desk) -> None:
    it.folder("Projects").move(to_folder=it.folder("Archive"))


def o_remove(it: Desk) -> None:
    it.folder("Archive").delete()


def o_remove_full(it: Desk) -> None:
    it.folder("Projects").delete()


def o_new_mail(it: Desk) -> None:
    it.fill("Archive", 30)


# ---- what is done on disk


def m_nothing(it: Desk) -> None:
    pass


def _make(home: Path) -> None:
    for part in ("tmp", "new", "cur"):
        (home / part).mkdir(parents=True)


def m_make(it: Desk) -> None:
    _make(it.directory("Mine"))


def m_make_deep(it: Desk) -> None:
    """The directories above are no Maildirs."""
    _make(it.directory("Mine/one/two"))


def _mv(it: Desk, old: str, new: str) -> None:
    """A folder and those below it: one rename where they lie in each other, else one for each."""
    pairs = [(f"{old}{rest}", f"{new}{rest}") for rest in ("", "/Below")]
    for source, target in pairs[:1] if it.layout == "verbatim" else pairs:
        os.rename(it.directory(source), it.directory(target))


def m_rename(it: Desk) -> None:
    _mv(it, "Projects", "Mine")


def m_move(it: Desk) -> None:
    _mv(it, "Projects", "Archive/Projects")


def m_remove(it: Desk) -> None:
    shutil.rmtree(it.directory("Archive"))


def m_remove_full(it: Desk) -> None:
    for path in ("Projects/Below", "Projects"):
        shutil.rmtree(it.directory(path), ignore_errors=it.layout == "verbatim")


def m_new_mail(it: Desk) -> None:
    (it.directory("Archive") / "new/1800000000.30.mutt").write_bytes(lf(31))


#: Outlook × mutt → (the folders beside INBOX, Drafts and Deleted Items; where 20, 21 and 22 are; what else is where)
PROJECTS = ("Archive Projects Projects/Below", "Projects: Projects: Projects/Below:")
FOLDERS: dict[tuple[Act, Act], tuple[str, str]] = {
    (o_nothing, m_make): ("Archive Mine Projects Projects/Below", PROJECTS[1]),
    (o_nothing, m_make_deep): ("Archive Mine Mine/one Mine/one/two Projects Projects/Below", PROJECTS[1]),
    (o_nothing, m_rename): ("Archive Mine Mine/Below", "Mine: Mine: Mine/Below:"),
    (o_nothing, m_move): (
        "Archive Archive/Projects Archive/Projects/Below",
        "Archive/Projects: Archive/Projects: Archive/Projects/Below:",
    ),
    (o_nothing, m_remove): ("Projects Projects/Below", PROJECTS[1]),
    (o_nothing, m_remove_full): ("Archive", "Deleted Items: Deleted Items: Deleted Items:"),
    (o_make, m_make): ("Archive Mine Projects Projects/Below Theirs", PROJECTS[1]),
    (o_make, m_rename): ("Archive Mine Mine/Below Theirs", "Mine: Mine: Mine/Below:"),
    (o_rename, m_nothing): ("Archive Theirs Theirs/Below", "Theirs: Theirs: Theirs/Below:"),
    (o_rename, m_make): ("Archive Mine Theirs Theirs/Below", "Theirs: Theirs: Theirs/Below:"),
    (o_rename, m_rename): ("Archive Theirs Theirs/Below", "Theirs: Theirs: Theirs/Below:"),
    (o_rename, m_remove): ("Theirs Theirs/Below", "Theirs: Theirs: Theirs/Below:"),
    (o_move, m_nothing): (
        "Archive Archive/Projects Archive/Projects/Below",
        "Archive/Projects: Archive/Projects: Archive/Projects/Below:",
    ),
    (o_move, m_make): (
        "Archive Archive/Projects Archive/Projects/Below Mine",
        "Archive/Projects: Archive/Projects: Archive/Projects/Below:",
    ),
    (o_move, m_move): (
        "Archive Archive/Projects Archive/Projects/Below",
        "Archive/Projects: Archive/Projects: Archive/Projects/Below:",
    ),
    (o_remove, m_nothing): ("Projects Projects/Below", PROJECTS[1]),
    (o_remove, m_remove): ("Projects Projects/Below", PROJECTS[1]),
    (o_remove, m_new_mail): ("Archive Projects Projects/Below", PROJECTS[1]),
    (o_new_mail, m_remove): ("Archive Projects Projects/Below", PROJECTS[1]),
    (o_new_mail, m_rename): ("Archive Mine Mine/Below", "Mine: Mine: Mine/Below:"),
    (o_remove_full, m_nothing): ("Archive", "- - -"),
    (o_remove_full, m_remove_full): ("Archive", "- - -"),
}
MOMENTS: dict[str, Moment | None] = {
    "before": None,
    "outlook when planned": Moment("syncing"),
    "mutt when planned": Moment("syncing"),
    "outlook while listing folders": Moment("SyncFolderHierarchy", after=True),
    "mutt while listing folders": Moment("SyncFolderHierarchy", after=True),
}


def check(it: Desk, outlook: Act, mutt: Act) -> None:
    folders, places = FOLDERS[outlook, mutt]
    it.agree()
    here, _ = it.folders()
    bin_ = {path for path in here if path.startswith("Deleted Items")}
    assert " ".join(sorted(here - bin_ - {"INBOX", "Drafts"})) == folders
    assert "".join((it.holds(number) or "-") + " " for number in (20, 21, 22)).strip() == places
    assert it.holds(1) == "INBOX:"
    if outlook is o_new_mail:
        assert it.holds(30) == "Archive:"
    if mutt is m_new_mail:
        assert it.holds(31) == "Archive:"


@pytest.mark.parametrize(("outlook", "mutt"), FOLDERS, ids=lambda act: act.__name__)
def test_a_folder_between_two_runs(outlook: Act, mutt: Act, it: Desk) -> None:
    asked = it.server.stats()["requests"]["GetItem"]
    outlook(it)
    mutt(it)
    it.settle()
    check(it, outlook, mutt)
    if not {m_remove_full, m_new_mail} & {mutt} and outlook is not o_new_mail:
        assert it.server.stats()["requests"]["GetItem"] == asked, "something was downloaded again"
        assert not it.server.stats()["requests"].get("CreateItem"), "something was uploaded again"


#: Not twice in the middle of a run: what one of them names is no longer there.
TWICE = {(o_rename, m_rename), (o_rename, m_remove), (o_move, m_move), (o_remove, m_remove)}
DURING = [case for case in FOLDERS if case not in TWICE and case[0] is not o_remove_full]


@pytest.mark.parametrize("when", [when for when in MOMENTS if when != "before"])
@pytest.mark.parametrize(("outlook", "mutt"), DURING, ids=lambda act: act.__name__)
@pytest.mark.parametrize("layout", ["verbatim"], indirect=True)
def test_a_folder_in_the_middle_of_a_run(outlook: Act, mutt: Act, when: str, it: Desk) -> None:
    late, early = (outlook, mutt) if when.startswith("outlook") else (mutt, outlook)
    early(it)
    it.act_at(MOMENTS[when] or Moment(""), lambda: late(it))
    it.sync()
    it.act_now()
    it.settle(failures=True)
    it.settle()
    check(it, outlook, mutt)


def test_names_that_differ_in_case_are_one_folder_on_the_server(it: Desk) -> None:
    o_make_mine(it)
    m_make(it)
    it.settle(failures=True)
    report = it.sync()
    there = {each.name for each in it.server.alice.folder("msgfolderroot").children if each.name.lower() == "mine"}
    assert there == {"MINE"}
    here = {path for path in it.folders()[0] if path.lower().startswith("mine")}
    assert here == {"MINE"} or report.failures, (here, report)


@pytest.mark.parametrize("path", ["INBOX", "Drafts", "Deleted Items"])
def test_special_folders_are_never_deleted_or_renamed_upward(path: str, it: Desk) -> None:
    if it.layout == "maildir++" and path == "INBOX":
        pytest.skip("the Inbox is the root itself")
    names = {folder.name for folder in it.server.alice.folder("msgfolderroot").children}
    os.rename(it.directory(path), it.directory("Mine"))
    (told,) = it.sync().reverted
    assert told == f"move local Mine to {path}: a default folder keeps its name and place"
    it.settle()
    it.agree()
    shutil.rmtree(it.directory(path))
    it.settle(failures=True)
    it.agree()
    assert {folder.name for folder in it.server.alice.folder("msgfolderroot").children} - {"Mine"} == names


def test_a_folder_removed_here_stays_while_the_guard_refuses(it: Desk) -> None:
    it.fill("Projects", *range(100, 110))
    it.sync()
    shutil.rmtree(it.directory("Projects"))
    report = it.sync()
    assert [refusal.what for refusal in report.refused] == ["Projects"]
    assert "12 of 12 items are gone here" in report.refused[0].why
    assert it.holds(100) == "Projects:"
    it.sync(allow_deletes=True)
    it.settle()
    it.agree()
    assert it.holds(100) == "Deleted Items:"


def test_a_folder_removed_here_with_what_nobody_has_seen_in_it_stays_there(it: Desk) -> None:
    """What came meanwhile is not thrown away with it."""
    it.act_at(Moment("GetFolder"), lambda: list.clear(it.fill("Archive", 40)))
    shutil.rmtree(it.directory("Archive"))
    it.sync()
    it.act_now()
    it.settle()
    it.agree()
    assert it.holds(40) == "Archive:"
