"""Tags on items of every kind, straight on the server: appointments, contacts, tasks and mail; and the mailbox's list."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from exchangelib import CalendarItem
from exchangelib import Contact
from exchangelib import EWSDateTime
from exchangelib import Task
from exchangelib.ewsdatetime import UTC
from lxml import etree

from ews_bridge.errors import Stale
from ews_bridge.exchange import akonadi
from ews_bridge.exchange import bulk
from ews_bridge.exchange import soap
from ews_bridge.exchange.akonadi import Listed
from ews_bridge.exchange.folder import ExchangeFolder
from ews_bridge.exchange.session import Connection
from ews_bridge.exchange.tagging import Tagging
from ews_bridge.model import Entry
from ews_bridge.model import Tags
from tests.desk import Desk
from tests.exchange_relay import connection
from tests.sandbox_server import Running
from tests.sandbox_server import running
from tests.test_akonadi import GOLDEN
from tests.test_tags import PROJECT
from tests.test_tags import SET

PLACES = ("akonadi", "categories")


@pytest.fixture
def server() -> Iterator[Running]:
    with running() as found:
        props = found.alice.folder("msgfolderroot").props
        props[SET, "GlobalTags"] = ("StringArray", list(GOLDEN))
        props[SET, "GlobalTagsVersion"] = ("Integer", 3)
        yield found


@pytest.fixture
def line(server: Running) -> Iterator[Connection]:
    with connection(server.url) as found:
        yield found


def tagging(line: Connection, places: tuple[str, ...] = PLACES) -> Tagging:
    made = Tagging(line, places)
    made.load()
    return made


def listed(server: Running) -> Listed:
    props = server.alice.folder("msgfolderroot").props
    return Listed(tuple(props[SET, "GlobalTags"][1]), int(props[SET, "GlobalTagsVersion"][1]))  # type: ignore[arg-type]


def read(line: Connection, tags: Tagging, ident: str) -> tuple[etree._Element, Tags]:
    ((_, found),) = bulk.get_items(line, [(ident, 0)], tags.fields, mime=False)
    assert isinstance(found, bulk.Got)
    return found.element, tags.of(found.element)


@pytest.mark.parametrize("kind", ["CalendarItem", "Contact", "Task", "Message"])
def test_items_of_every_kind_are_tagged_by_the_same_code(server: Running, line: Connection, kind: str) -> None:
    outlook = Desk(server, None, None).outlook  # type: ignore[arg-type]
    start = EWSDateTime(2026, 11, 3, 9, tzinfo=UTC)
    match kind:
        case "CalendarItem":
            end = EWSDateTime(2026, 11, 3, 10, tzinfo=UTC)
            ident = CalendarItem(account=outlook, folder=outlook.calendar, subject="s", start=start, end=end).save().id
        case "Contact":
            ident = Contact(account=outlook, folder=outlook.contacts, display_name="n").save().id
        case "Task":
            ident = Task(account=outlook, folder=outlook.tasks, subject="s").save().id
        case _:
            ident = server.alice.item_id(server.alice.add_mime(server.alice.folder("inbox"), b"Subject: s\r\n\r\nb\r\n"))
    tags = tagging(line)
    folder = ExchangeFolder(line, "any", 1, tagging=tags)
    none: Tags = dict.fromkeys(PLACES, frozenset())
    wanted: Tags = dict.fromkeys(PLACES, frozenset({"Project X", "neu"}))
    entry = Entry(ident, "", tags=none)
    ((_, made),) = folder.tag([(entry, wanted)])
    assert isinstance(made, Entry) and made.tags == wanted
    element, now = read(line, tags, ident)
    assert (soap.name(element), now) == (kind, wanted)
    ((_, again),) = folder.tag([(entry, wanted)])
    assert isinstance(again, Stale), "it is not as the entry says any more"
    ((_, made),) = folder.tag([(made, none)])
    assert isinstance(made, Entry)
    assert read(line, tags, ident)[1] == none


def test_two_writers_of_the_list_at_once_lose_no_record(server: Running) -> None:
    with connection(server.url) as one, connection(server.url) as two, ThreadPoolExecutor(2) as workers:
        first, second = tagging(one), tagging(two)
        for number in range(5):
            jobs = [workers.submit(first.ensure, [f"a{number}"]), workers.submit(second.ensure, [f"b{number}"])]
            assert not any(job.result() for job in jobs)
        first.confirm()
        second.confirm()
    names = {record.name for record in listed(server).records().values()}
    assert {f"{letter}{number}" for letter in "ab" for number in range(5)} <= names
    assert listed(server).version > 3
    assert len(names) == len(listed(server).values)
    assert listed(server).values[: len(GOLDEN)] == tuple(GOLDEN)


def test_a_list_that_is_not_there_yet_is_made_with_version_one(server: Running, line: Connection) -> None:
    server.alice.folder("msgfolderroot").props.clear()
    tags = tagging(line)
    tags.ensure(["new"])
    assert listed(server).version == 1
    assert [record.name for record in listed(server).records().values()] == ["new"]


def test_an_id_that_the_list_has_only_now_is_looked_up_once(server: Running, line: Connection) -> None:
    tags = tagging(line)
    late = akonadi.new_record("late")
    props = server.alice.folder("msgfolderroot").props
    props[SET, "GlobalTags"] = ("StringArray", [*GOLDEN, akonadi.encoded(late)])
    item = server.alice.add_mime(server.alice.folder("inbox"), b"Subject: s\r\n\r\nb\r\n")
    item.props[SET, "Tags"] = ("StringArray", [late.gid.decode(), "00000000-0000-4000-8000-000000000000"])
    server.reset()
    assert read(line, tags, server.alice.item_id(item))[1]["akonadi"] == {"late"}
    assert read(line, tags, server.alice.item_id(item))[1]["akonadi"] == {"late"}
    assert server.stats()["requests"]["GetFolder"] == 1


def test_categories_alone_ask_for_no_list(server: Running, line: Connection) -> None:
    server.reset()
    tags = tagging(line, ("categories",))
    tags.ensure(["new"])
    assert server.stats()["requests"] == {}
    item = server.alice.add_mime(server.alice.folder("inbox"), b"Subject: s\r\n\r\nb\r\n")
    item.props[SET, "Tags"] = ("StringArray", [PROJECT])
    assert read(line, tags, server.alice.item_id(item))[1] == {"categories": frozenset()}
