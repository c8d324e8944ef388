"""What comes from outside or goes there, made into what JSON has.

Python reads and writes NaN, infinities and halves of characters as if they were JSON; databases and
other readers refuse them. Numbers that are none become texts (Json.NET,
``FloatFormatHandling.String``), half a character becomes U+FFFD (.NET, ``Encoding.UTF8``).
"""

from __future__ import annotations

import json
import math
from typing import Any


def json_values(value: Any) -> Any:
    """The value itself, or a copy of it that JSON in UTF-8 can hold.

    :raises RecursionError: when it is nested more deeply than Python can follow.
    """
    try:
        json.dumps(value, allow_nan=False, ensure_ascii=False).encode()
    except ValueError:
        return _replaced(value)
    return value


def _replaced(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, str):
        return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    if isinstance(value, dict):
        return {_replaced(key): _replaced(part) for key, part in value.items()}
    return [_replaced(part) for part in value] if isinstance(value, list) else value
