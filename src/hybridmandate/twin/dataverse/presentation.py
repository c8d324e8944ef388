"""Rows as the Web API shows them: chosen columns, annotations, expanded navigation properties."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, String, collate
from sqlalchemy import select as sql_select

from hybridmandate.twin.dataverse.caller import Caller
from hybridmandate.twin.dataverse.errors import bad_request
from hybridmandate.twin.dataverse.exchange import ROOT, ApiRequest
from hybridmandate.twin.dataverse.expansion import Expansion, parse_expand
from hybridmandate.twin.dataverse.filter_expression import parse_filter
from hybridmandate.twin.dataverse.formatted_values import formatted_value, system_column
from hybridmandate.twin.dataverse.ordering import order_by, whole_number
from hybridmandate.twin.dataverse.relations import Navigation, ToMany, ToOne
from hybridmandate.twin.dataverse.row_shape import (
    FORMATTED,
    LOOKUP_NAVIGATION,
    LOOKUP_TABLE,
    etag,
    is_wanted,
    select,
    wanted_annotations,
)
from hybridmandate.twin.dataverse.store import DataverseStore, Transaction
from hybridmandate.twin.dataverse.table import ColumnDefinition, TableDefinition

MAX_RELATED = 5_000
"""How many rows of one collection an expansion gives."""
MAX_EXPANDED = 250_000
"""How many rows all expansions of one answer give: nested ones multiply."""
Values = Mapping[str, Any]


@dataclass(slots=True)
class _Expanded:
    """How many rows the expansions of an answer have given."""

    rows: int = 0

    def add(self, rows: int) -> None:
        """:raises DataverseError: 400 when they are too many."""
        self.rows += rows
        if self.rows > MAX_EXPANDED:
            raise bad_request(f"$expand gives more than {MAX_EXPANDED} rows: narrow it by $top.")


@dataclass(frozen=True, slots=True)
class Presentation:
    """Shows rows to one caller within one transaction."""

    store: DataverseStore
    caller: Caller
    rows: Transaction
    annotations: tuple[str, ...] = ()
    root: str = ""
    """The address below which rows are, when their addresses are shown (full metadata)."""
    expanded: _Expanded = field(default_factory=_Expanded)

    @classmethod
    def of(
        cls,
        request: ApiRequest,
        store: DataverseStore,
        caller: Caller,
        rows: Transaction,
        origin: str,
    ) -> Presentation:
        """What a request's Prefer and Accept headers ask for."""
        full = "odata.metadata=full" in request.headers.get("accept", "").lower()
        root = f"{origin}{ROOT}" if full else ""
        return cls(store, caller, rows, wanted_annotations(request), root)

    def show(
        self, table: TableDefinition, found: Sequence[Values], query: Mapping[str, str]
    ) -> list[dict[str, Any]]:
        """Rows with `$select` and `$expand` of a query.

        :raises DataverseError: 400 for what the query names wrongly, 403 without the privilege.
        """
        expansions = parse_expand(query.get("$expand"))
        return self._shown(table, found, query, expansions)

    def one(self, table: TableDefinition, row: Values, query: Mapping[str, str]) -> dict[str, Any]:
        """One row."""
        return self.show(table, [row], query)[0]

    def navigate(
        self,
        table: TableDefinition,
        navigation: Navigation,
        row: Values,
        query: Mapping[str, str],
    ) -> list[dict[str, Any]]:
        """The rows behind a navigation property of a row."""
        self.caller.require("read", navigation.target)
        expansions = parse_expand(query.get("$expand"))
        return self._behind(navigation, row, str(row[table.primary_id]), query, expansions)

    def condition(self, table: TableDefinition, text: str) -> ColumnElement[bool]:
        """A `$filter`. :raises DataverseError: 400, or 403 for the table behind a lookup."""
        sql = self.store.sql(table)

        def navigate(name: str, column: str) -> ColumnElement[Any]:
            navigation = self.store.relations.get(table, name)
            if not isinstance(navigation, ToOne):
                raise bad_request(f"'{name}' leads to many rows: '{column}' is not one value.")
            self.caller.require("read", navigation.target)
            target = self.store.sql(navigation.target).alias()
            if column not in target.c:
                raise bad_request(f"Could not find a property named '{column}'.")
            key = target.c[navigation.target.primary_id]
            here = sql.c[navigation.column.property_name]
            value = sql_select(target.c[column]).where(key == here).scalar_subquery()
            if isinstance(target.c[column].type, String):
                # A subquery does not keep the collation of its column.
                return collate(value, "NOCASE").label(column)
            return value.label(column)

        return parse_filter(text, sql, navigate)

    def annotated(self, column: ColumnDefinition, name: str, value: Any) -> dict[str, Any]:
        """The annotations of one value that is shown under a name."""
        text = formatted_value(column, value)
        if text is None or not is_wanted(FORMATTED, self.annotations):
            return {}
        return {f"{name}@{FORMATTED}": text}

    def lookup(
        self, column: ColumnDefinition, name: str, value: Any, names: Mapping[str, str]
    ) -> dict[str, Any]:
        """The annotations of a lookup; ``names`` are the targets' names by id."""
        if value is None:
            return {}
        told = {
            FORMATTED: names.get(str(value)),
            LOOKUP_NAVIGATION: column.navigation,
            LOOKUP_TABLE: column.target,
        }
        return {
            f"{name}@{annotation}": text
            for annotation, text in told.items()
            if text is not None and is_wanted(annotation, self.annotations)
        }

    def names(self, column: ColumnDefinition, ids: Iterable[Any]) -> dict[str, str]:
        """The primary names of the rows that a lookup leads to."""
        target = self.store.named(column.target)
        wanted = {str(each) for each in ids if each is not None}
        if target is None or not wanted or not is_wanted(FORMATTED, self.annotations):
            return {}
        return self.rows.names(target, wanted)

    def _shown(
        self,
        table: TableDefinition,
        found: Sequence[Values],
        query: Mapping[str, str],
        expansions: tuple[Expansion, ...],
    ) -> list[dict[str, Any]]:
        properties = select(query, table)
        lookups = self._lookup_names(table, found, properties)
        shown = [self._plain(table, row, properties, lookups) for row in found]
        for each in expansions:
            navigation = self.store.relations.get(table, each.name)
            self.caller.require("read", navigation.target)
            for row, values in zip(found, shown, strict=True):
                own_id = str(row[table.primary_id])
                related = self._behind(navigation, row, own_id, each.options, each.nested)
                single = isinstance(navigation, ToOne)
                values[each.name] = (related[0] if related else None) if single else related
        return shown

    def _behind(
        self,
        navigation: Navigation,
        row: Values,
        own_id: str,
        query: Mapping[str, str],
        expansions: tuple[Expansion, ...],
    ) -> list[dict[str, Any]]:
        sql = self.store.sql(navigation.target)
        text = query.get("$filter")
        conditions = [self._link(navigation, row, own_id)]
        if text:
            conditions.append(self.condition(navigation.target, text))
        top = whole_number(query.get("$top"), "$top")
        if isinstance(navigation, ToOne) and (text or top is not None or "$orderby" in query):
            raise bad_request(f"Only $select and $expand go with '{navigation.name}'.")
        found = self.rows.query(
            navigation.target,
            conditions[0] if len(conditions) == 1 else conditions[0] & conditions[1],
            order_by(query.get("$orderby"), sql.c),
            limit=MAX_RELATED if top is None else min(top, MAX_RELATED),
            offset=0,
        )
        self.expanded.add(len(found))
        return self._shown(navigation.target, found, query, expansions)

    def _link(self, navigation: Navigation, row: Values, own_id: str) -> ColumnElement[bool]:
        sql = self.store.sql(navigation.target)
        target_id = sql.c[navigation.target.primary_id]
        condition: ColumnElement[bool]
        if isinstance(navigation, ToOne):
            condition = target_id == row[navigation.column.property_name]
        elif isinstance(navigation, ToMany):
            condition = sql.c[navigation.column.property_name] == own_id
        else:
            condition = target_id.in_(self.store.links.others(navigation, own_id))
        return condition

    def _lookup_names(
        self, table: TableDefinition, found: Sequence[Values], properties: tuple[str, ...]
    ) -> dict[str, dict[str, str]]:
        columns = [c for c in table.columns.values() if c.type == "lookup"]
        return {
            column.property_name: self.names(column, (row[column.property_name] for row in found))
            for column in columns
            if column.property_name in properties
        }

    def _plain(
        self,
        table: TableDefinition,
        row: Values,
        properties: tuple[str, ...],
        lookups: Mapping[str, Mapping[str, str]],
    ) -> dict[str, Any]:
        shown: dict[str, Any] = {"@odata.etag": etag(row)}
        if self.root:
            shown["@odata.type"] = f"#Microsoft.Dynamics.CRM.{table.logical_name}"
            shown["@odata.id"] = f"{self.root}{table.entity_set}({row[table.primary_id]})"
        for name in properties:
            shown[name] = row[name]
            column = table.column_of(name) or system_column(name)
            if column is None or not self.annotations:
                continue
            if column.type == "lookup":
                shown.update(self.lookup(column, name, row[name], lookups[name]))
            else:
                shown.update(self.annotated(column, name, row[name]))
        return shown
