"""EWS over http.client: a connection that posts operations, and what little of the answers is needed, by regular expressions."""

from __future__ import annotations

import base64
import http.client
import re
from urllib.parse import urlsplit

TYPES = "http://schemas.microsoft.com/exchange/services/2006/types"
MESSAGES = "http://schemas.microsoft.com/exchange/services/2006/messages"

_HEAD = (
    f'<?xml version="1.0" encoding="utf-8"?><s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" xmlns:t="{TYPES}"'
    f' xmlns:m="{MESSAGES}"><s:Header><t:RequestServerVersion Version="Exchange2013_SP1"/></s:Header><s:Body>'
)
_FOLDER = re.compile(
    rb'<t:FolderId Id="([^"]+)"(?:(?!</t:(?:\w*)Folder>).)*?<t:DisplayName>([^<]*)</t:DisplayName>'
    rb"<t:TotalCount>(\d+)</t:TotalCount>",
    re.DOTALL,
)


class Line:
    """One connection with Basic sign-in. Raises OSError when it breaks, RuntimeError when the server says anything but 200."""

    def __init__(self, url: str, user: str, password: str) -> None:
        parts = urlsplit(url)
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        self._connection = kind(parts.hostname or "", parts.port, timeout=300)
        self._path = parts.path
        secret = base64.b64encode(f"{user}:{password}".encode()).decode()
        self._headers = {"Content-Type": "text/xml; charset=utf-8", "Authorization": f"Basic {secret}"}
        self.requests = 0

    def post(self, operation: str) -> bytes:
        """The answer's body to an operation written with the prefixes m and t."""
        self._connection.request("POST", self._path, (_HEAD + operation + "</s:Body></s:Envelope>").encode(), self._headers)
        self.requests += 1
        response = self._connection.getresponse()
        body = response.read()
        if response.status != 200:
            raise RuntimeError(f"HTTP {response.status}: {body[:500].decode(errors='replace')}")
        return body

    def close(self) -> None:
        self._connection.close()


def folders(line: Line) -> list[tuple[str, str, int]]:
    """(id, name, messages) of the folders below the message root that have any."""
    fields = "".join(f'<t:FieldURI FieldURI="folder:{name}"/>' for name in ("DisplayName", "TotalCount"))
    found: list[tuple[str, str, int]] = []
    seen = 0
    while True:
        answer = line.post(
            '<m:FindFolder Traversal="Deep"><m:FolderShape><t:BaseShape>IdOnly</t:BaseShape>'
            f"<t:AdditionalProperties>{fields}</t:AdditionalProperties></m:FolderShape>"
            f'<m:IndexedPageFolderView MaxEntriesReturned="1000" Offset="{seen}" BasePoint="Beginning"/>'
            '<m:ParentFolderIds><t:DistinguishedFolderId Id="msgfolderroot"/></m:ParentFolderIds></m:FindFolder>'
        )
        # Mail folders only: the others have an element of their own name.
        page = re.findall(rb"<t:(\w*Folder)>(.*?)</t:\1>", answer, re.DOTALL)
        for kind, text in page:
            folder = _FOLDER.search(text)
            if kind == b"Folder" and folder and int(folder[3]):
                found.append((folder[1].decode(), folder[2].decode(), int(folder[3])))
        seen += len(page)
        if not page or b'IncludesLastItemInRange="true"' in answer:
            return found
