"""`ews-bridge sandbox`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING
from typing import Literal

import click

from ews_bridge.cli.options import shared_options
from ews_bridge.errors import Unavailable
from ews_bridge.errors import UsageError

if TYPE_CHECKING:
    from ews_bridge.sandbox.rights import Grant


def _user(context: click.Context, parameter: click.Parameter, values: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    for value in values:
        if "@" not in value.partition(":")[0] or ":" not in value:
            raise click.BadParameter(f"{value!r} is not ADDRESS:PASSWORD", context, parameter)
    return tuple((value.partition(":")[0], value.partition(":")[2]) for value in values)


def _grants(context: click.Context, parameter: click.Parameter, values: tuple[str, ...]) -> tuple[Grant, ...]:
    from ews_bridge.sandbox.rights import parse

    try:
        return tuple(one for value in values for one in parse(value))
    except ValueError as error:
        raise click.BadParameter(str(error).removeprefix("--grant: "), context, parameter) from error


@click.command("sandbox")
@shared_options
@click.option("--host", default="127.0.0.1", show_default=True, help="Listen at this address.")
@click.option("--port", type=click.IntRange(0, 65535), default=0, show_default=True, help="Listen at this port; 0: a free one.")
@click.option("--user", "users", multiple=True, callback=_user, metavar="ADDRESS:PASSWORD", help="A mailbox; may be repeated.")
@click.option(
    "--grant",
    "grants",
    multiple=True,
    callback=_grants,
    metavar="USER:OWNER[/FOLDER]:RIGHT,...",
    help="A right in another's mailbox; may be repeated.",
)
@click.option("--seed", default="demo", show_default=True, metavar="demo|empty|FOLDER", help="What the first mailbox holds.")
@click.option("--data", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="Keep the mailboxes in this file.")
@click.option("--auth", default="basic,ntlm", show_default=True, metavar="basic,ntlm", help="How clients may sign in.")
@click.option(
    "--mime", type=click.Choice(["regenerate", "keep"]), default="regenerate", show_default=True, help="How mail comes back."
)
@click.option("--rtt-ms", type=click.FloatRange(min=0), default=0.0, metavar="N", help="Answer each request so much later.")
@click.option("--mb-per-s", type=click.FloatRange(min=0), default=0.0, metavar="N", help="Each connection carries so much.")
@click.option(
    "--ready-file", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="Write the URL there when ready."
)
def command(
    host: str,
    port: int,
    users: tuple[tuple[str, str], ...],
    grants: tuple[Grant, ...],
    seed: str,
    data: Path | None,
    auth: str,
    mime: Literal["regenerate", "keep"],
    rtt_ms: float,
    mb_per_s: float,
    ready_file: Path | None,
) -> int:
    """Serve an Exchange that fits in memory.

    Prints its URL when it accepts connections, and serves until ^C. The default user is alice@example.test
    with the password secret. A FOLDER is a tree of mail files.
    """
    from ews_bridge.sandbox.auth import SCHEMES
    from ews_bridge.sandbox.server import Settings
    from ews_bridge.sandbox.server import serve

    schemes = frozenset(auth.replace(" ", "").lower().split(","))
    if not schemes <= set(SCHEMES):
        raise UsageError(f"--auth: {auth!r} is not a list of {', '.join(SCHEMES)}")
    settings = Settings(
        host=host,
        port=port,
        users=users or Settings().users,
        grants=grants,
        seed=seed,
        data=data,
        auth=schemes,
        mime=mime,
        rtt_ms=rtt_ms,
        rate=mb_per_s * 1e6,
        ready_file=ready_file,
    )
    try:
        serve(settings)
    except ValueError as error:
        raise UsageError(str(error)) from error
    except OSError as error:
        raise Unavailable(f"the sandbox cannot serve: {error}") from error
    return 0
