"""A digest of a batch's values that is the same on every machine.

It hashes values, not a library's memory: texts as UTF-8, numbers as little-endian 64-bit integers.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any

import numpy as np
import polars as pl


def value_digest(columns: Iterable[pl.Series]) -> bytes:
    """SHA-256 over columns in their order."""
    digest = hashlib.sha256()
    for column in columns:
        _feed(digest, column)
    return digest.digest()


def _feed(digest: Any, column: pl.Series) -> None:
    nulls = column.is_null()
    digest.update(np.packbits(nulls.to_numpy()).tobytes() if nulls.any() else b"\x00")
    if column.dtype == pl.String:
        digest.update(str(column.fill_null("").str.join("\x1f").item()).encode())
        return
    # Decimals have at most 15 digits, so their scaled integers fit.
    numbers = column.to_physical().cast(pl.Int64).fill_null(0).to_numpy()
    digest.update(np.ascontiguousarray(numbers, dtype="<i8").tobytes())
