"""The rejected rows as a workbook that the submitter corrects and sends back.

Original texts stay untouched, the offending cells are marked, the last column says why; a text that
a spreadsheet program would run as a formula is written as text. Rows beyond what one sheet holds go
on in further sheets, and the workbook says so. It carries the reference of its submission as a
document property, so that the corrected file links to the first by itself.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import xlsxwriter

from hybridmandate.contracts import RowError
from hybridmandate.execution.services.spreadsheets.file_result import (
    ROWS,
    KeptBatch,
    Normalization,
)
from hybridmandate.execution.services.spreadsheets.resubmission import (
    CORRELATION_PROPERTY,
    HANDLE_PROPERTY,
    Submission,
)
from hybridmandate.execution.services.spreadsheets.table import FIRST_LINE, text_column

MEDIA_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
SHEET_ROWS = 1_048_575
"""Rows of a sheet below its header (Excel's limit is 1,048,576)."""
MAX_CELL = 32_767
"""Characters that a cell may have (Excel's limit)."""
_REASON = "Why it was rejected"
_LINE = "Line in your file"
_SHEET = "Rejected rows"
_CREATED = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class _RejectedRow:
    line: int
    texts: tuple[str | None, ...]
    wrong: frozenset[str]
    reasons: str


def rejected_workbook(
    result: Normalization,
    target: Path,
    submission: Submission | None = None,
    *,
    sheet_rows: int = SHEET_ROWS,
) -> None:
    """Write the workbook; the same result gives the same rows, marks and reasons.

    ``submission`` is what a corrected file refers to; at most ``sheet_rows`` go into a sheet.
    """
    book = xlsxwriter.Workbook(
        str(target),
        {
            "constant_memory": True,
            "strings_to_formulas": False,
            "strings_to_urls": False,
            "strings_to_numbers": False,
        },
    )
    # The same result gives the same bytes: a job that runs again stores no second file.
    book.set_properties({"created": _CREATED})
    try:
        if submission is not None:
            book.set_custom_property(CORRELATION_PROPERTY, submission.correlation_id)
            book.set_custom_property(HANDLE_PROPERTY, submission.accepted_handle)
        _Writer(book, result, sheet_rows).write()
    finally:
        book.close()


class _Writer:
    def __init__(self, book: xlsxwriter.Workbook, result: Normalization, sheet_rows: int) -> None:
        self._book = book
        self._result = result
        self._sheet_rows = sheet_rows
        self._matches = result.table.matches
        self._bold = book.add_format({"bold": True, "bg_color": "#E7ECF3", "border": 1})
        self._marked = book.add_format({"bg_color": "#FFD9D6", "num_format": "@"})
        self._plain = book.add_format({"num_format": "@"})
        self._wrapped = book.add_format({"text_wrap": True, "valign": "top"})

    def write(self) -> None:
        count = self._result.rejected_count
        sheets = max(1, -(-count // self._sheet_rows))
        sheet: Any = None
        for number, row in enumerate(_rejected_rows(self._result)):
            place = number % self._sheet_rows
            if place == 0:
                sheet = self._sheet(number // self._sheet_rows + 1, sheets, count - number)
            self._row(sheet, place + 1, row)
        if sheet is None:
            self._sheet(1, 1, 0)

    def _sheet(self, number: int, of: int, left: int) -> Any:
        name = _SHEET if of == 1 else f"{_SHEET} {number} of {of}"
        sheet = self._book.add_worksheet(name)
        last = len(self._matches) + 1
        sheet.set_column(0, last - 1, 18)
        sheet.set_column(last, last, 60)
        sheet.freeze_panes(1, 1)
        sheet.autofilter(0, 0, max(1, min(left, self._sheet_rows)), last)
        reason = _REASON
        for column, text in enumerate([_LINE, *(match.header for match in self._matches), reason]):
            sheet.write_string(0, column, text, self._bold)
        return sheet

    def _row(self, sheet: Any, place: int, row: _RejectedRow) -> None:
        sheet.write_number(place, 0, row.line)
        for column, match in enumerate(self._matches, start=1):
            style = self._marked if match.column in row.wrong else self._plain
            sheet.write_string(place, column, (row.texts[column - 1] or "")[:MAX_CELL], style)
        sheet.write_string(place, len(self._matches) + 1, row.reasons[:MAX_CELL], self._wrapped)


def _rejected_rows(result: Normalization) -> Iterator[_RejectedRow]:
    positions = [match.position for match in result.table.matches]
    for kept in result.each_kept():
        yield from _rejected_of(result, kept, positions)


def _rejected_of(
    result: Normalization, kept: KeptBatch, positions: Sequence[int]
) -> Iterator[_RejectedRow]:
    bad = np.flatnonzero(kept.rejected()) if not result.file_rejected else np.arange(kept.height)
    if not len(bad):
        return
    reasons: dict[int, list[RowError]] = defaultdict(list)
    for error in result.batch_errors(kept, "error"):
        reasons[error.line or 0].append(error)
    names = [FIRST_LINE, *(text_column(position) for position in positions)]
    for line, *texts in result.store.get(ROWS, kept.number, names)[bad].iter_rows():
        errors = reasons[line]
        said = [f"{e.field}: {e.message}" if e.field else e.message for e in errors]
        said = said or [f"the whole file: {finding.message}" for finding in result.file_findings]
        said += [
            f"{match.header}: too long for a cell, only its beginning stands here"
            for match, text in zip(result.table.matches, texts, strict=True)
            if text is not None and len(text) > MAX_CELL
        ]
        wrong = frozenset(e.field or "" for e in errors)
        yield _RejectedRow(line, tuple(texts), wrong, "; ".join(said))
