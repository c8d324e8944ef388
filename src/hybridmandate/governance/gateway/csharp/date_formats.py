"""Texts of dates: standard and custom formats, parsing. Culture-invariant.

Source: learn.microsoft.com, "Standard date and time format strings" and the custom page.
"""

from __future__ import annotations

import calendar
import re
from datetime import UTC, datetime, timedelta
from typing import Final

from hybridmandate.governance.gateway.csharp.failures import ExpressionFailure, bad_format

_TICKS: Final = 10_000_000
_MAX_TEXT: Final = 200
"""Characters of a text that can be a date."""
_DAY: Final = 864_000_000_000
_START: Final = datetime(1, 1, 1, tzinfo=UTC)
_STANDARD: Final = {
    "d": "MM/dd/yyyy",
    "D": "dddd, dd MMMM yyyy",
    "f": "dddd, dd MMMM yyyy HH:mm",
    "F": "dddd, dd MMMM yyyy HH:mm:ss",
    "g": "MM/dd/yyyy HH:mm",
    "G": "MM/dd/yyyy HH:mm:ss",
    "m": "MMMM dd",
    "M": "MMMM dd",
    "o": "yyyy-MM-ddTHH:mm:ss.fffffffK",
    "O": "yyyy-MM-ddTHH:mm:ss.fffffffK",
    "r": "ddd, dd MMM yyyy HH:mm:ss 'GMT'",
    "R": "ddd, dd MMM yyyy HH:mm:ss 'GMT'",
    "s": "yyyy-MM-ddTHH:mm:ss",
    "t": "HH:mm",
    "T": "HH:mm:ss",
    "u": "yyyy-MM-dd HH:mm:ss'Z'",
    "U": "dddd, dd MMMM yyyy HH:mm:ss",
    "y": "yyyy MMMM",
    "Y": "yyyy MMMM",
}
_TOKEN: Final = re.compile(
    r"y+|M+|d+|H+|h+|m+|s+|f+|F+|t+|z+|K|g+|'[^']*'|\"[^\"]*\"|\\.|%|.", re.DOTALL
)
_MONTHS: Final = list(calendar.month_name)
_MONTHS_SHORT: Final = list(calendar.month_abbr)
_DAYS: Final = list(calendar.day_name)


