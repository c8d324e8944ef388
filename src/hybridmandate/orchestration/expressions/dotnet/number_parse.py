"""Text as numbers: ``NumberStyles.Integer`` for integers, ``Number`` with exponent for floats."""

from __future__ import annotations

import re
from decimal import Decimal

from hybridmandate.orchestration.expressions.dotnet.cultures import culture
from hybridmandate.orchestration.expressions.values import INT_HIGHEST, INT_LOWEST

_INTEGER = re.compile(r"\s*([+-]?[0-9]+)\s*")
_LONGEST = 400


def parse_integer(text: str) -> int | None:
    """The 64-bit integer of a text, or None."""
    found = _INTEGER.fullmatch(text) if len(text) <= _LONGEST else None
    if found is None:
        return None
    value = int(found.group(1))
    return value if INT_LOWEST <= value <= INT_HIGHEST else None


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
