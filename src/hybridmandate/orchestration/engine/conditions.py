"""Conditions of If, Until and triggers: an expression, or operators written as an object.

Operators: ``and``, ``or``, ``not`` and the comparison functions of the expression language
(``equals``, ``greater``, ``contains`` …), each applied to its evaluated operands. ``and`` and
``or`` stop at the first operand that decides.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from hybridmandate.orchestration.engine.outcomes import ActionFault
from hybridmandate.orchestration.expressions import type_name

COMPARISONS = frozenset(
    {
        "contains",
        "empty",
        "endsWith",
        "equals",
        "greater",
        "greaterOrEquals",
        "less",
        "lessOrEquals",
        "startsWith",
    }
)
_BY_LOWER = {name.lower(): name for name in COMPARISONS}


class Evaluates(Protocol):
    """What a condition needs: values of operands, and the expression functions."""

    def evaluate(self, value: Any) -> Any:
        """The value with its expressions evaluated."""

    def call(self, function: str, *arguments: Any) -> Any:
        """The result of an expression function on values."""


def holds(condition: Any, reader: Evaluates) -> bool:
    """Whether a condition is true. :raises ActionFault: when it is not a truth value."""
    if isinstance(condition, dict):
        if len(condition) != 1:
            return all(holds({name: operands}, reader) for name, operands in condition.items())
        ((name, operands),) = condition.items()
        return _operator(str(name), operands, reader)
    value = reader.evaluate(condition)
    if isinstance(value, str) and value.lower() in ("true", "false"):
        return value.lower() == "true"
    if not isinstance(value, bool):
        raise ActionFault(
            "InvalidTemplate",
            f"a condition must be true or false; it is of type '{type_name(value)}'",
        )
    return value


def _operator(name: str, operands: Any, reader: Evaluates) -> bool:
    logical: dict[str, Callable[[Any], bool]] = {
        "and": lambda each: all(holds(part, reader) for part in each),
        "or": lambda each: any(holds(part, reader) for part in each),
        "not": lambda each: not holds(each[0] if isinstance(each, list) else each, reader),
    }
    lowered = name.lower()
    if lowered in logical:
        if lowered != "not" and not isinstance(operands, list):
            raise ActionFault("InvalidTemplate", f"'{name}' needs a list of conditions")
        return logical[lowered](operands)
    function = _BY_LOWER.get(lowered)
    if function is None:
        raise ActionFault("InvalidTemplate", f"'{name}' is not an operator of conditions")
    values = reader.evaluate(operands)
    return bool(reader.call(function, *(values if isinstance(values, list) else [values])))
