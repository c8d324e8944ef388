"""Text as numbers, as .NET's ``NumberStyles`` read it: which signs, separators and exponents stand.

What the platform's functions take was seen on its runtime by the authors of IllogicApps: ``int``
reads a whole number written in any way (``1,000``, ``1.0``, ``1e3``), ``isInt`` one that has no
point, ``float`` also ``NaN``, ``decimal`` no exponent.
"""

from __future__ import annotations

import math
import re
from decimal import Decimal

from hybridmandate.orchestration.expressions.dotnet.cultures import culture
from hybridmandate.orchestration.expressions.values import INT_HIGHEST, INT_LOWEST

_WHOLE = re.compile(r"\s*([+-]?)([0-9][0-9,]*)(?:[eE]\+?([0-9]{1,3}))?\s*", re.ASCII)
_NUMBER = re.compile(
    r"\s*([+-]?)([0-9][0-9,]*)?(?:\.([0-9]*))?(?:[eE]([+-]?[0-9]{1,3}))?\s*", re.ASCII
)
_LONGEST = 400
_INTEGER_DIGITS = 20
INVARIANT = ""
"""The name of the culture that knows ``Infinity``; others write it as a sign."""


def is_whole(text: str) -> bool:
    """Whether a text is a 64-bit integer without a decimal point."""
    return len(text) <= _LONGEST and bool(_WHOLE.fullmatch(text)) and parse_whole(text) is not None


def parse_whole(text: str) -> int | None:
    """The 64-bit integer of a text, None when it is none or has a fraction."""
    found = _NUMBER.fullmatch(text) if len(text) <= _LONGEST else None
    if found is None or not (found[2] or found[3]):
        return None
    whole = (found[2] or "0").replace(",", "")
    value = Decimal(f"{found[1]}{whole}.{found[3] or '0'}E{found[4] or '0'}")
    if value.adjusted() > _INTEGER_DIGITS or value != value.to_integral_value():
        return None
    return int(value) if INT_LOWEST <= value <= INT_HIGHEST else None


def parse_not_finite(text: str, locale: str) -> float | None:
    """``NaN``, in the invariant culture also ``Infinity``, in any case; None for other texts."""
    plain = text.strip().lower()
    if plain == "nan":
        return math.nan
    if locale == INVARIANT and plain.lstrip("+-") == "infinity" and len(plain) < 10:
        return -math.inf if plain[0] == "-" else math.inf
    return None


def parse_decimal(text: str, locale: str, argument: int = 2) -> Decimal | None:
    """The number of a text with group separators, a sign on either side and an exponent, or None.

    Group separators may stand anywhere before the point, as in .NET.

    :raises FunctionFault: when the locale is unknown.
    """
    words = culture(locale, argument)
    text = text.strip()
    if not text or len(text) > _LONGEST:
        return None
    negative, text = _sign(text)
    groups = [words.group]
    if words.group in ("\u202f", "\xa0"):
        groups = ["\u202f", "\xa0", " "]
    group = "".join(map(re.escape, groups))
    found = re.fullmatch(
        rf"([0-9][0-9{group}]*)?(?:{re.escape(words.decimal)}([0-9]*))?([eE][+-]?[0-9]{{1,3}})?",
        text,
    )
    if found is None or not (found.group(1) or found.group(2)):
        return None
    whole = re.sub(f"[{group}]", "", found.group(1) or "")
    value = Decimal(f"{whole or '0'}.{found.group(2) or '0'}{found.group(3) or ''}")
    if not found.group(2):
        value = Decimal(f"{whole or '0'}{found.group(3) or ''}")
    return value.copy_negate() if negative else value


def _sign(text: str) -> tuple[bool, str]:
    """Whether the number is negative, and the text without its one sign, before or after it."""
    if text[:1] in ("+", "-", "\u2212"):
        return text[0] != "+", text[1:].strip()
    if text[-1:] in ("+", "-", "\u2212"):
        return text[-1] != "+", text[:-1].strip()
    return False, text
