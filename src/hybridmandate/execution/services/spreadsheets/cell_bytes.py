"""The bytes of cells, read eight at a time for whole columns.

In a line without quotes the cells stand one behind the other, a delimiter between them. Lines that
have no quote and exactly as many cells as the table are *even*; only theirs are here.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np

from hybridmandate.execution.services.spreadsheets.record_chunk import RecordChunk
from hybridmandate.execution.services.spreadsheets.record_scan import Mask, Numbers

Words = np.ndarray[Any, np.dtype[np.uint64]]
Offsets = np.ndarray[Any, np.dtype[np.int32]]

__all__ = ["KEPT", "PADDING", "WORD", "CellBytes", "Mask", "TextBytes", "Words", "padded_bytes"]

WORD = 8
PADDING = 2 * WORD
"""Zero bytes before and behind the bytes, so that a word may begin before or end behind them."""

KEPT = np.array([(1 << (8 * n)) - 1 for n in range(WORD + 1)], dtype=np.uint64)
"""Words whose lowest bytes are all ones, by how many."""


class TextBytes:
    """Texts of one column somewhere in bytes: where each begins, and how long it is."""

    def __init__(self, padded: Any, starts: Any, lengths: Any) -> None:
        self._bytes = padded
        self._words: Words = np.ndarray(
            (len(padded) - WORD + 1,), dtype="<u8", buffer=padded.data, strides=(1,)
        )
        self._starts = starts
        self.lengths = lengths

    @classmethod
    def of_texts(cls, joined: bytes, lengths: Numbers) -> TextBytes:
        """Texts that stand one behind the other."""
        return cls(padded_bytes(joined), np.cumsum(lengths) - lengths + PADDING, lengths)

    def edges(self) -> tuple[Any, Any]:
        """The first and the last byte of each text; of an empty one what stands around it."""
        return self._bytes[self._starts], self._bytes[self._starts + self.lengths - 1]

    def first_bytes(self, count: int) -> Words:
        """Up to eight bytes from the beginning of each text, the first one lowest, zero behind.

        What stands behind a text that is shorter is read as if it were the text's.
        """
        return self._begin if count >= WORD else self._begin & KEPT[count]

    def own_bytes(self, place: int, count: int = WORD) -> Words:
        """Up to eight bytes of each text from a place in it; zero where the text has ended."""
        words: Words = self.word_at(np.minimum(place, self.lengths)) if place else self._begin
        least, most = self._shortest - place, self._longest - place
        if least >= count or least == most:
            left = max(0, min(count, least))
            return words if left == WORD else words & KEPT[left]
        kept: Words = KEPT[np.clip(self.lengths - place, 0, count)]
        return words & kept

    def word_at(self, place: Any) -> Words:
        """Eight bytes of each text from a place in it, whatever stands there."""
        words: Words = self._words[self._starts + place]
        return words

    @cached_property
    def _begin(self) -> Words:
        words: Words = self._words[self._starts]
        return words

    @cached_property
    def _shortest(self) -> int:
        return int(self.lengths.min()) if len(self.lengths) else 0

    @cached_property
    def _longest(self) -> int:
        return int(self.lengths.max(initial=0))

    def last_words(self) -> tuple[Words, Words]:
        """Sixteen bytes of each text, right-aligned: the upper eight and the last eight.

        What stands before the text is zero.
        """
        lengths = self.lengths
        ends = self._starts + lengths
        shorter = np.maximum(WORD - lengths, 0)
        low = self._words[ends - WORD] & ~KEPT[shorter]
        if not len(lengths) or lengths.max() <= WORD:
            return np.zeros(len(lengths), dtype=np.uint64), low
        before = np.clip(2 * WORD - lengths, 0, WORD)
        return self._words[ends - 2 * WORD] & ~KEPT[before], low

    def at(self, rows: Any) -> TextBytes:
        """Some of the texts."""
        return TextBytes(self._bytes, self._starts[rows], self.lengths[rows])


class CellBytes:
    """The cells of the even lines of a chunk; ``rows`` are the numbers of their records.

    ``ascii`` says that every byte of the chunk is below 128.
    """

    def __init__(self, chunk: RecordChunk, width: int, skip: int) -> None:
        """Of a table of so many columns; records before ``skip`` are left out and not counted."""
        scanned = chunk.scanned
        self.ascii = chunk.data.isascii()
        self._padded = padded_bytes(chunk.data)
        even, inner = _even_lines(chunk, _delimiters(chunk), width - 1)
        first, last = chunk.records
        kept = even.copy()
        kept[: first[skip] if skip < len(first) else len(kept)] = False
        self.rows: Numbers = np.flatnonzero(kept[first] & (first == last)) - skip
        self._starts = scanned.starts[kept].astype(np.int32)
        self._ends = scanned.ends[kept].astype(np.int32)
        chosen = kept[even]
        self._inner: Offsets = np.ascontiguousarray((inner if chosen.all() else inner[chosen]).T)
        self._columns: dict[int, TextBytes] = {}

    def column(self, position: int) -> TextBytes:
        """The cells of a column."""
        if position not in self._columns:
            starts = self._inner[position - 1] + 1 if position else self._starts
            ends = self._inner[position] if position < len(self._inner) else self._ends
            self._columns[position] = TextBytes(self._padded, starts + PADDING, ends - starts)
        return self._columns[position]


def _delimiters(chunk: RecordChunk) -> Offsets:
    bytes_ = np.frombuffer(chunk.data, dtype=np.uint8)
    return np.flatnonzero(bytes_ == ord(chunk.dialect.delimiter)).astype(np.int32)


def _even_lines(chunk: RecordChunk, commas: Offsets, each: int) -> tuple[Mask, Offsets]:
    """The even lines, and the places of their delimiters, a row for each of them."""
    scanned = chunk.scanned
    starts, ends = scanned.starts, scanned.ends
    if each and len(commas) == each * len(starts):
        table = commas.reshape(-1, each)
        if ((table[:, 0] >= starts) & (table[:, -1] < ends)).all():
            even = _unquoted(chunk)
            return even, table if even.all() else table[even]
    at = np.searchsorted(commas, starts.astype(np.int32))
    even = np.searchsorted(commas, ends.astype(np.int32)) - at == each
    even &= _unquoted(chunk)
    return even, commas[at[even][:, None] + np.arange(each)]


def _unquoted(chunk: RecordChunk) -> Mask:
    """Lines that are read together and hold no quote."""
    scanned = chunk.scanned
    together = scanned.together.copy()
    if chunk.dialect.quote.encode() in chunk.data:
        bytes_ = np.frombuffer(chunk.data, dtype=np.uint8)
        places = np.flatnonzero(bytes_ == ord(chunk.dialect.quote))
        together[np.searchsorted(scanned.starts, places, side="right") - 1] = False
    return together


def padded_bytes(data: bytes) -> Any:
    """Bytes with :data:`PADDING` around them."""
    padded = np.zeros(len(data) + 2 * PADDING, dtype=np.uint8)
    padded[PADDING : PADDING + len(data)] = np.frombuffer(data, dtype=np.uint8)
    return padded
