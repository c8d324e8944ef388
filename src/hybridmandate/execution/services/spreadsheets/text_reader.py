"""Reading delimited text as people send it, in chunks: dialects, quotes, ragged rows.

Well-formed lines go to polars together; the malformed minority is read one by one and flagged.
Memory is bounded by the chunk (8 MiB), whatever the size of the file.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from hybridmandate.execution.services.spreadsheets.cell_bytes import Chunk, TextBatch
from hybridmandate.execution.services.spreadsheets.dialect import (
    CLOSE,
    SAMPLE_LINES,
    Dialect,
    FieldTooLong,
    Record,
    likely_quote,
    score_dialects,
)
from hybridmandate.execution.services.spreadsheets.record_scan import (
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
    Reading,
    Unreadable,
    text_column,
)
from hybridmandate.execution.services.spreadsheets.text_content import (
    FALLBACK_ENCODING,
    Buffer,
    TextContent,
    forget_pages,
    text_content,
)

CHUNK = 8 << 20
MAX_LINE = 16 << 20
MAX_COLUMNS = 2_000

_FLAWS = {
    "unclosed": ("quote.unclosed", "a quote that is never closed was read as a character"),
    "stray": ("quote.stray", "quotes that do not stand around a whole field were kept as written"),
}


@dataclass(frozen=True, slots=True)
class TextOptions:
    """What a profile may declare about text files instead of leaving it to the score."""

    delimiter: str | None = None
    quote: str | None = None
    fallback_encoding: str = FALLBACK_ENCODING


def read_text(
    content: Buffer, options: TextOptions | None = None, *, chunk: int = CHUNK
) -> Reading:
    """Read delimited text; ``chunk`` are the bytes that one batch is made of.

    :raises Unreadable: for content that is no text table, or beyond the limits of this module.
    """
    options = options or TextOptions()
    text = text_content(content, options.fallback_encoding)
    sample = _sample(text)
    dialect, evidence = _dialect(sample, options)
    notes = list(text.notes)
    candidates = evidence["candidates"]
    if dialect.chosen_by == "score" and len(candidates) > 1 and candidates[0]["score"]:
        close = candidates[1]["score"] / candidates[0]["score"]
        if close > CLOSE:
            message = (
                f"{candidates[0]['delimiter']!r} was chosen, {candidates[1]['delimiter']!r} "
                "explains the file nearly as well: declare it in the profile"
            )
            notes.append(Decision.of("dialect.close", message, []))
    source: dict[str, Any] = {
        "format": "text",
        "encoding": text.encoding,
        "delimiter": dialect.delimiter,
        "quote": dialect.quote,
        "chosenBy": dialect.chosen_by,
        "candidates": candidates,
    }
    rows = len(text.buffer) // max(1, len("\n".join(sample).encode()) // max(1, len(sample)) + 1)
    return Reading(
        source=source,
        notes=tuple(notes),
        has_kinds=False,
        batches=_batches(text, dialect, chunk),
        rows_hint=rows,
    )


def _sample(text: TextContent) -> list[str]:
    head = bytes(text.buffer[: 1 << 18]).decode("utf-8", errors="replace").splitlines()
    lines = head[:SAMPLE_LINES]
    middle = len(text.buffer) // 2
    if middle > 1 << 19:
        piece = bytes(text.buffer[middle : middle + (1 << 17)]).decode("utf-8", errors="replace")
        lines += piece.splitlines()[1 : SAMPLE_LINES // 2]
    return [line[: 1 << 16] for line in lines]


def _dialect(sample: Sequence[str], options: TextOptions) -> tuple[Dialect, dict[str, Any]]:
    quote = options.quote or likely_quote(sample)
    try:
        scores = score_dialects(sample, quote)
    except FieldTooLong as error:
        raise Unreadable("file.field_too_long", f"a field cannot be read: {error}") from None
    chosen = options.delimiter or scores[0].delimiter
    by = "profile" if options.delimiter else "score"
    return Dialect(chosen, quote, by), {"candidates": [each.to_json() for each in scores]}


def _batches(text: TextContent, dialect: Dialect, chunk: int) -> Iterator[Callable[[], Batch]]:
    position, line, size = 0, 0, chunk
    total = len(text.buffer)
    while position < total:
        # The last chunk takes what would be left over, so that a footer never stands alone in it.
        final = position + size * 3 // 2 >= total
        data = bytes(
            text.buffer[position:total] if final else text.buffer[position : position + size]
        )
        scanned = scan_chunk(data, dialect, final=final)
        if not len(scanned.starts) or scanned.used == 0:
            if size >= MAX_LINE:
                raise Unreadable("file.line_too_long", f"a line is longer than {MAX_LINE} bytes")
            size *= 2
            continue
        if int((scanned.ends - scanned.starts).max()) > MAX_LINE:
            raise Unreadable("file.line_too_long", f"a line is longer than {MAX_LINE} bytes")
        yield _Maker(scanned, dialect, position, line)
        position += scanned.used_bytes
        forget_pages(text.buffer)
        line += scanned.used
        size = chunk


@dataclass(frozen=True, slots=True)
class _Maker:
    """Makes the batch of a scanned chunk; ``offset`` and ``line`` are those of its beginning."""

    scanned: ScannedChunk
    dialect: Dialect
    offset: int
    line: int

    def __call__(self) -> Batch:
        scanned = self.scanned
        together = scanned.together.copy()
        together[scanned.used :] = False
        blank = scanned.blank.copy()
        blank[scanned.used :] = False
        numbers = np.flatnonzero(together)
        data = _joined(scanned, together)
        width = max([1, *(len(record.cells) for record in scanned.single)])
        frames: list[pl.DataFrame] = []
        if len(numbers):
            texts = _parse_together(data, len(numbers), self.dialect)
            width = max(width, texts.width)
            frames.append(pl.concat([self._places(numbers, numbers), texts], how="horizontal"))
        if scanned.single:
            frames.append(self._singles(scanned.single))
        if blank.any():
            frames.append(self._places(np.flatnonzero(blank), np.flatnonzero(blank)))
        if width > MAX_COLUMNS:
            raise _too_wide(width)
        frame = frames[0] if len(frames) == 1 else pl.concat(frames, how="diagonal")
        missing = [text_column(p) for p in range(width) if text_column(p) not in frame.columns]
        frame = frame.with_columns([pl.lit(None, dtype=pl.String).alias(n) for n in missing])
        frame = frame.select(
            [FIRST_LINE, LAST_LINE, START, END, *(text_column(p) for p in range(width))]
        )
        if len(frames) > 1:
            frame = frame.sort(FIRST_LINE)
        return TextBatch(frame, width, tuple(_flaws(scanned.single, self.line)), self._chunk())

    def _chunk(self) -> Chunk:
        data = self.scanned.data
        quoted = np.zeros(0, dtype=np.int64)
        if self.dialect.quote.encode() in data:
            quoted = np.flatnonzero(np.frombuffer(data, dtype=np.uint8) == ord(self.dialect.quote))
        return Chunk(data, self.offset, quoted, data.isascii())

    def _places(self, first: Any, last: Any) -> pl.DataFrame:
        return pl.DataFrame(
            {
                FIRST_LINE: first + (self.line + 1),
                LAST_LINE: last + (self.line + 1),
                START: self.scanned.starts[first] + self.offset,
                END: self.scanned.ends[last] + self.offset,
            },
            schema=dict.fromkeys((FIRST_LINE, LAST_LINE, START, END), pl.Int64),
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


def _joined(scanned: ScannedChunk, together: Any) -> bytes:
    """The lines that are read together, line ends included."""
    if together.all():
        return scanned.data if scanned.data.endswith(b"\n") else scanned.data + b"\n"
    edges = np.flatnonzero(np.diff(np.concatenate([[0], together.astype(np.int8), [0]])))
    pieces = []
    limit = np.append(scanned.starts[1:], len(scanned.data))
    for start, end in zip(edges[0::2].tolist(), edges[1::2].tolist(), strict=True):
        pieces.append(scanned.data[scanned.starts[start] : limit[end - 1]])
    data = b"".join(pieces)
    return data if data.endswith(b"\n") else data + b"\n"


def _parse_together(data: bytes, count: int, dialect: Dialect) -> pl.DataFrame:
    first = data[: data.index(b"\n")]
    width = int(delimiters_per_line(first + b"\n", dialect)[0]) + 1
    if width > MAX_COLUMNS:
        raise _too_wide(width)
    try:
        frame = _polars(data, width, dialect)
        if frame.height != count:
            raise pl.exceptions.ComputeError("another number of records")
    except pl.exceptions.PolarsError:
        width = int(delimiters_per_line(data, dialect).max()) + 1
        if width > MAX_COLUMNS:
            raise _too_wide(width) from None
        frame = _polars(data, width, dialect)
    if frame.height != count:
        raise Unreadable(
            "file.unreadable", f"{count} lines of the file gave {frame.height} records"
        )
    return frame


def _polars(data: bytes, width: int, dialect: Dialect) -> pl.DataFrame:
    return pl.read_csv(
        io.BytesIO(data),
        has_header=False,
        separator=dialect.delimiter,
        quote_char=dialect.quote,
        schema={text_column(position): pl.String for position in range(width)},
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
