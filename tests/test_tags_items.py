"""Akonadi's tags on events, contacts and tasks: kept alike with Outlook's categories, which the files have as CATEGORIES."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from exchangelib import UTC
from exchangelib import CalendarItem
from exchangelib import Contact
from exchangelib import EWSDateTime
from exchangelib import Task

from ews_bridge import tagsync
from ews_bridge.exchange import akonadi
from ews_bridge.exchange.akonadi import Listed
from ews_bridge.model import Side
from ews_bridge.tagconfig import TagsSection
from tests.calendar_desk import calendar
from tests.itemdesk import ItemDesk
from tests.itemdesk import itemdesk
from tests.test_akonadi import GOLDEN
from tests.test_akonadi import UUID
from tests.test_tags import SET
from tests.test_tags import Tags

for each in (CalendarItem, Contact, Task):
    if "akonadi_tags" not in {field.name for field in each.FIELDS}:
        each.register("akonadi_tags", Tags)

ALL = "\n[accounts.work.tags]\nserver = {server}\n"
BOTH = '["akonadi", "categories"]'
PROJECT = UUID.decode()


@dataclass
class Tagged:
    """One item on the server and its file. `make`: an item of the kind, not saved yet."""

    desk: ItemDesk
    kind: str
    make: Callable[..., CalendarItem | Contact | Task]

    def configure(self, server: str = BOTH) -> None:
        self.desk.configure(**{self.kind: ALL.format(server=server) if server else ""})

    def akonadi(self, values: list[str], **more: object) -> None:
        found = self.item()
        found.akonadi_tags = values or None
        for name, value in more.items():
            setattr(found, name, value)
        found.save(update_fields=["akonadi_tags", *more])

    def outlook(self, names: list[str]) -> None:
        found = self.item()
        found.categories = names or None
        found.save(update_fields=["categories"])

    def item(self) -> CalendarItem | Contact | Task:
        outlook = self.desk.outlook
        folder = {"calendar": outlook.calendar, "contacts": outlook.contacts, "tasks": outlook.tasks}[self.kind]
        (found,) = [each for each in folder.all() if "Plan" in each.subject]
        return found

    def on_server(self) -> tuple[list[str], list[str]]:
        """(Akonadi's ids, categories)"""
        found = self.item()
        return list(found.akonadi_tags or []), sorted(found.categories or [])

    @property
    def file(self) -> Path:
        return self.desk.file(self.kind, "Plan")

    def in_file(self) -> list[str]:
        lines = [line for line in self.file.read_text().splitlines() if line.startswith("CATEGORIES:")]
        return sorted(name for line in lines for name in line.removeprefix("CATEGORIES:").split(","))

    def edit(self, *categories: str) -> None:
        """As an editor does it: the line is replaced, added or taken out."""
        kept = [line for line in self.file.read_bytes().split(b"\r\n") if not line.startswith(b"CATEGORIES")]
        place = next(n for n, line in enumerate(kept) if line.startswith((b"SUMMARY", b"FN")))
        kept[place:place] = [f"CATEGORIES:{','.join(categories)}".encode()] if categories else []
        self.file.write_bytes(b"\r\n".join(kept))


def event(desk: ItemDesk, **more: object) -> CalendarItem:
    start, end = (EWSDateTime(2026, 12, 1, hour, tzinfo=UTC) for hour in (9, 10))
    return CalendarItem(account=desk.outlook, folder=desk.outlook.calendar, subject="Plan", start=start, end=end, **more)


def contact(desk: ItemDesk, **more: object) -> Contact:
    names = dict.fromkeys(("subject", "display_name", "file_as"), "Plan")
    return Contact(account=desk.outlook, folder=desk.outlook.contacts, **names, **more)


def task(desk: ItemDesk, **more: object) -> Task:
    return Task(account=desk.outlook, folder=desk.outlook.tasks, subject="Plan", **more)


MAKERS = {"calendar": event, "contacts": contact, "tasks": task}


@contextmanager
def tagged(home: Path, kind: str, server: str = BOTH) -> Iterator[Tagged]:
    """A mailbox with Akonadi's list, with the golden records."""
    with itemdesk(home, **{kind: ""}) as desk:
        top = desk.server.alice.folder("msgfolderroot")
        top.props[SET, "GlobalTags"] = ("StringArray", list(GOLDEN))
        top.props[SET, "GlobalTagsVersion"] = ("Integer", 3)
        found = Tagged(desk, kind, MAKERS[kind])
        found.configure(server)
        yield found


@pytest.fixture(params=MAKERS)
def it(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Tagged]:
    """An item that both sides have, without a tag."""
    with tagged(tmp_path, request.param) as found:
        found.make(found.desk).save()
        found.desk.settle()
        yield found


def names_of_list(it: Tagged) -> set[str]:
    props = it.desk.server.alice.folder("msgfolderroot").props
    values = props[SET, "GlobalTags"][1]
    return {record.name for record in Listed(tuple(values), 0).records().values()}  # type: ignore[arg-type]


def test_a_tag_of_akonadi_comes_down_as_a_category_and_goes_with_it(it: Tagged) -> None:
    it.akonadi([PROJECT])
    it.desk.settle()
    assert it.on_server() == ([PROJECT], ["Project X"])
    assert it.in_file() == ["Project X"]
    it.akonadi([])
    it.desk.settle()
    assert it.on_server() == ([], [])
    assert it.in_file() == []


def test_a_category_of_the_file_reaches_akonadi_and_goes_with_it(it: Tagged) -> None:
    it.edit("Project X", "garden")
    it.desk.settle()
    values, categories = it.on_server()
    assert categories == ["Project X", "garden"]
    assert values[0] == PROJECT and len(values) == 2
    assert "garden" in names_of_list(it)
    it.edit("garden")
    it.desk.settle()
    assert it.on_server() == (values[1:], ["garden"])
    it.edit()
    it.desk.settle()
    assert it.on_server() == ([], [])
    assert it.in_file() == []


def test_a_category_removed_in_outlook_does_not_come_back_from_akonadi(it: Tagged) -> None:
    it.edit("Project X", "todo")
    it.desk.settle()
    it.outlook(["todo"])
    it.desk.settle()
    assert it.on_server() == (["todo"], ["todo"])
    assert it.in_file() == ["todo"]


def test_a_new_file_with_categories_is_tagged_for_akonadi_too(it: Tagged) -> None:
    data = it.file.read_bytes()
    it.item().delete()
    it.desk.settle()
    path = it.desk.home(it.kind) / ("new.vcf" if it.kind == "contacts" else "new.ics")
    path.write_bytes(data)
    it.edit("todo")
    it.desk.settle()
    assert it.on_server() == (["todo"], ["todo"])


def test_a_tag_and_an_edit_at_once_are_no_conflict(it: Tagged) -> None:
    it.akonadi([PROJECT])
    it.edit("todo")
    report = it.desk.settle()
    assert not report.conflicts
    assert it.on_server() == ([PROJECT, "todo"], ["Project X", "todo"])
    assert it.in_file() == ["Project X", "todo"]


def test_other_categories_on_both_sides_are_a_conflict_like_any_edit_and_end_alike(it: Tagged) -> None:
    it.edit("Project X")
    it.desk.settle()
    it.akonadi([PROJECT, "todo"], categories=["Project X", "todo"])
    it.edit()
    assert it.desk.settle().conflicts
    assert it.on_server() == ([PROJECT, "todo"], ["Project X", "todo"])
    assert it.in_file() == ["Project X", "todo"]


def test_what_was_tagged_before_the_section_was_there_is_merged_once(tmp_path: Path) -> None:
    with tagged(tmp_path, "tasks", server="") as it:
        it.make(it.desk, akonadi_tags=[PROJECT], categories=["todo"]).save()
        it.desk.settle()
        assert it.in_file() == ["todo"]
        it.configure()
        it.desk.settle()
        assert sorted(it.on_server()[0]) == sorted([PROJECT, "todo"])
        assert it.in_file() == ["Project X", "todo"]


@pytest.mark.parametrize("server", ["", '["categories"]'])
def test_without_akonadi_in_the_section_its_tags_are_nobodys_business(server: str, tmp_path: Path) -> None:
    with tagged(tmp_path, "tasks", server) as it:
        it.make(it.desk, akonadi_tags=[PROJECT], categories=["todo"]).save()
        it.desk.settle()
        it.edit("garden")
        it.desk.settle()
        assert it.on_server() == ([PROJECT], ["garden"])


@pytest.mark.parametrize("places", [("akonadi",), ("akonadi", "categories")])
def test_of_items_it_does_not_matter_what_keeps_the_tags_of_mail(places: tuple[str, ...]) -> None:
    asked = tagsync.of_items(TagsSection(places, "notmuch", {"a": "b"}, ("c",)))
    assert asked == TagsSection(("akonadi", "categories"), "none", {"a": "b"}, ("c",))
    assert tagsync.of_items(TagsSection(("categories",))) is None


def test_a_section_that_goes_leaves_the_tags_that_still_waited(tmp_path: Path) -> None:
    with tagged(tmp_path, "tasks") as it:
        it.make(it.desk).save()
        it.desk.settle()
        it.akonadi([PROJECT])
        it.desk.sync(writes=frozenset({Side.LOCAL}))
        assert it.in_file() == [] and it.on_server() == ([PROJECT], [])
        it.configure("")
        it.desk.settle()
        assert it.in_file() == [] and it.on_server() == ([PROJECT], [])
        it.configure()
        it.desk.settle()
        assert it.in_file() == ["Project X"]


def test_a_tag_renamed_in_akonadis_list_is_renamed_on_items_that_did_not_change(tmp_path: Path) -> None:
    with tagged(tmp_path, "tasks") as it:
        it.make(it.desk, akonadi_tags=[PROJECT]).save()
        it.desk.settle()
        assert it.in_file() == ["Project X"]
        props = it.desk.server.alice.folder("msgfolderroot").props
        listed = Listed(tuple(GOLDEN), 3)
        after = listed.with_records([akonadi.renamed(listed.records()[UUID], "Project Y")])
        props[SET, "GlobalTags"] = ("StringArray", list(after.values))
        props[SET, "GlobalTagsVersion"] = ("Integer", after.version)
        it.desk.settle()
        assert it.on_server() == ([PROJECT], ["Project Y"])
        assert it.in_file() == ["Project Y"]


def test_a_read_only_list_is_left_as_the_server_has_it(tmp_path: Path) -> None:
    with tagged(tmp_path, "tasks") as it:
        it.desk.configure(tasks='read_only = ["Tasks"]\n' + ALL.format(server=BOTH))
        it.make(it.desk, akonadi_tags=[PROJECT], categories=["todo"]).save()
        it.desk.settle()
        it.edit("garden")
        it.desk.settle()
        assert it.on_server() == ([PROJECT], ["todo"])
        assert it.in_file() == ["todo"]


def test_a_quiet_run_asks_for_no_item(it: Tagged) -> None:
    it.akonadi([PROJECT])
    it.desk.settle()
    before = it.desk.requests()
    it.desk.sync()
    assert not {name for name in it.desk.requests() - before if name in ("GetItem", "UpdateItem")}


def test_a_tag_on_a_series_is_the_series_and_its_changed_occurrences_stay(tmp_path: Path) -> None:
    with tagged(tmp_path, "calendar") as it:
        series = ("DTSTART:20261201T090000Z", "DTEND:20261201T100000Z", "SUMMARY:Plan", "RRULE:FREQ=DAILY;COUNT=5")
        changed = ("RECURRENCE-ID:20261203T090000Z", "DTSTART:20261203T110000Z", "DTEND:20261203T120000Z", "SUMMARY:Plan later")
        events = [line for each in (series, changed) for line in ("BEGIN:VEVENT", "UID:s", *each, "END:VEVENT")]
        it.desk.settle()
        file = it.desk.home("calendar") / "s.ics"
        file.write_bytes(calendar(*events))
        it.desk.settle()
        it.akonadi([PROJECT])
        it.desk.settle()
        assert it.on_server() == ([PROJECT], ["Project X"])
        master, later = file.read_text().split("RECURRENCE-ID")
        assert "CATEGORIES:Project X" in master and "SUMMARY:Plan later" in later
