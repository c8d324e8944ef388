"""Templates: caching, references, JSON structures, functions on values, what is left alone."""

from __future__ import annotations

from typing import Any

import pytest
from expression_scopes import scope, value

from hybridmandate.orchestration.expressions import (
    evaluate_function,
    evaluate_json,
    parse_template,
    references,
)
from hybridmandate.orchestration.expressions.conformance import CaseScope


def test_the_same_text_is_parsed_once() -> None:
    assert parse_template("@add(1, 2)") is parse_template("@add(1, 2)")


def test_literal_text_of_any_length_is_a_template() -> None:
    text = "x" * 1_000_000
    template = parse_template(text)
    assert template.is_literal
    assert template.evaluate(scope()) is text


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("plain", set()),
        ("@outputs('Get_item')?['body/value']", {("action", "Get_item")}),
        (
            "@{body('A')}-@{variables('v')}-@{parameters('P (p)')}",
            {("action", "A"), ("variable", "v"), ("parameter", "P (p)")},
        ),
        (
            "@items('Loop')[iterationIndexes('Until')]",
            {("items", "Loop"), ("iterationIndexes", "Until")},
        ),
        ("@if(true, result('Try'), actions('B').status)", {("action", "Try"), ("action", "B")}),
        ("@json('{}')[variables('key')]", {("variable", "key")}),
        ("@variables(concat('a', 'b'))", set()),
        ("@FormDataValue('F', 'k')", {("action", "F")}),
    ],
)
def test_references_are_what_is_named_literally(text: str, found: set[tuple[str, str]]) -> None:
    assert references(parse_template(text)) == found


def test_function_names_are_as_written() -> None:
    assert parse_template("@ToLower(concat('a'))").function_names() == {"ToLower", "concat"}


def test_json_structure_is_evaluated_with_its_property_names() -> None:
    given = {
        "@{variables('k')}": ["@variables('n')", "n=@{variables('n')}", 3, None, True],
        "plain": {"text": "a@b.example", "escaped": "@@x", "at": "@variables('k')"},
        "@odata_free": 1,
    }
    del given["@odata_free"]
    assert evaluate_json(given, scope(variables={"k": "key", "n": 5})) == {
        "key": [5, "n=5", 3, None, True],
        "plain": {"text": "a@b.example", "escaped": "@x", "at": "key"},
    }


def test_given_structures_are_not_changed() -> None:
    held = {"a": {"b": 1}, "list": [1, 2]}
    results = [
        value("@setProperty(variables('v'), 'a', 2)", variables={"v": held}),
        value("@union(variables('v'), json('{\"c\": 3}'))", variables={"v": held}),
        value("@reverse(variables('v')['list'])", variables={"v": held}),
        value("@removeProperty(variables('v'), 'a')", variables={"v": held}),
    ]
    assert held == {"a": {"b": 1}, "list": [1, 2]}
    assert results == [
        {"a": 2, "list": [1, 2]},
        {"a": {"b": 1}, "list": [1, 2], "c": 3},
        [2, 1],
        {"list": [1, 2]},
    ]


@pytest.mark.parametrize(
    ("name", "arguments", "result"),
    [
        ("equals", [1, 1.0], True),
        ("Contains", [["a"], "a"], True),
        ("and", [True, False], False),
        ("if", [False, 1, 2], 2),
        ("coalesce", [None, "x"], "x"),
        ("decimal", ["5.50"], 5.5),
    ],
)
def test_function_on_values(name: str, arguments: list[Any], result: Any) -> None:
    assert evaluate_function(name, arguments, scope()) == result


@pytest.mark.parametrize(
    ("locale", "month"),
    [("ja-JP", "3月"), ("fr-FR", "mars"), ("zh-CN", "三月"), ("de-DE", "März"), ("it-IT", "marzo")],
)
def test_month_names_do_not_leak_from_one_culture_to_another(locale: str, month: str) -> None:
    for other in ("ja-JP", "zh-CN", "pl-PL"):
        value(f"@formatDateTime('2024-01-01', 'MMMM d', '{other}')")
    assert value(f"@formatDateTime('2024-03-01', 'MMMM', '{locale}')") == month


def test_time_and_randomness_come_from_the_scope_only() -> None:
    text = "@{utcNow()} @{guid()} @{rand(0, 1000000)}"
    assert value(text) == value(text)
    assert value("@utcNow()") == "2026-05-01T12:00:00.0000000Z"


def test_action_that_has_not_run_has_no_outputs() -> None:
    not_run = CaseScope({"actions": {"A": None}}, moment=scope().now())
    assert parse_template("@outputs('A')").evaluate(not_run) is None
    assert parse_template("@body('A')?['x']").evaluate(not_run) is None
    assert parse_template("@actions('A')").evaluate(not_run) is None
