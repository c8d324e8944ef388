"""One column of a profile as expressions over a sheet: the parsed value, and what can be wrong.

Dates and numbers are strict: a text is a date only if it has exactly a declared format, a number
only if it is written in the declared notation; nothing is guessed cell by cell.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

import polars as pl

from hybridmandate.execution.services.spreadsheets.identifiers import parsed_identifier
from hybridmandate.execution.services.spreadsheets.profile_columns import Column
from hybridmandate.execution.services.spreadsheets.profile_formats import DateFormat
from hybridmandate.execution.services.spreadsheets.quick_column import (
    MAX_DIGITS,
    QuickReader,
    own_words,
    quick_reader,
)
from hybridmandate.execution.services.spreadsheets.table import (
    INVISIBLE,
    CellKind,
    kind_column,
    text_column,
)

_PLAIN_NUMBER = r"^[+-]?[0-9]+(?:\.[0-9]+)?$"


@dataclass(frozen=True, slots=True)
class Check:
    """A way in which a row can be wrong: ``failed`` is true for the rows that are."""

    code: str
    field: str
    message: str
    failed: pl.Expr


@dataclass(frozen=True, slots=True)
class ParsedColumn:
    """Expressions of one column: its value (null where it is empty or wrong) and its checks.

    ``checks`` look at the raw cell, ``value_checks`` at the column of values, named as the column.
    ``pattern`` is the check of the declared pattern. ``simple`` is true for cells whose value is
    ``simple_value`` and that no check of the raw cell can fail: they are the many, and are found
    with one expression instead of ten; ``quick`` finds them from their bytes.
    """

    value: pl.Expr
    checks: tuple[Check, ...]
    position: int | None = None
    value_checks: tuple[Check, ...] = ()
    pattern: Check | None = None
    simple: pl.Expr | None = None
    simple_value: pl.Expr | None = None
    quick: QuickReader | None = None


def parsed_column(
    name: str, column: Column, position: int | None, *, has_kinds: bool
) -> ParsedColumn:
    """The expressions of a column that stands at a position of the sheet, or is missing (None)."""
    if position is None:
        return ParsedColumn(pl.lit(None, dtype=value_type(column)).alias(name), ())
    cell = _Cell(position, has_kinds)
    value, checks = _TYPES[column.type](name, column, cell)
    simple = None if has_kinds else _simple(column, pl.col(text_column(position)))
    return ParsedColumn(
        value=value.alias(name),
        checks=(*_cell_checks(name, column, cell), *checks),
        position=position,
        value_checks=tuple(_value_checks(name, column)),
        pattern=_pattern_check(name, column),
        simple=simple[0] if simple else None,
        simple_value=simple[1].alias(name) if simple else None,
        quick=None if has_kinds else quick_reader(column),
    )


def _simple(column: Column, raw: pl.Expr) -> tuple[pl.Expr, pl.Expr] | None:
    """Test and value of a column's most frequent way of writing, for text files."""
    if column.type == "text":
        stripped = raw.str.strip_chars()
        plain = raw.str.len_bytes() == raw.str.len_chars()
        return plain & (stripped == raw) & (raw != ""), raw
    if column.type == "date":
        first = column.date_formats[0]
        parsed = raw.str.to_date(first.strptime, strict=False)
        return raw.str.contains(first.pattern) & parsed.is_not_null(), parsed
    if column.type == "decimal" and column.scale and column.number.point == ".":
        form = rf"^[0-9]{{1,{MAX_DIGITS - column.scale}}}(?:\.[0-9]{{1,{column.scale}}})?$"
        return raw.str.contains(form), raw.cast(pl.Decimal(38, column.scale), strict=False)
    if column.type == "integer":
        return raw.str.contains(r"^[0-9]{1,15}$"), raw.cast(pl.Int64, strict=False)
    if column.type == "enum":
        return raw.is_in(own_words(column)), raw
    return None


