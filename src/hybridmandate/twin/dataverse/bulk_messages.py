"""CreateMultiple, UpdateMultiple, UpsertMultiple: many rows of one table, all or none.

Source: learn.microsoft.com/power-apps/developer/data-platform/bulk-operations.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from hybridmandate.twin.dataverse.caller import Caller
from hybridmandate.twin.dataverse.errors import bad_request
from hybridmandate.twin.dataverse.exchange import ApiAnswer, ApiRequest
from hybridmandate.twin.dataverse.row_key import Resource, find_row
from hybridmandate.twin.dataverse.store import Transaction
from hybridmandate.twin.dataverse.table import TableDefinition, guid

_PATH = re.compile(r"/Microsoft\.Dynamics\.CRM\.(CreateMultiple|UpdateMultiple|UpsertMultiple)")


def bulk_message(path: str) -> str | None:
    """The bulk message that a path below a table names."""
    match = _PATH.fullmatch(path)
    return None if match is None else match[1]


def answer_bulk(
    message: str, request: ApiRequest, table: TableDefinition, caller: Caller, rows: Transaction
) -> ApiAnswer:
    """:raises DataverseError: when one of the targets cannot be written: none is."""
    if request.method != "POST":
        raise bad_request(f"{message} is an action: POST it.")
    targets = request.json().get("Targets")
    if not isinstance(targets, list) or not all(isinstance(t, dict) for t in targets):
        raise bad_request("Targets must be a list of objects.")
    write = _WRITERS[message]
    ids = [write(table, each, caller, rows) for each in targets]
    return ApiAnswer(200, {"Ids": ids}) if message == "CreateMultiple" else ApiAnswer(204)


Target = Mapping[str, Any]


def _create(table: TableDefinition, target: Target, caller: Caller, rows: Transaction) -> str:
    caller.require("create", table)
    return str(rows.create(table, target, caller.actor, row_id=None)[table.primary_id])


def _update(table: TableDefinition, target: Target, caller: Caller, rows: Transaction) -> str:
    caller.require("update", table)
    try:
        row_id = guid(target.get(table.primary_id))
    except ValueError:
        raise bad_request(f"UpdateMultiple needs {table.primary_id} in each target.") from None
    return str(rows.update(table, row_id, target, caller.actor, version=None)[table.primary_id])


def _upsert(table: TableDefinition, target: Target, caller: Caller, rows: Transaction) -> str:
    address = ApiRequest.of("PATCH", str(target.get("@odata.id", "")), {}, b"").path
    resource = Resource.of(address) if address else None
    if resource is None or resource.key is None or resource.name != table.entity_set:
        raise bad_request("UpsertMultiple needs @odata.id with a key in each target.")
    row_id, alternate = find_row(table, resource.key, rows)
    if row_id is not None and rows.find(table, row_id) is not None:
        caller.require("update", table)
        rows.update(table, row_id, target, caller.actor, version=None)
        return row_id
    caller.require("create", table)
    created = rows.create(table, target, caller.actor, row_id=row_id, key=alternate)
    return str(created[table.primary_id])


_WRITERS: Mapping[str, Callable[[TableDefinition, Target, Caller, Transaction], str]] = {
    "CreateMultiple": _create,
    "UpdateMultiple": _update,
    "UpsertMultiple": _upsert,
}
