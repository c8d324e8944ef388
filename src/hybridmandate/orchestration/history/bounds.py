"""How much of an input or output the run history keeps."""

from __future__ import annotations

import json
from typing import Any

KEEP_BYTES = 65_536
PREVIEW_CHARACTERS = 2_048


def bounded(value: Any) -> Any:
    """The value, or its size and beginning when it is longer than 64 KiB as JSON."""
    if value is None or isinstance(value, bool | int | float):
        return value
    text = json.dumps(value, ensure_ascii=False)
    size = len(text.encode("utf-8", "surrogatepass"))
    if size <= KEEP_BYTES:
        return value
    return {"truncated": True, "bytes": size, "preview": text[:PREVIEW_CHARACTERS]}
