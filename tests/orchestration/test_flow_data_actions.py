"""Variables and data operations, case by case."""

from __future__ import annotations

from typing import Any

import pytest
from flow_kit import (
    after,
    run,
    variable,
)

VARIABLES: list[tuple[str, Any, dict[str, Any], Any]] = [
    ("string", "a", {"type": "SetVariable", "inputs": {"name": "v", "value": "b"}}, "b"),
    (
        "string",
        "a",
        {"type": "AppendToStringVariable", "inputs": {"name": "v", "value": "b"}},
        "ab",
    ),
    (
        "string",
        "n=",
        {"type": "AppendToStringVariable", "inputs": {"name": "v", "value": "@float('1e20')"}},
        "n=1E+20",
    ),
    ("string", "", {"type": "SetVariable", "inputs": {"name": "v", "value": 2.0}}, "2"),
    ("array", [1], {"type": "AppendToArrayVariable", "inputs": {"name": "v", "value": 2}}, [1, 2]),
    ("integer", 1, {"type": "IncrementVariable", "inputs": {"name": "v", "value": 4}}, 5),
    ("integer", 1, {"type": "IncrementVariable", "inputs": {"name": "v"}}, 2),
    ("float", 1.5, {"type": "DecrementVariable", "inputs": {"name": "v", "value": 1}}, 0.5),
    ("boolean", True, {"type": "SetVariable", "inputs": {"name": "v", "value": "false"}}, False),
    ("object", {}, {"type": "SetVariable", "inputs": {"name": "v", "value": {"a": 1}}}, {"a": 1}),
]


@pytest.mark.parametrize(("kind", "value", "change", "expected"), VARIABLES)
def test_variables(kind: str, value: Any, change: dict[str, Any], expected: Any) -> None:
    ended = run({"V": variable("v", kind, value), "C": {**change, "runAfter": after("V")}})
    assert ended.status == "Succeeded"
    assert ended.state["variables"]["v"]["value"] == expected


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        ("integer", {"type": "SetVariable", "inputs": {"name": "v", "value": "x"}}),
        ("integer", {"type": "SetVariable", "inputs": {"name": "v", "value": True}}),
        ("string", {"type": "IncrementVariable", "inputs": {"name": "v"}}),
        ("string", {"type": "AppendToArrayVariable", "inputs": {"name": "v", "value": 1}}),
        ("array", {"type": "AppendToStringVariable", "inputs": {"name": "v", "value": 1}}),
        ("array", {"type": "SetVariable", "inputs": {"name": "w", "value": []}}),
    ],
)
def test_a_value_that_does_not_fit_a_variable_fails(kind: str, change: dict[str, Any]) -> None:
    ended = run({"V": variable("v", kind), "C": {**change, "runAfter": after("V")}})
    assert ended.action("C")["status"] == "Failed"
    assert ended.action("C")["code"] == "InvalidTemplate"


ROWS = [{"n": 1, "t": "a,b"}, {"n": 2, "t": "<c>"}]


DATA: list[tuple[dict[str, Any], Any]] = [
    (
        {"type": "Select", "inputs": {"from": ROWS, "select": {"x": "@item()['n']"}}},
        [{"x": 1}, {"x": 2}],
    ),
    ({"type": "Select", "inputs": {"from": ROWS, "select": "@item()['n']"}}, [1, 2]),
    ({"type": "Query", "inputs": {"from": ROWS, "where": "@greater(item()['n'], 1)"}}, [ROWS[1]]),
    ({"type": "Join", "inputs": {"from": [1, 2], "joinWith": "; "}}, "1; 2"),
    (
        {
            "type": "Expression",
            "kind": "Substring",
            "inputs": {"text": "hello world", "startPosition": 6, "length": 5},
        },
        "world",
    ),
    (
        {"type": "ParseJson", "inputs": {"content": '{"a": 1}', "schema": {"type": "object"}}},
        {"a": 1},
    ),
    (
        {"type": "Table", "inputs": {"from": ROWS, "format": "CSV"}},
        'n,t\r\n1,"a,b"\r\n2,<c>\r\n',
    ),
    (
        {
            "type": "Table",
            "inputs": {
                "from": ROWS,
                "format": "HTML",
                "columns": [{"header": "T", "value": "@item()['t']"}],
            },
        },
        "<table><thead><tr><th>T</th></tr></thead><tbody><tr><td>a,b</td></tr>"
        "<tr><td>&lt;c&gt;</td></tr></tbody></table>",
    ),
]


@pytest.mark.parametrize(("action", "expected"), DATA)
def test_data_operations(action: dict[str, Any], expected: Any) -> None:
    ended = run({"D": {**action, "runAfter": {}}})
    assert ended.action("D")["outputs"] == {"body": expected}


@pytest.mark.parametrize(
    ("action", "code"),
    [
        ({"type": "Select", "inputs": {"from": "x", "select": 1}}, "InvalidTemplate"),
        ({"type": "Table", "inputs": {"from": [1], "format": "CSV"}}, "InvalidTemplate"),
        ({"type": "Table", "inputs": {"from": ROWS, "format": "PDF"}}, "InvalidTemplate"),
        ({"type": "ParseJson", "inputs": {"content": "{", "schema": {}}}, "InvalidJSON"),
        (
            {"type": "ParseJson", "inputs": {"content": [], "schema": {"type": "object"}}},
            "ValidationFailed",
        ),
        ({"type": "ParseJson", "inputs": {"content": 1, "schema": {"type": 7}}}, "InvalidTemplate"),
        ({"type": "ParseJson", "inputs": {"content": None, "schema": {}}}, "InvalidTemplate"),
    ],
)
def test_data_operations_fail_with_a_code(action: dict[str, Any], code: str) -> None:
    ended = run({"D": {**action, "runAfter": {}}})
    assert (ended.action("D")["status"], ended.action("D")["code"]) == ("Failed", code)


def test_a_wrong_input_is_named_by_the_type_that_the_platform_gives_it() -> None:
    ended = run({"D": {"type": "Select", "inputs": {"from": "@null", "select": 1}, "runAfter": {}}})
    assert "is of type 'Null'" in ended.action("D")["error"]["message"]
