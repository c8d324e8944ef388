"""Which rows below the header are data, and which rule left out the others.

Rows are classified on whole columns; a total needs its label *and* the sum of the rows above.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import numpy as np
import polars as pl

from hybridmandate.execution.services.spreadsheets.profile import Profile
from hybridmandate.execution.services.spreadsheets.structure import (
    RULER,
    RULER_CELL,
    RULERS,
    FoundTable,
    match_headers,
)
from hybridmandate.execution.services.spreadsheets.table import (
    FIRST_LINE,
    HIDDEN,
    INVISIBLE,
    SHORT_ROWS,
    Decision,
    filled_cell,
    text_column,
    visible,
)

Indices = np.ndarray[Any, np.dtype[Any]]
Texts = Sequence[str | None]

_TOTAL = (
    r"(?:grand\s+|sub[\s-]?)?totals?|sum|summe|gesamt(?:summe|betrag|ergebnis)?|zwischensumme"
    r"|endsumme|ergebnis|übertrag|total\s+g[ée]n[ée]ral|sous-total|subtotal|totale|somma|suma"
    r"|(?:sub|tussen|eind)?totaal|razem|summa"
)
_LAST_WORD = r"(?:sub)?totals?|totale|totaal|summe|ergebnis"
_LABEL = (
    rf"(?i)^(?:(?:{_TOTAL})(?:\s+\S{{1,20}}){{0,2}}|(?:\S{{1,30}}\s+){{1,3}}(?:{_LAST_WORD})|\*{{1,4}})"
    r"\s*[:=]?$"
)
"""``Total North``, as people write it, ``North Total``, as spreadsheet programs group, and the
stars of business systems' lists."""
_PART = r"(?i)^(?:sub|zwischen|sous|tussen)"
_MESSAGES = {
    "rows.blank": "rows that hold nothing visible",
    "rows.ruler": RULERS,
    "rows.repeated_header": "the header repeated among the rows",
    "rows.footer": "remarks below the last row, or at a page break",
    "rows.total": "total lines: the label of a total, and the sum of all rows above",
    "rows.subtotal": "sub-total lines: a total's label, and the sum of the rows since the last",
    "rows.second_table": "another table below, behind a blank row, with a header of its own",
}
_HIDDEN_READ = "hidden rows were read like the others"
_HIDDEN_OUT = "hidden rows were left out"
_UNCONFIRMED = "labelled like a total, but not the sum of the rows above: judged as data"
READ_ALL_THE_SAME = frozenset({_HIDDEN_READ, _UNCONFIRMED, SHORT_ROWS})
"""Messages about rows that are data although something about them is worth a look."""


@dataclass(frozen=True, slots=True)
class RowMarks:
    """Masks over the rows of a batch, before sums are known."""

    blank: pl.Series
    ruler: pl.Series
    repeated: pl.Series
    labelled: pl.Series
    footer: pl.Series

    @property
    def any(self) -> bool:
        """Whether a row is marked at all."""
        return any(mask.any() for mask in self._masks)

    @classmethod
    def none(cls, height: int) -> RowMarks:
        """Of rows none of which is marked."""
        no = pl.repeat(False, height, dtype=pl.Boolean, eager=True)
        return cls(no, no, no, no, no)

    def spread(self, rows: Indices, height: int) -> RowMarks:
        """The marks of these rows among more, the others of which have none."""
        spread = np.zeros((len(self._masks), height), dtype=bool)
        spread[:, rows] = [mask.to_numpy() for mask in self._masks]
        return RowMarks(*map(pl.Series, spread))

    @property
    def _masks(self) -> tuple[pl.Series, ...]:
        return self.blank, self.ruler, self.repeated, self.labelled, self.footer


