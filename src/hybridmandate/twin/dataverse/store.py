"""Rows on SQLite: one SQL table per Dataverse table, a version per row, a feed of changes.

Everything within one `Transaction` is atomic, as a change set is.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import (
    Boolean,
    Column,
    ColumnElement,
    Connection,
    Engine,
    Float,
    Index,
    Integer,
    MetaData,
    RowMapping,
    String,
    Table,
    delete,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError

from hybridmandate.twin.dataverse.errors import (
    bad_request,
    duplicate_key,
    no_row,
    stale,
    unsupported,
)
from hybridmandate.twin.dataverse.table import TableDefinition, guid, read_tables

Row = RowMapping
_SQL_TYPES: dict[str, type[Any]] = {
    "integer": Integer,
    "decimal": Float,
    "money": Float,
    "boolean": Boolean,
}


@dataclass(frozen=True, slots=True)
class Actor:
    """Who reads and writes: the application user."""

    user_id: str


class DataverseStore:
    """The tables of an organisation. ``clock`` gives epoch seconds."""

    def __init__(self, engine: Engine, folder: Path, *, clock: Callable[[], float]) -> None:
        self.tables = read_tables(folder)
        self._engine = engine
        self._clock = clock
        metadata = MetaData()
        self._sql = {name: _sql_table(table, metadata) for name, table in self.tables.items()}
        self.changes = Table(
            "changes",
            metadata,
            Column("number", Integer, primary_key=True, autoincrement=True),
            Column("entity", String(100), nullable=False),
            Column("id", String(36), nullable=False),
            Column("operation", String(10), nullable=False),
            Column("at", Float, nullable=False),
        )
        metadata.create_all(engine)
        self._seed(folder / "data")

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """Everything in it is kept, or nothing; one at a time, so that what it read stays true."""
        with self._engine.begin() as connection:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            yield Transaction(self, connection)

    @contextmanager
    def reading(self) -> Iterator[Transaction]:
        """All reads in it see the same state; it waits for no writer."""
        with self._engine.begin() as connection:
            connection.exec_driver_sql("BEGIN")
            yield Transaction(self, connection)

    def sql(self, table: TableDefinition) -> Table:
        """The SQL table behind a Dataverse table."""
        return self._sql[table.entity_set]

    def now(self) -> float:
        """Epoch seconds."""
        return self._clock()

    def note_change(self, connection: Connection, entity: str, row_id: str, operation: str) -> int:
        """Append to the feed of changes; its number is the row's version."""
        result = connection.execute(
            insert(self.changes).values(
                entity=entity, id=row_id, operation=operation, at=self._clock()
            )
        )
        (number,) = result.inserted_primary_key or (0,)
        return int(number)

    def _seed(self, folder: Path) -> None:
        """Rows that a table begins with; a table that has rows is left alone."""
        for table in self.tables.values():
            path = folder / f"{table.logical_name}.json"
            if not path.is_file():
                continue
            rows = json.loads(path.read_text(encoding="utf-8"))
            with self.transaction() as transaction:
                if transaction.count(table) == 0:
                    for values in rows:
                        transaction.create(table, values, Actor("seed"), row_id=None)


