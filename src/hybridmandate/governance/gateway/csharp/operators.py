"""Binary and unary operators on values, by the types they have at run time."""

from __future__ import annotations

import operator
from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final

from hybridmandate.governance.gateway.csharp.failures import ExpressionFailure
from hybridmandate.governance.gateway.csharp.numbers import (
    INTEGERS,
    PROMOTED,
    Char,
    Long,
    UInt,
    ULong,
    as_decimal,
    compute,
    plain,
    promote,
    wrap,
)
from hybridmandate.governance.gateway.csharp.text import as_text
from hybridmandate.governance.gateway.csharp.types.table import EnumValue, full_name_of

_LOW = -(2**31)
_HIGH = 2**31 - 1
Operation = Callable[[Any, Any], Any]


def unsupported(sign: str, a: Any, b: Any) -> ExpressionFailure:
    """An operator that the two types do not have."""
    names = ["<null>" if v is None else full_name_of(v) for v in (a, b)]
    return ExpressionFailure(
        f"Operator '{sign}' cannot be applied to operands of type '{names[0]}' and '{names[1]}'",
        "RuntimeBinderException",
    )


def operand(value: Any) -> Any:
    """The value in a JSON value, anything else as it is (Newtonsoft's operators of ``dynamic``)."""
    own = getattr(value, "clr_operand", None)
    return value if own is None else own()


def _on_objects(sign: str, function: Operation, a: Any, b: Any) -> Any:
    if a is None or b is None:
        return None
    try:
        return function(a, b)
    except TypeError:
        raise unsupported(sign, a, b) from None


def add(a: Any, b: Any) -> Any:
    """``+``: text is joined as soon as one side is text."""
    kind_a, kind_b = type(a), type(b)
    if kind_a is int and kind_b is int:
        total = a + b
        return total if _LOW <= total <= _HIGH else wrap(total, int)
    if kind_a is str or kind_b is str:
        own = getattr(a, "clr_add", None)
        return as_text(a) + as_text(b) if own is None else own(b)
    if kind_a in PROMOTED and kind_b in PROMOTED:
        return compute("+", a, b)
    return _on_objects("+", operator.add, a, b)


def subtract(a: Any, b: Any) -> Any:
    """``-``, also of dates and spans."""
    if type(a) in PROMOTED and type(b) in PROMOTED:
        return compute("-", a, b)
    if isinstance(a, EnumValue | str) or isinstance(b, EnumValue | str):
        raise unsupported("-", a, b)
    return _on_objects("-", operator.sub, a, b)


def _arithmetic(sign: str, function: Operation) -> Operation:
    def run(a: Any, b: Any) -> Any:
        if type(a) in PROMOTED and type(b) in PROMOTED:
            return compute(sign, a, b)
        if isinstance(a, str | list) or isinstance(b, str | list):
            raise unsupported(sign, a, b)
        return _on_objects(sign, function, a, b)

    return run


def equal(a: Any, b: Any) -> bool:
    """``==``: values by value, text by text, other objects by identity."""
    if a is None or b is None:
        return a is b
    if type(a) in PROMOTED and type(b) in PROMOTED:
        if type(a) is Char and type(b) is Char:
            return str(a) == str(b)
        if Decimal in (type(a), type(b)):
            return as_decimal(a) == as_decimal(b)
        return bool(plain(a) == plain(b))
    if type(a) is bool or type(b) is bool:
        return a is b
    if isinstance(a, list | bytearray):
        return a is b
    return bool(a == b)


def not_equal(a: Any, b: Any) -> bool:
    """``!=``."""
    return not equal(a, b)


