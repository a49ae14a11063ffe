"""The configuration: what is read, what is refused and how it is said, and that secrets stay where they are."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from ews_bridge import config
from ews_bridge.errors import AuthError
from ews_bridge.errors import ConfigError
from ews_bridge.errors import UsageError
from ews_bridge.itemsconfig import ItemsSection

MINIMAL = """\
[accounts.work]
email = "alice@example.com"
server = "https://mail.example.com/EWS/Exchange.asmx"
password_command = "echo secret"

[accounts.work.mail]
path = "~/Mail/work"
"""

Write = Callable[[str], config.Config]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("XDG_CONFIG_HOME", "XDG_STATE_HOME", "EWS_BRIDGE_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


@pytest.fixture
def load(home: Path) -> Write:
    def write(text: str) -> config.Config:
        path = home / ".config/ews-bridge/config.toml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return config.load()

    return write


def account(text: str, load: Write) -> config.Account:
    (only,) = load(text).accounts
    return only


def with_key(line: str, *, section: str = "accounts.work") -> str:
    """MINIMAL with one more key, or with another value for one that it has."""
    key = line.partition("=")[0].strip()
    head = f"[{section}]\n"
    before, after = MINIMAL.split(head)
    first, *others = re.split(r"(?=\n\[)", after, maxsplit=1)
    return before + head + line + "\n" + re.sub(rf"^{key} =.*\n", "", first, flags=re.MULTILINE) + "".join(others)


def test_what_is_left_out_has_a_default(load: Write, home: Path) -> None:
    read = account(MINIMAL, load)
    assert (read.name, read.username, read.auth, read.connections) == ("work", "alice@example.com", "ntlm", 4)
    assert read.state_dir == home / ".local/state/ews-bridge/work"
    assert read.mail == config.MailSection(
        path=home / "Mail/work", layout="verbatim", folders=("*",), guard=0.25, read_only=(), delete="trash", since=0, max_size=0
    )


def test_every_key_is_read(load: Write, home: Path) -> None:
    (home / "ca.pem").write_text("")
    read = account(
        """\
[accounts.work]
email = "alice@example.com"
server = "https://mail.example.com/EWS/Exchange.asmx"
username = '\\alice'
auth = "basic"
password_command = ["pass", "show", "work"]
user_agent = "Mail/1"
ca_file = "$HOME/ca.pem"
proxy = "http://proxy.example.com:3128"
timeout = 12.5
connections = 2

