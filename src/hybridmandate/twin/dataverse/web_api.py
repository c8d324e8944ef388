"""The Web API's single requests: rows of tables, metadata, WhoAmI.

Source: learn.microsoft.com/power-apps/developer/data-platform/webapi (create, retrieve, update,
upsert, delete, query, conditional operations).
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

from sqlalchemy import ColumnElement

from hybridmandate.twin.dataverse.errors import (
    bad_request,
    duplicate_key,
    no_resource,
    no_row,
    not_privileged,
    unsupported,
)
from hybridmandate.twin.dataverse.exchange import ROOT, ApiAnswer, ApiRequest
from hybridmandate.twin.dataverse.filter_expression import parse_filter
from hybridmandate.twin.dataverse.metadata import metadata_answer
from hybridmandate.twin.dataverse.store import Actor, DataverseStore, Row, Transaction
from hybridmandate.twin.dataverse.table import SYSTEM_COLUMNS, TableDefinition, guid

PAGE = 5_000
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
            return self._list(request, table, rows)
        raise bad_request(f"{request.method} is not allowed on a table.")

    def _list(self, request: ApiRequest, table: TableDefinition, rows: Transaction) -> ApiAnswer:
        _known_options(request, _LIST_OPTIONS)
        sql = self._store.sql(table)
        text = request.query.get("$filter")
        where = parse_filter(text, sql) if text else None
        order = [_order(part, sql.c) for part in _list_of(request.query.get("$orderby"))]
        page = _page_size(request)
        offset = _offset(request.query.get("$skiptoken"))
        top = _whole_number(request.query.get("$top"), "$top")
        if top is not None and "odata.maxpagesize" not in request.headers.get("prefer", ""):
            page = min(top, PAGE)
        found = rows.query(table, where, order, limit=page + 1, offset=offset)
        more = len(found) > page and top is None
        columns = _select(request, table)
        body: dict[str, Any] = {
            "@odata.context": f"{self._origin}{ROOT}$metadata#{table.entity_set}"
        }
        if request.query.get("$count") == "true":
            body["@odata.count"] = min(rows.count_where(table, where), PAGE)
        body["value"] = [self._row(table, row, columns) for row in found[:page]]
        if more:
            query = {**request.query, "$skiptoken": _token(offset + page)}
            link = f"{self._origin}{ROOT}{table.entity_set}?{urlencode(query, quote_via=quote)}"
            body["@odata.nextLink"] = link
        return ApiAnswer(200, body, _preferences(request))

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
        _known_options(request, ("$select",))
        row = rows.find(table, row_id) if row_id is not None else None
        if row is None:
            raise no_row(table.logical_name, key)
        known = _ETAG.fullmatch(request.headers.get("if-none-match", ""))
        if known is not None and int(known[1]) == row["versionnumber"]:
            return ApiAnswer(304)
        body = {
            "@odata.context": f"{self._origin}{ROOT}$metadata#{table.entity_set}/$entity",
            **self._row(table, row, _select(request, table)),
        }
        return ApiAnswer(200, body, {"etag": _etag(row), **_preferences(request)})

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
        headers = {"odata-entityid": address, "location": address, "etag": _etag(row)}
        if not request.prefers("return=representation"):
            return ApiAnswer(204, None, headers)
        caller.require("read", table)
        body = {
            "@odata.context": f"{self._origin}{ROOT}$metadata#{table.entity_set}/$entity",
            **self._row(table, row, _select(request, table)),
        }
        headers["preference-applied"] = "return=representation"
        return ApiAnswer(201 if created_now else 200, body, headers)

    def _row(self, table: TableDefinition, row: Row, columns: tuple[str, ...]) -> dict[str, Any]:
        shown = {"@odata.etag": _etag(row)}
        return {**shown, **{name: row[name] for name in columns}}


_LIST_OPTIONS = ("$select", "$filter", "$orderby", "$top", "$count", "$skiptoken")


def _known_options(request: ApiRequest, known: tuple[str, ...]) -> None:
    for option in request.query:
        if option not in known and (option.startswith("$") or option in ("fetchXml", "sql")):
            raise unsupported(f"the query option {option}")


def _select(request: ApiRequest, table: TableDefinition) -> tuple[str, ...]:
    every = (table.primary_id, *table.columns, *SYSTEM_COLUMNS)
    chosen = _list_of(request.query.get("$select"))
    if not chosen:
        return tuple(dict.fromkeys(every))
    for name in chosen:
        if name not in every:
            raise bad_request(
                f"Could not find a property named '{name}' on type "
                f"'Microsoft.Dynamics.CRM.{table.logical_name}'."
            )
    return tuple(dict.fromkeys((*chosen, table.primary_id)))


def _order(part: str, columns: Any) -> ColumnElement[Any]:
    name, _, direction = part.strip().partition(" ")
    if name not in columns:
        raise bad_request(f"Could not find a property named '{name}'.")
    if direction.strip() not in ("", "asc", "desc"):
        raise bad_request(f"'{direction}' is no direction of $orderby.")
    column = columns[name]
    ordered: ColumnElement[Any] = column.desc() if direction.strip() == "desc" else column.asc()
    return ordered


def _list_of(text: str | None) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()] if text else []


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


def _etag(row: Row) -> str:
    return f'W/"{row["versionnumber"]}"'


def _page_size(request: ApiRequest) -> int:
    match = re.search(r"odata\.maxpagesize=([0-9]{1,9})", request.headers.get("prefer", ""))
    return min(int(match[1]), PAGE) if match and int(match[1]) > 0 else PAGE


def _whole_number(text: str | None, option: str) -> int | None:
    if text is None:
        return None
    if re.fullmatch(r"[0-9]{1,9}", text) is None:
        raise bad_request(f"'{text}' is no value of {option}.")
    return int(text)


def _token(offset: int) -> str:
    return base64.urlsafe_b64encode(f"row {offset}".encode()).decode()


def _offset(token: str | None) -> int:
    if token is None:
        return 0
    try:
        plain = base64.urlsafe_b64decode(token.encode())
    except ValueError:
        plain = b""
    match = re.fullmatch(rb"row ([0-9]{1,15})", plain)
    if match is None:
        raise bad_request("The skip token cannot be read.")
    return int(match[1])


def _preferences(request: ApiRequest) -> dict[str, str]:
    match = re.search(r"odata\.maxpagesize=[0-9]{1,9}", request.headers.get("prefer", ""))
    return {"preference-applied": match[0]} if match else {}
