"""FetchXML as SQL: joins, filters, orders, aggregates, and the columns of the result."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, Integer, Select, and_, cast, func, or_, select

from hybridmandate.twin.dataverse.caller import Caller
from hybridmandate.twin.dataverse.errors import DataverseError, unsupported
from hybridmandate.twin.dataverse.fetch_conditions import Circumstances, condition_sql
from hybridmandate.twin.dataverse.fetch_xml import (
    Attribute,
    Condition,
    Fetch,
    Filter,
    Link,
    Order,
    Source,
    invalid,
)
from hybridmandate.twin.dataverse.formatted_values import system_column
from hybridmandate.twin.dataverse.store import DataverseStore
from hybridmandate.twin.dataverse.table import SYSTEM_COLUMNS, ColumnDefinition, TableDefinition


@dataclass(frozen=True, slots=True)
class Output:
    """A column of the result: its SQL, its name in JSON, what it is; ``linked`` when joined."""

    sql: ColumnElement[Any]
    name: str
    column: ColumnDefinition
    linked: bool


@dataclass(frozen=True, slots=True)
class _Joined:
    """A table of the query under its alias."""

    alias: str
    table: TableDefinition
    sql: Any
    source: Source
    on: ColumnElement[bool] | None = None
    outer: bool = False


@dataclass(slots=True)
class FetchQuery:
    """A query made ready: ``statement`` gives the columns of ``outputs``, then those of ``extra``.

    ``extra`` are the row's id and version, nothing in distinct and aggregate queries; ``counted``
    gives the ids of all rows that match; ``by_link`` says that a joined table orders the rows.
    """

    statement: Select[Any]
    outputs: list[Output]
    counted: Select[Any]
    by_link: bool = False
    extra: list[ColumnElement[Any]] = field(default_factory=list)


def build_query(
    fetch: Fetch, table: TableDefinition, store: DataverseStore, caller: Caller
) -> FetchQuery:
    """The SQL of a query.

    :raises DataverseError: 400 for wrong names and values, 403 without the privilege, 501.
    """
    return _Builder(fetch, table, store, caller).query()


class _Builder:
    def __init__(
        self, fetch: Fetch, table: TableDefinition, store: DataverseStore, caller: Caller
    ) -> None:
        self._fetch = fetch
        self._store = store
        self._caller = caller
        self._at = Circumstances(datetime.fromtimestamp(store.now(), UTC), caller.actor.user_id)
        self._joined: list[_Joined] = []
        root = _Joined("", table, store.sql(table).alias(), fetch.source)
        self._add(root)

    def query(self) -> FetchQuery:
        root = self._joined[0]
        outputs = list(self._outputs())
        keyed = not (self._fetch.distinct or self._fetch.aggregate)
        extra = [root.sql.c[root.table.primary_id], root.sql.c["versionnumber"]] if keyed else []
        chosen = [each.sql.label(f"c{n}") for n, each in enumerate(outputs)]
        kept = [each.label(f"k{n}") for n, each in enumerate(extra)]
        statement = self._from(select(*chosen, *kept))
        if self._fetch.aggregate:
            statement = statement.group_by(*self._groups())
        if self._fetch.distinct and not self._fetch.aggregate:
            statement = statement.distinct()
        orders = list(self._orders(outputs))
        statement = statement.order_by(*orders, *extra[:1])
        counted = self._from(select(root.sql.c[root.table.primary_id]))
        by_link = any(each.source.orders for each in self._joined[1:])
        return FetchQuery(statement, outputs, counted, by_link, extra)

    # --- tables ----------------------------------------------------------------------------------

    def _add(self, joined: _Joined) -> None:
        self._caller.require("read", joined.table)
        self._joined.append(joined)
        for link in joined.source.links:
            self._add(self._link(joined, link))

    def _link(self, parent: _Joined, link: Link) -> _Joined:
        table = self._store.named(link.source.table)
        if table is None:
            raise unsupported(f"the link-entity '{link.source.table}'")
        if not link.start or not link.end:
            raise invalid(f"the link-entity '{link.source.table}' needs from and to")
        alias = link.alias or f"{table.logical_name}{len(self._joined)}"
        if any(each.alias == alias for each in self._joined):
            raise invalid(f"the alias '{alias}' is there twice")
        sql = self._store.sql(table).alias()
        joined = _Joined(alias, table, sql, link.source)
        start, end = _named(parent, link.start)[0], _named(joined, link.end)[0]
        conditions = [self._filter(each, joined) for each in link.source.filters]
        return _Joined(alias, table, sql, link.source, and_(start == end, *conditions), link.outer)

    def _from(self, statement: Select[Any]) -> Select[Any]:
        root, *links = self._joined
        made: Any = root.sql
        for link in links:
            made = made.join(link.sql, link.on, isouter=link.outer)
        where = [self._filter(each, root) for each in root.source.filters]
        return statement.select_from(made).where(*where)

    # --- conditions ------------------------------------------------------------------------------

    def _filter(self, wanted: Filter, joined: _Joined) -> ColumnElement[bool]:
        parts = [
            self._filter(each, joined)
            if isinstance(each, Filter)
            else self._condition(each, joined)
            for each in wanted.parts
        ]
        if not parts:
            raise invalid("a filter holds no condition")
        return or_(*parts) if wanted.any else and_(*parts)

    def _condition(self, wanted: Condition, joined: _Joined) -> ColumnElement[bool]:
        if wanted.entity:
            if joined is not self._joined[0]:
                raise invalid("entityname stands in filters of the entity only")
            joined = self._by_alias(wanted.entity)
        sql, column = _named(joined, wanted.attribute)
        if not wanted.value_of:
            return condition_sql(wanted.operator, sql, column, wanted.values, self._at)
        other, _ = self._other(wanted.value_of, joined)
        compared = {"eq": sql == other, "ne": sql != other, "gt": sql > other, "ge": sql >= other,
                    "lt": sql < other, "le": sql <= other}  # fmt: skip
        if wanted.operator not in compared:
            raise invalid(f"the operator '{wanted.operator}' does not compare columns")
        made: ColumnElement[bool] = compared[wanted.operator]
        return made

    def _other(self, name: str, joined: _Joined) -> tuple[Any, ColumnDefinition]:
        alias, dot, attribute = name.partition(".")
        return _named(self._by_alias(alias), attribute) if dot else _named(joined, name)

    def _by_alias(self, alias: str) -> _Joined:
        for each in self._joined[1:]:
            if each.alias == alias:
                return each
        raise invalid(f"there is no link-entity with the alias '{alias}'")

    # --- columns ---------------------------------------------------------------------------------

    def _outputs(self) -> Iterator[Output]:
        root = self._joined[0]
        for joined in self._joined:
            linked = joined is not root
            nothing = not joined.source.attributes and not joined.source.everything
            if joined.source.everything or (nothing and not linked and not self._fetch.aggregate):
                yield from self._everything(joined, linked)
            for attribute in joined.source.attributes:
                yield self._output(joined, attribute, linked)

    def _everything(self, joined: _Joined, linked: bool) -> Iterator[Output]:
        names = [joined.table.primary_id, *joined.table.columns, *SYSTEM_COLUMNS]
        for name in dict.fromkeys(names):
            yield self._output(joined, Attribute(name, "", "", False, False, ""), linked)

    def _output(self, joined: _Joined, attribute: Attribute, linked: bool) -> Output:
        sql, column = _named(joined, attribute.name)
        if self._fetch.aggregate:
            return _aggregate(attribute, sql, column)
        plain = f"{joined.alias}.{attribute.name}" if linked else column.property_name
        return Output(sql, attribute.alias or plain, column, linked)

    def _groups(self) -> Iterator[ColumnElement[Any]]:
        for joined in self._joined:
            for attribute in joined.source.attributes:
                if attribute.group_by:
                    yield _grouped(attribute, _named(joined, attribute.name)[0])

    def _orders(self, outputs: list[Output]) -> Iterator[ColumnElement[Any]]:
        for joined in self._joined:
            for order in joined.source.orders:
                sql = self._ordered(joined, order, outputs)
                yield sql.desc() if order.descending else sql.asc()

    def _ordered(self, joined: _Joined, order: Order, outputs: list[Output]) -> ColumnElement[Any]:
        if not order.alias:
            if self._fetch.aggregate:
                raise invalid("an aggregate query is ordered by an alias")
            place = self._by_alias(order.entity) if order.entity else joined
            ordered: ColumnElement[Any] = _named(place, order.attribute)[0]
            return ordered
        for output in outputs:
            if output.name == order.alias:
                return output.sql
        raise invalid(f"there is no attribute with the alias '{order.alias}'")


def _named(joined: _Joined, name: str) -> tuple[Any, ColumnDefinition]:
    """A column by its logical name: its SQL, and what it is."""
    table = joined.table
    column = table.columns.get(name)
    if column is None and name == table.primary_id:
        column = ColumnDefinition(name, "guid")
    if column is None and name in SYSTEM_COLUMNS:
        column = system_column(name) or ColumnDefinition(name, "string")
    if column is None:
        raise DataverseError(
            400,
            "0x80041103",
            f"'{table.logical_name}' entity doesn't contain attribute with Name = '{name}'.",
        )
    return joined.sql.c[column.property_name], column


def _aggregate(attribute: Attribute, sql: Any, column: ColumnDefinition) -> Output:
    if attribute.group_by:
        part = ColumnDefinition(column.name, "integer") if attribute.date_grouping else column
        return Output(_grouped(attribute, sql), attribute.alias, part, linked=False)
    counted = sql.distinct() if attribute.distinct else sql
    made = {
        "count": func.count(),
        "countcolumn": func.count(counted),
        "sum": func.sum(sql),
        "avg": func.avg(sql),
        "min": func.min(sql),
        "max": func.max(sql),
    }[attribute.aggregate]
    kind = "integer" if attribute.aggregate in ("count", "countcolumn") else column.type
    numeric = kind in ("integer", "decimal", "money")
    if attribute.aggregate in ("sum", "avg") and not numeric:
        raise invalid(f"'{attribute.name}' is no number: it has no {attribute.aggregate}")
    shown = "decimal" if attribute.aggregate == "avg" else kind
    return Output(made, attribute.alias, ColumnDefinition(column.name, shown), linked=False)


def _grouped(attribute: Attribute, sql: Any) -> ColumnElement[Any]:
    """A column to group by, or the part of its date."""
    grouping = attribute.date_grouping
    if not grouping:
        plain: ColumnElement[Any] = sql
        return plain
    parts = {"year": "%Y", "month": "%m", "day": "%d", "week": "%W", "quarter": "%m"}
    if grouping not in parts:
        raise unsupported(f"the FetchXML dategrouping '{grouping}'")
    number = cast(func.strftime(parts[grouping], sql), Integer)
    if grouping == "week":
        return number + 1
    return (number + 2) // 3 if grouping == "quarter" else number
