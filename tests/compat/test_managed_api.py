"""ews-javascript-api, a port of Microsoft's EWS Managed API, against the sandbox: it parses answers as strictly as the original.

Needs node, and the npm package where node finds it (npm install ews-javascript-api in some folder; NODE_PATH its node_modules).
"""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.sandbox_server import BOB
from tests.sandbox_server import running

SCRIPT = Path(__file__).with_name("managed_api.js")
NODE = shutil.which("node")


def _is_there() -> bool:
    return NODE is not None and subprocess.run([NODE, "-e", "require('ews-javascript-api')"], capture_output=True).returncode == 0


@pytest.mark.compat
def test_the_managed_api_walks_through_a_mailbox() -> None:
    if NODE is None or not _is_there():
        pytest.skip("node or the npm package ews-javascript-api is missing (NODE_PATH)")
    with running(seed="demo") as server:
        done = subprocess.run([NODE, SCRIPT, server.url], capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stderr
        found = json.loads(done.stdout)
        assert {"Inbox", "Tide clock", "Семья"} <= set(found.pop("folders"))
        assert "malformed" in found.pop("refused")
        assert found == {
            "bind": ["Inbox", 18, 6],
            "page": [18, True, 5],
            "search": ["Zeichnung: Hemmung (Fassung 3)"],
            "load": ["Your order 4711 has been shipped", "shop@clocks.example.test", True, True],
            "send": None,
            "change": "changed",
            "attachment": ["a.txt", "hello"],
            "extended": [True, 2],
            "folder": "Shed 2",
            "items_in_step": [10, True, True],
            "folders_in_step": [True, False],
            "empty": 0,
        }
        assert [item.read for item in server.world.users[BOB[0]].folder("inbox").items.values()] == [False]
