"""From a file to accepted rows, rejected rows and the reasons: pure, the same bytes give the same.

Batches are read and judged side by side and put together in file order; rows of large files wait on
disk, so memory does not grow with the file.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import polars as pl

from hybridmandate.contracts import RowError
from hybridmandate.execution.services.spreadsheets.batch_store import BatchStore
from hybridmandate.execution.services.spreadsheets.body_rows import RowSorter
from hybridmandate.execution.services.spreadsheets.column_checks import Check
from hybridmandate.execution.services.spreadsheets.duplicates import (
    committed_rows,
    key_hashes,
    repeated_rows,
    rows_among,
)
from hybridmandate.execution.services.spreadsheets.file_rules import FileFinding, file_findings
from hybridmandate.execution.services.spreadsheets.judging import Judge, Judged, References, Rows
from hybridmandate.execution.services.spreadsheets.profile import Profile
from hybridmandate.execution.services.spreadsheets.reading import open_reading
from hybridmandate.execution.services.spreadsheets.structure import FoundTable, find_table
from hybridmandate.execution.services.spreadsheets.table import (
    FIRST_LINE,
    LAST_LINE,
    Batch,
    Decision,
    DecisionLog,
    Reading,
    Unreadable,
    text_column,
)

MAX_VALUE_SHOWN = 120
HEAD_ROWS = 80
WORKERS = 2

Progress = Callable[[int, int | None], None]


@dataclass(slots=True)
class _Kept:
    """What is kept of a batch in memory: failing rows by check, and the key of its stored rows."""

    place: int
    height: int
    hits: list[tuple[Check, Rows]]
    digest: bytes
    bad: Any = None


@dataclass
class Normalization:
    """What a file became.

    ``accepted`` has a typed column for each column of the profile, in its order, and ``line``;
    ``rejected`` holds the rejected rows as they were sent (``first_line`` and texts), ``errors``
    every (row, rule) of severity error, ``warnings`` the others, in the order of lines.
    ``file_findings`` are broken file rules; ``file_rejected`` says that nothing is accepted because
    of them or because too many rows are wrong. ``digest`` is the SHA-256 of it all.
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
    _store: BatchStore
    _kept: list[_Kept] = field(default_factory=list)

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
        for kept in self._kept:
            frame = self._store.get(kept.place, [*names, FIRST_LINE])
            good = ~kept.bad if not self.file_rejected else np.zeros(kept.height, dtype=bool)
            yield frame.filter(pl.Series(good)).select([*names, pl.col(FIRST_LINE).alias("line")])

    def rejected_batches(self) -> Iterator[pl.DataFrame]:
        """Rejected rows, batch by batch: lines and texts."""
        for kept in self._kept:
            bad = kept.bad if not self.file_rejected else np.ones(kept.height, dtype=bool)
            yield (
                self._store.get(kept.place, None)
                .filter(pl.Series(bad))
                .select(pl.exclude(list(self.profile.columns)))
            )

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
        counts: dict[tuple[str, str, str], int] = {}
        for kept in self._kept:
            for check, rows in kept.hits:
                if self.profile.severity(check.code, check.field) == "error":
                    key = (check.code, check.field, check.message)
                    counts[key] = counts.get(key, 0) + len(rows)
        return counts

    def each_error(self, severity: str) -> Iterator[RowError]:
        """Broken rules of one severity, batch by batch, without holding them all."""
        positions = {m.column: m.position for m in self.table.matches}
        for kept in self._kept:
            found: list[tuple[int, int, RowError]] = []
            chosen = [
                (n, hit)
                for n, hit in enumerate(kept.hits)
                if self.profile.severity(hit[0].code, hit[0].field) == severity
            ]
            if not chosen:
                continue
            frame = self._store.get(kept.place, None)
            for order, (check, rows) in chosen:
                hit = frame[rows]
                position = positions.get(check.field)
                texts = hit[text_column(position)] if position is not None else [None] * hit.height
                for line, value in zip(hit[FIRST_LINE], texts, strict=True):
                    shown = None if value is None else str(value)[:MAX_VALUE_SHOWN]
                    error = RowError.model_construct(
                        code=check.code,
                        message=check.message,
                        line=line,
                        record=None,
                        field=check.field or None,
                        value=shown,
                    )
                    found.append((line, order, error))
            found.sort(key=lambda item: item[:2])
            yield from (error for _, _, error in found)


