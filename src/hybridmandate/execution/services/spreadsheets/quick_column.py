"""The many cells that are written as a column's first form says, read from their bytes.

What is not *clean* here is judged by the expressions of `column_checks`; the verdicts are the same.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from hybridmandate.execution.services.spreadsheets.byte_forms import (
    DateForm,
    FixedForm,
    NumberForm,
)
from hybridmandate.execution.services.spreadsheets.cell_bytes import CellBytes, Mask
from hybridmandate.execution.services.spreadsheets.profile_columns import Column

MAX_DIGITS = 15
"""Digits that a JSON number carries exactly."""
_SPACE = 32


@dataclass(frozen=True, slots=True)
class QuickCells:
    """``value`` holds where ``clean`` is true; there the cells of ``patterned`` fit the pattern."""

    clean: Mask
    value: pl.Series
    patterned: Mask | None = None


QuickReader = Callable[[CellBytes, int, pl.Series], QuickCells]
"""Cells of a batch, the column's position among them, its texts."""


def quick_reader(column: Column) -> QuickReader | None:
    """The reader of a column's bytes; None for a type that has no quick form."""
    if column.type == "text":
        form = None if column.pattern is None else FixedForm.of_pattern(column.pattern)
        return _text_reader(form, column.required)
    if column.type == "date":
        dates = DateForm.of_format(column.date_formats[0].text)
        return None if dates is None else _value_reader(dates.read, _dates, column.required)
    if column.type == "integer":
        whole = NumberForm(".", 0, MAX_DIGITS)
        return _value_reader(whole.read, pl.Series, column.required)
    if column.type == "decimal":
        numbers = NumberForm(column.number.point, column.scale, MAX_DIGITS)
        return _value_reader(numbers.read, _decimals(column.scale), column.required)
    return None


def _text_reader(form: FixedForm | None, required: bool) -> QuickReader:
    def read(cells: CellBytes, position: int, texts: pl.Series) -> QuickCells:
        fits = None if form is None else form.matches(cells, position) & cells.regular
        if fits is not None and fits.all():
            return QuickCells(fits, texts, fits)
        first, last = cells.edges(position)
        clean = (first > _SPACE) & (last > _SPACE) & (cells.lengths(position) > 0)
        if not cells.ascii:
            clean &= (texts.str.len_chars() == texts.str.len_bytes()).fill_null(False).to_numpy()
        return QuickCells(_also_empty(clean, cells, position, required), texts, fits)

    return read


def _value_reader(
    parse: Callable[[CellBytes, int], tuple[Mask, Any]],
    series: Callable[[Any], pl.Series],
    required: bool,
) -> QuickReader:
    def read(cells: CellBytes, position: int, texts: pl.Series) -> QuickCells:
        good, numbers = parse(cells, position)
        value = series(numbers)
        if not good.all():
            value = value.set(pl.Series(~good), None)
        return QuickCells(_also_empty(good, cells, position, required), value)

    return read


def _also_empty(clean: Mask, cells: CellBytes, position: int, required: bool) -> Mask:
    """Where a column may be empty, an empty cell is a clean one without a value."""
    if not required:
        clean = clean | (cells.lengths(position) == 0)
    return np.asarray(clean & cells.regular, dtype=np.bool_)


def _dates(days: Any) -> pl.Series:
    return pl.Series(days, dtype=pl.Int32).cast(pl.Date)


def _decimals(scale: int) -> Callable[[Any], pl.Series]:
    def made(numbers: Any) -> pl.Series:
        whole = pl.Series(numbers, dtype=pl.Int64).cast(pl.Int128)
        return whole.reinterpret(dtype=pl.Decimal(38, scale))

    return made