def _value_checks(name: str, column: Column) -> Iterator[Check]:
    value = pl.col(name)
    if column.type == "text" and column.min_length is not None:
        short = value.str.len_chars() < column.min_length
        yield Check("length.short", name, f"needs at least {column.min_length} characters", short)
    if column.type == "text" and column.max_length is not None:
        long = value.str.len_chars() > column.max_length
        yield Check("length.long", name, f"may have {column.max_length} characters", long)
    yield from _bounds(name, column, value, _READ.get(column.type, str))


def _pattern_check(name: str, column: Column) -> Check | None:
    if column.pattern is None:
        return None
    matches = pl.col(name).cast(pl.String).str.contains(f"^(?:{column.pattern})$")
    return Check("pattern", name, f"must match {column.pattern}", ~matches)


class _Cell:
    """Expressions over the raw cell of a column."""

    def __init__(self, position: int, has_kinds: bool) -> None:
        trimmed = pl.col(text_column(position)).str.strip_chars(INVISIBLE)
        self.text: pl.Expr = pl.when(trimmed != "").then(trimmed)
        self._kind = pl.col(kind_column(position)) if has_kinds else None

    @classmethod
    def of_text(cls, cell: _Cell, text: pl.Expr) -> _Cell:
        """The same cell with another text."""
        copy = cls.__new__(cls)
        copy.text = text
        copy._kind = cell._kind
        return copy

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
    return cell.usable, []


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
    return value, checks