class Transaction:
    """Reads and writes of one transaction; raises Dataverse's own errors."""

    def __init__(self, store: DataverseStore, connection: Connection) -> None:
        self._store = store
        self._connection = connection

    def count(self, table: TableDefinition) -> int:
        """How many rows a table has."""
        query = select(func.count()).select_from(self._store.sql(table))
        return int(self._connection.execute(query).scalar_one())

    def find(self, table: TableDefinition, row_id: str) -> Row | None:
        """A row by id."""
        sql = self._store.sql(table)
        query = select(sql).where(sql.c[table.primary_id] == row_id)
        return self._connection.execute(query).mappings().first()

    def find_by_key(self, table: TableDefinition, key: Mapping[str, Any]) -> Row | None:
        """A row by alternate key."""
        sql = self._store.sql(table)
        query = select(sql).where(*(sql.c[name] == value for name, value in key.items()))
        return self._connection.execute(query).mappings().first()

    def query(
        self,
        table: TableDefinition,
        where: ColumnElement[bool] | None,
        order: Sequence[ColumnElement[Any]],
        *,
        limit: int,
        offset: int,
    ) -> list[Row]:
        """Rows in an order."""
        sql = self._store.sql(table)
        query = select(sql).order_by(*order, sql.c[table.primary_id]).limit(limit).offset(offset)
        if where is not None:
            query = query.where(where)
        return list(self._connection.execute(query).mappings())

    def count_where(self, table: TableDefinition, where: ColumnElement[bool] | None) -> int:
        """How many rows match."""
        query = select(func.count()).select_from(self._store.sql(table))
        if where is not None:
            query = query.where(where)
        return int(self._connection.execute(query).scalar_one())

    def last_change(self) -> int:
        """The number of the last change in the feed; 0 when there is none."""
        query = select(func.coalesce(func.max(self._store.changes.c.number), 0))
        return int(self._connection.execute(query).scalar_one())

    def changes_after(
        self, table: TableDefinition, number: int, *, limit: int
    ) -> list[tuple[int, str]]:
        """Rows changed after a number, each once, with the number of its last change, in order."""
        feed = self._store.changes.c
        last = func.max(feed.number).label("last")
        query = (
            select(last, feed.id)
            .where(feed.entity == table.logical_name, feed.number > number)
            .group_by(feed.id)
            .order_by(last)
            .limit(limit)
        )
        return [(int(last), str(row_id)) for last, row_id in self._connection.execute(query)]

    def create(
        self, table: TableDefinition, values: Mapping[str, Any], actor: Actor, *, row_id: str | None
    ) -> Row:
        """A new row. :raises DataverseError: 400 for its values, 412 when a key is taken."""
        converted = self._converted(table, values)
        new_id = row_id or converted.pop(table.primary_id, None) or str(uuid.uuid4())
        converted.pop(table.primary_id, None)
        now = _timestamp(self._store.now())
        stored = {
            **converted,
            table.primary_id: new_id,
            "createdon": now,
            "modifiedon": now,
            "createdby": actor.user_id,
            "modifiedby": actor.user_id,
            "versionnumber": self._store.note_change(
                self._connection, table.logical_name, new_id, "create"
            ),
        }
        try:
            self._connection.execute(insert(self._store.sql(table)).values(stored))
        except IntegrityError:
            taken = self._taken_key(table, stored)
            raise duplicate_key(taken) from None
        return self._one(table, new_id)

    def update(
        self,
        table: TableDefinition,
        row_id: str,
        values: Mapping[str, Any],
        actor: Actor,
        *,
        version: int | None,
    ) -> Row:
        """Change a row. :raises DataverseError: 404, 400, or 412 for a stale version or a key."""
        before = self.find(table, row_id)
        if before is None:
            raise no_row(table.logical_name, row_id)
        if version is not None and before["versionnumber"] != version:
            raise stale()
        converted = self._converted(table, values)
        converted.pop(table.primary_id, None)
        stored = {
            **converted,
            "modifiedon": _timestamp(self._store.now()),
            "modifiedby": actor.user_id,
            "versionnumber": self._store.note_change(
                self._connection, table.logical_name, row_id, "update"
            ),
        }
        sql = self._store.sql(table)
        try:
            self._connection.execute(
                update(sql).where(sql.c[table.primary_id] == row_id).values(stored)
            )
        except IntegrityError:
            raise duplicate_key(self._taken_key(table, {**before, **stored})) from None
        return self._one(table, row_id)

    def delete(self, table: TableDefinition, row_id: str, *, version: int | None) -> None:
        """Remove a row. :raises DataverseError: 404, or 412 for a stale version."""
        before = self.find(table, row_id)
        if before is None:
            raise no_row(table.logical_name, row_id)
        if version is not None and before["versionnumber"] != version:
            raise stale()
        sql = self._store.sql(table)
        self._store.note_change(self._connection, table.logical_name, row_id, "delete")
        self._connection.execute(delete(sql).where(sql.c[table.primary_id] == row_id))

    def _converted(self, table: TableDefinition, values: Mapping[str, Any]) -> dict[str, Any]:
        return {
            name: _row_id(name, value) if name == table.primary_id else table.convert(name, value)
            for name, value in values.items()
            if not _is_annotation(name)
        }

    def _one(self, table: TableDefinition, row_id: str) -> Row:
        row = self.find(table, row_id)
        if row is None:
            raise no_row(table.logical_name, row_id)
        return row

    def _taken_key(self, table: TableDefinition, stored: Mapping[str, Any]) -> str:
        for columns in table.keys.values():
            key = {name: stored.get(name) for name in columns}
            other = self.find_by_key(table, key)
            if other is not None and other[table.primary_id] != stored.get(table.primary_id):
                return ", ".join(columns)
        return table.primary_id


def _sql_table(table: TableDefinition, metadata: MetaData) -> Table:
    columns: list[Column[Any]] = [Column(table.primary_id, String(36), primary_key=True)]
    columns += [
        Column(c.name, _SQL_TYPES.get(c.type) or String(collation="NOCASE"))
        for c in table.columns.values()
        if c.name != table.primary_id
    ]
    columns += [
        Column("createdon", String(30), nullable=False),
        Column("modifiedon", String(30), nullable=False),
        Column("createdby", String(64), nullable=False),
        Column("modifiedby", String(64), nullable=False),
        Column("versionnumber", Integer, nullable=False),
    ]
    sql = Table(table.logical_name, metadata, *columns)
    for name, key in table.keys.items():
        Index(f"{table.logical_name}_{name}", *(sql.c[c] for c in key), unique=True)
    return sql


def _row_id(name: str, value: Any) -> str:
    try:
        return guid(value)
    except ValueError:
        raise bad_request(f"The value of '{name}' is not a GUID.") from None


def _is_annotation(name: str) -> bool:
    if name.endswith("@odata.bind"):
        raise unsupported(f"lookups ('{name}')")
    return "@" in name


def _timestamp(epoch: float) -> str:
    return datetime.fromtimestamp(epoch, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
