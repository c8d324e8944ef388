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
from typing import Any

import numpy as np
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

    Well-formed lines are parsed at once by polars; the others one by one, each flaw reported.
    :raises Unreadable: for empty, binary or HTML content, or text without any table in it.
    """
    text, encoding = decode(content)
    if not text.strip("\ufeff \t\r\n\x00"):
        raise Unreadable("file.empty", "the file holds no text")
    if _LOOKS_HTML.match(text):
        raise Unreadable("file.markup", "the file is a web page or XML, not a table")
    lines, ending = split_lines(text)
    scores = score_delimiters(lines[: SAMPLE_RECORDS * 2], ending)
    frame, width, unclosed = _read_records(lines, ending, scores[0].delimiter)
    return Sheet(
        frame=frame,
        width=width,
        has_kinds=False,
        source={
            "format": "text",
            "encoding": encoding,
            "delimiter": scores[0].delimiter,
            "candidates": [
                {"delimiter": s.delimiter, "score": round(s.score, 4), "width": s.width}
                for s in scores
            ],
        },
        notes=tuple(_notes(unclosed)),
    )


def split_lines(text: str) -> tuple[list[str], str]:
    """Physical lines without their ends, and the end that they had (``\\n`` where it is mixed)."""
    text = text.replace("\x00", "")
    pairs, returns, feeds = text.count("\r\n"), text.count("\r"), text.count("\n")
    if returns == 0:
        ending = "\n"
    elif returns == feeds == pairs:
        ending = "\r\n"
    elif feeds == 0:
        ending = "\r"
    else:
        text, ending = text.replace("\r\n", "\n").replace("\r", "\n"), "\n"
    lines = text.split(ending)
    if lines[-1] == "":
        lines.pop()
    return lines, ending


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


def score_delimiters(lines: Sequence[str], ending: str) -> list[DelimiterScore]:
    """Delimiters, best first: many rows of one width, and a width above one, explain a table."""
    scores = [_score(lines, ending, delimiter) for delimiter in DELIMITERS]
    return sorted(scores, key=lambda s: (-s.score, DELIMITERS.index(s.delimiter)))


def _score(lines: Sequence[str], ending: str, delimiter: str) -> DelimiterScore:
    filled = [
        len(record.cells)
        for record in _records(lines, ending, delimiter)
        if any(cell.strip() for cell in record.cells)
    ]
    wide = Counter(width for width in filled if width > 1)
    if not wide:
        return DelimiterScore(delimiter, 0.0, 1, 0.0)
    width, count = max(wide.items(), key=lambda item: (item[1] * math.log2(item[0]), item[0]))
    share = count / len(filled)
    return DelimiterScore(delimiter, share * math.log2(width + 1), width, share)


@dataclass(frozen=True, slots=True)
class _Record:
    """A record read by itself; ``start`` and ``end`` are 0-based, ``end`` exclusive."""

    start: int
    end: int
    cells: list[str]
    unclosed: bool = False


def _records(lines: Sequence[str], ending: str, delimiter: str) -> Iterator[_Record]:
    position = 0
    while position < len(lines):
        record = _one_record(lines, position, ending, delimiter)
        yield record
        position = record.end


def _one_record(lines: Sequence[str], start: int, ending: str, delimiter: str) -> _Record:
    line = lines[start]
    if '"' not in line:
        return _Record(start, start + 1, line.split(delimiter))
    stop = min(start + MAX_RECORD_LINES, len(lines))
    raw = line
    for end in range(start + 1, stop + 1):
        if _quotes_closed(raw, delimiter):
            return _Record(start, end, _parse(raw, delimiter))
        if end < stop:
            raw = f"{raw}{ending}{lines[end]}"
    # The quote is never closed: it is a character of this line, not the start of a long field.
    return _Record(start, start + 1, line.split(delimiter), unclosed=True)


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
        io.StringIO(raw, newline=""), delimiter=delimiter, skipinitialspace=True, strict=False
    )
    try:
        return next(reader, [""])
    except csv.Error as error:
        raise Unreadable("file.field_too_long", f"a field cannot be read: {error}") from None


def _read_records(
    lines: list[str], ending: str, delimiter: str
) -> tuple[pl.DataFrame, int, list[int]]:
    """The frame of all records, its width, and the lines with a quote that is never closed."""
    texts = pl.Series("line", lines, dtype=pl.String)
    plain = texts.str.contains(_well_formed(delimiter)) & (texts != "")
    single: list[_Record] = []
    inside = np.zeros(len(lines), dtype=bool)
    taken = 0
    for start in (~plain).arg_true().to_list():
        if start < taken:
            continue
        record = _one_record(lines, start, ending, delimiter)
        single.append(record)
        inside[record.start : record.end] = True
        taken = record.end
    together = texts.filter(~pl.Series(inside))
    numbers = np.flatnonzero(~inside) + 1
    delimiters = together.str.count_matches(delimiter, literal=True).max()
    width = max(
        [len(record.cells) for record in single]
        + ([int(delimiters) + 1] if isinstance(delimiters, int) else [])
    )
    if width > MAX_COLUMNS:
        raise Unreadable(
            "file.too_wide", f"the file has {width} columns; {MAX_COLUMNS} may be read"
        )
    frames = []
    if together.len():
        frames.append(_parse_together(together, numbers, delimiter, width))
    if single:
        frames.append(_frame(single, width))
    frame = pl.concat(frames).sort(FIRST_LINE) if len(frames) > 1 else frames[0]
    return frame, width, [record.start + 1 for record in single if record.unclosed]


def _well_formed(delimiter: str) -> str:
    """Matches a line that is a whole record by itself, quotes as the standard has them."""
    mark = re.escape(delimiter)
    field = rf'(?:[^"{mark}]*|"(?:[^"]|"")*")'
    return f"^{field}(?:{mark}{field})*$"


def _parse_together(
    lines: pl.Series, numbers: np.ndarray[Any, np.dtype[np.int64]], delimiter: str, width: int
) -> pl.DataFrame:
    names = [text_column(position) for position in range(width)]
    frame = pl.read_csv(
        "\n".join(lines.to_list()).encode(),
        has_header=False,
        separator=delimiter,
        quote_char='"',
        schema=dict.fromkeys(names, pl.String),
        infer_schema=False,
        missing_columns="insert",
    )
    line = pl.Series(FIRST_LINE, numbers, dtype=pl.Int64)
    if frame.height != line.len():
        raise RuntimeError(f"{line.len()} well-formed lines gave {frame.height} records")
    return frame.select(line, line.alias(LAST_LINE), *names)


def _frame(records: Sequence[_Record], width: int) -> pl.DataFrame:
    columns: dict[str, pl.Series] = {
        FIRST_LINE: pl.Series(FIRST_LINE, [r.start + 1 for r in records], dtype=pl.Int64),
        LAST_LINE: pl.Series(LAST_LINE, [r.end for r in records], dtype=pl.Int64),
    }
    for position in range(width):
        name = text_column(position)
        values = [r.cells[position] if position < len(r.cells) else None for r in records]
        columns[name] = pl.Series(name, values, dtype=pl.String)
    return pl.DataFrame(columns)


def _notes(unclosed: Sequence[int]) -> Iterator[Decision]:
    if unclosed:
        yield Decision.of(
            "quote.unclosed", "a quote that is never closed was read as a character", unclosed
        )
