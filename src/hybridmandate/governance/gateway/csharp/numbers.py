"""Numbers of C#: a Python ``int`` is Int32, ``float`` is Double, ``Decimal`` is Decimal.

The other types are subclasses that only carry the type. Arithmetic follows the C# specification,
12.4.7 (numeric promotions): unchecked integers wrap, integer division truncates.
"""

from __future__ import annotations

import math
import struct
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import Any, Final

from hybridmandate.governance.gateway.csharp.failures import ExpressionFailure

MAX_DECIMAL: Final = Decimal(79228162514264337593543950335)
EXACT: Final = Context(prec=29, rounding=ROUND_HALF_EVEN)


class Long(int):
    """System.Int64."""

    __slots__ = ()


class UInt(int):
    """System.UInt32."""

    __slots__ = ()


class ULong(int):
    """System.UInt64."""

    __slots__ = ()


class Short(int):
    """System.Int16."""

    __slots__ = ()


class UShort(int):
    """System.UInt16."""

    __slots__ = ()


class Byte(int):
    """System.Byte."""

    __slots__ = ()


class SByte(int):
    """System.SByte."""

    __slots__ = ()


class Single(float):
    """System.Single, rounded to 32 bits where it is made."""

    __slots__ = ()

    def __new__(cls, value: float) -> Single:
        try:
            rounded = struct.unpack("f", struct.pack("f", value))[0]
        except OverflowError:
            rounded = math.copysign(math.inf, value)
        return super().__new__(cls, rounded)


class Char(str):
    """System.Char: one UTF-16 unit (a character outside of the BMP counts as one)."""

    __slots__ = ()


RANGES: Final[dict[type, tuple[int, int]]] = {
    int: (-(2**31), 2**31 - 1),
    Long: (-(2**63), 2**63 - 1),
    UInt: (0, 2**32 - 1),
    ULong: (0, 2**64 - 1),
    Short: (-(2**15), 2**15 - 1),
    UShort: (0, 2**16 - 1),
    Byte: (0, 255),
    SByte: (-128, 127),
}
INTEGERS: Final = frozenset(RANGES)
NUMBERS: Final = INTEGERS | {float, Single, Decimal}
PROMOTED: Final = NUMBERS | {Char}
_NAMES: Final[dict[type, str]] = {
    int: "an Int32",
    Long: "an Int64",
    UInt: "a UInt32",
    ULong: "a UInt64",
    Short: "an Int16",
    UShort: "a UInt16",
    Byte: "an unsigned byte",
    SByte: "a signed byte",
}


def overflow(kind: type) -> ExpressionFailure:
    """A checked conversion to an integer type that does not hold the value."""
    return ExpressionFailure(
        f"Value was either too large or too small for {_NAMES[kind]}.", "OverflowException"
    )


def wrap(value: int, kind: type) -> Any:
    """The value modulo 2^n, as unchecked C# keeps it."""
    low, high = RANGES[kind]
    if not low <= value <= high:
        size = high - low + 1
        value = (value - low) % size + low
    return value if kind is int else kind(value)


def checked(value: int, kind: type) -> Any:
    """The value as that type. :raises ExpressionFailure: OverflowException."""
    low, high = RANGES[kind]
    if not low <= value <= high:
        raise overflow(kind)
    return int(value) if kind is int else kind(value)


def make_decimal(value: Decimal) -> Decimal:
    """A Decimal within 28 to 29 digits. :raises ExpressionFailure: OverflowException."""
    if not value.is_finite() or abs(value) > MAX_DECIMAL:
        raise ExpressionFailure(
            "Value was either too large or too small for a Decimal.", "OverflowException"
        )
    exponent = value.as_tuple().exponent
    if isinstance(exponent, int) and exponent < -28:
        value = value.quantize(Decimal(1).scaleb(-28), context=Context(prec=60))
    if isinstance(exponent, int) and exponent > 0:
        value = value.quantize(Decimal(1), context=Context(prec=60))
    return value


def plain(value: Any) -> Any:
    """A number for computing: characters become their code."""
    return ord(value) if type(value) is Char else value


