"""Numeric types, Math, Convert and BitConverter."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, ROUND_HALF_UP, Context, Decimal
from typing import Any, Final

from hybridmandate.governance.gateway.csharp.conversions import NUMERIC
from hybridmandate.governance.gateway.csharp.failures import (
    ExpressionFailure,
    bad_format,
    out_of_range,
)
from hybridmandate.governance.gateway.csharp.formats import number_text
from hybridmandate.governance.gateway.csharp.number_parsing import (
    parse_decimal,
    parse_double,
    parse_integer,
)
from hybridmandate.governance.gateway.csharp.numbers import (
    INTEGERS,
    MAX_DECIMAL,
    RANGES,
    Single,
    as_decimal,
    convert,
    overflow,
    promote,
    wrap,
)
from hybridmandate.governance.gateway.csharp.operators import BINARY
from hybridmandate.governance.gateway.csharp.text import as_text
from hybridmandate.governance.gateway.csharp.types.strings import Culture
from hybridmandate.governance.gateway.csharp.types.table import (
    OBJECT,
    ClrType,
    EnumValue,
    enumeration,
)

_FULL: Final = {
    "int": "Int32", "long": "Int64", "uint": "UInt32", "ulong": "UInt64", "short": "Int16",
    "ushort": "UInt16", "byte": "Byte", "sbyte": "SByte", "double": "Double", "float": "Single",
    "decimal": "Decimal",
}  # fmt: skip
_HEX: Final = re.compile(r"[0-9A-Fa-f]{1,16}")


def to_text(value: Any, form: Any = None, culture: Any = None) -> str:
    """``ToString`` of a number."""
    return number_text(value, None if isinstance(form, Culture) else form)


def compare_to(value: Any, other: Any) -> int:
    """``CompareTo``."""
    if other is None:
        return 1
    return int(BINARY[">"](value, other)) - int(BINARY["<"](value, other))


def _parser(kind: type) -> Callable[..., Any]:
    def parse(s: Any, style: Any = None, provider: Any = None) -> Any:
        if isinstance(style, EnumValue) and int(style) & 512:
            text = as_text(s).strip()
            if not _HEX.fullmatch(text):
                raise bad_format()
            low, high = RANGES[kind]
            if int(text, 16) > high - low:
                raise overflow(kind)
            return wrap(int(text, 16), kind)
        if kind in INTEGERS:
            return parse_integer(s, kind)
        if kind is Decimal:
            return parse_decimal(s)
        return Single(parse_double(s)) if kind is Single else parse_double(s)

    return parse


def _try_parser(kind: type) -> Callable[..., tuple[bool, Any]]:
    parse = _parser(kind)

    def try_parse(s: Any, style: Any = None, provider: Any = None) -> tuple[bool, Any]:
        try:
            return True, parse(s, style, provider)
        except ExpressionFailure:
            return False, kind(0)

    return try_parse


def _declare(name: str, kind: type) -> ClrType:
    made = ClrType(name, f"System.{_FULL[name]}", kind, base=OBJECT)
    made.method("ToString", to_text, "string")
    made.method("CompareTo", compare_to, "int")
    made.property("Value", lambda value: value, name)
    made.property("HasValue", lambda value: True, "bool")
    made.method("GetValueOrDefault", lambda value, default=None: value, name)
    made.static("Parse", _parser(kind), name)
    made.static("TryParse", _try_parser(kind), "bool", outs=1)
    if kind in RANGES:
        low, high = RANGES[kind]
        made.constant("MinValue", kind(low), name)
        made.constant("MaxValue", kind(high), name)
    return made


INT: Final = _declare("int", int)
for _name, _kind in NUMERIC.items():
    if _name not in ("int", "char"):
        _declare(_name, _kind)


def _constants() -> None:
    from hybridmandate.governance.gateway.csharp.types.table import TYPES

    double, decimal, single = TYPES["double"], TYPES["decimal"], TYPES["float"]
    for name, value in (
        ("MaxValue", 1.7976931348623157e308), ("MinValue", -1.7976931348623157e308),
        ("Epsilon", 5e-324), ("NaN", math.nan), ("PositiveInfinity", math.inf),
        ("NegativeInfinity", -math.inf),
    ):  # fmt: skip
        double.constant(name, value, "double")
    double.static("IsNaN", lambda value: math.isnan(value), "bool")
    double.static("IsPositiveInfinity", lambda value: value == math.inf, "bool")
    double.static("IsNegativeInfinity", lambda value: value == -math.inf, "bool")
    double.static("IsInfinity", lambda value: math.isinf(value), "bool")
    single.constant("MaxValue", Single(3.4028234663852886e38), "float")
    single.constant("MinValue", Single(-3.4028234663852886e38), "float")
    decimal.constant("MaxValue", MAX_DECIMAL, "decimal")
    decimal.constant("MinValue", -MAX_DECIMAL, "decimal")
    decimal.constant("Zero", Decimal(0), "decimal")
    decimal.constant("One", Decimal(1), "decimal")
    for name, call in (
        ("Floor", _whole(ROUND_FLOOR)),
        ("Ceiling", _whole(ROUND_CEILING)),
        ("Truncate", _whole("ROUND_DOWN")),
        ("Negate", lambda value: -value),
    ):
        decimal.static(name, lambda value, call=call: call(as_decimal(value)), "decimal")
    decimal.static("Round", lambda *a: rounded(*map(_decimal_or_same, a)), "decimal")


def _decimal_or_same(value: Any) -> Any:
    return value if isinstance(value, EnumValue) or type(value) is int else as_decimal(value)


# Math

ROUNDING: Final = enumeration(
    "MidpointRounding",
    "System.MidpointRounding",
    ["ToEven", "AwayFromZero", "ToZero", "ToNegativeInfinity", "ToPositiveInfinity"],
)
_MODES: Final = {
    "ToEven": ROUND_HALF_EVEN, "AwayFromZero": ROUND_HALF_UP, "ToZero": "ROUND_DOWN",
    "ToNegativeInfinity": ROUND_FLOOR, "ToPositiveInfinity": ROUND_CEILING,
}  # fmt: skip
_WIDE: Final = Context(prec=400)


def rounded(value: Any, digits: Any = 0, mode: Any = None) -> Any:
    """``Math.Round``: halves to even unless told otherwise."""
    if isinstance(digits, EnumValue):
        digits, mode = 0, digits
    if not 0 <= digits <= (28 if isinstance(value, Decimal) else 15):
        raise out_of_range("digits", "Rounding digits must be between 0 and 15, inclusive.")
    rounding = _MODES[mode.label if mode is not None else "ToEven"]
    unit = Decimal(1).scaleb(-digits)
    if isinstance(value, Decimal):
        exponent = value.as_tuple().exponent
        if isinstance(exponent, int) and exponent < -digits:
            return value.quantize(unit, rounding=rounding, context=_WIDE)
        return value
    number = float(value)
    if not math.isfinite(number):
        return number
    shown = Decimal(repr(number)) if digits else Decimal(number)
    return float(shown.quantize(unit, rounding=rounding, context=_WIDE))


def _whole(rounding: str) -> Callable[[Any], Any]:
    def run(value: Any) -> Any:
        if isinstance(value, Decimal):
            return value.to_integral_value(rounding)
        number = float(value)
        if not math.isfinite(number):
            return number
        return float(Decimal(number).to_integral_value(rounding))

    return run


def absolute(value: Any) -> Any:
    """``Math.Abs``. :raises ExpressionFailure: OverflowException for the smallest integer."""
    kind = type(value)
    if kind in INTEGERS:
        if abs(int(value)) > RANGES[kind][1]:
            raise ExpressionFailure(
                "Negating the minimum value of a twos complement number is invalid.",
                "OverflowException",
            )
        return kind(abs(value))
    return abs(value) if isinstance(value, Decimal) else kind(abs(value))


def _pick(sign: str) -> Callable[[Any, Any], Any]:
    def run(val1: Any, val2: Any) -> Any:
        kind = promote(val1, val2)
        if kind is float and (math.isnan(val1) or math.isnan(val2)):
            return math.nan
        return convert(val1 if BINARY[sign](val1, val2) else val2, kind)

    return run


def power(x: Any, y: Any) -> float:
    """``Math.Pow``; what is no number becomes NaN, what is too large infinity."""
    try:
        result = math.pow(float(x), float(y))
    except OverflowError:
        return math.inf
    except ValueError:
        return math.inf if float(x) == 0 else math.nan
    return result


def _real(function: Callable[[float], float], pole: float = math.nan) -> Callable[[Any], float]:
    def run(value: Any) -> float:
        try:
            return function(float(value))
        except ValueError:
            return pole if float(value) == 0 else math.nan
        except OverflowError:
            return math.inf

    return run


def logarithm(value: Any, base: Any = None) -> float:
    """``Math.Log``."""
    number = _real(math.log, -math.inf)(value)
    return number if base is None else number / _real(math.log, -math.inf)(base)


def _div_rem(first: Any, second: Any) -> tuple[Any, Any]:
    """``DivRem``: quotient towards zero, and the rest."""
    quotient = abs(first) // abs(second)
    if (first < 0) != (second < 0):
        quotient = -quotient
    return type(first)(quotient), type(first)(first - quotient * second)


MATH: Final = ClrType("Math", "System.Math", base=OBJECT)
MATH.constant("PI", math.pi, "double")
MATH.constant("E", math.e, "double")
MATH.static("Round", rounded, "")
MATH.static("Floor", _whole(ROUND_FLOOR), "")
MATH.static("Ceiling", _whole(ROUND_CEILING), "")
MATH.static("Truncate", _whole("ROUND_DOWN"), "")
MATH.static("Abs", absolute, "")
MATH.static("Max", _pick(">="), "")
MATH.static("Min", _pick("<="), "")
MATH.static("Pow", power, "double")
MATH.static("Sqrt", _real(math.sqrt), "double")
MATH.static("Exp", _real(math.exp), "double")
MATH.static("Log", logarithm, "double")
MATH.static("Log10", _real(math.log10, -math.inf), "double")
for _label in ("Sin", "Cos", "Tan", "Asin", "Acos", "Atan"):
    MATH.static(_label, _real(getattr(math, _label.lower())), "double")
MATH.static("Atan2", lambda y, x: math.atan2(y, x), "double")
MATH.static("DivRem", _div_rem, "int", outs=1)
MATH.static("Sign", lambda value: (value > 0) - (value < 0), "int")
MATH.static("Clamp", lambda value, low, high: _pick(">=")(low, _pick("<=")(value, high)), "")


# Convert


# BitConverter: little-endian, as on the gateways


# Guid


_constants()
