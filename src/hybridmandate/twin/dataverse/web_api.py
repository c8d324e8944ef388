"""The Web API's single requests: rows of tables, metadata, WhoAmI.

Source: learn.microsoft.com/power-apps/developer/data-platform/webapi (create, retrieve, update,
upsert, delete, query, conditional operations).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hybridmandate.twin.dataverse.errors import (
    bad_request,
    duplicate_key,
    no_resource,
    no_row,
    not_privileged,
    unsupported,
)
from hybridmandate.twin.dataverse.exchange import ROOT, ApiAnswer, ApiRequest
from hybridmandate.twin.dataverse.metadata import metadata_answer
from hybridmandate.twin.dataverse.row_list import RowList
from hybridmandate.twin.dataverse.row_shape import (
    etag,
    known_options,
    preferences,
    select,
    shown_row,
)
from hybridmandate.twin.dataverse.store import Actor, DataverseStore, Row, Transaction
from hybridmandate.twin.dataverse.table import TableDefinition, guid

Privileges = Mapping[str, frozenset[str]]
"""What an application user may do: table → create, read, update, delete."""

_RESOURCE = re.compile(
    r"(?P<set>[A-Za-z_]\w*)(?:\((?P<key>(?:'(?:[^']|'')*'|[^'()])*)\))?(?P<rest>/.*)?", re.DOTALL
)
_KEY_PART = re.compile(r"\s*([a-z_][\w]*)\s*=\s*('(?:[^']|'')*'|[^,']+)\s*(?:,|$)")
_ETAG = re.compile(r'W/"([0-9]{1,18})"')
_BULK = re.compile(r"/Microsoft\.Dynamics\.CRM\.(CreateMultiple|UpdateMultiple|UpsertMultiple)")


@dataclass(frozen=True, slots=True)
class Caller:
    """The application user behind a request."""

    actor: Actor
    privileges: Privileges

    def require(self, privilege: str, table: TableDefinition) -> None:
        """:raises DataverseError: 403 when the privilege is missing."""
        if privilege not in self.privileges.get(table.logical_name, frozenset()):
            raise not_privileged(privilege, table.logical_name)


class WebApi:
    """Answers single requests within a transaction; ``origin`` is the organisation's address."""

    def __init__(self, store: DataverseStore, origin: str, organization_id: str) -> None:
        self._store = store
        self._origin = origin.rstrip("/")
        self._organization = organization_id
        self._list = RowList(store, self._origin)

    def answer(self, request: ApiRequest, caller: Caller, rows: Transaction) -> ApiAnswer:
        """:raises DataverseError: for everything that the Web API refuses."""
        match = _RESOURCE.fullmatch(request.path)
        if match is None:
            raise no_resource(request.path)
        name = match["set"]
        if name == "WhoAmI":
            return self._who_am_i(caller)
        if name in ("EntityDefinitions", "RetrieveMetadataChanges"):
            return metadata_answer(request, match["key"], match["rest"], self._store.tables)
        table = self._store.tables.get(name)
        if table is None:
            raise no_resource(name)
        bulk = _BULK.fullmatch(match["rest"] or "")
        if bulk is not None:
            return self._bulk(bulk[1], request, table, caller, rows)
        if match["rest"]:
            raise unsupported(f"the path '{match['rest']}' below a row")
        if match["key"] is None:
            return self._collection(request, table, caller, rows)
        return self._single(request, table, match["key"], caller, rows)

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
            return self._written(request, table, created, caller, created_now=True)
        if request.method == "GET":
            caller.require("read", table)
            return self._list.answer(request, table, rows)
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
        row_id, alternate = self._find(table, key, rows)
        if request.method == "GET":
            caller.require("read", table)
            return self._get(request, table, row_id, key, rows)
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
        rows: Transaction,
    ) -> ApiAnswer:
        known_options(request, ("$select",))
        row = rows.find(table, row_id) if row_id is not None else None
        if row is None:
            raise no_row(table.logical_name, key)
        known = _ETAG.fullmatch(request.headers.get("if-none-match", ""))
        if known is not None and int(known[1]) == row["versionnumber"]:
            return ApiAnswer(304)
        body = {
            "@odata.context": f"{self._origin}{ROOT}$metadata#{table.entity_set}/$entity",
            **shown_row(row, select(request, table)),
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
            return self._written(request, table, changed, caller, created_now=False)
        if "if-match" in request.headers:
            raise no_row(table.logical_name, key)
        caller.require("create", table)
        values = {**request.json(), **alternate}
        created = rows.create(table, values, caller.actor, row_id=row_id)
        return self._written(request, table, created, caller, created_now=True)

    def _find(
        self, table: TableDefinition, key: str, rows: Transaction
    ) -> tuple[str | None, Mapping[str, Any]]:
        """The row's id (None when an alternate key names no row), and the alternate key."""
        try:
            return guid(key), {}
        except ValueError:
            named = _alternate(key)
        if table.primary_id in named and len(named) == 1:
            try:
                return guid(named[table.primary_id]), {}
            except ValueError:
                raise bad_request(f"The key '{key}' is not a GUID.") from None
        if table.key_of(frozenset(named)) is None:
            raise bad_request(f"The table has no alternate key of {', '.join(sorted(named))}.")
        values = {name: table.convert(name, value) for name, value in named.items()}
        row = rows.find_by_key(table, values)
        return (None if row is None else str(row[table.primary_id])), values

    # --- bulk messages ---------------------------------------------------------------------------

    def _bulk(
        self,
        message: str,
        request: ApiRequest,
        table: TableDefinition,
        caller: Caller,
        rows: Transaction,
    ) -> ApiAnswer:
        if request.method != "POST":
            raise bad_request(f"{message} is an action: POST it.")
        targets = request.json().get("Targets")
        if not isinstance(targets, list) or not all(isinstance(t, dict) for t in targets):
            raise bad_request("Targets must be a list of objects.")
        ids = [self._bulk_one(message, table, each, caller, rows) for each in targets]
        return ApiAnswer(200, {"Ids": ids}) if message == "CreateMultiple" else ApiAnswer(204)

    def _bulk_one(
        self,
        message: str,
        table: TableDefinition,
        target: Mapping[str, Any],
        caller: Caller,
        rows: Transaction,
    ) -> str:
        if message == "CreateMultiple":
            caller.require("create", table)
            return str(rows.create(table, target, caller.actor, row_id=None)[table.primary_id])
        if message == "UpdateMultiple":
            caller.require("update", table)
            try:
                row_id = guid(target.get(table.primary_id))
            except ValueError:
                raise bad_request(
                    f"UpdateMultiple needs {table.primary_id} in each target."
                ) from None
            return str(
                rows.update(table, row_id, target, caller.actor, version=None)[table.primary_id]
            )
        address = ApiRequest.of("PATCH", str(target.get("@odata.id", "")), {}, b"").path
        match = _RESOURCE.fullmatch(address)
        if match is None or match["key"] is None or match["set"] != table.entity_set:
            raise bad_request("UpsertMultiple needs @odata.id with a key in each target.")
        row_id_found, alternate = self._find(table, match["key"], rows)
        if row_id_found is not None and rows.find(table, row_id_found) is not None:
            caller.require("update", table)
            rows.update(table, row_id_found, target, caller.actor, version=None)
            return row_id_found
        caller.require("create", table)
        values = {**target, **alternate}
        return str(rows.create(table, values, caller.actor, row_id=row_id_found)[table.primary_id])

    # --- shapes ----------------------------------------------------------------------------------

    def _written(
        self,
        request: ApiRequest,
        table: TableDefinition,
        row: Row,
        caller: Caller,
        *,
        created_now: bool,
    ) -> ApiAnswer:
        address = f"{self._origin}{ROOT}{table.entity_set}({row[table.primary_id]})"
        headers = {"odata-entityid": address, "location": address, "etag": etag(row)}
        if not request.prefers("return=representation"):
            return ApiAnswer(204, None, headers)
        caller.require("read", table)
        body = {
            "@odata.context": f"{self._origin}{ROOT}$metadata#{table.entity_set}/$entity",
            **shown_row(row, select(request, table)),
        }
        headers["preference-applied"] = "return=representation"
        return ApiAnswer(201 if created_now else 200, body, headers)


def _alternate(key: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    position = 0
    while position < len(key):
        match = _KEY_PART.match(key, position)
        if match is None:
            raise bad_request(f"The key '{key}' cannot be read.")
        found[match[1]] = _key_value(match[2])
        position = match.end()
    return found


def _key_value(text: str) -> Any:
    text = text.strip()
    if text.startswith("'"):
        return text[1:-1].replace("''", "'")
    if re.fullmatch(r"-?[0-9]{1,18}", text):
        return int(text)
    return text


def _version(request: ApiRequest) -> int | None:
    given = request.headers.get("if-match")
    if given is None or given == "*":
        return None
    match = _ETAG.fullmatch(given)
    if match is None:
        raise bad_request(f"The ETag {given} cannot be read.")
    return int(match[1])
