"""A digest of a result that is the same however the file was cut into batches, on every machine.

It hashes values, not a library's memory: records as they stand in the file, texts as UTF-8, numbers
as little-endian 64-bit integers, the numbers of failing rows. Each column has a running SHA-256 of
its own, fed in the order of rows.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import polars as pl

from hybridmandate.execution.services.spreadsheets.batch_store import ChangedTexts
from hybridmandate.execution.services.spreadsheets.judged_rows import Judged, RecordBytes
from hybridmandate.execution.services.spreadsheets.quick_column import EMPTY
from hybridmandate.execution.services.spreadsheets.record_scan import Mask, Numbers
from hybridmandate.execution.services.spreadsheets.table import FIRST_LINE, LAST_LINE

_RECORDS = "\x00records"


class ResultDigest:
    """Fed batch by batch in file order; ``label`` names the profile.

    ``texts_of`` names the column of texts that a column of values was read from.
    """

    def __init__(self, label: str, texts_of: Mapping[str, str]) -> None:
        self._label = label
        self._texts_of = texts_of
        self._running: dict[str, Any] = defaultdict(hashlib.sha256)
        self._rows = 0

    def add(self, judged: Judged, mask: Mask) -> None:
        """The data rows of a batch, for which ``mask`` is true, and their values.

        Where their bytes are known, a text is hashed once more only where its value differs.
        """
        data = None if mask.all() else pl.Series(mask)
        records = judged.texts.records
        if records is not None:
            self._records(records, mask)
        else:
            for line in judged.texts.frame([FIRST_LINE, LAST_LINE]).iter_columns():
                self._numbers(line.name, _filtered(line, data))
        for name, numbers in judged.numbers.items():
            self._stored(name, numbers if data is None else numbers[mask])
        for name, value in judged.own.items():
            if name in judged.numbers:
                continue
            values = _filtered(value, data)
            if value.dtype != pl.String:
                self._numbers(name, values)
            elif records is None or name not in self._texts_of:
                self._texts(name, values)
            else:
                texts = judged.texts.frame([self._texts_of[name]]).to_series()
                self._changed(name, values, _filtered(texts, data))
        for name, change in judged.changed.items():
            self._text_changes(name, change if data is None else change.of(mask))
        if records is None:
            for name, text in judged.same.items():
                self._texts(name, _filtered(judged.texts.frame([text]).to_series(), data))
        self._rows += int(np.count_nonzero(mask))

    def failed(self, code: str, field: str, rows: Numbers) -> None:
        """Rows that break a rule, by their number among all data rows, ascending."""
        self._running[f"\x00{code}\x00{field}"].update(np.ascontiguousarray(rows, dtype="<i8").data)

    def result(self, closing: Iterable[bytes]) -> str:
        """The digest of everything, and of what is only known at the end."""
        whole = hashlib.sha256(f"{self._label}\x1e{self._rows}\x1e".encode())
        for name in sorted(self._running):
            whole.update(name.encode() + b"\x1f" + self._running[name].digest())
        for each in closing:
            whole.update(hashlib.sha256(each).digest())
        return whole.hexdigest()

    def _records(self, records: RecordBytes, mask: Mask) -> None:
        """The bytes of runs of data rows, line ends included."""
        places = np.flatnonzero(mask)
        if not len(places):
            return
        after = np.flatnonzero(np.diff(places) > 1) + 1
        starts = records.starts[places[np.concatenate([[0], after])]]
        ends = records.ends[places[np.concatenate([after, [len(places)]]) - 1]]
        data, running = memoryview(records.data), self._running[_RECORDS]
        for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
            end += data[end : end + 1].tobytes() == b"\r"
            end += data[end : end + 1].tobytes() == b"\n"
            running.update(data[start:end])

    def _numbers(self, name: str, column: pl.Series) -> None:
        self._stored(name, column.to_physical().cast(pl.Int64).fill_null(EMPTY).to_numpy())

    def _stored(self, name: str, numbers: Numbers) -> None:
        self._running[name].update(np.ascontiguousarray(numbers, dtype="<i8").data)

    def _texts(self, name: str, column: pl.Series) -> None:
        if column.len():
            joined = str(column.fill_null("\x00").str.join("\x1f").item())
            self._running[name].update(joined.encode() + b"\x1f")

    def _changed(self, name: str, value: pl.Series, text: pl.Series) -> None:
        places = value.ne_missing(text).arg_true()
        change = ChangedTexts(text.name, places.to_numpy().astype(np.int64), value.gather(places))
        self._text_changes(name, change)

    def _text_changes(self, name: str, change: ChangedTexts) -> None:
        if len(change.rows):
            self._numbers(f"{name}\x00at", pl.Series(change.rows + self._rows))
            self._texts(name, change.values)


def _filtered(column: pl.Series, data: pl.Series | None) -> pl.Series:
    return column if data is None else column.filter(data)
