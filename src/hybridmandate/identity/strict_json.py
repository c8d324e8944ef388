"""JSON of security objects, read so that two readers cannot see two different things.

RFC 7519 section 4 lets a parser refuse duplicate claim names or take the last one; a door that
takes one while another takes the other can be walked around, so duplicates are refused here.
"""

from __future__ import annotations

import json
from typing import Any


def strict_object(text: bytes) -> dict[str, Any]:
    """The JSON object of a header, claims set or key set.

    :raises ValueError: for anything but one object in UTF-8 without duplicate names, ``NaN`` or
        ``Infinity``; also for nesting deeper than the reader can follow.
    """
    try:
        value: object = json.loads(
            text.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_no_constant
        )
    except RecursionError:
        raise ValueError("the JSON is nested too deeply") from None
    if not isinstance(value, dict):
        raise ValueError("the JSON is not an object")
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands twice in one JSON object")
    return found


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON")
