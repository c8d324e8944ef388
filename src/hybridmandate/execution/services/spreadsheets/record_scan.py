"""Where records begin and end in a chunk of UTF-8 text, by numpy over its bytes.

A line is *whole* when its quotes open and close in it as RFC 4180 writes them; whole lines outside
of a longer record are read by polars at once. Only the others are walked one by one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from hybridmandate.execution.services.spreadsheets.dialect import Dialect, Record, one_record

Numbers = np.ndarray[Any, np.dtype[np.int64]]
Mask = np.ndarray[Any, np.dtype[np.bool_]]
Places = np.ndarray[Any, np.dtype[np.int32]]
"""Places in a chunk, which is never as large as they could tell."""

_FEED = ord("\n")
_LAST_ASCII = 127
_BLOCK = 1 << 16


@dataclass(frozen=True, slots=True)
class ScannedChunk:
    """Lines of a chunk: byte offsets within it, which are read together, which one by one.

    ``ends`` exclude the line end. ``used`` is the number of lines that belong to complete records.
    ``delimiters`` has their places, by their number in the line and by line, in a chunk without
    quotes whose lines all have as many; None for other chunks.
    """

    data: bytes
    starts: Numbers
    ends: Numbers
    together: Mask
    blank: Mask
    single: tuple[Record, ...]
    used: int
    delimiters: Places | None = None

    def whole_records(self) -> ScannedChunk:
        """The same without the lines that belong to no complete record."""
        used = self.used
        if used == len(self.starts):
            return self
        return replace(
            self,
            data=self.data[: int(self.starts[used])],
            starts=self.starts[:used],
            ends=self.ends[:used],
            together=self.together[:used],
            blank=self.blank[:used],
        )

    def records(self) -> tuple[Numbers, Numbers]:
        """The first and the last line of each record, 0-based."""
        first = np.arange(len(self.starts))
        if not self.single:
            return first, first
        begins = np.ones(len(first), dtype=bool)
        last = first.copy()
        for record in self.single:
            begins[record.start + 1 : record.end] = False
            last[record.start] = record.end - 1
        return first[begins], last[begins]


def scan_chunk(data: bytes, dialect: Dialect, *, final: bool) -> ScannedChunk:
    """Scan a chunk that begins at a record; of a chunk that is not final the last line is open."""
    bytes_ = np.frombuffer(data, dtype=np.uint8)
    grid = _grid(data, bytes_, dialect)
    feeds = np.flatnonzero(bytes_ == _FEED) if grid is None else grid[-1].astype(np.int64)
    starts = np.concatenate([np.zeros(1, dtype=np.int64), feeds + 1])
    ends = np.concatenate([feeds, np.array([len(data)], dtype=np.int64)])
    if starts[-1] == len(data) or not final:
        data = data[: int(starts[-1])]
        starts, ends = starts[:-1], ends[:-1]
    returns = (ends > starts) & (bytes_[np.maximum(ends - 1, 0)] == 13)
    ends = ends - returns
    blank = ends == starts
    together = ~blank
    if grid is not None:
        return ScannedChunk(data, starts, ends, together, blank, (), len(starts), grid[:-1])
    broken = _broken_lines(data, bytes_, starts, ends, dialect)
    if broken is None:
        return ScannedChunk(data, starts, ends, together, blank, (), len(starts))
    single, used = _walk(data, starts, ends, np.flatnonzero(broken), dialect, final=final)
    for record in single:
        together[record.start : record.end] = False
        blank[record.start : record.end] = False
    return ScannedChunk(data, starts, ends, together, blank, tuple(single), used)


def _grid(data: bytes, bytes_: Any, dialect: Dialect) -> Places | None:
    """The places of delimiters and line ends, by number and line, if all lines have as many.

    Block by block, in the same memory: new memory costs more than what is done in it.
    """
    if not data.endswith(b"\n") or dialect.quote.encode() in data:
        return None
    width = data[: data.index(b"\n")].count(dialect.delimiter.encode()) + 1
    if width == 1 or ord(dialect.delimiter) > _LAST_ASCII:
        return None
    found: list[Places] = []
    seen = 0
    room = np.empty((2, _BLOCK), dtype=bool)
    for start in range(0, len(bytes_), _BLOCK):
        block = bytes_[start : start + _BLOCK]
        feeds = np.equal(block, _FEED, out=room[0, : len(block)])
        wanted = np.equal(block, ord(dialect.delimiter), out=room[1, : len(block)])
        wanted |= feeds
        places = np.flatnonzero(wanted)
        last = places[(width - 1 - seen) % width :: width]
        if not feeds[last].all() or np.count_nonzero(feeds) != len(last):
            return None
        found.append((places + start).astype(np.int32))
        seen += len(places)
    return np.ascontiguousarray(np.concatenate(found).reshape(-1, width).T)


def _broken_lines(
    data: bytes, bytes_: Any, starts: Numbers, ends: Numbers, dialect: Dialect
) -> Mask | None:
    """Lines that are not whole; None when the chunk holds no quote at all."""
    if dialect.quote.encode() not in data or not len(starts):
        return None
    quote, delimiter = ord(dialect.quote), ord(dialect.delimiter)
    places = np.flatnonzero(bytes_ == quote)
    line = np.searchsorted(starts, places, side="right") - 1
    places, line = places[places < ends[line]], line[places < ends[line]]
    counts = np.bincount(line, minlength=len(starts))
    first = np.cumsum(counts) - counts
    opens = (np.arange(len(places)) - first[line]) % 2 == 0
    before = bytes_[np.maximum(places - 1, 0)]
    after = bytes_[np.minimum(places + 1, len(data) - 1)]
    at_start = places == starts[line]
    at_end = places == ends[line] - 1
    inner = np.arange(len(places)) > first[line]
    good_open = at_start | (before == delimiter) | ((before == quote) & inner & ~at_start)
    good_close = at_end | (after == delimiter) | (after == quote)
    wrong = np.where(opens, ~good_open, ~good_close)
    broken = counts % 2 == 1
    broken[line[wrong]] = True
    return np.asarray(broken, dtype=np.bool_)


class _Lines(Sequence[str]):
    """The physical lines of a chunk, decoded when asked for."""

    def __init__(self, data: bytes, starts: Numbers, ends: Numbers) -> None:
        self._data, self._starts, self._ends = data, starts, ends

    def __len__(self) -> int:
        return len(self._starts)

    def __getitem__(self, index: Any) -> Any:
        return self._data[self._starts[index] : self._ends[index]].decode("utf-8", "replace")


def _walk(
    data: bytes, starts: Numbers, ends: Numbers, broken: Numbers, dialect: Dialect, *, final: bool
) -> tuple[list[Record], int]:
    lines = _Lines(data, starts, ends)
    found: list[Record] = []
    taken = 0
    for start in broken.tolist():
        if start < taken:
            continue
        record = one_record(lines, start, dialect)
        open_ended = record.flaw == "unclosed" and not final
        if open_ended and start > 0 and start + 200 > len(lines):
            return found, start
        found.append(record)
        taken = record.end
    return found, len(lines)


def delimiters_per_line(chunk: bytes, dialect: Dialect) -> Numbers:
    """Delimiters outside of quotes in each line of text whose lines are all whole."""
    bytes_ = np.frombuffer(chunk, dtype=np.uint8)
    places = np.flatnonzero(bytes_ == ord(dialect.delimiter))
    quotes = np.flatnonzero(bytes_ == ord(dialect.quote))
    if len(quotes):
        places = places[np.searchsorted(quotes, places) % 2 == 0]
    feeds = np.flatnonzero(bytes_ == 10)
    upto = np.searchsorted(places, feeds)
    return np.diff(upto, prepend=0)
