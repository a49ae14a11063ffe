"""The configuration file as frozen settings, the directories that belong to an account, and the password command.

What is not understood is refused with file, line, key and the nearest valid name: a misspelt key that is silently ignored
would one day be a folder that was not synced. The secret itself is never part of these values: it is fetched by `password`
when a connection needs it, and stands in no log, no message and no repr. Interface: "Configuration", "Files".
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterable
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field
from dataclasses import fields
from pathlib import Path
from typing import Any
from typing import Literal
from typing import cast
from typing import get_args
from urllib.parse import urlsplit

from ews_bridge import __version__
from ews_bridge import addresses
from ews_bridge import itemsconfig
from ews_bridge import tagconfig
from ews_bridge.configfile import Source
from ews_bridge.configfile import Table
from ews_bridge.configfile import nearest
from ews_bridge.errors import AuthError
from ews_bridge.errors import ConfigError
from ews_bridge.errors import UsageError
from ews_bridge.itemsconfig import ItemsSection
from ews_bridge.names import Layout
from ews_bridge.tagconfig import TagsSection

#: What becomes of mail on the server when its file is deleted: it stays in Deleted Items, or is removed from there, too.
Delete = Literal["trash", "soft", "hard"]
DELETES: tuple[Delete, ...] = get_args(Delete)
LAYOUTS: tuple[Layout, ...] = get_args(Layout)
AUTHS = ("basic", "ntlm")
PASSWORD_SECONDS = 120.0  # long enough for a passphrase to be typed

_ACCOUNT_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")  # it names a directory
_SYSTEM_FILE = Path("/etc/ews-bridge/config.toml")


@dataclass(frozen=True)
class MailSection:
    """`[accounts.NAME.mail]`. `guard` is a share, 0.25 for "25%"; `folders` are globs, the last match wins, "!" excludes.

    `read_only` are globs, too. `since` in seconds before now, `max_size` in bytes; 0: no limit.
    """

    path: Path
    layout: Layout = "verbatim"
    folders: tuple[str, ...] = ("*",)
    guard: float = 0.25
    read_only: tuple[str, ...] = ()
    delete: Delete = "trash"
    since: int = 0
    max_size: int = 0


Section = MailSection | ItemsSection

#: What an account may keep in step, each a section of the file; in this order a run goes through them.
KINDS = ("mail", "calendar", "contacts", "tasks")

#: What becomes of a message that the server does not take at once: given back, kept and sent later; or it always is.
Queue = Literal["never", "on-failure", "always"]
QUEUES: tuple[Queue, ...] = get_args(Queue)


@dataclass(frozen=True)
class SendSection:
    """`[accounts.NAME.send]`. `settle` in seconds; `sender` is the key `from`: "Name <address>", "" for the account's address."""

    queue: Queue = "on-failure"
    settle: float = 120.0
    default: bool = False
    aliases: Path | None = None
    sender: str = ""


@dataclass(frozen=True)
class Account:
    """`[accounts.NAME]`. `timeout` in seconds; `ca_file` None: the system's authorities; `proxy` "": as the environment says.

    `mailbox`: the address of a shared mailbox that is synced, and sent from, with the rights of who signs in.
    """

    name: str
    email: str
    server: str
    username: str
    password_command: tuple[str, ...] = field(repr=False)  # may have the secret in its text, as `echo secret` has
    state_dir: Path
    auth: str = "ntlm"
    user_agent: str = f"ews-bridge/{__version__}"
    ca_file: Path | None = None
    proxy: str = field(default="", repr=False)  # may carry a password
    timeout: float = 60.0
    connections: int = 4
    mailbox: str = ""
    mail: MailSection | None = None
    calendar: ItemsSection | None = None
    contacts: ItemsSection | None = None
    tasks: ItemsSection | None = None
    tags: TagsSection | None = None
    send: SendSection = SendSection()

    @property
    def address(self) -> str:
        """Whose mailbox this is, and in whose name it sends."""
        return self.mailbox or self.email

    def section(self, kind: str) -> Section | None:
        """The section of one of KINDS."""
        found: Section | None = getattr(self, kind)
        return found


#: The keys that a file may have, by table.
ACCOUNT_KEYS = tuple(each.name for each in fields(Account) if each.name not in ("name", "state_dir"))
MAIL_KEYS = tuple(each.name for each in fields(MailSection))
ITEMS_KEYS = itemsconfig.KEYS["calendar"]
TAGS_KEYS = tagconfig.KEYS
SEND_KEYS = tuple("from" if each.name == "sender" else each.name for each in fields(SendSection))


@dataclass(frozen=True, slots=True)
class Config:
    """One configuration file, read and checked. `accounts` in the order of the file."""

    path: Path
    accounts: tuple[Account, ...]

    def select(self, names: Iterable[str]) -> tuple[Account, ...]:
        """The accounts with these names, each once; all when no name is given. Raises UsageError for an unknown one."""
        by_name = {account.name: account for account in self.accounts}
        wanted = dict.fromkeys(names)
        for name in wanted:
            if name not in by_name:
                raise UsageError(f"there is no account {name!r} in {self.path}{nearest(name, by_name)}")
        return tuple(by_name[name] for name in wanted) or self.accounts