def promote(a: Any, b: Any) -> type:
    """The type in which two numbers are computed (C# 12.4.7.3)."""
    kinds = (type(a), type(b))
    if Decimal in kinds:
        return Decimal
    if float in kinds:
        return float
    for kind in (Single, ULong, Long):
        if kind in kinds:
            return kind
    if UInt in kinds:
        other = kinds[0] if kinds[1] is UInt else kinds[1]
        return Long if other in (int, Short, SByte) else UInt
    return int


def as_decimal(value: Any) -> Decimal:
    """Any number as Decimal; doubles with 15 significant digits as .NET converts them."""
    if isinstance(value, Decimal):
        return value
    if isinstance(value, float):
        if not math.isfinite(value) or abs(value) > float(MAX_DECIMAL):
            raise ExpressionFailure(
                "Value was either too large or too small for a Decimal.", "OverflowException"
            )
        digits = 7 if type(value) is Single else 15
        return make_decimal(Decimal(format(value, f".{digits}g")))
    return Decimal(int(plain(value)))


def compute_integer(sign: str, a: int, b: int) -> int:
    """+, -, *, / and % of exact integers, before wrapping. Division truncates towards zero."""
    if sign == "+":
        return a + b
    if sign == "-":
        return a - b
    if sign == "*":
        return a * b
    if b == 0:
        raise ExpressionFailure("Attempted to divide by zero.", "DivideByZeroException")
    quotient = abs(a) // abs(b)
    if (a < 0) != (b < 0):
        quotient = -quotient
    return quotient if sign == "/" else a - b * quotient


def compute_double(sign: str, a: float, b: float) -> float:
    """+, -, *, / and % of IEEE numbers, without exceptions."""
    if sign == "+":
        return a + b
    if sign == "-":
        return a - b
    if sign == "*":
        return a * b
    if sign == "%":
        return math.fmod(a, b) if b != 0 and math.isfinite(a) else math.nan
    if b == 0:
        if a == 0 or math.isnan(a):
            return math.nan
        return math.copysign(math.inf, a) * math.copysign(1, b)
    return a / b


def compute_decimal(sign: str, a: Decimal, b: Decimal) -> Decimal:
    """+, -, *, / and % of decimals; the scale follows .NET for sums and products."""
    if sign in "/%" and b == 0:
        raise ExpressionFailure("Attempted to divide by zero.", "DivideByZeroException")
    if sign == "+":
        return make_decimal(EXACT.add(a, b))
    if sign == "-":
        return make_decimal(EXACT.subtract(a, b))
    if sign == "*":
        return make_decimal(EXACT.multiply(a, b))
    if sign == "%":
        return make_decimal(EXACT.remainder(a, b))
    return make_decimal(EXACT.divide(a, b))


def compute(sign: str, a: Any, b: Any) -> Any:
    """An arithmetic operation on two numbers or characters."""
    kind = promote(a, b)
    if kind is Decimal:
        return compute_decimal(sign, as_decimal(a), as_decimal(b))
    a, b = plain(a), plain(b)
    if kind is float:
        return compute_double(sign, float(a), float(b))
    if kind is Single:
        return Single(compute_double(sign, float(a), float(b)))
    result = compute_integer(sign, int(a), int(b))
    low, high = RANGES[kind]
    if sign in "/%" and not low <= result <= high:
        raise ExpressionFailure(
            "Arithmetic operation resulted in an overflow.", "OverflowException"
        )
    return wrap(result, kind)


def convert(value: Any, kind: type) -> Any:
    """An explicit, unchecked conversion between numeric types (C# 10.3.2)."""
    source = plain(value)
    if kind is float:
        return float(source)
    if kind is Single:
        return Single(float(source))
    if kind is Decimal:
        return as_decimal(source)
    if kind is Char:
        return Char(chr(wrap(int(source), UShort)))
    if isinstance(source, Decimal):
        return checked(int(source), kind)
    if isinstance(source, float):
        return _from_double(source, kind)
    return wrap(int(source), kind)


def _from_double(value: float, kind: type) -> Any:
    low, high = RANGES[kind]
    if math.isnan(value) or math.isinf(value):
        return wrap(low if kind in (int, Long) else 0, kind)
    whole = int(value)
    if kind in (int, Long) and not low <= whole <= high:
        return wrap(low, kind)
    return wrap(whole, kind)
