"""Which delimiter and quote a text file uses: a deterministic score over its rows, with evidence.

A delimiter explains a file when many records have one width above one, and when the cells of a
column are of one kind. Nothing is learned and nothing random: the same bytes give the same choice.
"""

from __future__ import annotations

import csv
import io
import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from hybridmandate.execution.services.spreadsheets.table import INVISIBLE

DELIMITERS = (",", ";", "\t", "|", "~", "^")
QUOTES = ('"', "'")
MAX_RECORD_LINES = 200
MAX_FIELD = 1 << 20
SAMPLE_LINES = 300
CLOSE = 0.97
"""Two readings whose scores differ by less than 3 % are reported as a close call."""

_KINDS = (
    ("number", re.compile(r"[+-]?[\d., '’\u00a0]*\d(?:[eE][+-]?\d+)?\s?[%€$£]?")),
    ("date", re.compile(r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}(?:[T ]\d{1,2}:\d{2}.*)?")),
    ("code", re.compile(r"[A-Z]{1,5}[-/ ]?\d[\w-]*")),
    ("word", re.compile(r"[^\W\d_]+(?:[ -][^\W\d_]+)*")),
)


class FieldTooLong(Exception):
    """A field is longer than :data:`MAX_FIELD` characters."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """How records are written; ``chosen_by`` is ``score``, ``profile`` or ``file`` (``sep=;``)."""

    delimiter: str
    quote: str = '"'
    chosen_by: str = "score"


@dataclass(frozen=True, slots=True)
class DialectScore:
    """How well a dialect explains the sample.

    ``share`` of the filled records has the usual ``width``; ``alike`` is the mean share of the
    most frequent kind of cell in a column. ``score`` puts the three together.
    """

    delimiter: str
    score: float
    width: int
    share: float
    alike: float

    def to_json(self) -> dict[str, Any]:
        """The candidate as it stands in the result."""
        return {
            "delimiter": self.delimiter,
            "score": round(self.score, 4),
            "width": self.width,
            "shareOfRows": round(self.share, 4),
            "alikeCells": round(self.alike, 4),
        }


@dataclass(frozen=True, slots=True)
class Record:
    """A record read by itself; ``start`` and ``end`` are 0-based lines, ``end`` exclusive.

    ``flaw`` is None, ``unclosed``, ``escaped`` or ``stray``: how its quotes break the standard (RFC
    4180).
    """

    start: int
    end: int
    cells: list[str]
    flaw: str | None = None


def score_dialects(lines: Sequence[str], quote: str) -> list[DialectScore]:
    """Candidates, best first."""
    scores = [_score(lines, Dialect(delimiter, quote)) for delimiter in DELIMITERS]
    return sorted(scores, key=lambda s: (-s.score, DELIMITERS.index(s.delimiter)))


def likely_quote(lines: Sequence[str]) -> str:
    """The quote that opens and closes fields more often; the double one when neither does."""
    counts = {}
    for quote in QUOTES:
        around = re.compile(rf"(?:^|[,;\t|~^]){quote}[^{quote}]*{quote}(?=[,;\t|~^]|$)")
        counts[quote] = sum(len(around.findall(line)) for line in lines)
    return "'" if counts["'"] > counts['"'] else '"'


def _score(lines: Sequence[str], dialect: Dialect) -> DialectScore:
    filled = [
        record.cells
        for record in records(lines, dialect)
        if any(cell.strip() for cell in record.cells)
    ]
    wide = Counter(len(cells) for cells in filled if len(cells) > 1)
    if not wide:
        return DialectScore(dialect.delimiter, 0.0, 1, 0.0, 0.0)
    width, count = max(wide.items(), key=lambda item: (item[1] * math.log2(item[0]), item[0]))
    share = count / len(filled)
    alike = _alike([cells for cells in filled if len(cells) == width], width)
    score = share * math.log2(width + 1) * (0.5 + 0.5 * alike)
    return DialectScore(dialect.delimiter, score, width, share, alike)


def _alike(rows: Sequence[Sequence[str]], width: int) -> float:
    body = rows[1:] or rows
    shares = []
    for position in range(min(width, 60)):
        kinds = Counter(_kind(row[position]) for row in body)
        kinds.pop("empty", None)
        known = sum(kinds.values())
        shares.append(max(kinds.values(), default=0) / known if known else 0.5)
    return sum(shares) / len(shares)


def _kind(text: str) -> str:
    plain = text.strip(INVISIBLE)
    if not plain:
        return "empty"
    return next((kind for kind, form in _KINDS if form.fullmatch(plain)), "other")


def records(lines: Sequence[str], dialect: Dialect) -> Iterator[Record]:
    """The records of physical lines, one after the other."""
    position = 0
    while position < len(lines):
        record = one_record(lines, position, dialect)
        yield record
        position = record.end


def one_record(lines: Sequence[str], start: int, dialect: Dialect) -> Record:
    """The record that begins on a line.

    :raises FieldTooLong: see :data:`MAX_FIELD`.
    """
    line = lines[start]
    if dialect.quote not in line:
        return Record(start, start + 1, line.split(dialect.delimiter))
    stop = min(start + MAX_RECORD_LINES, len(lines))
    state = _QuoteState(dialect)
    raw = line
    for end in range(start + 1, stop + 1):
        state.feed(lines[end - 1])
        if not state.inside:
            if not state.stray:
                return Record(start, end, _parse(raw, dialect))
            escaped = _escaped(raw, start, end, dialect)
            return escaped or Record(start, end, _parse(raw, dialect), "stray")
        if end < stop:
            raw = f"{raw}\n{lines[end]}"
        if len(raw) > MAX_FIELD:
            break
    # The quote is never closed: it is a character of this line, not the start of a long field.
    unclosed = Record(start, start + 1, line.split(dialect.delimiter), "unclosed")
    return _escaped(line, start, start + 1, dialect) or unclosed


def _escaped(raw: str, start: int, end: int, dialect: Dialect) -> Record | None:
    """The record where quotes inside of fields have a backslash before them and all fits then."""
    quote = dialect.quote
    doubled = raw.replace(f"\\{quote}", quote + quote)
    if doubled == raw:
        return None
    state = _QuoteState(dialect)
    state.feed(doubled)
    if state.inside or state.stray:
        return None
    return Record(start, end, _parse(doubled, dialect), "escaped")


class _QuoteState:
    """Whether a quoted field is open after the lines seen so far; each character is seen once."""

    def __init__(self, dialect: Dialect) -> None:
        self._delimiter = dialect.delimiter
        self._quote = dialect.quote
        self.inside = False
        self.stray = False

    def feed(self, line: str) -> None:
        quote, delimiter = self._quote, self._delimiter
        position = 0
        at_start = not self.inside
        while position < len(line):
            if self.inside:
                position = line.find(quote, position)
                if position < 0:
                    return
                if line[position + 1 : position + 2] == quote:
                    position += 2
                    continue
                self.inside = False
                at_start = False
                self.stray |= line[position + 1 : position + 2] not in ("", delimiter)
            elif line[position] == quote:
                self.inside = at_start
                self.stray |= not at_start or line[position - 1 : position] == " "
            else:
                at_start = line[position] == delimiter or (at_start and line[position] == " ")
            position += 1


def _parse(raw: str, dialect: Dialect) -> list[str]:
    csv.field_size_limit(MAX_FIELD)
    reader = csv.reader(
        io.StringIO(raw, newline=""),
        delimiter=dialect.delimiter,
        quotechar=dialect.quote,
        skipinitialspace=True,
        strict=False,
    )
    try:
        return next(reader, [""])
    except csv.Error as error:
        raise FieldTooLong(str(error)) from None
