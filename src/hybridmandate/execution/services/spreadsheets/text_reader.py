"""Reading delimited text as people send it: encodings, dialects, quotes, ragged rows.

Every choice is deterministic and explained: encoding by byte order mark, then strict UTF-8, then a
declared fallback; delimiter by a score over the file's own rows.
"""

from __future__ import annotations

import codecs
import csv
import io
import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import polars as pl

from hybridmandate.execution.services.spreadsheets.table import (
    FIRST_LINE,
    LAST_LINE,
    Decision,
    Sheet,
    Unreadable,
    text_column,
)

DELIMITERS = (",", ";", "\t", "|")
FALLBACK_ENCODING = "cp1252"
MAX_FIELD = 1 << 20
MAX_COLUMNS = 2_000
MAX_RECORD_LINES = 200
SAMPLE_RECORDS = 400

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_LINES = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")
_LOOKS_HTML = re.compile(r"\s*<(?:!doctype|html|table|\?xml)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class DelimiterScore:
    """How well a delimiter explains the file: share of rows with the usual width, and the width."""

    delimiter: str
    score: float
    width: int
    share: float


def read_text(content: bytes) -> Sheet:
    """Read delimited text.

    :raises Unreadable: for empty, binary or HTML content, or text without any table in it.
    """
    text, encoding = decode(content)
    if not text.strip("\ufeff \t\r\n\x00"):
        raise Unreadable("file.empty", "the file holds no text")
    if _LOOKS_HTML.match(text):
        raise Unreadable("file.markup", "the file is a web page or XML, not a table")
    lines = [match[0] for match in _LINES.finditer(text)]
    scores = score_delimiters(lines[: SAMPLE_RECORDS * 2])
    chosen = scores[0]
    records = list(_records(lines, chosen.delimiter))
    width = max(len(cells) for _, _, cells, _ in records)
    if width > MAX_COLUMNS:
        raise Unreadable(
            "file.too_wide", f"the file has {width} columns; {MAX_COLUMNS} may be read"
        )
    return Sheet(
        frame=_frame(records, width),
        width=width,
        has_kinds=False,
        source={
            "format": "text",
            "encoding": encoding,
            "delimiter": chosen.delimiter,
            "candidates": [
                {"delimiter": s.delimiter, "score": round(s.score, 4), "width": s.width}
                for s in scores
            ],
        },
        notes=tuple(_notes(records)),
    )


def decode(content: bytes) -> tuple[str, str]:
    """Text and the name of its encoding.

    :raises Unreadable: when the bytes are not text.
    """
    for mark, encoding in _MARKS:
        if content.startswith(mark):
            try:
                return content.decode(encoding).removeprefix("\ufeff"), encoding
            except UnicodeDecodeError as error:
                raise Unreadable(
                    "file.encoding", f"the file says it is {encoding} but is not: {error.reason}"
                ) from None
    if content.count(0) > len(content) // 1000:
        raise Unreadable("file.binary", "the file is binary, not a table")
    try:
        return content.decode("utf-8"), "utf-8"
    except UnicodeDecodeError:
        return content.decode(FALLBACK_ENCODING, errors="replace"), FALLBACK_ENCODING


def score_delimiters(lines: Sequence[str]) -> list[DelimiterScore]:
    """Delimiters, best first: many rows of one width, and a width above one, explain a table."""
    scores = [_score(lines, delimiter) for delimiter in DELIMITERS]
    return sorted(scores, key=lambda s: (-s.score, DELIMITERS.index(s.delimiter)))


def _score(lines: Sequence[str], delimiter: str) -> DelimiterScore:
    filled = [
        len(cells)
        for _, _, cells, _ in _records(lines, delimiter)
        if any(cell.strip() for cell in cells)
    ]
    wide = Counter(width for width in filled if width > 1)
    if not wide:
        return DelimiterScore(delimiter, 0.0, 1, 0.0)
    width, count = max(wide.items(), key=lambda item: (item[1] * math.log2(item[0]), item[0]))
    share = count / len(filled)
    return DelimiterScore(delimiter, share * math.log2(width + 1), width, share)


Record = tuple[int, int, list[str], str | None]
"""First line, last line, cells, and the flaw that was met while reading, if any."""


def _records(lines: Sequence[str], delimiter: str) -> Iterator[Record]:
    position = 0
    while position < len(lines):
        end, cells, flaw = _one_record(lines, position, delimiter)
        yield position + 1, end, cells, flaw
        position = end


def _one_record(
    lines: Sequence[str], start: int, delimiter: str
) -> tuple[int, list[str], str | None]:
    """The record that starts at an index: the index after it, its cells, its flaw."""
    line = lines[start]
    if '"' not in line:
        return start + 1, line.rstrip("\r\n").replace("\x00", "").split(delimiter), None
    stop = min(start + MAX_RECORD_LINES, len(lines))
    for end in range(start + 1, stop + 1):
        raw = "".join(lines[start:end])
        if _quotes_closed(raw, delimiter):
            return end, _parse(raw, delimiter), None
    # The quote is never closed: it is a character of this line, not the start of a long field.
    return start + 1, line.rstrip("\r\n").split(delimiter), "quote.unclosed"


def _quotes_closed(raw: str, delimiter: str) -> bool:
    """Whether no quoted field is left open at the end of the raw text of a record."""
    inside = False
    at_start = True
    position = 0
    while position < len(raw):
        char = raw[position]
        if inside:
            if char == '"':
                if raw[position + 1 : position + 2] == '"':
                    position += 1
                else:
                    inside = False
        elif char == '"' and at_start:
            inside = True
        at_start = not inside and (char == delimiter or (at_start and char == " "))
        position += 1
    return not inside


def _parse(raw: str, delimiter: str) -> list[str]:
    csv.field_size_limit(MAX_FIELD)
    reader = csv.reader(
        io.StringIO(raw.rstrip("\r\n").replace("\x00", ""), newline=""),
        delimiter=delimiter,
        skipinitialspace=True,
        strict=False,
    )
    try:
        return next(reader, [""])
    except csv.Error as error:
        raise Unreadable("file.field_too_long", f"a field cannot be read: {error}") from None


def _frame(records: Sequence[Record], width: int) -> pl.DataFrame:
    columns: dict[str, pl.Series] = {
        FIRST_LINE: pl.Series(FIRST_LINE, [r[0] for r in records], dtype=pl.Int64),
        LAST_LINE: pl.Series(LAST_LINE, [r[1] for r in records], dtype=pl.Int64),
    }
    for position in range(width):
        name = text_column(position)
        values = [r[2][position] if position < len(r[2]) else None for r in records]
        columns[name] = pl.Series(name, values, dtype=pl.String)
    return pl.DataFrame(columns)


def _notes(records: Sequence[Record]) -> Iterator[Decision]:
    unclosed = [first for first, _, _, flaw in records if flaw == "quote.unclosed"]
    if unclosed:
        yield Decision.of(
            "quote.unclosed", "a quote that is never closed was read as a character", unclosed
        )
