"""What stands below a row's address: navigation properties, references, single properties, files.

Source: learn.microsoft.com/power-apps/developer/data-platform/webapi
(associate-disassociate-entities-using-web-api, retrieve-entity-using-web-api, file-column-data).
"""

from __future__ import annotations

from hybridmandate.twin.dataverse.caller import Caller
from hybridmandate.twin.dataverse.errors import bad_request, no_resource, no_row, unsupported
from hybridmandate.twin.dataverse.exchange import ROOT, ApiAnswer, ApiRequest
from hybridmandate.twin.dataverse.file_column import FileColumn
from hybridmandate.twin.dataverse.presentation import Presentation
from hybridmandate.twin.dataverse.relations import ManyWithMany, Navigation, ToMany, ToOne
from hybridmandate.twin.dataverse.row_key import find_row, referenced
from hybridmandate.twin.dataverse.row_shape import known_options
from hybridmandate.twin.dataverse.store import DataverseStore, Row, Transaction
from hybridmandate.twin.dataverse.table import ColumnDefinition, TableDefinition


class RowPaths:
    """Answers requests for `set(id)/…`; ``origin`` is the organisation's address."""

    def __init__(self, store: DataverseStore, origin: str) -> None:
        self._store = store
        self._origin = origin
        self._files = FileColumn(store, origin)

    def answer(
        self,
        request: ApiRequest,
        table: TableDefinition,
        key: str,
        path: str,
        caller: Caller,
        rows: Transaction,
    ) -> ApiAnswer:
        """:raises DataverseError: for everything that the Web API refuses."""
        row_id, _ = find_row(table, key, rows)
        row = rows.find(table, row_id) if row_id is not None else None
        if row is None:
            raise no_row(table.logical_name, key)
        name, _, rest = path.lstrip("/").partition("/")
        column = table.columns.get(name)
        if column is not None and column.type == "file":
            return self._files.answer(request, table, column, row, rest, caller, rows)
        opening, _, other = name.partition("(")
        navigation = self._store.relations.find(table, opening)
        if navigation is not None and rest == "$ref":
            reference = other.removesuffix(")") if other else None
            return self._reference(request, table, navigation, row, reference, caller, rows)
        if request.method != "GET":
            raise unsupported(f"{request.method} of '{path}' below a row")
        caller.require("read", table)
        if navigation is not None and not rest and not other:
            return self._navigate(request, table, navigation, row, caller, rows)
        return self._property(table, row, name, rest)

    def _navigate(
        self,
        request: ApiRequest,
        table: TableDefinition,
        navigation: Navigation,
        row: Row,
        caller: Caller,
        rows: Transaction,
    ) -> ApiAnswer:
        options = ("$select", "$filter", "$orderby", "$top", "$expand")
        known_options(request, options)
        shown = Presentation.of(request, self._store, caller, rows, self._origin)
        related = shown.navigate(table, navigation, row, request.query)
        context = f"{self._origin}{ROOT}$metadata#{navigation.target.entity_set}"
        if not isinstance(navigation, ToOne):
            return ApiAnswer(200, {"@odata.context": context, "value": related})
        if not related:
            return ApiAnswer(204)
        return ApiAnswer(200, {"@odata.context": f"{context}/$entity", **related[0]})

    def _property(self, table: TableDefinition, row: Row, name: str, rest: str) -> ApiAnswer:
        if name not in row or rest not in ("", "$value"):
            raise no_resource(f"{name}/{rest}".rstrip("/"))
        value = row[name]
        if value is None:
            return ApiAnswer(204)
        if rest == "$value":
            return ApiAnswer(200, data=str(value).encode())
        address = f"{table.entity_set}({row[table.primary_id]})/{name}"
        return ApiAnswer(
            200, {"@odata.context": f"{self._origin}{ROOT}$metadata#{address}", "value": value}
        )

    # --- references ------------------------------------------------------------------------------

    def _reference(
        self,
        request: ApiRequest,
        table: TableDefinition,
        navigation: Navigation,
        row: Row,
        reference: str | None,
        caller: Caller,
        rows: Transaction,
    ) -> ApiAnswer:
        caller.require("read", table)
        if request.method in ("POST", "PUT"):
            if (request.method == "PUT") != isinstance(navigation, ToOne):
                verb = "PUT" if isinstance(navigation, ToOne) else "POST"
                raise bad_request(f"A reference is set with {verb} at '{navigation.name}'.")
            other = referenced(request.json().get("@odata.id"), navigation.target, rows)
            self._associate(table, navigation, row, other, caller, rows)
            return ApiAnswer(204)
        if request.method == "DELETE":
            self._disassociate(request, table, navigation, row, reference, caller, rows)
            return ApiAnswer(204)
        raise unsupported(f"{request.method} of references")

    def _associate(
        self,
        table: TableDefinition,
        navigation: Navigation,
        row: Row,
        other: str,
        caller: Caller,
        rows: Transaction,
    ) -> None:
        own_id = str(row[table.primary_id])
        if isinstance(navigation, ToOne):
            _point(table, own_id, navigation.column, other, caller, rows)
            return
        if isinstance(navigation, ToMany):
            _point(navigation.target, other, navigation.column, own_id, caller, rows)
            return
        caller.require("update", navigation.target)
        caller.require("update", table)
        self._store.links.add(rows.connection, navigation, own_id, other)

    def _disassociate(
        self,
        request: ApiRequest,
        table: TableDefinition,
        navigation: Navigation,
        row: Row,
        reference: str | None,
        caller: Caller,
        rows: Transaction,
    ) -> None:
        own_id = str(row[table.primary_id])
        if isinstance(navigation, ToOne):
            _point(table, own_id, navigation.column, None, caller, rows)
            return
        caller.require("update", navigation.target)
        address = request.query.get("$id") or (
            f"{navigation.target.entity_set}({reference})" if reference else None
        )
        other = referenced(address, navigation.target, rows)
        self._part(table, navigation, own_id, other, caller, rows)

    def _part(
        self,
        table: TableDefinition,
        navigation: ToMany | ManyWithMany,
        own_id: str,
        other: str,
        caller: Caller,
        rows: Transaction,
    ) -> None:
        target = navigation.target
        if isinstance(navigation, ManyWithMany):
            caller.require("update", table)
            if not self._store.links.remove(rows.connection, navigation, own_id, other):
                raise no_row(navigation.name, other)
            return
        child = rows.find(target, other)
        if child is None or child[navigation.column.property_name] != own_id:
            raise no_row(target.logical_name, other)
        _point(target, other, navigation.column, None, caller, rows)


def _point(
    table: TableDefinition,
    row_id: str,
    lookup: ColumnDefinition,
    other: str | None,
    caller: Caller,
    rows: Transaction,
) -> None:
    """Let a row's lookup lead to another row, or to none."""
    caller.require("update", table)
    rows.set_columns(table, row_id, {lookup.property_name: other}, caller.actor)
