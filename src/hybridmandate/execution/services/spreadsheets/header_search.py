"""Finding a header without any profile: by the shape of the rows, or not at all.

A heading is words above cells of another kind. What allows two readings is refused with both.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from hybridmandate.execution.services.spreadsheets.table import (
    INVISIBLE,
    Decision,
    Unreadable,
    visible,
)

SEARCHED_ROWS = 200
_CANDIDATES = 30
_WIDE_ENOUGH = 0.75
_MARKS = set("0123456789@")
_YEAR = re.compile(r"(?:19|20)\d\d(?:\s?[-/]\s?\d{2,4})?|Q[1-4]\W?(?:\d{2,4})?", re.IGNORECASE)

Texts = Sequence[str | None]


@dataclass(frozen=True, slots=True)
class Header:
    """Headings and where they stand: 0-based first row, one or two rows high, or none (0)."""

    row: int
    height: int
    texts: tuple[str, ...]
    decisions: tuple[Decision, ...]


def find_header(
    rows: Sequence[Texts], lines: Sequence[int], off: Sequence[str], declared: int | None = None
) -> Header:
    """The header in the first rows of a sheet, or on a declared line.

    :raises Unreadable: ``table.no_header`` for a declared line that is not there or when titles
        are switched off, ``table.ambiguous_header`` when a second row is as good.
    """
    if declared is not None:
        if declared not in lines[: len(rows)]:
            raise Unreadable("table.no_header", f"no record begins on line {declared}")
        named = lines.index(declared)
        return Header(named, 1, _plain(rows[named]), _titles(rows, lines, named))
    wide = _wide_rows(rows)
    headings = _first_of_headings(rows, wide)
    if headings is None:
        first = wide[0]
        width = max(len(each) for each in rows)
        names = tuple(f"column {n + 1}" for n in range(width))
        message = "no row holds headings: the columns are numbered"
        note = Decision.of("header.none", message, [lines[first]])
        return Header(first, 0, names, (*_titles(rows, lines, first), note))
    found = Header(headings, 1, _plain(rows[headings]), ())
    if "header.two_rows" not in off:
        found = _with_second_row(rows, lines, found)
    if "rows.title" in off and any(_seen(each) for each in rows[: found.row]):
        raise Unreadable(
            "table.no_header", f"the header must stand first, not on line {lines[found.row]}"
        )
    words = [text for text in found.texts if text]
    decisions = [*_titles(rows, lines, found.row), *found.decisions]
    twins = [word for word, count in Counter(words).items() if count > 1]
    if twins:
        message = f"several columns have one heading: {', '.join(twins[:10])}"
        decisions.append(Decision.of("header.repeated_names", message, [lines[found.row]]))
    return Header(found.row, found.height, found.texts, tuple(decisions))


def is_value(text: str) -> bool:
    """Whether a cell is mostly digits: an amount, a date, a number."""
    plain = text.strip(INVISIBLE)
    return sum(c in _MARKS for c in plain) * 2 > len(plain)


def holds_headings(texts: Texts, below: Sequence[Texts]) -> bool:
    """Whether a row's filled cells are all words, or years above what are no years."""
    cells = [(p, t) for p, t in enumerate(texts) if t is not None and visible(t)]
    words = [t for _, t in cells if not is_value(t)]
    if not words:
        return False
    return all(
        not is_value(t) or (_YEAR.fullmatch(t.strip(INVISIBLE)) and not _years_below(below, p))
        for p, t in cells
    )


def _years_below(rows: Sequence[Texts], position: int) -> bool:
    cells = [row[position] for row in rows[:20] if position < len(row)]
    filled = [t for t in cells if t is not None and visible(t)]
    years = sum(_YEAR.fullmatch(t.strip(INVISIBLE)) is not None for t in filled)
    return not filled or years * 2 > len(filled)


def _seen(texts: Texts) -> int:
    return sum(visible(t) for t in texts)


def _wide_rows(rows: Sequence[Texts]) -> list[int]:
    """Rows about as wide as the table: the width that explains the most cells."""
    filled = [_seen(row) for row in rows]
    counts = Counter(count for count in filled if count)
    usual = max(counts, key=lambda width: (width * min(counts[width], 50), width))
    enough = max(1, round(usual * _WIDE_ENOUGH))
    return [n for n, count in enumerate(filled) if count >= enough]


