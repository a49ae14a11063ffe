"""Contacts by the whole program: cards up and down, pictures, groups, and one broken card among others."""

from __future__ import annotations

import base64
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from exchangelib import FileAttachment
from exchangelib.items import Contact
from exchangelib.items import DistributionList

from tests.contact_server import FORM
from tests.itemdesk import ItemDesk
from tests.itemdesk import itemdesk
from tests.test_contact_codec import JPEG
from tests.test_contact_codec import PNG
from tests.test_contact_codec import card
from tests.test_contact_codec import picture

CORPUS = os.environ.get("EWS_BRIDGE_CORPUS")


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[ItemDesk]:
    with itemdesk(tmp_path, contacts="") as found:
        found.settle()
        yield found


def put(desk: ItemDesk, name: str, data: bytes) -> Path:
    path = desk.home("contacts") / f"{name}.vcf"
    path.write_bytes(data)
    return path


def on_the_server(desk: ItemDesk, name: str) -> Contact:
    return desk.outlook.contacts.get(display_name=name)


def test_a_card_with_a_picture_goes_up_and_outlooks_picture_comes_down(desk: ItemDesk) -> None:
    path = put(desk, "grace", card("UID:grace", "FN:Grace", "TITLE:Admiral", picture(JPEG, "JPEG")))
    desk.settle()
    found = on_the_server(desk, "Grace")
    assert (found.job_title, found.has_picture, found.attachments[0].content) == ("Admiral", True, JPEG)
    found.attachments[0].detach()
    found.attach(FileAttachment(name="ContactPicture.jpg", content=PNG, is_contact_photo=True))
    desk.settle()
    assert base64.b64encode(PNG).decode() in path.read_text().replace("\n ", "")


def group(uid: str, *members: str) -> bytes:
    lines = (f"X-ADDRESSBOOKSERVER-MEMBER:urn:uuid:{member}" for member in members)
    return card(f"UID:{uid}", f"FN:{uid.title()}", "X-ADDRESSBOOKSERVER-KIND:group", *lines)


def members(desk: ItemDesk, name: str) -> list[str]:
    """The names of the members of a list, as Outlook shows them."""
    found = desk.outlook.contacts.get(display_name=name)
    assert isinstance(found, DistributionList)
    return [member.mailbox.name for member in found.members or ()]


def test_a_group_and_its_new_members_go_up_in_one_run(desk: ItemDesk) -> None:
    put(desk, "friends", group("friends", "grace", "club"))
    put(desk, "grace", card("UID:grace", "FN:Grace", "EMAIL:grace@example.org"))
    put(desk, "club", group("club", "ada"))
    put(desk, "ada", card("UID:ada", "FN:Ada", "EMAIL:ada@example.org"))
    desk.settle()
    assert members(desk, "Club") == ["Ada"]
    assert members(desk, "Friends") == ["Grace", "Club"]
    path = put(desk, "ada2", card("UID:ada2", "FN:Ada II", "EMAIL:ada2@example.org"))
    put(desk, "club", group("club", "ada", "ada2"))
    desk.settle()
    assert members(desk, "Club") == ["Ada", "Ada II"]
    path.unlink()
    desk.settle()
    assert desk.file("contacts", "FN:Club")


def test_groups_that_contain_each_other_and_members_that_never_come_stop_nothing(desk: ItemDesk) -> None:
    put(desk, "one", group("one", "two", "nobody", "broken"))
    put(desk, "two", group("two", "one"))
    put(desk, "broken", card("UID:broken", "FN:Broken", picture(JPEG + bytes(8 << 20), "JPEG")))
    desk.settle(failures=True)
    assert members(desk, "One") == members(desk, "Two") == []
    put(desk, "two", group("two", "one", "nobody"))
    desk.settle()
    assert members(desk, "Two") == ["One"]
    assert len(desk.files("contacts")) == 3


def test_one_broken_card_never_stops_the_rest_and_is_named(desk: ItemDesk) -> None:
    put(desk, "broken", b"BEGIN:VCARD\nVERSION:3.0\nFN:Cut")
    put(desk, "huge", card("UID:huge", "FN:Huge", picture(JPEG + bytes(8 << 20), "JPEG")))
    put(desk, "good", card("UID:good", "FN:Good"))
    report = desk.settle(failures=True)
    said = " ".join(map(str, report.failures))
    assert "no END:VCARD" in said
    assert "its picture has 8.0 MB" in said
    assert on_the_server(desk, "Good")


def test_what_outlook_and_the_file_change_in_one_card_is_in_both(desk: ItemDesk) -> None:
    path = put(desk, "grace", card("UID:grace", "FN:Grace", "item1.EMAIL:one@example.org", "item1.X-ABLABEL:boat", "X-OWN:1"))
    desk.settle()
    found = on_the_server(desk, "Grace")
    found.job_title = "Admiral"
    found.save(update_fields=["job_title"])
    desk.settle()
    assert {"TITLE:Admiral", "item1.X-ABLABEL:boat", "X-OWN:1"} <= set(path.read_text().split("\n"))
    path.write_bytes(path.read_bytes().replace(b"X-OWN:1", b"NOTE:Met her"))
    desk.settle()
    found = on_the_server(desk, "Grace")
    assert (found.job_title, str(found.body).strip()) == ("Admiral", "Met her")


@pytest.mark.skipif(CORPUS is None, reason="EWS_BRIDGE_CORPUS is not set: no real cards to sync")
def test_every_real_card_is_the_same_in_a_second_home(desk: ItemDesk, tmp_path_factory: pytest.TempPathFactory) -> None:
    given = {path.stem: path.read_bytes() for path in Path(str(CORPUS), "vcf").glob("*.vcf")}
    for name, data in given.items():
        put(desk, name, data)
    report = desk.settle(failures=True)
    assert [failure for failure in map(str, report.failures) if "unparsable" not in failure] == []
    with itemdesk(tmp_path_factory.mktemp("second"), contacts="") as second:
        second.server, second.relay = desk.server, desk.relay
        second.user.home.mkdir(exist_ok=True)
        second.configure(contacts="")
        second.settle()
        there = sorted(FORM.read(path.read_bytes()).meaning for path in second.files("contacts"))
    assert there == sorted(FORM.read(data).meaning for name, data in given.items() if name != "unparsable")
