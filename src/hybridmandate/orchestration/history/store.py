"""The run history: written a turn at a time, read by people and by the shell itself.

Everything here is synchronous SQL on the engine that was passed in; the shell calls it in a thread.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine, bindparam, delete, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError

from hybridmandate.orchestration.engine.instants import instant_text
from hybridmandate.orchestration.history.bounds import KEEP_BYTES, bounded
from hybridmandate.orchestration.history.tables import (
    ACTIONS,
    CURSORS,
    DEFINITIONS,
    METADATA,
    RUNS,
)

_SHOWN = ("inputs", "outputs", "error", "trackedProperties")
_INSERTS: Mapping[str, Callable[[Any], Any]] = {
    "sqlite": sqlite.insert,
    "postgresql": postgresql.insert,
}


@dataclass(frozen=True, slots=True)
class StoredRun:
    """A run as the history knows it; times are epoch seconds, ``start`` what began it."""

    id: str
    flow: str
    definition: str
    status: str
    started_at: float
    ended_at: float | None
    correlation_id: str | None
    code: str | None
    error: Mapping[str, Any] | None
    trigger: Mapping[str, Any]
    start: Mapping[str, Any]
    response: Mapping[str, Any] | None
    resubmit_of: str | None
    cancel_reason: str | None
    turn: int

    def to_json(self) -> dict[str, Any]:
        """The run for people: without what it was started with."""
        return {
            "id": self.id,
            "flow": self.flow,
            "status": self.status,
            "startedAt": self.started_at,
            "endedAt": self.ended_at,
            "correlationId": self.correlation_id,
            "code": self.code,
            "error": self.error,
            "trigger": self.trigger,
            "resubmitOf": self.resubmit_of,
        }


@dataclass(frozen=True, slots=True)
class TurnRecords:
    """What a turn of a run brought: ``records`` of actions that ended, ``changes`` of the run."""

    run_id: str
    turn: int
    records: Sequence[Mapping[str, Any]]
    changes: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class TurnWritten:
    """Whether a turn was new, and why a person wants the run to end, if one does."""

    new: bool
    cancel_reason: str | None


class RunHistory:
    """Runs, their actions, the definitions they run, and cursors of triggers."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        METADATA.create_all(engine)

    def keep_definition(self, digest: str, file_name: str, raw: bytes) -> None:
        """Remember a flow file under its digest."""
        with self._engine.begin() as connection:
            known = select(DEFINITIONS.c.digest).where(DEFINITIONS.c.digest == digest)
            if connection.execute(known).first() is None:
                connection.execute(
                    insert(DEFINITIONS).values(digest=digest, file_name=file_name, raw=raw)
                )

    def definition(self, digest: str) -> tuple[str, bytes] | None:
        """File name and bytes of a definition."""
        query = select(DEFINITIONS.c.file_name, DEFINITIONS.c.raw)
        with self._engine.connect() as connection:
            row = connection.execute(query.where(DEFINITIONS.c.digest == digest)).first()
        return (row.file_name, row.raw) if row else None

    def begin(
        self, start: Mapping[str, Any], shown_trigger: Any, *, resubmit_of: str | None
    ) -> bool:
        """Write a run down before it runs; False when that id is known already."""
        values = {
            "id": start["runId"],
            "flow": start["flow"],
            "definition": start["definition"],
            "status": "Running",
            "started_at": start["time"],
            "correlation_id": start.get("correlationId"),
            "trigger": bounded(shown_trigger) or {},
            "start": dict(start),
            "resubmit_of": resubmit_of,
            "turn": -1,
        }
        try:
            with self._engine.begin() as connection:
                connection.execute(insert(RUNS).values(**values))
        except IntegrityError:
            return False
        return True

    def write_turns(self, turns: Sequence[TurnRecords]) -> list[TurnWritten]:
        """Write what turns brought, in one transaction; those of one run in their order.

        A turn that was written before is left alone, and so is a run that was ended meanwhile. An
        action that went on is written again when it has ended.
        """
        known = select(RUNS.c.id, RUNS.c.turn, RUNS.c.status, RUNS.c.cancel_reason)
        with self._engine.begin() as connection:
            rows = connection.execute(known.where(RUNS.c.id.in_([each.run_id for each in turns])))
            runs = {row.id: row for row in rows}
            written = []
            actions: dict[tuple[str, str], dict[str, Any]] = {}
            changes: dict[str, dict[str, Any]] = {}
            for each in turns:
                row = runs.get(each.run_id)
                new = row is not None and row.turn < each.turn and row.status == "Running"
                written.append(TurnWritten(new, row.cancel_reason if row else None))
                if new:
                    actions.update(_action_rows(each.run_id, each.records))
                    before = changes.get(each.run_id, {"_id": each.run_id})
                    changes[each.run_id] = {**before, "turn": each.turn, **each.changes}
            self._put_actions(connection, actions)
            _change_runs(connection, changes)
        return written

    def _put_actions(
        self, connection: Connection, rows: Mapping[tuple[str, str], Mapping[str, Any]]
    ) -> None:
        if not rows:
            return
        put = _INSERTS[connection.dialect.name](ACTIONS)
        changed = {name: put.excluded[name] for name in ("sequence", "status", "record")}
        connection.execute(
            put.on_conflict_do_update(index_elements=["run_id", "key"], set_=changed),
            list(rows.values()),
        )

    def end_broken(self, run_id: str, message: str, ended_at: float) -> None:
        """Write that a run failed because it could not be carried on."""
        self._end(run_id, "Failed", "RunBroken", message, ended_at)

    def end_cancelled(self, run_id: str, reason: str, ended_at: float) -> None:
        """Write that a run which nothing carries on was cancelled."""
        self._end(run_id, "Cancelled", "RunCancelled", reason, ended_at)

    def _end(self, run_id: str, status: str, code: str, message: str, ended_at: float) -> None:
        running = (RUNS.c.id == run_id) & (RUNS.c.status == "Running")
        error = {"code": code, "message": message}
        with self._engine.begin() as connection:
            done = connection.execute(
                update(RUNS)
                .where(running)
                .values(status=status, code=code, error=error, ended_at=ended_at)
            )
            if done.rowcount:
                _close_actions(connection, run_id, ended_at)

    def find(self, run_id: str) -> StoredRun | None:
        """The run of that id."""
        with self._engine.connect() as connection:
            row = connection.execute(select(RUNS).where(RUNS.c.id == run_id)).first()
        return StoredRun(**row._mapping) if row else None

    def runs(self, *, flow: str | None, limit: int) -> list[StoredRun]:
        """Runs, newest first."""
        query = select(RUNS).order_by(RUNS.c.started_at.desc(), RUNS.c.id).limit(limit)
        if flow is not None:
            query = query.where(RUNS.c.flow == flow)
        with self._engine.connect() as connection:
            return [StoredRun(**row._mapping) for row in connection.execute(query)]

    def actions(self, run_id: str) -> list[Mapping[str, Any]]:
        """The records of a run's actions in the order in which they ended, or began."""
        query = select(ACTIONS.c.record).where(ACTIONS.c.run_id == run_id)
        with self._engine.connect() as connection:
            rows = connection.execute(query.order_by(ACTIONS.c.sequence))
            return [row.record for row in rows]

    def ask_cancel(self, run_id: str, reason: str) -> bool:
        """Write down that a person wants the run to end; False when it is not running."""
        running = (RUNS.c.id == run_id) & (RUNS.c.status == "Running")
        with self._engine.begin() as connection:
            done = connection.execute(
                update(RUNS).where(running).values(cancel_reason=reason[:512])
            )
        return done.rowcount == 1

    def cursor(self, flow: str) -> Any | None:
        """How far a polling trigger has read, None when it has not begun."""
        query = select(CURSORS.c.cursor).where(CURSORS.c.flow == flow)
        with self._engine.connect() as connection:
            row = connection.execute(query).first()
        return row.cursor if row else None

    def keep_cursor(self, flow: str, cursor: Any) -> None:
        """Remember how far a polling trigger has read."""
        with self._engine.begin() as connection:
            connection.execute(delete(CURSORS).where(CURSORS.c.flow == flow))
            connection.execute(insert(CURSORS).values(flow=flow, cursor=cursor))


