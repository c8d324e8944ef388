"""Dates as text, by .NET's format strings.

Source: .NET documentation, "Standard date and time format strings" and "Custom date and time
format strings".
"""

from __future__ import annotations

import re
from collections.abc import Callable

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
    patterns: dict[str, Callable[[Culture], str]] = {
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
    found = patterns.get(letter)
    return found(locale) if found else None


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
    tokens = list(TOKEN.finditer(pattern))
    with_day = any(_run(token) in ("d", "dd") for token in tokens)
    parts: list[str] = []
    for token in tokens:
        if token["wrong"] is not None:
            raise FunctionFault("The format is not valid", argument=argument, value=pattern)
        run = _run(token)
        if run:
            parts.append(_field(instant, run, words, with_day))
            if run[0] == "F" and not parts[-1] and len(parts) > 1 and parts[-2].endswith("."):
                parts[-2] = parts[-2][:-1]
        elif token["sign"]:
            parts.append(_sign(token["sign"], words))
        else:
            parts.append(next(text for text in token.groups() if text is not None))
    return "".join(parts)


def _run(token: re.Match[str]) -> str:
    only = token["only"]
    if only is not None:
        return "" if only in ":/" else str(only)
    return token["run"] or ""


def _sign(sign: str, words: Culture) -> str:
    return words.time_separator if sign == ":" else words.date_separator


def _field(instant: Instant, run: str, words: Culture, with_day: bool) -> str:
    moment, size, letter = instant.moment, len(run), run[0]
    if letter == "d":
        if size <= 2:
            return f"{moment.day:0{size}d}"
        names = words.short_days if size == 3 else words.days
        return names[moment.isoweekday() % 7]
    if letter == "M":
        return _month(moment.month, size, words, with_day)
    if letter == "y":
        return f"{moment.year % 100:0{size}d}" if size <= 2 else f"{moment.year:0{size}d}"
    if letter in "fF":
        digits = f"{instant.fraction:07d}"[: min(size, 7)]
        return digits if letter == "f" else digits.rstrip("0")
    if letter == "t":
        name = words.am if moment.hour < 12 else words.pm
        return name[:1] if size == 1 else name
    if letter == "K":
        return "Z" if instant.utc else ""
    if letter == "z":
        return {1: "+0", 2: "+00"}.get(size, "+00:00")
    if letter == "g":
        return "A.D."
    value = {
        "h": (moment.hour + 11) % 12 + 1,
        "H": moment.hour,
        "m": moment.minute,
        "s": moment.second,
    }[letter]
    return f"{value:0{min(size, 2)}d}"


def _month(month: int, size: int, words: Culture, with_day: bool) -> str:
    if size <= 2:
        return f"{month:0{size}d}"
    if size == 3:
        names = words.genitive_short_months if with_day else words.short_months
    else:
        names = words.genitive_months if with_day else words.months
    return names[month - 1]
