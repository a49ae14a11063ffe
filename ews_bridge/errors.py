"""Every error that a user can meet, with its exit code and what to do about it.

    EwsBridgeError                  scope      exit (sysexits.h)
    ├── Stale                       item       1   changed since it was listed: the next round plans it again
    ├── BadItem                     item       1   cannot be converted, read or written: named, and left alone until it changes
    ├── Refused                     collection 1   a guard said no
    ├── Unavailable                 collection 69  the server cannot be reached, or says no to a whole request
    │   └── Busy                    account    75  throttled, or another run holds the lock: try again later
    ├── AuthError                   account    77  the server refused the right, or the password cannot be had
    │   └── SignInRefused           account    77  the server refused the password itself
    ├── DiskError                   account    74  cannot write the disk (73: cannot create)
    ├── ConfigError                 account    78  the configuration is wrong
    ├── UsageError                  account    64  the command line is wrong
    ├── BadMessage                  message    65  ews-send: the message cannot be sent as it is
    └── RecipientRefused            message    67  ews-send: the server does not take the recipients

`Stale` and `BadItem` are also *values*: a store returns them in the place of the item they belong to, so that one odd
item never stops the others. Errors of the libraries are turned into these at the fence (`exchange/session.py`, `maildir.py`)
with `raise … from …`; only the command line turns these into words. Codes: sysexits.h; interface: "Exit codes".
"""

from typing import ClassVar


class EwsBridgeError(Exception):
    """Base of all. `str(error)` is one line for a person; `hint`, where not empty, says what to do next."""

    exit_code: ClassVar[int] = 70

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class Stale(EwsBridgeError):
    """The item is not as it was when it was listed; nothing was written. Planned anew in the next round."""

    exit_code = 1


class BadItem(EwsBridgeError):
    """One item that cannot be synced, and why. The other items are not affected."""

    exit_code = 1


class Refused(EwsBridgeError):
    """A guard refused what would look like a mass deletion or a swapped mailbox. Nothing was changed."""

    exit_code = 1


class Unavailable(EwsBridgeError):
    """The server cannot be reached, answers nonsense, or refuses a whole request."""

    exit_code = 69


class Busy(Unavailable):
    """Try again later. `wait` is the server's own figure in seconds, 0 when it gave none."""

    exit_code = 75

    def __init__(self, message: str, *, hint: str = "", wait: float = 0) -> None:
        super().__init__(message, hint=hint)
        self.wait = wait


class AuthError(EwsBridgeError):
    """The server refused the sign-in, or the right to do this."""

    exit_code = 77


class SignInRefused(AuthError):
    """The server refused the password. It is not sent again: accounts get locked after a few attempts."""


class DiskError(EwsBridgeError):
    """The disk cannot be read or written: full, read-only, no permission.."""

    exit_code = 74


class CannotCreate(DiskError):
    """A file or directory could not be created."""

    exit_code = 73


class ConfigError(EwsBridgeError):
    """The configuration is wrong; the message names file, line and key."""

    exit_code = 78


class UsageError(EwsBridgeError):
    """The command line is wrong."""

    exit_code = 64


class BadMessage(EwsBridgeError):
    """The message that is to be sent cannot be: its form, its size, what the server says of it. Nothing was sent."""

    exit_code = 65


class RecipientRefused(EwsBridgeError):
    """The server does not take the recipients. Nothing was sent."""

    exit_code = 67


#: The gravest first: with several accounts the exit code is the first of these that occurred (interface: "Exit codes").
GRAVITY = (70, 78, 77, 73, 74, 69, 75, 1, 0)
