"""The floor: the least work that makes a durable copy of every message. No state, no flags, no second run, no errors.

    python -m tests.bench.floor URL USER DIRECTORY        (the password is read from stdin)

Four connections; pages of ids, batches of MIME by a byte scan, base64 and line ends once, each file synced before it gets its
name and each directory once a batch. Prints messages, bytes and requests as JSON.
"""

from __future__ import annotations

import html
import json
import os
import re
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pybase64

from tests.bench.wire import Line
from tests.bench.wire import folders

CONNECTIONS = 4
BATCH = 100

_MIME = re.compile(rb"<t:MimeContent[^>]*>([^<]*)<")
_CREATED = re.compile(rb'<t:Create>.*?<t:ItemId Id="([^"]+)"', re.DOTALL)
_STATE = re.compile(rb"<m:SyncState>([^<]*)<")


def main() -> int:
    url, user, directory = sys.argv[1:]
    password = sys.stdin.readline().rstrip("\n")
    own = threading.local()
    lines: list[Line] = []

    def line() -> Line:
        if not hasattr(own, "line"):
            own.line = Line(url, user, password)
            lines.append(own.line)
        found: Line = own.line
        return found

    batches: list[Future[tuple[int, int]]] = []
    with ThreadPoolExecutor(CONNECTIONS) as workers:

        def list_folder(number: int, ident: str) -> None:
            home = Path(directory, str(number))
            for part in ("tmp", "cur"):
                (home / part).mkdir(parents=True)
            for page, ids in enumerate(pages(line(), ident)):
                for start in range(0, len(ids), BATCH):
                    name = f"{page}.{start}"
                    batches.append(workers.submit(lambda n, i: fetch(line(), i, home, n), name, ids[start : start + BATCH]))

        listings = [
            workers.submit(list_folder, number, ident)
            for number, (ident, _, _) in enumerate(workers.submit(lambda: folders(line())).result())
        ]
        for listing in listings:
            listing.result()
        done = [batch.result() for batch in batches]
    result = {"messages": sum(n for n, _ in done), "bytes": sum(b for _, b in done), "requests": sum(x.requests for x in lines)}
    print(json.dumps(result))
    return 0


def pages(line: Line, folder: str) -> Iterator[list[str]]:
    """The ids in a folder, 512 at a time."""
    state = ""
    while True:
        answer = line.post(
            "<m:SyncFolderItems><m:ItemShape><t:BaseShape>IdOnly</t:BaseShape></m:ItemShape>"
            f'<m:SyncFolderId><t:FolderId Id="{folder}"/></m:SyncFolderId>'
            + (f"<m:SyncState>{state}</m:SyncState>" if state else "")
            + "<m:MaxChangesReturned>512</m:MaxChangesReturned></m:SyncFolderItems>"
        )
        found = _STATE.search(answer)
        if not found:
            raise RuntimeError(answer[:500].decode(errors="replace"))
        state = found[1].decode()
        yield [html.unescape(ident.decode()) for ident in _CREATED.findall(answer)]
        if b"<m:IncludesLastItemInRange>true<" in answer:
            return


def fetch(line: Line, ids: list[str], home: Path, name: str) -> tuple[int, int]:
    """Download a batch into files; (messages, bytes)."""
    wanted = "".join(f'<t:ItemId Id="{html.escape(ident)}"/>' for ident in ids)
    answer = line.post(
        "<m:GetItem><m:ItemShape><t:BaseShape>IdOnly</t:BaseShape><t:IncludeMimeContent>true</t:IncludeMimeContent></m:ItemShape>"
        f"<m:ItemIds>{wanted}</m:ItemIds></m:GetItem>"
    )
    count = size = 0
    view = memoryview(answer)
    for found in _MIME.finditer(answer):
        content = pybase64.b64decode(view[found.start(1) : found.end(1)], validate=True).replace(b"\r\n", b"\n")
        path = f"{home}/tmp/{name}.{count}"
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        os.write(descriptor, content)
        os.fsync(descriptor)
        os.close(descriptor)
        os.rename(path, f"{home}/cur/{name}.{count}")
        count += 1
        size += len(content)
    directory = os.open(f"{home}/cur", os.O_RDONLY)
    os.fsync(directory)
    os.close(directory)
    if count != len(ids):
        raise RuntimeError(f"{count} of {len(ids)} messages came")
    return count, size


if __name__ == "__main__":
    sys.exit(main())
