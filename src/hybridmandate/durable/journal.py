"""What the finished steps of runs gave, written for many runs in one transaction.

DBOS commits each step by itself: 2 to 4 milliseconds of CPU a step, and on SQLite every commit
waits for the one before. Here whoever comes while a transaction is under way is in the next one
(group commit), and nobody is told that a step is remembered before its transaction is committed.
The fence is DBOS's own: a step is written only while the execution that ran it owns its run, which
a cancellation, a takeover and the end of the run take away.
"""

from __future__ import annotations

import asyncio
import contextvars
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from hybridmandate.durable.dbos_tables import dbos_tables

MAX_STEPS = 256
"""How many steps one transaction holds at most."""
RETRY_SECONDS = 0.05
MAX_RETRY_SECONDS = 5.0

_METADATA = sa.MetaData()
STEPS = sa.Table(
    "mandate_step",
    _METADATA,
    sa.Column("run_id", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("outcome", sa.Text, nullable=False),
)
"""A finished step of a run; ``outcome`` is JSON."""

_INSERTS: Mapping[str, Callable[[sa.Table], Any]] = {
    "sqlite": sqlite.insert,
    "postgresql": postgresql.insert,
}


@dataclass(frozen=True, slots=True)
class FinishedStep:
    """A step to be remembered. ``owner`` is the token of the execution that ran it."""

    run_id: str
    owner: str
    name: str
    outcome: str


class OwnerLost(Exception):
    """The execution does not own its run any more: it was cancelled, or taken over."""

    def __init__(self, run_id: str) -> None:
        super().__init__(f"run '{run_id}' is no longer owned by this execution")
        self.run_id = run_id


class StepJournal:
    """The remembered steps of the runs in one database."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self._runs = dbos_tables(engine).runs
        self._insert = _INSERTS[engine.dialect.name](STEPS).on_conflict_do_nothing()
        self._waiting: list[tuple[FinishedStep, asyncio.Future[None]]] = []
        self._writing: asyncio.Task[None] | None = None

    def prepare(self, connection: sa.Connection) -> None:
        """Make the table if there is none."""
        connection.execute(sa.schema.CreateTable(STEPS, if_not_exists=True))

    def read(self, run_id: str) -> dict[str, Any]:
        """What the finished steps of a run gave, by their names."""
        query = sa.select(STEPS.c.name, STEPS.c.outcome).where(STEPS.c.run_id == run_id)
        with self._engine.connect() as connection:
            return {row.name: json.loads(row.outcome) for row in connection.execute(query)}

    async def remember(self, step: FinishedStep) -> None:
        """Write a step; returns when it is committed. Waits while the database does not answer.

        :raises OwnerLost: when the run is not this execution's any more; nothing is written.
        :raises Exception: what the database raises when it will not take the step.
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
            batch, self._waiting = self._waiting[:MAX_STEPS], self._waiting[MAX_STEPS:]
            try:
                lost = await self._patiently([step for step, _ in batch])
            except Exception as error:
                # Whatever it is: who is not told waits for ever.
                await self._one_by_one(batch, error)
                continue
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
                return await asyncio.to_thread(self._write, steps)
            except (sa.exc.OperationalError, sa.exc.TimeoutError):
                # The second: every connection of the pool is taken.
                await asyncio.sleep(wait)
                wait = min(2 * wait, MAX_RETRY_SECONDS)

    def _write(self, steps: Sequence[FinishedStep]) -> set[FinishedStep]:
        """Write what its owner may still write, in one transaction; gives the rest."""
        lost: set[FinishedStep] = set()
        while len(lost) < len(steps):
            left = [each for each in steps if each not in lost]
            with self._engine.connect() as connection:
                # The write comes first: on SQLite it is what begins the transaction.
                connection.execute(self._insert, [_row(each) for each in left])
                owners = self._owners(connection, sorted({each.run_id for each in left}))
                now_lost = {each for each in left if owners.get(each.run_id) != each.owner}
                if not now_lost:
                    connection.commit()
                    return lost
            lost |= now_lost
        return lost

    def _owners(self, connection: sa.Connection, run_ids: Sequence[str]) -> dict[str, str | None]:
        """Who owns the runs; no hand-off can come between this and the commit."""
        runs = self._runs.c
        query = (
            sa.select(runs.workflow_uuid, runs.owner_xid)
            .where(runs.workflow_uuid.in_(run_ids))
            .order_by(runs.workflow_uuid)
            .with_for_update(key_share=True)
        )
        return {row.workflow_uuid: row.owner_xid for row in connection.execute(query)}


def _row(step: FinishedStep) -> dict[str, str]:
    return {"run_id": step.run_id, "name": step.name, "outcome": step.outcome}


def _settle(written: asyncio.Future[None], error: Exception | None) -> None:
    if written.done():
        return
    if error is None:
        written.set_result(None)
    else:
        written.set_exception(error)
