"""What an error says, and that nothing but the two error types comes out, in bounded work."""

from __future__ import annotations

import time
from typing import Any

import pytest
from expression_scopes import scope, value

from hybridmandate.orchestration.expressions import (
    Bounds,
    ExpressionError,
    ExpressionEvaluationError,
    ExpressionSyntaxError,
    evaluate_function,
    evaluate_json,
    parse_template,
)


@pytest.mark.parametrize(
    ("text", "position", "reason"),
    [
        ("@add(1, 2", 9, "')' is expected, the text ends"),
        ("@add(1 2)", 7, "')' is expected, '2' stands there"),
        ("@length()", 1, "expects 1 parameter(s), it was invoked with 0"),
        ("@substring('a')", 1, "expects 2 to 3 parameter(s)"),
        ("@contoso", 1, "neither a value nor a function call"),
        ("@concat('a'))", 12, "unexpected ')' after the expression"),
        ("@concat('a", 8, "the string is not closed"),
        ("text @{} text", 7, "unexpected '}'"),
        ("@item()?", 8, "'[' or '.' is expected after '?'"),
        ("@item().", 8, "a property name is expected after '.'"),
        ("@{", 2, "ends where a value is expected"),
    ],
)
def test_syntax_error_names_position_and_reason(text: str, position: int, reason: str) -> None:
    with pytest.raises(ExpressionSyntaxError) as caught:
        parse_template(text)
    assert caught.value.position == position
    assert reason in str(caught.value)
    assert caught.value.code == "InvalidTemplate"


@pytest.mark.parametrize(
    ("text", "position"),
    [("@nope(1)", 1), ("@concat(nope(1))", 8), ("@if(false, 1, nope(2))", 14)],
)
def test_unknown_function_fails_where_it_is_reached(text: str, position: int) -> None:
    template = parse_template(text)
    assert template.unknown_functions() == ["nope"]
    with pytest.raises(ExpressionSyntaxError, match="'nope' is not defined") as caught:
        value(text)
    assert caught.value.position == position


@pytest.mark.parametrize(
    ("text", "function", "argument", "name", "expected", "received"),
    [
        ("@length(null)", "length", 1, "collection", "an array or a string", "Null"),
        ("@ADD('1', 2)", "add", 1, "summand1", "a float or an integer", "String"),
        ("@substring('abc', 9)", "substring", 2, "startIndex", "an integer", "Integer"),
        ("@int('x')", "int", 1, "value", "an integer", "String"),
        ("@addDays('x', 1)", "addDays", 1, "timestamp", "a date and time", "String"),
        ("@formatDateTime('2024-01-01', 'q')", "formatDateTime", 2, "format", "a string", "String"),
        ("@and(true, 1)", "and", 2, "expressions", "a boolean", "Integer"),
        ("@max(1, true)", "max", 2, "numbers", "a float or an array or an integer", "Boolean"),
        ("@variables('x')", "variables", 1, "variableName", "the name of a variable", "String"),
    ],
)
def test_evaluation_error_names_function_argument_and_types(
    text: str, function: str, argument: int, name: str, expected: str, received: str
) -> None:
    with pytest.raises(ExpressionEvaluationError) as caught:
        value(text)
    error = caught.value
    assert (error.function, error.argument, error.argument_name) == (function, argument, name)
    assert set((error.expected or "").split(" or ")) == set(expected.split(" or "))
    assert error.received == received
    assert function in str(error)
    assert error.code == "InvalidTemplate"


def test_missing_property_is_named_with_those_that_are_there() -> None:
    with pytest.raises(ExpressionEvaluationError, match=r"'c' doesn't exist.*'a, b'"):
        value("@variables('v')['c']", variables={"v": {"a": 1, "b": 2}})


def test_index_past_the_end_names_the_bounds() -> None:
    with pytest.raises(ExpressionEvaluationError, match=r"index '5' is outside bounds \(0, 1\)"):
        value("@createArray(1, 2)[5]")


def _nested(depth: int) -> str:
    return "@" + "concat(" * depth + "'x'" + ")" * depth


def _doubled(times: int) -> Any:
    held: Any = ["x"]
    for _ in range(times):
        held = [held, held]
    return held


