"""One reader for everybody who awaits the end of a run.

A query per waiting caller would cost more the more of them wait. Here one query a round answers up
to ``IDS_A_QUERY`` of them, and the rounds get longer as their number grows.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator, Sequence
from itertools import islice

import sqlalchemy as sa

from hybridmandate.durable.background import BackgroundTask
from hybridmandate.durable.dbos_tables import ENDED, dbos_tables

IDS_A_QUERY = 250
SECONDS_AFTER_TROUBLE = 1.0


class Watch:
    """Wakes coroutines when the database says that the run has ended that they wait for."""

    def __init__(self, engine: sa.Engine, poll_seconds: float) -> None:
        self._engine = engine
        self._runs = dbos_tables(engine).runs
        self._poll_seconds = poll_seconds
        self._waiters: dict[str, set[asyncio.Future[None]]] = {}
        self._kick = asyncio.Event()
        self._reading = BackgroundTask("durable-watch")

    def start(self) -> None:
        """Begin to read; from a running event loop."""
        self._reading.start(self._run())

    async def stop(self) -> None:
        """Stop reading; who still waits is not woken by it."""
        await self._reading.stop()

    async def end(self, run_id: str, *, timeout_seconds: float | None) -> None:
        """Wait until a run has ended. :raises TimeoutError: when it has not by then."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.setdefault(run_id, set()).add(future)
        self._kick.set()
        try:
            async with asyncio.timeout(timeout_seconds):
                await future
        finally:
            waiting = self._waiters[run_id]
            waiting.discard(future)
            if not waiting:
                del self._waiters[run_id]

    def kick(self) -> None:
        """Read now: this process has just written what somebody may wait for."""
        self._kick.set()

    async def _run(self) -> None:
        while True:
            await self._pause()
            self._kick.clear()
            if not self._waiters:
                continue
            # Who begins to wait while this round reads must not be woken by what it saw.
            waiting = {run_id: frozenset(futures) for run_id, futures in self._waiters.items()}
            try:
                ended = await asyncio.to_thread(self._read, list(waiting))
            except sa.exc.SQLAlchemyError:
                # A lost connection is the pool's to replace; whoever waits goes on waiting, and
                # is told by the journal, which needs the same database.
                await asyncio.sleep(SECONDS_AFTER_TROUBLE)
                continue
            for run_id in ended:
                for future in waiting[run_id]:
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

    def _read(self, run_ids: Sequence[str]) -> set[str]:
        runs = self._runs.c
        found: set[str] = set()
        with self._engine.connect() as connection:
            for portion in _portions(run_ids):
                ended = sa.select(runs.workflow_uuid).where(
                    runs.workflow_uuid.in_(portion), runs.status.in_(ENDED)
                )
                found.update(connection.execute(ended).scalars())
        return found


def _portions(ids: Sequence[str]) -> Iterator[list[str]]:
    remaining = iter(ids)
    while portion := list(islice(remaining, IDS_A_QUERY)):
        yield portion
