"""A digest of a result that is the same however the file was cut into batches, on every machine.

It hashes values, not a library's memory: records as they stand in the file, texts as UTF-8, numbers
as little-endian 64-bit integers, the numbers of failing rows. Each column has a running SHA-256 of
its own, fed in the order of rows.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from typing import Any

import numpy as np
import polars as pl

from hybridmandate.execution.services.spreadsheets.cell_bytes import Chunk, Mask, Numbers
from hybridmandate.execution.services.spreadsheets.table import END, FIRST_LINE, LAST_LINE, START

_EMPTY = np.iinfo(np.int64).min
"""Stands for an empty cell; no value is that far from zero (15 digits)."""
_RECORDS = "\x00records"


class ResultDigest:
    """Fed batch by batch in file order; ``label`` names the profile."""

    def __init__(self, label: str) -> None:
        self._label = label
        self._running: dict[str, Any] = defaultdict(hashlib.sha256)
        self._rows = 0

    def add(
        self,
        rows: pl.DataFrame,
        values: pl.DataFrame,
        texts: Mapping[str, str],
        same: Collection[str],
        chunk: Chunk | None,
        mask: Mask,
    ) -> None:
        """Data rows and their values; ``texts`` names the column of texts of a column of values,
        ``same`` lists the columns whose values are all equal to it.

        ``chunk`` are the bytes of the batch, in which ``mask`` is true for the data rows. Where
        they are known, a text is hashed once more only where its value differs from it.
        """
        if chunk is not None:
            self._records(rows, chunk, mask)
        else:
            for line in (FIRST_LINE, LAST_LINE):
                self._numbers(line, rows[line])
        for name in values.columns:
            value = values[name]
            if value.dtype != pl.String:
                self._numbers(name, value)
            elif chunk is None or name not in texts:
                self._texts(name, value)
            elif name not in same:
                self._changed(name, value, rows[texts[name]])
        self._rows += rows.height

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

    def _records(self, rows: pl.DataFrame, chunk: Chunk, mask: Mask) -> None:
        """The bytes of runs of data rows, line ends included."""
        places = np.flatnonzero(mask)
        if not len(places):
            return
        after = np.flatnonzero(np.diff(places) > 1) + 1
        starts = rows[START].to_numpy()[np.concatenate([[0], after])] - chunk.offset
        ends = rows[END].to_numpy()[np.concatenate([after, [len(places)]]) - 1] - chunk.offset
        data, running = memoryview(chunk.data), self._running[_RECORDS]
        for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
            end += data[end : end + 1].tobytes() == b"\r"
            end += data[end : end + 1].tobytes() == b"\n"
            running.update(data[start:end])

    def _numbers(self, name: str, column: pl.Series) -> None:
        numbers = column.to_physical().cast(pl.Int64).fill_null(_EMPTY).to_numpy()
        self._running[name].update(np.ascontiguousarray(numbers, dtype="<i8").data)

    def _texts(self, name: str, column: pl.Series) -> None:
        if column.len():
            joined = str(column.fill_null("\x00").str.join("\x1f").item())
            self._running[name].update(joined.encode() + b"\x1f")

    def _changed(self, name: str, value: pl.Series, text: pl.Series) -> None:
        changed = value.ne_missing(text)
        if changed.any():
            places = changed.arg_true()
            self._numbers(f"{name}\x00at", places.cast(pl.Int64) + self._rows)
            self._texts(name, value.gather(places))
