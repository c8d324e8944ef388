"""Rows with the same key, within the file and against what was committed before.

Keys are compared by two hashes of 64 bits. Of a large file they wait on disk, divided by their
first byte, so that one part at a time is looked at; what stays in memory is one bit a row.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from hybridmandate.execution.services.spreadsheets.cell_bytes import WORD, TextBytes, Words
from hybridmandate.execution.services.spreadsheets.profile import Duplicates
from hybridmandate.execution.services.spreadsheets.record_scan import Mask, Numbers, Places

PARTS = 256
ROWS_IN_MEMORY = 1_000_000
_KEY = np.dtype([("a", "<u8"), ("b", "<u8"), ("row", "<i8")])
_NUMBER = "=number"
"""Numbers of rows: no column of a profile has such a name."""
_START = (np.uint64(0x9E3779B97F4A7C15), np.uint64(0xC2B2AE3D27D4EB4F))
_FACTORS = (np.uint64(0xFF51AFD7ED558CCD), np.uint64(0x94D049BB133111EB))
"""Odd constants of the finishers of MurmurHash3 and SplitMix64, one for each hash."""
_SHIFT = np.uint64(31)
_EMPTY = np.uint64(0xA5A5A5A5A5A5A5A5)

Keys = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True, slots=True)
class KeyHashes:
    """Two hashes of the key of each row; ``whole`` says that no part of it is empty."""

    a: Words
    b: Words
    whole: Mask

    def of(self, rows: Any) -> KeyHashes:
        """Those of some rows."""
        return KeyHashes(self.a[rows], self.b[rows], self.whole[rows])

    def spread(self, rows: Numbers, height: int) -> KeyHashes:
        """The same among more rows; the others have no key."""
        if len(rows) == height:
            return self
        every = KeyHashes(
            np.zeros(height, dtype=np.uint64),
            np.zeros(height, dtype=np.uint64),
            np.zeros(height, dtype=bool),
        )
        return every.replace(rows, self)

    def replace(self, rows: Numbers, other: KeyHashes) -> KeyHashes:
        """The same object, with other keys for some rows."""
        self.a[rows], self.b[rows], self.whole[rows] = other.a, other.b, other.whole
        return self


class KeyHasher:
    """Hashes rows column after column; the same values give the same, wherever they stand."""

    def __init__(self, height: int) -> None:
        self._hashes = [np.full(height, start) for start in _START]
        self._whole = np.ones(height, dtype=bool)

    def add_texts(self, texts: TextBytes, empty: Mask | None = None) -> None:
        """A column of texts; without being told so no text counts as empty."""
        # The length parts columns: "ab", "c" is another key than "a", "bc".
        same = texts.shortest == texts.longest
        self._begin(texts.own_bytes(0), texts.shortest if same else texts.lengths, empty)
        for place in range(WORD, texts.longest, WORD):
            if place < texts.shortest:
                self._mix(texts.own_bytes(place))
            else:
                # Texts that have ended stay as they are, however long the others are.
                rows = np.flatnonzero(texts.lengths > place)
                self._mix_some(texts.at(rows).own_bytes(place), rows)

    def add(self, column: pl.Series) -> None:
        """A column of values."""
        empty = column.is_null().to_numpy() if column.null_count() else None
        if column.dtype == pl.String:
            lengths = column.str.len_bytes().fill_null(0).to_numpy().astype(np.int64)
            joined = str(column.fill_null("").str.join("").item()) if len(lengths) else ""
            self.add_texts(TextBytes.of_texts(joined.encode(), lengths), empty)
            return
        numbers = column.to_physical().cast(pl.Int64).fill_null(0).to_numpy()
        self._begin(numbers.view(np.uint64), WORD, empty)

    def keys(self) -> KeyHashes:
        """The hashes of the columns so far."""
        return KeyHashes(self._hashes[0], self._hashes[1], self._whole)

    def _begin(self, words: Words, lengths: Places | int, empty: Mask | None) -> None:
        """The first eight bytes of a column and its lengths, or that it is empty."""
        tags = np.asarray(lengths).astype(np.uint64)
        if empty is not None and empty.any():
            tags = np.where(empty, _EMPTY, tags)
            self._whole &= ~empty
        self._mix(words, tags)

    def _mix(self, words: Words, tags: Words | None = None) -> None:
        for hashes, factor in zip(self._hashes, _FACTORS, strict=True):
            hashes ^= words
            if tags is not None:
                hashes += tags * factor
            hashes *= factor
            hashes ^= hashes >> _SHIFT

    def _mix_some(self, words: Words, rows: Numbers) -> None:
        every = self._hashes
        self._hashes = [hashes[rows] for hashes in every]
        self._mix(words)
        for hashes, mixed in zip(every, self._hashes, strict=True):
            hashes[rows] = mixed
        self._hashes = every


def key_hashes(values: pl.DataFrame, names: Sequence[str]) -> KeyHashes:
    """The hashes of some columns of each row."""
    hasher = KeyHasher(values.height)
    for name in names:
        hasher.add(values[name])
    return hasher.keys()


class KeyLedger:
    """The keys of all rows; with a folder the many wait there."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._waiting: list[Keys] = []
        self._height = 0
        self._spilled = False

    def add(self, keys: KeyHashes, first_row: int) -> None:
        """Keep the keys of data rows; a row whose key is not whole has none."""
        kept = np.empty(len(keys.a), dtype=_KEY)
        kept["a"], kept["b"] = keys.a, keys.b
        kept["row"] = np.arange(first_row, first_row + len(kept))
        self._waiting.append(kept if keys.whole.all() else kept[keys.whole])
        self._height += len(kept)
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
    keys = key_hashes(texts, texts.columns)
    return pl.DataFrame({"a": keys.a, "b": keys.b})
