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
from hybridmandate.orchestration.expressions.dotnet.instants import (
    Instant,
)
from hybridmandate.orchestration.expressions.errors import FunctionFault

Read = Callable[[Instant, datetime], int | str]
"""What a part of a pattern takes from an instant."""
Field = str | tuple[str, Read]
"""A part of a pattern: the text that it always writes, or how (``%02d``) it writes what it reads"""

_LONGEST_KEPT = 256
"""Patterns up to this length are prepared once and kept."""
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
    if pattern == ROUND_TRIP and locale == "en-US":
        return _round_trip(instant)
    if len(pattern) > _LONGEST_KEPT:
        form, reads = _prepared(pattern, locale, argument)
    else:
        form, reads = _kept(pattern, locale, argument)
    moment = instant.moment
    return form % tuple([read(instant, moment) for read in reads])


def _prepared(pattern: str, locale: str, argument: int) -> tuple[str, tuple[Read, ...]]:
    """A pattern in a culture as a text with places, and what is read for each place."""
    fields = _fields(pattern, locale, argument)
    form = "".join(
        field.replace("%", "%%") if isinstance(field, str) else field[0] for field in fields
    )
    return form, tuple(field[1] for field in fields if not isinstance(field, str))


_kept = lru_cache(maxsize=1_024)(_prepared)


def _fields(pattern: str, locale: str, argument: int) -> list[Field]:
    """What a pattern writes in a culture, part by part."""
    words = culture(locale, argument + 1)
    if len(pattern) <= 1:
        letter = pattern or "o"
        known = standard_pattern(letter, words)
        if known is None:
            raise FunctionFault("The format is not valid", argument=argument, value=pattern)
        if letter in "oO":
            return [("%s", lambda instant, moment: _round_trip(instant))]
        if letter in "rRsu":
            words = culture("en-US")
        pattern = known
    elif pattern == ROUND_TRIP:
        return [("%s", lambda instant, moment: _round_trip(instant))]
    tokens = _tokens(pattern)
    if tokens is None:
        raise FunctionFault("The format is not valid", argument=argument, value=pattern)
    with_day = ("d", "d") in tokens or ("d", "dd") in tokens
    fields: list[Field] = []
    for kind, text in tokens:
        if kind == "literal":
            fields.append(text)
        elif kind == "F":
            fields.append(_trimmed_fraction(len(text), _drop_point(fields)))
        else:
            fields.append(_field(kind, len(text), words, with_day))
    return fields


def _round_trip(instant: Instant) -> str:
    micros = instant.moment.isoformat(timespec="microseconds")
    return f"{micros}{instant.ticks % 10}{'Z' if instant.utc else ''}"


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


def _drop_point(fields: list[Field]) -> str:
    """Take the point before ``FFF`` away; it is written only when a digit follows it."""
    before = fields[-1] if fields else None
    if not isinstance(before, str) or not before.endswith("."):
        return ""
    fields[-1] = before[:-1]
    return "."


def _trimmed_fraction(size: int, point: str) -> Field:
    def write(instant: Instant, moment: datetime) -> str:
        digits = _fraction(instant, size).rstrip("0")
        return point + digits if digits else ""

    return "%s", write


def _fraction(instant: Instant, size: int) -> str:
    return f"{instant.fraction:07d}"[: min(size, 7)]


def _field(letter: str, size: int, words: Culture, with_day: bool) -> Field:
    clock = _CLOCK.get(letter)
    if clock is not None:
        return _digits(min(size, 2)), clock
    if letter == "y":
        if size <= 2:
            return _digits(size), lambda instant, moment: moment.year % 100
        return _digits(size), lambda instant, moment: moment.year
    if letter == "M":
        return _month(size, words, with_day)
    if letter == "d":
        return _day(size, words)
    if letter == "f":
        return "%s", lambda instant, moment: _fraction(instant, size)
    if letter == "t":
        am, pm = (words.am, words.pm) if size > 1 else (words.am[:1], words.pm[:1])
        return "%s", lambda instant, moment: am if moment.hour < 12 else pm
    if letter == "K":
        return "%s", lambda instant, moment: "Z" if instant.utc else ""
    if letter == "z":
        return {1: "+0", 2: "+00"}.get(size, "+00:00")
    return {"g": "A.D.", ":": words.time_separator, "/": words.date_separator}[letter]


def _digits(size: int) -> str:
    return f"%0{size}d"


_CLOCK: dict[str, Read] = {
    "h": lambda instant, moment: (moment.hour + 11) % 12 + 1,
    "H": lambda instant, moment: moment.hour,
    "m": lambda instant, moment: moment.minute,
    "s": lambda instant, moment: moment.second,
}


def _day(size: int, words: Culture) -> Field:
    if size <= 2:
        return _digits(size), lambda instant, moment: moment.day
    names = words.short_days if size == 3 else words.days
    return "%s", lambda instant, moment: names[moment.isoweekday() % 7]


def _month(size: int, words: Culture, with_day: bool) -> Field:
    if size <= 2:
        return _digits(size), lambda instant, moment: moment.month
    if size == 3:
        names = words.genitive_short_months if with_day else words.short_months
    else:
        names = words.genitive_months if with_day else words.months
    return "%s", lambda instant, moment: names[moment.month - 1]
