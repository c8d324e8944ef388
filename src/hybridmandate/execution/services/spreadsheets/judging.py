"""One batch of rows against a profile: values, the rows that fail, and why.

Of a text file, rows that are proved good from their bytes are not looked at again; all others, and
the rows of workbooks, go through every check of every column.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import polars as pl

from hybridmandate.execution.services.spreadsheets.batch_store import ChangedTexts
from hybridmandate.execution.services.spreadsheets.body_rows import RowMarks, mark_rows
from hybridmandate.execution.services.spreadsheets.column_checks import (
    Check,
    ParsedColumn,
    no_values,
    parsed_column,
)
from hybridmandate.execution.services.spreadsheets.duplicates import (
    KeyHasher,
    KeyHashes,
    key_hashes,
)
from hybridmandate.execution.services.spreadsheets.judged_rows import (
    Judged,
    Rows,
    RowTexts,
    TextsInChunk,
    TextsInFrame,
)
from hybridmandate.execution.services.spreadsheets.profile import Profile
from hybridmandate.execution.services.spreadsheets.proved_rows import (
    ProvedRows,
    References,
    RowProof,
)
from hybridmandate.execution.services.spreadsheets.record_chunk import RecordChunk, widened
from hybridmandate.execution.services.spreadsheets.record_scan import Mask, Numbers
from hybridmandate.execution.services.spreadsheets.structure import FoundTable
from hybridmandate.execution.services.spreadsheets.table import (
    HIDDEN,
    INVISIBLE,
    Batch,
    Decision,
    text_column,
    visible,
)

_MOSTLY_ODD = 0.75
"""Share of rows without a proof above which the whole batch is judged together."""


@dataclass(frozen=True, slots=True)
class _Verdict:
    """Rows with a value for each column of the profile, and what is wrong with them."""

    rows: pl.DataFrame
    values: pl.DataFrame
    hits: list[tuple[Check, Rows]]
    marks: RowMarks


@dataclass(frozen=True, slots=True)
class _Known:
    """What is proved of the rows that go through expressions all the same.

    ``cells`` has by column which cells are proved good, and the values, which hold there; ``data``
    says which rows are surely data.
    """

    cells: Mapping[str, tuple[Mask, pl.Series]]
    data: Mask


@dataclass(frozen=True)
class Judge:
    """Judges batches of one table; made once, used from several threads."""

    profile: Profile
    table: FoundTable
    has_kinds: bool
    references: References

    def __call__(self, make: Callable[[], Batch], skip: int) -> Judged:
        """The rows of a batch but for the first ones, which are skipped."""
        if isinstance(make, RecordChunk):
            return self._of_text(make, skip)
        batch = make()
        verdict = self._verdict(batch.frame.slice(skip))
        texts = TextsInFrame(verdict.rows)
        return self._judged(verdict, texts, batch.notes)

    def _of_text(self, chunk: RecordChunk, skip: int) -> Judged:
        texts = TextsInChunk(chunk, skip, len(self.table.header))
        proved = self._proof.prove(chunk, skip)
        if proved is not None and proved.good.all():
            return self._merged(proved, texts, None)
        wanted = np.arange(chunk.height) >= skip
        uneven = wanted
        if proved is not None:
            wanted[skip:] &= ~proved.good
            uneven = wanted.copy()
            uneven[proved.cells.rows + skip] = False
        short = chunk.short_records(self._width, uneven) - skip
        if proved is None or (~proved.good).mean() > _MOSTLY_ODD:
            batch = chunk.batch()
            verdict = self._verdict(batch.frame.slice(skip))
            return replace(self._judged(verdict, texts, batch.notes), short=short)
        rows = chunk.batch(wanted).frame
        known = _known(proved, self._positions, widened(rows, len(self.table.header)))
        return replace(self._merged(proved, texts, self._verdict(rows, known)), short=short)

    def _verdict(self, frame: pl.DataFrame, known: _Known | None = None) -> _Verdict:
        rows = widened(frame, len(self.table.header))
        parsed = self._parsed
        cells = {} if known is None else known.cells
        values, hits = _values(rows, parsed, cells)
        doubtful = [p for n, p in parsed.items() if n not in cells or not cells[n][0].all()]
        later = [c for p in doubtful for c in p.value_checks]
        later += [p.pattern for p in doubtful if p.pattern is not None]
        hits += _hits(values, later)
        hits += self._not_referenced(values)
        hits += self._extra_cells(rows)
        hits += self._broken_rules(values)
        order = {name: n for n, name in enumerate(self.profile.columns)}
        hits.sort(key=lambda hit: order.get(hit[0].field, len(order)))
        return _Verdict(rows, values, hits, self._marks(rows, known))

    def _marks(self, rows: pl.DataFrame, known: _Known | None) -> RowMarks:
        off = self.profile.structure.off
        if known is None:
            return mark_rows(rows, self.table, off)
        doubtful = np.flatnonzero(~known.data)
        if not len(doubtful):
            return RowMarks.none(rows.height)
        return mark_rows(rows[doubtful], self.table, off).spread(doubtful, rows.height)

    def _judged(self, verdict: _Verdict, texts: RowTexts, notes: tuple[Decision, ...]) -> Judged:
        """A batch in which every row went through the expressions."""
        same = self._same(verdict)
        own = {n: verdict.values[n] for n in verdict.values.columns if n not in same}
        marks = verdict.marks if verdict.marks.any or HIDDEN in verdict.rows.columns else None
        keys = key_hashes(verdict.values, self._key) if self._key else None
        hits = tuple(verdict.hits)
        return Judged(verdict.rows.height, texts, own, same, {}, hits, marks, keys, notes)

    def _merged(self, proved: ProvedRows, texts: TextsInChunk, odd: _Verdict | None) -> Judged:
        """A batch of which only the odd rows, those without a proof, went through expressions."""
        height, at = len(proved.good), np.flatnonzero(~proved.good)
        own: dict[str, pl.Series] = {}
        same: dict[str, str] = {}
        changed: dict[str, ChangedTexts] = {}
        numbers: dict[str, Numbers] = {}
        for name, column in self.profile.columns.items():
            proven = name in proved.sure and bool(proved.sure[name][at].all())
            if name in self._positions and name not in proved.values:
                text = text_column(self._positions[name])
                change = None if odd is None or proven else _change(text, odd, name, at)
                if change is None:
                    same[name] = text
                else:
                    changed[name] = change
                continue
            value = proved.values[name] if name in proved.values else no_values(column, height)
            if odd is not None and not proven:
                value = value.scatter(at, odd.values[name])
            elif name in proved.numbers:
                numbers[name] = proved.numbers[name]
            own[name] = value.alias(name)
        hits = [] if odd is None else [(check, at[rows]) for check, rows in odd.hits]
        marks = odd.marks.spread(at, height) if odd is not None and odd.marks.any else None
        keys = self._merged_keys(proved, odd, at)
        notes = texts.chunk.notes()
        merged = Judged(height, texts, own, same, changed, tuple(hits), marks, keys, notes)
        return replace(merged, numbers=numbers)

    def _merged_keys(
        self, proved: ProvedRows, odd: _Verdict | None, at: Numbers
    ) -> KeyHashes | None:
        if not self._key:
            return None
        cells = proved.cells
        hasher = KeyHasher(len(cells.rows))
        for name in self._key:
            if name in proved.values:
                value = proved.values[name]
                hasher.add(value if len(cells.rows) == value.len() else value[cells.rows])
            elif name in self._positions:
                column = cells.column(self._positions[name])
                hasher.add_texts(column, column.lengths == 0)
            else:
                hasher.add(no_values(self.profile.columns[name], len(cells.rows)))
        keys = hasher.keys().spread(cells.rows, len(proved.good))
        if odd is None:
            return keys
        doubtful = np.zeros(len(at), dtype=bool)
        for name in self._key:
            if name in proved.sure:
                doubtful |= ~proved.sure[name][at]
        others = np.flatnonzero(doubtful)
        if not len(others):
            return keys
        return keys.replace(at[others], key_hashes(odd.values[others], self._key))

    def _same(self, verdict: _Verdict) -> dict[str, str]:
        """Columns whose every value is the text of its cell."""
        found = {}
        for name, position in self._positions.items():
            text, value = text_column(position), verdict.values[name]
            if value.dtype == pl.String and value.eq_missing(verdict.rows[text]).all():
                found[name] = text
        return found

    @cached_property
    def _positions(self) -> dict[str, int]:
        return {match.column: match.position for match in self.table.matches}

    @cached_property
    def _width(self) -> int:
        """The columns down to the last heading."""
        return max(p for p, text in enumerate(self.table.header) if visible(text)) + 1

    @cached_property
    def _key(self) -> tuple[str, ...]:
        return () if self.profile.duplicates is None else self.profile.duplicates.key

    @cached_property
    def _proof(self) -> RowProof:
        return RowProof(self.profile, self.table, self._parsed, self.references)

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
        last = self._width - 1
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


def _known(proved: ProvedRows, positions: Mapping[str, int], rows: pl.DataFrame) -> _Known:
    """What is proved of the rows without a proof as a whole: of most, all cells but one."""
    at = np.flatnonzero(~proved.good)
    cells = {}
    for name, sure in proved.sure.items():
        value = proved.values[name][at] if name in proved.values else None
        cells[name] = (sure[at], rows[text_column(positions[name])] if value is None else value)
    return _Known(cells, proved.data[at])


def _values(
    rows: pl.DataFrame,
    parsed: Mapping[str, ParsedColumn],
    known: Mapping[str, tuple[Mask, pl.Series]],
) -> tuple[pl.DataFrame, list[tuple[Check, Rows]]]:
    """Values, and the rows that fail a check of their raw cells.

    Cells that are proved, or written as most, have their value already; only the others go through
    every check of their column.
    """
    looks = [each for n, c in parsed.items() if n not in known for each in _first_look(n, c)]
    first = rows.select(looks) if looks else pl.DataFrame()
    columns: list[pl.Series] = []
    hits: list[tuple[Check, Rows]] = []
    for name, column in parsed.items():
        if name in known:
            sure, value = known[name]
        else:
            value = _as_long(first[name], rows.height)
            if column.simple is None:
                hits += _found(first, column.checks, rows.height, f"{name}?")
                columns.append(value.alias(name))
                continue
            sure = first[f"{name}?"].to_numpy()
        others = np.flatnonzero(~sure)
        if len(others) and column.position is not None:
            texts = rows[text_column(column.position)].gather(others).to_frame()
            few = texts.select(column.value, *_failed(column.checks, "?"))
            value = value.scatter(others, _as_long(few[name], len(others)))
            hits += [(c, others[at]) for c, at in _found(few, column.checks, len(others), "?")]
        columns.append(value.alias(name))
    return pl.DataFrame(columns), hits


def _first_look(name: str, column: ParsedColumn) -> Iterator[pl.Expr]:
    """The value of most cells and whether it is that; without such a form all there is to see."""
    if column.simple is not None and column.simple_value is not None:
        yield column.simple_value.alias(name)
        yield column.simple.fill_null(False).alias(f"{name}?")
    else:
        yield column.value.alias(name)
        yield from _failed(column.checks, f"{name}?")


def _change(text: str, odd: _Verdict, name: str, at: Numbers) -> ChangedTexts | None:
    """Where the values of odd rows are others than their texts; ``at`` are the places of them."""
    changed = odd.values[name].ne_missing(odd.rows[text])
    if not changed.any():
        return None
    places = changed.arg_true()
    return ChangedTexts(text, at[places.to_numpy()], odd.values[name].gather(places))


def _hits(frame: pl.DataFrame, checks: Sequence[Check]) -> list[tuple[Check, Rows]]:
    return _found(frame.select(_failed(checks, "?")), checks, frame.height, "?") if checks else []


def _failed(checks: Sequence[Check], prefix: str) -> list[pl.Expr]:
    return [each.failed.fill_null(False).alias(f"{prefix}{n}") for n, each in enumerate(checks)]


def _found(
    masks: pl.DataFrame, checks: Sequence[Check], height: int, prefix: str
) -> list[tuple[Check, Rows]]:
    found: list[tuple[Check, Rows]] = []
    for number, check in enumerate(checks):
        found += _hit(check, _as_long(masks[f"{prefix}{number}"], height))
    return found


def _hit(check: Check, mask: pl.Series) -> list[tuple[Check, Rows]]:
    return [(check, mask.arg_true().to_numpy().astype(np.int64))] if mask.any() else []


def _as_long(series: pl.Series, height: int) -> pl.Series:
    # An expression that does not look at any column gives one value for all rows.
    if series.len() == height:
        return series
    return series.head(0) if height == 0 else series.new_from_index(0, height)
