"""The triggers of SharePoint lists: when an item is created, or created or modified.

Read from the list's delta feed. A run's id is made of flow and item, and for modifications of the
item's version, too. An item carries the window of its reading for 'Get changes for an item'.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hybridmandate.orchestration.connectors.list_items import flat
from hybridmandate.orchestration.connectors.sharepoint import SharePointConnector
from hybridmandate.orchestration.definition.model import Flow
from hybridmandate.orchestration.engine.instants import epoch_seconds
from hybridmandate.orchestration.shells.durable import FlowHost
from hybridmandate.orchestration.triggers.delta_feed import DeltaFeed
from hybridmandate.orchestration.triggers.polling import (
    Found,
    ReadingFailed,
    batch_starts,
    trigger_operation,
    trigger_parameters,
)

CREATED = "GetOnNewItems"
CHANGED = "GetOnUpdatedItems"


class ListItems:
    """Reads one flow's list."""

    def __init__(self, flow: Flow, connector: SharePointConnector, host: FlowHost) -> None:
        self._flow = flow
        self._connector = connector
        self._host = host
        self._of_changes = trigger_operation(flow) == CHANGED
        dated = "lastModifiedDateTime" if self._of_changes else "createdDateTime"
        self._feed = DeltaFeed(flow, connector.session, host, dated=dated)

    async def read(self) -> int:
        """Start runs for what is new; returns how many were new.

        :raises ReadingFailed: when the list cannot be read.
        """
        parameters = trigger_parameters(self._flow, self._host)
        table = parameters.get("table")
        if not table:
            raise ReadingFailed("the trigger names no list: its parameter is table")
        items = self._connector.items(parameters.get("dataset"), table)
        reading = await self._feed.read(f"{items}/delta")
        new = [
            each
            for each in reading.items
            if "deleted" not in each and (self._of_changes or _created(each) >= reading.since)
        ]
        found = [self._found(each, reading.window) for each in new]
        starts = batch_starts(self._flow, self._host, found, lambda each: {"value": each})
        return await self._feed.move(reading, starts)

    def _found(self, item: Mapping[str, Any], window: Mapping[str, str]) -> Found:
        number = str(item["id"])
        version = (str(item.get("eTag")),) if self._of_changes else ()
        return Found((number, *version), {**flat(item), **window})


def _created(item: Mapping[str, Any]) -> float:
    """When an item was created: an old item that is changed is not new."""
    text = item.get("createdDateTime")
    return epoch_seconds(str(text)) if text else 0.0