def mark_rows(rows: pl.DataFrame, table: FoundTable, off: Sequence[str]) -> RowMarks:
    """Blank rows, drawn lines, repeated headers, rows labelled as totals, single remarks."""
    every = _texts_of(rows, table)
    own = [text_column(m.position) for m in table.matches]
    first = own[0]
    height = rows.height
    header = [(text_column(m.position), table.header[m.position]) for m in table.matches]
    seldom = _rare_rows(rows, every, header)
    if not len(seldom):
        return RowMarks.none(height)
    few = rows[seldom]
    known = rows.columns
    seen = {name: filled_cell(name, known) for name in every}
    filled = list(seen.values())
    plain = [pl.col(name).str.strip_chars(INVISIBLE).fill_null("") for name in every]
    flags = few.select(
        blank=~pl.any_horizontal(filled),
        ruler=pl.all_horizontal([(t == "") | t.str.contains(RULER_CELL) for t in plain])
        & pl.any_horizontal([t.str.contains(RULER) for t in plain]),
        repeated=pl.all_horizontal([pl.col(n).eq_missing(pl.lit(h)) for n, h in header]),
        labelled=pl.any_horizontal(
            [
                pl.col(n).str.strip_chars(INVISIBLE).str.contains(_LABEL).fill_null(False)
                for n in every
            ]
        ),
        footer=(pl.sum_horizontal([s.cast(pl.UInt16) for s in filled]) == 1)
        & ~pl.any_horizontal([seen[n] for n in own[1:] or [first]])
        & ~_is_value(pl.concat_str(plain)),
    )

    def spread(rule: str, name: str) -> pl.Series:
        mask = np.zeros(height, dtype=bool)
        if rule in off:
            return pl.Series(mask)
        mask[seldom[flags[name].fill_null(False).to_numpy()]] = True
        return pl.Series(mask)

    return RowMarks(
        spread("rows.blank", "blank"),
        spread("rows.ruler", "ruler"),
        spread("rows.repeated_header", "repeated"),
        spread("rows.total", "labelled"),
        spread("rows.footer", "footer"),
    )


def _texts_of(rows: pl.DataFrame, table: FoundTable) -> list[str]:
    """The columns of texts of a table that its rows have."""
    known = set(rows.columns)
    names = map(text_column, range(table.span[0], table.span[1] + 1))
    return [name for name in names if name in known]


def _is_value(text: pl.Expr) -> pl.Expr:
    """Whether a text is digits for at least a half, or a word with digits: no remark."""
    mostly_digits = text.str.count_matches(r"[0-9]") * 2 >= text.str.len_chars()
    return mostly_digits | text.str.contains(r"^\S*[0-9]\S*$")


def _rare_rows(
    rows: pl.DataFrame, every: Sequence[str], header: Sequence[tuple[str, str | None]]
) -> Indices:
    """Rows that may be something else than data: a cell is missing, or the first ones hint at it.

    A total or a remark leaves cells empty or begins with its word; the rest need no closer look.
    """
    hint = rf"(?i)^[{re.escape(INVISIBLE)}]*(?:{_TOTAL}|$|[-=*+:|]{{2}}|\*)"
    looked_at = dict.fromkeys([every[0], header[0][0]])
    hints = [pl.col(name).str.contains(hint).fill_null(True) for name in looked_at]
    again = [pl.col(header[0][0]).eq_missing(pl.lit(header[0][1]))]
    holes = [pl.col(name).is_null() for name in every if rows[name].null_count()]
    mask = rows.select(pl.any_horizontal([*hints, *again, *holes]))[:, 0]
    return np.flatnonzero(mask.to_numpy())


def _hidden(rows: pl.DataFrame) -> Indices:
    if HIDDEN not in rows.columns:
        return np.zeros(rows.height, dtype=bool)
    return rows[HIDDEN].fill_null(False).to_numpy()


