"""Values of expressions that are remembered between calls: the same as if they were not."""

from __future__ import annotations

from typing import Any

import pytest
from policy_bench import Bench

from hybridmandate.governance.gateway.document import Text
from hybridmandate.governance.gateway.errors import PolicyError
from hybridmandate.governance.gateway.values import Evaluated, Remembered, compile_value


def value(text: str) -> Remembered:
    made = compile_value(Text(text, 1, 1), "it.xml")
    assert isinstance(made, Remembered)
    return made


LONG = "x" * 201


@pytest.mark.parametrize(
    ("text", "calls"),
    [
        ('@(((string)context.Variables["a"]).ToUpper())', ["a", "b", "a", "", "b", LONG, LONG]),
        ('@("<" + ((string)context.Variables["a"]).Trim() + ">")', [" a", "a ", " a", "a"]),
        ('@(context.Variables.GetValueOrDefault<string>("a", "d").Trim())', ["a", None, "d", None]),
        ('@(context.Variables.ContainsKey("a") ? "a".ToUpper() : "no")', ["a", None, "b", None]),
    ],
)
async def test_value_follows_its_inputs(text: str, calls: list[str | None]) -> None:
    bench = Bench()
    remembered = value(text)
    for given in calls * 2:
        exchange = await bench.call()
        if given is not None:
            exchange.variables["a"] = given
        assert remembered.get(exchange) == Evaluated.get(remembered, exchange)


async def test_value_of_known_inputs_is_not_evaluated_again() -> None:
    exchange = await Bench().call()
    exchange.variables["a"] = "x"
    remembered = value('@(((string)context.Variables["a"]).ToUpper())')
    first = remembered.get(exchange)
    assert remembered.get(exchange) is first


@pytest.mark.parametrize("others", [[1, True, 1.0], [True, 1], ["1", 1]])
async def test_equal_values_of_other_types_are_told_apart(others: list[Any]) -> None:
    exchange = await Bench().call()
    remembered = value('@(context.Variables["a"].ToString().Trim())')
    for given in others * 2:
        exchange.variables["a"] = given
        assert remembered.get(exchange) == Evaluated.get(remembered, exchange)


async def test_inputs_that_always_differ_are_remembered_no_longer_than_a_while() -> None:
    exchange = await Bench().call()
    remembered = value('@(((string)context.Variables["a"]).ToUpper())')
    for number in range(300):
        exchange.variables["a"] = f"a{number}"
        assert remembered.get(exchange) == f"A{number}"
    exchange.variables["a"] = "a299"
    assert remembered.get(exchange) is not remembered.get(exchange)


async def test_failure_is_not_remembered() -> None:
    exchange = await Bench().call()
    remembered = value('@(Convert.ToInt32((string)context.Variables["a"]) + "".Length)')
    exchange.variables["a"] = "seven"
    for _ in range(2):
        with pytest.raises(Exception, match="correct format"):
            remembered.get(exchange)
    exchange.variables["a"] = "7"
    assert remembered.get(exchange) == 7


async def test_variable_that_is_null_is_told_from_one_that_is_missing() -> None:
    remembered = value('@(string.IsNullOrEmpty((string)context.Variables["a"]).ToString())')
    exchange = await Bench().call()
    exchange.variables["a"] = None
    assert remembered.get(exchange) == "True"
    del exchange.variables["a"]
    with pytest.raises(PolicyError, match="'a'"):
        remembered.get(exchange)
