"""Finding the table in a sheet: titles, header in one or two rows, unit row, neighbours.

Everything is decided by a named rule that a profile can switch off; a sheet that allows two
readings is refused with both, never guessed (requirement S1).
"""

from __future__ import annotations

import difflib
import itertools
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from hybridmandate.execution.services.spreadsheets.profile import Profile
from hybridmandate.execution.services.spreadsheets.sheet_marks import Area
from hybridmandate.execution.services.spreadsheets.table import (
    INVISIBLE,
    Decision,
    Unreadable,
    visible,
)

HEADER_SEARCH_ROWS = 50
RULER_CELL = r"^[-=*+:|]+$"
RULER = r"[-=*]{3}"
"""A line drawn with characters: each filled cell is made of them, in one three stand together."""
RULERS = "lines drawn with characters"
FUZZY_SHARE = 0.86

_UNIT = re.compile(
    r"[\[(<].{1,20}[\])>]|%|‰|[A-Z]{3}|[€$£¥]|k?g|t|m[²³23]?|c?m|km|pcs\.?|st(?:k|ück)?\.?|h|min|s"
    r"|[kcmµ]?[a-z]{1,3}/[a-z]{1,3}[²³]?|°[CFK]?|[kMGhm](?:W|Wh|Pa|V|A|Hz|J|N|l|B)|Hz|Wh|Pa|bar|rpm"
    r"|(?:YYYY|DD|MM|TT|JJJJ)(?:[-./](?:YYYY|DD|MM|TT|JJJJ)){1,2}|text|number|date",
    re.IGNORECASE,
)
_NUMERIC = frozenset({"integer", "decimal", "money", "date", "datetime"})

Texts = Sequence[str | None]


@dataclass(frozen=True, slots=True)
class HeaderMatch:
    """A column of the profile and the column of the sheet that it was found in.

    ``how`` is ``exact``, ``alias`` or ``similar``; ``position`` is 0-based.
    """

    column: str
    header: str
    position: int
    how: str


@dataclass(frozen=True, slots=True)
class FoundTable:
    """Where the table stands: header, columns, first row of data (0-based row of the first batch).

    ``span`` are the first and last position of the table itself; what stands beside it is another.
    """

    header_line: int
    header: tuple[str | None, ...]
    first_row: int
    matches: tuple[HeaderMatch, ...]
    ignored_headers: tuple[str, ...]
    missing: tuple[str, ...]
    span: tuple[int, int]
    decisions: tuple[Decision, ...]


def find_table(rows: Sequence[Texts], lines: Sequence[int], profile: Profile) -> FoundTable:
    """The table that a profile describes, from the first rows of a sheet and their lines.

    :raises Unreadable: ``table.no_header``, ``table.ambiguous_header``,
        ``table.ambiguous_column`` or ``table.missing_columns``.
    """
    off = set(profile.structure.off)
    rows, drawn = without_rulers(rows, lines, profile.structure.off)
    row, height, header, matches = _find_header(rows, lines, profile)
    decisions = rulers_above(drawn, lines[row])
    titles = [lines[r] for r in range(row) if any(visible(t) for t in rows[r])]
    if titles and "rows.title" in off:
        raise Unreadable(
            "table.no_header", f"the header must stand first, not on line {lines[row]}"
        )
    if titles:
        decisions.append(Decision.of("rows.title", "title rows above the header", titles))
    if height == 2:
        both = [lines[row], lines[row + 1]]
        decisions.append(Decision.of("header.two_rows", "the header stands in two rows", both))
    decisions += [
        Decision.of("header.similar", f"'{m.header}' was read as column '{m.column}'", [lines[row]])
        for m in matches
        if m.how == "similar"
    ]
    first = row + height
    if "rows.units" not in off and first < len(rows) and is_unit_row(rows[first], matches, profile):
        decisions.append(Decision.of("rows.units", "units below the header", [lines[first]]))
        first += 1
    span = _span(header, rows[first:], matches)
    beside = [
        t.strip(INVISIBLE)
        for p, t in enumerate(header)
        if t and visible(t) and not span[0] <= p <= span[1]
    ]
    if beside and "columns.second_table" not in off:
        message = f"another table beside it, behind an empty column: {', '.join(beside)}"
        decisions.append(Decision.of("columns.second_table", message, [lines[row]]))
    else:
        span = (0, max(len(header) - 1, 0))
    taken = {m.position for m in matches}
    found = {m.column for m in matches}
    missing = tuple(name for name in profile.columns if name not in found)
    ignored = tuple(
        t.strip(INVISIBLE)
        for p, t in enumerate(header)
        if p not in taken and t is not None and visible(t)
    )
    unknown = [text for text in ignored if text not in beside or "columns.second_table" in off]
    if unknown:
        message = f"columns that the profile does not name: {', '.join(unknown)[:500]}"
        decisions.append(Decision.of("columns.ignored", message, [lines[row]]))
    needed = [name for name in missing if profile.columns[name].required]
    if needed:
        raise Unreadable(
            "table.missing_columns",
            f"the table (header on line {lines[row]}) has no column for {', '.join(needed)}",
        )
    if missing:
        message = f"no column of the file is {', '.join(missing)}: empty in every row"
        decisions.append(Decision.of("columns.missing", message, [lines[row]]))
    return FoundTable(
        header_line=lines[row],
        header=tuple(header),
        first_row=first,
        matches=tuple(matches),
        ignored_headers=ignored,
        missing=missing,
        span=span,
        decisions=tuple(decisions),
    )


