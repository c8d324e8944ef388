"""Whole records of a text in one piece of its bytes, and the frames that are made of them.

Well-formed lines are parsed together; the malformed minority was read one by one. Nothing is parsed
before somebody asks for it, and then only the columns and records that are asked for.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl

from hybridmandate.execution.services.spreadsheets.byte_facts import (
    Buffer,
    count_byte,
    forget_pages,
)
from hybridmandate.execution.services.spreadsheets.dialect import Dialect, Record
from hybridmandate.execution.services.spreadsheets.record_scan import (
    Mask,
    Numbers,
    ScannedChunk,
    delimiters_per_line,
    scan_chunk,
)
from hybridmandate.execution.services.spreadsheets.table import (
    END,
    FIRST_LINE,
    LAST_LINE,
    START,
    Batch,
    Decision,
    Unreadable,
    text_column,
)

MAX_COLUMNS = 2_000

_PLACES = (FIRST_LINE, LAST_LINE, START, END)
_FLAWS = {
    "unclosed": ("quote.unclosed", "a quote that is never closed was read as a character"),
    "escaped": ("quote.escaped", "a backslash before a quote was read as belonging to the quote"),
    "stray": ("quote.stray", "quotes that do not stand around a whole field were kept as written"),
}


@dataclass(frozen=True)
class RecordChunk:
    """``data`` stands at ``offset`` of ``buffer``; ``line`` lines of the text stand before it.

    ``known`` is the scan of the data, where it was made already. Calling it makes the whole batch.
    """

    data: bytes
    dialect: Dialect
    buffer: Buffer
    offset: int
    line: int
    known: ScannedChunk | None = None

    @cached_property
    def scanned(self) -> ScannedChunk:
        """The lines of the data."""
        return self.known or scan_chunk(self.data, self.dialect, final=True)

    @cached_property
    def records(self) -> tuple[Numbers, Numbers]:
        """The first and the last line of each record, 0-based within the chunk."""
        return self.scanned.records()

    @property
    def height(self) -> int:
        """The number of records, blank lines among them."""
        return len(self.records[0])

    @cached_property
    def line_count(self) -> int:
        """The number of lines."""
        if self.known is not None:
            return len(self.known.starts)
        return count_byte(self.data, ord("\n")) + (not self.data.endswith(b"\n"))

    @property
    def longest_line(self) -> int:
        """Bytes of the longest line."""
        return int((self.scanned.ends - self.scanned.starts).max(initial=0))

    @property
    def place(self) -> ChunkPlace:
        """Where the chunk stands, to read it again."""
        check = None if isinstance(self.buffer, bytes) else _sum(self.data)
        return ChunkPlace(self.buffer, self.offset, len(self.data), self.line, self.dialect, check)

    def __call__(self) -> Batch:
        return self.batch()

    def notes(self) -> tuple[Decision, ...]:
        """The flaws that were met in the records."""
        return tuple(_flaws(self.scanned.single, self.line))

    def batch(self, wanted: Mask | None = None) -> Batch:
        """All records, or the wanted ones, with all their cells."""
        frames, width = self._frames(wanted, None)
        if width > MAX_COLUMNS:
            raise _too_wide(width)
        names = [text_column(position) for position in range(width)]
        return Batch(_in_file_order(frames, names), width, self.notes())

    def short_records(self, width: int, among: Mask) -> Numbers:
        """Which of some records have fewer cells than that; blank lines have none to miss."""
        if not among.any():
            return np.empty(0, dtype=np.int64)
        scanned, first = self.scanned, self.records[0]
        lines = np.zeros(len(scanned.starts), dtype=bool)
        lines[first[among]] = True
        short = np.zeros(len(lines), dtype=bool)
        together = scanned.together & lines
        if together.any():
            cells = delimiters_per_line(_joined(scanned, together), self.dialect) + 1
            short[np.flatnonzero(together)[cells < width]] = True
        for record in scanned.single:
            short[record.start] = lines[record.start] and len(record.cells) < width
        return np.flatnonzero(short[first])

    def head(self, height: int) -> Batch:
        """The first records."""
        return self.batch(np.arange(self.height) < height)

    def frame(self, columns: Sequence[str] | None, width: int) -> pl.DataFrame:
        """Places and cells of all records, at least so many; or only the columns asked for."""
        if columns is None:
            return widened(self.batch().frame, width)
        texts = [name for name in columns if name not in _PLACES]
        frames, _ = self._frames(None, texts)
        return _in_file_order(frames, texts).select(columns)

    def _frames(
        self, wanted: Mask | None, texts: Sequence[str] | None
    ) -> tuple[list[pl.DataFrame], int]:
        """Records read together, singly, and blank ones; and the cells of the widest."""
        scanned = self.scanned
        together, blank, single = scanned.together, scanned.blank, scanned.single
        if wanted is not None:
            lines = np.zeros(len(scanned.starts), dtype=bool)
            lines[self.records[0][wanted]] = True
            together, blank = together & lines, blank & lines
            single = tuple(record for record in single if lines[record.start])
        frames: list[pl.DataFrame] = []
        width = max([1, *(len(record.cells) for record in single)])
        numbers = np.flatnonzero(together)
        if len(numbers):
            places = self._places(numbers, numbers)
            if texts is None or texts:
                parsed, wide = _parse_together(
                    _joined(scanned, together), len(numbers), self.dialect, texts
                )
                width = max(width, wide)
                places = places.hstack(parsed)
            frames.append(places)
        if single:
            frames.append(self._singles(single))
        if blank.any():
            frames.append(self._places(np.flatnonzero(blank), np.flatnonzero(blank)))
        return frames, width

    def _places(self, first: Any, last: Any) -> pl.DataFrame:
        return pl.DataFrame(
            {
                FIRST_LINE: first + (self.line + 1),
                LAST_LINE: last + (self.line + 1),
                START: self.scanned.starts[first] + self.offset,
                END: self.scanned.ends[last] + self.offset,
            },
            schema=dict.fromkeys(_PLACES, pl.Int64),
        )

    def _singles(self, records: Sequence[Record]) -> pl.DataFrame:
        first = np.array([record.start for record in records])
        last = np.array([record.end - 1 for record in records])
        width = max(len(record.cells) for record in records)
        texts = {
            text_column(p): pl.Series(
                [r.cells[p] if p < len(r.cells) else None for r in records], dtype=pl.String
            )
            for p in range(width)
        }
        return pl.concat([self._places(first, last), pl.DataFrame(texts)], how="horizontal")


@dataclass(frozen=True, slots=True)
class ChunkPlace:
    """Where a chunk stands in a text. ``check`` is a sum of its bytes, where they may change."""

    buffer: Buffer
    offset: int
    size: int
    line: int
    dialect: Dialect
    check: int | None

    def read(self) -> RecordChunk:
        """The chunk again. :raises Unreadable: ``file.changed`` when the file is another now."""
        data = bytes(self.buffer[self.offset : self.offset + self.size])
        forget_pages(self.buffer)
        if self.check is not None and _sum(data) != self.check:
            raise Unreadable("file.changed", "the file was changed while it was worked on")
        return RecordChunk(data, self.dialect, self.buffer, self.offset, self.line)


def widened(frame: pl.DataFrame, width: int) -> pl.DataFrame:
    """A frame with at least so many columns of texts."""
    missing = [name for name in map(text_column, range(width)) if name not in frame.columns]
    if not missing:
        return frame
    return frame.with_columns([pl.lit(None, dtype=pl.String).alias(n) for n in missing])


def _sum(data: bytes) -> int:
    words = np.frombuffer(data, dtype="<u8", count=len(data) // 8)
    return int(words.sum(dtype=np.uint64)) + sum(data[len(data) // 8 * 8 :])


def _in_file_order(frames: Sequence[pl.DataFrame], names: Sequence[str]) -> pl.DataFrame:
    frame = frames[0] if len(frames) == 1 else pl.concat(frames, how="diagonal")
    missing = [name for name in names if name not in frame.columns]
    if missing:
        frame = frame.with_columns([pl.lit(None, dtype=pl.String).alias(n) for n in missing])
    if frame.columns != [*_PLACES, *names]:
        frame = frame.select([*_PLACES, *names])
    return frame.sort(FIRST_LINE) if len(frames) > 1 else frame


def _joined(scanned: ScannedChunk, together: Mask) -> bytes:
    """The lines that are read together, line ends included."""
    if together.all():
        return scanned.data if scanned.data.endswith(b"\n") else scanned.data + b"\n"
    edges = np.flatnonzero(np.diff(np.concatenate([[0], together.astype(np.int8), [0]])))
    limit = np.append(scanned.starts[1:], len(scanned.data))
    starts, ends = scanned.starts[edges[0::2]].tolist(), limit[edges[1::2] - 1].tolist()
    data = b"".join([scanned.data[a:b] for a, b in zip(starts, ends, strict=True)])
    return data if data.endswith(b"\n") else data + b"\n"


def _parse_together(
    data: bytes, count: int, dialect: Dialect, texts: Sequence[str] | None
) -> tuple[pl.DataFrame, int]:
    """Lines that are whole as cells, all or some of their columns; and the cells of the widest."""
    first = data[: data.index(b"\n")]
    width = int(delimiters_per_line(first + b"\n", dialect)[0]) + 1
    if width > MAX_COLUMNS:
        raise _too_wide(width)
    try:
        frame = _polars(data, width, dialect, texts)
        if frame.height != count:
            raise pl.exceptions.ComputeError("another number of records")
    except pl.exceptions.PolarsError:
        width = int(delimiters_per_line(data, dialect).max()) + 1
        if width > MAX_COLUMNS:
            raise _too_wide(width) from None
        frame = _polars(data, width, dialect, texts)
    if frame.height != count:
        raise Unreadable(
            "file.unreadable", f"{count} lines of the file gave {frame.height} records"
        )
    return frame, width


def _polars(data: bytes, width: int, dialect: Dialect, texts: Sequence[str] | None) -> pl.DataFrame:
    names = [text_column(position) for position in range(width)]
    # The first column is always read: a frame without columns would not tell its height.
    wanted = None if texts is None else [p for p, n in enumerate(names) if not p or n in texts]
    # Text may begin like compressed data ("x^"), which polars would unpack: not behind a line.
    covered = data.startswith(b"x")
    return pl.read_csv(
        io.BytesIO(b"-\n" + data if covered else data),
        skip_lines=int(covered),
        has_header=False,
        separator=dialect.delimiter,
        quote_char=dialect.quote,
        schema=dict.fromkeys(names, pl.String),
        columns=wanted,
        infer_schema=False,
        missing_columns="insert",
    )


def _too_wide(width: int) -> Unreadable:
    return Unreadable("file.too_wide", f"the file has {width} columns; {MAX_COLUMNS} may be read")


def _flaws(records: Sequence[Record], line: int) -> Iterator[Decision]:
    for flaw, (rule, message) in _FLAWS.items():
        lines = [record.start + line + 1 for record in records if record.flaw == flaw]
        if lines:
            yield Decision.of(rule, message, lines)
