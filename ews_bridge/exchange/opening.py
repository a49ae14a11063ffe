"""A session such as exchangelib makes, without exchangelib: importing it takes longer than all else that `ews-send`, or a sync
of a quiet mailbox, does (0.3 s and 25 MB, measured by `make bench`).

Headers, sign-in and adapter are those of exchangelib's `Protocol.create_session`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING
from typing import Any

from ews_bridge.errors import ConfigError

if TYPE_CHECKING:
    from ews_bridge.exchange.session import Settings


def session(settings: Settings) -> Any:
    """A requests session that signs in by itself, with one connection and no retries."""
    import requests
    from requests.adapters import HTTPAdapter
    from requests.auth import HTTPBasicAuth

    if settings.ca_file and not Path(settings.ca_file).exists():
        raise ConfigError(f"ca_file: {settings.ca_file} does not exist")
    secret = settings.secret if isinstance(settings.secret, str) else settings.secret()
    made = requests.Session()
    made.headers.update({"Content-Type": "text/xml; charset=utf-8", "Accept-Encoding": "gzip, deflate"})
    made.headers["User-Agent"] = settings.user_agent
    made.mount(settings.url, HTTPAdapter(pool_connections=1, pool_maxsize=1, max_retries=0, pool_block=True))
    # What the environment says of proxies and certificates, once: requests would read it again for each request.
    given = made.merge_environment_settings(settings.url, {}, None, None, None)
    made.proxies, made.verify, made.cert, made.trust_env = given["proxies"], given["verify"], given["cert"], False
    if settings.auth == "basic":
        # requests would encode as Latin-1; browsers and Exchange agree on UTF-8.
        made.auth = HTTPBasicAuth(settings.username.encode(), secret.encode())
    else:
        from requests_ntlm import HttpNtlmAuth

        # An address is a name without a domain: the form that servers take it in.
        name = "\\" + settings.username if settings.username.count("@") == 1 else settings.username
        made.auth = HttpNtlmAuth(name, secret)
    return made
