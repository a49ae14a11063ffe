"""A desk for events, contacts and tasks: Outlook (exchangelib) here, files in vdirs there, and `sync` between them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from dataclasses import field
from functools import cached_property
from pathlib import Path

from exchangelib import BASIC
from exchangelib import DELEGATE
from exchangelib import UTC
from exchangelib import Account
from exchangelib import Configuration
from exchangelib import Credentials
from exchangelib.protocol import close_connections

from ews_bridge import config
from ews_bridge import sync as engine
from ews_bridge.report import Report
from tests.desk import Silent
from tests.exchange_relay import Relay
from tests.exchange_relay import Reply
from tests.exchange_relay import relay
from tests.inside import Inside
from tests.sandbox_server import ALICE
from tests.sandbox_server import Running
from tests.sandbox_server import running

KINDS = ("calendar", "contacts", "tasks")
CONFIG = """\
[accounts.work]
email = "{email}"
server = "{url}"
auth = "basic"
password_command = "echo {password}"
timeout = 20
"""


@dataclass
class ItemDesk:
    """A mailbox, its vdirs, and the two programs. `before`, `after`: called with the name of each request of a sync."""

    server: Running
    user: Inside
    relay: Relay
    before: Callable[[str], None] = lambda _: None
    after: Callable[[str], None] = lambda _: None
    sections: dict[str, str] = field(default_factory=dict)

    @cached_property
    def outlook(self) -> Account:
        settings = Configuration(service_endpoint=self.server.url, credentials=Credentials(*ALICE), auth_type=BASIC)
        return Account(ALICE[0], config=settings, access_type=DELEGATE, autodiscover=False, default_timezone=UTC)

    def configure(self, **sections: str) -> None:
        """The kinds that are synced, each with what else its section says."""
        self.sections = sections
        text = CONFIG.format(email=ALICE[0], password=ALICE[1], url=self.relay.url)
        for kind, more in sections.items():
            text += f'\n[accounts.work.{kind}]\npath = "~/{kind}"\n{more}\n'
        path = self.user.home / ".config/ews-bridge/config.toml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        self.__dict__.pop("account", None)

    @cached_property
    def account(self) -> config.Account:
        with self.user._environment():
            return config.load().accounts[0]

    def home(self, kind: str, folder: str = "") -> Path:
        """The directory of a folder; of the folder that every mailbox has where none is named."""
        return self.user.home / kind / (folder or kind.capitalize())

    def files(self, kind: str) -> list[Path]:
        ending = ".vcf" if kind == "contacts" else ".ics"
        return sorted(self.user.home.joinpath(kind).glob(f"*/[!.]*{ending}"))

    def file(self, kind: str, words: str) -> Path:
        """The one file with these words in it."""
        found = [file for file in self.files(kind) if words.encode() in file.read_bytes().replace(b"\r\n ", b"")]
        assert len(found) == 1, (words, found)
        return found[0]

    def sync(self, **options: object) -> Report:
        """One run, in this process."""
        return engine.sync(self.account, options=engine.Options(**options), progress=Silent(lambda _: None))  # type: ignore[arg-type]

    def settle(self, *, failures: bool = False) -> Report:
        """Runs until one has nothing to do; all they did, in one report."""
        whole = Report()
        for _ in range(5):
            report = self.sync()
            assert failures or not (report.failures or report.refused), report
            whole.done = dict(Counter(whole.done) + Counter(report.done))
            for name in ("conflicts", "failures", "notes", "refused"):
                getattr(whole, name).extend(getattr(report, name))
            if not report.done:
                return whole
        raise AssertionError(f"not quiet: {report}")

    def requests(self) -> Counter[str]:
        return Counter(self.server.stats()["requests"])

    def hook(self, body: bytes, forward: Callable[[], Reply]) -> Reply:
        name = body.partition(b"<s:Body><m:")[2].partition(b" ")[0].partition(b">")[0].decode()
        self.before(name)
        reply = forward()
        self.after(name)
        return reply


@contextmanager
def itemdesk(home: Path, **sections: str) -> Iterator[ItemDesk]:
    """A mailbox with nothing in it but its own folders; by default everything but mail is synced."""
    with running() as server:
        holder: list[ItemDesk] = []
        with relay(server.url, lambda body, forward: holder[0].hook(body, forward)) as between:
            found = ItemDesk(server, Inside(home, between.url), between)
            holder.append(found)
            found.configure(**(sections or dict.fromkeys(KINDS, "")))
            yield found
            close_connections()


def todo(uid: str, summary: str, *more: str) -> bytes:
    """A file with a task, as some other program writes it."""
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//test//", "BEGIN:VTODO", f"UID:{uid}", "DTSTAMP:20261101T090000Z"]
    return "\r\n".join([*lines, f"SUMMARY:{summary}", *more, "END:VTODO", "END:VCALENDAR", ""]).encode()
