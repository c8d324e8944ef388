"""What the finished steps of runs gave, written for many runs in one transaction.

DBOS commits each step by itself: 2 to 4 milliseconds of CPU a step, and on SQLite every commit
waits for the one before. Here whoever comes while a transaction is under way is in the next one
(group commit), and nobody is told that a step is remembered before its transaction is committed.

A database that does not take steps is never waited for in silence: ``told`` hears why, and hears
None when it does again. What does not heal by waiting (:mod:`.database_errors`) is waited for
``patience_seconds``; then the executions that need it are stopped where they are. Their runs are
as the database knows them, and go on from there in the next process.
"""

from __future__ import annotations

import asyncio
import contextvars
import time
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from hybridmandate.durable.background import Told
from hybridmandate.durable.database_errors import Prospect, prospect
from hybridmandate.durable.step_table import FinishedStep, StepTable

MAX_STEPS = 256
"""How many steps one transaction holds at most."""
RETRY_SECONDS = 0.05
MAX_RETRY_SECONDS = 5.0


class OwnerLost(Exception):
    """The execution does not own its run any more: it was cancelled, or taken over."""

    def __init__(self, run_id: str) -> None:
        super().__init__(f"run '{run_id}' is no longer owned by this execution")
        self.run_id = run_id


class JournalBroken(Exception):
    """The database takes no steps any more until somebody has mended it."""


class StepJournal:
    """Remembers the steps of the runs in one database."""

    def __init__(self, steps: StepTable, *, patience_seconds: float, told: Told) -> None:
        self._steps = steps
        self._patience_seconds = patience_seconds
        self._told = told
        self._waiting: list[tuple[FinishedStep, asyncio.Future[None]]] = []
        self._writing: asyncio.Task[None] | None = None
        self._broken_since: float | None = None
        self._said: str | None = None
        self._stopped_runs = False

    def read(self, run_id: str) -> dict[str, Any]:
        """What the finished steps of a run gave, by their names."""
        return self._steps.read(run_id)

    async def remember(self, step: FinishedStep) -> None:
        """Write a step; returns when it is committed. Waits while the database does not answer.

        :raises OwnerLost: when the run is not this execution's any more; nothing is written.
        :raises JournalBroken: when the database will not heal by waiting.
        :raises Exception: what the database raises when it will not take this step.
        """
        written: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((step, written))
        if self._writing is None or self._writing.done():
            # Of its own: it must neither belong to a run nor end with one.
            self._writing = asyncio.get_running_loop().create_task(
                self._write_all(), context=contextvars.Context()
            )
        await written

    async def stop(self) -> None:
        """Write nothing more; what still waits is run again by whoever resumes its run."""
        if self._writing is not None:
            self._writing.cancel()
            await asyncio.gather(self._writing, return_exceptions=True)

    async def _write_all(self) -> None:
        while self._waiting:
            # Runs that the same answer of the database woke have their next steps together.
            await asyncio.sleep(0)
            batch, self._waiting = self._waiting[:MAX_STEPS], self._waiting[MAX_STEPS:]
            try:
                lost = await self._patiently([step for step, _ in batch])
            except JournalBroken as broken:
                for _, written in batch:
                    _settle(written, broken)
            except Exception as error:
                # Whatever it is: who is not told waits for ever.
                await self._one_by_one(batch, error)
            else:
                for step, written in batch:
                    _settle(written, OwnerLost(step.run_id) if step in lost else None)

    async def _one_by_one(
        self, batch: list[tuple[FinishedStep, asyncio.Future[None]]], error: Exception
    ) -> None:
        """A step that the database will not take must not take the others with it."""
        for step, written in batch:
            if len(batch) == 1:
                _settle(written, error)
                return
            try:
                lost = await self._patiently([step])
            except Exception as own:
                _settle(written, own)
            else:
                _settle(written, OwnerLost(step.run_id) if lost else None)

    async def _patiently(self, steps: Sequence[FinishedStep]) -> set[FinishedStep]:
        """Write steps; a database that does not answer now is asked again until it does."""
        wait = RETRY_SECONDS
        while True:
            try:
                lost = await asyncio.to_thread(self._steps.write, steps)
            except sa.exc.SQLAlchemyError as error:
                self._look_at(error)
                await asyncio.sleep(wait)
                wait = min(2 * wait, MAX_RETRY_SECONDS)
            else:
                self._well()
                return lost

    def _look_at(self, error: sa.exc.SQLAlchemyError) -> None:
        """Tell what is wrong. :raises JournalBroken: when it has been broken for long enough."""
        expected = prospect(error)
        if expected is Prospect.REFUSED:
            raise error
        reason = str(getattr(error, "orig", None) or error)
        self._say(f"steps cannot be remembered: {reason}")
        if expected is Prospect.HEALS:
            return
        now = time.monotonic()
        if self._broken_since is None:
            self._broken_since = now
        if now - self._broken_since < self._patience_seconds:
            return
        self._stopped_runs = True
        message = f"the database takes no steps: {reason}; its runs go on after a restart"
        self._say(message)
        raise JournalBroken(message) from error

    def _well(self) -> None:
        self._broken_since = None
        # Runs that were stopped wait for a new process: until then this one is not well.
        if self._said is not None and not self._stopped_runs:
            self._said = None
            self._told(None)

    def _say(self, reason: str) -> None:
        if reason != self._said:
            self._said = reason
            self._told(reason)


def _settle(written: asyncio.Future[None], error: Exception | None) -> None:
    if written.done():
        return
    if error is None:
        written.set_result(None)
    else:
        written.set_exception(error)
