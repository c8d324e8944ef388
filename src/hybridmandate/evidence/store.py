"""The evidence store: one SQLite file, plain tables, many writing processes (requirement L7).

Anybody with the ``sqlite3`` shell can read it. Triggers refuse changes and deletions, so that a
mistake is stopped; the hash chain and the signed checkpoints show what a deliberate hand did that
removed the triggers first.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import astuple, dataclass, fields
from operator import attrgetter
from pathlib import Path

from hybridmandate.evidence.chain import StoredRecord

COLUMNS = tuple(each.name for each in fields(StoredRecord))
_ROW = attrgetter(*COLUMNS)
BUSY_TIMEOUT_MS = 10_000

_SCHEMA = """
CREATE TABLE IF NOT EXISTS evidence (
    chain TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    time_ns INTEGER NOT NULL,
    tier TEXT NOT NULL,
    kind TEXT NOT NULL,
    correlation_id TEXT,
    principal TEXT,
    subject TEXT NOT NULL,
    outcome TEXT NOT NULL,
    failure_type TEXT,
    duration_ms REAL NOT NULL,
    bytes_in INTEGER NOT NULL,
    bytes_out INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    parent TEXT,
    detail TEXT NOT NULL,
    previous_digest TEXT NOT NULL,
    digest TEXT NOT NULL,
    PRIMARY KEY (chain, sequence)
);
CREATE INDEX IF NOT EXISTS evidence_by_correlation ON evidence (correlation_id, time_ns);
CREATE INDEX IF NOT EXISTS evidence_by_principal ON evidence (principal, time_ns);
CREATE TABLE IF NOT EXISTS checkpoint (
    number INTEGER PRIMARY KEY,
    time_ns INTEGER NOT NULL,
    chain TEXT NOT NULL,
    heads TEXT NOT NULL,
    previous_digest TEXT NOT NULL,
    digest TEXT NOT NULL,
    key_id TEXT NOT NULL,
    signature TEXT NOT NULL
);
"""
_GUARD = """
CREATE TRIGGER IF NOT EXISTS {table}_is_not_changed BEFORE UPDATE ON {table}
BEGIN SELECT RAISE(ABORT, '{table} is append-only: no update'); END;
CREATE TRIGGER IF NOT EXISTS {table}_is_not_deleted BEFORE DELETE ON {table}
BEGIN SELECT RAISE(ABORT, '{table} is append-only: no delete'); END;
CREATE TRIGGER IF NOT EXISTS {table}_is_not_replaced BEFORE INSERT ON {table}
WHEN EXISTS (SELECT 1 FROM {table} WHERE {same})
BEGIN SELECT RAISE(ABORT, '{table} is append-only: no replace'); END;
"""
_GUARDS = "".join(
    (
        _GUARD.format(table="evidence", same="chain = NEW.chain AND sequence = NEW.sequence"),
        _GUARD.format(table="checkpoint", same="number = NEW.number"),
    )
)
# One index look-up a chain: the store may hold millions of records in a handful of chains.
_HEADS = """
WITH RECURSIVE name (chain) AS (
    SELECT min(chain) FROM evidence
    UNION ALL
    SELECT (SELECT min(chain) FROM evidence WHERE chain > name.chain)
    FROM name WHERE name.chain IS NOT NULL
)
SELECT e.chain, e.sequence, e.digest FROM name JOIN evidence AS e ON e.chain = name.chain
 AND e.sequence = (SELECT max(sequence) FROM evidence WHERE chain = name.chain)
ORDER BY e.chain
"""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A signed statement of where every chain stood; see :mod:`.checkpoint`."""

    number: int
    time_ns: int
    chain: str
    heads: str
    previous_digest: str
    digest: str
    key_id: str
    signature: str


def open_store(path: Path) -> sqlite3.Connection:
    """A connection for a writer; makes file, tables and triggers where there are none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    connection.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=NORMAL")
    connection.executescript("BEGIN IMMEDIATE;" + _SCHEMA + _GUARDS + "COMMIT;")
    return connection


def open_reader(path: Path) -> sqlite3.Connection:
    """A connection that can only read. :raises FileNotFoundError: when there is no such store."""
    if not path.is_file():
        raise FileNotFoundError(f"there is no evidence store at {path}")
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    connection.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")
    connection.execute("PRAGMA query_only=ON")
    return connection


def insert_records(connection: sqlite3.Connection, records: Iterable[StoredRecord]) -> None:
    """Append records within the caller's transaction."""
    places = ", ".join("?" * len(COLUMNS))
    connection.executemany(
        f"INSERT INTO evidence ({', '.join(COLUMNS)}) VALUES ({places})",  # noqa: S608
        map(_ROW, records),
    )


def insert_checkpoint(connection: sqlite3.Connection, checkpoint: Checkpoint) -> None:
    """Append a checkpoint within the caller's transaction."""
    connection.execute(
        "INSERT INTO checkpoint VALUES (?, ?, ?, ?, ?, ?, ?, ?)", astuple(checkpoint)
    )


def chain_heads(connection: sqlite3.Connection) -> dict[str, tuple[int, str]]:
    """The last sequence number and digest of every chain."""
    return {chain: (sequence, digest) for chain, sequence, digest in connection.execute(_HEADS)}


def last_checkpoint(connection: sqlite3.Connection) -> Checkpoint | None:
    """The newest checkpoint, or None."""
    row = connection.execute("SELECT * FROM checkpoint ORDER BY number DESC LIMIT 1").fetchone()
    return None if row is None else Checkpoint(*row)


def checkpoints(connection: sqlite3.Connection) -> Iterator[Checkpoint]:
    """All checkpoints, oldest first."""
    for row in connection.execute("SELECT * FROM checkpoint ORDER BY number"):
        yield Checkpoint(*row)


def records_in_order(connection: sqlite3.Connection) -> Iterator[StoredRecord]:
    """Every record, chain by chain, in sequence."""
    yield from _records(connection, "ORDER BY chain, sequence", ())


def by_correlation_id(connection: sqlite3.Connection, correlation_id: str) -> list[StoredRecord]:
    """All records of one transaction, oldest first, through the index."""
    return list(
        _records(connection, "WHERE correlation_id = ? ORDER BY time_ns", (correlation_id,))
    )


def by_principal(
    connection: sqlite3.Connection,
    principal: str,
    *,
    since_ns: int,
    until_ns: int,
    limit: int,
) -> list[StoredRecord]:
    """The newest records of a principal with ``since_ns <= time_ns < until_ns``, newest first."""
    return list(
        _records(
            connection,
            "WHERE principal = ? AND time_ns >= ? AND time_ns < ? ORDER BY time_ns DESC LIMIT ?",
            (principal, since_ns, until_ns, limit),
        )
    )


def uncorrelated(
    connection: sqlite3.Connection, *, since_ns: int, until_ns: int, limit: int
) -> list[StoredRecord]:
    """The newest records that belong to no transaction, such as calls without a correlation id."""
    return list(
        _records(
            connection,
            "WHERE correlation_id IS NULL AND time_ns >= ? AND time_ns < ? "
            "ORDER BY time_ns DESC LIMIT ?",
            (since_ns, until_ns, limit),
        )
    )


def _records(
    connection: sqlite3.Connection, condition: str, values: tuple[object, ...]
) -> Iterator[StoredRecord]:
    statement = f"SELECT {', '.join(COLUMNS)} FROM evidence {condition}"  # noqa: S608
    for row in connection.execute(statement, values):
        yield StoredRecord(*row)
