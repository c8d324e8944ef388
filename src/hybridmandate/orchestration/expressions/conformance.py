"""Cases in the format of ``flow_expressions.README.md``, run against this language.

A case is one JSON object a line: ``id``, ``expr``, exactly one of ``expect``, ``expect_error``,
``expect_regex``, ``expect_any_of``, and optionally a ``context`` that describes the run.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

from hybridmandate.orchestration.expressions.dotnet.date_parse import parse_date
from hybridmandate.orchestration.expressions.dotnet.instants import Instant
from hybridmandate.orchestration.expressions.errors import ExpressionError
from hybridmandate.orchestration.expressions.template import parse_template

_EXPECTATIONS = ("expect", "expect_error", "expect_regex", "expect_any_of")


class CaseScope:
    """The scope that a case's context describes. What it does not name is not there."""

    def __init__(self, context: Mapping[str, Any], *, moment: datetime, seed: int = 0) -> None:
        self._context = context
        self._moment = moment
        self._random = Random(seed)  # noqa: S311 - cases must repeat

    def trigger(self) -> Mapping[str, Any]:
        """The context's trigger."""
        found: Mapping[str, Any] = self._context.get("trigger", {})
        return found

    def trigger_outputs(self) -> Any:
        """The trigger's outputs."""
        return self.trigger().get("outputs")

    def action(self, name: str) -> Mapping[str, Any] | None:
        """The record of a named action. :raises LookupError: when the context has none."""
        found: Mapping[str, Any] | None = self._named("actions", name)
        if found is None:
            return None
        return {"name": name, **{key: each for key, each in found.items() if key != "children"}}

    def action_outputs(self, name: str) -> Any:
        """The outputs of the context's action of that name."""
        found: Mapping[str, Any] | None = self._named("actions", name)
        return None if found is None else found.get("outputs")

    def current_action(self) -> Mapping[str, Any] | None:
        """The context's current action."""
        found: Mapping[str, Any] | None = self._context.get("action")
        return found

    def result(self, scope_name: str) -> Sequence[Any]:
        """The ``children`` of an action of the context."""
        children: Any = self._named("actions", scope_name).get("children", [])
        if isinstance(children, dict):
            return [{"name": name, **each} for name, each in children.items()]
        return list(children)

    def variable(self, name: str) -> Any:
        """A variable of the context."""
        return self._named("variables", name)

    def parameter(self, name: str) -> Any:
        """A parameter of the context."""
        return self._named("parameters", name)

    def item(self) -> Any:
        """The context's item."""
        return self._context["item"]

    def items(self, loop: str) -> Any:
        """The item of a loop of the context."""
        return self._named("items", loop)

    def iteration_index(self, loop: str) -> int:
        """The index of a loop of the context."""
        return int(self._named("iterationIndexes", loop))

    def workflow(self) -> Mapping[str, Any]:
        """The context's workflow."""
        found: Mapping[str, Any] = self._context.get("workflow", {})
        return found

    def now(self) -> datetime | Instant:
        """The context's moment, else the one given at the start."""
        text = self._context.get("now")
        return self._moment if text is None else parse_date(str(text))

    def new_guid(self) -> str:
        """A GUID of the case's random sequence."""
        return str(uuid.UUID(int=self._random.getrandbits(128), version=4))

    def random(self) -> float:
        """The next number of the case's random sequence."""
        return self._random.random()

    def _named(self, kind: str, name: str) -> Any:
        group = self._context.get(kind, {})
        if name in group:
            return group[name]
        for key, value in group.items():
            if key.lower() == name.lower():
                return value
        raise LookupError(f"the context has no '{name}' under '{kind}'")


def run_cases(
    path: Path, moment: datetime = datetime(2026, 1, 1, tzinfo=UTC)
) -> list[tuple[str, bool, str]]:
    """Each case's id, whether it holds, and why not (empty when it holds).

    ``moment`` is the present for cases that do not freeze it.

    :raises ValueError: with the line, when the file is not in the format.
    """
    results: list[tuple[str, bool, str]] = []
    # Not splitlines(): a text in a case may hold the line ends of Unicode, which JSON leaves as is.
    for number, line in enumerate(path.read_text("utf-8-sig").split("\n"), start=1):
        if line.strip():
            case = _read(line, number)
            why = _check(case, moment)
            results.append((str(case["id"]), not why, why))
    return results


def _read(line: str, number: int) -> dict[str, Any]:
    try:
        case = json.loads(line)
    except ValueError as wrong:
        raise ValueError(f"line {number}: not JSON: {wrong}") from wrong
    if not isinstance(case, dict) or not isinstance(case.get("expr"), str) or "id" not in case:
        raise ValueError(f"line {number}: a case needs 'id' and 'expr'")
    if sum(key in case for key in _EXPECTATIONS) != 1:
        raise ValueError(f"line {number}: exactly one of {', '.join(_EXPECTATIONS)} must stand")
    if not isinstance(case.get("context", {}), dict):
        raise ValueError(f"line {number}: 'context' must be an object")
    return case


def _check(case: Mapping[str, Any], moment: datetime) -> str:
    scope = CaseScope(case.get("context", {}), moment=moment)
    try:
        value = parse_template(case["expr"]).evaluate(scope)
    except ExpressionError as error:
        return "" if "expect_error" in case else f"error: {error}"
    if "expect_error" in case:
        return f"an error is expected, the value is {_shown(value)}"
    if "expect_regex" in case:
        fits = isinstance(value, str) and bool(re.search(case["expect_regex"], value))
        return "" if fits else f"{_shown(value)} does not match {case['expect_regex']}"
    if "expect_any_of" in case:
        fits = any(_equal(value, each) for each in case["expect_any_of"])
        return "" if fits else f"{_shown(value)} is none of {_shown(case['expect_any_of'])}"
    if _equal(value, case["expect"]):
        return ""
    return f"{_shown(case['expect'])} is expected, the value is {_shown(value)}"


def _equal(value: Any, expected: Any) -> bool:
    """JSON equality: a boolean is no number, 1 and 1.0 are the same number."""
    if isinstance(value, bool) or isinstance(expected, bool):
        return value is expected
    if isinstance(value, list) and isinstance(expected, list):
        return len(value) == len(expected) and all(map(_equal, value, expected))
    if isinstance(value, dict) and isinstance(expected, dict):
        return value.keys() == expected.keys() and all(
            _equal(value[key], expected[key]) for key in value
        )
    return (type(value) is type(expected) and value == expected) or (
        isinstance(value, int | float) and isinstance(expected, int | float) and value == expected
    )


def _shown(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)[:300]
