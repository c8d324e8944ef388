"""The OpenAPI 2.0 document of a custom connector for Power Platform (requirement A6).

Extensions as in https://learn.microsoft.com/connectors/custom-connectors/openapi-extensions.
Polling a job is no action: the platform itself follows ``Location`` of a 202. No parameter of ours
is filled from another operation, so no ``x-ms-dynamic-*`` stands in the document.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hybridmandate.contracts.connector_actions import Action, Actions
from hybridmandate.contracts.connector_dialect import DEFINITIONS, Schema
from hybridmandate.contracts.failures import FAILURES, FailureType
from hybridmandate.contracts.outcome import Outcome

JsonObject = dict[str, Any]

BODY = "body"
_JSON = "application/json"


@dataclass(frozen=True, slots=True)
class ConnectorAbout:
    """What a connector says of itself; ``host`` is the gateway's, without scheme or path."""

    title: str
    description: str
    version: str
    host: str
    tenant: str = "common"
    """Tenant id or domain of Entra ID; ``common`` until a connector is bound to one."""


def connector_document(actions: Actions, about: ConnectorAbout) -> JsonObject:
    """``apiDefinition.swagger.json`` of a connector with these actions."""
    authority = f"https://login.microsoftonline.com/{about.tenant}/oauth2"
    return {
        "swagger": "2.0",
        "info": {
            "title": about.title,
            "description": about.description,
            "version": about.version,
        },
        "host": about.host,
        "basePath": "/",
        "schemes": ["https"],
        "consumes": [_JSON],
        "produces": [_JSON],
        "paths": {each.path: {"post": _operation(each)} for each in actions.actions},
        "definitions": {**actions.definitions, **_outcomes(actions)},
        "parameters": _parameters(),
        "securityDefinitions": {
            "oauth2": {
                "type": "oauth2",
                "flow": "accessCode",
                "authorizationUrl": f"{authority}/authorize",
                "tokenUrl": f"{authority}/token",
                "scopes": {},
            }
        },
        "security": [{"oauth2": []}],
    }


def _operation(action: Action) -> JsonObject:
    document: JsonObject = {
        "operationId": action.operation_id,
        "summary": action.summary,
        "description": f"{action.description.rstrip('.')}. Needs the role {action.role}.",
        "consumes": list(action.media_types),
        "produces": [_JSON] if action.data is not None else ["application/octet-stream", _JSON],
        "parameters": _action_parameters(action),
        "responses": _responses(action),
        "x-ms-visibility": "important",
    }
    if action.deprecated is not None:
        document["deprecated"] = True
    return document


def _action_parameters(action: Action) -> list[JsonObject]:
    names = ["correlationId"]
    if action.as_job:
        names.append("prefer")
    if action.request is None:
        names.append("fileName")
    body: Schema = action.request or {"type": "string", "format": "binary"}
    return [
        *({"$ref": f"#/parameters/{name}"} for name in names),
        {
            "name": BODY,
            "in": "body",
            "required": True,
            "schema": body,
            "x-ms-summary": "Body" if action.request is not None else "File Content",
        },
    ]


def _responses(action: Action) -> JsonObject:
    correlation = {"x-correlation-id": {"type": "string"}}
    outcome = {"$ref": f"{DEFINITIONS}{outcome_name(action)}"}
    file: Schema = {"type": "string", "format": "binary"}
    responses: JsonObject = {
        "200": {
            "description": "The file." if action.data is None else "The outcome.",
            "headers": correlation,
            "schema": file if action.data is None else outcome,
        }
    }
    if action.as_job:
        polling = {"Location": {"type": "string"}, "Retry-After": {"type": "integer"}}
        responses["202"] = {
            "description": "The job goes on; its outcome can be had at Location.",
            "headers": {**correlation, **polling},
            "schema": outcome,
        }
    for status, types in failures_by_status(action.failures).items():
        responses[str(status)] = {
            "description": " ".join(FAILURES[each].meaning for each in types),
            "schema": {"$ref": f"{DEFINITIONS}{Outcome.__name__}"},
        }
    return responses


def failures_by_status(types: tuple[FailureType, ...]) -> dict[int, list[FailureType]]:
    """The failure types that share an HTTP status, lowest status first."""
    grouped: dict[int, list[FailureType]] = {}
    for each in sorted(types, key=lambda t: FAILURES[t].http_status):
        grouped.setdefault(FAILURES[each].http_status, []).append(each)
    return grouped


def outcome_name(action: Action) -> str:
    """The definition of the outcome whose data are those of the action."""
    return f"Outcome_{action.operation_id}"


def _outcomes(actions: Actions) -> dict[str, Schema]:
    """One outcome a data type, so that makers can pick its fields; all else is the one schema."""
    base = actions.definitions[actions.outcome]
    return {
        outcome_name(each): {**base, "properties": {**base["properties"], "data": each.data}}
        for each in actions.actions
        if each.data is not None
    }


def _parameters() -> JsonObject:
    return {
        "correlationId": {
            "name": "x-correlation-id",
            "in": "header",
            "required": True,
            "type": "string",
            "minLength": 8,
            "maxLength": 64,
            "description": "Made by the flow's first action; the same for the whole transaction.",
            "x-ms-summary": "Correlation ID",
            "x-ms-visibility": "important",
        },
        "prefer": {
            "name": "Prefer",
            "in": "header",
            "required": False,
            "type": "string",
            "description": "Write respond-async to run the operation as a job.",
            "x-ms-summary": "Prefer",
            "x-ms-visibility": "advanced",
        },
        "fileName": {
            "name": "x-file-name",
            "in": "header",
            "required": False,
            "type": "string",
            "maxLength": 1024,
            "description": "What the sender called the file, percent-encoded UTF-8; a label only.",
            "x-ms-summary": "File Name",
            "x-ms-visibility": "advanced",
        },
    }
