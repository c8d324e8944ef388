"""Who is alive: each executor says so in the database, and the living take over from the dead.

DBOS has no failure detector (design.md section 8). An executor beats every third of
``lost_after_seconds``. One that has not beaten for ``lost_after_seconds`` by the *database's* clock
is lost, and the first living executor of the same application and version that sees it puts its
running workflows back on the queue, where exactly one executor takes each.

The bound: a heartbeat cannot tell a dead process from one that was paused (a suspended laptop, a
stopped container). A paused executor that wakes up later than ``lost_after_seconds`` may finish the
one step of each workflow that it was in, beside the executor that took over and runs that step
again; its result is then refused, and it does nothing further. So a step's action must be safe to
repeat, which holds for any crash inside a step as well.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

CREATE_LOCK = 7_305_004_716
"""An arbitrary number that only executors of this project lock."""

_EXECUTORS = sa.Table(
    "mandate_executor",
    sa.MetaData(),
    sa.Column("application", sa.Text, primary_key=True),
    sa.Column("executor_id", sa.Text, primary_key=True),
    sa.Column("application_version", sa.Text, nullable=False),
    sa.Column("beat_at", sa.Float, nullable=False),
)
_NOW = {
    "sqlite": sa.text("(julianday('now') - 2440587.5) * 86400.0"),
    "postgresql": sa.text("extract(epoch from clock_timestamp())"),
}


class Heartbeat:
    """The beat of one executor, in a thread of its own so that a busy event loop is not 'dead'.

    ``recover`` is called with the id of each lost executor, from that thread; it must be safe to
    call twice for the same executor. ``prepare`` makes what else executors share, under their lock.
    """

    def __init__(
        self,
        engine: sa.Engine,
        *,
        application: str,
        application_version: str,
        executor_id: str,
        lost_after_seconds: float,
        recover: Callable[[str], None],
        prepare: Callable[[sa.Connection], None],
    ) -> None:
        self._engine = engine
        self._application = application
        self._application_version = application_version
        self._executor_id = executor_id
        self._lost_after_seconds = lost_after_seconds
        self._recover = recover
        self._prepare = prepare
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="durable-heartbeat", daemon=True)

    def announce(self) -> None:
        """Make the table if there is none and beat once; before work is recovered or taken."""
        with self._engine.begin() as connection:
            if connection.dialect.name == "postgresql":
                # There, two that create at once can both pass 'if not exists' and one fails.
                connection.execute(sa.select(sa.func.pg_advisory_xact_lock(CREATE_LOCK)))
            connection.execute(sa.schema.CreateTable(_EXECUTORS, if_not_exists=True))
            self._prepare(connection)
        self._beat()

    def start(self) -> None:
        """Beat on, and watch the others."""
        self._thread.start()

    def stop(self) -> None:
        """Beat no more and take nothing over; before the engine goes, which that would need."""
        self._stop.set()
        self._thread.join()

    def leave(self) -> None:
        """Say that this executor is gone: others take its work over at their next look."""
        with self._engine.begin() as connection:
            connection.execute(sa.update(_EXECUTORS).where(self._own()).values(beat_at=0.0))

    def _run(self) -> None:
        while not self._stop.wait(self._lost_after_seconds / 3):
            try:
                self._beat()
                for executor_id in self._lost():
                    self._take_over(executor_id)
            except sa.exc.SQLAlchemyError:
                # No database, no work either: nothing can be taken over or finished meanwhile.
                continue

    def _take_over(self, executor_id: str) -> None:
        try:
            self._recover(executor_id)
        except Exception:
            # Whatever the engine raises: this executor must go on beating, or its own work would be
            # taken from it. The dead one is still listed and is looked at again at the next beat.
            return
        self._forget(executor_id)

    def _beat(self) -> None:
        insert = sqlite.insert if self._engine.dialect.name == "sqlite" else postgresql.insert
        row = {
            "application": self._application,
            "executor_id": self._executor_id,
            "application_version": self._application_version,
            "beat_at": self._now(),
        }
        fresh = {key: row[key] for key in ("application_version", "beat_at")}
        statement = (
            insert(_EXECUTORS)
            .values(row)
            .on_conflict_do_update(index_elements=["application", "executor_id"], set_=fresh)
        )
        with self._engine.begin() as connection:
            connection.execute(statement)

    def _lost(self) -> list[str]:
        with self._engine.connect() as connection:
            return list(
                connection.execute(
                    sa.select(_EXECUTORS.c.executor_id).where(*self._stale())
                ).scalars()
            )

    def _forget(self, executor_id: str) -> None:
        # Only while it is still stale: it may have come back meanwhile.
        with self._engine.begin() as connection:
            connection.execute(
                sa.delete(_EXECUTORS).where(_EXECUTORS.c.executor_id == executor_id, *self._stale())
            )

    def _stale(self) -> tuple[sa.ColumnElement[bool], ...]:
        return (
            _EXECUTORS.c.application == self._application,
            _EXECUTORS.c.application_version == self._application_version,
            _EXECUTORS.c.executor_id != self._executor_id,
            _EXECUTORS.c.beat_at < self._now() - self._lost_after_seconds,
        )

    def _own(self) -> sa.ColumnElement[bool]:
        return sa.and_(
            _EXECUTORS.c.application == self._application,
            _EXECUTORS.c.executor_id == self._executor_id,
        )

    def _now(self) -> sa.ColumnElement[float]:
        return sa.literal_column(_NOW[self._engine.dialect.name].text, sa.Float)