def _comparison(sign: str, function: Operation) -> Operation:
    def run(a: Any, b: Any) -> Any:
        kind_a, kind_b = type(a), type(b)
        if kind_a is int and kind_b is int:
            return function(a, b)
        if a is None or b is None:
            return False
        if kind_a in INTEGERS and kind_b in INTEGERS:
            return function(a, b)
        if kind_a in PROMOTED and kind_b in PROMOTED:
            if Decimal in (kind_a, kind_b):
                return function(as_decimal(a), as_decimal(b))
            return function(plain(a), plain(b))
        if kind_a is str or kind_b is str or kind_a is bool or isinstance(a, list):
            raise unsupported(sign, a, b)
        try:
            return function(a, b)
        except TypeError:
            raise unsupported(sign, a, b) from None

    return run


def _bitwise(sign: str, function: Operation) -> Operation:
    def run(a: Any, b: Any) -> Any:
        if type(a) is bool and type(b) is bool:
            return function(a, b)
        if isinstance(a, EnumValue) and isinstance(b, EnumValue):
            return a | b if sign == "|" else EnumValue(function(int(a), int(b)), a.enum, a.label)
        if a is None or b is None:
            return _three_valued(sign, a, b)
        if type(a) not in INTEGERS | {Char} or type(b) not in INTEGERS | {Char}:
            raise unsupported(sign, a, b)
        return wrap(function(int(plain(a)), int(plain(b))), promote(a, b))

    return run


def _three_valued(sign: str, a: Any, b: Any) -> bool | None:
    """``bool?``: false & null is false, true | null is true."""
    known = b if a is None else a
    if sign == "&" and known is False:
        return False
    if sign == "|" and known is True:
        return True
    return None


def _shift(sign: str) -> Operation:
    def run(a: Any, b: Any) -> Any:
        if type(a) not in INTEGERS | {Char} or type(b) not in INTEGERS | {Char}:
            raise unsupported(sign, a, b)
        kind = type(a) if type(a) in (Long, UInt, ULong) else int
        bits = 63 if kind in (Long, ULong) else 31
        value, by = int(plain(a)), int(plain(b)) & bits
        if sign == ">>>" and value < 0:
            value += 2 ** (bits + 1)
        return wrap(value << by if sign == "<<" else value >> by, kind)

    return run


BINARY: Final[dict[str, Operation]] = {
    "+": add,
    "-": subtract,
    "*": _arithmetic("*", operator.mul),
    "/": _arithmetic("/", operator.truediv),
    "%": _arithmetic("%", operator.mod),
    "==": equal,
    "!=": not_equal,
    "<": _comparison("<", operator.lt),
    ">": _comparison(">", operator.gt),
    "<=": _comparison("<=", operator.le),
    ">=": _comparison(">=", operator.ge),
    "&": _bitwise("&", operator.and_),
    "|": _bitwise("|", operator.or_),
    "^": _bitwise("^", operator.xor),
    "<<": _shift("<<"),
    ">>": _shift(">>"),
    ">>>": _shift(">>>"),
}
"""Operators that evaluate both sides."""
COMPARISONS: Final = frozenset({"==", "!=", "<", ">", "<=", ">="})


def negate(value: Any) -> Any:
    """Unary ``-``."""
    if value is None:
        return None
    if type(value) in PROMOTED:
        if isinstance(value, float):
            return type(value)(-value)
        if isinstance(value, Decimal):
            return -value
        if type(value) is UInt:
            return Long(-int(value))
        kind = promote(value, 0)
        return wrap(-int(plain(value)), kind)
    return _on_objects("-", lambda a, _: -a, value, 0)


def complement(value: Any) -> Any:
    """Unary ``~``."""
    if type(value) not in INTEGERS:
        raise unsupported("~", value, value)
    return wrap(~int(value), promote(value, 0))


def logical_not(value: Any) -> bool:
    """Unary ``!``."""
    if type(value) is not bool:
        raise unsupported("!", value, value)
    return not value


def increment(value: Any, by: int) -> Any:
    """``++`` and ``--`` keep the type."""
    if value is None:
        return None
    kind = type(value)
    if kind is Char:
        return Char(chr((ord(value) + by) % 65536))
    if kind in INTEGERS:
        return wrap(int(value) + by, kind)
    if kind in PROMOTED:
        return kind(value + by)
    raise unsupported("++", value, by)
