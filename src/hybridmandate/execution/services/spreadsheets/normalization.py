"""From a file to accepted rows, rejected rows and the reasons: pure, the same bytes give the same.

All checks run on whole columns; only rows that fail are expanded into reasons.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import orjson
import polars as pl

from hybridmandate.contracts import RowError
from hybridmandate.execution.services.spreadsheets.column_checks import Check, parsed_column
from hybridmandate.execution.services.spreadsheets.profile import Duplicates, Profile
from hybridmandate.execution.services.spreadsheets.structure import FoundTable, find_table
from hybridmandate.execution.services.spreadsheets.table import (
    FIRST_LINE,
    LAST_LINE,
    Decision,
    Sheet,
    Unreadable,
    text_column,
)
from hybridmandate.execution.services.spreadsheets.text_reader import read_text
from hybridmandate.execution.services.spreadsheets.workbook_reader import (
    looks_like_workbook,
    read_workbook,
)

MAX_VALUE_SHOWN = 120


@dataclass(frozen=True, slots=True)
class Normalization:
    """What a file became.

    ``accepted`` has a typed column for each column of the profile, in its order, and ``line``;
    ``rejected`` holds the rejected rows as they were sent (``first_line`` and texts), ``errors``
    every (row, rule) that failed, in the order of lines. ``digest`` is the SHA-256 of it all.
    """

    sheet: Sheet
    table: FoundTable
    accepted: pl.DataFrame
    rejected: pl.DataFrame
    errors: tuple[RowError, ...]
    decisions: tuple[Decision, ...]
    digest: str

    @property
    def rows_in(self) -> int:
        """Data rows of the table."""
        return self.accepted.height + self.rejected.height

    @property
    def rejected_share(self) -> float:
        """Share of data rows that were rejected, 0 to 1."""
        return self.rejected.height / self.rows_in if self.rows_in else 0.0


def read_file(content: bytes) -> Sheet:
    """Read a file of any supported kind. :raises Unreadable: when it is none of them."""
    if not content:
        raise Unreadable("file.empty", "the file is empty")
    if content.startswith(b"%PDF"):
        raise Unreadable("file.not_a_spreadsheet", "the file is a PDF document")
    return read_workbook(content) if looks_like_workbook(content) else read_text(content)


def normalize(content: bytes, profile: Profile) -> Normalization:
    """Bring a file into the shape that a profile declares.

    :raises Unreadable: when the file holds no table with the profile's columns.
    """
    sheet = read_file(content)
    table = find_table(sheet, profile)
    missing = [name for name in table.missing if profile.columns[name].required]
    if missing:
        raise Unreadable(
            "table.missing_columns",
            f"the table (header on line {table.header_line}) has no column for "
            f"{', '.join(missing)}",
        )
    rows = table.rows
    positions = {match.column: match.position for match in table.matches}
    parsed = {
        name: parsed_column(name, column, positions.get(name), has_kinds=sheet.has_kinds)
        for name, column in profile.columns.items()
    }
    values = rows.with_columns([each.value for each in parsed.values()]).select(list(parsed))
    checks = [check for each in parsed.values() for check in each.checks]
    failed = _failed(rows, checks) + _broken_rules(values, profile)
    failed += _duplicates(values, profile.duplicates)
    bad = _any([mask for _, mask in failed], rows.height)
    good = ~bad
    accepted = values.filter(good).with_columns(rows[FIRST_LINE].filter(good).alias("line"))
    errors = tuple(_errors(rows, failed, positions))
    return Normalization(
        sheet=sheet,
        table=table,
        accepted=accepted,
        rejected=rows.filter(bad),
        errors=errors,
        decisions=table.decisions,
        digest=_digest(profile, accepted, errors, table.decisions),
    )


Failed = tuple[Check, pl.Series]


def _failed(rows: pl.DataFrame, checks: Sequence[Check]) -> list[Failed]:
    masks = rows.select(
        [check.failed.fill_null(False).alias(str(n)) for n, check in enumerate(checks)]
    )
    return [
        (check, _as_long(masks[str(n)], rows.height))
        for n, check in enumerate(checks)
        if masks[str(n)].any()
    ]


def _as_long(mask: pl.Series, height: int) -> pl.Series:
    # A check that does not look at any column gives one value for all rows.
    return mask if mask.len() == height else mask.new_from_index(0, height)


def _broken_rules(values: pl.DataFrame, profile: Profile) -> list[Failed]:
    found: list[Failed] = []
    for rule in profile.row_rules:
        asked = pl.lit(True) if rule.when is None else pl.col(rule.when).is_not_null()
        broken = values.select((asked & ~rule.holds).fill_null(False).alias("x"))["x"]
        field = rule.when or next(iter(sorted(rule.columns)), "")
        check = Check(f"rule.{rule.code}", field, rule.message, pl.lit(False))
        if broken.any():
            found.append((check, _as_long(broken, values.height)))
    return found


def _duplicates(values: pl.DataFrame, duplicates: Duplicates | None) -> list[Failed]:
    if duplicates is None or values.height < 2:
        return []
    key = [pl.col(name) for name in duplicates.key]
    whole = pl.all_horizontal([each.is_not_null() for each in key])
    together = pl.struct(key)
    mask = {
        "reject_all": together.is_duplicated(),
        "keep_first": ~together.is_first_distinct(),
        "keep_last": ~together.is_last_distinct(),
    }[duplicates.policy]
    repeated = values.select((whole & mask).alias("x"))["x"]
    names = " and ".join(duplicates.key)
    message = f"another row of the file has the same {names}"
    check = Check("duplicate", duplicates.key[-1], message, pl.lit(False))
    return [(check, repeated)] if repeated.any() else []


def _any(masks: Sequence[pl.Series], height: int) -> pl.Series:
    result = pl.Series("bad", [False] * height, dtype=pl.Boolean)
    for each in masks:
        result = result | each
    return result


def _errors(
    rows: pl.DataFrame, failed: Sequence[Failed], positions: dict[str, int]
) -> Iterator[RowError]:
    found: list[tuple[int, int, RowError]] = []
    for order, (check, mask) in enumerate(failed):
        hit = rows.filter(mask)
        position = positions.get(check.field)
        column = hit[text_column(position)] if position is not None else [None] * hit.height
        for line, value in zip(hit[FIRST_LINE], column, strict=True):
            shown = None if value is None else str(value)[:MAX_VALUE_SHOWN]
            error = RowError(
                code=check.code,
                message=check.message,
                line=line,
                field=check.field or None,
                value=shown,
            )
            found.append((line, order, error))
    found.sort(key=lambda item: item[:2])
    return (error for _, _, error in found)


def _digest(
    profile: Profile,
    accepted: pl.DataFrame,
    errors: Sequence[RowError],
    decisions: Sequence[Decision],
) -> str:
    digest = hashlib.sha256(profile.label.encode())
    digest.update(accepted.write_csv().encode())
    digest.update(orjson.dumps([error.model_dump() for error in errors]))
    digest.update(orjson.dumps([[d.rule, list(d.lines), d.count] for d in decisions]))
    return digest.hexdigest()


def raw_rows(frame: pl.DataFrame, width: int) -> Iterator[tuple[int, int, list[str | None]]]:
    """First line, last line and texts of each row of a frame that a reader made."""
    names = [text_column(position) for position in range(width)]
    for row in frame.select([FIRST_LINE, LAST_LINE, *names]).iter_rows():
        yield row[0], row[1], list(row[2:])
