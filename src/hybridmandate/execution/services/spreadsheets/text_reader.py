"""Reading delimited text as people send it, in chunks: dialects, quotes, ragged rows.

Well-formed lines go to polars together; the malformed minority is read one by one and flagged.
Memory is bounded by the chunk (4 MiB), whatever the size of the file.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from hybridmandate.execution.services.spreadsheets.byte_facts import Buffer, forget_pages
from hybridmandate.execution.services.spreadsheets.dialect import (
    CLOSE,
    SAMPLE_LINES,
    Dialect,
    FieldTooLong,
    likely_quote,
    score_dialects,
)
from hybridmandate.execution.services.spreadsheets.record_chunk import RecordChunk
from hybridmandate.execution.services.spreadsheets.record_scan import ScannedChunk, scan_chunk
from hybridmandate.execution.services.spreadsheets.table import Decision, Reading, Unreadable
from hybridmandate.execution.services.spreadsheets.text_content import (
    FALLBACK_ENCODING,
    TextContent,
    text_content,
)

CHUNK = 4 << 20
MAX_LINE = 16 << 20
_NO_DELIMITER = "no delimiter was found: each line is one cell, spaces between words set none apart"
_DECLARED = re.compile(r'"?sep=(.)"?', re.IGNORECASE)
"""The first line by which spreadsheet programs let a file name its delimiter."""


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
    if dialect.chosen_by == "score" and not candidates[0]["score"]:
        notes.append(Decision.of("dialect.none", _NO_DELIMITER, []))
    rows = len(text.buffer) // max(1, len("\n".join(sample).encode()) // max(1, len(sample)) + 1)
    return Reading(
        source=source,
        notes=tuple(notes),
        has_kinds=False,
        batches=_chunks(text, dialect, chunk),
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
    candidates = {"candidates": [each.to_json() for each in scores]}
    if options.delimiter:
        return Dialect(options.delimiter, quote, "profile"), candidates
    declared = _DECLARED.fullmatch(sample[0]) if sample else None
    if declared is not None and declared[1].isascii() and not declared[1].isalnum():
        return Dialect(declared[1], quote, "file"), candidates
    return Dialect(scores[0].delimiter, quote), candidates


def _chunks(text: TextContent, dialect: Dialect, chunk: int) -> Iterator[RecordChunk]:
    position, line, size = 0, 0, chunk
    total = len(text.buffer)
    while position < total:
        # The last chunk takes what would be left over, so that a footer never stands alone in it.
        final = position + size * 3 // 2 >= total
        found = _records_from(text.buffer, position, total if final else position + size, dialect)
        if found is None:
            if size >= MAX_LINE:
                raise _line_too_long()
            size *= 2
            continue
        records = RecordChunk(found.data, dialect, text.buffer, position, line, found.scanned)
        if len(records.data) > MAX_LINE and records.longest_line > MAX_LINE:
            raise _line_too_long()
        forget_pages(text.buffer)
        yield records
        position += len(records.data)
        line += records.line_count
        size = chunk


@dataclass(frozen=True, slots=True)
class _Found:
    """The bytes of whole records, scanned already where quotes made that necessary."""

    data: bytes
    scanned: ScannedChunk | None


def _records_from(buffer: Buffer, start: int, stop: int, dialect: Dialect) -> _Found | None:
    """The whole records between two places; None when not even one ends there."""
    final = stop == len(buffer)
    end = stop if final else buffer.rfind(b"\n", start, stop) + 1
    if end <= start:
        return None
    data = bytes(buffer[start:end])
    if dialect.quote.encode() not in data:
        return _Found(data, None)
    scanned = scan_chunk(data, dialect, final=final)
    if not scanned.used:
        return None
    whole = scanned.whole_records()
    return _Found(whole.data, whole)


def _line_too_long() -> Unreadable:
    return Unreadable("file.line_too_long", f"a line is longer than {MAX_LINE} bytes")
