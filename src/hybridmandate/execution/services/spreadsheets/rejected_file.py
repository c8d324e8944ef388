"""The rejected rows as a workbook that the submitter corrects and sends back.

Original texts stay untouched, the offending cells are marked, the last column says why; a text that
a spreadsheet program would run as a formula is written as text.
"""

from __future__ import annotations

import io
from collections import defaultdict

import polars as pl
import xlsxwriter

from hybridmandate.execution.services.spreadsheets.normalization import Normalization, raw_rows

MEDIA_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_REASON = "Why it was rejected"
_LINE = "Line in your file"


def rejected_workbook(result: Normalization) -> bytes:
    """The workbook's bytes; the same result gives the same rows, marks and reasons."""
    buffer = io.BytesIO()
    book = xlsxwriter.Workbook(
        buffer,
        {
            "in_memory": True,
            "strings_to_formulas": False,
            "strings_to_urls": False,
            "strings_to_numbers": False,
        },
    )
    try:
        _fill(book, result)
    finally:
        book.close()
    return buffer.getvalue()


def _fill(book: xlsxwriter.Workbook, result: Normalization) -> None:
    sheet = book.add_worksheet("Rejected rows")
    bold = book.add_format({"bold": True, "bg_color": "#E7ECF3", "border": 1})
    marked = book.add_format({"bg_color": "#FFD9D6", "num_format": "@"})
    plain = book.add_format({"num_format": "@"})
    wrapped = book.add_format({"text_wrap": True, "valign": "top"})
    matches = result.table.matches
    headers = [_LINE, *(match.header for match in matches), _REASON]
    for column, text in enumerate(headers):
        sheet.write_string(0, column, text, bold)
    reasons: dict[int, list[str]] = defaultdict(list)
    wrong: dict[int, set[str]] = defaultdict(set)
    for error in result.errors:
        if error.line is not None:
            name = f"{error.field}: " if error.field else ""
            reasons[error.line].append(f"{name}{error.message}")
            wrong[error.line].add(error.field or "")
    for row, (line, _, texts) in enumerate(
        raw_rows(result.rejected, _width(result.rejected)), start=1
    ):
        sheet.write_number(row, 0, line)
        for column, match in enumerate(matches, start=1):
            style = marked if match.column in wrong[line] else plain
            sheet.write_string(row, column, texts[match.position] or "", style)
        sheet.write_string(row, len(matches) + 1, "; ".join(reasons[line]), wrapped)
    sheet.freeze_panes(1, 1)
    sheet.autofilter(0, 0, max(1, result.rejected.height), len(matches) + 1)
    sheet.set_column(0, len(matches), 18)
    sheet.set_column(len(matches) + 1, len(matches) + 1, 60)


def _width(frame: pl.DataFrame) -> int:
    return sum(1 for name in frame.columns if name[:1] == "t" and name[1:].isdigit())
