"""What each operation on a Dataverse row asks of the Web API v9.2: method, address, body.

A request goes alone or in a change set. A row that a flow creates gets an id made of the action's
idempotency key and is written with ``If-None-Match: *``: a repetition after a crash meets the first
row (Dataverse Web API, 'Perform conditional operations', 'Upsert').
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

from hybridmandate.orchestration.connectors.request import OperationCall

API = "/api/data/v9.2"
ANNOTATIONS = 'odata.include-annotations="*"'
_WHOLE = {"prefer": f"return=representation,{ANNOTATIONS}"}


@dataclass(frozen=True, slots=True)
class ApiRequest:
    """One request; ``address`` is a path of the environment, with its query."""

    method: str
    address: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Any = None

    @property
    def is_own_creation(self) -> bool:
        """Whether it makes a row that nothing but a repetition of itself can have made."""
        return self.headers.get("if-none-match") == "*"


Build = Callable[[OperationCall, str], ApiRequest]
"""The request of an operation in the environment of that address."""


def row_address(entity_set: Any, row_id: Any) -> str:
    """The path of a row."""
    return f"{API}/{quote(str(entity_set))}({quote(str(row_id))})"


def creation(call: OperationCall, environment: str) -> ApiRequest:
    """CreateRecord: the new row comes back."""
    own = str(uuid.uuid5(uuid.NAMESPACE_OID, call.idempotency_key))
    address = row_address(call.required("entityName"), own)
    return ApiRequest("PATCH", address, {"if-none-match": "*", **_WHOLE}, call.nested("item"))


def upsert(call: OperationCall, environment: str) -> ApiRequest:
    """UpdateRecord: changes a row, or creates it under that id."""
    return ApiRequest("PATCH", _row(call), _WHOLE, call.nested("item"))


def change(call: OperationCall, environment: str) -> ApiRequest:
    """UpdateOnlyRecord: changes a row that exists."""
    return ApiRequest("PATCH", _row(call), {"if-match": "*", **_WHOLE}, call.nested("item"))


def deletion(call: OperationCall, environment: str) -> ApiRequest:
    """DeleteRecord."""
    return ApiRequest("DELETE", _row(call))


def relation(call: OperationCall, environment: str) -> ApiRequest:
    """AssociateEntities: a repetition adds the same reference again, which changes nothing."""
    other = call.nested("item").get("@odata.id") or call.required("item/@odata.id")
    return ApiRequest("POST", _reference(call), body={"@odata.id": absolute(other, environment)})


def parting(call: OperationCall, environment: str) -> ApiRequest:
    """DisassociateEntities: removes a reference."""
    query = urlencode({"$id": absolute(call.required("$id"), environment)}, safe="$")
    return ApiRequest("DELETE", f"{_reference(call)}?{query}")


def unbound_action(call: OperationCall, environment: str) -> ApiRequest:
    """PerformUnboundAction: an action of the environment by its name."""
    return ApiRequest("POST", f"{API}/{_name(call)}", body=_arguments(call))


def bound_action(call: OperationCall, environment: str) -> ApiRequest:
    """PerformBoundAction: an action of one row."""
    name = _name(call)
    full = name if "." in name else f"Microsoft.Dynamics.CRM.{name}"
    return ApiRequest("POST", f"{_row(call)}/{full}", body=_arguments(call))


CHANGES: Mapping[str, Build] = {
    "CreateRecord": creation,
    "UpdateRecord": upsert,
    "UpdateOnlyRecord": change,
    "DeleteRecord": deletion,
    "AssociateEntities": relation,
    "DisassociateEntities": parting,
    "PerformUnboundAction": unbound_action,
    "PerformBoundAction": bound_action,
}
"""The operations that change something, by id: these may stand in a change set."""


def absolute(reference: Any, environment: str) -> str:
    """The address of a row that is named by address, or by ``set(id)``."""
    text = str(reference)
    return text if "://" in text else f"{environment.rstrip('/')}{API}/{text.lstrip('/')}"


def _row(call: OperationCall) -> str:
    return row_address(call.required("entityName"), call.required("recordId"))


def _reference(call: OperationCall) -> str:
    return f"{_row(call)}/{quote(str(call.required('associationEntityRelationship')))}/$ref"


def _name(call: OperationCall) -> str:
    return quote(str(call.required("actionName")))


def _arguments(call: OperationCall) -> dict[str, Any]:
    """The parameters of an action: flat under ``item``, or ``item`` as JSON text.

    :raises ValueError: when the text is no JSON object.
    """
    whole = call.parameters.get("item")
    if not isinstance(whole, str):
        return call.nested("item")
    try:
        given = json.loads(whole)
    except ValueError:
        given = None
    if not isinstance(given, dict):
        raise ValueError(f"'item' of {call.operation_id} is text that is no JSON object")
    return given
