"""Kinds of columns without a profile: what is a number for certain, so that totals can be checked.

A notation is taken for a whole column, never cell by cell, and only when nearly all cells have it.
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from hybridmandate.execution.services.spreadsheets.profile import (
    Column,
    NumberFormat,
    Profile,
    StructureOptions,
)
from hybridmandate.execution.services.spreadsheets.table import INVISIBLE, text_column

_PLAIN = ("1234.56", "1,234.56", "1.234,56", "1234,56", "1 234,56", "1'234.56")
_NOTATIONS = (*_PLAIN, *(f"{each}-" for each in _PLAIN), *(f"({each})" for each in _PLAIN))
_DIGITS = r"^\(?[+-]?[0-9][0-9.,'’ \u00a0\u202f]*[-)]?$"
_DATE = r"^\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}(?:[T ].*)?$"
_MOSTLY = 0.75
_SAMPLE = 5_000
_SCALE = 6
_MAX_DIGITS = 24


@dataclass(frozen=True, slots=True)
class PlainColumns:
    """A column of a made-up profile for each position, and the numbers of those that have them."""

    profile: Profile
    names: tuple[str, ...]
    values: pl.DataFrame


def plain_columns(
    frame: pl.DataFrame, headings: tuple[str, ...], off: tuple[str, ...]
) -> PlainColumns:
    """Columns of the rows below a header, by what most of their cells are.

    Looked at are the rows down to the first blank one, without the first, which may hold units.
    """
    kinds = _kinds(_sample(frame, len(headings)), len(headings))
    columns: dict[str, Column] = {}
    numbers: list[pl.Expr] = []
    taken = {f"c{position}" for position in range(len(headings))}
    for position, (heading, kind) in enumerate(zip(headings, kinds, strict=True)):
        name = f"c{position}"
        alias = (heading,) if heading and heading.casefold() not in taken else ()
        taken.update(each.casefold() for each in alias)
        if kind in ("date", "text"):
            columns[name] = Column(type=kind, aliases=alias)
        else:
            columns[name] = Column(type="decimal", aliases=alias, number_format=kind)
            cells = pl.col(text_column(position)).str.strip_chars(INVISIBLE)
            numbers.append(_numbers(cells, NumberFormat.parse(kind)).alias(name))
    profile = Profile.model_validate(
        {
            "profile": {"name": "none", "version": 1, "title": "No profile"},
            "columns": columns,
            "structure": StructureOptions(off=off),
        }
    )
    return PlainColumns(profile, tuple(columns), frame.select(numbers))


def _sample(frame: pl.DataFrame, width: int) -> pl.DataFrame:
    head = frame.head(_SAMPLE)
    seen = [
        pl.col(text_column(p)).str.strip_chars(INVISIBLE).fill_null("") != "" for p in range(width)
    ]
    blank = head.select(~pl.any_horizontal(seen)).to_series()
    first_blank = blank.arg_max() if blank.any() else None
    block = head.head(first_blank) if first_blank else head
    return block.slice(1) if block.height > 2 else block


def _kinds(sample: pl.DataFrame, width: int) -> list[str]:
    """Of each column ``date``, ``text``, or the notation of its numbers."""
    names = [text_column(position) for position in range(width)]
    cells = sample.select(pl.col(name).str.strip_chars(INVISIBLE) for name in names)
    # All columns are looked at together: a wide sheet has thousands.
    counts = {
        what: cells.select(pl.col(name).str.contains(pattern).sum() for name in names).row(0)
        for what, pattern in (
            ("filled", "."),
            ("digits", _DIGITS),
            ("plain", NumberFormat.parse(_PLAIN[0]).pattern),
            ("date", _DATE),
        )
    }
    found = []
    for position, name in enumerate(names):
        filled, digits, plain, dates = (counts[what][position] for what in counts)
        notation = None
        if filled and plain == filled:
            notation = _PLAIN[0]
        elif filled and digits >= _MOSTLY * filled:
            notation = likely_notation(cells[name].filter((cells[name] != "").fill_null(False)))
        is_date = filled and dates >= _MOSTLY * filled
        found.append(notation or ("date" if is_date else "text"))
    return found


def likely_notation(filled: pl.Series) -> str | None:
    """How most of some filled cells write numbers, as a profile says it; None for other cells."""
    if not _mostly(filled, _DIGITS):
        return None
    best, most = None, 0
    for notation in _NOTATIONS:
        fitting = int(filled.str.contains(NumberFormat.parse(notation).pattern).sum())
        if fitting > most:
            best, most = notation, fitting
        if fitting == filled.len():
            break
    return best if most >= _MOSTLY * filled.len() else None


def _mostly(filled: pl.Series, pattern: str) -> bool:
    if not filled.len():
        return False
    return bool(filled.str.contains(pattern).sum() >= _MOSTLY * filled.len())


def _numbers(cells: pl.Expr, notation: NumberFormat) -> pl.Expr:
    fits = cells.str.contains(notation.pattern) & (cells.str.len_chars() <= _MAX_DIGITS)
    plain = pl.when(fits.fill_null(False)).then(notation.as_plain(cells))
    return plain.cast(pl.Decimal(38, _SCALE), strict=False)