def _close_actions(connection: Connection, run_id: str, ended_at: float) -> None:
    """Write that what went on in a run has been cancelled with it."""
    going_on = (ACTIONS.c.run_id == run_id) & ACTIONS.c.status.in_(("Running", "Waiting"))
    rows = connection.execute(select(ACTIONS.c.key, ACTIONS.c.record).where(going_on)).all()
    ended = {"status": "Cancelled", "code": "ActionCancelled", "endTime": instant_text(ended_at)}
    for row in rows:
        connection.execute(
            update(ACTIONS)
            .where(ACTIONS.c.run_id == run_id, ACTIONS.c.key == row.key)
            .values(status="Cancelled", record={**row.record, **ended})
        )


def _change_runs(connection: Connection, changes: Mapping[str, Mapping[str, Any]]) -> None:
    for keys in {tuple(sorted(each)) for each in changes.values()}:
        alike = [each for each in changes.values() if tuple(sorted(each)) == keys]
        connection.execute(
            update(RUNS)
            .where(RUNS.c.id == bindparam("_id"))
            .values({key: bindparam(key) for key in keys if key != "_id"}),
            alike,
        )


def _action_rows(
    run_id: str, records: Sequence[Mapping[str, Any]]
) -> dict[tuple[str, str], dict[str, Any]]:
    rows = {}
    for record in records:
        place = ".".join(map(str, record["at"]))
        key = f"{record['name']}@{place}" if place else record["name"]
        rows[run_id, key] = {
            "run_id": run_id,
            "key": key,
            "sequence": record["sequence"],
            "name": record["name"],
            "status": record["status"],
            "record": _bounded_record(record),
        }
    return rows


def _bounded_record(record: Mapping[str, Any]) -> Mapping[str, Any]:
    """The record with what is too large cut; most records are small as a whole."""
    if len(json.dumps(record)) <= KEEP_BYTES:
        # Escaped to ASCII: no part of it can be longer in bytes.
        return record
    return {k: bounded(v) if k in _SHOWN else v for k, v in record.items()}
