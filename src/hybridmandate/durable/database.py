"""The databases that durable work stands on: SQLite by default, PostgreSQL for many machines.

SQLite is opened as design.md section 8 measured it: write-ahead log, ``synchronous=NORMAL``, a busy
time-out and ``BEGIN IMMEDIATE`` for every transaction that writes, so that two writers queue up
instead of failing half-way with 'database is locked'.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import sqlalchemy as sa

BUSY_TIMEOUT_MS = 30_000
SQLITE_CONNECTIONS = 3
POSTGRES_CONNECTIONS = 16
TRUSTED_SECONDS = 1.0
"""For how long a connection to PostgreSQL is taken to be as it was left."""
_IDLE_SINCE = "mandate.idle_since"


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
        return _open_postgres(parsed.set(drivername="postgresql+psycopg"))
    raise ValueError(f"durable work needs sqlite:///… or postgresql://…, not '{backend}'")


def _open_postgres(url: sa.URL) -> sa.Engine:
    """Connections that were idle for a while are asked whether they live before they are used.

    Asking before every use, as the pool would, is a round trip for each statement of a busy engine.
    """
    engine = sa.create_engine(url, pool_size=POSTGRES_CONNECTIONS, max_overflow=0)

    def returned(_connection: Any, record: Any) -> None:
        record.info[_IDLE_SINCE] = time.monotonic()

    def taken(connection: Any, record: Any, _proxy: Any) -> None:
        idle_since = record.info.get(_IDLE_SINCE)
        if idle_since is None or time.monotonic() - idle_since < TRUSTED_SECONDS:
            return
        try:
            engine.dialect.do_ping(connection)
        except Exception as error:
            # Any error of the driver: the pool opens another connection in its place.
            raise sa.exc.DisconnectionError(f"the connection is lost: {error}") from error

    sa.event.listen(engine, "checkin", returned)
    sa.event.listen(engine, "checkout", taken)
    return engine


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
