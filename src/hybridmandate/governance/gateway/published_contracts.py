"""The OpenAPI documents that the gateway validates against, written from the contracts (A4).

They are what the services publish: the execution tier's own document, and one for the views and
commits of the data gateway from its request models. Only the operation ids differ: those of the
gateway name the folders of operation policies and so keep to letters, digits and hyphens.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from hybridmandate.contracts import FailureType, Outcome, Registry
from hybridmandate.contracts.json_schema import Side, component_schemas
from hybridmandate.contracts.openapi import document_of, openapi_document, refusals_of
from hybridmandate.governance.data.requests import CommitRequest, ViewRequest
from hybridmandate.manifest import Commit, View

JsonObject = dict[str, Any]
_CORRELATION = {"$ref": "#/components/parameters/correlationId"}


def execution_document(registry: Registry, *, title: str, version: str) -> JsonObject:
    """What the execution tier publishes, with the gateway's operation ids."""
    document = openapi_document(registry, title=title, version=version, server_url="/exec")
    for each in registry:
        name = each.ref.operation.replace(".", "-")
        document["paths"][each.path]["post"]["operationId"] = f"{name}-v{each.ref.version}"
    if "/jobs/{job}" in document["paths"]:
        document["paths"]["/jobs/{job}"]["get"]["operationId"] = "job"
    return document


def data_document(
    views: Mapping[str, View], commits: Mapping[str, Commit], *, title: str, version: str
) -> JsonObject:
    """The views and commits of the data gateway."""
    models: list[tuple[type[BaseModel], Side]] = [
        (Outcome, "serialization"),
        (ViewRequest, "validation"),
        (CommitRequest, "validation"),
    ]
    names, schemas = component_schemas(models)
    outcome = names[(Outcome, "serialization")]
    view, commit = (names[(model, "validation")] for model in (ViewRequest, CommitRequest))
    paths: JsonObject = {}
    for name, declared in sorted(views.items()):
        paths[f"/views/{name}/v{declared.version}"] = _path(
            f"view-{name}-v{declared.version}",
            f"Rows of the view {name}, at most {declared.max_rows}",
            declared.role,
            {"$ref": f"#/components/schemas/{view}"},
            outcome,
        )
    for name, each in sorted(commits.items()):
        limited = {"properties": {"records": {"maxItems": each.max_records}}}
        paths[f"/commits/{name}/v{each.version}"] = _path(
            f"commit-{name}-v{each.version}",
            f"Records by the commit {name}, at most {each.max_records} a call",
            each.role,
            {"allOf": [{"$ref": f"#/components/schemas/{commit}"}, limited]},
            outcome,
        )
    return document_of(paths, schemas, outcome, title=title, version=version, server_url="/data")


def _path(id: str, summary: str, role: str, request: JsonObject, outcome: str) -> JsonObject:
    answer = {"application/json": {"schema": {"$ref": f"#/components/schemas/{outcome}"}}}
    return {
        "post": {
            "operationId": id,
            "summary": summary,
            "parameters": [_CORRELATION],
            "requestBody": {
                "required": True,
                "content": {"application/json": {"schema": request}},
            },
            "responses": {
                "200": {"description": "The outcome.", "content": answer},
                **refusals_of(FailureType),
            },
            "x-mandate-role": role,
        }
    }
