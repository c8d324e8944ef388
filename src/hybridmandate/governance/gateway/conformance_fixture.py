"""The configuration of a conformance case: one API below ``/api`` with one operation.

An operation is written as the REST API of API Management writes it (OperationContract:
``templateParameters``, ``request``, ``responses``), because the cases are.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from hybridmandate.governance.gateway.configuration import (
    ApiEntry,
    Configuration,
    Document,
    OperationEntry,
    ProductEntry,
    Subscription,
)
from hybridmandate.governance.gateway.conformance_stub import body_text
from hybridmandate.governance.gateway.contract_check import SchemaCheck
from hybridmandate.governance.gateway.layout import backend_entry


def configuration_of(case: Mapping[str, Any], *, started: float = 0.0) -> Configuration:
    """The fixture of a case; its subscription started at ``started`` (seconds since the epoch)."""
    scopes = case.get("scopes") or {}
    subscription = case.get("subscription")
    product = "product" if "product" in scopes else None
    return Configuration(
        apis=(
            ApiEntry(
                id="api",
                name="api",
                path="api",
                service_url="http://backend.example",
                operations=(
                    _operation(
                        case.get("operation") or {"method": "*", "urlTemplate": "/*"},
                        _document(scopes.get("operation"), "operation.xml"),
                        case.get("schemas") or {},
                    ),
                ),
                policy=_document(case["policy"], "api.xml"),
                subscription_required=bool(case.get("subscription_required")),
            ),
        ),
        global_policy=_document(scopes.get("global"), "global.xml"),
        fragments={
            name: Document(text, f"{name}.xml")
            for name, text in (case.get("fragments") or {}).items()
        },
        named_values={
            name: body_text(value) for name, value in (case.get("named_values") or {}).items()
        },
        products=(
            ()
            if product is None
            else (
                ProductEntry(
                    "product",
                    "product",
                    frozenset({"api"}),
                    _document(scopes["product"], "product.xml"),
                ),
            )
        ),
        subscriptions=(
            ()
            if subscription is None
            else (
                Subscription(
                    subscription["id"],
                    subscription.get("name", subscription["id"]),
                    (subscription["key"],),
                    product,
                    started=started,
                ),
            )
        ),
        backends={
            name: backend_entry(name, each) for name, each in (case.get("backends") or {}).items()
        },
        schemas=case.get("schemas") or {},
        loggers=frozenset(case.get("loggers") or ()),
    )


def _operation(
    contract: Mapping[str, Any], policy: Document | None, schemas: Mapping[str, Any]
) -> OperationEntry:
    request = contract.get("request") or {}
    responses = contract.get("responses") or []
    bodies = _schemas(request, schemas)
    answers = {str(each["statusCode"]): _schemas(each, schemas) for each in responses}
    return OperationEntry(
        id=contract.get("id", contract.get("name", "op")),
        name=contract.get("displayName", contract.get("name", "op")),
        method=contract["method"],
        url_template=contract["urlTemplate"],
        policy=policy,
        request_schemas=bodies,
        request_checks=_checks(bodies),
        parameters=(
            *_parameters("path", contract.get("templateParameters")),
            *_parameters("query", request.get("queryParameters")),
            *_parameters("header", request.get("headers")),
        ),
        responses=answers,
        response_checks={status: _checks(each) for status, each in answers.items()},
        samples={
            int(each["statusCode"]): tuple(
                (kind["contentType"], _sample(kind)) for kind in _representations(each)
            )
            for each in responses
        },
    )


def _representations(message: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return message.get("representations") or []


def _schemas(message: Mapping[str, Any], schemas: Mapping[str, Any]) -> dict[str, Any]:
    """By content type the schema that a representation names, None where it names none."""
    return {
        each["contentType"]: schemas.get(each.get("schemaId", ""))
        for each in _representations(message)
    }


def _checks(schemas: Mapping[str, Any]) -> dict[str, SchemaCheck]:
    return {kind: SchemaCheck(each) for kind, each in schemas.items() if each is not None}


def _parameters(place: str, contracts: Any) -> Iterator[Mapping[str, Any]]:
    """Parameters (ParameterContract) as OpenAPI declares them."""
    for each in contracts or ():
        schema: dict[str, Any] = {"type": each.get("type", "string")}
        if each.get("values"):
            schema["enum"] = each["values"]
        yield {
            "name": each["name"],
            "in": place,
            "required": bool(each.get("required")) or place == "path",
            "schema": schema,
        }


def _sample(representation: Mapping[str, Any]) -> str:
    """The first example of a representation, else its sample, as text."""
    examples: Mapping[str, Mapping[str, Any]] = representation.get("examples") or {}
    values = (each["value"] for each in examples.values() if "value" in each)
    found = next(values, representation.get("sample", ""))
    return found if isinstance(found, str) else json.dumps(found)


def _document(text: str | None, file: str) -> Document | None:
    return None if text is None else Document(text, file)
