"""Reading runs: what stands where, straight from DBOS's tables.

DBOS's own listing costs several milliseconds of CPU a call, which is felt when each sync caller
waits for a result. Times are whole seconds on SQLite, where DBOS keeps no finer ones.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from hybridmandate.durable.dbos_tables import dbos_tables
from hybridmandate.durable.port import Run, RunState

_STATES = {
    "DELAYED": RunState.QUEUED,
    "ENQUEUED": RunState.QUEUED,
    "PENDING": RunState.RUNNING,
    "SUCCESS": RunState.SUCCEEDED,
    "ERROR": RunState.FAILED,
    "MAX_RECOVERY_ATTEMPTS_EXCEEDED": RunState.FAILED,
    "CANCELLED": RunState.CANCELLED,
}


class Runs:
    """The runs in a database."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self._tables = dbos_tables(engine)

    def find(self, run_id: str) -> Run | None:
        """The run of that id, whichever application it belongs to, or None."""
        runs, outputs = self._tables.runs, self._tables.outputs
        query = (
            sa.select(
                runs.c.workflow_uuid,
                runs.c.name,
                runs.c.status,
                runs.c.created_at,
                runs.c.updated_at,
                outputs.c.output,
                outputs.c.error,
            )
            .select_from(runs.outerjoin(outputs, runs.c.workflow_uuid == outputs.c.workflow_uuid))
            .where(runs.c.workflow_uuid == run_id)
        )
        row = self._first(query)
        return None if row is None else _run(row)

    def digest(self, run_id: str) -> str | None:
        """The payload digest that a run was started with, or None when there is no such run."""
        inputs = self._tables.inputs.c
        row = self._first(sa.select(inputs.inputs).where(inputs.workflow_uuid == run_id))
        return None if row is None else str(json.loads(row.inputs)["positionalArgs"][1])

    def unknown(self, run_ids: Sequence[str]) -> set[str]:
        """Those of some hundred ids that no run has."""
        runs = self._tables.runs.c
        query = sa.select(runs.workflow_uuid).where(runs.workflow_uuid.in_(run_ids))
        with self._engine.connect() as connection:
            return set(run_ids) - set(connection.execute(query).scalars())

    def _first(self, query: sa.Select[Any]) -> sa.Row[Any] | None:
        with self._engine.connect() as connection:
            return connection.execute(query).first()


def _run(row: sa.Row[Any]) -> Run:
    return Run(
        id=row.workflow_uuid,
        workflow=row.name,
        state=_STATES[row.status],
        result=None if row.output is None else json.loads(row.output),
        error=_error(row),
        created_at=row.created_at / 1000,
        updated_at=row.updated_at / 1000,
    )


def _error(row: sa.Row[Any]) -> str | None:
    if row.status == "MAX_RECOVERY_ATTEMPTS_EXCEEDED":
        return "set aside: it was restarted too often without coming to an end"
    if row.error is None:
        return None
    error = json.loads(row.error)
    return f"{error['name']}: {error['message']}"
