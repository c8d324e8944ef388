"""Removing the steps of runs that have ended: nothing reads them any more.

A step is read when its run is resumed, and a run that has ended never is. Its history says what it
did. The steps stay for ``keep_seconds`` after the end, for whoever looks into the database.
"""

from __future__ import annotations

import asyncio
import time

import sqlalchemy as sa

from hybridmandate.durable.background import BackgroundTask, Told
from hybridmandate.durable.dbos_tables import ENDED, dbos_tables
from hybridmandate.durable.step_table import STEPS

RUNS_A_SWEEP = 200
"""The steps of how many runs one transaction removes: others wait for it to be committed."""
LONGEST_PAUSE = 60.0
SHORTEST_PAUSE = 0.5


class StepRetention:
    """Sweeps the table of steps of one database, in the background."""

    def __init__(self, engine: sa.Engine, *, keep_seconds: float, told: Told) -> None:
        """``told`` hears why steps cannot be removed, once, and None when they can again."""
        self._engine = engine
        self._keep_seconds = keep_seconds
        self._told = told
        self._runs = dbos_tables(engine).runs
        self._sweeping = BackgroundTask("durable-retention")
        self._said: str | None = None

    def start(self) -> None:
        """Begin to sweep; from a running event loop."""
        self._sweeping.start(self._run())

    async def stop(self) -> None:
        """Sweep no more."""
        await self._sweeping.stop()

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
            await self.sweep_all()

    async def sweep_all(self) -> None:
        """Remove all that may go; what could not be removed now is by a later sweep."""
        removed = RUNS_A_SWEEP
        try:
            while removed == RUNS_A_SWEEP:
                removed = await asyncio.to_thread(self.sweep)
        except sa.exc.SQLAlchemyError as error:
            self._say(f"steps of ended runs stay: {getattr(error, 'orig', None) or error}")
        else:
            self._say(None)

    def _say(self, trouble: str | None) -> None:
        if trouble != self._said:
            self._said = trouble
            self._told(trouble)
