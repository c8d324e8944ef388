"""The OpenAPI 3.0 document of a service: what the gateway publishes and validates (A4, A6).

Written from the registry, so that the contract that a maker reads is the contract that runs.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel

from hybridmandate.contracts.declaration import Operation
from hybridmandate.contracts.failures import FAILURES, FailureRule, FailureType, Retry
from hybridmandate.contracts.json_schema import Side, component_schemas
from hybridmandate.contracts.lifecycle import DEPRECATED, SUCCESSOR, SUNSET
from hybridmandate.contracts.outcome import Outcome
from hybridmandate.contracts.registry import Registry

JsonObject = dict[str, Any]

SECURITY_SCHEME = "workload"


def openapi_document(
    registry: Registry, *, title: str, version: str, server_url: str, token_url: str | None = None
) -> JsonObject:
    """The OpenAPI 3.0.3 document of every operation in a registry.

    ``server_url`` is where callers reach the service (the gateway's address), ``token_url`` the
    token endpoint that the security scheme names, when it is known.
    """
    names, schemas = component_schemas(_models(registry))
    outcome = names[(Outcome, "serialization")]
    paths: JsonObject = {each.path: {"post": _operation(each, names, outcome)} for each in registry}
    if any("job" in each.modes for each in registry):
        paths["/jobs/{job}"] = _job_path()
    return document_of(
        paths,
        schemas,
        outcome,
        title=title,
        version=version,
        server_url=server_url,
        token_url=token_url,
    )


def document_of(
    paths: JsonObject,
    schemas: JsonObject,
    outcome: str,
    *,
    title: str,
    version: str,
    server_url: str,
    token_url: str | None = None,
) -> JsonObject:
    """A document with the components that every service of the house shares.

    ``schemas`` are its own component schemas, ``outcome`` the name of the outcome's among them.
    """
    return {
        "openapi": "3.0.3",
        "info": {"title": title, "version": version},
        "servers": [{"url": server_url}],
        "security": [{SECURITY_SCHEME: []}],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "parameters": _parameters(),
            "headers": _headers(),
            "responses": _responses(outcome),
            "securitySchemes": {SECURITY_SCHEME: _security(token_url)},
        },
    }


def refusals_of(failures: Iterable[FailureType]) -> JsonObject:
    """The responses that stand for failure types, by status."""
    statuses = {FAILURES[each].http_status for each in failures}
    return {
        str(status): {"$ref": f"#/components/responses/refused{status}"}
        for status in sorted(statuses)
    }


def failure_types_of(operation: Operation) -> list[FailureType]:
    """The failure types that a caller of the operation can meet, in the order of the table."""
    never = {FailureType.CONTRACT_RETIRED} if operation.sunset is None else set()
    if operation.request is None:
        never.add(FailureType.VALIDATION_ERROR)
    return [each for each in FailureType if each not in never]


def _models(registry: Registry) -> list[tuple[type[BaseModel], Side]]:
    models: list[tuple[type[BaseModel], Side]] = [(Outcome, "serialization")]
    for each in registry:
        if each.request is not None:
            models.append((each.request, "validation"))
        if each.response is not None:
            models.append((each.response, "serialization"))
    return models


def _operation(
    operation: Operation, names: dict[tuple[type[BaseModel], Side], str], outcome: str
) -> JsonObject:
    parameters = [{"$ref": "#/components/parameters/correlationId"}]
    if operation.replay:
        parameters.append({"$ref": "#/components/parameters/idempotencyKey"})
    if "job" in operation.modes:
        parameters.append({"$ref": "#/components/parameters/prefer"})
    if operation.request is None:
        parameters.append({"$ref": "#/components/parameters/fileName"})
    document: JsonObject = {
        "operationId": operation.operation_id,
        "summary": operation.summary,
        "description": operation.description,
        "parameters": parameters,
        "requestBody": _request_body(operation, names),
        "responses": _operation_responses(operation, names, outcome),
        "x-mandate-role": operation.role,
        "x-mandate-limits": {
            "payloadBytes": operation.limits.payload_bytes,
            "timeoutSeconds": operation.limits.timeout_seconds,
            "callsPerMinute": operation.limits.calls_per_minute,
            "replaySeconds": operation.limits.replay_seconds,
        },
    }
    lifecycle = operation.lifecycle
    if lifecycle is not None:
        document["deprecated"] = True
        document[DEPRECATED] = lifecycle.deprecated.isoformat()
        if lifecycle.sunset is not None:
            document[SUNSET] = lifecycle.sunset.isoformat()
        if lifecycle.successor is not None:
            document[SUCCESSOR] = lifecycle.successor
    return document


def _request_body(
    operation: Operation, names: dict[tuple[type[BaseModel], Side], str]
) -> JsonObject:
    if operation.request is None:
        schema: JsonObject = {"type": "string", "format": "binary"}
    else:
        schema = {"$ref": f"#/components/schemas/{names[(operation.request, 'validation')]}"}
    return {
        "required": True,
        "content": {media: {"schema": schema} for media in sorted(operation.media_types)},
    }


def _operation_responses(
    operation: Operation, names: dict[tuple[type[BaseModel], Side], str], outcome: str
) -> JsonObject:
    responses: JsonObject = {"200": _success(operation, names, outcome)}
    if operation.replay:
        responses["202"] = {"$ref": "#/components/responses/accepted"}
    return responses | refusals_of(failure_types_of(operation))


def _success(
    operation: Operation, names: dict[tuple[type[BaseModel], Side], str], outcome: str
) -> JsonObject:
    headers = {"x-correlation-id": {"$ref": "#/components/headers/correlationId"}}
    if operation.response is None:
        content: JsonObject = {"*/*": {"schema": {"type": "string", "format": "binary"}}}
        return {"description": "The file.", "headers": headers, "content": content}
    data = {"$ref": f"#/components/schemas/{names[(operation.response, 'serialization')]}"}
    schema = {
        "allOf": [
            {"$ref": f"#/components/schemas/{outcome}"},
            {"type": "object", "properties": {"data": data}},
        ]
    }
    return {
        "description": "The outcome: succeeded or partiallySucceeded.",
        "headers": headers,
        "content": {"application/json": {"schema": schema}},
    }


def _job_path() -> JsonObject:
    return {
        "get": {
            "operationId": "job_get",
            "summary": "The state of a job, and its outcome when it has ended",
            "parameters": [
                {"name": "job", "in": "path", "required": True, "schema": {"type": "string"}},
                {"$ref": "#/components/parameters/correlationId"},
            ],
            "responses": {
                "200": {"$ref": "#/components/responses/outcome"},
                "202": {"$ref": "#/components/responses/accepted"},
                **refusals_of(FailureType),
            },
        }
    }


def _parameters() -> JsonObject:
    return {
        "correlationId": {
            "name": "x-correlation-id",
            "in": "header",
            "required": True,
            "description": "Made by the flow's first action; the same for the whole transaction.",
            "schema": {
                "type": "string",
                "minLength": 8,
                "maxLength": 64,
                "pattern": "^[A-Za-z0-9][A-Za-z0-9._-]{7,63}$",
            },
        },
        "idempotencyKey": {
            "name": "Idempotency-Key",
            "in": "header",
            "required": False,
            "description": "Replaces the key that is otherwise derived from the call itself.",
            "schema": {"type": "string", "minLength": 1, "maxLength": 128},
        },
        "prefer": {
            "name": "Prefer",
            "in": "header",
            "required": False,
            "description": "'respond-async' runs the operation as a job.",
            "schema": {"type": "string"},
        },
        "fileName": {
            "name": "x-file-name",
            "in": "header",
            "required": False,
            "description": "What the sender called the file, percent-encoded UTF-8; a label only.",
            "schema": {"type": "string", "maxLength": 1024},
        },
    }


def _headers() -> JsonObject:
    return {
        "correlationId": {
            "description": "The correlation id of the call.",
            "schema": {"type": "string"},
        },
        "retryAfter": {
            "description": "Whole seconds after which a retry can succeed.",
            "schema": {"type": "integer", "minimum": 0},
        },
        "location": {
            "description": "Where the job's outcome can be had.",
            "schema": {"type": "string"},
        },
    }


def _responses(outcome: str) -> JsonObject:
    content = {"application/json": {"schema": {"$ref": f"#/components/schemas/{outcome}"}}}
    correlation = {"x-correlation-id": {"$ref": "#/components/headers/correlationId"}}
    retry = {"Retry-After": {"$ref": "#/components/headers/retryAfter"}}
    responses: JsonObject = {
        "outcome": {"description": "The outcome.", "headers": correlation, "content": content},
        "accepted": {
            "description": "The work goes on; poll the location.",
            "headers": {
                **correlation,
                **retry,
                "Location": {"$ref": "#/components/headers/location"},
            },
            "content": content,
        },
    }
    for status, rules in _rules_by_status().items():
        waits = any(rule.retry in (Retry.AFTER, Retry.PERIOD_END, Retry.YES) for rule in rules)
        responses[f"refused{status}"] = {
            "description": " ".join(rule.meaning for rule in rules),
            "headers": {**correlation, **(retry if waits else {})},
            "content": content,
        }
    return responses


def _rules_by_status() -> dict[int, list[FailureRule]]:
    grouped: dict[int, list[FailureRule]] = {}
    for rule in FAILURES.values():
        grouped.setdefault(rule.http_status, []).append(rule)
    return dict(sorted(grouped.items()))


def _security(token_url: str | None) -> JsonObject:
    if token_url is None:
        return {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}
    return {
        "type": "oauth2",
        "flows": {"clientCredentials": {"tokenUrl": token_url, "scopes": {}}},
    }