@pytest.mark.parametrize(
    ("text", "context"),
    [
        (_nested(2_000), {}),
        ("@" + "[" * 5_000, {}),
        ("@item()" + "?['a']" * 1_000, {"item": {}}),
        ("@concat('" + "x" * 8_200 + "')", {}),
        ("@range(0, 1000000000)", {}),
        ("@concat(variables('t'), variables('t'))", {"variables": {"t": "x" * 100_000}}),
        ("@{variables('t')}@{variables('t')}", {"variables": {"t": "x" * 100_000}}),
        ("@replace(variables('t'), 'x', 'xxxxxxxxxx')", {"variables": {"t": "x" * 100_000}}),
        ("@base64(variables('t'))", {"variables": {"t": "x" * 130_000}}),
        ("@uriComponent(variables('t'))", {"variables": {"t": "é" * 30_000}}),
        ("@join(variables('a'), variables('t'))", {"variables": {"a": [1] * 999, "t": "-" * 999}}),
        ("@string(variables('a'))", {"variables": {"a": _doubled(60)}}),
        ("@createArray(variables('a'))", {"variables": {"a": _doubled(60)}}),
        ("@createArray(variables('a'))", {"variables": {"a": [[0] * 1_100] * 1_100}}),
        (
            "@equals(variables('a'), variables('b'))",
            {"variables": {"a": _doubled(60), "b": _doubled(60)}},
        ),
        ("@formatNumber(1, 'D999')", {}),
        ("@formatNumber(1, variables('t'))", {"variables": {"t": "0" * 10_000}}),
        ("@int(variables('t'))", {"variables": {"t": "9" * 100_000}}),
        ("@json(variables('t'))", {"variables": {"t": "[" * 100_000}}),
        ("@json(variables('t'))", {"variables": {"t": "9" * 10_000}}),
        ("@xml(variables('t'))", {"variables": {"t": "<a>" * 20_000}}),
        (
            '@xml(\'<!DOCTYPE a [<!ENTITY b "bb"><!ENTITY c "&b;&b;">]><a>&c;</a>\')',
            {},
        ),
        ("@addDays('2024-01-01', 9223372036854775807)", {}),
        ("@addToTime('2024-01-01', 9223372036854775807, 'Year')", {}),
        ("@int(mul(1e200, 1e200))", {}),
        ("@mul(decimal('7e9'), 1e200)", {}),
        (
            "@xpath(xml(variables('t')), '//a[//b[//a[//b]]]')",
            {"variables": {"t": f"<r>{'<a><b/></a>' * 500}</r>"}},
        ),
        (
            "@xpath(xml(variables('t')), variables('p'))",
            {"variables": {"t": "<r/>", "p": f"/r{'[1' * 5_000}{']' * 5_000}"}},
        ),
        (
            "@xpath(xml(variables('t')), '//a/following::a/preceding::a')",
            {"variables": {"t": f"<r>{'<a/>' * 6_000}</r>"}},
        ),
        ("@guid(variables('t'))", {"variables": {"t": "\ud800"}}),
        ("@base64ToString(variables('t'))", {"variables": {"t": "=" * 9}}),
        ("@parseDateTime(variables('t'), 'en-US')", {"variables": {"t": "1 " * 10_000}}),
        ("@parseDateTime('²/³/2024')", {}),
        ("@convertFromUtc('2024-01-01', '../../etc/passwd')", {}),
        ("@convertFromUtc('0001-01-01', 'Pacific Standard Time')", {}),
        ("@convertToUtc('9999-12-31T23:59:59', 'Pacific Standard Time')", {}),
    ],
)
def test_bomb_or_bad_input_is_a_typed_error_in_bounded_time(
    text: str, context: dict[str, Any]
) -> None:
    started = time.process_time()
    with pytest.raises(ExpressionError):
        value(text, **context)
    assert time.process_time() - started < 3


def test_xpath_over_many_nodes_is_bounded() -> None:
    text = f"<r>{'<a/>' * 2_000}</r>"
    started = time.process_time()
    result = value("@xpath(xml(variables('t')), 'count(//a)')", variables={"t": text})
    assert result == 2_000
    assert time.process_time() - started < 2


def test_long_arrays_of_objects_are_compared_by_lookup() -> None:
    items = [{"n": index, "tags": [index]} for index in range(20_000)]
    others = [{"tags": [index], "n": index} for index in range(10_000, 30_000)]
    both = value("@intersection(item()['a'], item()['b'])", item={"a": items, "b": others})
    assert both == items[10_000:]
    assert len(value("@union(item()['a'], item()['b'])", item={"a": items, "b": others})) == 30_000


def test_bounds_are_the_callers_choice() -> None:
    small = Bounds(source=20, result=5, depth=2, steps=3, items=2)
    with pytest.raises(ExpressionSyntaxError, match="the limit is 20"):
        parse_template("@concat('aaaaaaaaaaaaaaaaa', 'b')", small)
    with pytest.raises(ExpressionSyntaxError, match="nested deeper"):
        parse_template("@not(not(not(true)))", small)
    with pytest.raises(ExpressionEvaluationError, match="limit is '5'"):
        parse_template("@concat('aaa','bbb')", small).evaluate(scope())
    with pytest.raises(ExpressionEvaluationError, match="more than 2 values"):
        parse_template("@createArray(1,2)", small).evaluate(scope())
    with pytest.raises(ExpressionEvaluationError, match="3 steps"):
        parse_template("@range(0,9)", small).evaluate(scope())


def test_data_that_only_passes_through_is_not_measured() -> None:
    large = ["x" * 1_000] * 1_000
    assert value("@variables('v')", variables={"v": large}) is large


class Broken:
    """A scope whose every answer fails in its own way."""

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError(f"no {name}")


@pytest.mark.parametrize("text", ["@utcNow()", "@body('X')", "@item()", "@guid()", "@workflow()"])
def test_failing_scope_is_an_evaluation_error(text: str) -> None:
    with pytest.raises(ExpressionEvaluationError, match="RuntimeError"):
        parse_template(text).evaluate(Broken())  # type: ignore[arg-type]


def test_deep_json_is_an_evaluation_error() -> None:
    deep: Any = "@item()"
    for _ in range(5_000):
        deep = [deep]
    with pytest.raises(ExpressionEvaluationError, match="nested deeper"):
        evaluate_json(deep, scope(item=1))


@pytest.mark.parametrize(
    ("name", "arguments"), [("nope", []), ("add", [1]), ("add", ["a", 1]), ("div", [1, 0])]
)
def test_function_on_values_fails_with_an_evaluation_error(name: str, arguments: list[Any]) -> None:
    with pytest.raises(ExpressionEvaluationError):
        evaluate_function(name, arguments, scope())
