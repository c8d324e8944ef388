"""The trigger 'When a file is created (properties only)' of SharePoint, read from a delta feed.

The first reading only marks the place: files that were there before start nothing. When the feed
has forgotten the place (410), the whole folder is read: files created since the first reading that
have started no run yet start one. The feed's
cursor moves on after every run of a reading has been started, and a run's id is made of flow, item
and version: a reading that is repeated after a crash starts nothing twice. A file that is replaced
is a new version and starts a run of its own, which the platform's trigger does not.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from hybridmandate.orchestration.connectors.sharepoint import SharePointConnector, file_properties
from hybridmandate.orchestration.definition.model import Flow
from hybridmandate.orchestration.engine.instants import epoch_seconds
from hybridmandate.orchestration.engine.outcomes import ActionFault
from hybridmandate.orchestration.shells.durable import FlowHost, trigger_run_id
from hybridmandate.orchestration.triggers.trigger_values import (
    TriggerValues,
    conditions_hold,
    split,
)

OPERATION = "GetOnNewFileItems"


class ReadingFailed(Exception):
    """The folder could not be read; the next reading tries again."""


class FeedExpired(Exception):
    """The feed no longer knows the cursor (410); ``location`` is where to read it from the start.

    Source: Microsoft Graph, 'driveItem: delta', 'Synchronization reset'.
    """

    def __init__(self, location: str | None) -> None:
        super().__init__("the folder's feed starts again")
        self.location = location


class NewFiles:
    """Reads one flow's folder."""

    def __init__(self, flow: Flow, connector: SharePointConnector, host: FlowHost) -> None:
        self._flow = flow
        self._connector = connector
        self._host = host

    async def read(self) -> int:
        """Start a run for every new file; returns how many were new.

        :raises ReadingFailed: when the folder cannot be read.
        """
        cursor = await asyncio.to_thread(self._host.history.cursor, self._flow.name)
        if cursor is None:
            _, link = await self._pages(self._first_address())
            await self._keep(link, self._host.now())
            return 0
        try:
            items, link = await self._pages(str(cursor["link"]))
        except FeedExpired as expired:
            every, link = await self._pages(expired.location or self._whole_feed())
            items = [each for each in every if _created(each) >= cursor["since"]]
        files = [each for each in items if "file" in each and "deleted" not in each]
        started = await self._start_runs(files)
        if link != cursor["link"]:
            await self._keep(link, cursor["since"])
        return started

    async def _keep(self, link: str, since: float) -> None:
        """Remember the place in the feed, and when the folder was first looked at."""
        cursor = {"link": link, "since": since}
        await asyncio.to_thread(self._host.history.keep_cursor, self._flow.name, cursor)

    def _first_address(self) -> str:
        return f"{self._whole_feed()}?token=latest"

    def _whole_feed(self) -> str:
        values = TriggerValues(self._flow, self._host.parameters(self._flow))
        inputs = values.evaluate(self._flow.trigger.inputs)
        parameters: Mapping[str, Any] = inputs.get("parameters") or {}
        folder = quote(str(parameters.get("folderPath") or "").strip("/"))
        drive = self._connector.drive(parameters.get("dataset"))
        return f"{drive}/root:/{folder}:/delta"

    async def _pages(self, address: str) -> tuple[list[Mapping[str, Any]], str]:
        items: list[Mapping[str, Any]] = []
        while True:
            answer = await self._connector.session.send("GET", address)
            if answer.status == 410:
                raise FeedExpired(answer.headers.get("location"))
            if answer.fault is not None or answer.status != 200:
                raise ReadingFailed(answer.message or f"the folder's feed answered {answer.status}")
            page = answer.body if isinstance(answer.body, Mapping) else {}
            items.extend(page.get("value") or [])
            if "@odata.deltaLink" in page:
                return items, str(page["@odata.deltaLink"])
            if "@odata.nextLink" not in page:
                raise ReadingFailed("the folder's feed has neither a next link nor a delta link")
            address = str(page["@odata.nextLink"])

    async def _start_runs(self, files: list[Mapping[str, Any]]) -> int:
        if not files:
            return 0
        shown = [file_properties(each) for each in files]
        outputs = {"statusCode": 200, "headers": {}, "body": {"value": shown}}
        identity = {each["{Identifier}"]: str(each["{ETag}"]) for each in shown}
        parameters = self._host.parameters(self._flow)
        started = 0
        for part in split(self._flow, parameters, outputs):
            body = part["body"] if isinstance(part["body"], Mapping) else {}
            item = body.get("{Identifier}")
            parts = [item, identity[item]] if item in identity else sorted(identity.values())
            if not conditions_hold(self._flow, parameters, part):
                continue
            run_id = trigger_run_id(self._flow.name, *map(str, parts))
            _, new = await self._host.start(self._flow.name, part, run_id=run_id)
            started += new
        return started


def _created(item: Mapping[str, Any]) -> float:
    """When an item was created, in epoch seconds; 0 when it does not say."""
    text = item.get("createdDateTime")
    return epoch_seconds(str(text)) if text else 0.0


class NewFilesPolling:
    """Reads a folder again and again until it is cancelled."""

    def __init__(self, trigger: NewFiles, *, seconds: float) -> None:
        self._trigger = trigger
        self._seconds = seconds
        self.failure: str | None = "the folder has not been read yet"
        """Why the last reading failed, None when it went well."""

    async def run(self) -> None:
        """Read for ever; a reading that fails is tried again at the next turn."""
        while True:
            try:
                await self._trigger.read()
                self.failure = None
            except (ReadingFailed, ActionFault) as error:
                self.failure = str(error)
            await asyncio.sleep(self._seconds)
