"""What an expression tells about itself, where it says what is wrong, and what it lists."""

from __future__ import annotations

import html
import json
import re
import time
from pathlib import Path

import pytest

from hybridmandate.governance.gateway.csharp import (
    Budget,
    ExpressionFailure,
    ExpressionSyntaxError,
    compile_expression,
)
from hybridmandate.governance.gateway.csharp.types.table import described
from hybridmandate.governance.gateway.csharp_text import expression_end

from .sample import BytesBody, context

_ROOT = Path(__file__).parents[2]
_PAGE = _ROOT / "docs" / "gateway" / "expressions.md"
_CASES = _ROOT / "tests" / "conformance" / "gateway_policies.jsonl"


@pytest.mark.parametrize(
    ("text", "request_body", "response_body"),
    [
        ("@(context.Request.Method)", False, False),
        ("@(context.Request.Body.As<string>())", True, False),
        ("@(context.Request.Body != null)", True, False),
        ("@(context.Request?.Body?.As<string>())", True, False),
        ("@(context.Response.Body.As<string>(true))", False, True),
        ("@{ var r = context.Request; return r.Body.As<string>(); }", True, False),
        ('@(((IResponse)context.Variables["r"]).Body.As<string>())', False, True),
        ("@{ dynamic r = context.Response; return r.Body.As<string>(); }", True, True),
        ('@(context.Response.StatusCode + "Body")', False, False),
        ("@(new [] {1}.Select(x => context.Request.Body.As<string>(true)).First())", True, False),
    ],
)
def test_expression_tells_which_bodies_it_reads(
    text: str, request_body: bool, response_body: bool
) -> None:
    compiled = compile_expression(text, line=1, column=1)
    assert compiled.reads_request_body is request_body
    assert compiled.reads_response_body is response_body


@pytest.mark.parametrize(
    ("text", "line", "column", "expected"),
    [
        ("@(nope)", 10, 5, (10, 7)),
        ("@(\n  nope)", 10, 5, (11, 3)),
        ("@{\n  var é = 1;\n  return é + nope;\n}", 3, 9, (5, 14)),
        ("  @(nope)", 10, 5, (10, 9)),
        ("\n  @(nope)", 10, 5, (11, 5)),
        ("@{ return 1 }", 2, 2, (2, 13)),
        ("no expression", 4, 6, (4, 6)),
    ],
)
def test_error_is_placed_in_the_document(
    text: str, line: int, column: int, expected: tuple[int, int]
) -> None:
    with pytest.raises(ExpressionSyntaxError) as caught:
        compile_expression(text, line=line, column=column)
    assert (caught.value.line, caught.value.column) == expected


def test_body_is_consumed_unless_it_is_preserved() -> None:
    kept, taken = BytesBody(b"x"), BytesBody(b"x")
    given = context()
    given.request.body = kept
    preserve = compile_expression("@(context.Request.Body.As<string>(true))", line=1, column=1)
    assert preserve.evaluate(given, Budget()) == "x"
    given.request.body = taken
    consume = compile_expression("@(context.Request.Body.As<string>())", line=1, column=1)
    assert consume.evaluate(given, Budget()) == "x"
    assert (kept.content, taken.content) == (b"x", None)


def test_body_is_null_when_the_message_has_none() -> None:
    given = context()
    given.request.body = None
    compiled = compile_expression("@(context.Request.Body == null)", line=1, column=1)
    assert compiled.evaluate(given, Budget()) is True


def test_bytes_leave_an_expression_as_bytes() -> None:
    compiled = compile_expression("@(new byte[] {1, 2})", line=1, column=1)
    value = compiled.evaluate(context(), Budget())
    assert (type(value), value) == (bytes, b"\x01\x02")


def test_evaluations_do_not_share_state() -> None:
    compiled = compile_expression(
        "@{ var l = new List<int>(); l.Add(1); return l.Count; }", line=1, column=1
    )
    assert [compiled.evaluate(context(), Budget()) for _ in range(3)] == [1, 1, 1]


def test_trace_reaches_the_gateway() -> None:
    seen: list[str] = []
    given = context()
    given.trace = seen.append
    compile_expression('@{ context.Trace("here"); return 1; }', line=1, column=1).evaluate(
        given, Budget()
    )
    assert seen == ["here"]


def test_failure_names_type_and_message() -> None:
    compiled = compile_expression('@(int.Parse("x"))', line=1, column=1)
    with pytest.raises(ExpressionFailure) as caught:
        compiled.evaluate(context(), Budget())
    assert caught.value.dotnet_type == "FormatException"
    assert str(caught.value) == "The input string 'x' was not in a correct format."


def _conformance_expressions() -> list[object]:
    found: dict[str, str] = {}
    for line in _CASES.read_text(encoding="utf-8").splitlines():
        case = json.loads(line)
        policy = case["policy"]
        for match in re.finditer(r"@[({]", policy):
            before = policy[: match.start()].rstrip()
            end = expression_end(policy, match.start()) if before[-1:] in '">' else None
            if end is not None:
                text = policy[match.start() : end]
                escaped = case["name"].startswith("rawxml/")
                found.setdefault(text if escaped else html.unescape(text), case["name"])
    return [pytest.param(text, id=name) for text, name in found.items()]


@pytest.mark.parametrize("text", _conformance_expressions())
def test_expression_of_the_conformance_cases_compiles(text: str) -> None:
    if "{{" in text:
        text = re.sub(r"\{\{[\w.-]+\}\}", "1", text)
    assert compile_expression(text, line=1, column=1)


def test_simple_expression_takes_microseconds() -> None:
    compiled = compile_expression(
        '@(context.Request.Headers.GetValueOrDefault("x","") )', line=1, column=1
    )
    given, budget, count = context(), Budget(), 5000
    best = min(_seconds(compiled, given, budget, count) for _ in range(5))
    assert best / count < 50e-6


def _seconds(compiled: object, given: object, budget: Budget, count: int) -> float:
    evaluate = compiled.evaluate  # type: ignore[attr-defined]
    started = time.perf_counter()
    for _ in range(count):
        evaluate(given, budget)
    return time.perf_counter() - started


def test_documentation_lists_every_type_and_member() -> None:
    page = _PAGE.read_text(encoding="utf-8").split("## Types and members")[1]
    listed = {
        match[1]: match[2].split(", ") if match[2] else []
        for match in re.finditer(r"^\| `([^`]+)` \|(?: ([^|]*[^| ]))? \|$", page, re.MULTILINE)
    }
    assert listed == described()


def test_form_takes_a_new_name_and_is_written_with_each_of_its_values() -> None:
    text = (
        "@{ var form = context.Request.Body.AsFormUrlEncodedContent(); "
        'form["new"].Add("x y"); int none = form["none"].Count; '
        'return none + ":" + form.ToFormUrlEncodedContent(); }'
    )
    found = compile_expression(text, line=1, column=1).evaluate(context(b"a=1&b=2&a=3"), Budget())
    assert found == "0:a=1&a=3&b=2&new=x+y"
