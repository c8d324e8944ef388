"""`callbackregistrations`: register, read, forget; and the events of a registration.

The addresses `mandate.events` and `mandate.acknowledge` are the stand-in's own: Dataverse calls the
registration's address instead, which would need a way back into every flow engine.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from hybridmandate.twin.dataverse.callbacks import RUN_AS, Callbacks, Event, Registration
from hybridmandate.twin.dataverse.caller import Caller
from hybridmandate.twin.dataverse.errors import bad_request, no_resource, no_row, unsupported
from hybridmandate.twin.dataverse.exchange import ROOT, ApiAnswer, ApiRequest
from hybridmandate.twin.dataverse.filter_expression import MAX_INTEGER
from hybridmandate.twin.dataverse.ordering import whole_number
from hybridmandate.twin.dataverse.presentation import Presentation
from hybridmandate.twin.dataverse.row_key import Resource
from hybridmandate.twin.dataverse.row_shape import list_of
from hybridmandate.twin.dataverse.store import DataverseStore, Transaction
from hybridmandate.twin.dataverse.table import TableDefinition, guid

ENTITY_SET = "callbackregistrations"
ENTITY = "callbackregistration"
MAX_EVENTS = 500
MAX_REGISTRATION_BYTES = 200_000


class CallbackApi:
    """Answers requests below `callbackregistrations`."""

    def __init__(self, store: DataverseStore, origin: str) -> None:
        self._store = store
        self._callbacks: Callbacks = store.callbacks
        self._origin = origin

    def answer(
        self, request: ApiRequest, resource: Resource, caller: Caller, rows: Transaction
    ) -> ApiAnswer:
        """:raises DataverseError: for everything that is refused."""
        if resource.key is None:
            if request.method != "POST" or resource.rest:
                raise unsupported(f"{request.method} of {ENTITY_SET}")
            return self._register(request, str(uuid.uuid4()), caller, rows)
        try:
            registration_id = guid(resource.key)
        except ValueError:
            raise bad_request(f"The key '{resource.key}' is not a GUID.") from None
        known = self._callbacks.find(rows.connection, registration_id)
        mine = known is not None and known.owner == caller.actor.user_id
        if request.method == "PATCH" and not resource.rest and (known is None or mine):
            return self._register(request, registration_id, caller, rows)
        if known is None or not mine:
            raise no_row(ENTITY, registration_id)
        return self._of_registration(request, resource, known, caller, rows)

    def _of_registration(
        self,
        request: ApiRequest,
        resource: Resource,
        known: Registration,
        caller: Caller,
        rows: Transaction,
    ) -> ApiAnswer:
        asked = (request.method, resource.rest)
        if asked == ("GET", ""):
            return ApiAnswer(200, _shown(known))
        if asked == ("DELETE", ""):
            self._callbacks.remove(rows.connection, known.registration_id)
            rows.registrations_changed()
            return ApiAnswer(204)
        if asked == ("GET", "/mandate.events"):
            return self._events(request, known, caller, rows)
        if asked == ("POST", "/mandate.acknowledge"):
            numbers = request.json().get("numbers")
            if not isinstance(numbers, list) or not all(_is_number(each) for each in numbers):
                raise bad_request("numbers must be a list of whole numbers.")
            if len(numbers) > MAX_EVENTS:
                raise bad_request(f"At most {MAX_EVENTS} events are acknowledged at once.")
            self._callbacks.acknowledge(rows.connection, known.registration_id, numbers)
            return ApiAnswer(204)
        raise no_resource(resource.rest or ENTITY_SET)

    def _register(
        self, request: ApiRequest, registration_id: str, caller: Caller, rows: Transaction
    ) -> ApiAnswer:
        if len(request.body) > MAX_REGISTRATION_BYTES:
            raise bad_request("The registration is too large.")
        wanted = _registration(registration_id, caller, request.json())
        caller.require("read", self._table(wanted.entity))
        self._callbacks.keep(rows.connection, wanted)
        rows.registrations_changed()
        address = f"{self._origin}{ROOT}{ENTITY_SET}({registration_id})"
        return ApiAnswer(204, None, {"odata-entityid": address, "location": address})

    def _events(
        self, request: ApiRequest, known: Registration, caller: Caller, rows: Transaction
    ) -> ApiAnswer:
        table = self._table(known.entity)
        caller.require("read", table)
        limit = min(whole_number(request.query.get("$top"), "$top") or MAX_EVENTS, MAX_EVENTS)
        events = self._callbacks.due(rows.connection, known.registration_id, limit=limit)
        presentation = Presentation.of(request, self._store, caller, rows, self._origin)
        # A column that the table has got since the change was empty then.
        empty = dict.fromkeys(table.property_names)
        shown = presentation.show(table, [{**empty, **event.row} for event in events], {})
        value = [
            self._told(table, known, event, row) for event, row in zip(events, shown, strict=True)
        ]
        return ApiAnswer(200, {"value": value})

    def _told(
        self, table: TableDefinition, known: Registration, event: Event, row: dict[str, Any]
    ) -> dict[str, Any]:
        row_id = row[table.primary_id]
        runs_as = RUN_AS[known.run_as]
        return {
            "number": event.number,
            "row": {
                "@odata.id": f"{self._origin}{ROOT}{table.entity_set}({row_id})",
                **row,
                "ItemInternalId": row_id,
                "SdkMessage": event.message,
                "RunAsSystemUserId": known.owner if runs_as == "owner" else event.row[runs_as],
                "RowVersion": str(event.row["versionnumber"]),
            },
        }

    def _table(self, logical_name: str) -> TableDefinition:
        table = self._store.named(logical_name)
        if table is None:
            raise bad_request(f"There is no table with the logical name '{logical_name}'.")
        return table


def _registration(registration_id: str, caller: Caller, body: Mapping[str, Any]) -> Registration:
    return Registration(
        registration_id=registration_id,
        owner=caller.actor.user_id,
        entity=str(body.get("entityname", "")),
        message=_number(body, "message", None),
        scope=_number(body, "scope", None),
        attributes=tuple(list_of(_text(body, "filteringattributes"))),
        filter=_text(body, "filterexpression"),
        postpone_until=_text(body, "postponeuntil"),
        run_as=_number(body, "runas", 1),
    )


def _is_number(value: Any) -> bool:
    return type(value) is int and abs(value) <= MAX_INTEGER


def _number(body: Mapping[str, Any], name: str, default: int | None) -> int:
    value = body.get(name, default)
    if type(value) is not int:
        raise bad_request(f"{name} must be a whole number.")
    return value


def _text(body: Mapping[str, Any], name: str) -> str:
    value = body.get(name) or ""
    if not isinstance(value, str):
        raise bad_request(f"{name} must be a text.")
    return value.strip()


def _shown(known: Registration) -> dict[str, Any]:
    return {
        "callbackregistrationid": known.registration_id,
        "entityname": known.entity,
        "message": known.message,
        "scope": known.scope,
        "filteringattributes": ",".join(known.attributes) or None,
        "filterexpression": known.filter or None,
        "postponeuntil": known.postpone_until or None,
        "runas": known.run_as,
        "_ownerid_value": known.owner,
    }
