"""Rows with the same key, within the file and against what was committed before.

Keys are compared by two hashes of 64 bits. Of a large file they wait on disk, divided by their
first byte, so that one part at a time is looked at; what stays in memory is one bit a row.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from hybridmandate.execution.services.spreadsheets.cell_bytes import Mask, Numbers
from hybridmandate.execution.services.spreadsheets.profile import Duplicates

PARTS = 256
ROWS_IN_MEMORY = 1_000_000
_KEY = np.dtype([("a", "<u8"), ("b", "<u8"), ("row", "<i8")])
_NUMBER = "=number"
"""Numbers of rows: no column of a profile has such a name."""
_ODD = (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0x27D4EB2F165667C5)

Keys = np.ndarray[Any, np.dtype[Any]]


def row_hashes(values: pl.DataFrame, names: Sequence[str]) -> tuple[Any, Any]:
    """Two hashes of 64 bits of some columns of each row; empty cells count as a value."""
    both = []
    for seed in (1, 2):
        mixed = np.zeros(values.height, dtype=np.uint64)
        hashes = values.select([pl.col(name).hash(seed + 2 * n) for n, name in enumerate(names)])
        for number, column in enumerate(hashes.iter_columns()):
            mixed = mixed * np.uint64(_ODD[number % len(_ODD)]) + column.to_numpy()
        both.append(mixed)
    return both[0], both[1]


class KeyLedger:
    """The keys of all rows; with a folder the many wait there."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._waiting: list[Keys] = []
        self._height = 0
        self._spilled = False

    def add(self, values: pl.DataFrame, names: Sequence[str], first_row: int) -> None:
        """Keep the keys of data rows; a row whose key is not whole has none."""
        whole = np.ones(values.height, dtype=bool)
        for name in names:
            if values[name].null_count():
                whole &= values[name].is_not_null().to_numpy()
        a, b = row_hashes(values, names)
        keys = np.empty(values.height, dtype=_KEY)
        keys["a"], keys["b"] = a, b
        keys["row"] = np.arange(first_row, first_row + values.height)
        self._waiting.append(keys if whole.all() else keys[whole])
        self._height += values.height
        if self._folder is not None and self._height > ROWS_IN_MEMORY:
            self._spill(self._folder)

    def repeated(self, policy: str, height: int) -> npt.NDArray[np.uint8]:
        """One bit for each of all rows (packed): whether the policy rejects it."""
        mask = np.zeros(height, dtype=bool) if not self._spilled else None
        packed = np.zeros((height + 7) // 8, dtype=np.uint8)
        for keys in self._parts():
            rows = _repeated_rows(keys, policy)
            if mask is not None:
                mask[rows] = True
            else:
                np.bitwise_or.at(packed, rows >> 3, (0x80 >> (rows & 7)).astype(np.uint8))
        return packed if mask is None else np.packbits(mask)

    def _spill(self, folder: Path) -> None:
        keys = np.concatenate(self._waiting)
        part = (keys["a"] >> np.uint64(56)).astype(np.uint8)
        keys = keys[np.argsort(part, kind="stable")]
        edges = np.concatenate([[0], np.cumsum(np.bincount(part, minlength=PARTS))])
        for number in range(PARTS):
            piece = keys[edges[number] : edges[number + 1]]
            if len(piece):
                with (folder / f"keys-{number:03}").open("ab") as file:
                    file.write(piece.tobytes())
        self._waiting, self._height, self._spilled = [], 0, True

    def _parts(self) -> Iterator[Keys]:
        if not self._spilled or self._folder is None:
            yield np.concatenate(self._waiting) if self._waiting else np.empty(0, dtype=_KEY)
            return
        if self._waiting:
            self._spill(self._folder)
        for path in sorted(self._folder.glob("keys-*")):
            yield np.fromfile(path, dtype=_KEY)
            path.unlink()


def _repeated_rows(keys: Keys, policy: str) -> Numbers:
    """The rows among these keys that a policy rejects."""
    # Most keys occur once: sorting one hash shows that, the pair only looks at the rest.
    ordered = np.sort(keys["a"])
    again = np.unique(ordered[1:][ordered[1:] == ordered[:-1]])
    if not len(again):
        return np.empty(0, dtype=np.int64)
    few = keys[np.isin(keys["a"], again)]
    few = few[np.lexsort((few["row"], few["b"], few["a"]))]
    same = (few["a"][1:] == few["a"][:-1]) & (few["b"][1:] == few["b"][:-1])
    before = np.concatenate([[False], same])
    after = np.concatenate([same, [False]])
    rejected = {"reject_all": before | after, "keep_first": before, "keep_last": after}[policy]
    return np.asarray(few["row"][rejected], dtype=np.int64)


def committed_rows(values: pl.DataFrame, duplicates: Duplicates, known: pl.DataFrame) -> Mask:
    """The rows whose key stands in the rows of the committed view."""
    if duplicates.committed is None or not known.height:
        return np.zeros(values.height, dtype=bool)
    columns = duplicates.committed.columns
    left = values.select([pl.col(n).cast(pl.String) for n in duplicates.key])
    right = known.select([pl.col(n).cast(pl.String) for n in columns]).unique()
    there = left.with_row_index(_NUMBER).join(
        right, left_on=list(duplicates.key), right_on=list(columns), how="semi"
    )
    mask = np.zeros(values.height, dtype=bool)
    mask[there[_NUMBER].to_numpy()] = True
    return mask


class AcceptedBefore:
    """The rows that an earlier submission got accepted, as two hashes of 64 bits each."""

    def __init__(self, known: pl.DataFrame, columns: Sequence[str]) -> None:
        self._names = [name for name in columns if name in known.columns]
        self._known = _hash_frame(known.select(self._names))

    def among(self, values: pl.DataFrame) -> Mask:
        """The rows that are equal in every column to one of them, as texts."""
        mask = np.zeros(values.height, dtype=bool)
        hashes = _hash_frame(values.select(self._names)).with_row_index(_NUMBER)
        there = hashes.join(self._known, on=["a", "b"], how="semi")
        mask[there[_NUMBER].to_numpy()] = True
        return mask


def _hash_frame(values: pl.DataFrame) -> pl.DataFrame:
    texts = values.select([pl.col(name).cast(pl.String) for name in values.columns])
    a, b = row_hashes(texts, texts.columns)
    return pl.DataFrame({"a": a, "b": b})
