"""Math functions: 64-bit integers with overflow as an error, doubles, decimals."""

from __future__ import annotations

import operator
from collections.abc import Callable
from decimal import Decimal, localcontext
from math import fmod, isfinite, nan
from typing import Any

from hybridmandate.orchestration.expressions.bounds import Frame
from hybridmandate.orchestration.expressions.errors import FunctionFault
from hybridmandate.orchestration.expressions.registry import Family, repeated, required
from hybridmandate.orchestration.expressions.values import (
    ARRAY,
    INTEGER,
    NUMBER,
    as_decimal,
    bounded,
    checked,
    is_number,
)

math = Family("Math")
Number = int | float | Decimal
_DECIMAL_DIGITS = 29
_RANGE_COUNT = 100_000
_RANGE_END = 2_147_483_647


@math.function(
    "add",
    required("summand1", NUMBER),
    required("summand2", NUMBER),
    example="add(1, 1.5)",
    gives=2.5,
)
def add(frame: Frame, one: Number, other: Number) -> Number:
    """The sum of two numbers."""
    return _calculated(one, other, operator.add)


@math.function(
    "sub",
    required("minuend", NUMBER),
    required("subtrahend", NUMBER),
    example="sub(10.5, 0.5)",
    gives=10.0,
)
def sub(frame: Frame, one: Number, other: Number) -> Number:
    """The first number less the second."""
    return _calculated(one, other, operator.sub)


@math.function(
    "mul",
    required("multiplicand1", NUMBER),
    required("multiplicand2", NUMBER),
    example="mul(1.5, 2)",
    gives=3.0,
)
def mul(frame: Frame, one: Number, other: Number) -> Number:
    """The product of two numbers."""
    return _calculated(one, other, operator.mul)


@math.function(
    "div", required("dividend", NUMBER), required("divisor", NUMBER), example="div(11, 5)", gives=2
)
def div(frame: Frame, one: Number, other: Number) -> Number:
    """The quotient; of two integers the whole part, cut towards zero."""
    _not_zero(other)
    if isinstance(one, int) and isinstance(other, int):
        quotient = abs(one) // abs(other)
        return checked(quotient if (one < 0) == (other < 0) else -quotient)
    return _calculated(one, other, operator.truediv)


@math.function(
    "mod", required("dividend", NUMBER), required("divisor", NUMBER), example="mod(3, 2)", gives=1
)
def mod(frame: Frame, one: Number, other: Number) -> Number:
    """The remainder, with the sign of the dividend."""
    _not_zero(other)
    if isinstance(one, int) and isinstance(other, int):
        rest = abs(one) % abs(other)
        return -rest if one < 0 else rest
    return _calculated(one, other, _remainder)


def _remainder(one: Any, other: Any) -> Any:
    if isinstance(one, Decimal):
        return one % other
    return fmod(one, other) if isfinite(one) else nan


def _not_zero(divisor: Number) -> None:
    if divisor == 0:
        raise FunctionFault("Attempted to divide by zero", argument=2, value=divisor)


def _calculated(one: Number, other: Number, apply: Callable[[Any, Any], Any]) -> Number:
    """Integers stay integers, a decimal makes the result a decimal, else it is a double."""
    if isinstance(one, int) and isinstance(other, int):
        return checked(int(apply(one, other)))
    if isinstance(one, Decimal) or isinstance(other, Decimal):
        with localcontext() as context:
            context.prec = _DECIMAL_DIGITS
            return bounded(Decimal(apply(as_decimal(one), as_decimal(other))))
    return float(apply(float(one), float(other)))


@math.function("max", repeated("numbers", NUMBER | ARRAY), example="max(1, 2, 3)", gives=3)
def max_(frame: Frame, *numbers: Any) -> Number:
    """The highest of numbers, or of one array of numbers."""
    found = _flat(frame, numbers)
    return _alike(max(found), found)


@math.function(
    "min", repeated("numbers", NUMBER | ARRAY), example="min(createArray(1, 2, 3))", gives=1
)
def min_(frame: Frame, *numbers: Any) -> Number:
    """The lowest of numbers, or of one array of numbers."""
    found = _flat(frame, numbers)
    return _alike(min(found), found)


def _alike(chosen: Number, numbers: list[Any]) -> Number:
    """One of some numbers; a decimal among them makes it a decimal."""
    return as_decimal(chosen) if any(type(each) is Decimal for each in numbers) else chosen


def _flat(frame: Frame, numbers: tuple[Any, ...]) -> list[Any]:
    found = list(numbers[0]) if len(numbers) == 1 and isinstance(numbers[0], list) else numbers
    frame.spend(len(found))
    for at, each in enumerate(found):
        if not is_number(each):
            raise FunctionFault(
                f"Value {at + 1} must be a number", argument=1, expected="numbers", value=each
            )
    if not found:
        raise FunctionFault("The array must hold a number", argument=1, value=found)
    return list(found)


@math.function(
    "rand",
    required("minValue", INTEGER),
    required("maxValue", INTEGER),
    example="rand(1, 2)",
    gives=1,
)
def rand(frame: Frame, lowest: int, end: int) -> int:
    """A random integer from the first number up to but not including the second."""
    if lowest > end:
        raise FunctionFault(
            "The first number must not be greater than the second", argument=1, value=lowest
        )
    if lowest == end:
        return lowest
    return lowest + min(int(frame.scope.random() * (end - lowest)), end - lowest - 1)


@math.function(
    "range",
    required("startIndex", INTEGER),
    required("count", INTEGER),
    example="range(1, 4)",
    gives=[1, 2, 3, 4],
)
def range_(frame: Frame, start: int, count: int) -> list[int]:
    """Integers that follow one another, 100,000 at most."""
    if not 0 <= count <= _RANGE_COUNT:
        raise FunctionFault(f"The count must be from 0 to {_RANGE_COUNT}", argument=2, value=count)
    if start + count > _RANGE_END:
        raise FunctionFault(
            f"The sum of start index and count must not exceed {_RANGE_END}",
            argument=1,
            value=start,
        )
    frame.spend(count)
    return list(range(start, start + count))
