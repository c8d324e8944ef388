"""The triggers of OneDrive that give a file itself: its content as body, its place in headers.

Source: learn.microsoft.com/connectors/onedriveforbusiness ('When a file is created', 'modified').
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from hybridmandate.orchestration.connectors.drive_items import file_metadata
from hybridmandate.orchestration.connectors.session import (
    MAX_BODY_BYTES,
    ServiceSession,
    as_content,
)
from hybridmandate.orchestration.triggers.polling import Found, ReadingFailed

CONTENT_OPERATION = "OnNewFileV2"
CONTENT_CHANGED_OPERATION = "OnUpdatedFileV2"
CONTENT_OPERATIONS = frozenset({CONTENT_OPERATION, CONTENT_CHANGED_OPERATION})


class FileContents:
    """Reads the files of one reading; ``drive`` is the Graph path of their drive."""

    def __init__(self, session: ServiceSession, drive: str) -> None:
        self._session = session
        self._drive = drive
        self.too_large: list[str] = []
        """The paths of files that are over the size of a message: they give nothing."""

    async def found(self, item: Mapping[str, Any]) -> Found | None:
        """A file with its content; None when it is gone again, or too large.

        :raises ReadingFailed: when it cannot be read.
        """
        shown = file_metadata(item)
        if int(shown["Size"] or 0) > MAX_BODY_BYTES:
            self.too_large.append(str(shown["Path"]))
            return None
        address = f"{self._drive}/items/{quote(str(item['id']), safe='')}/content"
        answer = await self._session.send("GET", address, decode=as_content)
        if answer.fault is None and answer.status == 404:
            return None
        if answer.fault is not None or answer.status != 200:
            raise ReadingFailed(answer.message or f"{shown['Path']} answered {answer.status}")
        identity = (str(item["id"]), str(item.get("eTag")))
        # A file without a byte has no body; a flow sees an empty text.
        return Found(identity, answer.body or as_content(b"", ""), _headers(shown))


def _headers(shown: Mapping[str, Any]) -> dict[str, str]:
    named = {
        "x-ms-file-id": shown["Id"],
        "x-ms-file-name": shown["Name"],
        "x-ms-file-path": shown["Path"],
        "x-ms-file-etag": shown["ETag"],
        "x-ms-file-last-modified": shown["LastModified"],
    }
    return {name: str(value) for name, value in named.items() if value is not None}
