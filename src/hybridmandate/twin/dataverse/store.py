"""Rows on SQLite: one SQL table per Dataverse table, a version per row, a feed of changes.

Everything within one `Transaction` is atomic, as a change set is.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    MetaData,
    Table,
    delete,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError

from hybridmandate.twin.dataverse.callbacks import Callbacks, Registration
from hybridmandate.twin.dataverse.caller import Actor
from hybridmandate.twin.dataverse.custom_api import read_custom_apis
from hybridmandate.twin.dataverse.errors import (
    bad_request,
    duplicate_key,
    no_row,
    stale,
    unsupported,
)
from hybridmandate.twin.dataverse.file_contents import FileContents
from hybridmandate.twin.dataverse.links import Links
from hybridmandate.twin.dataverse.query_time import Deadline, deadline
from hybridmandate.twin.dataverse.relations import ManyWithMany, Relations, ToMany, ToOne
from hybridmandate.twin.dataverse.row_key import referenced
from hybridmandate.twin.dataverse.sql_tables import changes_table, row_table
from hybridmandate.twin.dataverse.table import (
    ColumnDefinition,
    TableDefinition,
    guid,
    read_tables,
)
from hybridmandate.twin.stored_tables import make_tables

Row = Mapping[str, Any]
"""A row by property names, in its stored form."""
MAX_VALUES = 500
"""How many values one SQL query compares with."""
SYSTEM = "system"
"""Who changes rows when none of the callers does: seeds, and lookups of deleted rows."""


class DataverseStore:
    """The tables of an organisation. ``clock`` gives epoch seconds."""

    def __init__(self, engine: Engine, folder: Path, *, clock: Callable[[], float]) -> None:
        self.tables = read_tables(folder)
        self.custom_apis = read_custom_apis(folder / "actions", self.tables)
        self._engine = engine
        self._clock = clock
        metadata = MetaData()
        self._sql = {name: row_table(table, metadata) for name, table in self.tables.items()}
        self.changes = changes_table(metadata)
        self.relations = Relations(self.tables)
        self.links = Links(metadata)
        self.files = FileContents(metadata, clock)
        self.callbacks = Callbacks(metadata, self.tables, self._sql, clock)
        make_tables(engine, metadata)
        self._seed(folder / "data")

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """Everything in it is kept, or nothing; one at a time, so that what it read stays true."""
        with self._engine.begin() as connection:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            with deadline(connection) as until:
                yield Transaction(self, connection, until)

    @contextmanager
    def reading(self) -> Iterator[Transaction]:
        """All reads in it see the same state; it waits for no writer."""
        with self._engine.begin() as connection:
            connection.exec_driver_sql("BEGIN")
            with deadline(connection) as until:
                yield Transaction(self, connection, until)

    def sql(self, table: TableDefinition) -> Table:
        """The SQL table behind a Dataverse table."""
        return self._sql[table.entity_set]

    def named(self, logical_name: str) -> TableDefinition | None:
        """The table of a logical name."""
        return next((t for t in self.tables.values() if t.logical_name == logical_name), None)

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
                        transaction.create(table, values, Actor(SYSTEM), row_id=None)


class Transaction:
    """Reads and writes of one transaction; raises Dataverse's own errors."""

    def __init__(self, store: DataverseStore, connection: Connection, until: Deadline) -> None:
        self._store = store
        self.connection = connection
        self._until = until
        self._registered: Mapping[str, Sequence[Registration]] | None = None

    def count(self, table: TableDefinition) -> int:
        """How many rows a table has."""
        query = select(func.count()).select_from(self._store.sql(table))
        return int(self.connection.execute(query).scalar_one())

    def find(self, table: TableDefinition, row_id: str) -> Row | None:
        """A row by id."""
        sql = self._store.sql(table)
        query = select(sql).where(sql.c[table.primary_id] == row_id)
        return cast("Row | None", self.connection.execute(query).mappings().first())

    def find_by_key(self, table: TableDefinition, key: Mapping[str, Any]) -> Row | None:
        """A row by alternate key."""
        sql = self._store.sql(table)
        query = select(sql).where(*(sql.c[name] == value for name, value in key.items()))
        return cast("Row | None", self.connection.execute(query).mappings().first())

    def query(
        self,
        table: TableDefinition,
        where: ColumnElement[bool] | None,
        order: Sequence[ColumnElement[Any]],
        *,
        limit: int,
        offset: int,
    ) -> list[Row]:
        """Rows in an order. :raises DataverseError: when the transaction's time is over."""
        self._until.check()
        sql = self._store.sql(table)
        query = select(sql).order_by(*order, sql.c[table.primary_id]).limit(limit).offset(offset)
        if where is not None:
            query = query.where(where)
        return cast("list[Row]", list(self.connection.execute(query).mappings()))

    def count_where(self, table: TableDefinition, where: ColumnElement[bool] | None) -> int:
        """How many rows match."""
        query = select(func.count()).select_from(self._store.sql(table))
        if where is not None:
            query = query.where(where)
        return int(self.connection.execute(query).scalar_one())

    def names(self, table: TableDefinition, ids: set[str]) -> dict[str, str]:
        """The primary names of rows by id."""
        sql = self._store.sql(table)
        key, name = sql.c[table.primary_id], sql.c[table.primary_name]
        ordered, found = sorted(ids), {}
        for start in range(0, len(ordered), MAX_VALUES):
            query = select(key, name).where(key.in_(ordered[start : start + MAX_VALUES]))
            found.update({str(k): str(n) for k, n in self.connection.execute(query) if n})
        return found

    def last_change(self) -> int:
        """The number of the last change in the feed; 0 when there is none."""
        query = select(func.coalesce(func.max(self._store.changes.c.number), 0))
        return int(self.connection.execute(query).scalar_one())

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
        return [(int(last), str(row_id)) for last, row_id in self.connection.execute(query)]

    def create(
        self,
        table: TableDefinition,
        values: Mapping[str, Any],
        actor: Actor,
        *,
        row_id: str | None,
        key: Mapping[str, Any] | None = None,
    ) -> Row:
        """A new row; ``key`` are values in stored form, of the alternate key that addressed it.

        :raises DataverseError: 400 for its values, 412 when a key is taken.
        """
        converted = {**self._converted(table, values), **(key or {})}
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
                self.connection, table.logical_name, new_id, "create"
            ),
        }
        try:
            self.connection.execute(insert(self._store.sql(table)).values(stored))
        except IntegrityError:
            taken = self._taken_key(table, stored)
            raise duplicate_key(taken) from None
        row = self._one(table, new_id)
        self._note(table, "Create", row, converted)
        return row

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
        return self._write(table, before, converted, actor)

    def delete(self, table: TableDefinition, row_id: str, *, version: int | None) -> None:
        """Remove a row. :raises DataverseError: 404, or 412 for a stale version."""
        before = self.find(table, row_id)
        if before is None:
            raise no_row(table.logical_name, row_id)
        if version is not None and before["versionnumber"] != version:
            raise stale()
        self._unlink(table, row_id)
        sql = self._store.sql(table)
        self._store.note_change(self.connection, table.logical_name, row_id, "delete")
        self._note(table, "Delete", before, {})
        self.connection.execute(delete(sql).where(sql.c[table.primary_id] == row_id))

    def set_columns(
        self, table: TableDefinition, row_id: str, stored: Mapping[str, Any], actor: Actor
    ) -> Row:
        """Change a row to values that are in their stored form already: files, lookups.

        :raises DataverseError: 404, or 412 when a key is taken.
        """
        return self._write(table, self._one(table, row_id), stored, actor)

    def registrations_changed(self) -> None:
        """Read the registrations anew before the next change is noted."""
        self._registered = None

    def _write(
        self, table: TableDefinition, before: Row, stored: Mapping[str, Any], actor: Actor
    ) -> Row:
        row_id = str(before[table.primary_id])
        noted = {
            **stored,
            "modifiedon": _timestamp(self._store.now()),
            "modifiedby": actor.user_id,
            "versionnumber": self._store.note_change(
                self.connection, table.logical_name, row_id, "update"
            ),
        }
        sql = self._store.sql(table)
        try:
            self.connection.execute(
                update(sql).where(sql.c[table.primary_id] == row_id).values(noted)
            )
        except IntegrityError:
            raise duplicate_key(self._taken_key(table, {**before, **noted})) from None
        row = self._one(table, row_id)
        self._note(table, "Update", row, stored)
        return row

    def _note(
        self, table: TableDefinition, message: str, row: Row, written: Mapping[str, Any]
    ) -> None:
        callbacks = self._store.callbacks
        if self._registered is None:
            self._registered = callbacks.registered(self.connection)
        listening = self._registered.get(table.logical_name, ())
        callbacks.note(self.connection, listening, table, message, row, written)

    def _unlink(self, table: TableDefinition, row_id: str) -> None:
        """Remove what leads to a row: lookups are emptied (the behaviour 'Remove Link')."""
        self._store.files.forget(self.connection, row_id)
        for navigation in self._store.relations.of(table):
            if isinstance(navigation, ManyWithMany):
                self._store.links.forget(self.connection, navigation, row_id)
            if not isinstance(navigation, ToMany):
                continue
            sql, name = self._store.sql(navigation.target), navigation.column.property_name
            key = navigation.target.primary_id
            for found in self.connection.execute(select(sql.c[key]).where(sql.c[name] == row_id)):
                self.set_columns(navigation.target, str(found[0]), {name: None}, Actor(SYSTEM))

    def _converted(self, table: TableDefinition, values: Mapping[str, Any]) -> dict[str, Any]:
        """A body as stored values. :raises DataverseError: when a part of it cannot be taken."""
        converted: dict[str, Any] = {}
        for name, value in values.items():
            if name.endswith("@odata.bind"):
                lookup, target = self._bound(table, name.removesuffix("@odata.bind"))
                bound = None if value is None else referenced(value, target, self)
                converted[lookup.property_name] = bound
            elif name == table.primary_id:
                converted[name] = _row_id(name, value)
            elif "@" not in name:
                converted[name] = self._plain(table, name, value)
        return converted

    def _plain(self, table: TableDefinition, name: str, value: Any) -> Any:
        column = table.column_of(name)
        if column is not None and column.type == "lookup":
            raise bad_request(
                "CRM do not support direct update of Entity Reference properties, Use Navigation "
                f"properties instead: '{name}'."
            )
        if self._store.relations.find(table, name) is not None:
            raise unsupported(f"rows within a row ('{name}')")
        return table.convert(name, value)

    def _bound(self, table: TableDefinition, name: str) -> tuple[ColumnDefinition, TableDefinition]:
        navigation = self._store.relations.get(table, name)
        if not isinstance(navigation, ToOne):
            raise unsupported(
                f"binding a collection ('{name}'); associate it after the row is made"
            )
        return navigation.column, navigation.target

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


def _row_id(name: str, value: Any) -> str:
    try:
        return guid(value)
    except ValueError:
        raise bad_request(f"The value of '{name}' is not a GUID.") from None


def _timestamp(epoch: float) -> str:
    return datetime.fromtimestamp(epoch, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