def normalize(
    content: bytes | Path,
    profile: Profile,
    *,
    references: References | None = None,
    accepted_before: pl.DataFrame | None = None,
    spill: Path | None = None,
    progress: Progress | None = None,
) -> Normalization:
    """Bring a file into the shape that a profile declares.

    ``references`` are the rows of the views that the profile names, ``accepted_before`` the rows
    (texts by column) that an earlier submission of the same file got accepted. With
    ``spill``, an existing folder, rows wait there instead of in memory until the result is used.
    ``progress`` is told rows read and an estimate of all.

    :raises Unreadable: when the file holds no table with the profile's columns.
    """
    reading = open_reading(content, profile)
    makers = iter(reading.batches)
    first = next(makers)()
    head = first.frame.head(HEAD_ROWS)
    texts = [list(row) for row in head.select(_text_columns(first.width)).iter_rows()]
    _fill_merged(texts, reading.merged)
    table = find_table(texts, head[FIRST_LINE].to_list(), profile)
    log = DecisionLog([*reading.notes, *table.decisions])
    judge = Judge(profile, table, reading.has_kinds, references or {})
    body = replace(first, frame=first.frame.slice(table.first_row))
    collector = _Collector(
        profile, table, log, BatchStore(spill), references or {}, accepted_before
    )
    batches: Iterable[Callable[[], Batch]] = _with_first(body, makers)
    for judged, final in _judged(batches, judge):
        collector.take(judged, final=final)
        if progress is not None:
            progress(collector.rows_read, reading.rows_hint)
    return collector.result(reading, first.width)


def _with_first(first: Batch, rest: Iterator[Callable[[], Batch]]) -> Iterator[Callable[[], Batch]]:
    yield lambda: first
    yield from rest


def _judged(batches: Iterable[Callable[[], Batch]], judge: Judge) -> Iterator[tuple[Judged, bool]]:
    """Judged batches in file order, at most four under way, each with whether it is the last."""
    with ThreadPoolExecutor(WORKERS, thread_name_prefix="judge") as pool:
        waiting: deque[Future[Judged]] = deque()
        for make in batches:
            waiting.append(pool.submit(_made_and_judged, make, judge))
            if len(waiting) > WORKERS + 1:
                yield waiting.popleft().result(), False
        while waiting:
            yield waiting.popleft().result(), not waiting


def _made_and_judged(make: Callable[[], Batch], judge: Judge) -> Judged:
    return judge(make())


def _text_columns(width: int) -> list[str]:
    return [text_column(position) for position in range(width)]


def _fill_merged(
    texts: list[list[str | None]], merged: Sequence[tuple[int, int, int, int]]
) -> None:
    """Headings merged over several rows stand in the last of them: that is where columns begin."""
    for top, left, bottom, right in merged:
        if bottom > top and left == right and bottom < len(texts) and left < len(texts[top]):
            texts[bottom][left], texts[top][left] = texts[top][left], None


