"""An independent reading of an xlsx sheet by openpyxl: a text and a kind for each cell."""

from __future__ import annotations

import io
from collections.abc import Iterator
from datetime import date, datetime, time
from typing import Any

import openpyxl
from slow_profile import Cell


def cells_of(content: bytes) -> Iterator[tuple[int, list[Cell]]]:
    """Row numbers and cells of the only sheet; formulas by the value that was stored for them."""
    stored = openpyxl.load_workbook(io.BytesIO(content), data_only=True).active
    written = openpyxl.load_workbook(io.BytesIO(content)).active
    assert stored is not None
    assert written is not None
    for number, (values, formulas) in enumerate(zip(stored.rows, written.rows, strict=True), 1):
        yield number, [_cell(v, f) for v, f in zip(values, formulas, strict=True)]


def _cell(stored: Any, written: Any) -> Cell:
    value = stored.value
    if stored.data_type == "e":
        return Cell(str(value), "error")
    if value is None:
        return Cell("", "uncalculated" if written.data_type == "f" else "text")
    if isinstance(value, bool):
        return Cell(str(value).lower(), "boolean")
    if isinstance(value, int | float):
        exact = 10**15 <= abs(value) < 2**53
        return Cell(str(int(value)) if exact else format(value, ".15g"), "number")
    if isinstance(value, datetime) and value.time() == time():
        return Cell(value.date().isoformat(), "date")
    if isinstance(value, date):
        return Cell(value.isoformat(), "date")
    return Cell(str(value), "text")
