"""Members of decimal, char, float, Math and BitConverter that are asked for less often.

Source: learn.microsoft.com, .NET API browser.
"""

from __future__ import annotations

import math
import struct
import unicodedata
from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final

from hybridmandate.governance.gateway.csharp.collections import Array
from hybridmandate.governance.gateway.csharp.failures import (
    ExpressionFailure,
    argument,
    out_of_range,
)
from hybridmandate.governance.gateway.csharp.numbers import (
    Char,
    Long,
    Single,
    as_decimal,
    make_decimal,
    wrap,
)
from hybridmandate.governance.gateway.csharp.operators import BINARY
from hybridmandate.governance.gateway.csharp.types.converting import BITS, CONVERT
from hybridmandate.governance.gateway.csharp.types.numeric import MATH, compare_to
from hybridmandate.governance.gateway.csharp.types.strings import CHAR, parse_char
from hybridmandate.governance.gateway.csharp.types.table import TYPES, enumeration

DECIMAL: Final = TYPES["decimal"]
SINGLE: Final = TYPES["float"]
DOUBLE: Final = TYPES["double"]


def decimal_of(value: Any) -> Decimal:
    """``new decimal(number)``, or of the four integers that ``GetBits`` gives."""
    if not isinstance(value, Array):
        return as_decimal(value)
    if len(value) != 4:
        raise argument("Decimal constructor requires an array of four integers.")
    low, middle, high, flags = (int(each) & 0xFFFFFFFF for each in value)
    number = Decimal(high << 64 | middle << 32 | low).scaleb(-(flags >> 16 & 0xFF))
    return -number if flags >> 31 else number


def bits_of(value: Any) -> Array:
    """``GetBits``: low, middle and high part, then scale and sign."""
    sign, digits, exponent = as_decimal(value).as_tuple()
    scale = max(0, -int(exponent))
    number = int("".join(map(str, digits))) * 10 ** max(0, int(exponent))
    parts = (number, number >> 32, number >> 64, sign << 31 | scale << 16)
    return Array([wrap(each & 0xFFFFFFFF, int) for each in parts], "int")


def _decimals(sign: str) -> Callable[[Any, Any], Any]:
    return lambda d1, d2: BINARY[sign](as_decimal(d1), as_decimal(d2))


DECIMAL.constructed_by(decimal_of)
DECIMAL.constant("MinusOne", Decimal(-1), "decimal")
for _name, _operator in (
    ("Add", "+"), ("Subtract", "-"), ("Multiply", "*"), ("Divide", "/"), ("Remainder", "%"),
):  # fmt: skip
    DECIMAL.static(_name, _decimals(_operator), "decimal")
DECIMAL.static("Compare", lambda d1, d2: compare_to(as_decimal(d1), as_decimal(d2)), "int")
DECIMAL.static("GetBits", bits_of, "int[]")
DECIMAL.static("FromOACurrency", lambda cy: make_decimal(Decimal(int(cy)) / 10000), "decimal")
DECIMAL.static(
    "ToOACurrency", lambda value: Long(int((as_decimal(value) * 10000).to_integral_value())), "long"
)
for _name, _type in (
    ("ToByte", "byte"), ("ToSByte", "sbyte"), ("ToInt16", "short"), ("ToUInt16", "ushort"),
    ("ToInt32", "int"), ("ToUInt32", "uint"), ("ToInt64", "long"), ("ToUInt64", "ulong"),
):  # fmt: skip
    # These cut off, where Convert rounds (System.Decimal.ToInt32, remarks).
    DECIMAL.static(
        _name,
        lambda value, k=CONVERT.static_methods[_name].call: k(
            as_decimal(value).to_integral_value("ROUND_DOWN")
        ),
        _type,
    )
DECIMAL.static("ToDouble", lambda value: float(as_decimal(value)), "double")
DECIMAL.static("ToSingle", lambda value: Single(float(as_decimal(value))), "float")

for _name, _value in (
    ("Epsilon", 1.401298464324817e-45), ("NaN", math.nan), ("PositiveInfinity", math.inf),
    ("NegativeInfinity", -math.inf),
):  # fmt: skip
    SINGLE.constant(_name, Single(_value), "float")
for _name in ("IsNaN", "IsInfinity", "IsPositiveInfinity", "IsNegativeInfinity"):
    SINGLE.static(_name, DOUBLE.static_methods[_name].call, "bool")
for _made in (SINGLE, DOUBLE):
    _made.static("IsFinite", lambda value: math.isfinite(value), "bool")


# Math


def big_product(first: Any, second: Any) -> Long:
    """``BigMul`` of two ints."""
    return Long(int(first) * int(second))


