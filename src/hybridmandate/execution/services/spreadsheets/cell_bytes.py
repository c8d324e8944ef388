"""The bytes of cells, read eight at a time for whole columns.

In a line without quotes the cells stand one behind the other, a delimiter between them. Lines that
have no quote and exactly as many cells as the table are *even*; only theirs are here.
"""

from __future__ import annotations

import threading
from functools import cached_property
from typing import Any

import numpy as np

from hybridmandate.execution.services.spreadsheets.record_chunk import RecordChunk
from hybridmandate.execution.services.spreadsheets.record_scan import (
    Mask,
    Numbers,
    Places,
)

Words = np.ndarray[Any, np.dtype[np.uint64]]

__all__ = ["KEPT", "PADDING", "WORD", "CellBytes", "Mask", "Room", "TextBytes", "Words"]

WORD = 8
PADDING = 3 * WORD
"""Bytes before and behind the others, so that words may begin before or end behind them."""

KEPT = np.array([(1 << (8 * n)) - 1 for n in range(WORD + 1)], dtype=np.uint64)
"""Words whose lowest bytes are all ones, by how many."""

_U = np.uint64
_BITS = _U(8 * WORD)


class TextBytes:
    """Texts of one column somewhere in padded bytes: where each begins, and how long it is.

    Shifts are numpy's: one by 64 bits or more leaves nothing.
    """

    def __init__(self, padded: Any, starts: Places, lengths: Places) -> None:
        self._bytes = padded
        self._starts = starts
        self.lengths = lengths

    @classmethod
    def of_texts(cls, joined: bytes, lengths: Numbers) -> TextBytes:
        """Texts that stand one behind the other."""
        starts = np.cumsum(lengths) - lengths + PADDING
        return cls(padded_bytes(joined), starts.astype(np.int32), lengths.astype(np.int32))

    @cached_property
    def shortest(self) -> int:
        """The least length."""
        return int(self.lengths.min()) if len(self.lengths) else 0

    @cached_property
    def longest(self) -> int:
        """The greatest length."""
        return int(self.lengths.max(initial=0))

    @cached_property
    def filled(self) -> Mask:
        """The texts that are not empty."""
        if self.shortest:
            return np.ones(len(self.lengths), dtype=bool)
        return np.asarray(self.lengths > 0, dtype=np.bool_)

    def edges(self) -> tuple[Any, Any]:
        """The first and the last byte of each text; of an empty one what stands around it."""
        return self._bytes.take(self._starts), self._bytes.take(self._starts + (self.lengths - 1))

    def first_bytes(self, count: int) -> Words:
        """Up to eight bytes from the beginning of each text, the first one lowest, zero behind.

        What stands behind a text that is shorter is read as if it were the text's.
        """
        return self.word_at(0) if count >= WORD else self.word_at(0) & KEPT[count]

    def own_bytes(self, place: int, count: int = WORD) -> Words:
        """Up to eight bytes of each text from a place in it; zero where the text has ended."""
        words = self.word_at(place)
        least, most = self.shortest - place, self.longest - place
        if least >= count or least == most:
            left = max(0, min(count, least))
            return words if left == WORD else words & KEPT[left]
        kept: Words = KEPT[np.clip(self.lengths - place, 0, count)]
        return words & kept

    def word_at(self, place: int) -> Words:
        """Eight bytes of each text from a place in it, whatever stands there."""
        if place == 0:
            return self._begin
        if place < WORD:
            return (self._begin >> _U(8 * place)) | (self._second << (_BITS - _U(8 * place)))
        if place == WORD:
            return self._second
        return _words_at(self._aligned, self._starts + np.minimum(place, self.lengths))

    def last_words(self) -> tuple[Words, Words]:
        """Sixteen bytes of each text, right-aligned: the upper eight and the last eight.

        What stands before the text is zero; all is zero where it is empty.
        """
        if self.longest <= WORD:
            low = self._begin << (_BITS - self._bits_of_lengths)
            return np.zeros_like(low), low
        if self.longest <= 2 * WORD:
            shift = _U(2) * _BITS - self._bits_of_lengths
            # Below zero, a number of bits becomes a very large one: there is no sign.
            high: Words = self._begin << shift
            low = self._second << shift
            low |= self._begin >> (_BITS - shift)
            low |= self._begin << (shift - _BITS)
            return high, low
        ends = self._starts + self.lengths
        low = _words_at(self._aligned, ends - WORD) & ~KEPT[np.maximum(WORD - self.lengths, 0)]
        before = np.clip(2 * WORD - self.lengths, 0, WORD)
        return _words_at(self._aligned, ends - 2 * WORD) & ~KEPT[before], low

    def at(self, rows: Any) -> TextBytes:
        """Some of the texts."""
        return TextBytes(self._bytes, self._starts[rows], self.lengths[rows])

    @property
    def _bits_of_lengths(self) -> Words:
        return self.lengths.astype(np.uint64) << _U(3)

    @property
    def _aligned(self) -> Words:
        words: Words = self._bytes.view("<u8")
        return words

    @cached_property
    def _begin(self) -> Words:
        return _words_at(self._aligned, self._starts)

    @cached_property
    def _second(self) -> Words:
        return _words_at(self._aligned, self._starts + WORD)


