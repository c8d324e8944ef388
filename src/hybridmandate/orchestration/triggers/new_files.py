"""The triggers 'When a file is created' of SharePoint and OneDrive, read from a delta feed.

A run's id is made of flow, item and version. A file that is replaced is a new version and starts a
run of its own, which the platform's trigger does not. ``GetOnNewFileItems`` (SharePoint) and
``OnNewFilesV2`` (OneDrive) give the file's properties.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from hybridmandate.orchestration.connectors.drive_connector import DriveConnector
from hybridmandate.orchestration.connectors.drive_items import file_metadata, file_properties
from hybridmandate.orchestration.definition.model import Flow
from hybridmandate.orchestration.shells.durable import FlowHost
from hybridmandate.orchestration.triggers.delta_feed import DeltaFeed
from hybridmandate.orchestration.triggers.polling import (
    Found,
    ReadingFailed,
    batch_starts,
    trigger_parameters,
)

__all__ = ["OPERATION", "NewFiles", "ReadingFailed"]

OPERATION = "GetOnNewFileItems"
ONEDRIVE_OPERATION = "OnNewFilesV2"


class NewFiles:
    """Reads one flow's folder."""

    def __init__(self, flow: Flow, connector: DriveConnector, host: FlowHost) -> None:
        self._flow = flow
        self._connector = connector
        self._host = host
        self._feed = DeltaFeed(flow, connector.session, host, dated="createdDateTime")

    async def read(self) -> int:
        """Start a run for every new file; returns how many were new.

        :raises ReadingFailed: when the folder cannot be read.
        """
        reading = await self._feed.read(self._whole_feed())
        files = [each for each in reading.items if "file" in each and "deleted" not in each]
        found = [self._found(each) for each in files]
        starts = batch_starts(self._flow, self._host, found, lambda each: {"value": each})
        return await self._feed.move(reading, starts)

    def _found(self, item: Mapping[str, Any]) -> Found:
        of_onedrive = self._flow.trigger.operation_id == ONEDRIVE_OPERATION
        shown = file_metadata(item) if of_onedrive else file_properties(item)
        return Found((str(item["id"]), str(item.get("eTag"))), shown)

    def _whole_feed(self) -> str:
        parameters = trigger_parameters(self._flow, self._host)
        named = parameters.get("folderPath") or parameters.get("folderId")
        folder = quote(str(named or "").strip("/"))
        place = f"/root:/{folder}:/delta" if folder else "/root/delta"
        return f"{self._connector.drive(parameters.get('dataset'))}{place}"
