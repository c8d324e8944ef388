"""Numbers and booleans out of text, with .NET's rules and messages for invariant culture."""

from __future__ import annotations

import re
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import Any, Final

from hybridmandate.governance.gateway.csharp.failures import argument_null, bad_format
from hybridmandate.governance.gateway.csharp.numbers import checked, make_decimal, overflow

_INTEGER: Final = re.compile(r"[+-]?[0-9]{1,400}")
_REAL: Final = re.compile(
    r"[+-]?(?:[0-9][0-9,]{0,400})?(?:\.[0-9]{0,400})?(?:[eE][+-]?[0-9]{1,5})?"
)
_WIDE: Final = Context(prec=60, rounding=ROUND_HALF_EVEN)
_SPACE: Final = " \t\n\r\v\f\0"


def _given(text: Any, name: str) -> str:
    if text is None:
        raise argument_null(name)
    return str(text).strip(_SPACE)


def parse_integer(text: Any, kind: type) -> Any:
    """``int.Parse`` and its like. :raises ExpressionFailure: FormatException, OverflowException."""
    if type(text) is str and len(text) <= 9 and text.isdecimal() and text.isascii():
        return checked(int(text), kind)
    stripped = _given(text, "s")
    if not _INTEGER.fullmatch(stripped):
        raise bad_format(f"The input string '{str(text)[:100]}' was not in a correct format.")
    return checked(int(stripped), kind)


def parse_double(text: Any) -> float:
    """``double.Parse``, thousands separators allowed."""
    stripped = _given(text, "s")
    special = {"NaN": "nan", "Infinity": "inf", "-Infinity": "-inf", "∞": "inf", "-∞": "-inf"}
    if stripped in special:
        return float(special[stripped])
    return float(_real(stripped, text))


def parse_decimal(text: Any) -> Decimal:
    """``decimal.Parse``; no exponent."""
    stripped = _given(text, "s")
    if "e" in stripped.lower():
        raise bad_format(f"The input string '{str(text)[:100]}' was not in a correct format.")
    return make_decimal(_WIDE.create_decimal(_real(stripped, text)))


def _real(stripped: str, original: Any) -> str:
    if not _REAL.fullmatch(stripped) or not re.search("[0-9]", stripped):
        raise bad_format(f"The input string '{str(original)[:100]}' was not in a correct format.")
    return stripped.replace(",", "")


def parse_boolean(text: Any) -> bool:
    """``bool.Parse``. :raises ExpressionFailure: FormatException."""
    word = _given(text, "value").lower()
    if word not in ("true", "false"):
        raise bad_format(f"String '{str(text)[:100]}' was not recognized as a valid Boolean.")
    return word == "true"


def round_to_integer(value: Any, kind: type) -> Any:
    """``Convert.ToInt32`` of a real number: halves to even, checked."""
    try:
        return checked(round(value), kind)
    except (ValueError, OverflowError):
        raise overflow(kind) from None
