"""Each line of facts/*.txt holds: an expression and what C# makes of it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from hybridmandate.governance.gateway.csharp import (
    Budget,
    ExpressionFailure,
    ExpressionSyntaxError,
    as_text,
    compile_expression,
)

from .sample import context

_FACTS = Path(__file__).parent / "facts"


def _cases() -> list[object]:
    found = []
    for file in sorted(_FACTS.glob("*.txt")):
        pending = ""
        for number, line in enumerate(file.read_text(encoding="utf-8").split("\n"), 1):
            if not pending and (not line.strip() or line.startswith("#")):
                continue
            pending += line
            expression, arrow, expected = pending.rpartition(" ==>")
            if not arrow:
                pending += "\n"
                continue
            pending = ""
            expected = expected.removeprefix(" ")
            found.append(pytest.param(expression, expected, id=f"{file.stem}:{number}"))
    return found


@pytest.mark.parametrize(("expression", "expected"), _cases())
def test_expression_gives_what_csharp_gives(expression: str, expected: str) -> None:
    if expected.startswith("?") and re.match(r"\?\d+:", expected):
        _expect_load_error(expression, expected)
    elif re.match(r"!\w+: ?", expected):
        _expect_failure(expression, expected)
    else:
        value = compile_expression(expression, line=1, column=1).evaluate(context(), Budget())
        shown = "<null>" if value is None else as_text(value)
        assert shown == expected.replace("\\n", "\n").replace('\\\\"', '\\"') or shown == expected


def _expect_load_error(expression: str, expected: str) -> None:
    place, _, reason = expected[1:].partition(" ")
    line, _, column = place.partition(":")
    with pytest.raises(ExpressionSyntaxError) as caught:
        compile_expression(expression, line=1, column=1)
    assert reason in caught.value.reason
    assert caught.value.line == int(line)
    if column:
        assert caught.value.column == int(column)


def _expect_failure(expression: str, expected: str) -> None:
    kind, _, message = expected[1:].partition(":")
    compiled = compile_expression(expression, line=1, column=1)
    with pytest.raises(ExpressionFailure) as caught:
        compiled.evaluate(context(), Budget())
    assert (caught.value.dotnet_type, message.strip() in caught.value.message) == (kind, True)
