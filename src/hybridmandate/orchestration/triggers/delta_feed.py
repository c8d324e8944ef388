"""A delta feed of Microsoft Graph with a place that survives crashes.

The first reading only marks the place: what was there before starts nothing. So does the first one
of a feed at another address, when the trigger was pointed elsewhere. When the feed has
forgotten the place (410), it is read from the start, and what was created or changed since the
first reading counts as new; run ids keep anything from starting twice.
Source: learn.microsoft.com/graph/delta-query-overview, 'Synchronization reset'.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping
from typing import Any

from hybridmandate.orchestration.connectors.session import ServiceSession
from hybridmandate.orchestration.engine.instants import epoch_seconds
from hybridmandate.orchestration.shells.durable import FlowHost
from hybridmandate.orchestration.triggers.polling import ReadingFailed


class FeedExpired(Exception):
    """The feed no longer knows the place (410); ``location`` is where to read from the start."""

    def __init__(self, location: str | None) -> None:
        super().__init__("the feed starts again")
        self.location = location


class Reading:
    """What one reading found, and the place behind it."""

    def __init__(self, whole: str, items: list[Mapping[str, Any]], link: str, since: float) -> None:
        self.whole = whole
        self.items = items
        self.link = link
        self.since = since


class DeltaFeed:
    """The feed of one flow's trigger; ``dated`` is the field that tells when an item is new."""

    def __init__(self, name: str, session: ServiceSession, host: FlowHost, *, dated: str) -> None:
        self._name = name
        self._session = session
        self._host = host
        self._dated = dated

    async def read(self, whole: str) -> Reading:
        """The items since the place that is kept; ``whole`` is the feed's address from the start.

        :raises ReadingFailed: when the feed cannot be read.
        """
        cursor = await asyncio.to_thread(self._host.history.cursor, self._name)
        if cursor is None or cursor.get("whole") != whole:
            # Before the reading, and whole seconds: what comes meanwhile is new.
            now = math.floor(self._host.now())
            _, link = await self._pages(f"{whole}?token=latest")
            marked = Reading(whole, [], link, now)
            await self.keep(marked)
            return marked
        since = float(cursor["since"])
        try:
            items, link = await self._pages(str(cursor["link"]))
        except FeedExpired as expired:
            every, link = await self._pages(expired.location or whole)
            items = [each for each in every if self._date(each) >= since]
        return Reading(whole, items, link, since)

    async def keep(self, reading: Reading) -> None:
        """Move on, after every run of the reading has been started."""
        cursor = {"whole": reading.whole, "link": reading.link, "since": reading.since}
        await asyncio.to_thread(self._host.history.keep_cursor, self._name, cursor)

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
