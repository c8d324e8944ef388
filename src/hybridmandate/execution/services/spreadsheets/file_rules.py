"""Rules about all rows together, kept as running figures: sums, counts, one month, no gaps."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Protocol

import numpy as np
import polars as pl

from hybridmandate.execution.services.spreadsheets.profile import FileRule, Profile

_MONTHS_NAMED = 6
_GAPS_NAMED = 5


@dataclass(frozen=True, slots=True)
class FileFinding:
    """A file rule that does not hold; ``severity`` is error or warning."""

    code: str
    message: str
    severity: str
    field: str | None


class Tally(Protocol):
    """What is kept of the rows for one rule."""

    def add(self, values: pl.DataFrame, height: int) -> None:
        """Take so many data rows: the values of the rule's column."""

    def problem(self, totals: Mapping[str, Decimal]) -> str | None:
        """What is wrong, once all rows are taken; ``totals`` are the file's confirmed totals."""


class FileTallies:
    """The tallies of a profile's file rules."""

    def __init__(self, profile: Profile) -> None:
        self._rules = [(rule, _TALLIES[rule.kind](rule)) for rule in profile.file_rules]

    @property
    def columns(self) -> list[str]:
        """The columns of which values are needed."""
        return list(dict.fromkeys(rule.column for rule, _ in self._rules if rule.column))

    def add(self, values: pl.DataFrame, height: int) -> None:
        """Take the data rows of a batch: their number, and the values of the columns."""
        for _, tally in self._rules:
            tally.add(values, height)

    def findings(self, totals: Mapping[str, Decimal]) -> list[FileFinding]:
        """Every file rule that the data rows break."""
        found = []
        for rule, tally in self._rules:
            message = tally.problem(totals)
            if message is not None:
                found.append(FileFinding(f"file.{rule.code}", message, rule.severity, rule.column))
        return found


class _Sum:
    def __init__(self, rule: FileRule) -> None:
        self._rule = rule
        self._added = Decimal(0)

    def add(self, values: pl.DataFrame, height: int) -> None:
        self._added += Decimal(str(values[str(self._rule.column)].sum() or 0))

    def problem(self, totals: Mapping[str, Decimal]) -> str | None:
        column, equals = str(self._rule.column), self._rule.equals
        wanted = Decimal(equals) if equals is not None else totals.get(column)
        if wanted is None:
            return f"the file has no total line that is the sum of '{column}'"
        if self._added == wanted:
            return None
        return f"'{column}' adds up to {self._added}, not to {wanted}"


class _Count:
    def __init__(self, rule: FileRule) -> None:
        self._rule = rule
        self._height = 0

    def add(self, values: pl.DataFrame, height: int) -> None:
        self._height += height

    def problem(self, totals: Mapping[str, Decimal]) -> str | None:
        least, most = self._rule.minimum, self._rule.maximum
        if least is not None and self._height < least:
            return f"the file has {self._height} rows; at least {least} are expected"
        if most is not None and self._height > most:
            return f"the file has {self._height} rows; at most {most} are expected"
        return None


class _OneMonth:
    def __init__(self, rule: FileRule) -> None:
        self._column = str(rule.column)
        self._months: set[str] = set()

    def add(self, values: pl.DataFrame, height: int) -> None:
        months = values[self._column].dt.truncate("1mo").drop_nulls().unique()
        self._months.update(months.dt.to_string("%Y-%m"))

    def problem(self, totals: Mapping[str, Decimal]) -> str | None:
        if len(self._months) <= 1:
            return None
        return f"the dates of '{self._column}' lie in " + ", ".join(
            sorted(self._months)[:_MONTHS_NAMED]
        )


class _NoGaps:
    """Numbers as runs without a gap: two numbers a run, and whole numbering is one run."""

    def __init__(self, rule: FileRule) -> None:
        self._column = str(rule.column)
        self._first: Any = np.empty(0, dtype=np.int64)
        self._last: Any = np.empty(0, dtype=np.int64)

    def add(self, values: pl.DataFrame, height: int) -> None:
        texts = values[self._column].cast(pl.String)
        numbers = texts.str.extract(r"([0-9]{1,15})$").cast(pl.Int64).drop_nulls().unique()
        new = numbers.sort().to_numpy()
        self._first, self._last = _runs(
            np.concatenate([self._first, new]), np.concatenate([self._last, new])
        )

    def problem(self, totals: Mapping[str, Decimal]) -> str | None:
        if len(self._first) <= 1:
            return None
        shown = ", ".join(str(each) for each in self._first[1 : 1 + _GAPS_NAMED].tolist())
        return (
            f"the numbers of '{self._column}' are not complete: something is missing before {shown}"
        )


def _runs(first: Any, last: Any) -> tuple[Any, Any]:
    """Intervals of whole numbers, joined where they touch or overlap."""
    order = np.argsort(first, kind="stable")
    first, last = first[order], np.maximum.accumulate(last[order])
    apart = first[1:] > last[:-1] + 1
    begins = np.concatenate([[True], apart]) if len(first) else apart
    ends = np.concatenate([apart, [True]]) if len(first) else apart
    return first[begins], last[ends]


_TALLIES: dict[str, Callable[[FileRule], Tally]] = {
    "sum": _Sum,
    "count": _Count,
    "one_month": _OneMonth,
    "no_gaps": _NoGaps,
}
