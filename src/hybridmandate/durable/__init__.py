"""Durable work: the port to the durable engine, and the one implementation of it.

Flow runs, jobs and timers survive ``kill -9`` here. The engine (DBOS, design.md section 8) is
imported when one is opened, not when this package is. Imports nothing of ours but ``contracts``.
"""

from __future__ import annotations

from hybridmandate.durable.port import (
    Durable,
    DurableContext,
    Json,
    PayloadConflict,
    Run,
    RunState,
    StepFailed,
    StepUnwritable,
    Work,
    Workflow,
)

LOST_AFTER_SECONDS = 10.0
KEEP_STEPS_SECONDS = 3600.0
PATIENCE_SECONDS = 30.0


def open_durable(
    *,
    name: str,
    url: str,
    executor_id: str,
    application_version: str,
    poll_seconds: float = 0.1,
    lost_after_seconds: float = LOST_AFTER_SECONDS,
    keep_steps_seconds: float = KEEP_STEPS_SECONDS,
    patience_seconds: float = PATIENCE_SECONDS,
) -> Durable:
    """The durable engine of this process, not launched yet; one at a time in a process.

    ``name`` is the application (3 to 256 of ``a-z0-9-_``), ``url`` its database
    (``sqlite:///path`` or ``postgresql://…``). ``executor_id`` names this worker and stays the same
    across its restarts: it is how a worker finds what it left behind. ``application_version`` gates
    recovery: runs are only resumed by executors of the version that started them, so change it when
    workflows change in a way that old runs cannot follow. ``poll_seconds`` is how often ends
    written by *other* processes are looked for; ``lost_after_seconds`` how long an executor may
    miss its heartbeat before a living one takes its runs over; ``keep_steps_seconds`` how long the
    steps of a run stay in the database after its end; ``patience_seconds`` how long a database is
    asked again that will not heal by itself, before the runs that need it are stopped.
    :raises ValueError: for a database that durable work cannot stand on.
    """
    from hybridmandate.durable.dbos_engine import DbosDurable

    return DbosDurable(
        name=name,
        url=url,
        executor_id=executor_id,
        application_version=application_version,
        poll_seconds=poll_seconds,
        lost_after_seconds=lost_after_seconds,
        keep_steps_seconds=keep_steps_seconds,
        patience_seconds=patience_seconds,
    )


__all__ = [
    "Durable",
    "DurableContext",
    "Json",
    "KEEP_STEPS_SECONDS",
    "LOST_AFTER_SECONDS",
    "PATIENCE_SECONDS",
    "PayloadConflict",
    "Run",
    "RunState",
    "StepFailed",
    "StepUnwritable",
    "Work",
    "Workflow",
    "open_durable",
]
