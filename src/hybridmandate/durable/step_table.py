"""The table of finished steps, and the one transaction that writes many of them.

The fence is DBOS's own: a step is written only while the execution that ran it owns its run, which
a cancellation, a takeover and the end of the run take away. On PostgreSQL writing, fence and commit
are one statement and so one round trip.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import sqlite

from hybridmandate.durable.dbos_tables import dbos_tables

STEPS = sa.Table(
    "mandate_step",
    sa.MetaData(),
    sa.Column("run_id", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("outcome", sa.Text, nullable=False),
)
"""A finished step of a run; ``outcome`` is JSON."""

_ON_POSTGRES = sa.text(
    """
    WITH owned AS MATERIALIZED (
        SELECT workflow_uuid, owner_xid FROM dbos.workflow_status
        WHERE workflow_uuid = ANY(CAST(:runs AS text[]))
        ORDER BY workflow_uuid FOR NO KEY UPDATE
    ), kept AS (
        INSERT INTO mandate_step (run_id, name, outcome)
        SELECT given.run_id, given.name, given.outcome
        FROM unnest(
            CAST(:runs AS text[]), CAST(:owners AS text[]),
            CAST(:names AS text[]), CAST(:outcomes AS text[])
        ) AS given(run_id, owner, name, outcome)
        JOIN owned ON workflow_uuid = given.run_id AND owner_xid = given.owner
        ON CONFLICT DO NOTHING
    )
    SELECT workflow_uuid, owner_xid FROM owned
    """
)


@dataclass(frozen=True, slots=True)
class FinishedStep:
    """A step to be remembered. ``owner`` is the token of the execution that ran it."""

    run_id: str
    owner: str
    name: str
    outcome: str


class StepTable:
    """The remembered steps of the runs in one database; synchronous SQL."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self._runs = dbos_tables(engine).runs
        self._write = (
            self._write_sqlite if engine.dialect.name == "sqlite" else self._write_postgres
        )

    def prepare(self, connection: sa.Connection) -> None:
        """Make the table if there is none."""
        connection.execute(sa.schema.CreateTable(STEPS, if_not_exists=True))

    def read(self, run_id: str) -> dict[str, Any]:
        """What the finished steps of a run gave, by their names."""
        query = sa.select(STEPS.c.name, STEPS.c.outcome).where(STEPS.c.run_id == run_id)
        with self._engine.connect() as connection:
            return {row.name: json.loads(row.outcome) for row in connection.execute(query)}

    def write(self, steps: Sequence[FinishedStep]) -> set[FinishedStep]:
        """Write what its owner may still write, in one transaction; gives the rest."""
        return self._write(steps)

    def _write_postgres(self, steps: Sequence[FinishedStep]) -> set[FinishedStep]:
        values = {
            "runs": [each.run_id for each in steps],
            "owners": [each.owner for each in steps],
            "names": [each.name for each in steps],
            "outcomes": [each.outcome for each in steps],
        }
        with self._engine.connect() as connection:
            alone = connection.execution_options(isolation_level="AUTOCOMMIT")
            owners = {
                row.workflow_uuid: row.owner_xid for row in alone.execute(_ON_POSTGRES, values)
            }
        return _not_of(owners, steps)

    def _write_sqlite(self, steps: Sequence[FinishedStep]) -> set[FinishedStep]:
        insert = sqlite.insert(STEPS).on_conflict_do_nothing()
        lost: set[FinishedStep] = set()
        while len(lost) < len(steps):
            left = [each for each in steps if each not in lost]
            with self._engine.connect() as connection:
                # The write comes first: it is what begins the transaction, and no hand-off can
                # come between it and the commit.
                connection.execute(insert, [_row(each) for each in left])
                owners = self._owners(connection, sorted({each.run_id for each in left}))
                now_lost = _not_of(owners, left)
                if not now_lost:
                    connection.commit()
                    return lost
            lost |= now_lost
        return lost

    def _owners(self, connection: sa.Connection, run_ids: Sequence[str]) -> dict[str, str | None]:
        runs = self._runs.c
        query = sa.select(runs.workflow_uuid, runs.owner_xid).where(runs.workflow_uuid.in_(run_ids))
        return {row.workflow_uuid: row.owner_xid for row in connection.execute(query)}


def _not_of(owners: dict[str, str | None], steps: Sequence[FinishedStep]) -> set[FinishedStep]:
    """The steps of executions that do not own their run any more."""
    return {each for each in steps if owners.get(each.run_id) != each.owner}


def _row(step: FinishedStep) -> dict[str, str]:
    return {"run_id": step.run_id, "name": step.name, "outcome": step.outcome}
