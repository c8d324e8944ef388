"""Numbers as text, by .NET's format strings.

Source: .NET documentation, "Standard numeric format strings" and "Custom numeric format strings".
A double is rounded by its exact value in a standard format, halves to the even digit (.NET Core 2.1
and later; seen in the cloud by the authors of FlowForger: 2.5 as ``N0`` is 2, 1.005 as ``N2`` is
1.00). A custom format takes its first 15 digits and rounds halves away from zero. Halves of
integers and decimals are rounded away from zero.
"""

from __future__ import annotations

import re
from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal, localcontext
from math import isfinite

from hybridmandate.orchestration.expressions.dotnet.cultures import Culture, culture
from hybridmandate.orchestration.expressions.errors import FunctionFault
from hybridmandate.orchestration.expressions.values import number_text

_STANDARD = re.compile(r"([A-Za-z])(\d{0,3})", re.ASCII)
_TOKEN = re.compile(r"""'([^']*)'|"([^"]*)"|\\(.)|([0#.,%‰])|([eE][+-]?0+)|(.)""", re.DOTALL)
_MOST_DIGITS = 99
_LONGEST = 512
_EXACT_DIGITS = 1_100
"""More than the digits of any double written out in full."""


def format_number(value: int | float | Decimal, pattern: str, locale: str = "en-US") -> str:
    """The text of a number.

    :raises FunctionFault: when the pattern is no .NET format or the locale is unknown.
    """
    words = culture(locale, 3)
    if len(pattern) > _LONGEST:
        raise FunctionFault("The format is too long", argument=2, value=pattern)
    if isinstance(value, float) and not isfinite(value):
        return number_text(value).replace("Infinity", "∞")
    with localcontext() as context:
        context.prec = _EXACT_DIGITS
        context.rounding = ROUND_HALF_UP
        found = _STANDARD.fullmatch(pattern)
        if found is not None:
            if isinstance(value, float):
                context.rounding = ROUND_HALF_EVEN
            return _standard(value, found.group(1), found.group(2), words, pattern)
        return _custom(_first_digits(value), pattern, words) if pattern else number_text(value)


def _first_digits(value: int | float | Decimal) -> Decimal:
    return Decimal(f"{value:.14e}") if isinstance(value, float) else Decimal(value)


def _standard(
    value: int | float | Decimal, letter: str, digits: str, words: Culture, pattern: str
) -> str:
    if digits and int(digits) > _MOST_DIGITS:
        raise FunctionFault("The precision is over 99", argument=2, value=pattern)
    precision = int(digits) if digits else None
    kind = letter.upper()
    number = Decimal(value)
    if kind in "DXB":
        if not isinstance(value, int):
            raise FunctionFault("This format takes integers only", argument=2, value=pattern)
        return _integer(value, letter, precision or 0)
    if kind == "F":
        return _signed(number, _places(precision, 2), words, grouped=False)
    if kind == "N":
        return _signed(number, _places(precision, 2), words, grouped=True)
    if kind == "P":
        text = _signed(number * 100, _places(precision, 2), words, grouped=True)
        return words.percent_positive.replace("n", text)
    if kind == "C":
        return _currency(number, _places(precision, words.currency_digits), words)
    if kind == "E":
        return _scientific(number, _places(precision, 6), letter, words, 3)
    if kind == "G":
        return _general(value, number, precision, letter, words)
    if kind == "R":
        return number_text(value).replace(".", words.decimal)
    raise FunctionFault("The format is not valid", argument=2, value=pattern)


def _places(precision: int | None, default: int) -> int:
    return default if precision is None else precision


def _integer(value: int, letter: str, precision: int) -> str:
    if letter in "dD":
        return f"{'-' if value < 0 else ''}{abs(value):0{max(precision, 1)}d}"
    bits = value if value >= 0 else value + 2**64
    text = format(bits, "b" if letter in "bB" else letter)
    return text.rjust(precision, "0")


def _rounded(number: Decimal, places: int) -> Decimal:
    return number.quantize(Decimal(1).scaleb(-places))


def _signed(number: Decimal, places: int, words: Culture, *, grouped: bool) -> str:
    rounded = _rounded(number, places)
    text = _plain(abs(rounded), words, grouped=grouped)
    return f"-{text}" if rounded < 0 else text


def _plain(number: Decimal, words: Culture, *, grouped: bool) -> str:
    whole, _, fraction = format(number, "f").partition(".")
    if grouped:
        whole = _grouped(whole, words)
    return f"{whole}{words.decimal}{fraction}" if fraction else whole


def _grouped(whole: str, words: Culture) -> str:
    first, other = words.group_sizes
    parts = [whole[-first:]]
    rest = whole[:-first]
    while rest:
        parts.append(rest[-other:])
        rest = rest[:-other]
    return words.group.join(reversed(parts))


def _currency(number: Decimal, places: int, words: Culture) -> str:
    rounded = _rounded(number, places)
    text = _plain(abs(rounded), words, grouped=True)
    form = words.currency_negative if rounded < 0 else words.currency_positive
    return form.replace("n", text, 1).replace("¤", words.currency)


