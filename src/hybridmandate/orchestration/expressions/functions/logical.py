"""Logical comparison functions. ``and``, ``or`` and ``if`` evaluate no more than they need."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hybridmandate.orchestration.expressions.bounds import Frame
from hybridmandate.orchestration.expressions.dotnet.number_parse import (
    INVARIANT,
    is_whole,
    parse_decimal,
    parse_not_finite,
)
from hybridmandate.orchestration.expressions.errors import FunctionFault
from hybridmandate.orchestration.expressions.registry import (
    Family,
    Thunk,
    optional,
    repeated,
    required,
)
from hybridmandate.orchestration.expressions.values import (
    ANY,
    BOOLEAN,
    NUMBER,
    TEXT,
    is_number,
    same,
    type_name,
)

logical = Family("Logical comparison")
ORDERED = NUMBER | TEXT


@logical.lazy(
    "and", repeated("expressions", BOOLEAN), example="and(equals(1, 1), equals(2, 2))", gives=True
)
def and_(frame: Frame, thunks: Sequence[Thunk]) -> bool:
    """Whether all expressions are true; stops at the first that is not."""
    return all(_truth(thunk(frame), at + 1) for at, thunk in enumerate(thunks))


@logical.lazy(
    "or", repeated("expressions", BOOLEAN), example="or(equals(1, 1), equals(1, 2))", gives=True
)
def or_(frame: Frame, thunks: Sequence[Thunk]) -> bool:
    """Whether one expression is true; stops at the first that is."""
    return any(_truth(thunk(frame), at + 1) for at, thunk in enumerate(thunks))


@logical.lazy(
    "if",
    required("expression", BOOLEAN),
    required("valueIfTrue", ANY),
    required("valueIfFalse", ANY),
    example="if(equals(1, 1), 'yes', 'no')",
    gives="yes",
)
def if_(frame: Frame, thunks: Sequence[Thunk]) -> Any:
    """One of two values by a condition; the other is not evaluated."""
    condition, positive, negative = thunks
    return positive(frame) if _truth(condition(frame), 1) else negative(frame)


def _truth(value: Any, argument: int) -> bool:
    if type(value) is bool:
        return value
    raise FunctionFault(
        f"The value must be a boolean, it is of type '{type_name(value)}'",
        argument=argument,
        expected="a boolean",
        value=value,
    )


@logical.function("not", required("expression", BOOLEAN), example="not(true)", gives=False)
def not_(frame: Frame, value: bool) -> bool:
    """The opposite of a boolean."""
    return not value


@logical.function(
    "equals",
    repeated("objects", ANY, least=2),
    example="equals('abc', 'abcd')",
    gives=False,
)
def equals(frame: Frame, one: Any, *others: Any) -> bool:
    """Whether all values are equal to the first: numbers by value, texts with their case."""
    return all(same(frame, one, each) for each in others)


@logical.function(
    "greater",
    required("value", ORDERED),
    required("compareTo", ORDERED),
    example="greater(10, 5)",
    gives=True,
)
def greater(frame: Frame, one: Any, other: Any) -> bool:
    """Whether the first number or text is greater than the second."""
    return order(one, other) > 0


@logical.function(
    "greaterOrEquals",
    required("value", ORDERED),
    required("compareTo", ORDERED),
    example="greaterOrEquals(5, 5)",
    gives=True,
)
def greater_or_equals(frame: Frame, one: Any, other: Any) -> bool:
    """Whether the first number or text is greater than the second or equal."""
    return order(one, other) >= 0


@logical.function(
    "less",
    required("value", ORDERED),
    required("compareTo", ORDERED),
    example="less('banana', 'apple')",
    gives=False,
)
def less(frame: Frame, one: Any, other: Any) -> bool:
    """Whether the first number or text is less than the second."""
    return order(one, other) < 0


@logical.function(
    "lessOrEquals",
    required("value", ORDERED),
    required("compareTo", ORDERED),
    example="lessOrEquals('apply', 'apple')",
    gives=False,
)
def less_or_equals(frame: Frame, one: Any, other: Any) -> bool:
    """Whether the first number or text is less than the second or equal."""
    return order(one, other) <= 0


def order(one: Any, other: Any) -> int:
    """Negative, zero or positive. :raises FunctionFault: when the values have no order."""
    numbers = is_number(one) and is_number(other)
    if not numbers and not (isinstance(one, str) and isinstance(other, str)):
        raise FunctionFault(
            f"Values of type '{type_name(one)}' and '{type_name(other)}' cannot be compared",
            argument=2,
            expected="a value of the type of the first" if is_number(one) else "a string",
            value=other,
        )
    return int(one > other) - int(one < other)


@logical.function(
    "isInt",
    required("text", TEXT),
    example="isInt('10')",
    gives=True,
)
def is_int(frame: Frame, text: str) -> bool:
    """Whether a text is an integer of 64 bits."""
    return is_whole(text)


@logical.function(
    "isFloat",
    required("text", TEXT),
    optional("locale", TEXT),
    example="isFloat('10.000,00', 'de-DE')",
    gives=True,
)
def is_float(frame: Frame, text: str, locale: str = INVARIANT) -> bool:
    """Whether a text is a number in a culture, the invariant one when none is given."""
    return parse_decimal(text, locale) is not None or parse_not_finite(text, locale) is not None


@logical.lazy(
    "coalesce", repeated("values", ANY), example="coalesce(null, 'hello', 'world')", gives="hello"
)
def coalesce(frame: Frame, thunks: Sequence[Thunk]) -> Any:
    """The first value that is not null; what follows it is not evaluated."""
    for thunk in thunks:
        value = thunk(frame)
        if value is not None:
            return value
    return None
