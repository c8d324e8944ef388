"""From calamine's values and the marks of a sheet to columns of texts and kinds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime, time, timedelta
from itertools import islice
from typing import Any

import numpy as np
import polars as pl

from hybridmandate.execution.services.spreadsheets.sheet_marks import SheetMarks
from hybridmandate.execution.services.spreadsheets.table import (
    FIRST_LINE,
    HIDDEN,
    LAST_LINE,
    CellKind,
    Unreadable,
    kind_column,
    text_column,
)

ROWS_AT_ONCE = 20_000
_MOST_SHOWN = 1e15
_MOST_EXACT = float(1 << 53)
_EPOCHS = {
    False: datetime.fromisoformat("1899-12-30"),
    True: datetime.fromisoformat("1904-01-01"),
}
"""Day 0 of the two date systems; worksheets know no time zones."""
_TWIN_EPOCHS = timedelta(days=1462)


def sheet_frame(rows: Iterable[Sequence[Any]], marks: SheetMarks) -> tuple[pl.DataFrame, int]:
    """Texts and kinds of a sheet with their row numbers, and its width.

    ``rows`` begin in the corner of the sheet. Marked cells win over values, which calamine leaves
    empty for them.
    """
    source = iter(rows)
    frames: list[pl.DataFrame] = []
    width = marks.width
    first = 0
    while piece := list(islice(source, ROWS_AT_ONCE)):
        width = max(width, len(piece[0]))
        frames.append(_piece(piece, first, width))
        first += len(piece)
    if marks.height > first:
        frames.append(_piece([[""] * width] * (marks.height - first), first, width))
    if not frames:
        return _piece([], 0, max(width, 1)), max(width, 1)
    frame = frames[0] if len(frames) == 1 else pl.concat(frames, how="diagonal")
    frame = _marked(frame, marks)
    if any(row < frame.height for row in marks.hidden_rows):
        hidden = pl.Series(HIDDEN, [row in marks.hidden_rows for row in range(frame.height)])
        frame = frame.with_columns(hidden)
    return frame, width


def check_dates(frame: pl.DataFrame, marks: SheetMarks, *, uses_1904: bool) -> None:
    """Hold the dates that calamine gives to the stored numbers and the workbook's own epoch.

    :raises Unreadable: ``file.dates_contradict`` when they are four years and a day apart.
    """
    other = _EPOCHS[not uses_1904]
    for (row, column), serial in marks.serials.items():
        if row >= frame.height or kind_column(column) not in frame.columns:
            continue
        if frame[kind_column(column)][row] != CellKind.DATE:
            continue
        try:
            read = datetime.fromisoformat(frame[text_column(column)][row] or "")
            wrong = other + timedelta(days=serial)
        except (ValueError, OverflowError):
            continue
        if abs(read - wrong) < _TWIN_EPOCHS / 2:
            raise Unreadable(
                "file.dates_contradict",
                f"row {row + 1}: the workbook counts dates from "
                f"{1904 if uses_1904 else 1900}, its cells were dated otherwise",
            )


def _piece(rows: Sequence[Sequence[Any]], first: int, width: int) -> pl.DataFrame:
    numbers = pl.int_range(first + 1, first + len(rows) + 1, dtype=pl.Int64, eager=True)
    columns = [numbers.alias(FIRST_LINE), numbers.alias(LAST_LINE)]
    cells = list(zip(*rows, strict=True)) if rows else []
    for position in range(width):
        values = cells[position] if position < len(cells) else [""] * len(rows)
        texts, kinds = _column(values)
        columns.append(texts.alias(text_column(position)))
        columns.append(kinds.alias(kind_column(position)))
    return pl.DataFrame(columns)


def _column(values: Sequence[Any]) -> tuple[pl.Series, pl.Series]:
    """Columns of one type, which most are, take a shorter way than mixed ones."""
    types = set(map(type, values))
    if types <= {str}:
        kinds = _kinds(CellKind.TEXT, len(values))
        if not any(values):
            return pl.Series([None], dtype=pl.String).new_from_index(0, len(values)), kinds
        texts = pl.Series(values, dtype=pl.String)
        return texts.set(texts == "", None), kinds
    if types == {float}:
        return _numbers(values), _kinds(CellKind.NUMBER, len(values))
    if types == {float, str}:
        return _texts_and_numbers(values)
    pairs = [_cell(value) for value in values]
    return (
        pl.Series([text for text, _ in pairs], dtype=pl.String),
        pl.Series([kind for _, kind in pairs], dtype=pl.UInt8),
    )


def _texts_and_numbers(values: Sequence[Any]) -> tuple[pl.Series, pl.Series]:
    """A heading above numbers, numbers with gaps: the usual columns."""
    number = np.fromiter((type(value) is float for value in values), bool, len(values))
    texts = pl.Series([v or None if type(v) is str else None for v in values], dtype=pl.String)
    numbers = _numbers([value for value in values if type(value) is float])
    kinds = np.where(number, int(CellKind.NUMBER), int(CellKind.TEXT)).astype(np.uint8)
    return texts.scatter(np.flatnonzero(number), numbers), pl.Series(kinds)


def _numbers(values: Sequence[float]) -> pl.Series:
    """Numbers as texts: whole ones together, the others one by one."""
    numbers = np.asarray(values, dtype=np.float64)
    whole = (np.abs(numbers) < _MOST_EXACT) & (numbers == np.rint(numbers))
    texts = pl.Series(np.where(whole, numbers, 0).astype(np.int64)).cast(pl.String)
    if whole.all():
        return texts
    others = np.flatnonzero(~whole)
    return texts.scatter(others, pl.Series([_number(values[place]) for place in others.tolist()]))


def _kinds(kind: CellKind, count: int) -> pl.Series:
    return pl.Series(np.full(count, kind, dtype=np.uint8))


def _cell(value: Any) -> tuple[str | None, int]:
    if isinstance(value, str):
        return value or None, CellKind.TEXT
    if isinstance(value, bool):
        return ("true" if value else "false"), CellKind.BOOLEAN
    if isinstance(value, float):
        return _number(value), CellKind.NUMBER
    if isinstance(value, int):
        return str(value), CellKind.NUMBER
    if isinstance(value, datetime):
        midnight = value.time() == time()
        return value.date().isoformat() if midnight else value.isoformat(), CellKind.DATE
    if isinstance(value, date | time):
        return value.isoformat(), CellKind.DATE
    if isinstance(value, timedelta):
        return _duration(value), CellKind.TEXT
    return (None if value is None else str(value)), CellKind.TEXT


def _number(value: float) -> str:
    """Fifteen digits, as many as spreadsheet programs show; whole numbers of codes are exact."""
    if _MOST_SHOWN <= abs(value) < _MOST_EXACT:
        return str(int(value))
    return format(value, ".15g")


def _duration(value: timedelta) -> str:
    """Hours, minutes and seconds, as a cell of the format ``[h]:mm:ss`` shows them."""
    seconds = round(abs(value) / timedelta(seconds=1))
    sign = "-" if value < timedelta() else ""
    return f"{sign}{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}"


def _marked(frame: pl.DataFrame, marks: SheetMarks) -> pl.DataFrame:
    by_column: dict[int, dict[int, tuple[str | None, int]]] = {}
    for (row, column), text in marks.errors.items():
        by_column.setdefault(column, {})[row] = (text, CellKind.ERROR)
    for row, column in marks.uncalculated:
        by_column.setdefault(column, {})[row] = (None, CellKind.UNCALCULATED)
    changed = []
    for column, cells in by_column.items():
        text, kind = text_column(column), kind_column(column)
        if text not in frame.columns:
            continue
        places = [row for row in sorted(cells) if row < frame.height]
        texts = pl.Series([cells[row][0] for row in places], dtype=pl.String)
        kinds = pl.Series([cells[row][1] for row in places], dtype=pl.UInt8)
        changed += [frame[text].scatter(places, texts), frame[kind].scatter(places, kinds)]
    return frame.with_columns(changed)
