"""What a file became: counts, findings, and the rows, read batch by batch from where they wait."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl

from hybridmandate.contracts import RowError
from hybridmandate.execution.services.spreadsheets.batch_store import BatchStore
from hybridmandate.execution.services.spreadsheets.cell_bytes import Mask
from hybridmandate.execution.services.spreadsheets.column_checks import Check
from hybridmandate.execution.services.spreadsheets.file_rules import FileFinding
from hybridmandate.execution.services.spreadsheets.profile import LINE, Profile
from hybridmandate.execution.services.spreadsheets.structure import FoundTable
from hybridmandate.execution.services.spreadsheets.table import FIRST_LINE, Decision, text_column
from hybridmandate.execution.watched_thread import Abandoned

MAX_VALUE_SHOWN = 120
ROWS, HITS = "rows", "hits"
"""Kinds of frames in the store: data rows with their values; broken rules as (check, row)."""

_NO_ERRORS = pl.DataFrame(schema={"line": pl.Int64, "check": pl.UInt32, "value": pl.String})

VALUE_NAMES = "^=.*$"
"""Pattern of the names of stored values: a column may be called ``t1``, as a column of texts is."""


def value_name(column: str) -> str:
    """Under which name the values of a column are stored."""
    return f"={column}"


@dataclass(slots=True)
class KeptBatch:
    """A stored batch: its rows, and one bit for each that is rejected (packed).

    ``same`` maps columns that are not stored, being equal to their texts, to the texts' column.
    """

    number: int
    height: int
    first_row: int
    same: Mapping[str, str]
    bad: Any = None
    has_hits: bool = False

    def rejected(self) -> Mask:
        """The rejected rows of the batch."""
        return np.unpackbits(self.bad, count=self.height).astype(bool)


@dataclass
class Normalization:
    """What a file became.

    ``accepted`` has a typed column for each column of the profile, in its order, and ``line``;
    ``rejected`` holds the rejected rows as they were sent (``first_line`` and texts), ``errors``
    every (row, rule) of severity error, ``warnings`` the others, in the order of lines.
    ``file_findings`` are broken file rules; ``file_rejected`` says that nothing is accepted because
    of them or because too many rows are wrong. ``digest`` is a SHA-256 of it all.
    """

    profile: Profile
    source: dict[str, Any]
    width: int
    table: FoundTable
    decisions: tuple[Decision, ...]
    rows_in: int
    accepted_count: int
    file_findings: tuple[FileFinding, ...]
    file_rejected: bool
    digest: str
    rule_counts: dict[tuple[str, str, str, str], int]
    """How often each (severity, code, field, message) was broken."""
    store: BatchStore
    checks: tuple[Check, ...]
    repeated: Any = None
    """One bit a data row (packed): whether its key stands elsewhere in the file; None without."""
    repeated_check: Check | None = None
    batches: list[KeptBatch] = field(default_factory=list)
    _given_up: threading.Event = field(default_factory=threading.Event)

    def give_up(self) -> None:
        """End whoever goes through the rows, in any thread, at the next batch: nobody waits."""
        self._given_up.set()

    @property
    def rejected_count(self) -> int:
        """Data rows that are not accepted."""
        return self.rows_in - self.accepted_count

    @property
    def rejected_share(self) -> float:
        """Share of data rows that were rejected, 0 to 1."""
        return self.rejected_count / self.rows_in if self.rows_in else 0.0

    @cached_property
    def accepted(self) -> pl.DataFrame:
        """All accepted rows in memory."""
        return pl.concat(list(self.accepted_batches()))

    @cached_property
    def rejected(self) -> pl.DataFrame:
        """All rejected rows in memory, as they were sent."""
        return pl.concat(list(self.rejected_batches()), how="diagonal")

    def accepted_batches(self) -> Iterator[pl.DataFrame]:
        """Accepted rows, batch by batch."""
        names = list(self.profile.columns)
        for kept in self.each_kept():
            good = ~kept.rejected()
            if self.file_rejected:
                good[:] = False
            stored = [kept.same.get(name, value_name(name)) for name in names]
            frame = self.store.get(ROWS, kept.number, [*dict.fromkeys(stored), FIRST_LINE])
            frame = frame.select(
                [
                    *(pl.col(kept.same.get(name, value_name(name))).alias(name) for name in names),
                    pl.col(FIRST_LINE).alias(LINE),
                ]
            )
            yield frame if good.all() else frame.filter(pl.Series(good))

    def rejected_batches(self) -> Iterator[pl.DataFrame]:
        """Rejected rows, batch by batch: lines and texts."""
        for kept in self.each_kept():
            bad = kept.rejected()
            if self.file_rejected:
                bad[:] = True
            yield (
                self.store.get(ROWS, kept.number)
                .filter(pl.Series(bad))
                .select(pl.exclude(VALUE_NAMES))
            )

    def different_values(self, name: str, most: int) -> list[Any] | None:
        """The values of a column in all rows, rejected ones included; None for more than most."""
        found: set[Any] = set()
        for kept in self.each_kept():
            stored = kept.same.get(name, value_name(name))
            found.update(self.store.get(ROWS, kept.number, [stored])[stored].unique().drop_nulls())
            if len(found) > most:
                return None
        return sorted(found, key=str)

    @cached_property
    def errors(self) -> tuple[RowError, ...]:
        """Every (row, rule) that rejected a row, in the order of lines."""
        return tuple(self.each_error("error"))

    @cached_property
    def warnings(self) -> tuple[RowError, ...]:
        """Every (row, rule) that is only a warning, in the order of lines."""
        return tuple(self.each_error("warning"))

    def count_by_rule(self) -> dict[tuple[str, str, str], int]:
        """How often each (code, field, message) of severity error was broken."""
        return {
            key: count
            for (severity, *key_), count in self.rule_counts.items()
            if severity == "error"
            for key in [(key_[0], key_[1], key_[2])]
        }

    def each_error(self, severity: str) -> Iterator[RowError]:
        """Broken rules of one severity, batch by batch, without holding them all."""
        for kept in self.each_kept():
            yield from self.batch_errors(kept, severity)

    def each_kept(self) -> Iterator[KeptBatch]:
        """The batches in file order. :raises Abandoned: after :meth:`give_up`."""
        for kept in self.batches:
            if self._given_up.is_set():
                raise Abandoned
            yield kept

    def batch_errors(self, kept: KeptBatch, severity: str) -> Iterator[RowError]:
        """Broken rules of one severity in a batch, in the order of lines."""
        for line, number, value in self.error_rows(kept, severity).iter_rows():
            check = self._every_check[number]
            yield RowError.model_construct(
                code=check.code,
                message=check.message,
                line=line,
                record=None,
                field=check.field or None,
                value=value,
            )

    def error_lines(self, kept: KeptBatch, severity: str) -> pl.DataFrame:
        """The same as a frame with the fields of a :class:`RowError`."""
        checks = pl.DataFrame(
            [(c.code, c.message, None, c.field or None) for c in self._every_check],
            schema=dict.fromkeys(("code", "message", "record", "field"), pl.String),
            orient="row",
        )
        rows = self.error_rows(kept, severity)
        said = checks[rows["check"]]
        return said.with_columns(rows["line"], rows["value"]).select(*RowError.model_fields)

    def error_rows(self, kept: KeptBatch, severity: str) -> pl.DataFrame:
        """Broken rules of one severity: ``line``, number of the ``check``, and the ``value``."""
        hits = self.batch_hits(kept, severity)
        if not hits:
            return _NO_ERRORS
        positions = {m.column: m.position for m in self.table.matches}
        texts = {check.field: positions.get(check.field) for _, check, _ in hits}
        names = {text_column(p) for p in texts.values() if p is not None}
        frame = self.store.get(ROWS, kept.number, [FIRST_LINE, *sorted(names)])
        found: list[pl.DataFrame] = []
        for order, (number, check, rows) in enumerate(hits):
            position = texts[check.field]
            text = pl.lit(None) if position is None else pl.col(text_column(position))
            error = frame[rows].select(
                line=FIRST_LINE,
                check=pl.lit(number, dtype=pl.UInt32),
                value=text.cast(pl.String).str.slice(0, MAX_VALUE_SHOWN),
                order=pl.lit(order, dtype=pl.UInt32),
            )
            found.append(error)
        return pl.concat(found).sort("line", "order").drop("order")

    def batch_hits(self, kept: KeptBatch, severity: str) -> list[tuple[int, Check, Any]]:
        """Broken rules of one severity in a batch: number of the check, check, rows of the batch.

        In the order in which the rules of a row are told.
        """
        found: list[tuple[int, Check, Any]] = []
        if kept.has_hits:
            hits = self.store.get(HITS, kept.number)
            for (number,), rows in hits.group_by("check", maintain_order=True):
                check = int(str(number))
                found.append((check, self.checks[check], rows["row"].to_numpy()))
        if self.repeated is not None and self.repeated_check is not None:
            again = repeated_of(self.repeated, kept)
            if again.any():
                found.append((len(self.checks), self.repeated_check, np.flatnonzero(again)))
        return [
            (number, check, rows)
            for number, check, rows in found
            if self.profile.severity(check.code, check.field) == severity
        ]

    @cached_property
    def _every_check(self) -> tuple[Check, ...]:
        return self.checks if self.repeated_check is None else (*self.checks, self.repeated_check)


def repeated_of(repeated: Any, kept: KeptBatch) -> Mask:
    """The rows of a batch whose bit is set among the bits of all rows."""
    start = kept.first_row // 8
    stop = (kept.first_row + kept.height + 7) // 8
    bits = np.unpackbits(repeated[start:stop])
    skipped = kept.first_row - start * 8
    return bits[skipped : skipped + kept.height].astype(bool)
