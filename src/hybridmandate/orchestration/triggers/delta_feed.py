"""A delta feed of Microsoft Graph with a place that survives crashes.

The first reading only marks the place: what was there before starts nothing. So does the first one
of a feed at another address, when the trigger was pointed elsewhere. When the feed has
forgotten the place (410), it is read from the start, and what was created or changed since the
first reading counts as new; run ids keep anything from starting twice.
Source: learn.microsoft.com/graph/delta-query-overview, 'Synchronization reset'.

The runs of a reading are kept beside the place before the first of them is started, and started
from there after a crash. So a reading that is repeated never mixes its items with what came
meanwhile: each item is in exactly one run, also where one run gets all items of a reading.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from hybridmandate.orchestration.connectors.session import ServiceSession
from hybridmandate.orchestration.definition.model import Flow
from hybridmandate.orchestration.engine.instants import epoch_seconds
from hybridmandate.orchestration.shells.durable import FlowHost
from hybridmandate.orchestration.triggers.polling import ReadingFailed, Start, start_all

Cursor = dict[str, Any]
NEWEST = "newest"
"""Where a place keeps when the newest change that it has passed was made."""


class FeedExpired(Exception):
    """The feed no longer knows the place (410); ``location`` is where to read from the start."""

    def __init__(self, location: str | None) -> None:
        super().__init__("the feed starts again")
        self.location = location


@dataclass(frozen=True, slots=True)
class Reading:
    """What one reading found, the place before it (None: there was none) and the one behind it."""

    items: Sequence[Mapping[str, Any]]
    before: Mapping[str, Any] | None
    behind: Mapping[str, Any]

    @property
    def since(self) -> float:
        """When the feed was first read (epoch seconds)."""
        return float(self.behind["since"])

    @property
    def window(self) -> dict[str, str]:
        """The borders of the time in which the items changed, as actions take them.

        The service's own time: from the newest change that was known before to the newest one now.
        """
        first = datetime.fromtimestamp(self.since, UTC).isoformat()
        before = str((self.before or {}).get(NEWEST) or first)
        return {
            "{TriggerWindowStartToken}": before,
            "{TriggerWindowEndToken}": str(self.behind.get(NEWEST) or before),
        }


class DeltaFeed:
    """The feed of one flow's trigger; ``dated`` is the field that tells when an item is new."""

    def __init__(self, flow: Flow, session: ServiceSession, host: FlowHost, *, dated: str) -> None:
        self._flow = flow
        self._session = session
        self._host = host
        self._dated = dated

    async def read(self, whole: str) -> Reading:
        """The items since the place that is kept; ``whole`` is the feed's address from the start.

        Starts first what an earlier reading left to be started.
        :raises ReadingFailed: when the feed cannot be read.
        """
        cursor = await self._finished(await self._cursor())
        if cursor is None or cursor["whole"] != whole:
            # Before the reading, and whole seconds: what comes meanwhile is new.
            now = math.floor(self._host.now())
            _, link = await self._pages(f"{whole}?token=latest")
            return Reading([], None, {"whole": whole, "link": link, "since": now})
        since = float(cursor["since"])
        try:
            items, link = await self._pages(str(cursor["link"]))
        except FeedExpired as expired:
            every, link = await self._pages(expired.location or whole)
            items = [each for each in every if self._date(each) >= since]
        newest = max(filter(None, [cursor.get(NEWEST), *map(_modified, items)]), default=None)
        behind = {**cursor, "link": link, **({} if newest is None else {NEWEST: newest})}
        return Reading(items, cursor, behind)

    async def move(self, reading: Reading, starts: Sequence[Start]) -> int:
        """Start the runs of a reading and move the place behind it; returns how many were new."""
        if not starts:
            if reading.before != reading.behind:
                await self._keep(dict(reading.behind))
            return 0
        left = [{"run": each.run_id, "outputs": dict(each.outputs)} for each in starts]
        await self._keep({**reading.behind, "left": left})
        started = await start_all(self._flow, self._host, starts)
        await self._keep(dict(reading.behind))
        return started

    async def _finished(self, cursor: Cursor | None) -> Cursor | None:
        """The place, after the runs that were kept beside it have been started."""
        if cursor is None or "left" not in cursor:
            return cursor
        left = [Start(each["run"], each["outputs"]) for each in cursor.pop("left")]
        await start_all(self._flow, self._host, left)
        await self._keep(cursor)
        return cursor

    async def _cursor(self) -> Cursor | None:
        kept = await asyncio.to_thread(self._host.history.cursor, self._flow.name)
        return None if kept is None or "whole" not in kept else dict(kept)

    async def _keep(self, cursor: Cursor) -> None:
        await asyncio.to_thread(self._host.history.keep_cursor, self._flow.name, cursor)

    def _date(self, item: Mapping[str, Any]) -> float:
        text = item.get(self._dated)
        return epoch_seconds(str(text)) if text else 0.0

    async def _pages(self, address: str) -> tuple[list[Mapping[str, Any]], str]:
        items: list[Mapping[str, Any]] = []
        while True:
            answer = await self._session.send("GET", address)
            if answer.status == 410:
                raise FeedExpired(answer.headers.get("location"))
            if answer.fault is not None or answer.status != 200:
                raise ReadingFailed(answer.message or f"the feed answered {answer.status}")
            page = answer.body if isinstance(answer.body, Mapping) else {}
            items.extend(page.get("value") or [])
            if "@odata.deltaLink" in page:
                return items, str(page["@odata.deltaLink"])
            if "@odata.nextLink" not in page:
                raise ReadingFailed("the feed has neither a next link nor a delta link")
            address = str(page["@odata.nextLink"])


def _modified(item: Mapping[str, Any]) -> str | None:
    """When an item was changed, as its service writes it: these texts are in their order."""
    text = item.get("lastModifiedDateTime")
    return None if text is None else str(text)