@dataclass(slots=True)
class RowSorter:
    """Decides batch after batch which rows are data; keeps the running sums for total lines.

    Hidden rows are data and reported; a profile that switches ``rows.hidden`` off leaves them out.
    """

    profile: Profile
    table: FoundTable
    sums: dict[str, Decimal] = field(default_factory=dict)
    since: dict[str, Decimal] = field(default_factory=dict)
    declared_totals: dict[str, Decimal] = field(default_factory=dict)
    ended: bool = False

    def add_data(self, numbers: pl.DataFrame) -> None:
        """Take rows that are all data, of which no total is asked: their numbers."""
        self._add({column.name: column.sum() for column in numbers.iter_columns()})

    def data_rows(
        self, rows: pl.DataFrame, values: pl.DataFrame, marks: RowMarks, *, final: bool
    ) -> tuple[pl.Series, list[Decision]]:
        """The mask of the data rows, and what was left out by which rule."""
        out: dict[str, Indices] = {}
        blank = marks.blank.to_numpy().copy()
        ruler = marks.ruler.to_numpy() & ~blank
        empty = blank | ruler
        repeated = marks.repeated.to_numpy() & ~empty
        labelled = marks.labelled.to_numpy() & ~empty & ~repeated
        below = self._second_table(rows, blank, repeated)
        footer = np.zeros(rows.height, dtype=bool)
        if final or below.any():
            stop = int(np.argmax(below)) if below.any() else rows.height
            candidates = (marks.footer.to_numpy() & ~empty & ~labelled & ~repeated)[:stop]
            neutral = (empty | labelled)[:stop]
            run = np.minimum.accumulate((candidates | neutral)[::-1])[::-1]
            footer[:stop] = candidates & run
        footer |= _above_repeated(marks.footer.to_numpy() & ~empty & ~labelled, repeated, empty)
        total, sub, unconfirmed = self._totals(
            rows, values, labelled & ~below, ~(empty | repeated | footer | below)
        )
        hidden = _hidden(rows) & ~(empty | repeated | footer | below | total | sub)
        out |= {
            "rows.blank": blank & ~below,
            "rows.ruler": ruler & ~below,
            "rows.repeated_header": repeated & ~below,
            "rows.subtotal": sub,
            "rows.total": total,
            "rows.footer": footer,
            "rows.second_table": below,
        }
        lines = rows[FIRST_LINE]
        decisions = [
            Decision.of(rule, _MESSAGES[rule], lines.filter(pl.Series(mask)).to_list())
            for rule, mask in out.items()
            if mask.any()
        ]
        if hidden.any():
            kept = "rows.hidden" not in self.profile.structure.off
            message = _HIDDEN_READ if kept else _HIDDEN_OUT
            decisions.append(
                Decision.of("rows.hidden", message, lines.filter(pl.Series(hidden)).to_list())
            )
            if not kept:
                out["rows.hidden"] = hidden
        if unconfirmed:
            at = [int(lines[row]) for row in unconfirmed]
            decisions.append(Decision.of("rows.total_unconfirmed", _UNCONFIRMED, at))
        left_out = np.logical_or.reduce(list(out.values()))
        return pl.Series(~left_out), decisions

    def _second_table(self, rows: pl.DataFrame, blank: Indices, repeated: Indices) -> Indices:
        """Rows from another header on that stands behind a blank row, to the end of the sheet."""
        mask = np.zeros(rows.height, dtype=bool)
        if self.ended:
            mask[:] = True
            return mask
        if "rows.second_table" in self.profile.structure.off or not blank.any():
            return mask
        names = _texts_of(rows, self.table)
        starts = np.flatnonzero(blank[:-1] & ~blank[1:]) + 1
        for start in starts[:1000].tolist():
            if start + 1 >= rows.height or repeated[start] or blank[start + 1]:
                continue
            if self._is_other_header(_first_of_two_cells(rows, names, start)):
                mask[start:] = True
                self.ended = True
                break
        return mask

    def _is_other_header(self, texts: Sequence[str | None]) -> bool:
        filled = [t for t in texts if visible(t)]
        if len(filled) < 2 or any(c.isdigit() for t in filled for c in t or ""):
            return False
        words = all(len((t or "").split()) <= 4 for t in filled)
        keys = [m.position for m in self.table.matches]
        required = [
            m.position for m in self.table.matches if self.profile.columns[m.column].required
        ]
        offset = self.table.span[0]
        known = match_headers(texts, self.profile)
        # A data row would have numbers or dates; a header's words stand where those belong.
        numeric = [
            m.position
            for m in self.table.matches
            if self.profile.columns[m.column].type in ("decimal", "integer", "money", "date")
        ]
        at = [p for p in numeric if 0 <= p - offset < len(texts) and visible(texts[p - offset])]
        return words and bool(keys) and (bool(at) or len(filled) < len(required) or bool(known))

    def _totals(
        self, rows: pl.DataFrame, values: pl.DataFrame, labelled: Indices, data: Indices
    ) -> tuple[Indices, Indices, list[int]]:
        numeric = [name for name, dtype in values.schema.items() if is_summed(dtype)]
        total = np.zeros(rows.height, dtype=bool)
        sub = np.zeros(rows.height, dtype=bool)
        unconfirmed: list[int] = []
        places = np.flatnonzero(labelled)
        if not numeric:
            return total, sub, places.tolist()
        if not len(places):
            if rows.height:
                self._add(values.select(numeric).filter(pl.Series(data)).sum().row(0, named=True))
            return total, sub, unconfirmed
        numbers = values.select(numeric)
        told = numbers[places].iter_rows(named=True)
        between = _sums_between(numbers, data & ~labelled, places)
        parts = self._say_part(rows[places])
        for row, cells, added, part in zip(places.tolist(), told, between, parts, strict=True):
            self._add(added)
            given = {n: Decimal(str(v)) for n, v in cells.items() if v is not None}
            if given and all(self.since.get(n, Decimal(0)) == v for n, v in given.items()):
                whole = all(self.sums.get(n) == v for n, v in given.items()) and not part
                (total if whole else sub)[row] = True
                self.since = {}
                # Behind a sub-total, what was taken for the total before was one of a part too.
                self.declared_totals = {**self.declared_totals, **given} if whole else {}
            elif given and all(self.sums.get(n) == v for n, v in given.items()):
                total[row] = True
                self.declared_totals |= given
            else:
                unconfirmed.append(row)
        rest = data & ~labelled
        rest[unconfirmed] = True
        rest[: places[-1]] = False
        self._add(numbers.filter(pl.Series(rest)).sum().row(0, named=True))
        return total, sub, unconfirmed

    def _say_part(self, rows: pl.DataFrame) -> list[bool]:
        """Whether the labels say sub-total themselves: the first one equals the total so far."""
        texts = [pl.col(n).str.strip_chars(INVISIBLE) for n in _texts_of(rows, self.table)]
        said = rows.select(
            pl.any_horizontal([t.str.contains(_PART).fill_null(False) for t in texts])
        )
        return said.to_series().to_list()

    def _add(self, added: Mapping[str, object]) -> None:
        for name, value in added.items():
            amount = Decimal(str(value or 0))
            self.sums[name] = self.sums.get(name, Decimal(0)) + amount
            self.since[name] = self.since.get(name, Decimal(0)) + amount


