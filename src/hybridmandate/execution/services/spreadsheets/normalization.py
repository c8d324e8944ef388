"""From a file to accepted rows, rejected rows and the reasons: pure, the same bytes give the same.

Batches are read and judged side by side and put together in file order. With a folder to spill to,
rows, broken rules and keys wait on disk: what stays in memory is two bits a row.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import polars as pl

from hybridmandate.execution.services.spreadsheets.batch_store import BatchStore
from hybridmandate.execution.services.spreadsheets.body_rows import RowMarks, RowSorter, is_summed
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
from hybridmandate.execution.services.spreadsheets.judged_rows import Judged, Rows
from hybridmandate.execution.services.spreadsheets.judging import Judge
from hybridmandate.execution.services.spreadsheets.profile import Profile
from hybridmandate.execution.services.spreadsheets.proved_rows import References
from hybridmandate.execution.services.spreadsheets.reading import open_reading
from hybridmandate.execution.services.spreadsheets.record_chunk import RecordChunk
from hybridmandate.execution.services.spreadsheets.record_scan import Mask
from hybridmandate.execution.services.spreadsheets.result_digest import ResultDigest
from hybridmandate.execution.services.spreadsheets.structure import (
    FoundTable,
    find_table,
    lower_merged_headings,
)
from hybridmandate.execution.services.spreadsheets.table import (
    FIRST_LINE,
    SHORT_ROWS,
    Batch,
    Decision,
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
    first = next(makers)
    head = first.head(HEAD_ROWS) if isinstance(first, RecordChunk) else first()
    frame = head.frame.head(HEAD_ROWS)
    names = [text_column(position) for position in range(head.width)]
    texts = [list(row) for row in frame.select(names).iter_rows()]
    lower_merged_headings(texts, reading.merged)
    table = find_table(texts, frame[FIRST_LINE].to_list(), profile)
    log = DecisionLog([*reading.notes, *table.decisions])
    judge = Judge(profile, table, reading.has_kinds, references or {})
    collector = _Collector(
        profile, table, log, BatchStore(spill), references or {}, accepted_before
    )
    for judged, final in _judged(first, makers, judge):
        collector.take(judged, final=final)
        if progress is not None:
            progress(collector.so_far(reading.rows_hint))
    return collector.result(reading, head.width)


def _judged(
    first: Callable[[], Batch], rest: Iterator[Callable[[], Batch]], judge: Judge
) -> Iterator[tuple[Judged, bool]]:
    """Judged batches in file order, at most four under way, each with whether it is the last."""
    with ThreadPoolExecutor(WORKERS, thread_name_prefix="judge") as pool:
        waiting = deque([pool.submit(judge, first, judge.table.first_row)])
        for make in rest:
            waiting.append(pool.submit(judge, make, 0))
            if len(waiting) > WORKERS + 1:
                yield waiting.popleft().result(), False
        while waiting:
            yield waiting.popleft().result(), not waiting


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
        self._keys = KeyLedger(store.folder)
        self._tallies = FileTallies(profile)
        self._digest = ResultDigest(
            profile.label, {m.column: text_column(m.position) for m in table.matches}
        )
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
        mask = self._data_rows(judged, final=final)
        self._tell_short(judged, mask)
        hits, data = list(judged.hits), None
        if not mask.all():
            place = np.cumsum(mask) - 1
            hits = [(check, place[r[mask[r]]]) for check, r in hits if mask[r].any()]
            data = pl.Series(mask)
        hits += self._known_before(judged, data)
        self._digest.add(judged, mask)
        height = int(np.count_nonzero(mask))
        needed = self._tallies.columns
        self._tallies.add(_values(judged, needed, data), height)
        if judged.keys is not None:
            self._keys.add(judged.keys if data is None else judged.keys.of(mask), self._rows)
        kept = KeptBatch(len(self._batches), height, self._rows, judged.same)
        self._keep_rows(kept, judged, data)
        self._keep_hits(kept, hits)
        self._batches.append(kept)
        self._rows += height

    def _data_rows(self, judged: Judged, *, final: bool) -> Mask:
        """Which rows of a batch are data; what the others are goes into the log."""
        if judged.marks is None and not self._sorter.ended:
            numbers = [n for n, v in judged.own.items() if is_summed(v.dtype)]
            self._sorter.add_data(judged.values(numbers))
            return np.ones(judged.height, dtype=bool)
        rows, values = judged.texts.frame(None), judged.values(list(self._profile.columns))
        marks = judged.marks or RowMarks.none(judged.height)
        data, decisions = self._sorter.data_rows(rows, values, marks, final=final)
        for each in decisions:
            self._log.add(each)
        return data.to_numpy()

    def _tell_short(self, judged: Judged, mask: Mask) -> None:
        short = judged.short[mask[judged.short]]
        if len(short):
            lines = judged.texts.frame([FIRST_LINE])[short].to_series()
            self._log.add(Decision.of("rows.short", SHORT_ROWS, lines.to_list()))

    def _keep_rows(self, kept: KeptBatch, judged: Judged, data: pl.Series | None) -> None:
        own = pl.DataFrame([value.alias(value_name(name)) for name, value in judged.own.items()])
        if data is not None and own.width:
            own = own.filter(data)
        texts = judged.texts.stored(data)
        if texts is None:
            rows = judged.texts.frame(None)
            rows = rows if data is None else rows.filter(data)
            self._store.put(ROWS, kept.number, pl.concat([rows, own], how="horizontal"))
            return
        changed = {value_name(name): each for name, each in judged.changed.items()}
        if data is not None:
            mask = data.to_numpy()
            changed = {name: each.of(mask) for name, each in changed.items()}
        self._store.put_derived(ROWS, kept.number, texts, changed, own)

    def _known_before(self, judged: Judged, data: pl.Series | None) -> list[tuple[Check, Rows]]:
        """Rows that were committed before, or accepted in the submission before."""
        found: list[tuple[Check, Rows]] = []
        duplicates = self._profile.duplicates
        if duplicates is not None and duplicates.committed is not None:
            known = self._references[duplicates.committed.view]
            values = _values(judged, duplicates.key, data)
            there = np.flatnonzero(committed_rows(values, duplicates, known))
            message = f"{' and '.join(duplicates.key)} was committed before"
            check = Check("duplicate.committed", duplicates.key[-1], message, pl.lit(False))
            found += [(check, there)] if len(there) else []
        if self._before is not None:
            every = _values(judged, list(self._profile.columns), data)
            again = np.flatnonzero(self._before.among(every))
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


def _values(judged: Judged, names: Sequence[str], data: pl.Series | None) -> pl.DataFrame:
    values = judged.values(names)
    return values if data is None or not names else values.filter(data)


__all__ = ["Normalization", "RowsSoFar", "Unreadable", "normalize"]
