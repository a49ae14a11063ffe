"""New, changed and deleted messages in a sandbox's mailbox, as another client would make them."""

from __future__ import annotations

import base64
import re

from tests.bench.running import Server
from tests.bench.wire import Line
from tests.bench.wire import folders

#: Changes are spread over so many folders at most.
FOLDERS = 10

_ID = re.compile(rb'<t:ItemId Id="([^"]+)"')
_READ = '<t:ExtendedFieldURI PropertyTag="0x0e07" PropertyType="Integer"/>'  # PidTagMessageFlags: read, and no draft


class Changes:
    """Messages of its own, which it makes, marks and deletes."""

    def __init__(self, server: Server) -> None:
        self._line = Line(server.url, server.user, server.password())
        self._folders = [ident for ident, _, _ in folders(self._line)][:FOLDERS]
        self._number = 0
        self._ids: list[str] = []

    def create(self, count: int) -> None:
        """New messages, received and read."""
        for place, folder in enumerate(self._folders[:count]):
            items = "".join(self._message() for _ in range(place, count, len(self._folders)))
            answer = self._post(
                f'<m:CreateItem MessageDisposition="SaveOnly"><m:SavedItemFolderId><t:FolderId Id="{folder}"/>'
                f"</m:SavedItemFolderId><m:Items>{items}</m:Items></m:CreateItem>"
            )
            self._ids += [ident.decode() for ident in _ID.findall(answer)]
        assert len(self._ids) == count

    def mark(self) -> None:
        """They become unread."""
        changes = "".join(
            f'<t:ItemChange><t:ItemId Id="{ident}"/><t:Updates><t:SetItemField><t:FieldURI FieldURI="message:IsRead"/>'
            "<t:Message><t:IsRead>false</t:IsRead></t:Message></t:SetItemField></t:Updates></t:ItemChange>"
            for ident in self._ids
        )
        self._post(
            '<m:UpdateItem MessageDisposition="SaveOnly" ConflictResolution="AlwaysOverwrite">'
            f"<m:ItemChanges>{changes}</m:ItemChanges></m:UpdateItem>"
        )

    def delete(self) -> None:
        """They are gone."""
        ids = "".join(f'<t:ItemId Id="{ident}"/>' for ident in self._ids)
        self._post(f'<m:DeleteItem DeleteType="HardDelete"><m:ItemIds>{ids}</m:ItemIds></m:DeleteItem>')
        self._ids.clear()

    def close(self) -> None:
        self._line.close()

    def _message(self) -> str:
        self._number += 1
        mime = (
            f"From: Bob <bob@example.test>\r\nTo: alice@example.test\r\nSubject: change {self._number}\r\n"
            f"Date: Tue, 03 Nov 2026 10:00:00 +0000\r\nMessage-ID: <change.{self._number}@example.test>\r\n"
            f"MIME-Version: 1.0\r\nContent-Type: text/plain\r\n\r\n{'A line of text.' * 100}\r\n"
        )
        return (
            f"<t:Message><t:MimeContent>{base64.b64encode(mime.encode()).decode()}</t:MimeContent>"
            f"<t:ExtendedProperty>{_READ}<t:Value>1</t:Value></t:ExtendedProperty></t:Message>"
        )

    def _post(self, operation: str) -> bytes:
        answer = self._line.post(operation)
        if b'ResponseClass="Error"' in answer:
            raise RuntimeError(answer[:2000].decode(errors="replace"))
        return answer
