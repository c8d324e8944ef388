"""Opening the database file of a stand-in, also one that an earlier build has written."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Column, Connection, Engine, MetaData, Table, UniqueConstraint, inspect
from sqlalchemy.exc import IntegrityError
from sqlalchemy.schema import CreateColumn


class StateOutdated(Exception):
    """A file that this build cannot use; the message says what to remove."""

    def __init__(self, engine: Engine, reason: str) -> None:
        file = Path(engine.url.database or "")
        super().__init__(
            f"{file} does not fit this build: {reason}. Stop the solution, remove the folder "
            f"{file.parent} and start again; what the stand-in kept there is lost."
        )


def make_tables(engine: Engine, metadata: MetaData) -> None:
    """Make tables and indexes that are missing, and add columns that may be empty.

    :raises StateOutdated: when the file lacks a column that cannot be added to its rows.
    """
    metadata.create_all(engine)
    with engine.begin() as connection:
        known = inspect(connection)
        for table in metadata.sorted_tables:
            there = {each["name"] for each in known.get_columns(table.name)}
            for column in table.columns:
                if column.name not in there:
                    _add(engine, connection, table, column)
            try:
                for index in table.indexes:
                    index.create(connection, checkfirst=True)
            except IntegrityError:
                reason = f"rows of the table '{table.name}' share a key that must be unique"
                raise StateOutdated(engine, reason) from None


def _add(engine: Engine, connection: Connection, table: Table, column: Column[object]) -> None:
    unique = any(
        column.name in constraint.columns
        for constraint in table.constraints
        if isinstance(constraint, UniqueConstraint)
    )
    if unique or not column.nullable:
        raise StateOutdated(engine, f"the table '{table.name}' has no column '{column.name}'")
    name = engine.dialect.identifier_preparer.format_table(table)
    described = CreateColumn(column).compile(dialect=engine.dialect)
    connection.exec_driver_sql(f"ALTER TABLE {name} ADD COLUMN {described}")
