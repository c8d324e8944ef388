"""The bytes of a batch's cells, read eight at a time for whole columns.

In a line without quotes the cells stand one behind the other, a delimiter between them: the lengths
of the parsed texts say where each begins. Such lines are *regular*; the others have no bytes here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from hybridmandate.execution.services.spreadsheets.table import END, START, Batch, text_column

Words = np.ndarray[Any, np.dtype[np.uint64]]
Numbers = np.ndarray[Any, np.dtype[np.int64]]
Mask = np.ndarray[Any, np.dtype[np.bool_]]

WORD = 8
PADDING = 2 * WORD
"""Zero bytes before and behind a chunk, so that a word may begin before it or end behind it."""

_KEPT = np.array([(1 << (8 * n)) - 1 for n in range(WORD + 1)], dtype=np.uint64)


@dataclass(frozen=True, slots=True)
class Chunk:
    """Bytes that a batch was read from; ``offset`` is their place in the content.

    ``quoted`` are the offsets of its quotes, ``ascii`` says that every byte is below 128.
    """

    data: bytes
    offset: int
    quoted: Numbers
    ascii: bool


@dataclass(frozen=True, slots=True)
class TextBatch(Batch):
    """A batch that knows the bytes of its records."""

    chunk: Chunk | None = None


class CellBytes:
    """Cells of the rows of a batch as bytes."""

    def __init__(self, frame: pl.DataFrame, width: int, chunk: Chunk) -> None:
        self.ascii = chunk.ascii
        padded = np.zeros(len(chunk.data) + 2 * PADDING, dtype=np.uint8)
        padded[PADDING:-PADDING] = np.frombuffer(chunk.data, dtype=np.uint8)
        self._bytes = padded
        self._words: Words = np.ndarray(
            (len(padded) - WORD + 1,), dtype="<u8", buffer=padded.data, strides=(1,)
        )
        starts = frame[START].to_numpy() - (chunk.offset - PADDING)
        ends = frame[END].to_numpy() - (chunk.offset - PADDING)
        self._starts: list[Numbers] = []
        self._lengths: list[Numbers] = []
        place = starts
        sizes = frame.select(
            pl.col(text_column(position)).str.len_bytes().fill_null(0).cast(pl.Int64)
            for position in range(width)
        )
        for size in sizes.iter_columns():
            lengths = size.to_numpy()
            self._starts.append(place)
            self._lengths.append(lengths)
            place = place + lengths + 1
        self.regular: Mask = place - 1 == ends
        if len(chunk.quoted) and len(starts):
            at = np.searchsorted(starts, chunk.quoted + PADDING, side="right") - 1
            self.regular[at[at >= 0]] = False
        if not self.regular.all():
            for numbers in self._starts:
                numbers[~self.regular] = 0

    def __contains__(self, position: int) -> bool:
        return position < len(self._starts)

    def lengths(self, position: int) -> Numbers:
        """Bytes of each cell of a column."""
        return self._lengths[position]

    def edges(self, position: int) -> tuple[Any, Any]:
        """The first and the last byte of each cell; of an empty one what stands around it."""
        starts, lengths = self._starts[position], self._lengths[position]
        return self._bytes[starts], self._bytes[starts + lengths - 1]

    def first_bytes(self, position: int, count: int) -> Words:
        """Up to eight bytes from the beginning of each cell, the first one lowest, zero behind."""
        words = self._words[self._starts[position]]
        return words if count >= WORD else words & _KEPT[count]

    def word_at(self, position: int, place: int) -> Words:
        """Eight bytes of each cell from a place in it, whatever stands there."""
        return self._words[self._starts[position] + place]

    def last_words(self, position: int) -> tuple[Words, Words]:
        """Sixteen bytes of each cell, right-aligned: the upper eight and the last eight.

        What stands before the cell is zero.
        """
        lengths = self._lengths[position]
        ends = self._starts[position] + lengths
        low = self._words[ends - WORD]
        shorter = np.maximum(WORD - lengths, 0)
        low = low & ~_KEPT[shorter]
        if not len(lengths) or lengths.max() <= WORD:
            return np.zeros(len(lengths), dtype=np.uint64), low
        before = np.clip(2 * WORD - lengths, 0, WORD)
        return self._words[ends - 2 * WORD] & ~_KEPT[before], low