def without_rulers(
    rows: Sequence[Texts], lines: Sequence[int], off: Iterable[str]
) -> tuple[Sequence[Texts], list[int]]:
    """Rows in which lines drawn with characters are empty, and on which lines those stand."""
    if "rows.ruler" in off:
        return rows, []
    drawn = {number for number, row in enumerate(rows) if _is_ruler(row)}
    if not drawn:
        return rows, []
    without = [[None] * len(row) if n in drawn else row for n, row in enumerate(rows)]
    return without, [lines[number] for number in sorted(drawn)]


def rulers_above(drawn: Sequence[int], header_line: int) -> list[Decision]:
    """The decision on drawn lines above a header; those below it are marked with the rows."""
    above = [line for line in drawn if line < header_line]
    return [Decision.of("rows.ruler", RULERS, above)] if above else []


def _is_ruler(row: Texts) -> bool:
    three_together = False
    for text in row:
        if text is None or not visible(text):
            continue
        if re.fullmatch(RULER_CELL, text.strip(INVISIBLE)) is None:
            return False
        three_together |= re.search(RULER, text) is not None
    return three_together


def lower_merged_headings(texts: list[list[str | None]], areas: Iterable[Area]) -> None:
    """A heading merged over several rows stands in the last of them: where its column begins."""
    for top, left, bottom, right in areas:
        if bottom > top and left == right and bottom < len(texts) and left < len(texts[top]):
            texts[bottom][left], texts[top][left] = texts[top][left], None


def match_headers(header: Texts, profile: Profile) -> list[HeaderMatch]:
    """Columns of a profile found in a row of texts: by name, by alias, or by likeness."""
    known: dict[str, tuple[str, str]] = {}
    for name, column in profile.columns.items():
        known[normal(name)] = (name, "exact")
        for alias in column.aliases:
            known.setdefault(normal(alias), (name, "alias"))
    matches: dict[str, HeaderMatch] = {}
    undecided: list[tuple[int, str]] = []
    for position, text in enumerate(header):
        if text is None or not visible(text):
            continue
        found = known.get(normal(text))
        if found is None:
            undecided.append((position, text))
        elif found[0] not in matches:
            matches[found[0]] = HeaderMatch(found[0], text.strip(INVISIBLE), position, found[1])
    if "header.similar" not in profile.structure.off:
        for position, written in undecided:
            # A text with digits is data far more often than a heading written wrongly.
            if any(c.isdigit() for c in written):
                continue
            near = difflib.get_close_matches(normal(written), known, n=1, cutoff=FUZZY_SHARE)
            likely = known[near[0]][0] if near else None
            if likely is not None and likely not in matches:
                matches[likely] = HeaderMatch(likely, written.strip(INVISIBLE), position, "similar")
    return [matches[name] for name in profile.columns if name in matches]


def normal(text: str) -> str:
    """A header without case, accents, spaces and punctuation, for comparing."""
    plain = unicodedata.normalize("NFKD", text)
    return "".join(c for c in plain.casefold() if c.isalnum())


Candidate = tuple[int, int, list[str | None], list[HeaderMatch]]


