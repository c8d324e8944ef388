"""One batch of rows against a profile: values, the rows that fail, and why.

Cells that are written as most are get their value by one expression; only the others go through
every check of their column.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl

from hybridmandate.execution.services.spreadsheets.body_rows import RowMarks, mark_rows
from hybridmandate.execution.services.spreadsheets.cell_bytes import (
    CellBytes,
    Chunk,
    Mask,
    TextBatch,
)
from hybridmandate.execution.services.spreadsheets.column_checks import (
    Check,
    ParsedColumn,
    parsed_column,
)
from hybridmandate.execution.services.spreadsheets.profile import Profile
from hybridmandate.execution.services.spreadsheets.quick_column import QuickCells
from hybridmandate.execution.services.spreadsheets.structure import FoundTable
from hybridmandate.execution.services.spreadsheets.table import (
    INVISIBLE,
    Batch,
    Decision,
    text_column,
    visible,
)

Rows = np.ndarray[Any, np.dtype[np.int64]]
References = Mapping[str, pl.DataFrame]
"""Rows of the views that a profile names, by view."""


@dataclass(frozen=True, slots=True)
class Judged:
    """A batch with a value for each column of the profile, and the failing rows of each check.

    ``same`` maps columns whose every value is the text of its cell to the column of that text.
    """

    rows: pl.DataFrame
    values: pl.DataFrame
    hits: tuple[tuple[Check, Rows], ...]
    marks: RowMarks
    chunk: Chunk | None
    same: Mapping[str, str]
    notes: tuple[Decision, ...]


@dataclass(frozen=True)
class Judge:
    """Judges batches of one table; made once, used from several threads."""

    profile: Profile
    table: FoundTable
    has_kinds: bool
    references: References

    def __call__(self, batch: Batch) -> Judged:
        rows = self._at_least_as_wide_as_the_header(batch.frame)
        parsed = self._parsed
        cells = _cells(batch, rows)
        values, hits, patterned = _values(rows, parsed, cells)
        hits += _hits(values, [c for p in parsed.values() for c in p.value_checks])
        hits += _unlike_their_pattern(values, parsed, patterned)
        hits += self._not_referenced(values)
        hits += self._extra_cells(rows)
        hits += self._broken_rules(values)
        order = {name: n for n, name in enumerate(self.profile.columns)}
        hits.sort(key=lambda hit: order.get(hit[0].field, len(order)))
        marks = mark_rows(rows, self.table, self.profile.structure.off)
        chunk = batch.chunk if isinstance(batch, TextBatch) else None
        same = self._same(rows, values)
        return Judged(rows, values, tuple(hits), marks, chunk, same, batch.notes)

    def _same(self, rows: pl.DataFrame, values: pl.DataFrame) -> dict[str, str]:
        found = {}
        for match in self.table.matches:
            text = text_column(match.position)
            value = values[match.column]
            if value.dtype == pl.String and value.eq_missing(rows[text]).all():
                found[match.column] = text
        return found

    def _at_least_as_wide_as_the_header(self, frame: pl.DataFrame) -> pl.DataFrame:
        names = [text_column(p) for p in range(len(self.table.header))]
        missing = [name for name in names if name not in frame.columns]
        return frame.with_columns([pl.lit(None, dtype=pl.String).alias(n) for n in missing])

    @cached_property
    def _parsed(self) -> dict[str, ParsedColumn]:
        positions = {match.column: match.position for match in self.table.matches}
        return {
            name: parsed_column(name, column, positions.get(name), has_kinds=self.has_kinds)
            for name, column in self.profile.columns.items()
        }

    def _not_referenced(self, values: pl.DataFrame) -> list[tuple[Check, Rows]]:
        found = []
        for name, column in self.profile.columns.items():
            if column.reference is None:
                continue
            known = self.references[column.reference.view][column.reference.column].cast(pl.String)
            unknown = ~values[name].cast(pl.String).is_in(known.implode())
            check = Check(
                "reference", name, f"is not in the view '{column.reference.view}'", pl.lit(False)
            )
            found += _hit(check, unknown & values[name].is_not_null())
        return found

    def _extra_cells(self, rows: pl.DataFrame) -> list[tuple[Check, Rows]]:
        """Cells to the right of the last heading: the row has more cells than the table columns."""
        last = max(p for p, text in enumerate(self.table.header) if visible(text))
        if self.table.span[1] < last:
            return []
        beyond = [name for name in rows.columns if name.startswith("t") and int(name[1:]) > last]
        beyond = [name for name in beyond if rows[name].null_count() < rows.height]
        if not beyond:
            return []
        seen = [pl.col(n).str.strip_chars(INVISIBLE).fill_null("") != "" for n in beyond]
        check = Check(
            "row.extra_cells", "", "the row has more cells than the header", pl.lit(False)
        )
        return _hit(check, rows.select(pl.any_horizontal(seen))[:, 0])

    def _broken_rules(self, values: pl.DataFrame) -> list[tuple[Check, Rows]]:
        found: list[tuple[Check, Rows]] = []
        for rule in self.profile.row_rules:
            broken = values.select((rule.when & ~rule.holds).fill_null(False).alias("x"))["x"]
            check = Check(f"rule.{rule.code}", rule.field, rule.message, pl.lit(False))
            found += _hit(check, _as_long(broken, values.height))
        return found


def _cells(batch: Batch, rows: pl.DataFrame) -> CellBytes | None:
    if not isinstance(batch, TextBatch) or batch.chunk is None or not rows.height:
        return None
    return CellBytes(rows, batch.width, batch.chunk)


def _values(
    rows: pl.DataFrame, parsed: Mapping[str, ParsedColumn], cells: CellBytes | None
) -> tuple[pl.DataFrame, list[tuple[Check, Rows]], dict[str, Mask]]:
    """Values, failing rows, and for columns with a pattern the rows that are known to fit it."""
    columns: list[pl.Series] = []
    hits: list[tuple[Check, Rows]] = []
    patterned: dict[str, Mask] = {}
    for name, column in parsed.items():
        quick = _quick(rows, column, cells)
        if quick is None:
            value = rows.select(column.value)[name]
            columns.append(_as_long(value, rows.height))
            hits += _hits(rows, column.checks)
            continue
        value = quick.value.alias(name)
        if quick.patterned is not None:
            patterned[name] = quick.patterned
        if not quick.clean.all():
            others = np.flatnonzero(~quick.clean)
            few = rows[others]
            slow = few.select(column.value)[name]
            value = value.scatter(others, slow)
            hits += [(check, others[places]) for check, places in _hits(few, column.checks)]
        columns.append(value)
    return pl.DataFrame(columns), hits, patterned


def _quick(rows: pl.DataFrame, column: ParsedColumn, cells: CellBytes | None) -> QuickCells | None:
    """The cells that are written as most: from their bytes, else by one expression."""
    position = column.position
    # A batch whose every row is short has no bytes of the columns that it lacks.
    if (
        cells is not None
        and column.quick is not None
        and position is not None
        and position in cells
    ):
        return column.quick(cells, position, rows[text_column(position)])
    if column.simple is None or column.simple_value is None:
        return None
    both = rows.select(column.simple_value, column.simple.fill_null(False).alias("?"))
    return QuickCells(both["?"].to_numpy(), both.to_series(0))


def _unlike_their_pattern(
    values: pl.DataFrame, parsed: Mapping[str, ParsedColumn], patterned: Mapping[str, Mask]
) -> list[tuple[Check, Rows]]:
    """Values that do not fit their pattern; those that are known to fit are not looked at again."""
    found: list[tuple[Check, Rows]] = []
    for name, column in parsed.items():
        if column.pattern is None:
            continue
        if name not in patterned:
            found += _hits(values, [column.pattern])
            continue
        open_ = np.flatnonzero(~patterned[name])
        if len(open_):
            few = values.select(name)[open_]
            found += [(check, open_[at]) for check, at in _hits(few, [column.pattern])]
    return found


def _hits(frame: pl.DataFrame, checks: Sequence[Check]) -> list[tuple[Check, Rows]]:
    if not checks:
        return []
    masks = frame.select(
        [check.failed.fill_null(False).alias(str(n)) for n, check in enumerate(checks)]
    )
    found: list[tuple[Check, Rows]] = []
    for number, check in enumerate(checks):
        found += _hit(check, _as_long(masks[str(number)], frame.height))
    return found


def _hit(check: Check, mask: pl.Series) -> list[tuple[Check, Rows]]:
    return [(check, mask.arg_true().to_numpy().astype(np.int64))] if mask.any() else []


def _as_long(series: pl.Series, height: int) -> pl.Series:
    # An expression that does not look at any column gives one value for all rows.
    if series.len() == height:
        return series
    return series.head(0) if height == 0 else series.new_from_index(0, height)