MATH.static("BigMul", big_product, "long")
MATH.static("IEEERemainder", lambda x, y: math.remainder(x, y) if y else math.nan, "double")
MATH.static("Cbrt", lambda value: math.copysign(abs(value) ** (1 / 3), value), "double")
MATH.static("Tanh", lambda value: math.tanh(value), "double")
for _name, _function in (("Sinh", math.sinh), ("Cosh", math.cosh)):

    def _hyperbolic(value: Any, function: Callable[[float], float] = _function) -> float:
        try:
            return function(float(value))
        except OverflowError:
            return math.copysign(math.inf, function(math.copysign(1.0, value)))

    MATH.static(_name, _hyperbolic, "double")
MATH.static("Log2", lambda value: MATH.static_methods["Log"].call(value, 2.0), "double")
BITS.static(
    "DoubleToInt64Bits", lambda v: Long(struct.unpack("<q", struct.pack("<d", v))[0]), "long"
)
BITS.static("Int64BitsToDouble", lambda v: struct.unpack("<d", struct.pack("<q", v))[0], "double")
BITS.static(
    "ToChar", lambda value, start_index: Char(chr(struct.unpack_from("<H", value, start_index)[0]))
    if 0 <= start_index <= len(value) - 2 else _outside(), "char",
)  # fmt: skip


def _outside() -> Char:
    raise out_of_range("startIndex", "Index was out of range.")


# char: one of two signatures, a character or a text and an index

CATEGORY: Final = enumeration(
    "UnicodeCategory", "System.Globalization.UnicodeCategory",
    ["UppercaseLetter", "LowercaseLetter", "TitlecaseLetter", "ModifierLetter", "OtherLetter",
     "NonSpacingMark", "SpacingCombiningMark", "EnclosingMark", "DecimalDigitNumber",
     "LetterNumber", "OtherNumber", "SpaceSeparator", "LineSeparator", "ParagraphSeparator",
     "Control", "Format", "Surrogate", "PrivateUse", "ConnectorPunctuation", "DashPunctuation",
     "OpenPunctuation", "ClosePunctuation", "InitialQuotePunctuation", "FinalQuotePunctuation",
     "OtherPunctuation", "MathSymbol", "CurrencySymbol", "ModifierSymbol", "OtherSymbol",
     "OtherNotAssigned"],
)  # fmt: skip
_CODES: Final = [
    "Lu", "Ll", "Lt", "Lm", "Lo", "Mn", "Mc", "Me", "Nd", "Nl", "No", "Zs", "Zl", "Zp", "Cc", "Cf",
    "Cs", "Co", "Pc", "Pd", "Ps", "Pe", "Pi", "Pf", "Po", "Sm", "Sc", "Sk", "So", "Cn",
]  # fmt: skip


def _sign(given: str, index: int | None = None) -> str:
    if index is None:
        return given
    if not 0 <= index < len(given):
        raise out_of_range("index")
    return given[index]


def _at(test: Callable[[str], Any]) -> Callable[..., Any]:
    return lambda c, index=None: test(_sign(c, index))


def _kind(prefix: str) -> Callable[[str], bool]:
    return lambda c: unicodedata.category(c).startswith(prefix)


for _name, _test in {
    "IsDigit": str.isdecimal,
    "IsNumber": str.isnumeric,
    "IsLetter": str.isalpha,
    "IsLetterOrDigit": lambda c: c.isalpha() or c.isdecimal(),
    "IsUpper": str.isupper,
    "IsLower": str.islower,
    "IsWhiteSpace": str.isspace,
    "IsPunctuation": _kind("P"),
    "IsControl": _kind("Cc"),
    "IsSymbol": _kind("S"),
    "IsSeparator": _kind("Z"),
    "IsSurrogate": _kind("Cs"),
    "IsHighSurrogate": lambda c: "\ud800" <= c <= "\udbff",
    "IsLowSurrogate": lambda c: "\udc00" <= c <= "\udfff",
}.items():
    CHAR.static(_name, _at(_test), "bool")
CHAR.static(
    "GetUnicodeCategory",
    _at(lambda c: list(CATEGORY.values.values())[_CODES.index(unicodedata.category(c))]),
    "UnicodeCategory",
)
CHAR.static("GetNumericValue", _at(lambda c: float(unicodedata.numeric(c, -1))), "double")
CHAR.static("ConvertToUtf32", _at(ord), "int")


def from_code_point(utf32: int) -> str:
    """``ConvertFromUtf32``."""
    if not 0 <= utf32 <= 0x10FFFF or 0xD800 <= utf32 <= 0xDFFF:
        raise out_of_range("utf32", "A valid UTF32 value is between 0x000000 and 0x10ffff.")
    return chr(utf32)


def try_parse_char(text: Any) -> tuple[bool, Char]:
    """``char.TryParse``."""
    try:
        return True, parse_char(text)
    except ExpressionFailure:
        return False, Char("\0")


CHAR.static("ConvertFromUtf32", from_code_point, "string")
CHAR.static("TryParse", try_parse_char, "bool", outs=1)
