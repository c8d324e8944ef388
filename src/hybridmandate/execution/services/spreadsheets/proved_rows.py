"""Rows that are proved good, and proved to be data, by vector tests of whole columns.

A proof is one-sided: a row without it may be just as good, and is judged by the expressions of its
columns. What is proved needs no second look, and most rows of most files are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl

from hybridmandate.execution.services.spreadsheets.cell_bytes import (
    WORD,
    CellBytes,
    Room,
    TextBytes,
)
from hybridmandate.execution.services.spreadsheets.column_checks import (
    Check,
    ParsedColumn,
    no_values,
    value_type,
)
from hybridmandate.execution.services.spreadsheets.profile import Profile
from hybridmandate.execution.services.spreadsheets.quick_column import EMPTY
from hybridmandate.execution.services.spreadsheets.record_chunk import RecordChunk
from hybridmandate.execution.services.spreadsheets.record_scan import Mask, Numbers
from hybridmandate.execution.services.spreadsheets.structure import FoundTable
from hybridmandate.execution.services.spreadsheets.table import text_column, visible

References = Mapping[str, pl.DataFrame]
"""Rows of the views that a profile names, by view."""

_CASE = np.uint64(0x202020)
_BEFORE_END = np.uint64(40)
_BEHIND_LABELS = np.array([ord(each) for each in " :="], dtype=np.uint64)
_HIGH = np.uint64(0x808080)
_LABELS = (
    *("gra", "sub", "tot", "sum", "ges", "zwi", "end", "sou", "som"),
    *("erg", "tus", "ein", "raz", "---", "===", "***", ":--", "+--", "+==", "|--", "|=="),
)
"""How the labels of totals and drawn lines begin (`body_rows`), in lower case."""
_BEGINNINGS = np.array([int.from_bytes(e.encode(), "little") for e in _LABELS], dtype=np.uint64)
_FIRST_LETTERS = np.isin(np.arange(256) | 0x20, [ord(each[0]) | 0x20 for each in _LABELS])
_HINTS = (np.arange(256) <= ord(" ")) | (np.arange(256) == ord("*"))
"""First bytes of labels; and those that alone are a hint."""
_LAST_LETTERS = ("tal", "als", "ale", "aal", "mme", "nis")
_ENDS = tuple(np.uint64(int.from_bytes(each.encode(), "little")) for each in _LAST_LETTERS)
"""How labels end that begin with any word, in lower case."""


@dataclass(frozen=True, slots=True)
class ProvedRows:
    """``good`` are the proved ones among the rows of a chunk, ``data`` those that are surely data.

    ``sure`` says by column which cells are proved. ``values`` has the columns whose value may be
    another than the text of the cell, and holds there; ``numbers`` those of them that are read as
    numbers from their bytes, as they are stored (:data:`EMPTY` where there is none). ``cells`` are
    the bytes of the even rows.
    """

    good: Mask
    data: Mask
    sure: Mapping[str, Mask]
    values: Mapping[str, pl.Series]
    numbers: Mapping[str, Numbers]
    cells: CellBytes


@dataclass(frozen=True)
class RowProof:
    """Proves rows of one table; made once, used from several threads."""

    profile: Profile
    table: FoundTable
    parsed: Mapping[str, ParsedColumn]
    references: References
    _room: Room = field(default_factory=Room, init=False)

    @cached_property
    def _in_bytes(self) -> bool:
        """Whether a column can be proved from its bytes: with none, nothing would be won."""
        return any(self.parsed[match.column].quick is not None for match in self.table.matches)

    def prove(self, chunk: RecordChunk, skip: int) -> ProvedRows | None:
        """The records of a chunk but for the first ones, which are skipped."""
        if not self._in_bytes or ord(chunk.dialect.delimiter) > 127:
            return None
        cells = CellBytes(chunk, len(self.table.header), skip, self._room)
        if not len(cells.rows):
            return None
        rows = _Rows(chunk, skip, cells)
        sure: dict[str, Mask] = {}
        values: dict[str, pl.Series] = {}
        numbers: dict[str, Numbers] = {}
        visible_cells = np.zeros(len(cells.rows), dtype=np.int16)
        for match in self.table.matches:
            bytes_ = cells.column(match.position)
            column = self.parsed[match.column]
            if column.quick is None:
                failed, values[match.column] = _by_expressions(match.column, column, rows)
                good = ~failed[cells.rows]
            else:
                proved = column.quick(bytes_, cells.ascii)
                good = proved.good
                if proved.numbers is not None:
                    dtype = value_type(self.profile.columns[match.column])
                    values[match.column] = rows.series(proved.numbers, bytes_.filled, dtype)
                    stored = np.where(bytes_.filled, proved.numbers, EMPTY)
                    numbers[match.column] = rows.spread(stored)
            visible_cells += good & bytes_.filled
            sure[match.column] = rows.spread(good)
        # A single visible cell may be a remark, and a row without any is blank.
        data = rows.spread(self._no_label(cells) & (visible_cells > 1))
        good_rows = data.copy()
        for each in sure.values():
            good_rows &= each
        for broken in self._broken(rows, values):
            good_rows &= ~broken
        return ProvedRows(good_rows, data, sure, values, numbers, cells)

    def _no_label(self, cells: CellBytes) -> Mask:
        """Rows that are neither totals nor the header again, with no cell beyond the headings."""
        first_match = self.table.matches[0].position
        first, last = self.table.span
        columns = [cells.column(position) for position in range(first, last + 1)]
        doubtful = np.zeros(len(cells.rows), dtype=bool)
        for position in {first, first_match}:
            doubtful |= _may_be_label(cells.column(position))
        heading = (self.table.header[first_match] or "").encode()
        doubtful |= _may_be(cells.column(first_match), heading)
        empty = [column.lengths == 0 for column in columns if not column.lengths.all()]
        if empty:
            at = np.flatnonzero(np.logical_or.reduce(empty))
            some = [column.at(at) for column in columns]
            labelled = [_may_be_label(each) | _may_end_label(each) for each in some]
            doubtful[at] |= np.logical_or.reduce(labelled)
        end = max(p for p, text in enumerate(self.table.header) if visible(text))
        for position in range(end + 1, len(self.table.header)):
            doubtful |= cells.column(position).lengths > 0
        return ~doubtful

    def _broken(self, rows: _Rows, values: Mapping[str, pl.Series]) -> Iterator[Mask]:
        """Rows that break a rule between columns, or whose value is not in its view."""
        positions = {match.column: match.position for match in self.table.matches}
        declared = self.profile.columns

        def frame(names: Sequence[str]) -> pl.DataFrame:
            missing = [n for n in names if n not in values and n not in positions]
            wanted = {n: positions[n] for n in names if n not in values and n in positions}
            texts = rows.texts(list(wanted.values()))
            columns = [values[n].alias(n) for n in names if n in values]
            columns += [texts[text_column(p)].alias(n) for n, p in wanted.items()]
            columns += [no_values(declared[n], rows.height).alias(n) for n in missing]
            return pl.DataFrame(columns)

        for rule in self.profile.row_rules:
            used = frame(sorted(rule.columns) or [self.table.matches[0].column])
            yield _mask(used, (rule.when & ~rule.holds).fill_null(False))
        for name, column in self.profile.columns.items():
            if column.reference is not None and name in positions:
                known = self.references[column.reference.view][column.reference.column]
                inside = pl.col(name).cast(pl.String).is_in(known.cast(pl.String).implode())
                yield _mask(frame([name]), (pl.col(name).is_not_null() & ~inside).fill_null(True))


class _Rows:
    """The rows of a chunk but for those that are skipped; what is known of the even ones."""

    def __init__(self, chunk: RecordChunk, skip: int, cells: CellBytes) -> None:
        self._chunk = chunk
        self._skip = skip
        self._even = cells.rows
        self.height = chunk.height - skip

    def texts(self, positions: Sequence[int]) -> pl.DataFrame:
        """Cells as texts."""
        if not positions:
            return pl.DataFrame()
        names = [text_column(p) for p in positions]
        return self._chunk.frame(names, 0).slice(self._skip)

    def spread(self, known: Any) -> Any:
        """What is known of the even rows, as an array for all; zero for the others."""
        if len(self._even) == self.height:
            return known
        spread = np.zeros(self.height, dtype=known.dtype)
        spread[self._even] = known
        return spread

    def series(self, numbers: Any, filled: Mask, dtype: pl.DataType) -> pl.Series:
        """Numbers of the even rows as values of a type; null where there is none."""
        values = pl.Series(self.spread(numbers))
        if not filled.all():
            values = values.set(pl.Series(~self.spread(filled)), None)
        if isinstance(dtype, pl.Decimal):
            return values.cast(pl.Int128).reinterpret(dtype=dtype)
        return values.cast(dtype)


def _by_expressions(name: str, column: ParsedColumn, rows: _Rows) -> tuple[Mask, pl.Series]:
    """Which rows fail a check of a column, and its values, where it has no form in bytes."""
    texts = rows.texts([column.position] if column.position is not None else [])
    value = texts.select(column.value)
    failed = _failing(texts, column.checks)
    pattern = () if column.pattern is None else (column.pattern,)
    return failed | _failing(value, (*column.value_checks, *pattern)), value[name]


def _failing(frame: pl.DataFrame, checks: Sequence[Check]) -> Mask:
    failed = [check.failed.fill_null(False) for check in checks]
    return _mask(frame, pl.any_horizontal(failed) if failed else pl.lit(False))


def _mask(frame: pl.DataFrame, expression: pl.Expr) -> Mask:
    """An expression for each row; one that looks at no column gives one value for all."""
    found = frame.select(expression).to_series().to_numpy()
    return np.broadcast_to(found, (frame.height,)) if len(found) != frame.height else found


def _may_be_label(cells: TextBytes) -> Mask:
    """Cells that may begin like the label of a total, and those whose beginning is not ASCII."""
    begin = cells.own_bytes(0, 3)
    found = np.asarray((begin & _HIGH) != 0, dtype=np.bool_)
    first = (begin & np.uint64(255)).astype(np.uint8)
    found |= _HINTS.take(first) & cells.filled
    at = np.flatnonzero(_FIRST_LETTERS.take(first))
    if len(at):
        found[at] |= np.isin(begin[at] | _CASE, _BEGINNINGS)
    return found


def _may_end_label(cells: TextBytes) -> Mask:
    """Cells that may end like the label of a total; a colon or a space may stand behind it."""
    end = cells.last_words()[1] >> _BEFORE_END
    last, lower = end >> np.uint64(16), end | _CASE
    found = (cells.lengths > 0) & np.isin(last, _BEHIND_LABELS)
    for each in _ENDS:
        found |= lower == each
    return np.asarray(found, dtype=np.bool_)


def _may_be(cells: TextBytes, text: bytes) -> Mask:
    """Cells that have the length of a text and begin like it."""
    found = np.asarray(cells.lengths == len(text), dtype=np.bool_)
    if found.any():
        begin = np.uint64(int.from_bytes(text[:WORD], "little"))
        found &= cells.own_bytes(0) == begin
    return found
