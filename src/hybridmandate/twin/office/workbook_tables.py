"""Tables of workbooks, read from the xlsx files that are stored: columns and rows of values."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

from python_calamine import CalamineError, CalamineWorkbook

_EPOCH = datetime(1899, 12, 30)  # noqa: DTZ001 - Excel's serial days have no time zone
MAX_WORKBOOK_BYTES = 25 * 1024 * 1024
"""Largest workbook that the Excel connector opens (learn.microsoft.com/connectors/excelonline)."""


class NoSuchTable(LookupError):
    """The workbook has no table of that name."""


class NoWorkbook(ValueError):
    """The file is no workbook that can be opened."""


@dataclass(frozen=True, slots=True)
class WorkbookTable:
    """Headers of the columns, and the rows below them."""

    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]


def read_table(content: bytes, name: str) -> WorkbookTable:
    """A table by its name, without regard to case.

    :raises NoWorkbook: when the file is none, or too large. :raises NoSuchTable: no such table.
    """
    with _opened(content) as workbook:
        known = {each.lower(): each for each in workbook.table_names or []}
        if name.lower() not in known:
            raise NoSuchTable(name)
        table = workbook.get_table_by_name(known[name.lower()])
    rows = [[_value(each) for each in row] for row in table.to_python()]
    return WorkbookTable(list(table.columns), rows)


def table_names(content: bytes) -> list[str]:
    """The tables of a workbook. :raises NoWorkbook: when the file is none, or too large."""
    with _opened(content) as workbook:
        return list(workbook.table_names or [])


def sheet_names(content: bytes) -> list[str]:
    """The worksheets of a workbook. :raises NoWorkbook: when the file is none, or too large."""
    with _opened(content) as workbook:
        return list(workbook.sheet_names)


@contextmanager
def _opened(content: bytes) -> Iterator[CalamineWorkbook]:
    if len(content) > MAX_WORKBOOK_BYTES:
        raise NoWorkbook(f"a workbook has at most {MAX_WORKBOOK_BYTES} bytes")
    try:
        yield CalamineWorkbook.from_filelike(io.BytesIO(content), load_tables=True)
    except CalamineError as error:
        raise NoWorkbook(str(error)) from None


def _value(cell: Any) -> Any:
    """A cell as Graph gives it: whole numbers without a point, moments as serial days."""
    if isinstance(cell, float) and cell.is_integer():
        return int(cell)
    if isinstance(cell, datetime):
        return (cell - _EPOCH) / timedelta(days=1)
    if isinstance(cell, date):
        return (datetime(cell.year, cell.month, cell.day) - _EPOCH).days  # noqa: DTZ001
    if isinstance(cell, time):
        seconds = cell.hour * 3600 + cell.minute * 60 + cell.second
        return (seconds + cell.microsecond / 1e6) / 86_400
    if isinstance(cell, timedelta):
        return cell / timedelta(days=1)
    return cell