def _find_header(rows: Sequence[Texts], lines: Sequence[int], profile: Profile) -> Candidate:
    candidates: list[Candidate] = []
    for row in range(min(len(rows), HEADER_SEARCH_ROWS)):
        texts = [t if t is None else t[:200] for t in rows[row]]
        candidates.append((row, 1, texts, match_headers(texts, profile)))
    if "header.two_rows" not in profile.structure.off:
        candidates += _two_rows(candidates, profile)
    best = max(candidates, key=lambda c: (_score(c[3]), -c[1], -c[0]), default=None)
    if best is None or len(best[3]) < min(2, len(profile.columns)):
        raise Unreadable(
            "table.no_header",
            f"no row in the first {HEADER_SEARCH_ROWS} names the columns of profile "
            f"'{profile.label}'; it needs {', '.join(_required(profile))}",
        )
    rivals = [
        c
        for c in candidates
        if c[1] == 1 and _score(c[3]) == _score(best[3]) and _places(c) != _places(best)
    ]
    if rivals:
        shown = [f"header on line {lines[c[0]]}: {_shown(c[2])}" for c in (best, *rivals)]
        raise Unreadable("table.ambiguous_header", "more than one row can be the header", shown)
    _refuse_twin_columns(best, lines)
    return best


def _two_rows(singles: Sequence[Candidate], profile: Profile) -> list[Candidate]:
    """Pairs of rows that together name more columns than either of them does."""
    found = []
    for above, below in itertools.pairwise(singles):
        # Numbers do not stand in headers: such a row below is data.
        if not any(visible(t) for t in above[2]) or any(
            t and any(c.isdigit() for c in t) for t in below[2]
        ):
            continue
        group: str | None = None
        joined: list[str | None] = []
        for top, bottom in zip(above[2], below[2], strict=False):
            group = top if visible(top) else group
            if visible(top) and visible(bottom):
                joined.append(f"{top} {bottom}")
            elif visible(bottom):
                joined.append(f"{group} {bottom}" if group else bottom)
            else:
                joined.append(top)
        own = match_headers(joined, profile)
        names = {m.column for m in own}
        own += [m for m in below[3] if m.column not in names and m.how != "similar"]
        ordered = [m for name in profile.columns for m in own if m.column == name]
        if _score(ordered) > max(_score(above[3]), _score(below[3])) and above[3] is not below[3]:
            found.append((above[0], 2, joined, ordered))
    return found


def _refuse_twin_columns(best: Candidate, lines: Sequence[int]) -> None:
    for match in best[3]:
        twins = [
            position
            for position, text in enumerate(best[2])
            if text and normal(text) == normal(match.header)
        ]
        if len(twins) > 1 and match.how != "similar":
            shown = [f"column {p + 1} of line {lines[best[0]]}: '{match.header}'" for p in twins]
            raise Unreadable(
                "table.ambiguous_column",
                f"{len(twins)} columns are headed '{match.header}': which one is it?",
                shown,
            )


def _places(candidate: Candidate) -> tuple[tuple[str, int], ...]:
    return tuple((m.column, m.position) for m in candidate[3])


def _shown(texts: Texts) -> str:
    return " | ".join(t for t in texts if t and visible(t))[:200]


def _score(matches: Sequence[HeaderMatch]) -> float:
    return sum(1.0 if m.how != "similar" else 0.5 for m in matches)


def _required(profile: Profile) -> list[str]:
    names = [name for name, column in profile.columns.items() if column.required]
    return names or list(profile.columns)


def is_unit_row(row: Texts, matches: Sequence[HeaderMatch], profile: Profile) -> bool:
    """Whether a row below the header holds units.

    Every filled cell is a unit, one of them in a column of numbers or dates.
    """
    filled = [t.strip(INVISIBLE) for t in row if t is not None and visible(t)]
    if not filled or not all(_UNIT.fullmatch(text) for text in filled):
        return False
    return any(
        profile.columns[m.column].type in _NUMERIC and visible(row[m.position])
        for m in matches
        if m.position < len(row)
    )


def column_blocks(header: Texts, body: Sequence[Texts]) -> list[tuple[int, int]]:
    """First and last position of the groups of columns that empty columns set apart."""
    blocks: list[tuple[int, int]] = []
    for position in range(len(header)):
        filled = visible(header[position]) or any(
            visible(row[position]) for row in body if position < len(row)
        )
        if not filled:
            continue
        if blocks and blocks[-1][1] == position - 1:
            blocks[-1] = (blocks[-1][0], position)
        else:
            blocks.append((position, position))
    return blocks


def _span(header: Texts, body: Sequence[Texts], matches: Sequence[HeaderMatch]) -> tuple[int, int]:
    """The positions around the matched columns up to a column that is empty from top to bottom."""
    first, last = min(m.position for m in matches), max(m.position for m in matches)
    touched = [b for b in column_blocks(header, body) if b[0] <= last and b[1] >= first]
    return touched[0][0], touched[-1][1]