def _words_at(aligned: Words, places: Places) -> Words:
    """Eight bytes from each place on.

    They are cut from two words at multiples of eight: numpy gathers others four times as slowly.
    """
    index = places >> 3
    bits = (places & 7).astype(np.uint64) << _U(3)
    words = aligned.take(index, mode="clip") >> bits
    words |= aligned[1:].take(index, mode="clip") << (_BITS - bits)
    return words


class CellBytes:
    """The cells of the even lines of a chunk; ``rows`` are the numbers of their records.

    ``ascii`` says that every byte of the chunk is below 128.
    """

    def __init__(self, chunk: RecordChunk, width: int, skip: int, room: Room) -> None:
        """Of a table of so many columns; records before ``skip`` are left out and not counted.

        They are there until the room is used for the next chunk.
        """
        scanned = chunk.scanned
        self.ascii = chunk.data.isascii()
        self._padded = room.padded(chunk.data)
        first, last = chunk.records
        if scanned.delimiters is not None and len(scanned.delimiters) == width - 1:
            self.rows: Numbers = np.arange(len(first) - skip)
            starts, ends = scanned.starts[skip:], scanned.ends[skip:]
            self._inner: Places = scanned.delimiters[:, skip:]
        else:
            even, inner = _even_lines(chunk, _delimiters(chunk), width - 1)
            kept = even.copy()
            kept[: first[skip] if skip < len(first) else len(kept)] = False
            self.rows = np.flatnonzero(kept[first] & (first == last)) - skip
            starts, ends = scanned.starts[kept], scanned.ends[kept]
            self._inner = np.ascontiguousarray(inner[kept[even]].T, dtype=np.int32)
        self._starts, self._ends = starts.astype(np.int32), ends.astype(np.int32)
        self._columns: dict[int, TextBytes] = {}

    def column(self, position: int) -> TextBytes:
        """The cells of a column."""
        if position not in self._columns:
            starts = self._inner[position - 1] + 1 if position else self._starts
            ends = self._inner[position] if position < len(self._inner) else self._ends
            self._columns[position] = TextBytes(self._padded, starts + PADDING, ends - starts)
        return self._columns[position]


def _delimiters(chunk: RecordChunk) -> Numbers:
    bytes_ = np.frombuffer(chunk.data, dtype=np.uint8)
    return np.flatnonzero(bytes_ == ord(chunk.dialect.delimiter))


def _even_lines(chunk: RecordChunk, delimiters: Numbers, each: int) -> tuple[Mask, Numbers]:
    """The even lines, and the places of their delimiters, a row for each of them."""
    scanned = chunk.scanned
    at = np.searchsorted(delimiters, scanned.starts)
    even = np.searchsorted(delimiters, scanned.ends) - at == each
    even &= _unquoted(chunk)
    return even, delimiters[at[even][:, None] + np.arange(each)]


def _unquoted(chunk: RecordChunk) -> Mask:
    """Lines that are read together and hold no quote."""
    scanned = chunk.scanned
    together = scanned.together.copy()
    if chunk.dialect.quote.encode() in chunk.data:
        bytes_ = np.frombuffer(chunk.data, dtype=np.uint8)
        places = np.flatnonzero(bytes_ == ord(chunk.dialect.quote))
        together[np.searchsorted(scanned.starts, places, side="right") - 1] = False
    return together


class Room(threading.local):
    """Memory of a thread for the padded bytes of one chunk after the other.

    Memory of that size is otherwise asked of the system each time, page by page.
    """

    def __init__(self) -> None:
        self._bytes = np.empty(0, dtype=np.uint8)

    def padded(self, data: bytes) -> Any:
        """Bytes with padding around them; they are there until the next ones."""
        size = _padded_size(data)
        if len(self._bytes) < size:
            self._bytes = np.empty(size, dtype=np.uint8)
        return _pad(self._bytes[:size], data)


def padded_bytes(data: bytes) -> Any:
    """Bytes with :data:`PADDING` around them, as whole words."""
    return _pad(np.empty(_padded_size(data), dtype=np.uint8), data)


def _padded_size(data: bytes) -> int:
    return -(-(len(data) + 2 * PADDING) // WORD) * WORD


def _pad(padded: Any, data: bytes) -> Any:
    padded[:PADDING] = 0
    padded[PADDING : PADDING + len(data)] = np.frombuffer(data, dtype=np.uint8)
    padded[PADDING + len(data) :] = 0
    return padded
