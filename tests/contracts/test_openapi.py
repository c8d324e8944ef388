"""The published document is valid OpenAPI 3.0 and says what the contract says."""

from datetime import date
from typing import Annotated, Any, Literal

import jsonschema_rs
import pytest
from openapi_spec_validator import OpenAPIV30SpecValidator
from pydantic import BaseModel, Field

from hybridmandate.contracts import (
    Answer,
    Call,
    ContractRef,
    Download,
    Limits,
    Outcome,
    Registry,
    Status,
    Upload,
    WireModel,
    operation,
)
from hybridmandate.contracts.declaration import declared_operation
from hybridmandate.contracts.json_schema import component_schemas, to_openapi
from hybridmandate.contracts.openapi import openapi_document


class Line(WireModel):
    sku: Annotated[str, Field(pattern="^[A-Z]{3}$", examples=["ABC"])]
    quantity: Annotated[float, Field(gt=0, lt=100)]


class Order(WireModel):
    kind: Literal["order"]
    lines: Annotated[list[Line], Field(max_length=3)]
    note: str | None = None
    examples: int = 1
    first_line: Annotated[Line, Field(description="The line that is shown first.")]


class Priced(WireModel):
    total: float


@operation(
    "orders.price",
    version=1,
    role="Orders.Price",
    modes={"sync", "job"},
    limits=Limits(payload="64 KiB"),
    deprecated=date(2026, 1, 1),
    sunset=date(2027, 1, 1),
)
async def price(request: Order, call: Call) -> Answer[Priced]:
    """Prices an order."""
    return Answer(Priced(total=0))


@operation("files.keep", version=1, role="Files.Keep", media_types={"text/csv"})
async def keep(request: Upload, call: Call) -> Priced:
    """Keeps a file."""
    return Priced(total=0)


@operation("files.give", version=1, role="Files.Give")
async def give(request: Priced, call: Call) -> Download:
    """Gives a file."""
    raise AssertionError


@pytest.fixture(name="document")
def _document() -> dict[str, Any]:
    operations = [declared_operation(each) for each in (price, keep, give)]
    registry = Registry(each for each in operations if each is not None)
    return openapi_document(
        registry, title="Orders", version="1.0.0", server_url="https://gateway.example/exec"
    )


def test_document_is_valid(document: dict[str, Any]) -> None:
    assert list(OpenAPIV30SpecValidator(document).iter_errors()) == []


def test_paths_and_operation_ids_follow_the_contract(document: dict[str, Any]) -> None:
    assert set(document["paths"]) == {
        "/operations/files.give/v1",
        "/operations/files.keep/v1",
        "/operations/orders.price/v1",
        "/jobs/{job}",
    }
    priced = document["paths"]["/operations/orders.price/v1"]["post"]
    assert priced["operationId"] == "orders_price_v1"
    assert priced["x-mandate-role"] == "Orders.Price"
    assert priced["x-mandate-limits"]["payloadBytes"] == 65536
    assert priced["deprecated"] is True
    assert priced["x-mandate-sunset"] == "2027-01-01"


def test_correlation_id_is_required_everywhere(document: dict[str, Any]) -> None:
    for path in document["paths"].values():
        for method in path.values():
            assert {"$ref": "#/components/parameters/correlationId"} in method["parameters"]
    assert document["components"]["parameters"]["correlationId"]["required"] is True


def test_every_refusal_that_can_happen_is_declared(document: dict[str, Any]) -> None:
    declared = set(document["paths"]["/operations/orders.price/v1"]["post"]["responses"])
    assert declared == {
        "200", "202", "400", "401", "403", "404", "409", "410", "413", "415", "422", "429", "500",
        "503", "504",
    }  # fmt: skip
    assert "410" not in document["paths"]["/operations/files.keep/v1"]["post"]["responses"]
    assert "422" not in document["paths"]["/operations/files.keep/v1"]["post"]["responses"]


def test_files_are_binary(document: dict[str, Any]) -> None:
    binary = {"schema": {"type": "string", "format": "binary"}}
    kept = document["paths"]["/operations/files.keep/v1"]["post"]
    assert kept["requestBody"]["content"] == {"text/csv": binary}
    given = document["paths"]["/operations/files.give/v1"]["post"]
    assert given["responses"]["200"]["content"] == {"*/*": binary}
    assert "202" not in given["responses"]


def test_schema_is_rewritten_into_the_openapi_dialect(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    order = schemas["Order"]["properties"]
    assert order["note"]["nullable"] is True
    assert "anyOf" not in order["note"]
    assert order["kind"]["enum"] == ["order"]
    assert order["examples"]["type"] == "integer"
    assert order["firstLine"]["allOf"] == [{"$ref": "#/components/schemas/Line"}]
    assert schemas["Line"]["properties"]["quantity"]["minimum"] == 0
    assert schemas["Line"]["properties"]["quantity"]["exclusiveMinimum"] is True
    assert schemas["Line"]["properties"]["sku"]["example"] == "ABC"
    assert schemas["Order"]["additionalProperties"] is False


def test_rewriting_leaves_the_original_schema_alone() -> None:
    schema = Order.model_json_schema(by_alias=True, mode="validation")
    before = str(schema)
    to_openapi(schema)
    assert str(schema) == before


def test_outcome_schema_accepts_what_goes_over_the_wire() -> None:
    names, schemas = component_schemas([(Outcome, "serialization")])
    whole = {
        **Outcome.model_json_schema(by_alias=True, mode="serialization"),
    }
    outcome = Outcome(
        status=Status.SUCCEEDED,
        correlation_id="0f8fad5b-d9cb-469f-a165-70867728950e",
        contract=ContractRef(operation="a.b", version=1),
    )
    assert jsonschema_rs.is_valid(whole, outcome.to_json())
    assert names[(Outcome, "serialization")] in schemas


def test_two_models_of_one_name_get_two_components() -> None:
    def make() -> type[BaseModel]:
        class Same(WireModel):
            value: int

        return Same

    one, two = make(), make()
    names, schemas = component_schemas([(one, "validation"), (two, "validation")])
    assert len(set(names.values())) in (1, 2)
    assert set(names.values()) <= set(schemas)
