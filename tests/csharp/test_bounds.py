"""Whatever an expression asks for, it ends within bounds of time and memory."""

from __future__ import annotations

import time
import tracemalloc
from pathlib import Path

import pytest

from hybridmandate.governance.gateway.csharp import (
    Budget,
    ExpressionFailure,
    ExpressionSyntaxError,
    compile_expression,
)

from .sample import context

_SECONDS = 10
_BOMBS = dict(
    line.split(": ", 1)
    for line in (Path(__file__).parent / "bombs.txt").read_text(encoding="utf-8").splitlines()
    if not line.startswith("#")
)


@pytest.mark.parametrize("name", _BOMBS)
def test_bomb_ends_as_failure_within_seconds_and_memory(name: str) -> None:
    compiled = compile_expression(_BOMBS[name], line=1, column=1)
    started = time.process_time()
    with pytest.raises(ExpressionFailure) as caught:
        compiled.evaluate(context(), Budget(100_000, 16 * 1024 * 1024, seconds=0.5))
    assert time.process_time() - started < _SECONDS
    assert caught.value.dotnet_type in (
        "BudgetExceeded",
        "RegexMatchTimeoutException",
        "InsufficientExecutionStackException",
        "OverflowException",
        "ArgumentOutOfRangeException",
    )


def test_memory_stays_near_the_allowance() -> None:
    compiled = compile_expression(_BOMBS["doubling text"], line=1, column=1)
    tracemalloc.start()
    try:
        with pytest.raises(ExpressionFailure):
            compiled.evaluate(context(), Budget(100_000, 4 * 1024 * 1024))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 16 * 1024 * 1024


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("@(" + "(" * 500 + "1" + ")" * 500 + ")", "nested deeper"),
        ("@(" + "!" * 500 + "true)", "nested deeper"),
        ('@("' + "a" * 70_000 + '")', "at most"),
        ("@{ " + "if (true) { " * 300 + "return 1; " + "}" * 301, "nested deeper"),
        ("@(" + "x => " * 300 + "1)", "nested deeper"),
        ("@(" + "[" * 30_000 + ")", "C# syntax"),
        ("@(" + "{" * 30_000 + ")", ""),
        ("@(" + "a.b(" * 300 + ")" * 300 + ")", ""),
        ("", "@(…) or @{…}"),
        ("@", "@(…) or @{…}"),
        ("@()", ""),
    ],
)
def test_bad_source_is_refused_quickly(text: str, reason: str) -> None:
    started = time.process_time()
    with pytest.raises(ExpressionSyntaxError) as caught:
        compile_expression(text, line=1, column=1)
    assert reason in caught.value.reason
    assert time.process_time() - started < _SECONDS


def test_long_concatenation_is_not_nesting() -> None:
    text = "@(" + " + ".join(['"ab"'] * 2000) + ")"
    assert compile_expression(text, line=1, column=1).evaluate(context(), Budget()) == "ab" * 2000


def test_long_else_if_chain_is_not_recursion() -> None:
    branches = " else ".join(f"if (n == {i}) return {i};" for i in range(60))
    text = "@{ int n = 59; " + branches + " return -1; }"
    assert compile_expression(text, line=1, column=1).evaluate(context(), Budget()) == 59


def test_budget_is_shared_by_evaluations() -> None:
    compiled = compile_expression(
        "@{ int s = 0; for (int i = 0; i < 60; i++) { s++; } return s; }", line=1, column=1
    )
    budget = Budget(steps=100)
    assert compiled.evaluate(context(), budget) == 60
    with pytest.raises(ExpressionFailure, match="too many steps"):
        compiled.evaluate(context(), budget)
    assert budget.steps_left == 0


def test_long_row_of_operators_is_refused() -> None:
    with pytest.raises(ExpressionSyntaxError, match="operators stand in one row"):
        compile_expression("@(" + " && ".join(["true"] * 300) + ")", line=1, column=1)