def _scientific(number: Decimal, places: int, letter: str, words: Culture, width: int) -> str:
    if number == 0:
        mantissa, power = Decimal(0), 0
    else:
        power = number.adjusted()
        mantissa = _rounded(number.scaleb(-power), places)
        if abs(mantissa) >= 10:
            power += 1
            mantissa = mantissa / 10
    text = _plain(_rounded(abs(mantissa), places), words, grouped=False)
    sign = "-" if mantissa < 0 else ""
    return f"{sign}{text}{letter}{'-' if power < 0 else '+'}{abs(power):0{width}d}"


def _general(
    value: int | float | Decimal,
    number: Decimal,
    precision: int | None,
    letter: str,
    words: Culture,
) -> str:
    if not precision:
        return number_text(value).replace(".", words.decimal)
    if number == 0:
        return "0"
    rounded = _rounded(number.scaleb(-number.adjusted()), precision - 1).scaleb(number.adjusted())
    if -5 < rounded.adjusted() < precision:
        text = format(rounded.normalize(), "f")
        return text.replace(".", words.decimal)
    exponent = rounded.adjusted()
    mantissa = format(rounded.scaleb(-exponent).normalize(), "f").replace(".", words.decimal)
    mark = "e" if letter == "g" else "E"
    return f"{mantissa}{mark}{'-' if exponent < 0 else '+'}{abs(exponent):02d}"


def _custom(number: Decimal, pattern: str, words: Culture) -> str:
    sections = _sections(pattern)
    minus = ""
    section = sections[0]
    if number < 0 and len(sections) > 1 and sections[1]:
        section, number = sections[1], -number
    elif number < 0:
        minus, number = "-", -number
    if number == 0 and len(sections) > 2 and sections[2]:
        section = sections[2]
    text, zero = _section(number, section, words)
    if zero and number != 0 and len(sections) > 2 and sections[2]:
        text, _ = _section(Decimal(0), sections[2], words)
    return text if zero else f"{minus}{text}"


def _sections(pattern: str) -> list[list[tuple[str, str]]]:
    """The tokens of each section: (kind, text); kind is ``literal``, ``exponent`` or the sign."""
    sections: list[list[tuple[str, str]]] = [[]]
    for token in _TOKEN.finditer(pattern):
        single, double, escaped, sign, exponent, other = token.groups()
        if other == ";":
            sections.append([])
            continue
        if sign is not None:
            sections[-1].append((sign, sign))
        elif exponent is not None:
            sections[-1].append(("exponent", exponent))
        else:
            text = next(each for each in (single, double, escaped, other) if each is not None)
            sections[-1].append(("literal", text))
    return sections[:3]


def _section(number: Decimal, tokens: list[tuple[str, str]], words: Culture) -> tuple[str, bool]:
    """The text by one section, and whether the number became zero by rounding."""
    kinds = [kind for kind, _ in tokens]
    point = kinds.index(".") if "." in kinds else len(kinds)
    before = [at for at, kind in enumerate(kinds[:point]) if kind in "0#"]
    after = [at for at, kind in enumerate(kinds) if at > point and kind in "0#"]
    last = before[-1] if before else -1
    scaling = sum(1 for at in range(last + 1, point) if kinds[at] == ",") if before else 0
    grouped = any(kinds[at] == "," for at in range(before[0], last)) if before else False
    number = number.scaleb(2 * kinds.count("%") + 3 * kinds.count("‰") - 3 * scaling)
    power = 0
    if "exponent" in kinds and number != 0:
        power = number.adjusted() - max(len(before) - 1, 0)
        number = number.scaleb(-power)
    number = _rounded(number, len(after))
    whole, _, fraction = format(number, "f").partition(".")
    whole = whole.lstrip("0")
    least = next((len(before) - at for at, each in enumerate(before) if kinds[each] == "0"), 0)
    whole = whole.rjust(least, "0")
    needed = max((at + 1 for at, each in enumerate(after) if kinds[each] == "0"), default=0)
    fraction = fraction.rstrip("0").ljust(needed, "0")
    if grouped and whole:
        whole = _grouped(whole, words)
    return _laid_out(tokens, before, after, whole, fraction, power, words), number == 0


def _laid_out(
    tokens: list[tuple[str, str]],
    before: list[int],
    after: list[int],
    whole: str,
    fraction: str,
    power: int,
    words: Culture,
) -> str:
    shares = _shares(whole, before)
    parts: list[str] = []
    pointed = False
    for at, (kind, text) in enumerate(tokens):
        if at in shares:
            parts.append(shares[at])
        elif at in after:
            index = after.index(at)
            parts.append(fraction[index : index + 1])
        elif kind == "." and not pointed:
            pointed = True
            if not before:
                parts.append(whole)
            parts.append(words.decimal if fraction else "")
        elif kind in "%‰" or kind == "literal":
            parts.append(text)
        elif kind == "exponent":
            parts.append(_exponent(text, power))
    return "".join(parts)


def _shares(whole: str, before: list[int]) -> dict[int, str]:
    """The digits (with group signs) that stand at each placeholder; the first takes the surplus."""
    shares: dict[int, str] = {}
    rest = whole
    for at in reversed(before):
        if at == before[0]:
            shares[at] = rest
            break
        size = 1
        while size < len(rest) and not rest[-size].isdigit():
            size += 1
        shares[at], rest = (rest[-size:], rest[:-size]) if rest else ("", "")
    return shares


def _exponent(mark: str, power: int) -> str:
    sign = "-" if power < 0 else ("+" if "+" in mark else "")
    return f"{mark[0]}{sign}{abs(power):0{mark.count('0')}d}"
