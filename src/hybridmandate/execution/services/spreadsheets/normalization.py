"""From a file to accepted rows, rejected rows and the reasons: pure, the same bytes give the same.

Batches are read and judged side by side and put together in file order. With a folder to spill to,
rows, broken rules and keys wait on disk: what stays in memory is two bits a row.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import polars as pl

from hybridmandate.execution.services.spreadsheets.batch_store import BatchStore
from hybridmandate.execution.services.spreadsheets.body_rows import RowSorter
from hybridmandate.execution.services.spreadsheets.column_checks import Check
from hybridmandate.execution.services.spreadsheets.duplicates import (
    AcceptedBefore,
    KeyLedger,
    committed_rows,
)
from hybridmandate.execution.services.spreadsheets.file_result import (
    HITS,
    ROWS,
    KeptBatch,
    Normalization,
    repeated_of,
    value_name,
)
from hybridmandate.execution.services.spreadsheets.file_rules import FileTallies
from hybridmandate.execution.services.spreadsheets.judging import Judge, Judged, References, Rows
from hybridmandate.execution.services.spreadsheets.profile import Profile
from hybridmandate.execution.services.spreadsheets.reading import open_reading
from hybridmandate.execution.services.spreadsheets.result_digest import ResultDigest
from hybridmandate.execution.services.spreadsheets.structure import (
    FoundTable,
    find_table,
    lower_merged_headings,
)
from hybridmandate.execution.services.spreadsheets.table import (
    FIRST_LINE,
    Batch,
    DecisionLog,
    Reading,
    Unreadable,
    text_column,
)

HEAD_ROWS = 80
WORKERS = 2


@dataclass(frozen=True, slots=True)
class RowsSoFar:
    """How far a file is: data rows judged so far, and an estimate of all rows where there is one.

    A row counts as accepted until a later one with the same key is met.
    """

    read: int
    accepted: int
    rejected: int
    expected: int | None


Progress = Callable[[RowsSoFar], None]


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
    (texts by column) that an earlier submission of the same file got accepted. With ``spill``, an
    existing empty folder, rows wait there instead of in memory until the result is used.
    ``progress`` is told after each batch how far it is.

    :raises Unreadable: when the file holds no table with the profile's columns.
    """
    reading = open_reading(content, profile)
    makers = iter(reading.batches)
    first = next(makers)()
    head = first.frame.head(HEAD_ROWS)
    names = [text_column(position) for position in range(first.width)]
    texts = [list(row) for row in head.select(names).iter_rows()]
    lower_merged_headings(texts, reading.merged)
    table = find_table(texts, head[FIRST_LINE].to_list(), profile)
    log = DecisionLog([*reading.notes, *table.decisions])
    judge = Judge(profile, table, reading.has_kinds, references or {})
    body = replace(first, frame=first.frame.slice(table.first_row))
    collector = _Collector(
        profile, table, log, BatchStore(spill), references or {}, accepted_before
    )
    for judged, final in _judged(_with_first(body, makers), judge):
        collector.take(judged, final=final)
        if progress is not None:
            progress(collector.so_far(reading.rows_hint))
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
        self._before = (
            None
            if accepted_before is None
            else AcceptedBefore(accepted_before, list(profile.columns))
        )
        self._sorter = RowSorter(profile, table)
        self._texts = {m.column: text_column(m.position) for m in table.matches}
        self._keys = KeyLedger(store.folder)
        self._tallies = FileTallies(profile)
        self._digest = ResultDigest(profile.label)
        self._counts: Counter[tuple[str, str, str, str]] = Counter()
        self._checks: dict[tuple[str, str, str], tuple[int, Check]] = {}
        self._batches: list[KeptBatch] = []
        self._rows = 0
        self._bad = 0

    def so_far(self, expected: int | None) -> RowsSoFar:
        """How far it is."""
        return RowsSoFar(self._rows, self._rows - self._bad, self._bad, expected)

    def take(self, judged: Judged, *, final: bool) -> None:
        """Keep the data rows of a batch."""
        for note in judged.notes:
            self._log.add(note)
        data, decisions = self._sorter.data_rows(
            judged.rows, judged.values, judged.marks, final=final
        )
        for each in decisions:
            self._log.add(each)
        mask = data.to_numpy()
        rows, values, hits = judged.rows, judged.values, list(judged.hits)
        if not mask.all():
            place = np.cumsum(mask) - 1
            hits = [(check, place[r[mask[r]]]) for check, r in hits if mask[r].any()]
            rows, values = rows.filter(data), values.filter(data)
        hits += self._known_before(values)
        self._digest.add(rows, values, self._texts, judged.same, judged.chunk, mask)
        self._tallies.add(values)
        if self._profile.duplicates is not None:
            self._keys.add(values, self._profile.duplicates.key, self._rows)
        kept = KeptBatch(len(self._batches), rows.height, self._rows, judged.same)
        own = values.drop(judged.same).rename(value_name)
        self._store.put(ROWS, kept.number, pl.concat([rows, own], how="horizontal"))
        self._keep_hits(kept, hits)
        self._batches.append(kept)
        self._rows += rows.height

    def _known_before(self, values: pl.DataFrame) -> list[tuple[Check, Rows]]:
        """Rows that were committed before, or accepted in the submission before."""
        found: list[tuple[Check, Rows]] = []
        duplicates = self._profile.duplicates
        if duplicates is not None and duplicates.committed is not None:
            known = self._references[duplicates.committed.view]
            there = np.flatnonzero(committed_rows(values, duplicates, known))
            message = f"{' and '.join(duplicates.key)} was committed before"
            check = Check("duplicate.committed", duplicates.key[-1], message, pl.lit(False))
            found += [(check, there)] if len(there) else []
        if self._before is not None:
            again = np.flatnonzero(self._before.among(values))
            message = "was accepted in the submission before"
            check = Check("duplicate.accepted_before", "", message, pl.lit(False))
            found += [(check, again)] if len(again) else []
        return found

    def _keep_hits(self, kept: KeptBatch, hits: Sequence[tuple[Check, Rows]]) -> None:
        bad = np.zeros(kept.height, dtype=bool)
        numbers = []
        for check, rows in hits:
            if self._count(check, rows, kept.first_row) == "error":
                bad[rows] = True
            key = (check.code, check.field, check.message)
            numbers.append(self._checks.setdefault(key, (len(self._checks), check))[0])
        self._bad += int(bad.sum())
        kept.bad = np.packbits(bad)
        kept.has_hits = bool(hits)
        if hits:
            lengths = [len(rows) for _, rows in hits]
            frame = pl.DataFrame(
                {
                    "check": np.repeat(np.array(numbers, dtype=np.uint16), lengths),
                    "row": np.concatenate([rows for _, rows in hits]).astype(np.uint32),
                }
            )
            self._store.put(HITS, kept.number, frame)

    def _count(self, check: Check, rows: Rows, first_row: int) -> str:
        """Count a broken rule and put its rows into the digest; returns its severity."""
        severity = self._profile.severity(check.code, check.field)
        self._counts[severity, check.code, check.field, check.message] += len(rows)
        self._digest.failed(check.code, check.field, rows.astype(np.int64) + first_row)
        return severity

    def result(self, reading: Reading, width: int) -> Normalization:
        """Everything, once the last batch was taken."""
        repeated, check = None, None
        duplicates = self._profile.duplicates
        if duplicates is not None:
            names = " and ".join(duplicates.key)
            message = f"another row of the file has the same {names}"
            check = Check("duplicate", duplicates.key[-1], message, pl.lit(False))
            repeated = self._keys.repeated(duplicates.policy, self._rows)
            self._reject_repeated(repeated, check)
        findings = self._tallies.findings(self._sorter.declared_totals)
        decisions = self._log.all()
        share = self._bad / self._rows if self._rows else 0.0
        rejected = any(f.severity == "error" for f in findings)
        rejected |= share > self._profile.thresholds.partial_share
        closing = (
            orjson.dumps([[d.rule, list(d.lines), d.count] for d in decisions]),
            orjson.dumps([[f.code, f.message] for f in findings]),
        )
        return Normalization(
            profile=self._profile,
            source=reading.source,
            width=width,
            table=self._table,
            decisions=decisions,
            rows_in=self._rows,
            accepted_count=0 if rejected else self._rows - self._bad,
            file_findings=tuple(findings),
            file_rejected=rejected,
            digest=self._digest.result(closing),
            rule_counts=dict(self._counts),
            store=self._store,
            checks=tuple(check for _, check in self._checks.values()),
            repeated=repeated,
            repeated_check=check,
            batches=self._batches,
        )

    def _reject_repeated(self, repeated: Any, check: Check) -> None:
        for kept in self._batches:
            again = repeated_of(repeated, kept)
            if not again.any():
                continue
            severity = self._count(check, np.flatnonzero(again), kept.first_row)
            if severity != "error":
                continue
            before = kept.rejected()
            self._bad += int((again & ~before).sum())
            kept.bad = np.packbits(before | again)


__all__ = ["Normalization", "RowsSoFar", "Unreadable", "normalize"]
