"""Every fault of a body is found, told by pointer, and never by its value."""

from __future__ import annotations

from typing import Any

import pytest

from hybridmandate.governance.gateway.contract_check import MAX_FAULTS, MAX_TOLD, SchemaCheck

ORDER: dict[str, Any] = {
    "allOf": [{"$ref": "#/components/schemas/Order"}],
    "components": {
        "schemas": {
            "Order": {
                "type": "object",
                "additionalProperties": False,
                "required": ["id", "lines"],
                "properties": {
                    "id": {"type": "string", "maxLength": 4},
                    "nullable": {"type": "boolean"},
                    "note": {"type": "string", "nullable": True},
                    "price": {"type": "number", "minimum": 0, "exclusiveMinimum": True},
                    "lines": {
                        "type": "array",
                        "maxItems": 2,
                        "items": {"$ref": "#/components/schemas/Line"},
                    },
                },
            },
            "Line": {
                "type": "object",
                "additionalProperties": False,
                "properties": {"a/b": {"type": "integer"}},
            },
        }
    },
}
GOOD: dict[str, Any] = {"id": "x", "lines": []}


@pytest.mark.parametrize(
    "value",
    [
        GOOD,
        {**GOOD, "note": None},
        {**GOOD, "note": "text", "nullable": True},
        {**GOOD, "price": 0.01, "lines": [{}, {"a/b": 1}]},
    ],
)
def test_what_the_contract_allows_has_no_fault(value: Any) -> None:
    assert SchemaCheck(ORDER).faults(value) == []


@pytest.mark.parametrize(
    ("value", "pointers"),
    [
        ({}, {"/id", "/lines"}),
        ({**GOOD, "extra": 1, "more": 2}, {"/extra", "/more"}),
        ({**GOOD, "price": 0}, {"/price"}),
        ({**GOOD, "id": None}, {"/id"}),
        ({**GOOD, "nullable": None}, {"/nullable"}),
        ({**GOOD, "lines": [{}, {}, {}]}, {"/lines"}),
        ({**GOOD, "lines": [{"a/b": "x"}, {"~": 1}]}, {"/lines/0/a~1b", "/lines/1/~0"}),
        ({"id": "too long", "lines": 1, "extra": 0}, {"/id", "/lines", "/extra"}),
        ([], {""}),
        (None, {""}),
    ],
)
def test_each_fault_has_its_pointer(value: Any, pointers: set[str]) -> None:
    assert {each.pointer for each in SchemaCheck(ORDER).faults(value)} == pointers


def test_a_fault_does_not_repeat_the_value() -> None:
    told = SchemaCheck(ORDER).faults({"id": "secret-of-the-caller", "lines": "also secret"})
    assert told
    assert "secret" not in str(told)


def test_the_list_of_faults_is_bounded() -> None:
    schema = {"type": "array", "items": {"type": "integer"}}
    assert len(SchemaCheck(schema).faults(["x"] * 5000)) == MAX_FAULTS


def test_a_long_name_of_the_sender_is_told_in_part() -> None:
    schema = {"additionalProperties": {"additionalProperties": {"type": "integer"}}}
    told = SchemaCheck(schema).faults({"n" * 100_000: dict.fromkeys(map(str, range(200)), "x")})
    assert len(told) == MAX_FAULTS
    assert {len(each.pointer) for each in told} == {MAX_TOLD + 1}
    assert all(len(each.message) < 100 for each in told)


def test_what_is_nested_too_deep_is_a_fault_and_no_crash() -> None:
    value: dict[str, Any] = {}
    inner = value
    for _ in range(600):
        inner["id"] = {}
        inner = inner["id"]
    [fault] = SchemaCheck({"type": "object", "required": ["lines"]}).faults(value)
    assert fault.pointer == ""
    assert "cannot be checked" in fault.message


@pytest.mark.parametrize(
    ("schema", "good", "bad"),
    [
        ({"type": "number", "exclusiveMinimum": True}, -5, "x"),
        ({"enum": [{"example": 1, "nullable": True}]}, {"example": 1, "nullable": True}, {}),
        ({"$ref": "#/$defs/example", "$defs": {"example": {"type": "string"}}}, "x", 1),
        (
            {"patternProperties": {"nullable": {"type": "string"}}},
            {"nullable": "x"},
            {"nullable": 1},
        ),
    ],
    ids=["bound-left-out", "values", "definition-named-example", "pattern-named-nullable"],
)
def test_names_and_values_are_no_keywords(schema: Any, good: Any, bad: Any) -> None:
    check = SchemaCheck(schema)
    assert check.faults(good) == []
    assert check.faults(bad)


def test_a_schema_that_is_none_is_refused_when_it_is_compiled() -> None:
    with pytest.raises(ValueError, match="not valid"):
        SchemaCheck({"type": "nonsense"})
