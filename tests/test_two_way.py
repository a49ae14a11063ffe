"""Each change on one side × each change on the other, before a run and in the middle of one: what both sides hold in the end.

Outlook is exchangelib, mutt is plain operations on files (tests/desk.py). The tables say what is expected on both sides after
runs until quiet: "FOLDER:FLAGS" for each place where the message is, on the server and on disk alike.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.desk import Desk
from tests.desk import Moment
from tests.desk import desk
from tests.desk import rename

Act = Callable[[Desk, int], None]

M = 1  # the message that both work on: in the Inbox, unread
D = 9  # the draft


@pytest.fixture
def it(tmp_path: Path) -> Iterator[Desk]:
    with desk(tmp_path) as found:
        yield found


# ---- what Outlook does with a message


def o_nothing(it: Desk, n: int) -> None:
    pass


def o_read(it: Desk, n: int) -> None:
    item = it.item(n)
    item.is_read = True
    item.save(update_fields=["is_read"])


def o_flag(it: Desk, n: int) -> None:
    item = it.item(n)
    item.flagged = 2
    item.save(update_fields=["flagged"])


def o_reply(it: Desk, n: int) -> None:
    item = it.item(n)
    item.last_verb = 102
    item.save(update_fields=["last_verb"])


def o_category(it: Desk, n: int) -> None:
    item = it.item(n)
    item.categories = ["red"]
    item.save(update_fields=["categories"])


def o_move(it: Desk, n: int) -> None:
    it.item(n).move(to_folder=it.folder("Projects"))


def o_archive(it: Desk, n: int) -> None:
    it.item(n).move(to_folder=it.folder("Archive"))


def o_copy(it: Desk, n: int) -> None:
    it.item(n).copy(to_folder=it.folder("Projects"))


def o_bin(it: Desk, n: int) -> None:
    it.item(n).move_to_trash()


def o_delete(it: Desk, n: int) -> None:
    it.item(n).delete()


# ---- what mutt does with it


def m_nothing(it: Desk, n: int) -> None:
    pass


def m_old(it: Desk, n: int) -> None:
    """mark_old: out of new/, and no flag."""
    rename(it.file(n), letters="")


def m_read(it: Desk, n: int) -> None:
    rename(it.file(n), letters=_plus(it.file(n), "S"))


def m_flag(it: Desk, n: int) -> None:
    rename(it.file(n), letters=_plus(it.file(n), "F"))


def m_reply(it: Desk, n: int) -> None:
    rename(it.file(n), letters=_plus(it.file(n), "RS"))


def m_forward(it: Desk, n: int) -> None:
    rename(it.file(n), letters=_plus(it.file(n), "P"))


def m_mv(it: Desk, n: int) -> None:
    rename(it.file(n), it.user.mail / "Projects")


def m_save(it: Desk, n: int) -> None:
    """Saved to another folder: mutt gives it a new name there."""
    file = it.file(n)
    rename(file, it.user.mail / "Projects", letters=_plus(file, "S"), name=f"1800000000.R{n}.mutt")


def m_archive(it: Desk, n: int) -> None:
    rename(it.file(n), it.user.mail / "Archive")


def m_copy(it: Desk, n: int) -> None:
    file = it.file(n)
    shutil.copy(file, it.user.mail / "Projects" / file.parent.name / file.name.replace(".", ".copy", 1))


def m_unlink(it: Desk, n: int) -> None:
    for file in it.files(n)[:1]:
        file.unlink()


def m_trash(it: Desk, n: int) -> None:
    rename(it.file(n), letters=_plus(it.file(n), "T"))


def _plus(file: Path, letters: str) -> str:
    return "".join(sorted({*file.name.partition(":2,")[2], *letters}))


#: Outlook × mutt → where the message is in the end, and with what flags.
#: A message that is deleted by both is in Deleted Items when Outlook put it there: the file's loss is no reason to purge it.
MESSAGE: dict[tuple[Act, Act], str] = {
    (o_nothing, m_old): "INBOX:",
    (o_nothing, m_read): "INBOX:S",
    (o_nothing, m_flag): "INBOX:F",
    (o_nothing, m_reply): "INBOX:RS",
    (o_nothing, m_forward): "INBOX:P",
    (o_nothing, m_mv): "Projects:",
    (o_nothing, m_save): "Projects:S",
    (o_nothing, m_copy): "INBOX: Projects:",
    (o_nothing, m_unlink): "Deleted Items:",
    (o_nothing, m_trash): "Deleted Items:",
    (o_read, m_nothing): "INBOX:S",
    (o_read, m_old): "INBOX:S",
    (o_read, m_read): "INBOX:S",
    (o_read, m_flag): "INBOX:FS",
    (o_read, m_reply): "INBOX:RS",
    (o_read, m_mv): "Projects:S",
    (o_read, m_save): "Projects:S",
    (o_read, m_copy): "INBOX:S Projects:",
    (o_read, m_unlink): "Deleted Items:S",
    (o_read, m_trash): "Deleted Items:S",
    (o_flag, m_nothing): "INBOX:F",
    (o_flag, m_old): "INBOX:F",
    (o_flag, m_read): "INBOX:FS",
    (o_flag, m_flag): "INBOX:F",
    (o_flag, m_forward): "INBOX:FP",
    (o_flag, m_mv): "Projects:F",
    (o_flag, m_save): "Projects:FS",
    (o_flag, m_unlink): "Deleted Items:F",
    (o_reply, m_forward): "INBOX:PR",
    (o_reply, m_reply): "INBOX:RS",
    (o_category, m_flag): "INBOX:F",
    (o_category, m_mv): "Projects:",
    (o_category, m_unlink): "Deleted Items:",
    (o_move, m_nothing): "Projects:",
    (o_move, m_old): "Projects:",
    (o_move, m_flag): "Projects:F",
    (o_move, m_reply): "Projects:RS",
    (o_move, m_mv): "Projects:",
    (o_move, m_save): "Projects:S",
    (o_move, m_archive): "Projects:",
    (o_move, m_copy): "Projects: Projects:",
    (o_move, m_unlink): "Projects:",
    (o_move, m_trash): "Deleted Items:",
    (o_archive, m_mv): "Archive:",
    (o_archive, m_save): "Archive:S",
    (o_archive, m_unlink): "Archive:",
    (o_copy, m_nothing): "INBOX: Projects:",
    (o_copy, m_flag): "INBOX:F Projects:",
    (o_copy, m_mv): "Projects: Projects:",
    (o_copy, m_archive): "Archive: Projects:",
    (o_copy, m_unlink): "Deleted Items: Projects:",
    (o_bin, m_nothing): "Deleted Items:",
    (o_bin, m_flag): "Deleted Items:F",
    (o_bin, m_mv): "Deleted Items:",
    (o_bin, m_unlink): "Deleted Items:",
    (o_bin, m_trash): "",
    (o_bin, m_copy): "Deleted Items: Projects:",
    (o_delete, m_nothing): "",
    (o_delete, m_flag): "",
    (o_delete, m_read): "",
    (o_delete, m_mv): "Projects:",
    (o_delete, m_save): "Projects:S",
    (o_delete, m_unlink): "",
    (o_delete, m_trash): "",
    (o_delete, m_copy): "Projects:",
}

#: What else is right when Outlook acts while the run that carries out mutt's act is under way.
LATE: dict[tuple[Act, Act], str] = {
    # Copied on the server, where it had been read or flagged by then, or was moved.
    (o_read, m_copy): "INBOX:S Projects:S",
    # The wish to delete met a message that was no longer where it was when the wish was read: it counts as moved.
    (o_move, m_trash): "Projects:",
    (o_bin, m_trash): "Deleted Items:",
    # The flag was set before Outlook copied.
    (o_copy, m_flag): "INBOX:F Projects:F",
    # Purged after it had been moved; and what is deleted in Deleted Items is purged.
    (o_delete, m_mv): "",
    (o_delete, m_save): "",
    (o_bin, m_unlink): "",
}

#: When the later one of the two acts: in the middle of a run that found what the other did.
DURING: dict[str, Moment] = {
    "outlook while listing": Moment("SyncFolderItems"),
    "outlook when planned": Moment("syncing"),
    "outlook before the first move": Moment("MoveItem"),
    "outlook after the first move": Moment("MoveItem", after=True),
    "outlook before the first mark": Moment("UpdateItem"),
    "outlook after the first mark": Moment("UpdateItem", after=True),
    "outlook before the first copy": Moment("CopyItem"),
    "mutt while listing": Moment("SyncFolderItems", after=True),
    "mutt when planned": Moment("syncing"),
}


@pytest.mark.parametrize(("outlook", "mutt"), MESSAGE, ids=lambda act: act.__name__)
def test_a_message_between_two_runs(outlook: Act, mutt: Act, it: Desk) -> None:
    outlook(it, M)
    mutt(it, M)
    it.settle()
    it.agree()
    assert it.holds(M) == MESSAGE[outlook, mutt]
    assert [it.holds(number) for number in (2, 3, 4, D)] == ["INBOX:", "INBOX:", "INBOX:S", "Drafts:DS"], "bystanders"


@pytest.mark.parametrize("when", DURING)
def test_many_messages_in_the_middle_of_a_run(when: str, tmp_path: Path) -> None:
    """The whole table at once, each line with a message of its own."""
    cases = {100 + index: case for index, case in enumerate(MESSAGE)}
    with desk(tmp_path, fill=False) as it:
        it.configure('guard = "100%"')
        it.fill("INBOX", *cases)
        it.sync()
        late = 0 if when.startswith("outlook") else 1
        for number, acts in cases.items():
            acts[1 - late](it, number)

        def all_late() -> None:
            for number, acts in cases.items():
                acts[late](it, number)

        it.act_at(DURING[when], all_late)
        it.sync()
        assert it.acted, "the moment did not come"
        it.settle()
        it.agree()
        wrong = {
            f"{o.__name__} × {m.__name__}": (held, wanted)
            for number, (o, m) in cases.items()
            if (held := it.holds(number)) not in (wanted := (MESSAGE[o, m], LATE.get((o, m), MESSAGE[o, m])))
        }
        assert not wrong
