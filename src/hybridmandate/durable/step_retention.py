"""Removing the steps of runs that have ended: nothing reads them any more.

A step is read when its run is resumed, and a run that has ended never is. Its history says what it
did. The steps stay for ``keep_seconds`` after the end, for whoever looks into the database.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import time

import sqlalchemy as sa

from hybridmandate.durable.dbos_tables import ENDED, dbos_tables
from hybridmandate.durable.step_table import STEPS

RUNS_A_SWEEP = 200
"""The steps of how many runs one transaction removes: others wait for it to be committed."""
LONGEST_PAUSE = 60.0
SHORTEST_PAUSE = 0.5


class StepRetention:
    """Sweeps the table of steps of one database, in the background."""

    def __init__(self, engine: sa.Engine, *, keep_seconds: float) -> None:
        self._engine = engine
        self._keep_seconds = keep_seconds
        self._runs = dbos_tables(engine).runs
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to sweep; from a running event loop."""
        self._task = asyncio.get_running_loop().create_task(
            self._run(), name="durable-retention", context=contextvars.Context()
        )

    async def stop(self) -> None:
        """Sweep no more."""
        if self._task is None:
            return
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task

    def sweep(self) -> int:
        """Remove the steps of some runs that ended long enough ago; gives how many runs."""
        runs = self._runs.c
        until = (time.time() - self._keep_seconds) * 1000
        ended = (
            sa.select(STEPS.c.run_id)
            .distinct()
            .join(self._runs, runs.workflow_uuid == STEPS.c.run_id)
            .where(runs.status.in_(ENDED), runs.updated_at <= until)
            .limit(RUNS_A_SWEEP)
        )
        with self._engine.connect() as connection:
            run_ids = list(connection.execute(ended).scalars())
        if run_ids:
            with self._engine.begin() as connection:
                connection.execute(sa.delete(STEPS).where(STEPS.c.run_id.in_(run_ids)))
        return len(run_ids)

    async def _run(self) -> None:
        pause = min(LONGEST_PAUSE, max(SHORTEST_PAUSE, self._keep_seconds / 4))
        while True:
            await asyncio.sleep(pause)
            with contextlib.suppress(sa.exc.DBAPIError):
                # Steps that could not be removed now are removed by a later sweep.
                removed = RUNS_A_SWEEP
                while removed == RUNS_A_SWEEP:
                    removed = await asyncio.to_thread(self.sweep)