def load(explicit: Path | None = None) -> Config:
    """Read and check the configuration. Raises ConfigError; nothing is created and no command is run."""
    path = locate(explicit)
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{path}: cannot read the configuration: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: the configuration is not UTF-8 text") from error
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        where = re.search(r"\(at line (\d+), .*\)$", str(error))
        line = where.group(1) if where else text.count("\n") + 1
        raise ConfigError(f"{path}:{line}: not valid TOML: {error}") from error
    return _config(path, text, data)


def locate(explicit: Path | None = None) -> Path:
    """The configuration file: as told, by EWS_BRIDGE_CONFIG, the user's own, the system's. Raises ConfigError for none."""
    if explicit is not None:
        return explicit
    told = os.environ.get("EWS_BRIDGE_CONFIG", "")
    if told:
        return Path(told).expanduser()
    own = _xdg("XDG_CONFIG_HOME", ".config") / "ews-bridge" / "config.toml"
    for path in (own, _SYSTEM_FILE):
        if path.exists():
            return path
    raise ConfigError(f"there is no configuration: neither {own} nor {_SYSTEM_FILE} exists", hint="man ews-bridge.toml shows one")


def state_home() -> Path:
    """Where the state of all accounts lives: `$XDG_STATE_HOME/ews-bridge`."""
    return _xdg("XDG_STATE_HOME", ".local/state") / "ews-bridge"


