"""Sample texts have the form that expressions take them apart by."""

from __future__ import annotations

from typing import Any

import pytest

from hybridmandate.orchestration.expressions import parse_template
from hybridmandate.orchestration.expressions.syntax import Call
from hybridmandate.orchestration.testing.text_forms import PLAIN, form_of


def formed(expression: str, known: Any = None) -> str:
    (node,) = parse_template(f"@{expression}").nodes
    assert isinstance(node, Call)
    return form_of(node.name.lower(), node.arguments, known)


@pytest.mark.parametrize(
    ("expression", "length"),
    [
        ("substring(body('A'), 0, 10)", 10),
        ("substring(body('A'), sub(length(body('A')), 36), 36)", 36),
        ("substring(body('A'), int(outputs('N')), 36)", 36),
        ("substring(body('A'), 12)", 12),
    ],
)
def test_a_text_is_as_long_as_what_is_cut_from_it(expression: str, length: int) -> None:
    assert len(formed(expression)) == length


def test_a_text_holds_what_is_searched_in_it() -> None:
    first = formed("indexOf(body('A'), '@')")
    both = formed("lastIndexOf(body('A'), 'x')", first)
    assert first.startswith(f"{PLAIN}@")
    assert {"@", "x"} <= set(both)
    assert formed("indexOf(body('A'), '@')", first) == ""


def test_what_a_flow_compares_with_stays() -> None:
    assert formed("indexOf(body('A'), '@')", "Stop") == ""
    assert formed("substring(body('A'), 0, 40)", "Stop") == ""


def test_huge_or_computed_cuts_ask_for_nothing() -> None:
    assert formed("substring(body('A'), 0, 100000)") == ""
    assert formed("substring(body('A'), 0, length(body('B')))") == ""