[accounts.work.mail]
path = "${HOME}/Mail"
layout = "maildir++"
folders = ["!Junk*"]
guard = "12.5%"
read_only = ["Archive/*", "!Archive/Mine"]
delete = "soft"
since = "6m"
max_size = "50M"
""",
        load,
    )
    assert read == config.Account(
        name="work",
        email="alice@example.com",
        server="https://mail.example.com/EWS/Exchange.asmx",
        username="\\alice",
        password_command=("pass", "show", "work"),
        state_dir=home / ".local/state/ews-bridge/work",
        auth="basic",
        user_agent="Mail/1",
        ca_file=home / "ca.pem",
        proxy="http://proxy.example.com:3128",
        timeout=12.5,
        connections=2,
        mail=config.MailSection(
            path=home / "Mail",
            layout="maildir++",
            folders=("*", "!Junk*"),
            guard=0.125,
            read_only=("Archive/*", "!Archive/Mine"),
            delete="soft",
            since=180 * 86_400,
            max_size=50 << 20,
        ),
    )


@pytest.mark.parametrize(
    ("line", "section", "message"),
    [
        ('sever = "x"', "accounts.work", r":2: accounts\.work\.sever: unknown key \(did you mean 'server'\?\)"),
        ('layuot = "flat"', "accounts.work.mail", r":7: accounts\.work\.mail\.layuot: unknown key \(did you mean 'layout'\?\)"),
        ("zzzz = 1", "accounts.work.mail", r"unknown key \(valid: path, layout, folders, guard, read_only, "),
        ('readonly = ["*"]', "accounts.work.mail", r":7: .*readonly: unknown key \(did you mean 'read_only'\?\)"),
        ('maxsize = "5M"', "accounts.work.mail", r":7: .*maxsize: unknown key \(did you mean 'max_size'\?\)"),
        ('delete = "hrad"', "accounts.work.mail", r":7: .*delete: 'hrad' is not .* \(did you mean 'hard'\?\)"),
        ('delete = "purge"', "accounts.work.mail", r":7: .*delete: 'purge' is not .* \(valid: trash, soft, hard\)"),
        ("delete = true", "accounts.work.mail", r":7: .*delete: must be a string, not a boolean"),
        ('read_only = "Archive"', "accounts.work.mail", r":7: .*read_only: must be a list of strings"),
        ("read_only = []", "accounts.work.mail", r":7: .*read_only: must be a list of strings"),
        ("read_only = [1]", "accounts.work.mail", r":7: .*read_only: must be a list of strings"),
        ('since = "2 years"', "accounts.work.mail", r":7: .*since: must be a number with a unit, such as 30d, 6m or 2y"),
        ('since = "30"', "accounts.work.mail", r":7: .*since: must be a number with a unit"),
        ('since = "0d"', "accounts.work.mail", r":7: .*since: must be a number with a unit"),
        ("since = 30", "accounts.work.mail", r":7: .*since: must be a string, not a number"),
        ("since = 2026-01-01", "accounts.work.mail", r":7: .*since: must be a string, not a date"),
        ('max_size = "50MB"', "accounts.work.mail", r":7: .*max_size: must be a number with a unit, such as 500K or 50M"),
        ('max_size = "-1M"', "accounts.work.mail", r":7: .*max_size: must be a number with a unit"),
        ("max_size = 50", "accounts.work.mail", r":7: .*max_size: must be a string, not a number"),
        ('layout = "maildir+"', "accounts.work.mail", r":7: .*layout: 'maildir\+' is not .* \(did you mean 'maildir\+\+'\?\)"),
        ('auth = "kerberos"', "accounts.work", r":2: accounts\.work\.auth: .*\(valid: basic, ntlm\)"),
        ("email = 3", "accounts.work", r":2: accounts\.work\.email: must be a string, not a number"),
        ('email = "alice"', "accounts.work", r"not a mail address"),
        ('username = ""', "accounts.work", r"must not be empty"),
        ('timeout = "60"', "accounts.work", r"must be a number, not a string"),
        ("timeout = true", "accounts.work", r"must be a number, not a boolean"),
        ("timeout = nan", "accounts.work", r"between 1 and 3600"),
        ("timeout = 0", "accounts.work", r"between 1 and 3600"),
        ("connections = 1.5", "accounts.work", r"whole number"),
        ('folders = "*"', "accounts.work.mail", r"must be a list of strings"),
        ("folders = []", "accounts.work.mail", r"must be a list of strings"),
        ('guard = "0%"', "accounts.work.mail", r"percentage"),
        ('guard = "half"', "accounts.work.mail", r"percentage"),
        ("guard = 25", "accounts.work.mail", r"must be a string"),
        ('path = "Mail"', "accounts.work.mail", r":7: .*path: 'Mail' must be absolute"),
        ('path = "/$NOWHERE_SET/Mail"', "accounts.work.mail", r"the environment has no NOWHERE_SET"),
        ('path = "~/.local"', "accounts.work.mail", r"must not lie in one another"),
        ('path = "~/.local/state/ews-bridge/work/mail"', "accounts.work.mail", r"must not lie in one another"),
        ('ca_file = "/no/such.pem"', "accounts.work", r"there is no file /no/such\.pem"),
        ('proxy = "proxy:3128"', "accounts.work", r"must be an address such as"),
        ('server = "mail.example.com"', "accounts.work", r"must be an address such as https://"),
        ('server = "https://mail.example.com/"', "accounts.work", r"must be an address such as https://"),
        ('server = "https://[::1/EWS/"', "accounts.work", r"is not an address"),
        ("password_command = []", "accounts.work", r"must be a list of strings"),
        ("password_command = 1", "accounts.work", r"must be a list of strings"),
        ('password_command = " "', "accounts.work", r"must not be empty"),
    ],
)
def test_a_mistake_is_named_with_file_line_key_and_what_was_meant(line: str, section: str, message: str, load: Write) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        load(with_key(line, section=section))
    assert "/.config/ews-bridge/config.toml:" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("key", ["email", "server", "password_command"])
def test_what_cannot_be_guessed_must_be_there(key: str, load: Write) -> None:
    with pytest.raises(ConfigError, match=rf":1: accounts\.work\.{key}: is missing"):
        load(re.sub(rf"^{key} =.*\n", "", MINIMAL, flags=re.MULTILINE))


def test_a_file_that_is_not_toml_is_told_with_its_line(load: Write, home: Path) -> None:
    with pytest.raises(ConfigError, match=r"config\.toml:2: not valid TOML"):
        load("[accounts.work]\nemail = alice\n")
    (home / "latin1.toml").write_bytes(b"# caf\xe9\n")
    with pytest.raises(ConfigError, match="not UTF-8"):
        config.load(home / "latin1.toml")
    with pytest.raises(ConfigError, match="cannot read the configuration"):
        config.load(home / "absent.toml")
    with pytest.raises(ConfigError, match="there is no account"):
        load("")


@pytest.mark.parametrize("name", ["..", "a/b", "", "-x", "a" * 65, "ä"])
def test_an_account_name_cannot_lead_out_of_the_state_directory(name: str, load: Write) -> None:
    with pytest.raises(ConfigError, match="a name is made of"):
        load(MINIMAL.replace("accounts.work", f'accounts."{name}"'))


def test_basic_over_http_only_to_this_machine(load: Write) -> None:
    for host in ("127.0.0.1:8080", "[::1]:8080", "localhost"):
        text = with_key(f'server = "http://{host}/EWS/Exchange.asmx"\nauth = "basic"')
        assert host in account(text, load).server
    for host in ("mail.example.com", "localhost.example.com", "127.0.0.1.example.com", "10.0.0.1"):
        with pytest.raises(ConfigError, match="in clear over http"):
            load(with_key(f'server = "http://{host}/EWS/Exchange.asmx"\nauth = "basic"'))


def test_a_password_in_the_address_is_refused_without_showing_it(load: Write) -> None:
    with pytest.raises(ConfigError, match="must not hold a user name") as caught:
        load(with_key('server = "https://alice:hunter2@mail.example.com/EWS/Exchange.asmx"'))
    assert "hunter2" not in str(caught.value)


def test_each_kind_of_items_has_a_section(load: Write, home: Path) -> None:
    more = '[accounts.work.calendar]\npath = "~/cal"\nsince = "1y"\nread_only = ["Shared"]\nguard = "50%"\n'
    found = account(f'{MINIMAL}\n{more}[accounts.work.tasks]\npath = "~/tasks"\n', load)
    assert found.calendar == ItemsSection(home / "cal", 0.5, ("Shared",), 365 * 86_400)
    assert found.tasks == ItemsSection(home / "tasks")
    assert found.contacts is None
    assert [kind for kind in config.KINDS if found.section(kind)] == ["mail", "calendar", "tasks"]


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ('path = "~/tasks"\nlayout = "flat"', r"accounts\.work\.tasks\.layout: unknown key"),
        ('path = "~/tasks"\nsicne = "1y"', r"did you mean 'since'"),
        ('since = "1y"', r"accounts\.work\.tasks\.path: is missing"),
        ('path = "~/Mail/work"', r"accounts\.work\.tasks\.path: .*accounts\.work\.mail already"),
        ('path = "~/Mail/work/tasks"', r"must not lie in one another"),
    ],
)
def test_a_mistake_in_a_section_of_items_is_named(more: str, message: str, load: Write) -> None:
    with pytest.raises(ConfigError, match=message):
        load(f"{MINIMAL}\n[accounts.work.tasks]\n{more}\n")


@pytest.mark.parametrize("second", ["~/Mail/work", "~/Mail", "~/Mail/work/old", "~/Mail/x/../work", "~/link/work"])
def test_no_tree_lies_in_another(second: str, load: Write, home: Path) -> None:
    (home / "Mail").mkdir()
    (home / "link").symlink_to(home / "Mail")
    both = MINIMAL + MINIMAL.replace("accounts.work", "accounts.home").replace("~/Mail/work", second)
    with pytest.raises(ConfigError, match=r":14: accounts\.home\.mail\.path: .*accounts\.work\.mail"):
        load(both)


def test_trees_beside_each_other_are_fine(load: Write) -> None:
    load(MINIMAL + MINIMAL.replace("accounts.work", "accounts.home").replace("~/Mail/work", "~/Mail/work2"))


def test_the_file_is_looked_for_where_it_was_told(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match="there is no configuration"):
        config.load()
    places = [home / ".config/ews-bridge/config.toml", home / "xdg/ews-bridge/config.toml", home / "env.toml", home / "told.toml"]
    for place in places:
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(MINIMAL)
    assert config.load().path == places[0]
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / "xdg"))
    assert config.load().path == places[1]
    monkeypatch.setenv("EWS_BRIDGE_CONFIG", "~/env.toml")
    assert config.load().path == places[2]
    assert config.load(places[3]).path == places[3]
    monkeypatch.delenv("EWS_BRIDGE_CONFIG")
    monkeypatch.setenv("XDG_CONFIG_HOME", "relative")
    assert config.load().path == places[0]


def test_accounts_are_chosen_by_name(load: Write) -> None:
    other = MINIMAL.replace("accounts.work", "accounts.home").replace("~/Mail/work", "~/Mail/home")
    both = load(MINIMAL + other)
    assert [each.name for each in both.select([])] == ["work", "home"]
    assert [each.name for each in both.select(["home", "home"])] == ["home"]
    with pytest.raises(UsageError, match=r"no account 'wrok' .*did you mean 'work'"):
        both.select(["wrok"])


@pytest.mark.parametrize(
    "command", ["'printf \"s3cret\\r\\nsecond line\\n\"'", '["printf", "s3cret"]', "'echo s3cret; echo noise >&2'"]
)
def test_the_password_is_the_first_line_that_the_command_prints(command: str, load: Write) -> None:
    assert config.password(account(with_key(f"password_command = {command}"), load)) == "s3cret"


@pytest.mark.parametrize(
    ("command", "kind", "message"),
    [
        ('"echo s3cret; echo locked >&2; echo again >&2; exit 3"', AuthError, "failed with status 3: locked / again"),
        ('"true"', AuthError, "printed no password"),
        ('["no-such-command-anywhere"]', ConfigError, "cannot be run: No such file or directory: no-such-command-anywhere"),
        ("'printf \"s3cret\\377\"'", AuthError, "not UTF-8"),
    ],
)
def test_a_password_command_that_fails_says_why_and_not_what(
    command: str, kind: type[Exception], message: str, load: Write
) -> None:
    with pytest.raises(kind, match=message) as caught:
        config.password(account(with_key(f"password_command = {command}"), load))
    assert "s3cret" not in str(caught.value)


def test_a_password_command_that_hangs_is_ended(load: Write) -> None:
    with pytest.raises(AuthError, match=r"took longer than 0\.2 s"):
        config.password(account(with_key('password_command = "echo s3cret; sleep 9; true"'), load), seconds=0.2)


def test_a_secret_does_not_show_in_what_is_printed_of_an_account(load: Write) -> None:
    text = with_key('password_command = "echo hunter2"\nproxy = "http://bob:hunter2@proxy.example.com:3128"')
    assert "hunter2" not in repr(account(text, load))
