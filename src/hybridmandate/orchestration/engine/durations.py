"""ISO 8601 durations as definitions write them: ``PT20S``, ``P7D``, ``PT1H30M``, ``P1M``."""

from __future__ import annotations

import math
import re
from functools import lru_cache

_DURATION = re.compile(
    r"P(?:(?P<years>\d+)Y)?(?:(?P<months>\d+)M)?(?:(?P<weeks>\d+)W)?(?:(?P<days>\d+)D)?"
    r"(?:T(?:(?P<hours>\d+)H)?(?:(?P<minutes>\d+)M)?(?:(?P<seconds>\d+(?:\.\d+)?)S)?)?"
)
_SECONDS = {
    "years": 365 * 86400,
    "months": 30 * 86400,
    "weeks": 7 * 86400,
    "days": 86400,
    "hours": 3600,
    "minutes": 60,
    "seconds": 1,
}
UNITS = {
    "second": 1,
    "minute": 60,
    "hour": 3600,
    "day": 86400,
    "week": 7 * 86400,
    "month": 30 * 86400,
    "year": 365 * 86400,
}
"""Seconds of the units of Wait and Recurrence; a month counts 30 days, a year 365."""


def duration_seconds(text: object) -> float:
    """Seconds of an ISO 8601 duration. :raises ValueError: when it is none."""
    if not isinstance(text, str):
        raise ValueError(f"'{text}' is not a duration such as PT20S or P7D")
    return _seconds(text)


@lru_cache(maxsize=256)
def _seconds(text: str) -> float:
    match = _DURATION.fullmatch(text)
    parts = {k: v for k, v in match.groupdict().items() if v} if match else {}
    if not parts:
        raise ValueError(f"'{text}' is not a duration such as PT20S or P7D")
    return sum(float(value) * _SECONDS[unit] for unit, value in parts.items())


def unit_seconds(count: object, unit: object) -> float:
    """Seconds of a count of units (``3``, ``Day``). :raises ValueError: for other values."""
    known = UNITS.get(str(unit).lower().removesuffix("s"))
    if known is None:
        raise ValueError(f"'{unit}' is not a unit of time")
    try:
        number = float(str(count))
    except ValueError:
        raise ValueError(f"'{count}' is not a number of {unit}") from None
    if not math.isfinite(number):
        raise ValueError(f"'{count}' is not a number of {unit}")
    if number < 0:
        raise ValueError(f"a wait of {count} {unit} is negative")
    return number * known
