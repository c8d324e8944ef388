"""The trigger 'When a file is created (properties only)' of SharePoint, read from a delta feed.

The first reading only marks the place: files that were there before start nothing. The feed's
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
            _, after = await self._pages(self._first_address())
            await asyncio.to_thread(self._host.history.keep_cursor, self._flow.name, after)
            return 0
        items, after = await self._pages(str(cursor))
        files = [each for each in items if "file" in each and "deleted" not in each]
        started = await self._start_runs(files)
        if after != cursor:
            await asyncio.to_thread(self._host.history.keep_cursor, self._flow.name, after)
        return started

    def _first_address(self) -> str:
        values = TriggerValues(self._flow, self._host.parameters(self._flow))
        inputs = values.evaluate(self._flow.trigger.inputs)
        parameters: Mapping[str, Any] = inputs.get("parameters") or {}
        folder = quote(str(parameters.get("folderPath") or "").strip("/"))
        drive = self._connector.drive(parameters.get("dataset"))
        return f"{drive}/root:/{folder}:/delta?token=latest"

    async def _pages(self, address: str) -> tuple[list[Mapping[str, Any]], str]:
        items: list[Mapping[str, Any]] = []
        while True:
            answer = await self._connector.session.send("GET", address)
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
