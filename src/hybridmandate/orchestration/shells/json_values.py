"""What comes from outside, made into what JSON has.

Python reads and writes NaN and infinities as if they were JSON; databases and other readers refuse
them. A service that sends them is taken at its word as the platform takes it: they become texts
(Json.NET, ``FloatFormatHandling.String``).
"""

from __future__ import annotations

import json
import math
from typing import Any


def json_values(value: Any) -> Any:
    """The value itself, or a copy in which numbers that JSON has not are texts.

    :raises RecursionError: when it is nested more deeply than Python can follow.
    """
    try:
        json.dumps(value, allow_nan=False)
    except ValueError:
        return _replaced(value)
    return value


def _replaced(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, dict):
        return {key: _replaced(part) for key, part in value.items()}
    return [_replaced(part) for part in value] if isinstance(value, list) else value
