"""Expressions become Python code that holds no text of theirs and reaches nothing else."""

from __future__ import annotations

import builtins
import time
from typing import Any

import pytest

from hybridmandate.governance.gateway.csharp import Budget, ExpressionFailure, compile_expression
from hybridmandate.governance.gateway.csharp.python_code import KNOWN, PythonCode, literal

from .sample import context


def value_of(text: str) -> Any:
    return compile_expression(text, line=1, column=1).evaluate(context(), Budget())


@pytest.mark.parametrize(
    "text",
    [
        "V", "V1", "A", "B if A else C", "k", "f[0]", "run", "null()", "'", '\\"', "{V}", "{{V}}",
        "__import__('os').system('true')", "\\n", "\\\\",
    ],
)  # fmt: skip
def test_text_of_an_expression_is_never_code(text: str) -> None:
    plain = text.replace("\\n", "\n").replace('\\"', '"').replace("\\\\", "\\")
    assert value_of(f'@("{text}")') == plain
    assert value_of(f'@("{text}" + context.Request.Method + "{text}")') == f"{plain}GET{plain}"
    assert value_of(f'@(context.Variables.GetValueOrDefault("{text}", "{text}"))') == plain


def test_generated_functions_reach_no_builtins() -> None:
    made = PythonCode().function(literal(1))
    assert made.__globals__["__builtins__"] == {}
    allowed = {"bool", "bytearray", "bytes", "int", "len", "str", "tuple", "type"}
    assert {name for name in KNOWN if hasattr(builtins, name)} == allowed


@pytest.mark.parametrize("levels", [30, 95])
def test_deep_expressions_keep_their_value(levels: int) -> None:
    conditions = "".join(f"{number} == 1 ? 0 : (" for number in range(2, levels // 2))
    assert value_of(f"@({conditions}7{')' * (levels // 2 - 2)})") == 7
    chain = ".Trim()" * (levels // 2)
    assert value_of(f'@("  a "{chain})') == "a"
    assert value_of(f"@({'!' * (levels // 2 * 2)}true)") is True


def test_wide_expressions_load_quickly() -> None:
    started = time.process_time()
    parts = ' + "-" + '.join(['(context.Request.Method ?? "none")'] * 400)
    assert value_of(f"@({parts})") == "-".join(["GET"] * 400)
    assert time.process_time() - started < 5


@pytest.mark.parametrize(
    ("text", "settled"),
    [
        ('@("none" != "none")', (False,)),
        ('@("a" == "a")', (True,)),
        ("@(null)", (None,)),
        ("@(5)", (5,)),
        ('@("a" + "b")', None),
        ("@(context.Request.Method)", None),
        ("@{ return 5; }", None),
    ],
)
def test_value_that_stands_in_the_source_is_known_at_load(text: str, settled: Any) -> None:
    assert compile_expression(text, line=1, column=1).settled == settled


@pytest.mark.parametrize(
    ("text", "steady"),
    [
        ('@((string)context.Variables["a"])', True),
        ('@(context.Request.Headers.GetValueOrDefault("a", ""))', True),
        ("@(context.RequestId + context.Api.Name)", True),
        ("@(context.Request.OriginalUrl.Path)", True),
        ("@(context.Request.Url.Path)", False),
        ("@(context.Response.StatusCode)", False),
        ("@(context.LastError.Reason)", False),
        ('@{ var c = context; return c.Variables["a"]; }', False),
        ("@{ var r = context.Request; return r.Url.Path; }", False),
    ],
)
def test_expression_tells_whether_the_call_can_change_what_it_reads(
    text: str, steady: bool
) -> None:
    assert compile_expression(text, line=1, column=1).steady is steady


@pytest.mark.parametrize(
    "text",
    [
        "@{ var l = new List<string>(); while (true) { l.Add(context.RequestId + \"x\"); } }",
        "@{ var s = \"ab\"; while (true) { s = s.Trim() + $\"{s}\"; } }",
        "@{ var n = 2147483647; while (true) { n = n + 1; } }",
        "@(Enumerable.Range(0, 1000000).Select(n => n + \"x\").Count())",
    ],
)  # fmt: skip
def test_short_code_pays_like_long_code(text: str) -> None:
    compiled = compile_expression(text, line=1, column=1)
    with pytest.raises(ExpressionFailure) as caught:
        compiled.evaluate(context(), Budget(50_000, 4 * 1024 * 1024, seconds=2))
    assert caught.value.dotnet_type == "BudgetExceeded"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("@{ int n = 2147483647; return n + 1; }", -2147483648),
        ("@{ int n = -2147483648; return n - 1; }", 2147483647),
        ("@{ int? n = null; return n > 1; }", False),
        ("@{ bool? b = null; return b == true; }", False),
        ('@{ string s = null; return s == null ? "null" : s.Trim(); }', "null"),
        ('@{ string s = null; return s?.Trim()?.Length ?? -1; }', -1),
        ('@{ string s = null; return "a" + s + 1 + true; }', "a1True"),
        ('@{ var n = 0; var b = false && n++ > 0; return n; }', 0),
    ],
)  # fmt: skip
def test_short_code_keeps_the_rules_of_csharp(text: str, expected: Any) -> None:
    assert value_of(text) == expected
