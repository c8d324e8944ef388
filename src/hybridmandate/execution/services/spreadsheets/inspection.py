"""A file as it is understood without any profile: what `mandate read` shows.

The same as one public function for Python callers: :func:`inspect_file`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from hybridmandate.execution.services.spreadsheets.body_rows import RowSorter, mark_rows
from hybridmandate.execution.services.spreadsheets.header_search import (
    SEARCHED_ROWS,
    Header,
    find_header,
    holds_headings,
    values_below,
)
from hybridmandate.execution.services.spreadsheets.plain_columns import PlainColumns, plain_columns
from hybridmandate.execution.services.spreadsheets.profile import ReaderOptions, StructureOptions
from hybridmandate.execution.services.spreadsheets.reading import open_declared
from hybridmandate.execution.services.spreadsheets.record_chunk import ChunkPlace, RecordChunk
from hybridmandate.execution.services.spreadsheets.sheet_marks import Area
from hybridmandate.execution.services.spreadsheets.shown_columns import (
    under_no_heading,
    without_empty_edges,
    without_values,
)
from hybridmandate.execution.services.spreadsheets.structure import (
    FoundTable,
    HeaderMatch,
    column_blocks,
    is_unit_row,
    lower_merged_headings,
    rulers_above,
    without_rulers,
)
from hybridmandate.execution.services.spreadsheets.table import (
    FIRST_LINE,
    INVISIBLE,
    LAST_LINE,
    SHORT_ROWS,
    Decision,
    DecisionLog,
    Sheet,
    Unreadable,
    text_column,
    visible,
    whole_sheet,
)

NO_OPTIONS = ReaderOptions()
_SECOND_TABLE = "another table below, behind a blank row, with a header of its own"
_BLOCKS_LOOKED_AT = 1_000


@dataclass(frozen=True)
class InspectedTable:
    """A table as it was understood: header, its line, the rows below with their lines.

    ``header_line`` is 0 when no row holds headings. ``frame`` has ``first_line``, ``last_line`` and
    a column of texts for each heading; ``decisions`` say what was left out, by which rule, with
    lines.
    """

    source: dict[str, Any]
    header: tuple[str, ...]
    header_line: int
    frame: pl.DataFrame
    decisions: tuple[Decision, ...]
    width: int = 0
    """The columns of the file down to the last heading."""

    @cached_property
    def lines(self) -> tuple[int, ...]:
        """The first line of each row."""
        return tuple(self.frame[FIRST_LINE].to_list())

    @cached_property
    def rows(self) -> tuple[tuple[str | None, ...], ...]:
        """The texts of each row."""
        return tuple(self.frame.drop(FIRST_LINE, LAST_LINE).iter_rows())

    def to_json(self) -> dict[str, Any]:
        """The table as JSON values."""
        return {
            "source": self.source,
            "header": list(self.header),
            "headerLine": self.header_line,
            "rows": [
                {"line": line, "lastLine": last, "cells": cells}
                for line, last, *cells in self.frame.iter_rows()
            ],
            "decisions": [
                {"rule": d.rule, "message": d.message, "lines": list(d.lines), "count": d.count}
                for d in self.decisions
            ],
        }


def inspect_file(
    content: bytes | Path,
    *,
    reader: ReaderOptions = NO_OPTIONS,
    header_line: int | None = None,
    off: Sequence[str] = (),
) -> InspectedTable:
    """Read a file of any kind: dialect, structure, header, rows; nothing is judged.

    ``reader`` declares dialect, encoding or sheet, ``header_line`` where the header stands, ``off``
    the structure rules that are not to be used.

    :raises Unreadable: when the file is no table, or its structure allows two readings: then with
        the candidates.
    :raises ValueError: for the name of a rule that does not exist.
    """
    options = StructureOptions(off=tuple(off))

    def recognise(sheet: Sheet) -> str | None:
        return _recognised(sheet, options)

    reading = open_declared(content, reader, recognise)
    makers = list(reading.batches)
    places = [make.place for make in makers if isinstance(make, RecordChunk)]
    sheet = whole_sheet(replace(reading, batches=makers))
    del makers, reading
    return _with_short_rows(_inspected(sheet, options, header_line), places)


def _with_short_rows(table: InspectedTable, places: Sequence[ChunkPlace]) -> InspectedTable:
    """The same table with the decision on rows of a text that have fewer cells than the header."""
    if not table.header_line:
        return table
    lines: list[int] = []
    for place in places:
        chunk = place.read()
        short = chunk.short_records(table.width, np.ones(chunk.height, dtype=bool))
        lines += (chunk.records[0][short] + (chunk.line + 1)).tolist()
    among = table.frame[FIRST_LINE].is_in(lines)
    if not among.any():
        return table
    found = table.frame[FIRST_LINE].filter(among).to_list()
    decisions = (*table.decisions, Decision.of("rows.short", SHORT_ROWS, found))
    return replace(table, decisions=decisions)


def _recognised(sheet: Sheet, options: StructureOptions) -> str | None:
    """A few words on the table of a sheet; a sheet of one column or one row is a remark."""
    try:
        table = _inspected(sheet, options, None)
    except Unreadable as unreadable:
        return unreadable.message if unreadable.reason.startswith("table.ambiguous") else None
    named = [name for name in table.header if name]
    if len(named) < 2 or not table.frame.height or not table.header_line:
        return None
    return f"header on line {table.header_line}: {' | '.join(named)[:200]}"


def _inspected(sheet: Sheet, options: StructureOptions, header_line: int | None) -> InspectedTable:
    off = options.off
    head = sheet.frame.head(SEARCHED_ROWS)
    names = [text_column(position) for position in range(sheet.width)]
    texts = [list(row) for row in head.select(names).iter_rows()]
    lines = head[FIRST_LINE].to_list()
    # A header has two rows at most; what is merged over more of them is a title or data.
    lower_merged_headings(texts, [area for area in sheet.merged if area[2] == area[0] + 1])
    _spread_groups(texts, sheet.merged)
    if not any(visible(t) for row in texts for t in row):
        raise Unreadable("file.empty", f"nothing visible in the first {SEARCHED_ROWS} rows")
    without, drawn = without_rulers(texts, lines, off)
    texts = [list(row) for row in without]
    header = find_header(texts, lines, off, header_line)
    span, beside = _span(sheet, header, texts, lines, off)
    first = header.row + header.height
    columns = plain_columns(sheet.frame.slice(first), header.texts, off)
    found = _found_table(header, columns, lines, span)
    above = rulers_above(drawn, lines[header.row])
    decisions = [*sheet.notes, *above, *header.decisions, *beside]
    if (
        "rows.units" not in off
        and header.height
        and first < len(texts)
        and is_unit_row(texts[first], found.matches, columns.profile)
    ):
        decisions.append(Decision.of("rows.units", "units below the header", [lines[first]]))
        first += 1
    body = sheet.frame.slice(first)
    values = columns.values.slice(first - header.row - header.height)
    second = _second_table(body, found, columns)
    kept, left_out = _sorted_rows(body.head(second), values.head(second), columns, found)
    if second < body.height:
        below = body[FIRST_LINE].slice(second).to_list()
        left_out.append(Decision.of("rows.second_table", _SECOND_TABLE, below))
    _refuse_larger_second_table(left_out, int(kept.sum()), body, header, lines)
    rows = body.head(second).filter(kept)
    if header.height:
        span, edges = without_empty_edges(rows, header.texts, span)
        left_out += [*edges, *under_no_heading(rows, header.texts, span)]
    left_out += without_values(rows, span)
    shown = [text_column(position) for position in range(span[0], span[1] + 1)]
    return InspectedTable(
        source=dict(sheet.source),
        header=header.texts[span[0] : span[1] + 1],
        header_line=lines[header.row] if header.height else 0,
        frame=rows.select([FIRST_LINE, LAST_LINE, *shown]),
        decisions=DecisionLog([*decisions, *left_out]).all(),
        width=max((p for p, text in enumerate(header.texts) if text), default=-1) + 1,
    )


def _spread_groups(texts: list[list[str | None]], merged: Sequence[Area]) -> None:
    """A heading merged over columns stands in each, if its row holds more: else it is a title."""
    for top, left, bottom, right in merged:
        if not top == bottom < len(texts) or right >= len(texts[top]):
            continue
        if sum(visible(t) for t in texts[top]) > 1:
            own = texts[top][left : right + 1]
            texts[top][left : right + 1] = [t if visible(t) else own[0] for t in own]


def _found_table(
    header: Header, columns: PlainColumns, lines: Sequence[int], span: tuple[int, int]
) -> FoundTable:
    matches = tuple(
        HeaderMatch(name, header.texts[position], position, "exact")
        for position, name in enumerate(columns.names)
        if span[0] <= position <= span[1]
    )
    return FoundTable(
        header_line=lines[header.row] if header.height else 0,
        header=header.texts,
        first_row=header.row + header.height,
        matches=matches,
        ignored_headers=(),
        missing=(),
        span=span,
        decisions=(),
    )


def _span(
    sheet: Sheet,
    header: Header,
    texts: Sequence[Sequence[str | None]],
    lines: Sequence[int],
    off: Sequence[str],
) -> tuple[tuple[int, int], list[Decision]]:
    """The columns of the table, and what stands beside it.

    :raises Unreadable: ``table.ambiguous_columns`` when the table beside it is as large.
    """
    whole = (0, sheet.width - 1)
    if "columns.second_table" in off or not header.height:
        return whole, []
    blocks = column_blocks(header.texts, texts[header.row + header.height :])
    blocks = [b for b in blocks if sum(bool(t) for t in header.texts[b[0] : b[1] + 1]) > 1]
    if len(blocks) < 2:
        return whole, []
    body = sheet.frame.slice(header.row + header.height)
    cells = [_filled_cells(body, block) for block in blocks]
    shown = [" | ".join(t for t in header.texts[a : b + 1] if t)[:200] for a, b in blocks]
    if max(cells[1:]) >= cells[0]:
        raise Unreadable(
            "table.ambiguous_columns",
            "tables stand side by side, behind empty columns: which one is it?",
            [f"columns {a + 1} to {b + 1}: {s}" for (a, b), s in zip(blocks, shown, strict=True)],
        )
    message = f"another table beside it, behind an empty column: {'; '.join(shown[1:])}"
    note = Decision.of("columns.second_table", message, [lines[header.row]])
    return blocks[0], [note]


def _filled_cells(frame: pl.DataFrame, block: tuple[int, int]) -> int:
    names = [text_column(position) for position in range(block[0], block[1] + 1)]
    counts = frame.select((pl.col(name).fill_null("") != "").sum() for name in names)
    return sum(counts.row(0))


def _second_table(body: pl.DataFrame, found: FoundTable, columns: PlainColumns) -> int:
    """The row where another table begins: words behind a blank row, with titles above them, and
    below them other kinds of cells than before. The height of the body when there is none.
    """
    if "rows.second_table" in columns.profile.structure.off or not found.header_line:
        return body.height
    names = [text_column(p) for p in range(found.span[0], found.span[1] + 1)]
    seen = [pl.col(n).str.strip_chars(INVISIBLE).fill_null("") != "" for n in names]
    blank = body.select(~pl.any_horizontal(seen)).to_series()
    starts: list[int] = (blank.shift(1, fill_value=False) & ~blank).arg_true().to_list()
    known = [columns.profile.columns[name].type == "text" for name in columns.names]
    for start in starts[:_BLOCKS_LOOKED_AT]:
        rows = [list(row) for row in body.slice(start, 24).select(names).iter_rows()]
        while len(rows) > 1 and sum(visible(t) for t in rows[0]) == 1:
            del rows[0]  # a title of the second table
        words = [t for t in rows[0] if visible(t)]
        if len(words) < 2 or len(set(words)) < len(words) or not holds_headings(rows[0], rows[1:]):
            continue
        if rows[0] == [found.header[p] or None for p in range(found.span[0], found.span[1] + 1)]:
            continue
        if _begins_anew(rows, known[found.span[0] :]):
            return start
    return body.height


def _begins_anew(rows: Sequence[Sequence[str | None]], words: Sequence[bool]) -> bool:
    """Whether below a row of words other kinds of cells stand than in the columns so far.

    ``words`` says of which columns the cells were words.
    """
    places = [p for p, text in enumerate(rows[0]) if visible(text)]
    if any(words[p] and values_below(rows[1:], p) for p in places):
        return True
    filled = [p for p in places if any(visible(row[p]) for row in rows[1:])]
    return len(filled) > 1 and not any(words[p] or values_below(rows[1:], p) for p in filled)


def _sorted_rows(
    body: pl.DataFrame, values: pl.DataFrame, columns: PlainColumns, found: FoundTable
) -> tuple[pl.Series, list[Decision]]:
    marks = mark_rows(body, found, columns.profile.structure.off)
    sorter = RowSorter(columns.profile, found)
    return sorter.data_rows(body, values, marks, final=True)


def _refuse_larger_second_table(
    decisions: Sequence[Decision],
    rows: int,
    body: pl.DataFrame,
    header: Header,
    lines: Sequence[int],
) -> None:
    """Of two tables below each other the first is read only when it is the larger one."""
    found = next((d for d in decisions if d.rule == "rows.second_table"), None)
    if found is None:
        return
    second = body.filter(pl.col(FIRST_LINE) >= found.lines[0]).drop(LAST_LINE)
    # Above its header there may be titles, each a single cell.
    titles, start, words = -1, 0, [""]
    while len(words) == 1 and titles + 1 < second.height:
        titles += 1
        start, *row = second.row(titles)
        words = [t for t in row if isinstance(t, str) and visible(t)]
    if second.height - titles - 1 < rows:
        return
    raise Unreadable(
        "table.ambiguous_rows",
        "two tables stand below each other, the second not smaller: which one is it?",
        [
            f"header on line {lines[header.row]}: {' | '.join(t for t in header.texts if t)[:200]}",
            f"header on line {start}: {' | '.join(words)[:200]}",
        ],
    )