def _first_of_headings(rows: Sequence[Texts], wide: Sequence[int]) -> int | None:
    """The first wide row of headings that no row of values stands above."""
    for row in wide[:_CANDIDATES]:
        below = rows[row + 1 :]
        if holds_headings(rows[row], below):
            return _fuller_row_below(rows, row)
        if _values(rows[row]) >= 2 or (_values(rows[row]) and _seen(rows[row]) <= 2):
            return _with_gaps_above(rows, row)
    return None


def _with_gaps_above(rows: Sequence[Texts], row: int) -> int | None:
    """The row right above the first values, if it names at least half of the columns.

    A single word in the first column is a title; above the second one it is a heading.
    """
    above = rows[row - 1] if row else ()
    words = [t for t in above if visible(t)]
    named = 2 * len(words) >= _seen(rows[row]) and len(set(words)) == len(words)
    if not words or not named or not holds_headings(above, rows[row:]):
        return None
    return row - 1 if len(words) > 1 or not visible(above[0]) else None


def _fuller_row_below(rows: Sequence[Texts], row: int) -> int:
    """Of rows of words that follow each other, the fullest one that stands right above values.

    Remarks may be spread over the cells of the rows above a table.
    """
    best = row
    for following in range(row + 1, min(row + _CANDIDATES, len(rows))):
        below = rows[following + 1 :]
        if not _seen(rows[following]) or not holds_headings(rows[following], below):
            break
        fuller = _seen(rows[following]) > _seen(rows[best])
        if fuller and _values_under(rows[following], below):
            best = following
    return best


def _values(texts: Texts) -> int:
    return sum(is_value(t) for t in texts if t is not None and visible(t))


def _with_second_row(rows: Sequence[Texts], lines: Sequence[int], found: Header) -> Header:
    """The row above or below belongs to the header too, when the two complete each other.

    The upper row has gaps that the lower one fills, no cell of either is a value, and the lower row
    has a word or a gap where values stand below it. A lower row that names every column by itself
    is the header alone, unless the row above repeats a word over neighbours, as groups do.
    """
    for top in (found.row - 1, found.row):
        if top < 0 or top + 1 >= len(rows):
            continue
        upper, lower = rows[top], rows[top + 1]
        if _sufficient(upper, lower):
            continue
        if _complete_each_other(upper, lower) and _values_under(lower, rows[top + 2 :]):
            both = [lines[top], lines[top + 1]]
            note = Decision.of("header.two_rows", "the header stands in two rows", both)
            return Header(top, 2, _joined(upper, lower), (note,))
    return found


def _sufficient(upper: Texts, lower: Texts) -> bool:
    """Whether the lower row names every column by itself, and the upper one does not group them."""
    names = [t for t in _plain(lower) if t]
    columns = sum(visible(a) or visible(b) for a, b in zip(upper, lower, strict=False))
    grouped = any(a and a == b for a, b in pairwise(_plain(upper)))
    return len(names) == columns and len(set(names)) == len(names) and not grouped


def _complete_each_other(upper: Texts, lower: Texts) -> bool:
    if _seen(upper) < 2 or not _seen(lower) or _values(lower) or _values(upper):
        return False
    pairs = list(zip(upper, lower, strict=False))
    filled_by_lower = any(visible(b) and not visible(a) for a, b in pairs)
    last = max(p for p, (a, b) in enumerate(pairs) if visible(a) or visible(b))
    return filled_by_lower and all(visible(a) or visible(b) for a, b in pairs[: last + 1])


def _values_under(lower: Texts, body: Sequence[Texts]) -> bool:
    return any(values_below(body, position) for position in range(len(lower)))


def values_below(rows: Sequence[Texts], position: int) -> bool:
    """Whether most of the filled cells of a column, in its next rows, are values."""
    cells = [row[position] for row in rows[:20] if position < len(row)]
    filled = [t for t in cells if t is not None and visible(t)]
    return bool(filled) and sum(is_value(t) for t in filled) * 2 > len(filled)


def _joined(upper: Texts, lower: Texts) -> tuple[str, ...]:
    group = ""
    names = []
    for top, bottom in zip(_plain(upper), _plain(lower), strict=False):
        group = top or group
        names.append(f"{group} {bottom}".strip() if bottom else top)
    return tuple(names)


def _plain(texts: Texts) -> tuple[str, ...]:
    return tuple((t or "").strip(INVISIBLE) for t in texts)


def _titles(rows: Sequence[Texts], lines: Sequence[int], row: int) -> tuple[Decision, ...]:
    above = [lines[n] for n in range(row) if _seen(rows[n])]
    if not above:
        return ()
    return (Decision.of("rows.title", "title rows above the header", above),)
