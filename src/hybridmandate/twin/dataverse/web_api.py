"""The Web API's single requests: rows of tables, metadata, WhoAmI.

Source: learn.microsoft.com/power-apps/developer/data-platform/webapi (create, retrieve, update,
upsert, delete, query, conditional operations).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from hybridmandate.twin.dataverse.bulk_messages import answer_bulk, bulk_message
from hybridmandate.twin.dataverse.callback_api import ENTITY_SET, CallbackApi
from hybridmandate.twin.dataverse.caller import Caller
from hybridmandate.twin.dataverse.custom_api import call_of
from hybridmandate.twin.dataverse.errors import bad_request, duplicate_key, no_resource, no_row
from hybridmandate.twin.dataverse.exchange import ROOT, ApiAnswer, ApiRequest
from hybridmandate.twin.dataverse.metadata import metadata_answer
from hybridmandate.twin.dataverse.presentation import Presentation
from hybridmandate.twin.dataverse.row_key import Resource, find_row
from hybridmandate.twin.dataverse.row_list import RowList
from hybridmandate.twin.dataverse.row_paths import RowPaths
from hybridmandate.twin.dataverse.row_shape import etag, known_options, preferences
from hybridmandate.twin.dataverse.store import DataverseStore, Row, Transaction
from hybridmandate.twin.dataverse.table import TableDefinition

_ETAG = re.compile(r'W/"([0-9]{1,18})"')


class WebApi:
    """Answers single requests within a transaction; ``origin`` is the organisation's address."""

    def __init__(self, store: DataverseStore, origin: str, organization_id: str) -> None:
        self._store = store
        self._origin = origin.rstrip("/")
        self._organization = organization_id
        self._list = RowList(store, self._origin)
        self._paths = RowPaths(store, self._origin)
        self._callbacks = CallbackApi(store, self._origin)

    def answer(self, request: ApiRequest, caller: Caller, rows: Transaction) -> ApiAnswer:
        """:raises DataverseError: for everything that the Web API refuses."""
        unbound = self._unbound(request, caller, rows)
        if unbound is not None:
            return unbound
        resource = Resource.of(request.path)
        if resource.name in ("EntityDefinitions", "RetrieveMetadataChanges"):
            return metadata_answer(request, resource.key, resource.rest or None, self._store.tables)
        if resource.name == ENTITY_SET:
            return self._callbacks.answer(request, resource, caller, rows)
        table = self._store.tables.get(resource.name)
        if table is None:
            raise no_resource(resource.name)
        return self._of_table(request, table, resource, caller, rows)

    def _of_table(
        self,
        request: ApiRequest,
        table: TableDefinition,
        resource: Resource,
        caller: Caller,
        rows: Transaction,
    ) -> ApiAnswer:
        bulk = bulk_message(resource.rest)
        if bulk is not None:
            return answer_bulk(bulk, request, table, caller, rows)
        if resource.key is None:
            if resource.rest == "/$count" and request.method == "GET":
                caller.require("read", table)
                shown = Presentation.of(request, self._store, caller, rows, self._origin)
                return self._list.count(request, table, shown, rows)
            if resource.rest:
                raise no_resource(resource.rest)
            return self._collection(request, table, caller, rows)
        if not resource.rest:
            return self._single(request, table, resource.key, caller, rows)
        bound = self._bound(request, table, resource, caller, rows)
        if bound is not None:
            return bound
        return self._paths.answer(request, table, resource.key, resource.rest, caller, rows)

    # --- actions and functions -------------------------------------------------------------------

    def _unbound(self, request: ApiRequest, caller: Caller, rows: Transaction) -> ApiAnswer | None:
        """The answer of an action or function without a row; None when the path names none."""
        name, arguments = call_of(request.path)
        if name == "WhoAmI":
            return self._who_am_i(caller)
        api = self._store.custom_apis.get(("", name))
        if api is None:
            return None
        return api.run(request, arguments, None, None, caller, rows, self._origin)

    def _bound(
        self,
        request: ApiRequest,
        table: TableDefinition,
        resource: Resource,
        caller: Caller,
        rows: Transaction,
    ) -> ApiAnswer | None:
        name, arguments = call_of(resource.rest.lstrip("/"))
        api = self._store.custom_apis.get((table.logical_name, name))
        if api is None:
            return None
        row_id, _ = find_row(table, resource.key or "", rows)
        if row_id is None:
            raise no_row(table.logical_name, resource.key or "")
        return api.run(request, arguments, table, row_id, caller, rows, self._origin)

    def _who_am_i(self, caller: Caller) -> ApiAnswer:
        return ApiAnswer(
            200,
            {
                "@odata.context": f"{self._origin}{ROOT}$metadata"
                "#Microsoft.Dynamics.CRM.WhoAmIResponse",
                "BusinessUnitId": self._organization,
                "UserId": caller.actor.user_id,
                "OrganizationId": self._organization,
            },
        )

    # --- collections -----------------------------------------------------------------------------

    def _collection(
        self, request: ApiRequest, table: TableDefinition, caller: Caller, rows: Transaction
    ) -> ApiAnswer:
        if request.method == "POST":
            caller.require("create", table)
            created = rows.create(table, request.json(), caller.actor, row_id=None)
            return self._written(request, table, created, caller, rows, status=201)
        if request.method == "GET":
            caller.require("read", table)
            shown = Presentation.of(request, self._store, caller, rows, self._origin)
            return self._list.answer(request, table, shown, rows)
        raise bad_request(f"{request.method} is not allowed on a table.")

    # --- single rows -----------------------------------------------------------------------------

    def _single(
        self,
        request: ApiRequest,
        table: TableDefinition,
        key: str,
        caller: Caller,
        rows: Transaction,
    ) -> ApiAnswer:
        row_id, alternate = find_row(table, key, rows)
        if request.method == "GET":
            caller.require("read", table)
            return self._get(request, table, row_id, key, caller, rows)
        if request.method == "DELETE":
            caller.require("delete", table)
            if row_id is None:
                raise no_row(table.logical_name, key)
            rows.delete(table, row_id, version=_version(request))
            return ApiAnswer(204)
        if request.method == "PATCH":
            return self._patch(request, table, key, row_id, alternate, caller, rows)
        raise bad_request(f"{request.method} is not allowed on a row.")

    def _get(
        self,
        request: ApiRequest,
        table: TableDefinition,
        row_id: str | None,
        key: str,
        caller: Caller,
        rows: Transaction,
    ) -> ApiAnswer:
        known_options(request, ("$select", "$expand"))
        row = rows.find(table, row_id) if row_id is not None else None
        if row is None:
            raise no_row(table.logical_name, key)
        known = _ETAG.fullmatch(request.headers.get("if-none-match", ""))
        if known is not None and int(known[1]) == row["versionnumber"]:
            return ApiAnswer(304)
        body = {
            "@odata.context": f"{self._origin}{ROOT}$metadata#{table.entity_set}/$entity",
            **Presentation.of(request, self._store, caller, rows, self._origin).one(
                table, row, request.query
            ),
        }
        return ApiAnswer(200, body, {"etag": etag(row), **preferences(request)})

    def _patch(
        self,
        request: ApiRequest,
        table: TableDefinition,
        key: str,
        row_id: str | None,
        alternate: Mapping[str, Any],
        caller: Caller,
        rows: Transaction,
    ) -> ApiAnswer:
        existing = row_id is not None and rows.find(table, row_id) is not None
        if existing and row_id is not None:
            if request.headers.get("if-none-match") == "*":
                raise duplicate_key(table.primary_id)
            caller.require("update", table)
            version = _version(request)
            changed = rows.update(table, row_id, request.json(), caller.actor, version=version)
            return self._written(request, table, changed, caller, rows, status=200)
        if "if-match" in request.headers:
            raise no_row(table.logical_name, key)
        caller.require("create", table)
        created = rows.create(table, request.json(), caller.actor, row_id=row_id, key=alternate)
        return self._written(request, table, created, caller, rows, status=201)

    # --- shapes ----------------------------------------------------------------------------------

    def _written(
        self,
        request: ApiRequest,
        table: TableDefinition,
        row: Row,
        caller: Caller,
        rows: Transaction,
        *,
        status: int,
    ) -> ApiAnswer:
        address = f"{self._origin}{ROOT}{table.entity_set}({row[table.primary_id]})"
        headers = {"odata-entityid": address, "location": address, "etag": etag(row)}
        if not request.prefers("return=representation"):
            return ApiAnswer(204, None, headers)
        caller.require("read", table)
        body = {
            "@odata.context": f"{self._origin}{ROOT}$metadata#{table.entity_set}/$entity",
            **Presentation.of(request, self._store, caller, rows, self._origin).one(
                table, row, request.query
            ),
        }
        headers["preference-applied"] = "return=representation"
        return ApiAnswer(status, body, headers)


def _version(request: ApiRequest) -> int | None:
    given = request.headers.get("if-match")
    if given is None or given == "*":
        return None
    match = _ETAG.fullmatch(given)
    if match is None:
        raise bad_request(f"The ETag {given} cannot be read.")
    return int(match[1])
