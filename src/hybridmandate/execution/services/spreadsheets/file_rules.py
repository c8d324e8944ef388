"""Rules about all rows together: sums, counts, one month, no gaps in numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

import polars as pl

from hybridmandate.execution.services.spreadsheets.profile import FileRule, Profile


@dataclass(frozen=True, slots=True)
class FileFinding:
    """A file rule that does not hold; ``severity`` is error or warning."""

    code: str
    message: str
    severity: str
    field: str | None


def file_findings(
    profile: Profile, values: pl.DataFrame, totals: Mapping[str, Decimal]
) -> list[FileFinding]:
    """Every file rule that the data rows break; ``totals`` are the file's own confirmed totals."""
    checks = {"sum": _sum, "count": _count, "one_month": _one_month, "no_gaps": _no_gaps}
    found = []
    for rule in profile.file_rules:
        message = checks[rule.kind](rule, values, totals)
        if message is not None:
            found.append(FileFinding(f"file.{rule.code}", message, rule.severity, rule.column))
    return found


def _sum(rule: FileRule, values: pl.DataFrame, totals: Mapping[str, Decimal]) -> str | None:
    added = Decimal(str(values[str(rule.column)].sum() or 0))
    wanted = Decimal(rule.equals) if rule.equals is not None else totals.get(str(rule.column))
    if wanted is None:
        return f"the file has no total line that is the sum of '{rule.column}'"
    return None if added == wanted else f"'{rule.column}' adds up to {added}, not to {wanted}"


def _count(rule: FileRule, values: pl.DataFrame, totals: Mapping[str, Decimal]) -> str | None:
    height = values.height
    if rule.minimum is not None and height < rule.minimum:
        return f"the file has {height} rows; at least {rule.minimum} are expected"
    if rule.maximum is not None and height > rule.maximum:
        return f"the file has {height} rows; at most {rule.maximum} are expected"
    return None


def _one_month(rule: FileRule, values: pl.DataFrame, totals: Mapping[str, Decimal]) -> str | None:
    months = values[str(rule.column)].dt.to_string("%Y-%m").drop_nulls().unique().sort()
    if months.len() <= 1:
        return None
    return f"the dates of '{rule.column}' lie in {', '.join(months.head(6))}"


def _no_gaps(rule: FileRule, values: pl.DataFrame, totals: Mapping[str, Decimal]) -> str | None:
    texts = values[str(rule.column)].cast(pl.String)
    numbers = texts.str.extract(r"([0-9]{1,15})$").cast(pl.Int64).drop_nulls().unique().sort()
    steps = numbers.diff().drop_nulls()
    gaps = numbers.slice(1).filter(steps > 1)
    if not gaps.len():
        return None
    shown = ", ".join(str(each) for each in gaps.head(5))
    return f"the numbers of '{rule.column}' are not complete: something is missing before {shown}"
