"""The rejected rows as a workbook that the submitter corrects and sends back.

Original texts stay untouched, the offending cells are marked, the last column says why; a text that
a spreadsheet program would run as a formula is written as text. Rows beyond what one sheet holds go
on in further sheets, and the workbook says so. It carries the reference of its submission as a
document property, so that the corrected file links to the first by itself.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import groupby
from operator import itemgetter
from pathlib import Path

import numpy as np
import polars as pl
import xlsxwriter
from xlsxwriter.utility import xl_col_to_name

from hybridmandate.execution.services.spreadsheets.column_checks import Check
from hybridmandate.execution.services.spreadsheets.file_result import (
    ROWS,
    KeptBatch,
    Normalization,
)
from hybridmandate.execution.services.spreadsheets.judged_rows import Rows
from hybridmandate.execution.services.spreadsheets.resubmission import (
    CORRELATION_PROPERTY,
    HANDLE_PROPERTY,
    Submission,
)
from hybridmandate.execution.services.spreadsheets.sheet_xml import (
    ROW,
    Cells,
    fill_workbook,
    model_styles,
    rows_xml,
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

_Hit = tuple[Check, Rows]
"""A broken rule, and the rows among the rejected ones that break it."""


def rejected_workbook(
    result: Normalization,
    target: Path,
    submission: Submission | None = None,
    *,
    sheet_rows: int = SHEET_ROWS,
) -> None:
    """Write the workbook; the same result gives the same bytes: a job runs twice, and stores once.

    ``submission`` is what a corrected file refers to; at most ``sheet_rows`` go into a sheet.
    """
    empty = _empty_workbook(result, submission, sheet_rows)
    pieces = _pieces(result, model_styles(empty), sheet_rows)
    sheets = ((xml for _, xml in of_one) for _, of_one in groupby(pieces, itemgetter(0)))
    fill_workbook(empty, target, sheets)


def _empty_workbook(
    result: Normalization, submission: Submission | None, sheet_rows: int
) -> io.BytesIO:
    """The workbook without its rows; a row of models of the styles stands in their place."""
    stream = io.BytesIO()
    book = xlsxwriter.Workbook(stream, {"constant_memory": True})
    book.set_properties({"created": _CREATED})
    if submission is not None:
        book.set_custom_property(CORRELATION_PROPERTY, submission.correlation_id)
        book.set_custom_property(HANDLE_PROPERTY, submission.accepted_handle)
    bold = book.add_format({"bold": True, "bg_color": "#E7ECF3", "border": 1})
    models = [
        book.add_format({"num_format": "@"}),
        book.add_format({"bg_color": "#FFD9D6", "num_format": "@"}),
        book.add_format({"text_wrap": True, "valign": "top"}),
    ]
    headings = [_LINE, *(match.header for match in result.table.matches), _REASON]
    last = len(headings) - 1
    count = max(1, -(-result.rejected_count // sheet_rows))
    for number in range(count):
        sheet = book.add_worksheet(_SHEET if count == 1 else f"{_SHEET} {number + 1} of {count}")
        rows = max(1, min(result.rejected_count - number * sheet_rows, sheet_rows))
        sheet.set_column(0, last - 1, 18)
        sheet.set_column(last, last, 60)
        sheet.freeze_panes(1, 1)
        sheet.autofilter(0, 0, rows, last)
        for column, text in enumerate(headings):
            sheet.write_string(0, column, text, bold)
        for column, style in enumerate([*models, *models[2:] * (last - len(models) + 1)]):
            sheet.write_blank(rows, column, None, style)
    book.close()
    return stream


def _pieces(
    result: Normalization, styles: Sequence[int], sheet_rows: int
) -> Iterator[tuple[int, bytes]]:
    """Rows of the sheets as XML, each piece with the number of its sheet, from 0."""
    plain, marked, wrapped = styles[:3]
    columns = range(len(result.table.matches))
    cells = [Cells(xl_col_to_name(0), pl.col(FIRST_LINE)).numbers()]
    for column in columns:
        style = pl.when(_mark(column)).then(marked).otherwise(plain)
        text = pl.col(_text(column)).str.slice(0, MAX_CELL)
        cells.append(Cells(xl_col_to_name(column + 1), text, style).texts())
    reason = pl.col(_REASON).str.slice(0, MAX_CELL)
    cells.append(Cells(xl_col_to_name(len(columns) + 1), reason, pl.lit(wrapped)).texts())
    written = 0
    for kept in result.each_kept():
        rows = _rejected_rows(result, kept)
        while rows.height:
            sheet, place = divmod(written, sheet_rows)
            piece = rows.head(sheet_rows - place)
            yield sheet, rows_xml(piece.with_row_index(ROW, place + 2), cells)
            written += piece.height
            rows = rows.slice(piece.height)


def _rejected_rows(result: Normalization, kept: KeptBatch) -> pl.DataFrame:
    """Rejected rows of a batch: line, texts, marks and reasons."""
    every = result.file_rejected
    bad = np.arange(kept.height) if every else np.flatnonzero(kept.rejected())
    matches = result.table.matches
    texts = {text_column(match.position): _text(n) for n, match in enumerate(matches)}
    rows = result.store.get(ROWS, kept.number, [FIRST_LINE, *texts])[bad].rename(texts)
    hits = [(check, np.searchsorted(bad, at)) for _, check, at in result.batch_hits(kept, "error")]
    marks = [
        _marked(match.column, hits, len(bad)).alias(_mark(n)) for n, match in enumerate(matches)
    ]
    rows = rows.with_columns(*marks, _reasons(hits, len(bad)).alias(_REASON))
    whole = "; ".join(f"the whole file: {finding.message}" for finding in result.file_findings)
    cut = [
        pl.when(pl.col(_text(n)).str.len_chars() > MAX_CELL).then(
            pl.lit(f"{match.header}: too long for a cell, only its beginning stands here")
        )
        for n, match in enumerate(matches)
    ]
    said = pl.col(_REASON).fill_null(pl.lit(whole or None, dtype=pl.String))
    return rows.with_columns(pl.concat_str(said, *cut, separator="; ", ignore_nulls=True))


def _marked(column: str, hits: Sequence[_Hit], height: int) -> pl.Series:
    """Which rows break a rule of a column."""
    wrong = np.zeros(height, dtype=bool)
    for check, rows in hits:
        if check.field == column:
            wrong[rows] = True
    return pl.Series(wrong)


def _reasons(hits: Sequence[_Hit], height: int) -> pl.Series:
    """All that is wrong with each row; null for a row with nothing wrong."""
    said = [
        f"{check.field}: {check.message}" if check.field else check.message for check, _ in hits
    ]
    reasons = pl.DataFrame(
        {
            ROW: np.concatenate([np.empty(0, dtype=np.int64), *(rows for _, rows in hits)]),
            _REASON: pl.Series(said, dtype=pl.String)[
                np.repeat(np.arange(len(hits)), [len(rows) for _, rows in hits])
            ],
        }
    )
    by_row = reasons.group_by(ROW).agg(pl.col(_REASON).str.join("; "))
    rows = pl.DataFrame({ROW: np.arange(height)})
    return rows.join(by_row, on=ROW, how="left", maintain_order="left")[_REASON]


def _text(column: int) -> str:
    return f"text {column}"


def _mark(column: int) -> str:
    return f"mark {column}"
