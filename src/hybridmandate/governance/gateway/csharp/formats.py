"""Text of numbers: culture-invariant .NET formats, standard and custom.

Source: learn.microsoft.com, "Standard numeric format strings" and "Custom numeric format strings".
"""

from __future__ import annotations

import math
import re
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import Any

from hybridmandate.governance.gateway.csharp.failures import bad_format
from hybridmandate.governance.gateway.csharp.numbers import RANGES, Single

_STANDARD = re.compile(r"([A-Za-z])(\d{0,3})")
_WIDE = Context(prec=1500)
_SECTION_PARTS = re.compile(r"'[^']*'|\"[^\"]*\"|\\.|[eE][+-]?0+|[0#.,%‰]|[^0#.,%‰]", re.DOTALL)


def double_text(value: float) -> str:
    """The shortest text that reads back, as .NET Core 3.0 and later write it."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    if value == 0:
        return "-0" if math.copysign(1, value) < 0 else "0"
    shortest = _shortest_single(value) if type(value) is Single else repr(float(value))
    sign, digits, exponent = Decimal(shortest).as_tuple()
    assert isinstance(exponent, int)
    text = "".join(map(str, digits)).rstrip("0") or "0"
    point = len(digits) + exponent
    precision = 7 if type(value) is Single else 15
    prefix = "-" if sign else ""
    if point > max(len(text), precision) or point < -3:
        return prefix + _scientific(text, point - 1)
    if point <= 0:
        return f"{prefix}0.{'0' * -point}{text}"
    if point >= len(text):
        return prefix + text + "0" * (point - len(text))
    return f"{prefix}{text[:point]}.{text[point:]}"


def _shortest_single(value: Single) -> str:
    for digits in range(1, 10):
        text = f"{float(value):.{digits}g}"
        if Single(float(text)) == value:
            return text
    return repr(float(value))


def _scientific(digits: str, exponent: int) -> str:
    fraction = f".{digits[1:]}" if len(digits) > 1 else ""
    return f"{digits[0]}{fraction}E{'-' if exponent < 0 else '+'}{abs(exponent):02d}"


def number_text(value: Any, form: str | None) -> str:
    """A number in a standard or custom format. :raises ExpressionFailure: FormatException."""
    if not form:
        return plain_text(value)
    if isinstance(value, float) and not math.isfinite(value):
        return double_text(value)
    standard = _STANDARD.fullmatch(form)
    if standard is None:
        return _custom(_decimal(value), form)
    letter, size = standard[1], int(standard[2]) if standard[2] else None
    return _standard(value, letter, size)


def plain_text(value: Any) -> str:
    """The text without a format."""
    if isinstance(value, float):
        return double_text(value)
    if isinstance(value, Decimal):
        return f"{value:f}"
    return str(int(value))


def _decimal(value: Any) -> Decimal:
    if isinstance(value, Decimal):
        return value
    return Decimal(repr(float(value))) if isinstance(value, float) else Decimal(int(value))


def _standard(value: Any, letter: str, size: int | None) -> str:
    kind = letter.upper()
    if kind in "DXB":
        return _integer(value, letter, size or 0)
    if kind == "R":
        return plain_text(value)
    if kind == "G":
        return plain_text(value) if not size else _general(value, size)
    number = _decimal(value)
    if kind == "E":
        return _exponent(number, 6 if size is None else size, letter, 3)
    places = 2 if size is None else size
    if kind == "F":
        return _fixed(number, places)
    if kind == "N":
        return _grouped(number, places)
    if kind == "P":
        return f"{_grouped(number.scaleb(2, context=_WIDE), places)} %"
    if kind == "C":
        text = _grouped(abs(number), places)
        return f"(¤{text})" if number < 0 else f"¤{text}"
    raise bad_format("Format specifier was invalid.")


def _integer(value: Any, letter: str, size: int) -> str:
    if isinstance(value, float | Decimal):
        raise bad_format("Format specifier was invalid.")
    number = int(value)
    if letter in "dD":
        return ("-" if number < 0 else "") + str(abs(number)).rjust(size, "0")
    if number < 0:
        low, high = RANGES[type(value)]
        number += high - low + 1
    text = format(number, "b" if letter in "bB" else letter)
    return text.rjust(size, "0")


def _round(number: Decimal, places: int) -> Decimal:
    return number.quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_UP, context=_WIDE)


def _fixed(number: Decimal, places: int) -> str:
    return f"{_round(number, places):f}"


def _grouped(number: Decimal, places: int) -> str:
    return f"{_round(number, places):,f}"


def _exponent(number: Decimal, places: int, letter: str, width: int, sign: str = "+") -> str:
    mantissa, exponent = f"{number:.{places}e}".split("e")
    power = int(exponent)
    mark = "-" if power < 0 else sign
    return f"{mantissa}{letter}{mark}{abs(power):0{width}d}"


def _general(value: Any, size: int) -> str:
    number = _decimal(value)
    if number == 0:
        return "0"
    rounded = Context(prec=size, rounding=ROUND_HALF_UP).plus(number)
    sign, digits, exponent = rounded.as_tuple()
    assert isinstance(exponent, int)
    text = "".join(map(str, digits)).rstrip("0") or "0"
    point = len(digits) + exponent
    prefix = "-" if sign else ""
    if point > size or point < -3:
        return prefix + _scientific(text, point - 1)
    return f"{prefix}{Decimal((0, tuple(map(int, text)), point - len(text))):f}"


def _custom(number: Decimal, form: str) -> str:
    sections = _sections(form)
    if number < 0 and len(sections) > 1 and sections[1]:
        return _section(-number, sections[1])
    if number == 0 and len(sections) > 2 and sections[2]:
        return _section(number, sections[2])
    if number >= 0:
        return _section(number, sections[0])
    text = _section(-number, sections[0])
    return f"-{text}" if re.search(r"[1-9]", text) else text


def _sections(form: str) -> list[str]:
    parts, current = [], ""
    for piece in re.findall(r"'[^']*'|\"[^\"]*\"|\\.|[^;]|;", form, re.DOTALL):
        if piece == ";":
            parts.append(current)
            current = ""
        else:
            current += piece
    return [*parts, current]


def _section(number: Decimal, form: str) -> str:
    pieces = _SECTION_PARTS.findall(form)
    exponent = next((p for p in pieces if p[0] in "eE" and p[-1] == "0"), None)
    placeholders = [p for p in pieces if p in ("0", "#", ".")]
    whole, _, fraction = "".join(placeholders).partition(".")
    fraction = fraction.replace(".", "")
    integer_form = form.split(".", 1)[0]
    grouping = re.search(r"[0#],+[0#]", integer_form) is not None
    thousands = re.search(r"[0#](,+)(?![0#,])", integer_form)
    number = number.scaleb(2 * pieces.count("%") + 3 * pieces.count("‰"), context=_WIDE)
    if thousands:
        number = number.scaleb(-3 * len(thousands[1]), context=_WIDE)
    power = ""
    if exponent is not None:
        shift = 0 if number == 0 else number.adjusted() - max(1, len(whole)) + 1
        number = number.scaleb(-shift, context=_WIDE)
        mark = "-" if shift < 0 else ("+" if "+" in exponent else "")
        power = f"{exponent[0]}{mark}{abs(shift):0{exponent.count('0')}d}"
    digits, _, decimals = f"{_round(number, len(fraction)):f}".partition(".")
    least = len(whole) - whole.find("0") if "0" in whole else 0
    digits = digits.lstrip("0").rjust(least, "0")
    if grouping and digits:
        digits = f"{int(digits):,}".rjust(len(digits) + (len(digits) - 1) // 3, "0")
    keep = fraction.rfind("0") + 1
    decimals = decimals[:keep] + decimals[keep:].rstrip("0")
    return _fill(pieces, digits, decimals, power, len(whole))


def _fill(pieces: list[str], digits: str, decimals: str, power: str, places: int) -> str:
    """Put the digits where the placeholders stand, literals between them."""
    out: list[str] = []
    seen = 0
    in_fraction = False
    bare = [c for c in digits if c != ","]
    spare = max(0, len(bare) - places)
    at = 0
    decimal_at = 0
    for piece in pieces:
        if piece in ("0", "#"):
            if in_fraction:
                out.append(decimals[decimal_at : decimal_at + 1])
                decimal_at += 1
                continue
            seen += 1
            count = spare + 1 if seen == 1 else 1
            if seen > 1 and places - seen >= len(bare):
                continue
            if seen == 1 and len(bare) < places:
                continue
            for _ in range(count):
                while at < len(digits) and digits[at] == ",":
                    out.append(",")
                    at += 1
                out.append(digits[at : at + 1])
                at += 1
        elif piece == ".":
            if not in_fraction and decimals:
                out.append(".")
            in_fraction = True
        elif piece == ",":
            continue
        elif piece[0] in "eE" and piece[-1] == "0":
            out.append(power)
        elif piece[0] in "'\"":
            out.append(piece[1:-1])
        elif piece[0] == "\\":
            out.append(piece[1:])
        else:
            out.append(piece)
    return "".join(out)
