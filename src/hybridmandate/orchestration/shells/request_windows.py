"""The requests that flows have used, kept so that a restart does not give them a fresh budget.

Counts are kept by flow and slot of time, and written some times a second for all flows together: a
process that is killed forgets the requests of its last ``WRITE_SECONDS``. A slot counts as used at
its end, so that no window gets room earlier than it would have. What a run used since its last
remembered turn is counted again when the run is resumed.
Source: learn.microsoft.com, 'Requests limits and allocations' (sliding windows of 24 hours).
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
from collections import Counter
from collections.abc import Callable, Mapping

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from hybridmandate.orchestration.limits import RequestBudget
from hybridmandate.orchestration.limits.budget import DAY

SLOT_SECONDS = 15.0
WRITE_SECONDS = 0.5

_SPENT = sa.Table(
    "flow_requests",
    sa.MetaData(),
    sa.Column("flow", sa.String(256), primary_key=True),
    sa.Column("slot", sa.Float, primary_key=True),
    sa.Column("requests", sa.Integer, nullable=False),
)
"""Requests of a flow up to an epoch second, since the slot before."""

Spent = tuple[str, float]
"""A flow, and the end of the slot in which it used requests."""


class RequestWindows:
    """What flows have used in the last 24 hours, in one database. ``clock`` is epoch seconds."""

    def __init__(self, engine: sa.Engine, clock: Callable[[], float]) -> None:
        self._engine = engine
        self._clock = clock
        self._unwritten: Counter[Spent] = Counter()
        self._writing: asyncio.Task[None] | None = None
        with engine.begin() as connection:
            connection.execute(sa.schema.CreateTable(_SPENT, if_not_exists=True))

    def spend(self, flow: str, requests: int) -> None:
        """Remember requests of a flow soon; from a running event loop."""
        if not requests:
            return
        now = self._clock()
        self._unwritten[flow, now - now % SLOT_SECONDS + SLOT_SECONDS] += requests
        if self._writing is None or self._writing.done():
            self._writing = asyncio.get_running_loop().create_task(
                self._write_soon(), context=contextvars.Context()
            )

    def restore(self, budget: RequestBudget) -> None:
        """Count in a fresh budget what was used before; forget what is older than its windows."""
        since = self._clock() - DAY - SLOT_SECONDS
        kept = sa.select(_SPENT).order_by(_SPENT.c.slot)
        with self._engine.begin() as connection:
            connection.execute(sa.delete(_SPENT).where(_SPENT.c.slot < since))
            for row in connection.execute(kept):
                budget.spend(row.flow, row.requests, row.slot)

    async def close(self) -> None:
        """Write what is not written yet."""
        if self._writing is not None:
            self._writing.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._writing
        await self._write()

    async def _write_soon(self) -> None:
        while self._unwritten:
            await asyncio.sleep(WRITE_SECONDS)
            await self._write()

    async def _write(self) -> None:
        written, self._unwritten = self._unwritten, Counter()
        if not written:
            return
        try:
            await asyncio.to_thread(self._add, written)
        except sa.exc.DBAPIError:
            # Written with what comes next, or by the next turn.
            self._unwritten.update(written)

    def _add(self, spent: Mapping[Spent, int]) -> None:
        insert = sqlite.insert if self._engine.dialect.name == "sqlite" else postgresql.insert
        put = insert(_SPENT)
        added = {"requests": _SPENT.c.requests + put.excluded.requests}
        rows = [{"flow": f, "slot": slot, "requests": n} for (f, slot), n in spent.items()]
        with self._engine.begin() as connection:
            connection.execute(
                put.on_conflict_do_update(index_elements=["flow", "slot"], set_=added), rows
            )
