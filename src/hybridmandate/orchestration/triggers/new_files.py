"""The triggers for files of SharePoint and OneDrive, read from a delta feed.

A run's id is made of flow, item and version. A file that is replaced is a new version and starts a
run of its own, which the platform's 'created' triggers do not. ``GetOnNewFileItems`` (created) and
``GetOnUpdatedFileItems`` (created or modified) of SharePoint and ``OnNewFilesV2`` of OneDrive give
the file's properties; those of a whole library give its columns, too. ``OnUpdatedFilesV2`` is
OneDrive's for modified files. ``OnNewFileV2`` and ``OnUpdatedFileV2`` give the file itself (see
:mod:`.file_contents`).

A folder means the files right in it; OneDrive's ``includeSubfolders`` takes those below it as well.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from hybridmandate.orchestration.connectors.drive_connector import DriveConnector
from hybridmandate.orchestration.connectors.drive_items import file_metadata, file_properties
from hybridmandate.orchestration.connectors.library_files import listed_file
from hybridmandate.orchestration.connectors.sharepoint import SharePointConnector
from hybridmandate.orchestration.definition.model import Flow
from hybridmandate.orchestration.shells.durable import FlowHost
from hybridmandate.orchestration.triggers.delta_feed import DeltaFeed, Reading
from hybridmandate.orchestration.triggers.file_contents import (
    CONTENT_CHANGED_OPERATION,
    CONTENT_OPERATIONS,
    FileContents,
)
from hybridmandate.orchestration.triggers.polling import (
    Found,
    ReadingFailed,
    batch_starts,
    start_each,
    trigger_operation,
    trigger_parameters,
)

OPERATION = "GetOnNewFileItems"
CHANGED_OPERATION = "GetOnUpdatedFileItems"
ONEDRIVE_OPERATION = "OnNewFilesV2"
ONEDRIVE_CHANGED_OPERATION = "OnUpdatedFilesV2"
_OF_CHANGES = frozenset({CHANGED_OPERATION, ONEDRIVE_CHANGED_OPERATION, CONTENT_CHANGED_OPERATION})
_OF_ONEDRIVE = frozenset({ONEDRIVE_OPERATION, ONEDRIVE_CHANGED_OPERATION})
OPERATIONS = frozenset({OPERATION, *_OF_CHANGES, *_OF_ONEDRIVE, *CONTENT_OPERATIONS})
"""All triggers of files."""


class NewFiles:
    """Reads one flow's folder or library."""

    def __init__(self, flow: Flow, connector: DriveConnector, host: FlowHost) -> None:
        self._flow = flow
        self._connector = connector
        self._host = host
        self._operation = str(trigger_operation(flow))
        of_changes = self._operation in _OF_CHANGES
        dated = "lastModifiedDateTime" if of_changes else "createdDateTime"
        self._feed = DeltaFeed(flow, connector.session, host, dated=dated)

    async def read(self) -> int:
        """Start a run for every new file; returns how many were new.

        :raises ReadingFailed: when the folder cannot be read.
        """
        parameters = trigger_parameters(self._flow, self._host)
        reading = await self._feed.read(self._whole_feed(parameters))
        files = [each for each in reading.items if _is_wanted(each, parameters)]
        if self._operation in CONTENT_OPERATIONS:
            return await self._start_contents(reading, files)
        found = [self._found(each, reading.window) for each in files]
        starts = batch_starts(self._flow, self._host, found, lambda each: {"value": each})
        return await self._feed.move(reading, starts)

    async def _start_contents(self, reading: Reading, files: Sequence[Mapping[str, Any]]) -> int:
        """Start a run for each file with its content, one file at a time.

        :raises ReadingFailed: when a file cannot be read, and, after the reading is passed, when
            one is too large for a message.
        """
        contents = FileContents(self._connector.session, self._connector.drive(None))
        started = 0
        for each in files:
            found = await contents.found(each)
            if found is not None:
                started += await start_each(self._flow, self._host, [found])
        await self._feed.move(reading, [])
        if contents.too_large:
            raise ReadingFailed(f"too large for a message, no run: {', '.join(contents.too_large)}")
        return started

    def _found(self, item: Mapping[str, Any], window: Mapping[str, str]) -> Found:
        identity = (str(item["id"]), str(item.get("eTag")))
        if self._operation in _OF_ONEDRIVE:
            return Found(identity, file_metadata(item))
        shown = listed_file(item) if "driveItem" in item else file_properties(item)
        return Found(identity, {**shown, **window})

    def _whole_feed(self, parameters: Mapping[str, Any]) -> str:
        dataset, folder = parameters.get("dataset"), _folder(parameters)
        if folder:
            return f"{self._connector.drive(dataset)}/root:/{quote(folder)}:/delta"
        table = parameters.get("table")
        if table and isinstance(self._connector, SharePointConnector):
            return f"{self._connector.items(dataset, table)}/delta"
        return f"{self._connector.drive(dataset)}/root/delta"


def _folder(parameters: Mapping[str, Any]) -> str:
    named = parameters.get("folderPath") or parameters.get("folderId")
    return str(named or "").strip("/")


def _is_wanted(item: Mapping[str, Any], parameters: Mapping[str, Any]) -> bool:
    """Whether a changed item is a file of the place: a feed tells of all that is below it."""
    if "deleted" in item or ("file" not in item and "driveItem" not in item):
        return False
    folder, place = _folder(parameters), item.get("parentReference") or {}
    path = str(place.get("path") or "").partition("root:")[2].strip("/")
    below = bool(parameters.get("includeSubfolders"))
    return not folder or not path or below or path.lower() == folder.lower()