def password(account: Account, *, seconds: float = PASSWORD_SECONDS) -> str:
    """The account's secret: the first line that its password command prints. Runs the command anew at each call.

    Raises ConfigError when the command cannot be started, AuthError when it fails, prints nothing or takes longer than
    `seconds`; what it wrote to stderr is in the message, what it wrote to stdout never is.
    """
    import subprocess  # not loaded by a program that only looks at the settings

    whose = f"password_command of account {account.name}"
    try:
        # In our process group and with our terminal: it may have to ask for a passphrase.
        with subprocess.Popen(account.password_command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            try:
                out, complaint = process.communicate(timeout=seconds)
            except subprocess.TimeoutExpired as error:
                process.kill()
                raise AuthError(f"{whose} took longer than {seconds:g} s") from error
    except OSError as error:
        raise ConfigError(f"{whose} cannot be run: {error.strerror}: {account.password_command[0]}") from error
    if process.returncode:
        said = " / ".join(complaint.decode(errors="replace").split("\n")).strip(" /")
        raise AuthError(f"{whose} failed with status {process.returncode}" + (f": {said}" if said else ""))
    secret = out.split(b"\n", 1)[0].removesuffix(b"\r")
    if not secret:
        raise AuthError(f"{whose} printed no password", hint="it must print the password as the first line of its output")
    try:
        return secret.decode()
    except UnicodeDecodeError:
        raise AuthError(f"{whose} printed a password that is not UTF-8") from None  # the cause would quote it


def _xdg(variable: str, default: str) -> Path:
    """A base directory; one that is not absolute is ignored (XDG Base Directory Specification)."""
    told = os.environ.get(variable, "")
    return Path(told) if told.startswith("/") else Path("~").expanduser() / default


# ---- from tables to values


def _config(path: Path, text: str, data: Mapping[str, Any]) -> Config:
    source = Source(path, text)
    accounts = Table(source, (), dict(data), ("accounts",)).data.get("accounts")
    if not accounts:
        source.refuse(("accounts",), "there is no account", hint="man ews-bridge.toml shows one")
    table = Table(source, ("accounts",), accounts, accounts)
    read = tuple(_account(source, name, table.data[name]) for name in table.data)
    _apart(source, read)
    _one_default(source, read)
    return Config(path, read)


def _account(source: Source, name: str, data: object) -> Account:
    table = Table(source, ("accounts", name), data, ACCOUNT_KEYS)
    if not _ACCOUNT_NAME.fullmatch(name):
        source.refuse(table.path, "a name is made of letters, digits, '.', '_' and '-', and begins with a letter or digit")
    email, mailbox = table.text("email"), table.text("mailbox", "")
    for key, address in (("email", email), ("mailbox", mailbox)):
        if address and not re.fullmatch(r"[^@\s]+@[^@\s]+", address):
            table.refuse(key, f"{address!r} is not a mail address")
    auth = table.choice("auth", AUTHS, Account.auth)
    return Account(
        name=name,
        email=email,
        server=_server(table, auth),
        username=table.text("username", email),
        password_command=_command(table),
        state_dir=state_home() / name,
        auth=auth,
        user_agent=table.text("user_agent", Account.user_agent),
        ca_file=_ca_file(table),
        proxy=_proxy(table),
        timeout=table.number("timeout", Account.timeout, 1, 3600),
        connections=table.integer("connections", Account.connections, 1, 16),
        mailbox="" if mailbox.lower() == email.lower() else mailbox,
        mail=_mail(source, (*table.path, "mail"), table.data.get("mail")),
        calendar=itemsconfig.read(source, (*table.path, "calendar"), table.data.get("calendar")),
        contacts=itemsconfig.read(source, (*table.path, "contacts"), table.data.get("contacts")),
        tasks=itemsconfig.read(source, (*table.path, "tasks"), table.data.get("tasks")),
        tags=tagconfig.read(source, (*table.path, "tags"), table.data.get("tags")),
        send=_send(source, (*table.path, "send"), table.data.get("send")),
    )


def _mail(source: Source, path: tuple[str, ...], data: object) -> MailSection | None:
    if data is None:
        return None
    table = Table(source, path, data, MAIL_KEYS)
    patterns = table.data.get("folders")
    folders = MailSection.folders if patterns is None else table.strings("folders", patterns)
    if folders[0].startswith("!"):
        folders = ("*", *folders)  # a list that only excludes means: all the others
    return MailSection(
        path=table.file("path"),
        layout=cast(Layout, table.choice("layout", LAYOUTS, MailSection.layout)),
        folders=folders,
        guard=table.share("guard", MailSection.guard),
        read_only=table.strings("read_only", table.data["read_only"]) if "read_only" in table.data else (),
        delete=cast(Delete, table.choice("delete", DELETES, MailSection.delete)),
        since=table.age("since"),
        max_size=table.amount("max_size", {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}, "500K or 50M"),
    )


def _send(source: Source, path: tuple[str, ...], data: object) -> SendSection:
    if data is None:
        return SendSection()
    table = Table(source, path, data, SEND_KEYS)
    sender = table.text("from", SendSection.sender)
    if sender:
        found = addresses.parse(sender)
        if not found.clear or len(found.mailboxes) != 1 or "@" not in found.mailboxes[0].address:
            table.refuse("from", f'{sender!r} is not one address such as "Alice <alice@example.com>"')
    default = table.data.get("default", SendSection.default)
    if not isinstance(default, bool):
        table.refuse("default", "must be true or false")
    return SendSection(
        queue=cast(Queue, table.choice("queue", QUEUES, SendSection.queue)),
        settle=table.number("settle", SendSection.settle, 0, 86_400),
        default=default,
        aliases=table.file("aliases") if "aliases" in table.data else None,
        sender=sender,
    )


def _server(table: Table, auth: str) -> str:
    url = table.data.get("server")
    if url is None:
        example = 'server = "https://mail.example.com/EWS/Exchange.asmx"'
        table.source.refuse((*table.path, "server"), "is missing", hint=f"set the address of the server's EWS: {example}")
    url = table.text("server")
    try:
        parts = urlsplit(url)
        host = parts.hostname
        _ = parts.port
    except ValueError as error:
        table.refuse("server", f"is not an address: {error}")
    if parts.scheme not in ("https", "http") or not host or not parts.path.strip("/"):
        table.refuse("server", "must be an address such as https://mail.example.com/EWS/Exchange.asmx")
    if parts.username or parts.password:
        table.refuse("server", "must not hold a user name or a password: use username and password_command")
    if parts.scheme == "http" and auth == "basic" and not _is_loopback(host):
        table.refuse("server", "auth = 'basic' would send the password in clear over http: use https")
    return url


def _is_loopback(host: str) -> bool:
    import ipaddress

    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _command(table: Table) -> tuple[str, ...]:
    value = table.data.get("password_command")
    if value is None:
        table.refuse("password_command", "is missing: the command that prints the password")
    if isinstance(value, str):
        if not value.strip():
            table.refuse("password_command", "must not be empty")
        return ("/bin/sh", "-c", value)
    return table.strings("password_command", value)


def _ca_file(table: Table) -> Path | None:
    if "ca_file" not in table.data:
        return None
    path = table.file("ca_file")
    if not path.is_file():
        table.refuse("ca_file", f"there is no file {path}")
    return path


def _proxy(table: Table) -> str:
    url = table.text("proxy", Account.proxy)
    if url and not re.match(r"https?://[^/]", url):
        table.refuse("proxy", "must be an address such as http://proxy.example.com:3128")
    return url


def _one_default(source: Source, accounts: tuple[Account, ...]) -> None:
    for account in [account for account in accounts if account.send.default][1:]:
        source.refuse(("accounts", account.name, "send", "default"), "another account is the default already")


def _apart(source: Source, accounts: tuple[Account, ...]) -> None:
    """No tree in another, and none around the state: each would take the other's files for its own."""
    state = state_home().resolve()
    taken: dict[Path, str] = {}
    for account, kind in ((account, kind) for account in accounts for kind in KINDS):
        section = account.section(kind)
        if section is None:
            continue
        key = ("accounts", account.name, kind, "path")
        path = section.path.resolve()
        if path == state or path in state.parents or state in path.parents:
            source.refuse(key, f"{path} and the state directory {state} must not lie in one another")
        for other, owner in taken.items():
            if path == other:
                source.refuse(key, f"{path} is the path of {owner} already")
            if path in other.parents or other in path.parents:
                source.refuse(key, f"{path} and {other}, the path of {owner}, must not lie in one another")
        taken[path] = ".".join(key[:3])