def _integer(name: str, column: Column, cell: _Cell) -> tuple[pl.Expr, list[Check]]:
    text = cell.usable
    plain = _plain_number(column, cell)
    whole = plain.str.replace(r"\.0+$", "")
    value = pl.when(whole.str.contains(rf"^[+-]?[0-9]{{1,{MAX_DIGITS}}}$")).then(
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
    return value, checks


def _decimal(name: str, column: Column, cell: _Cell) -> tuple[pl.Expr, list[Check]]:
    text = cell.usable
    plain = _plain_number(column, cell)
    fraction = plain.str.extract(r"\.([0-9]*?)0*$").fill_null("").str.len_chars()
    digits = plain.str.replace_all(r"[^0-9]", "").str.strip_chars_start("0").str.len_chars()
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


def _datetime(name: str, column: Column, cell: _Cell) -> tuple[pl.Expr, list[Check]]:
    """Local times of the declared zone become UTC; one that the clock skips or repeats is wrong."""
    text = cell.usable
    own = pl.when(cell.is_kind(CellKind.DATE)).then(
        pl.coalesce(
            text.str.to_datetime("%Y-%m-%dT%H:%M:%S%.f", strict=False, time_unit="us"),
            text.str.to_date("%Y-%m-%d", strict=False).cast(pl.Datetime("us")),
        )
    )
    local = pl.coalesce(
        [own, *(_clock_time(text, each) for each in column.date_formats if not each.has_offset)]
    )
    zoned = local.dt.replace_time_zone(
        column.time_zone, ambiguous="null", non_existent="null"
    ).dt.convert_time_zone("UTC")
    offset = [_instant(text, each) for each in column.date_formats if each.has_offset]
    value = pl.coalesce([zoned, *offset])
    parsed = pl.coalesce([local, *(each.dt.replace_time_zone(None) for each in offset)])
    formats = " or ".join(column.formats)
    return value, [
        Check("datetime.format", name, f"is not written {formats}", _unparsed(text, parsed)),
        Check(
            "datetime.zone",
            name,
            f"does not exist or exists twice in {column.time_zone}",
            local.is_not_null() & value.is_null(),
        ),
    ]


def _clock_time(text: pl.Expr, form: DateFormat) -> pl.Expr:
    """A date and a time without a zone; a format without a time is midnight."""
    matching = pl.when(text.str.contains(form.pattern)).then(text)
    if "%H" not in form.strptime:
        return matching.str.to_date(form.strptime, strict=False).cast(pl.Datetime("us"))
    if "%M" in form.strptime:
        return matching.str.to_datetime(form.strptime, strict=False, time_unit="us")
    whole = matching + ":00"
    return whole.str.to_datetime(f"{form.strptime}:%M", strict=False, time_unit="us")


def _instant(text: pl.Expr, form: DateFormat) -> pl.Expr:
    """A time with its own distance from UTC, as UTC."""
    matching = pl.when(text.str.contains(form.pattern)).then(text)
    numeric = matching.str.replace("Z$", "+00:00")
    return numeric.str.to_datetime(form.strptime, strict=False, time_unit="us", time_zone="UTC")


def _money(name: str, column: Column, cell: _Cell) -> tuple[pl.Expr, list[Check]]:
    """An amount with one of the declared currencies before or behind it, or none."""
    words = "|".join(re.escape(each) for each in sorted(column.currencies, key=len, reverse=True))
    bare = cell.usable.str.replace(rf"^(?:{words})[ \u00a0]?|[ \u00a0]?(?:{words})$", "")
    inner = _Cell.of_text(cell, bare)
    value, checks = _decimal(name, column, inner)
    written = f"{column.number_format} with {' or '.join(column.currencies)}"
    renamed = {"decimal.format": f"is not an amount written like {written}"}
    return value, [
        Check(c.code.replace("decimal", "money"), name, renamed.get(c.code, c.message), c.failed)
        for c in checks
    ]


def _identifier(name: str, column: Column, cell: _Cell) -> tuple[pl.Expr, list[Check]]:
    text = cell.usable
    kind = column.standard or column.type
    value = text.map_batches(lambda series: parsed_identifier(kind, series), return_dtype=pl.String)
    message = f"is not a valid {kind} (form or check digits)"
    return value, [Check(f"{column.type}.format", name, message, _unparsed(text, value))]


_READ: dict[str, Callable[[str], date | int | Decimal]] = {
    "date": date.fromisoformat,
    "integer": int,
    "decimal": Decimal,
    "money": Decimal,
}

_TYPES: dict[str, Callable[[str, Column, _Cell], tuple[pl.Expr, list[Check]]]] = {
    "text": _text,
    "date": _date,
    "integer": _integer,
    "decimal": _decimal,
    "boolean": _boolean,
    "enum": _enum,
    "datetime": _datetime,
    "money": _money,
    **dict.fromkeys(("email", "iban", "vat", "bic", "lei", "isin", "identifier"), _identifier),
}


def value_type(column: Column) -> pl.DataType:
    """The type of a column's values."""
    types: dict[str, pl.DataType] = {
        "text": pl.String(),
        "date": pl.Date(),
        "integer": pl.Int64(),
        "decimal": pl.Decimal(38, column.scale),
        "boolean": pl.Boolean(),
        "datetime": pl.Datetime("us", "UTC"),
        "money": pl.Decimal(38, column.scale),
    }
    return types.get(column.type, pl.String())


def no_values(column: Column, height: int) -> pl.Series:
    """So many empty cells of a column's type."""
    return pl.Series([None], dtype=value_type(column)).new_from_index(0, height)


def _plain_number(column: Column, cell: _Cell) -> pl.Expr:
    """The number as digits with a point, from the declared notation or a workbook's own number."""
    text = cell.usable
    own = cell.is_kind(CellKind.NUMBER) & text.str.contains(_PLAIN_NUMBER)
    written = ~cell.is_kind(CellKind.NUMBER) & text.str.contains(column.number.pattern)
    return pl.when(own).then(text).when(written).then(column.number.as_plain(text))


def _unparsed(text: pl.Expr, value: pl.Expr) -> pl.Expr:
    return text.is_not_null() & value.is_null()


def _bounds(
    name: str, column: Column, value: pl.Expr, read: Callable[[str], date | int | Decimal | str]
) -> Iterator[Check]:
    if column.minimum is not None:
        low = value < pl.lit(read(column.minimum))
        yield Check("range.minimum", name, f"is below {column.minimum}", low)
    if column.maximum is not None:
        high = value > pl.lit(read(column.maximum))
        yield Check("range.maximum", name, f"is above {column.maximum}", high)
