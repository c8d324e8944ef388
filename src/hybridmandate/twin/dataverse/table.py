"""Tables of the stand-in: read from `tables/*.json`, checked; values converted as they must be."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from hybridmandate.twin.dataverse.errors import DataverseError, bad_request

ColumnType = str
TYPES = frozenset(
    {
        "string",
        "memo",
        "integer",
        "decimal",
        "money",
        "boolean",
        "datetime",
        "date",
        "guid",
        "choice",
        "choices",
        "lookup",
        "file",
    }
)
STATE_COLUMNS = ("statecode", "statuscode")
"""Columns that every Dataverse table has under these names; a table file may describe them."""
SYSTEM_COLUMNS = ("createdon", "modifiedon", "createdby", "modifiedby", "versionnumber")
_NAME = re.compile(r"[a-z][a-z0-9]*_[a-z0-9_]+")
MAX_INTEGER = 2**31 - 1
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_GUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


class TableInvalid(Exception):
    """A table file that cannot be used; the message names file and reason."""


@dataclass(frozen=True, slots=True)
class ColumnDefinition:
    """A column; ``max_length`` in characters for texts, ``options`` the labels of a choice.

    A lookup has a ``target`` (logical name), a single-valued ``navigation`` property on this table,
    and the ``relationship`` that names the collection on the target. A file has ``max_bytes``.
    """

    name: str
    type: ColumnType
    required: bool = False
    max_length: int = 100
    options: Mapping[int, str] = field(default_factory=dict)
    target: str = ""
    navigation: str = ""
    relationship: str = ""
    max_bytes: int = 0

    @property
    def property_name(self) -> str:
        """The column in JSON: a lookup `x` is shown as `_x_value`."""
        return f"_{self.name}_value" if self.type == "lookup" else self.name

    @property
    def property_names(self) -> tuple[str, ...]:
        """All that the column is in JSON: a file is its id and its name."""
        if self.type == "file":
            return (self.name, f"{self.name}_name")
        return (self.property_name,)


@dataclass(frozen=True, slots=True)
class ManyToMany:
    """A relationship between rows of two tables; its name is the navigation property on both."""

    name: str
    target: str


@dataclass(frozen=True, slots=True)
class TableDefinition:
    """A table with its alternate keys (of property names) and many-to-many relationships."""

    logical_name: str
    schema_name: str
    entity_set: str
    display_name: str
    primary_id: str
    primary_name: str
    columns: Mapping[str, ColumnDefinition]
    keys: Mapping[str, tuple[str, ...]]
    many_to_many: tuple[ManyToMany, ...] = ()

    @property
    def property_names(self) -> tuple[str, ...]:
        """What a row has in JSON, without the system columns."""
        own = (name for column in self.columns.values() for name in column.property_names)
        return (self.primary_id, *own)

    def column_of(self, property_name: str) -> ColumnDefinition | None:
        """The column behind a property of the JSON form."""
        column = self.columns.get(property_name.removeprefix("_").removesuffix("_value"))
        if column is not None and column.property_name == property_name:
            return column
        column = self.columns.get(property_name)
        return None if column is None or column.type == "lookup" else column

    def key_of(self, names: frozenset[str]) -> tuple[str, ...] | None:
        """The alternate key that consists of exactly these columns."""
        for columns in self.keys.values():
            if frozenset(columns) == names:
                return columns
        return None

    def convert(self, name: str, value: Any) -> Any:
        """A value as it is stored. :raises DataverseError: when it does not fit the column."""
        column = self.column_of(name)
        if column is None:
            raise DataverseError(
                400,
                "0x80048d19",
                "Error identified in Payload provided by the user for Entity :"
                f"'{self.entity_set}', ... : Invalid property '{name}' was found in entity "
                f"'Microsoft.Dynamics.CRM.{self.logical_name}'.",
            )
        if value is None or (value == "" and column.type in ("string", "memo")):
            return None  # Dataverse keeps an empty text as null.
        try:
            return _CONVERTERS[column.type](column, value)
        except (TypeError, ValueError, OverflowError):
            raise DataverseError(
                400,
                "0x80048d19",
                f"Error identified in Payload provided by the user: cannot convert the value of "
                f"'{name}' to the type {column.type}.",
            ) from None


def guid(value: Any) -> str:
    """A GUID as it is stored. :raises ValueError: when it is none."""
    if not isinstance(value, str) or _GUID.fullmatch(value) is None:
        raise ValueError("not a GUID")
    return value.lower()


def read_tables(folder: Path) -> dict[str, TableDefinition]:
    """The tables of a folder by entity set name. :raises TableInvalid: when one is wrong."""
    tables: dict[str, TableDefinition] = {}
    for path in sorted(folder.glob("*.json")):
        table = _read(path)
        if table.entity_set in tables:
            raise TableInvalid(f"{path.name}: the entity set '{table.entity_set}' is there twice")
        tables[table.entity_set] = table
    _check_relations(tables)
    return tables


def _read(path: Path) -> TableDefinition:
    try:
        plain = json.loads(path.read_text(encoding="utf-8"))
        logical_name = str(plain["logicalName"])
        columns = {
            name: _column(logical_name, name, each) for name, each in plain["columns"].items()
        }
        table = TableDefinition(
            logical_name=logical_name,
            schema_name=str(plain["schemaName"]),
            entity_set=str(plain["entitySetName"]),
            display_name=str(plain["displayName"]),
            primary_id=str(plain["primaryId"]),
            primary_name=str(plain["primaryName"]),
            columns=columns,
            keys={
                name: tuple(columns[c].property_name if c in columns else c for c in key)
                for name, key in plain.get("keys", {}).items()
            },
            many_to_many=tuple(
                ManyToMany(str(each["name"]), str(each["target"]))
                for each in plain.get("manyToMany", [])
            ),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise TableInvalid(f"{path.name}: {type(error).__name__}: {error}") from None
    _check(path.name, table)
    return table


def _column(table: str, name: str, plain: Mapping[str, Any]) -> ColumnDefinition:
    kind = str(plain["type"])
    target = str(plain["target"]) if kind == "lookup" else ""
    return ColumnDefinition(
        name,
        kind,
        bool(plain.get("required", False)),
        int(plain.get("maxLength", 100 if kind == "string" else 1_048_576)),
        options={int(value): str(label) for value, label in plain.get("options", {}).items()},
        target=target,
        navigation=str(plain.get("navigation", name)),
        relationship=str(plain.get("relationship", f"{target}_{table}_{name}")),
        max_bytes=int(plain.get("maxSizeKb", 32_768)) * 1024,
    )


def _check_relations(tables: Mapping[str, TableDefinition]) -> None:
    known = {table.logical_name for table in tables.values()}
    names: set[str] = set()
    for table in tables.values():
        lookups = [c for c in table.columns.values() if c.type == "lookup"]
        relations = [(c.relationship, c.target) for c in lookups]
        relations += [(each.name, each.target) for each in table.many_to_many]
        for name, target in relations:
            if target not in known:
                raise TableInvalid(f"{table.logical_name}: '{name}' leads to no table '{target}'")
            if name in names:
                raise TableInvalid(f"{table.logical_name}: relationship '{name}' is there twice")
            names.add(name)


def _check(file: str, table: TableDefinition) -> None:
    for name in (table.logical_name, table.primary_id, *table.columns):
        if name not in STATE_COLUMNS and _NAME.fullmatch(name) is None:
            raise TableInvalid(f"{file}: '{name}' is not a logical name with a publisher prefix")
    for column in table.columns.values():
        if column.type not in TYPES:
            raise TableInvalid(
                f"{file}: column '{column.name}' has the type '{column.type}'; known are "
                f"{', '.join(sorted(TYPES))}"
            )
        if column.type in ("choice", "choices") and not column.options:
            raise TableInvalid(f"{file}: column '{column.name}' is a choice without options")
    if table.primary_id in table.columns:
        raise TableInvalid(f"{file}: the primary id '{table.primary_id}' may be no column")
    if table.primary_name not in table.columns:
        raise TableInvalid(f"{file}: the primary name '{table.primary_name}' is no column")
    for key, columns in table.keys.items():
        for name in columns:
            if table.column_of(name) is None:
                raise TableInvalid(f"{file}: key '{key}' names '{name}', which is no column")


def _text(column: ColumnDefinition, value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("not a text")
    value.encode()  # A lone surrogate is no text: ValueError.
    if len(value) > column.max_length:
        raise DataverseError(
            400,
            "0x80044331",
            f"A validation error occurred. The length of the '{column.name}' attribute exceeded "
            f"the maximum allowed length of '{column.max_length}'.",
        )
    return value


def _integer(_: ColumnDefinition, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float) or value != int(value):
        raise TypeError("not a whole number")
    if abs(value) > MAX_INTEGER:
        raise bad_request("Value was either too large or too small for an Int32.")
    return int(value)


def _number(_: ColumnDefinition, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise TypeError("not a number")
    number = float(value)
    if not math.isfinite(number):
        raise ValueError("not finite")
    return number


def _boolean(_: ColumnDefinition, value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError("not a boolean")
    return value


def _date(_: ColumnDefinition, value: Any) -> str:
    if not isinstance(value, str) or _DATE.fullmatch(value) is None:
        raise TypeError("not a date")
    return date.fromisoformat(value).isoformat()


def _datetime(_: ColumnDefinition, value: Any) -> str:
    moment = datetime.fromisoformat(value)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _choice(column: ColumnDefinition, value: Any) -> int:
    number = _integer(column, value)
    if number not in column.options:
        raise DataverseError(
            400,
            "0x80048403",
            f"A validation error occurred. The value {number} of '{column.name}' is outside the "
            "valid range. Accepted Values: "
            f"{','.join(map(str, column.options))}",
        )
    return number


def _choices(column: ColumnDefinition, value: Any) -> str:
    """Several choices as the Web API writes them: `1,3`."""
    if not isinstance(value, str):
        raise TypeError("not a list of choices")
    return ",".join(str(_choice(column, int(part))) for part in value.split(","))


def _file(column: ColumnDefinition, _: Any) -> str:
    raise bad_request(f"The file '{column.name}' is uploaded to an address of its own.")


def _guid(_: ColumnDefinition, value: Any) -> str:
    return guid(value)


_CONVERTERS = {
    "string": _text,
    "memo": _text,
    "integer": _integer,
    "decimal": _number,
    "money": _number,
    "boolean": _boolean,
    "date": _date,
    "datetime": _datetime,
    "guid": _guid,
    "choice": _choice,
    "choices": _choices,
    "lookup": _guid,
    "file": _file,
}
