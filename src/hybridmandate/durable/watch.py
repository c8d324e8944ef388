"""One reader for everything that waits: messages for parked runs, and runs that somebody awaits.

A query per waiting run would cost more the more approvals are parked. Here one query a round
answers up to ``IDS_A_QUERY`` of them, and the rounds get longer as their number grows.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
from collections.abc import Iterator, Sequence
from itertools import islice

import sqlalchemy as sa

from hybridmandate.durable.dbos_tables import dbos_tables

ENDED = ("SUCCESS", "ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED")
IDS_A_QUERY = 250
SECONDS_AFTER_TROUBLE = 1.0

Awaited = tuple[str, str | None]
"""A run id with a topic (a message is awaited) or without (its end is)."""


class Watch:
    """Wakes coroutines when the database says that what they wait for is there."""

    def __init__(self, engine: sa.Engine, poll_seconds: float) -> None:
        self._engine = engine
        self._tables = dbos_tables(engine)
        self._poll_seconds = poll_seconds
        self._waiters: dict[Awaited, set[asyncio.Future[None]]] = {}
        self._kick = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to read; from a running event loop."""
        self._task = asyncio.get_running_loop().create_task(
            self._run(), name="durable-watch", context=contextvars.Context()
        )

    async def stop(self) -> None:
        """Stop reading; who still waits is not woken by it."""
        if self._task is None:
            return
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task

    async def message(self, run_id: str, topic: str, *, timeout_seconds: float) -> None:
        """Wait until a run has an unread message on a topic, or the time has run out."""
        with contextlib.suppress(TimeoutError):
            await self._wait((run_id, topic), timeout_seconds)

    async def end(self, run_id: str, *, timeout_seconds: float | None) -> None:
        """Wait until a run has ended. :raises TimeoutError: when it has not by then."""
        await self._wait((run_id, None), timeout_seconds)

    def kick(self) -> None:
        """Read now: this process has just written what somebody may wait for."""
        self._kick.set()

    async def _wait(self, awaited: Awaited, timeout_seconds: float | None) -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.setdefault(awaited, set()).add(future)
        self._kick.set()
        try:
            async with asyncio.timeout(timeout_seconds):
                await future
        finally:
            waiting = self._waiters[awaited]
            waiting.discard(future)
            if not waiting:
                del self._waiters[awaited]

    async def _run(self) -> None:
        while True:
            await self._pause()
            self._kick.clear()
            if not self._waiters:
                continue
            # Who begins to wait while this round reads must not be woken by what it saw.
            waiting = {awaited: frozenset(futures) for awaited, futures in self._waiters.items()}
            try:
                found = await asyncio.to_thread(self._read, list(waiting))
            except sa.exc.DBAPIError:
                # A lost connection is the pool's to replace; whoever waits goes on waiting.
                await asyncio.sleep(SECONDS_AFTER_TROUBLE)
                continue
            for awaited in found:
                for future in waiting.get(awaited, ()):
                    if not future.done():
                        future.set_result(None)

    async def _pause(self) -> None:
        if not self._waiters:
            await self._kick.wait()
            return
        rounds = 1 + len(self._waiters) // IDS_A_QUERY
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._poll_seconds * rounds):
                await self._kick.wait()

    def _read(self, awaited: Sequence[Awaited]) -> set[Awaited]:
        messages = sorted({run_id for run_id, topic in awaited if topic is not None})
        ends = [run_id for run_id, topic in awaited if topic is None]
        found: set[Awaited] = set()
        with self._engine.connect() as connection:
            for ids in _portions(messages):
                found.update(
                    (row.destination_uuid, row.topic)
                    for row in connection.execute(self._unread(ids))
                )
            for ids in _portions(ends):
                found.update(
                    (row.workflow_uuid, None) for row in connection.execute(self._ended(ids))
                )
        return found

    def _unread(self, ids: Sequence[str]) -> sa.Select[tuple[str, str]]:
        table = self._tables.messages
        return (
            sa.select(table.c.destination_uuid, table.c.topic)
            .where(table.c.destination_uuid.in_(ids), table.c.consumed == sa.false())
            .distinct()
        )

    def _ended(self, ids: Sequence[str]) -> sa.Select[tuple[str]]:
        table = self._tables.runs
        return sa.select(table.c.workflow_uuid).where(
            table.c.workflow_uuid.in_(ids), table.c.status.in_(ENDED)
        )


def _portions(ids: Sequence[str]) -> Iterator[list[str]]:
    remaining = iter(ids)
    while portion := list(islice(remaining, IDS_A_QUERY)):
        yield portion
