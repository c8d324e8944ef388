"""The SQL tables behind Dataverse tables and their feed of changes."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Boolean, Column, Float, Index, Integer, MetaData, String, Table

from hybridmandate.twin.dataverse.table import TableDefinition

_SQL_TYPES: dict[str, type[Any]] = {
    "integer": Integer,
    "decimal": Float,
    "money": Float,
    "boolean": Boolean,
    "choice": Integer,
}


def row_table(table: TableDefinition, metadata: MetaData) -> Table:
    """The rows of a table; texts compare without case (for ASCII letters, as SQLite does it)."""
    columns: list[Column[Any]] = [Column(table.primary_id, String(36), primary_key=True)]
    columns += [
        Column(name, _SQL_TYPES.get(column.type) or String(collation="NOCASE"))
        for column in table.columns.values()
        for name in column.property_names
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
    for column in table.columns.values():
        if column.type == "lookup":
            name = column.property_name
            Index(f"{table.logical_name}_{column.relationship}", sql.c[name])
    return sql


def changes_table(metadata: MetaData) -> Table:
    """The feed of changes; a change's number is the version of its row."""
    return Table(
        "changes",
        metadata,
        Column("number", Integer, primary_key=True, autoincrement=True),
        Column("entity", String(100), nullable=False),
        Column("id", String(36), nullable=False),
        Column("operation", String(10), nullable=False),
        Column("at", Float, nullable=False),
    )
