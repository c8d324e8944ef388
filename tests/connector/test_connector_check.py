"""Each documented rule is found where it is broken, and every rule can be broken."""

from __future__ import annotations

import json
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from hybridmandate.cli.contract import app
from hybridmandate.contracts.connector_check import RULES, SIZE_LIMIT, check_connector

GOOD: dict[str, Any] = {
    "swagger": "2.0",
    "info": {"title": "Invoices", "description": "Takes invoices.", "version": "1"},
    "host": "gateway.contoso.example",
    "basePath": "/",
    "paths": {
        "/a": {
            "post": {
                "operationId": "StoreInvoice",
                "summary": "Store an invoice",
                "description": "Keeps an invoice.",
                "parameters": [
                    {
                        "name": "body",
                        "in": "body",
                        "x-ms-summary": "Body",
                        "schema": {"$ref": "#/definitions/A"},
                    }
                ],
                "responses": {"200": {"description": "ok"}},
            }
        }
    },
    "definitions": {"A": {"type": "object", "properties": {"x": {"type": "string"}}}},
    "securityDefinitions": {"oauth2": {"type": "oauth2"}},
    "security": [{"oauth2": []}],
}
OPERATION = "/paths/~1a/post"
Break = Callable[[dict[str, Any]], Any]


def post(d: dict[str, Any]) -> dict[str, Any]:
    operation: dict[str, Any] = d["paths"]["/a"]["post"]
    return operation


def first(d: dict[str, Any]) -> dict[str, Any]:
    parameter: dict[str, Any] = post(d)["parameters"][0]
    return parameter


def add(d: dict[str, Any], **parameter: Any) -> None:
    post(d)["parameters"].append({"name": "p", "x-ms-summary": "P", "type": "string", **parameter})


def schema(d: dict[str, Any], **words: Any) -> None:
    d["definitions"]["A"].update(words)


CASES: list[tuple[str, str, Break]] = [
    ("swagger-version", "/swagger", lambda d: d.update(swagger="3.0")),
    ("size", "", lambda d: schema(d, description="x" * SIZE_LIMIT)),
    ("title", "/info/title", lambda d: d["info"].update(title="x" * 31)),
    ("title", "/info/title", lambda d: d["info"].update(title="Invoice API")),
    ("info-description", "/info/description", lambda d: d["info"].update(description="")),
    ("host", "/host", lambda d: d.update(host="https://gateway.contoso.example/v1")),
    ("base-path", "/basePath", lambda d: d.update(basePath="v1")),
    ("path-form", "/paths/~1b*", lambda d: d["paths"].update({"/b*": {}})),
    ("path-unique", "/paths/~1A", lambda d: d["paths"].update({"/A": {}})),
    ("operation-id", f"{OPERATION}/operationId", lambda d: post(d).pop("operationId")),
    (
        "operation-id",
        "/paths/~1b/post/operationId",
        lambda d: d["paths"].update({"/b": deepcopy(d["paths"]["/a"])}),
    ),
    ("operation-id-case", f"{OPERATION}/operationId", lambda d: post(d).update(operationId="a_b")),
    ("summary", f"{OPERATION}/summary", lambda d: post(d).update(summary="Store it.")),
    ("summary", f"{OPERATION}/summary", lambda d: post(d).update(summary="x" * 81)),
    ("summary", f"{OPERATION}/summary", lambda d: post(d).update(summary="Store/read")),
    ("summary", f"{OPERATION}/summary", lambda d: post(d).pop("summary")),
    ("description", f"{OPERATION}/description", lambda d: post(d).update(description="No end")),
    (
        "success-response",
        f"{OPERATION}/responses",
        lambda d: post(d).update(responses={"default": {"description": "x"}}),
    ),
    ("body-on-get", "/paths/~1a/get", lambda d: d["paths"]["/a"].update(get=post(d))),
    ("one-body", f"{OPERATION}/parameters", lambda d: add(d, **{"in": "formData"})),
    ("body-schema", f"{OPERATION}/parameters/0", lambda d: first(d).pop("schema")),
    ("path-parameter", f"{OPERATION}/parameters/1", lambda d: add(d, **{"in": "path"})),
    ("parameter-summary", f"{OPERATION}/parameters/0", lambda d: first(d).pop("x-ms-summary")),
    (
        "visibility",
        f"{OPERATION}/x-ms-visibility",
        lambda d: post(d).update({"x-ms-visibility": "loud"}),
    ),
    (
        "internal-default",
        f"{OPERATION}/parameters/1",
        lambda d: add(d, **{"in": "query", "required": True, "x-ms-visibility": "internal"}),
    ),
    (
        "reference-target",
        f"{OPERATION}/parameters/0/schema",
        lambda d: first(d).update(schema={"$ref": "#/definitions/B"}),
    ),
    (
        "reference-alone",
        f"{OPERATION}/parameters/0/schema",
        lambda d: first(d)["schema"].update(description="x"),
    ),
    (
        "reference-circle",
        "/definitions/A/properties/x",
        lambda d: schema(d, properties={"x": {"$ref": "#/definitions/A"}}),
    ),
    ("schema-keyword", "/definitions/A/anyOf", lambda d: schema(d, anyOf=[])),
    ("schema-type", "/definitions/A/type", lambda d: schema(d, type=["object", "null"])),
    (
        "array-items",
        "/definitions/A/properties/x",
        lambda d: schema(d, properties={"x": {"type": "array"}}),
    ),
    ("required-list", "/definitions/A/required", lambda d: schema(d, required=[])),
    ("required-list", "/definitions/A/required", lambda d: schema(d, required=["y"])),
    (
        "binary-place",
        "/definitions/A/properties/x",
        lambda d: d["definitions"]["A"]["properties"]["x"].update(format="binary"),
    ),
    ("security", "/security/0", lambda d: d.update(securityDefinitions={})),
]


def test_good_document_has_no_finding() -> None:
    assert check_connector(GOOD) == []


@pytest.mark.parametrize(("rule", "place", "spoil"), CASES)
def test_broken_rule_is_found_at_its_place(rule: str, place: str, spoil: Break) -> None:
    document = deepcopy(GOOD)
    spoil(document)
    found = [(each.rule, each.place) for each in check_connector(document)]
    assert (rule, place) in found


def test_every_rule_has_a_case() -> None:
    assert {rule for rule, _, _ in CASES} == set(RULES)


@pytest.mark.parametrize(
    "document",
    [
        None,
        [],
        "x",
        {"swagger": "2.0"},
        {"swagger": "2.0", "paths": [], "info": 3, "definitions": {"A": None}, "security": {}},
        {"swagger": "2.0", "paths": {"/a": {"post": {"parameters": [None], "responses": [1]}}}},
        {"swagger": "2.0", "definitions": {"A": {"properties": 1, "required": "x", "items": 4}}},
    ],
)
def test_any_json_is_answered_with_findings(document: Any) -> None:
    assert check_connector(document)


def test_command_ends_with_one_when_a_document_has_an_error(tmp_path: Path) -> None:
    file = tmp_path / "c.json"
    file.write_text(json.dumps({**GOOD, "host": "https://x"}))
    result = CliRunner().invoke(app, ["check", str(file), "--json"])
    assert result.exit_code == 1
    assert [each["rule"] for each in json.loads(result.stdout)] == ["host"]
    file.write_text(json.dumps(GOOD))
    assert CliRunner().invoke(app, ["check", str(file)]).exit_code == 0
    file.write_text("{")
    assert CliRunner().invoke(app, ["check", str(file)]).exit_code == 2
