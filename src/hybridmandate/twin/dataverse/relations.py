"""Navigation properties: how rows of one table lead to rows of another.

Source: learn.microsoft.com/power-apps/developer/data-platform/webapi/
web-api-navigation-properties.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from hybridmandate.twin.dataverse.errors import bad_request
from hybridmandate.twin.dataverse.table import ColumnDefinition, TableDefinition


@dataclass(frozen=True, slots=True)
class ToOne:
    """A lookup of this table: at most one row of the target."""

    name: str
    target: TableDefinition
    column: ColumnDefinition


@dataclass(frozen=True, slots=True)
class ToMany:
    """Rows of the target whose lookup names this row."""

    name: str
    target: TableDefinition
    column: ColumnDefinition


@dataclass(frozen=True, slots=True)
class ManyWithMany:
    """Rows of the target linked with this one; ``first`` says that this row is the first side."""

    name: str
    target: TableDefinition
    first: bool


Navigation = ToOne | ToMany | ManyWithMany


class Relations:
    """All navigation properties of an organisation's tables."""

    def __init__(self, tables: Mapping[str, TableDefinition]) -> None:
        by_name = {table.logical_name: table for table in tables.values()}
        self._known: dict[str, dict[str, Navigation]] = {name: {} for name in by_name}
        for table in tables.values():
            for column in table.columns.values():
                if column.type == "lookup":
                    target = by_name[column.target]
                    to_one = ToOne(column.navigation, target, column)
                    self._known[table.logical_name][to_one.name] = to_one
                    to_many = ToMany(column.relationship, table, column)
                    self._known[target.logical_name][to_many.name] = to_many
            for each in table.many_to_many:
                target = by_name[each.target]
                there = ManyWithMany(each.name, target, first=True)
                back = ManyWithMany(each.name, table, first=False)
                self._known[target.logical_name][each.name] = back
                self._known[table.logical_name][each.name] = there

    def find(self, table: TableDefinition, name: str) -> Navigation | None:
        """The navigation property of a table, None when it has none of that name."""
        return self._known[table.logical_name].get(name)

    def get(self, table: TableDefinition, name: str) -> Navigation:
        """The navigation property of a table. :raises DataverseError: 400 when it has none."""
        found = self.find(table, name)
        if found is None:
            raise bad_request(
                f"Could not find a property named '{name}' on type "
                f"'Microsoft.Dynamics.CRM.{table.logical_name}'."
            )
        return found

    def of(self, table: TableDefinition) -> list[Navigation]:
        """All navigation properties of a table."""
        return list(self._known[table.logical_name].values())