def format_moment(ticks: int, form: str, offset: int, kind: str) -> str:
    """A date and time in a format; ``kind`` may also be "Offset".

    :raises ExpressionFailure: FormatException for an unknown standard format.
    """
    if len(form) == 1:
        if form not in _STANDARD:
            raise bad_format()
        if form in "rRuU" and kind == "Offset":
            ticks, offset = ticks - offset, 0
        form = _STANDARD[form]
    moment = _START + timedelta(microseconds=ticks // 10)
    fraction = ticks % _TICKS
    pieces = _TOKEN.findall(form)
    out = [_token(t, moment, fraction, offset, kind) for t in pieces]
    for index, piece in enumerate(pieces):
        if piece[0] == "F" and not out[index] and index and out[index - 1] == ".":
            out[index - 1] = ""
    return "".join(out)


def _token(piece: str, moment: datetime, fraction: int, offset: int, kind: str) -> str:
    letter, size = piece[0], len(piece)
    if letter == "y":
        return f"{moment.year % 100:0{size}d}" if size <= 2 else f"{moment.year:0{size}d}"
    if letter == "M":
        return _named(moment.month, size, _MONTHS_SHORT[moment.month], _MONTHS[moment.month])
    if letter == "d":
        name = _DAYS[moment.weekday()]
        return _named(moment.day, size, name[:3], name)
    if letter in "Hhms":
        value = {
            "H": moment.hour, "h": moment.hour % 12 or 12, "m": moment.minute, "s": moment.second
        }[letter]  # fmt: skip
        return f"{value:0{min(size, 2)}d}"
    if letter in "fF":
        digits = f"{fraction:07d}"[:size]
        return digits if letter == "f" else digits.rstrip("0")
    if letter == "t":
        return ("AM" if moment.hour < 12 else "PM")[:size]
    if letter == "z":
        return _offset(offset, size)
    if letter == "K":
        return {"Utc": "Z", "Unspecified": ""}.get(kind) or (
            "" if kind == "Unspecified" else _offset(offset, 3)
        )
    if letter == "g":
        return "A.D."
    if letter in "'\"":
        return piece[1:-1]
    if letter == "\\":
        return piece[1:]
    return "" if piece == "%" else piece


def _named(number: int, size: int, short: str, full: str) -> str:
    if size <= 2:
        return f"{number:0{size}d}"
    return short if size == 3 else full


def _offset(offset: int, size: int) -> str:
    sign = "-" if offset < 0 else "+"
    minutes = abs(offset) // (60 * _TICKS)
    hours, rest = divmod(minutes, 60)
    if size == 1:
        return f"{sign}{hours}"
    return f"{sign}{hours:02d}" if size == 2 else f"{sign}{hours:02d}:{rest:02d}"


_ZONE: Final = r"\s*(?P<zone>Z|z|UTC|GMT|[+-]\d{1,2}(?::?\d{2})?)?"
_TIME: Final = (
    r"(?P<H>\d{1,2}):(?P<m>\d{2})(?::(?P<s>\d{2})(?:[.,](?P<f>\d{1,9}))?)?\s*(?P<t>[AaPp][Mm])?"
)
_WEEKDAY: Final = r"(?:(?:mon|tues?|wed(?:nes)?|thu(?:rs)?|fri|sat(?:ur)?|sun)(?:day)?,?\s+)?"
_MONTH: Final = r"(?P<B>jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\.?"
_SHAPES: Final = [
    re.compile(shape, re.IGNORECASE)
    for shape in (
        rf"(?P<y>\d{{4}})[-/.](?P<M>\d{{1,2}})[-/.](?P<d>\d{{1,2}})(?:[T\s]\s*{_TIME})?{_ZONE}",
        rf"(?P<M>\d{{1,2}})[-/.](?P<d>\d{{1,2}})[-/.](?P<y>\d{{4}})(?:[T\s]\s*{_TIME})?{_ZONE}",
        rf"{_WEEKDAY}(?P<d>\d{{1,2}})[\s-]{_MONTH}[\s-](?P<y>\d{{4}})(?:\s+{_TIME})?{_ZONE}",
        rf"{_WEEKDAY}{_MONTH}\s+(?P<d>\d{{1,2}}),?\s+(?P<y>\d{{4}})(?:\s+{_TIME})?{_ZONE}",
        r"(?P<y>\d{4})-(?P<M>\d{2})",
    )
]
Moment = tuple[int, int | None, bool]


def parse_moment(text: str, form: str | None) -> Moment:
    """Ticks, offset in ticks (None when not given) and whether the offset was ``Z``.

    :raises ExpressionFailure: FormatException.
    """
    if len(text) > _MAX_TEXT:
        return _moment(text, None)
    if form is not None:
        pattern = _pattern_of(form)
        match = pattern.fullmatch(text)
        return _moment(text, match)
    for shape in _SHAPES:
        match = shape.fullmatch(text.strip())
        if match is not None:
            return _moment(text, match)
    return _moment(text, None)


def _moment(text: str, match: re.Match[str] | None) -> Moment:
    if match is None:
        raise bad_format(f"String '{text[:100]}' was not recognized as a valid DateTime.")
    parts = {name: value for name, value in match.groupdict().items() if value is not None}
    year = int(parts.get("y", "1"))
    if len(parts.get("y", "0001")) == 2:
        year += 2000 if year < 50 else 1900
    month = int(parts.get("M", "1"))
    if "B" in parts:
        month = [m.lower() for m in _MONTHS_SHORT].index(parts["B"][:3].lower())
    hour = int(parts.get("H", "0"))
    half = parts.get("t", "").lower()
    if half:
        hour = hour % 12 + (12 if half.startswith("p") else 0)
    try:
        day = datetime(
            year, month, int(parts.get("d", "1")), hour, int(parts.get("m", "0")),
            int(parts.get("s", "0")), tzinfo=UTC,
        )  # fmt: skip
    except ValueError:
        raise bad_format(f"String '{text[:100]}' was not recognized as a valid DateTime.") from None
    delta = day - _START
    ticks = (delta.days * 86400 + delta.seconds) * _TICKS
    ticks += int(parts.get("f", "0").ljust(7, "0")[:7])
    zone = parts.get("zone")
    return ticks, None if not zone else _zone(zone), zone in ("Z", "z", "UTC", "GMT")


def _zone(zone: str) -> int:
    if zone[0] not in "+-":
        return 0
    digits = zone[1:].replace(":", "")
    hours, minutes = (int(digits), 0) if len(digits) <= 2 else (int(digits[:-2]), int(digits[-2:]))
    return (1 if zone[0] == "+" else -1) * (hours * 60 + minutes) * 60 * _TICKS


def _pattern_of(form: str) -> re.Pattern[str]:
    if len(form) == 1:
        if form not in _STANDARD:
            raise bad_format()
        form = _STANDARD[form]
    return re.compile("".join(map(_pattern_token, _TOKEN.findall(form))), re.IGNORECASE)


def _pattern_token(piece: str) -> str:
    letter, size = piece[0], len(piece)
    if letter in "Hhmsd" and size <= 2:
        group = "H" if letter == "h" else letter
        return rf"(?P<{group}>\d{{{size},2}})"
    if letter == "d":
        return "[A-Za-z]+"
    if letter == "M":
        return rf"(?P<M>\d{{{size},2}})" if size <= 2 else r"(?P<B>[A-Za-z]{3})[A-Za-z]*"
    if letter == "y":
        return rf"(?P<y>\d{{{2 if size <= 2 else 4}}})"
    if letter in "fF":
        return rf"(?P<f>\d{{{size if letter == 'f' else 0},{size}}})"
    if letter == "t":
        return "(?P<t>[AP]M?)"
    if letter in "zK":
        return r"(?P<zone>Z|[+-]\d{1,2}(?::?\d{2})?)" + ("?" if letter == "K" else "")
    if letter in "'\"":
        return re.escape(piece[1:-1])
    if letter == "\\":
        return re.escape(piece[1:])
    return "" if piece == "%" else re.escape(piece)


_SPAN: Final = re.compile(
    r"\s*(?P<sign>-)?(?:(?P<d>\d{1,8})(?:\.(?=\d{1,2}:\d)|:(?=\d{1,2}:\d{1,2}:\d)|\s*$))?"
    r"(?:(?P<h>\d{1,2}):(?P<m>\d{1,2})(?::(?P<s>\d{1,2})(?:\.(?P<f>\d{1,7}))?)?)?\s*"
)


def parse_span(text: str) -> int:
    """Ticks of ``[-][d.]hh:mm[:ss[.fffffff]]`` or a number of days.

    :raises ExpressionFailure: FormatException, or OverflowException for 24 hours and the like.
    """
    match = _SPAN.fullmatch(text[:_MAX_TEXT])
    if match is None or not text.strip(" -"):
        raise bad_format(f"String '{text[:100]}' was not recognized as a valid TimeSpan.")
    days, hours = int(match["d"] or 0), int(match["h"] or 0)
    minutes, seconds = int(match["m"] or 0), int(match["s"] or 0)
    if hours > 23 or minutes > 59 or seconds > 59 or days > 10_675_199:
        raise ExpressionFailure(
            "The TimeSpan string could not be parsed because at least one of the numeric "
            "components is out of range or contains too many digits.",
            "OverflowException",
        )
    ticks = (((days * 24 + hours) * 60 + minutes) * 60 + seconds) * _TICKS
    ticks += int((match["f"] or "").ljust(7, "0"))
    return -ticks if match["sign"] else ticks


_SPAN_TOKEN: Final = re.compile(r"d+|h+|m+|s+|f+|F+|'[^']*'|\"[^\"]*\"|\\.|%|.", re.DOTALL)


def span_text(ticks: int, form: str) -> str:
    """A span in a format: c, t, T, g, G or custom."""
    sign = "-" if ticks < 0 else ""
    size = abs(ticks)
    days, rest = divmod(size, _DAY)
    seconds, fraction = divmod(rest, _TICKS)
    hours, minutes, second = seconds // 3600, seconds // 60 % 60, seconds % 60
    if form in ("c", "t", "T"):
        day = f"{days}." if days else ""
        tail = f".{fraction:07d}" if fraction else ""
        return f"{sign}{day}{hours:02d}:{minutes:02d}:{second:02d}{tail}"
    if form == "g":
        day = f"{days}:" if days else ""
        tail = f".{fraction:07d}".rstrip("0") if fraction else ""
        return f"{sign}{day}{hours}:{minutes:02d}:{second:02d}{tail}"
    if form == "G":
        return f"{sign}{days}:{hours:02d}:{minutes:02d}:{second:02d}.{fraction:07d}"
    values = {"d": days, "h": hours, "m": minutes, "s": second}
    out = []
    for piece in _SPAN_TOKEN.findall(form):
        letter = piece[0]
        if letter in values:
            out.append(f"{values[letter]:0{len(piece)}d}")
        elif letter in "fF":
            digits = f"{fraction:07d}"[: len(piece)]
            out.append(digits if letter == "f" else digits.rstrip("0"))
        elif letter in "'\"":
            out.append(piece[1:-1])
        elif letter == "\\":
            out.append(piece[1:])
        elif piece != "%":
            raise bad_format("Input string was not in a correct format.")
    return "".join(out)
