"""Dates as text, by .NET's format strings.

Source: .NET documentation, "Standard date and time format strings" and "Custom date and time
format strings".
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from functools import lru_cache

from hybridmandate.orchestration.expressions.dotnet.cultures import Culture, culture
from hybridmandate.orchestration.expressions.dotnet.instants import Instant
from hybridmandate.orchestration.expressions.errors import FunctionFault

ROUND_TRIP = "yyyy-MM-ddTHH:mm:ss.fffffffK"
TOKEN = re.compile(
    r"""'(?P<single>[^']*)'|"(?P<double>[^"]*)"|\\(?P<escaped>.)|%(?P<only>[dfFgGhHKmMstyz:/])
    |(?P<run>d+|f+|F+|g+|h+|H+|K|m+|M+|s+|t+|y+|z+)|(?P<sign>[:/])|(?P<wrong>['"\\%])
    |(?P<other>.)""",
    re.VERBOSE | re.DOTALL,
)


def standard_pattern(letter: str, locale: Culture) -> str | None:
    """The custom pattern of a standard format, or None when there is no such format."""
    found = _STANDARD.get(letter)
    return found(locale) if found else None


_STANDARD: dict[str, Callable[[Culture], str]] = {
    "d": lambda c: c.short_date,
    "D": lambda c: c.long_date,
    "f": lambda c: f"{c.long_date} {c.short_time}",
    "F": lambda c: f"{c.long_date} {c.long_time}",
    "g": lambda c: f"{c.short_date} {c.short_time}",
    "G": lambda c: f"{c.short_date} {c.long_time}",
    "m": lambda c: c.month_day,
    "M": lambda c: c.month_day,
    "o": lambda c: ROUND_TRIP,
    "O": lambda c: ROUND_TRIP,
    "r": lambda c: "ddd, dd MMM yyyy HH':'mm':'ss 'GMT'",
    "R": lambda c: "ddd, dd MMM yyyy HH':'mm':'ss 'GMT'",
    "s": lambda c: "yyyy'-'MM'-'dd'T'HH':'mm':'ss",
    "t": lambda c: c.short_time,
    "T": lambda c: c.long_time,
    "u": lambda c: "yyyy'-'MM'-'dd HH':'mm':'ss'Z'",
    "U": lambda c: f"{c.long_date} {c.long_time}",
    "y": lambda c: c.year_month,
    "Y": lambda c: c.year_month,
}


def format_date(instant: Instant, pattern: str, locale: str = "en-US", argument: int = 2) -> str:
    """The text of an instant. ``argument`` is the pattern's place in the function, for errors.

    :raises FunctionFault: when the pattern is no .NET format or the locale is unknown.
    """
    words = culture(locale, argument + 1)
    if not pattern:
        pattern = "o"
    if len(pattern) == 1:
        known = standard_pattern(pattern, words)
        if known is None:
            raise FunctionFault("The format is not valid", argument=argument, value=pattern)
        if pattern in "oOrRsu":
            words = culture("en-US")
        if pattern in "oO":
            return _round_trip(instant)
        pattern = known
    elif pattern == ROUND_TRIP:
        return _round_trip(instant)
    return _custom(instant, pattern, words, argument)


def _round_trip(instant: Instant) -> str:
    moment = instant.moment
    seconds = moment.replace(microsecond=0).isoformat()
    return f"{seconds}.{instant.fraction:07d}{'Z' if instant.utc else ''}"


def _custom(instant: Instant, pattern: str, words: Culture, argument: int) -> str:
    tokens = _tokens(pattern)
    if tokens is None:
        raise FunctionFault("The format is not valid", argument=argument, value=pattern)
    moment = instant.moment
    with_day = ("d", "d") in tokens or ("d", "dd") in tokens
    parts: list[str] = []
    for kind, text in tokens:
        if kind in _CLOCK:
            parts.append(f"{_CLOCK[kind](moment):0{min(len(text), 2)}d}")
        elif kind == "literal":
            parts.append(text)
        elif kind == "M":
            parts.append(_month(moment.month, len(text), words, with_day))
        elif kind == "F":
            _drop_point(parts, digits := _fraction(instant, len(text)).rstrip("0"))
            parts.append(digits)
        else:
            parts.append(_field(instant, moment, kind, len(text), words))
    return "".join(parts)


@lru_cache(maxsize=1_024)
def _tokens(pattern: str) -> tuple[tuple[str, str], ...] | None:
    """Each part as (letter, run), (sign, sign) or (``literal``, text); None when one is wrong."""
    tokens: list[tuple[str, str]] = []
    for found in TOKEN.finditer(pattern):
        if found["wrong"] is not None:
            return None
        run = found["run"] or found["only"] or found["sign"]
        if run:
            tokens.append((run[0], run))
        else:
            tokens.append(("literal", next(each for each in found.groups() if each is not None)))
    return tuple(tokens)


_CLOCK: dict[str, Callable[[datetime], int]] = {
    "h": lambda moment: (moment.hour + 11) % 12 + 1,
    "H": lambda moment: moment.hour,
    "m": lambda moment: moment.minute,
    "s": lambda moment: moment.second,
}


def _fraction(instant: Instant, size: int) -> str:
    return f"{instant.fraction:07d}"[: min(size, 7)]


def _drop_point(parts: list[str], digits: str) -> None:
    """``.FFF`` writes no point when no digit follows it."""
    if not digits and parts and parts[-1].endswith("."):
        parts[-1] = parts[-1][:-1]


def _field(instant: Instant, moment: datetime, letter: str, size: int, words: Culture) -> str:
    if letter == "y":
        return f"{moment.year % 100:0{size}d}" if size <= 2 else f"{moment.year:0{size}d}"
    if letter == "d":
        return _day(moment, size, words)
    if letter == "f":
        return _fraction(instant, size)
    if letter == "t":
        name = words.am if moment.hour < 12 else words.pm
        return name[:1] if size == 1 else name
    if letter == "z":
        return {1: "+0", 2: "+00"}.get(size, "+00:00")
    return {
        "K": "Z" if instant.utc else "",
        "g": "A.D.",
        ":": words.time_separator,
        "/": words.date_separator,
    }[letter]


def _day(moment: datetime, size: int, words: Culture) -> str:
    if size <= 2:
        return f"{moment.day:0{size}d}"
    names = words.short_days if size == 3 else words.days
    return names[moment.isoweekday() % 7]


def _month(month: int, size: int, words: Culture, with_day: bool) -> str:
    if size <= 2:
        return f"{month:0{size}d}"
    if size == 3:
        names = words.genitive_short_months if with_day else words.short_months
    else:
        names = words.genitive_months if with_day else words.months
    return names[month - 1]