class _Collector:
    """Puts judged batches together in file order."""

    def __init__(
        self,
        profile: Profile,
        table: FoundTable,
        log: DecisionLog,
        store: BatchStore,
        references: References,
        accepted_before: pl.DataFrame | None,
    ) -> None:
        self._profile = profile
        self._table = table
        self._log = log
        self._store = store
        self._references = references
        self._accepted_before = accepted_before
        self._sorter = RowSorter(profile, table)
        self._kept: list[_Kept] = []
        self._hashes: list[pl.DataFrame] = []
        self.rows_read = 0

    def take(self, judged: Judged, *, final: bool) -> None:
        """Keep the data rows of a batch."""
        for note in judged.notes:
            self._log.add(note)
        mask, decisions = self._sorter.data_rows(
            judged.rows, judged.values, judged.marks, final=final
        )
        for each in decisions:
            self._log.add(each)
        digest = judged.digest + np.packbits(mask.to_numpy()).tobytes()
        rows, values, hits = judged.rows, judged.values, list(judged.hits)
        if not mask.all():
            kept = mask.to_numpy()
            place = np.cumsum(kept) - 1
            hits = [(check, place[r[kept[r]]]) for check, r in hits if kept[r].any()]
            rows, values = rows.filter(mask), values.filter(mask)
        duplicates = self._profile.duplicates
        if duplicates is not None:
            self._hashes.append(key_hashes(values, duplicates))
            if duplicates.committed is not None:
                known = self._references[duplicates.committed.view]
                there = committed_rows(values, duplicates, known)
                if there.any():
                    names = " and ".join(duplicates.key)
                    message = f"{names} was committed before"
                    check = Check("duplicate.committed", duplicates.key[-1], message, pl.lit(False))
                    hits.append((check, np.flatnonzero(there)))
        if self._accepted_before is not None:
            again = rows_among(values, self._accepted_before)
            if again.any():
                message = "was accepted in the submission before"
                check = Check("duplicate.accepted_before", "", message, pl.lit(False))
                hits.append((check, np.flatnonzero(again)))
        place_ = self._store.put(pl.concat([rows, values], how="horizontal"))
        self._kept.append(_Kept(place_, rows.height, hits, digest))
        self.rows_read += rows.height

    def result(self, reading: Reading, width: int) -> Normalization:
        """Everything, once the last batch was taken."""
        self._mark_duplicates()
        rows_in = accepted = 0
        for kept in self._kept:
            bad = np.zeros(kept.height, dtype=bool)
            for check, rows in kept.hits:
                if self._profile.severity(check.code, check.field) == "error":
                    bad[rows] = True
            kept.bad = bad
            rows_in += kept.height
            accepted += int(kept.height - bad.sum())
        findings = self._file_findings()
        share = (rows_in - accepted) / rows_in if rows_in else 0.0
        rejected = any(f.severity == "error" for f in findings)
        rejected |= share > self._profile.thresholds.partial_share
        made = Normalization(
            profile=self._profile,
            source=reading.source,
            width=width,
            table=self._table,
            decisions=self._log.all(),
            rows_in=rows_in,
            accepted_count=0 if rejected else accepted,
            file_findings=tuple(findings),
            file_rejected=rejected,
            digest="",
            _store=self._store,
            _kept=self._kept,
        )
        made.digest = _digest(made, self._kept)
        return made

    def _mark_duplicates(self) -> None:
        duplicates = self._profile.duplicates
        if duplicates is None or not self._hashes:
            return
        names = " and ".join(duplicates.key)
        message = f"another row of the file has the same {names}"
        check = Check("duplicate", duplicates.key[-1], message, pl.lit(False))
        for kept, mask in zip(self._kept, repeated_rows(self._hashes, duplicates), strict=True):
            if mask.any():
                kept.hits.append((check, np.flatnonzero(mask)))

    def _file_findings(self) -> list[FileFinding]:
        names = list({r.column for r in self._profile.file_rules if r.column is not None})
        if not self._profile.file_rules:
            return []
        names = names or list(self._profile.columns)[:1]
        frames = [self._store.get(kept.place, names) for kept in self._kept]
        return file_findings(self._profile, pl.concat(frames), self._sorter.declared_totals)


def _digest(made: Normalization, kept: Sequence[_Kept]) -> str:
    """SHA-256 over profile, values, lines, broken rules, decisions: no library's own byte order."""
    digest = hashlib.sha256(made.profile.label.encode())
    for each in kept:
        digest.update(each.digest)
        for check, rows in each.hits:
            digest.update(f"\x1e{check.code}\x1f{check.field}".encode())
            digest.update(np.ascontiguousarray(rows, dtype="<i8").tobytes())
    digest.update(orjson.dumps([[d.rule, list(d.lines), d.count] for d in made.decisions]))
    digest.update(orjson.dumps([[f.code, f.message] for f in made.file_findings]))
    return digest.hexdigest()


def raw_rows(frame: pl.DataFrame, width: int) -> Iterator[tuple[int, int, list[str | None]]]:
    """First line, last line and texts of each row of a frame that a reader made."""
    names = _text_columns(width)
    for row in frame.select([FIRST_LINE, LAST_LINE, *names]).iter_rows():
        yield row[0], row[1], list(row[2:])


__all__ = ["Normalization", "Unreadable", "normalize", "raw_rows"]
