"""The generated connector is valid, keeps the rules, and is what the example has committed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV2SpecValidator
from typer.testing import CliRunner

from hybridmandate.cli.contract import app
from hybridmandate.contracts.connector_actions import DeclaredView, connector_actions
from hybridmandate.contracts.connector_check import check_connector
from hybridmandate.contracts.connector_dialect import title_of, to_swagger
from hybridmandate.contracts.registry import Registry
from hybridmandate.orchestration.connectors.custom import read_operations

EXAMPLE = Path("examples/vendor-invoices")
COMMITTED = EXAMPLE / "connectors" / "mandate"
SOLUTION = ["--host", "gateway.contoso.example", "--solution", str(EXAMPLE)]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("connector")
    result = CliRunner().invoke(app, ["connector", *SOLUTION, "--output", str(folder)])
    assert result.exit_code == 0, result.output
    return folder


@pytest.fixture(scope="module")
def document(written: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((written / "apiDefinition.swagger.json").read_text())
    return loaded


@pytest.mark.parametrize("name", ["apiDefinition.swagger.json", "apiProperties.json"])
def test_committed_connector_is_the_generated_one(written: Path, name: str) -> None:
    assert (COMMITTED / name).read_bytes() == (written / name).read_bytes()


def test_committed_pages_are_the_generated_ones(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["page", *SOLUTION, "--output", str(tmp_path)])
    assert result.exit_code == 0, result.output
    made = {each.name: each.read_bytes() for each in tmp_path.iterdir()}
    assert made == {each.name: each.read_bytes() for each in Path("docs/contracts").glob("*_v*.md")}
    assert len(made) == 5


def test_document_is_valid_openapi_2(document: dict[str, Any]) -> None:
    assert list(OpenAPIV2SpecValidator(document).iter_errors()) == []


def test_document_has_no_finding_above_a_note(document: dict[str, Any]) -> None:
    assert [each for each in check_connector(document) if each.level != "note"] == []


def test_flow_engine_reads_every_action(document: dict[str, Any]) -> None:
    _, operations = read_operations(document, "mandate")
    assert {name: (each.method, each.path) for name, each in operations.items()} == {
        "files_read_v1": ("POST", "/exec/operations/files.read/v1"),
        "files_store_v1": ("POST", "/exec/operations/files.store/v1"),
        "spreadsheets_normalize_v1": ("POST", "/exec/operations/spreadsheets.normalize/v1"),
        "data_view_vendors_v1": ("POST", "/data/views/vendors/v1"),
        "data_commit_invoices_v1": ("POST", "/data/commits/invoices/v1"),
    }


def test_every_action_requires_the_correlation_id(document: dict[str, Any]) -> None:
    _, operations = read_operations(document, "mandate")
    for each in operations.values():
        required = {p["name"] for p in each.parameters if p.get("required")}
        assert required == {"x-correlation-id", "body"}


def test_only_jobs_take_prefer_and_answer_202(document: dict[str, Any]) -> None:
    jobs = {
        each["post"]["operationId"]
        for each in document["paths"].values()
        if {"$ref": "#/parameters/prefer"} in each["post"]["parameters"]
        and "202" in each["post"]["responses"]
    }
    assert jobs == {"spreadsheets_normalize_v1"}


def test_every_refusal_has_the_one_outcome_schema(document: dict[str, Any]) -> None:
    for item in document["paths"].values():
        refusals = [r for s, r in item["post"]["responses"].items() if int(s) >= 400]
        assert len(refusals) > 8
        assert all(each["schema"] == {"$ref": "#/definitions/Outcome"} for each in refusals)


def test_columns_have_the_types_of_their_tables(document: dict[str, Any]) -> None:
    commit = document["paths"]["/data/commits/invoices/v1"]["post"]["parameters"][1]["schema"]
    values = commit["properties"]["records"]["items"]["properties"]["values"]
    assert values["required"] == ["hm_vendornumber", "hm_invoicenumber"]
    assert values["properties"]["hm_amount"]["type"] == "number"
    assert values["properties"]["hm_duedate"]["format"] == "date"


def test_unknown_column_type_is_not_guessed() -> None:
    view = DeclaredView("v", 1, ["hm_a"], [], "Data.View.V", 10, types={})
    with pytest.raises(KeyError, match="hm_a"):
        connector_actions(Registry(), views=[view])


def test_properties_ask_for_a_secret_and_hold_none(written: Path) -> None:
    properties = json.loads((written / "apiProperties.json").read_text())["properties"]
    (only,) = properties["connectionParameterSets"]["values"]
    secret = only["parameters"]["token:clientSecret"]
    assert secret["type"] == "securestring"
    assert {"value", "default"}.isdisjoint(secret)
    assert only["parameters"]["token"]["oAuthSettings"]["clientId"] == ""


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ({"type": "string", "nullable": True}, {"type": "string", "x-nullable": True}),
        ({"anyOf": [{"type": "string"}, {"type": "integer"}]}, {}),
        (
            {"allOf": [{"$ref": "#/components/schemas/A"}], "description": "d"},
            {"$ref": "#/definitions/A"},
        ),
        ({"$ref": "#/components/schemas/A", "description": "d"}, {"$ref": "#/definitions/A"}),
        ({"type": "array", "uniqueItems": True}, {"type": "array", "items": {}}),
        ({"type": "object", "required": []}, {"type": "object"}),
        (
            {"type": "object", "properties": {"anyOf": {"type": "string"}}},
            {
                "type": "object",
                "properties": {"anyOf": {"type": "string", "x-ms-summary": "Any Of"}},
            },
        ),
    ],
)
def test_schemas_are_rewritten_into_the_dialect(given: Any, wanted: Any) -> None:
    assert to_swagger(given) == wanted


@pytest.mark.parametrize(
    ("name", "title"), [("inlineRows", "Inline Rows"), ("hm_duedate", "Hm Duedate"), ("a-b", "A B")]
)
def test_names_become_titles(name: str, title: str) -> None:
    assert title_of(name) == title
