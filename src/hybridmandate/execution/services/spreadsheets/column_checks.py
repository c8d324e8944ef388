"""One column of a profile as expressions over a sheet: the parsed value, and what can be wrong.

Dates and numbers are strict: a text is a date only if it has exactly a declared format, a number
only if it is written in the declared notation; nothing is guessed cell by cell.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

import polars as pl

from hybridmandate.execution.services.spreadsheets.profile import Column
from hybridmandate.execution.services.spreadsheets.structure import INVISIBLE
from hybridmandate.execution.services.spreadsheets.table import (
    CellKind,
    kind_column,
    text_column,
)

MAX_DIGITS = 15
"""Digits that a JSON number carries exactly."""

_PLAIN_NUMBER = r"^[+-]?\d+(?:\.\d+)?$"


@dataclass(frozen=True, slots=True)
class Check:
    """A way in which a row can be wrong: ``failed`` is true for the rows that are."""

    code: str
    field: str
    message: str
    failed: pl.Expr


@dataclass(frozen=True, slots=True)
class ParsedColumn:
    """Expressions of one column: its value (null where it is empty or wrong) and its checks."""

    value: pl.Expr
    checks: tuple[Check, ...]


def parsed_column(
    name: str, column: Column, position: int | None, *, has_kinds: bool
) -> ParsedColumn:
    """The expressions of a column that stands at a position of the sheet, or is missing (None)."""
    if position is None:
        return ParsedColumn(pl.lit(None, dtype=_dtype(column)).alias(name), ())
    cell = _Cell(position, has_kinds)
    value, checks = _TYPES[column.type](name, column, cell)
    checks = [*_cell_checks(name, column, cell), *checks]
    if column.pattern is not None:
        matches = value.cast(pl.String).str.contains(f"^(?:{column.pattern})$")
        checks.append(
            Check("pattern", name, f"must match {column.pattern}", value.is_not_null() & ~matches)
        )
    return ParsedColumn(value.alias(name), tuple(checks))


class _Cell:
    """Expressions over the raw cell of a column."""

    def __init__(self, position: int, has_kinds: bool) -> None:
        trimmed = pl.col(text_column(position)).str.strip_chars(INVISIBLE)
        self.text = pl.when(trimmed != "").then(trimmed)
        self._kind = pl.col(kind_column(position)) if has_kinds else None

    def is_kind(self, kind: CellKind) -> pl.Expr:
        if self._kind is None:
            return pl.lit(kind is CellKind.TEXT)
        return self._kind == int(kind)

    @property
    def usable(self) -> pl.Expr:
        """The text of a cell that is neither an error nor an uncalculated formula."""
        return pl.when(~self.is_kind(CellKind.ERROR)).then(self.text)


def _cell_checks(name: str, column: Column, cell: _Cell) -> Iterator[Check]:
    error = cell.is_kind(CellKind.ERROR)
    uncalculated = cell.is_kind(CellKind.UNCALCULATED)
    yield Check("cell.error", name, "the cell holds an error of the workbook", error)
    yield Check(
        "cell.uncalculated", name, "the formula has no stored value: save it in Excel", uncalculated
    )
    if column.required:
        empty = cell.text.is_null() & ~error & ~uncalculated
        yield Check("required", name, "must be filled", empty)


def _text(name: str, column: Column, cell: _Cell) -> tuple[pl.Expr, list[Check]]:
    value = cell.usable
    checks = []
    if column.min_length is not None:
        short = value.str.len_chars() < column.min_length
        checks.append(
            Check("length.short", name, f"needs at least {column.min_length} characters", short)
        )
    if column.max_length is not None:
        long = value.str.len_chars() > column.max_length
        checks.append(Check("length.long", name, f"may have {column.max_length} characters", long))
    return value, checks


def _date(name: str, column: Column, cell: _Cell) -> tuple[pl.Expr, list[Check]]:
    text = cell.usable
    parsed = [
        pl.when(text.str.contains(each.pattern)).then(text.str.to_date(each.strptime, strict=False))
        for each in column.date_formats
    ]
    iso = pl.when(cell.is_kind(CellKind.DATE)).then(text.str.to_date("%Y-%m-%d", strict=False))
    value = pl.coalesce([iso, *parsed])
    formats = " or ".join(column.formats)
    checks = [
        Check("date.format", name, f"is not a date written {formats}", _unparsed(text, value))
    ]
    checks.extend(_bounds(name, column, value, date.fromisoformat))
    return value, checks


def _integer(name: str, column: Column, cell: _Cell) -> tuple[pl.Expr, list[Check]]:
    text = cell.usable
    plain = _plain_number(column, cell)
    whole = plain.str.replace(r"\.0+$", "")
    value = pl.when(whole.str.contains(rf"^[+-]?\d{{1,{MAX_DIGITS}}}$")).then(
        whole.str.strip_prefix("+").cast(pl.Int64, strict=False)
    )
    checks = [
        Check(
            "integer.format",
            name,
            f"is not a whole number of up to {MAX_DIGITS} digits",
            _unparsed(text, value),
        )
    ]
    checks.extend(_bounds(name, column, value, int))
    return value, checks


def _decimal(name: str, column: Column, cell: _Cell) -> tuple[pl.Expr, list[Check]]:
    text = cell.usable
    plain = _plain_number(column, cell)
    fraction = plain.str.extract(r"\.(\d*?)0*$").fill_null("").str.len_chars()
    digits = plain.str.replace_all(r"[^\d]", "").str.strip_chars_start("0").str.len_chars()
    precise = (fraction <= column.scale) & (digits <= MAX_DIGITS)
    value = (
        pl.when(precise)
        .then(plain.str.strip_prefix("+"))
        .cast(pl.Decimal(38, column.scale), strict=False)
    )
    written = column.number_format
    checks = [
        Check(
            "decimal.format",
            name,
            f"is not a number written like {written}",
            _unparsed(text, plain),
        ),
        Check(
            "decimal.precision",
            name,
            f"has more than {column.scale} decimals or more than {MAX_DIGITS} digits",
            plain.is_not_null() & ~precise,
        ),
    ]
    checks.extend(_bounds(name, column, value, Decimal))
    return value, checks


def _boolean(name: str, column: Column, cell: _Cell) -> tuple[pl.Expr, list[Check]]:
    text = cell.usable
    word = text.str.to_lowercase()
    yes = word.is_in([each.lower() for each in (*column.true_words, "true")])
    no = word.is_in([each.lower() for each in (*column.false_words, "false")])
    value = pl.when(yes).then(pl.lit(True)).when(no).then(pl.lit(False))
    words = ", ".join((*column.true_words, *column.false_words))
    return value, [Check("boolean.word", name, f"is none of {words}", _unparsed(text, value))]


def _enum(name: str, column: Column, cell: _Cell) -> tuple[pl.Expr, list[Check]]:
    text = cell.usable
    words = {each.casefold(): each for each in column.values}
    words |= {synonym.casefold(): each for synonym, each in column.synonyms.items()}
    value = text.str.to_lowercase().replace_strict(words, default=None, return_dtype=pl.String)
    listed = ", ".join(column.values)
    return value, [Check("enum.value", name, f"is none of {listed}", _unparsed(text, value))]


_TYPES: dict[str, Callable[[str, Column, _Cell], tuple[pl.Expr, list[Check]]]] = {
    "text": _text,
    "date": _date,
    "integer": _integer,
    "decimal": _decimal,
    "boolean": _boolean,
    "enum": _enum,
}


def _dtype(column: Column) -> pl.DataType:
    types: dict[str, pl.DataType] = {
        "text": pl.String(),
        "date": pl.Date(),
        "integer": pl.Int64(),
        "decimal": pl.Decimal(38, column.scale),
        "boolean": pl.Boolean(),
        "enum": pl.String(),
    }
    return types[column.type]


def _plain_number(column: Column, cell: _Cell) -> pl.Expr:
    """The number as digits with a point, from the declared notation or a workbook's own number."""
    text = cell.usable
    declared = text
    if column.number.group:
        declared = declared.str.replace_all(column.number.group, "", literal=True)
    if column.number.point != ".":
        declared = declared.str.replace(column.number.point, ".", literal=True)
    own = cell.is_kind(CellKind.NUMBER) & text.str.contains(_PLAIN_NUMBER)
    written = ~cell.is_kind(CellKind.NUMBER) & text.str.contains(column.number.pattern)
    return pl.when(own).then(text).when(written).then(declared)


def _unparsed(text: pl.Expr, value: pl.Expr) -> pl.Expr:
    return text.is_not_null() & value.is_null()


def _bounds(
    name: str, column: Column, value: pl.Expr, read: Callable[[str], date | int | Decimal]
) -> Iterator[Check]:
    if column.minimum is not None:
        low = value < pl.lit(read(column.minimum))
        yield Check("range.minimum", name, f"is below {column.minimum}", low)
    if column.maximum is not None:
        high = value > pl.lit(read(column.maximum))
        yield Check("range.maximum", name, f"is above {column.maximum}", high)
