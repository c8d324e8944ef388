"""The databases that durable work stands on: SQLite by default, PostgreSQL for many machines.

SQLite is opened as design.md section 8 measured it: write-ahead log, ``synchronous=NORMAL``, a busy
time-out and ``BEGIN IMMEDIATE`` for every transaction that writes, so that two writers queue up
instead of failing half-way with 'database is locked'.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import sqlalchemy as sa

BUSY_TIMEOUT_MS = 30_000
SQLITE_CONNECTIONS = 3
POSTGRES_CONNECTIONS = 16


def open_engine(url: str) -> sa.Engine:
    """An engine for ``sqlite:///path`` or ``postgresql://…``; the SQLite folder is made if missing.

    psycopg 3 is imported only for PostgreSQL.
    :raises ValueError: for any other database, or SQLite in memory (it would not survive a crash).
    """
    parsed = sa.make_url(url)
    backend = parsed.get_backend_name()
    if backend == "sqlite":
        return _open_sqlite(parsed)
    if backend == "postgresql":
        return sa.create_engine(
            parsed.set(drivername="postgresql+psycopg"),
            pool_size=POSTGRES_CONNECTIONS,
            max_overflow=0,
            pool_pre_ping=True,
        )
    raise ValueError(f"durable work needs sqlite:///… or postgresql://…, not '{backend}'")


def _open_sqlite(url: sa.URL) -> sa.Engine:
    if not url.database or url.database == ":memory:":
        raise ValueError("durable work needs a SQLite file: sqlite:///path/to/durable.db")
    Path(url.database).parent.mkdir(parents=True, exist_ok=True)
    engine = sa.create_engine(url, pool_size=SQLITE_CONNECTIONS, max_overflow=0)
    sa.event.listen(engine, "connect", _prepare_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = "IMMEDIATE"
    connection.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=NORMAL")
    connection.execute("PRAGMA foreign_keys=ON")
