"""Every vector of the conformance file, every case of our own, every example of the page."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hybridmandate.orchestration.expressions import parse_template
from hybridmandate.orchestration.expressions.conformance import run_cases
from hybridmandate.orchestration.expressions.reference import example_scope, render
from hybridmandate.orchestration.expressions.registry import FUNCTIONS, Function

_HERE = Path(__file__).parent
_ROOT = _HERE.parent.parent
_VECTORS = _ROOT / "tests" / "conformance" / "flow_expressions.jsonl"
_OWN = _HERE / "functions.jsonl"
_PAGE = _ROOT / "docs" / "flows" / "expressions.md"


def _cases(path: Path) -> list[Any]:
    return [pytest.param(ok, why, id=name) for name, ok, why in run_cases(path)]


def _own() -> list[dict[str, Any]]:
    return [json.loads(line) for line in _OWN.read_text("utf-8").splitlines()]


@pytest.mark.parametrize(("holds", "why"), _cases(_VECTORS))
def test_vector_holds(holds: bool, why: str) -> None:
    assert holds, why


@pytest.mark.parametrize(("holds", "why"), _cases(_OWN))
def test_case_holds(holds: bool, why: str) -> None:
    assert holds, why


def test_every_function_has_cases_of_its_own() -> None:
    tested = {case["fn"].lower() for case in _own()}
    assert {each.name for key, each in FUNCTIONS.items() if key not in tested} == set()


def test_case_ids_are_unique() -> None:
    ids = [case["id"] for case in _own()]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("function", FUNCTIONS.values(), ids=lambda each: each.name)
def test_example_evaluates_to_what_the_page_says(function: Function) -> None:
    value = parse_template(f"@{function.example}").evaluate(example_scope())
    assert (type(value), value) == (type(function.gives), function.gives)
    assert function.name.lower() in function.example.lower()


@pytest.mark.parametrize("function", FUNCTIONS.values(), ids=lambda each: each.name)
def test_every_function_says_what_it_gives(function: Function) -> None:
    assert function.summary.endswith(".")
    assert function.source.startswith("https://learn.microsoft.com/")


def test_page_is_what_the_code_says() -> None:
    assert _PAGE.read_text("utf-8") == render(), (
        "write reference.render() to docs/flows/expressions.md"
    )


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("{", "line 1: not JSON"),
        ("[]", "line 1: a case needs"),
        ('{"id": "a"}', "line 1: a case needs"),
        ('{"id": "a", "expr": "@1"}', "exactly one of"),
        ('{"id": "a", "expr": "@1", "expect": 1, "expect_error": true}', "exactly one of"),
        ('{"id": "a", "expr": "@1", "expect": 1, "context": []}', "'context' must be"),
    ],
)
def test_file_in_another_format_is_refused(tmp_path: Path, line: str, reason: str) -> None:
    path = tmp_path / "cases.jsonl"
    path.write_text(f"{line}\n", "utf-8")
    with pytest.raises(ValueError, match=reason):
        run_cases(path)


@pytest.mark.parametrize(
    ("case", "why"),
    [
        ({"expr": "@1", "expect": True}, "true is expected, the value is 1"),
        ({"expr": "@createArray(1)", "expect": [2]}, "[2] is expected, the value is [1]"),
        ({"expr": "@int('x')", "expect": 1}, "error:"),
        ({"expr": "@1", "expect_error": True}, "an error is expected, the value is 1"),
        ({"expr": "abc", "expect_regex": "^x"}, "does not match"),
        ({"expr": "@3", "expect_any_of": [1, 2]}, "is none of"),
    ],
)
def test_case_that_does_not_hold_says_why(tmp_path: Path, case: dict[str, Any], why: str) -> None:
    path = tmp_path / "cases.jsonl"
    path.write_text(json.dumps({"id": "a", **case}), "utf-8")
    [(name, holds, reason)] = run_cases(path)
    assert (name, holds) == ("a", False)
    assert why in reason


def test_a_text_in_a_case_may_hold_any_line_end(tmp_path: Path) -> None:
    path = tmp_path / "cases.jsonl"
    text = "a\u2028b\x85c"
    lines = [
        json.dumps({"id": name, "expr": text, "expect": text}, ensure_ascii=False) for name in "ab"
    ]
    path.write_bytes(b"\xef\xbb\xbf" + "\r\n".join(lines).encode())
    assert run_cases(path) == [("a", True, ""), ("b", True, "")]