def _first_of_two_cells(rows: pl.DataFrame, names: Sequence[str], start: int) -> Texts:
    """The cells of a row, or of one of the next two where those before hold a title alone."""
    texts: Texts = []
    for row in range(start, min(start + 3, rows.height)):
        texts = [rows[n][row] for n in names]
        if sum(visible(t) for t in texts) != 1:
            break
    return texts


def _above_repeated(remarks: Indices, repeated: Indices, empty: Indices) -> Indices:
    """Remarks right above a repeated header, as page breaks have them."""
    found = np.zeros(len(remarks), dtype=bool)
    for row in np.flatnonzero(repeated).tolist():
        above = row - 1
        while above >= 0 and (empty[above] or remarks[above]):
            found[above] = remarks[above]
            above -= 1
    return found


def is_summed(dtype: pl.DataType) -> bool:
    """Whether the values of a type have totals."""
    return dtype.is_decimal() or dtype.is_integer()


def _sums_between(
    numbers: pl.DataFrame, counted: Indices, places: Indices
) -> Iterator[dict[str, Decimal]]:
    """The sums of the counted rows above each place, below the place before."""
    if not len(places):
        return
    mask = pl.Series(counted)
    running = numbers.select(
        pl.when(mask).then(pl.col(name)).fill_null(0).cum_sum().alias(name)
        for name in numbers.columns
    )
    before = dict.fromkeys(numbers.columns, Decimal(0))
    for place, sums in zip(places.tolist(), running[places].iter_rows(named=True), strict=True):
        if not place:
            yield {}  # no row stands above: there is no sum yet, not even zero
            continue
        now = {name: Decimal(str(value)) for name, value in sums.items()}
        yield {name: value - before[name] for name, value in now.items()}
        before = now
