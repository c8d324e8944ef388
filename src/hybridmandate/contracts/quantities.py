"""Sizes and durations as people write them in declarations: ``8 MiB``, ``30 s``."""

from __future__ import annotations

import re

_SIZES = {
    "B": 1,
    "KB": 1000,
    "MB": 1000**2,
    "GB": 1000**3,
    "KiB": 1024,
    "MiB": 1024**2,
    "GiB": 1024**3,
}
_DURATIONS = {"ms": 0.001, "s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
_QUANTITY = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([A-Za-z]+)\s*")


def parse_size(text: str) -> int:
    """Bytes of a size such as ``8 MiB`` (1024-based) or ``8 MB`` (1000-based).

    :raises ValueError: when the text is not a number with one of the known units.
    """
    number, unit = _split(text, "size", _SIZES)
    return int(number * _SIZES[unit])


def parse_duration(text: str) -> float:
    """Seconds of a duration such as ``30 s``, ``250 ms``, ``5 min``, ``2 h`` or ``90 d``.

    :raises ValueError: when the text is not a number with one of the known units.
    """
    number, unit = _split(text, "duration", _DURATIONS)
    return number * _DURATIONS[unit]


def _split(text: str, what: str, units: dict[str, int] | dict[str, float]) -> tuple[float, str]:
    match = _QUANTITY.fullmatch(text)
    if match is None or match[2] not in units:
        known = ", ".join(units)
        raise ValueError(f"'{text}' is not a {what}: write a number and one of {known}")
    return float(match[1]), match[2]
