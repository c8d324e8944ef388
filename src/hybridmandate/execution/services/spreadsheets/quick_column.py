"""Cells that are proved good from their bytes: written in a form of their column, and within it.

What is not proved here is judged by the expressions of `column_checks`, so a form that is missing
costs time, never a verdict.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Any

import numpy as np

from hybridmandate.execution.services.spreadsheets.byte_forms import (
    DateForm,
    FixedForm,
    NumberForm,
)
from hybridmandate.execution.services.spreadsheets.cell_bytes import WORD, TextBytes
from hybridmandate.execution.services.spreadsheets.profile_columns import Column
from hybridmandate.execution.services.spreadsheets.record_scan import Mask
from hybridmandate.execution.services.spreadsheets.table import INVISIBLE

MAX_DIGITS = 15
"""Digits that a JSON number carries exactly."""
EMPTY = np.iinfo(np.int64).min
"""Stands for an empty cell among numbers; no value is that far from zero (15 digits)."""
_LONGEST_CHARACTER = 4
"""Bytes of UTF-8 that a character may have."""


@dataclass(frozen=True, slots=True)
class ProvedCells:
    """``good`` cells have a known value that breaks no rule of their column.

    The value of an empty one is null. ``numbers`` are the values of a typed column as they are
    stored: days since 1970, or numbers times ten to the scale; without, the value is the text.
    """

    good: Mask
    numbers: Any = None


QuickReader = Callable[[TextBytes, bool], ProvedCells]
"""The cells of a column, and whether every byte around them is below 128."""


def quick_reader(column: Column) -> QuickReader | None:
    """The reader of a column's bytes; None for a column that has no form in bytes."""
    if column.type == "text":
        return _text_reader(column)
    if column.pattern is not None:
        return None
    if column.type == "enum":
        return _enum_reader(column)
    if column.type == "date":
        return _date_reader(column)
    if column.type == "integer":
        return _number_reader(column, NumberForm(".", 0, MAX_DIGITS))
    if column.type == "decimal":
        return _number_reader(column, NumberForm(column.number.point, column.scale, MAX_DIGITS))
    return None


def _text_reader(column: Column) -> QuickReader | None:
    form = None if column.pattern is None else FixedForm.of_pattern(column.pattern)
    if column.pattern is not None and form is None:
        return None

    def read(cells: TextBytes, ascii_: bool) -> ProvedCells:
        good = _without_edges(cells, ascii_) if form is None else form.matches(cells)
        shortest = 1 if ascii_ else _LONGEST_CHARACTER
        if column.min_length is not None:
            good &= cells.lengths >= column.min_length * shortest
        if column.max_length is not None:
            good &= cells.lengths <= column.max_length
        return ProvedCells(_or_empty(good, cells, column.required))

    return read


def _edge_bytes(characters: Iterator[bytes]) -> Any:
    table = np.zeros(256, dtype=bool)
    table[: ord(" ") + 1] = True
    for each in characters:
        table[list(each)] = True
    return table


_FIRST = _edge_bytes(each.encode()[:1] for each in INVISIBLE)
_LAST = _edge_bytes(each.encode()[-1:] for each in INVISIBLE)


def _without_edges(cells: TextBytes, ascii_: bool) -> Mask:
    """Texts with nothing around them that would be taken off."""
    first, last = cells.edges()
    inner = cells.filled.copy()
    if ascii_:
        inner &= (first > ord(" ")) & (last > ord(" "))
    else:
        inner &= ~_FIRST[first] & ~_LAST[last]
    return inner


def own_words(column: Column) -> list[str]:
    """The values of an enum that stand for themselves; a synonym may lead elsewhere."""
    words = {each.casefold(): each for each in column.values}
    words |= {synonym.casefold(): each for synonym, each in column.synonyms.items()}
    return [v for v in column.values if v.isascii() and v == v.strip() and words[v.lower()] == v]


def _enum_reader(column: Column) -> QuickReader | None:
    known = [each.encode() for each in own_words(column) if 0 < len(each) <= WORD]
    if not known:
        return None

    def read(cells: TextBytes, ascii_: bool) -> ProvedCells:
        written = cells.own_bytes(0)
        good = np.zeros(len(written), dtype=bool)
        for each in known:
            good |= written == np.uint64(int.from_bytes(each, "little"))
        return ProvedCells(_or_empty(good & (cells.lengths <= WORD), cells, column.required))

    return read


def _date_reader(column: Column) -> QuickReader | None:
    forms = list(_leading_forms(column))
    if not forms:
        return None
    low = None if column.minimum is None else _days(column.minimum)
    high = None if column.maximum is None else _days(column.maximum)

    def read(cells: TextBytes, ascii_: bool) -> ProvedCells:
        good, days = forms[0].read(cells)
        for form in forms[1:]:
            if good.all():
                break
            also, others = form.read(cells)
            days = np.where(good, days, others)
            good |= also
        return _within(good, days, low, high, cells, column.required)

    return read


def _leading_forms(column: Column) -> Iterator[DateForm]:
    """The formats up to the first whose dates might be taken for those of one before it."""
    before: list[DateForm] = []
    for each in column.date_formats:
        form = DateForm.of_format(each.text) if "YYYY" in each.text else None
        if form is None or not all(form.is_told_from(other) for other in before):
            return
        before.append(form)
        yield form


def _days(text: str) -> int:
    return (date.fromisoformat(text) - date(1970, 1, 1)).days


def _number_reader(column: Column, form: NumberForm) -> QuickReader:
    factor = Decimal(10) ** form.scale
    low = None if column.minimum is None else Decimal(column.minimum) * factor
    high = None if column.maximum is None else Decimal(column.maximum) * factor
    least = None if low is None else int(low.to_integral_value(ROUND_CEILING))
    most = None if high is None else int(high.to_integral_value(ROUND_FLOOR))

    def read(cells: TextBytes, ascii_: bool) -> ProvedCells:
        good, numbers = form.read(cells)
        return _within(good, numbers, least, most, cells, column.required)

    return read


def _within(
    good: Mask, numbers: Any, low: int | None, high: int | None, cells: TextBytes, required: bool
) -> ProvedCells:
    if low is not None:
        good &= numbers >= low
    if high is not None:
        good &= numbers <= high
    return ProvedCells(_or_empty(good, cells, required), numbers)


def _or_empty(good: Mask, cells: TextBytes, required: bool) -> Mask:
    return good if required else good | (cells.lengths == 0)
