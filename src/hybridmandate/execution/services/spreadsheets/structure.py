"""Finding the table in a sheet: titles, header, repeated headers, blanks, totals, footers.

Every row that is left out is left out by a named rule that reports its lines; a sheet in which no
header can be found is refused with what was seen, never guessed (requirement S1).
"""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from hybridmandate.execution.services.spreadsheets.profile import Profile
from hybridmandate.execution.services.spreadsheets.table import (
    FIRST_LINE,
    Decision,
    Sheet,
    Unreadable,
    text_column,
)

HEADER_SEARCH_ROWS = 50
FUZZY_SHARE = 0.86

INVISIBLE = "\u00a0\u200b\u200c\u200d\u2060\ufeff \t\r\n\v\f\u2007\u202f"
"""Characters that make a cell look empty."""

_TOTAL = re.compile(
    r"(?:grand\s+|sub[\s-]?)?totals?|sum|summe|gesamt(?:summe)?|zwischensumme|total\s+g[ée]n[ée]ral",
    re.IGNORECASE,
)


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
    """The data rows of a sheet and where each column of the profile stands in them."""

    rows: pl.DataFrame
    header_line: int
    matches: tuple[HeaderMatch, ...]
    ignored_headers: tuple[str, ...]
    missing: tuple[str, ...]
    decisions: tuple[Decision, ...]


def find_table(sheet: Sheet, profile: Profile) -> FoundTable:
    """The table that a profile describes.

    :raises Unreadable: ``table.no_header`` when no row names the profile's columns.
    """
    decisions = list(sheet.notes)
    header_row, matches = _find_header(sheet, profile)
    header = sheet.texts(header_row)
    lines = sheet.frame[FIRST_LINE]
    titles = [
        int(lines[row]) for row in range(header_row) if any(_visible(t) for t in sheet.texts(row))
    ]
    if titles:
        decisions.append(Decision.of("rows.title", "title rows above the header", titles))
    decisions.extend(
        Decision.of(
            "header.similar",
            f"'{m.header}' was read as column '{m.column}'",
            [int(lines[header_row])],
        )
        for m in matches
        if m.how == "similar"
    )
    rows, left_out = _data_rows(sheet, header_row, matches)
    decisions.extend(left_out)
    taken = {m.position for m in matches}
    ignored = tuple(
        text.strip(INVISIBLE)
        for position, text in enumerate(header)
        if position not in taken and text is not None and _visible(text)
    )
    found = {m.column for m in matches}
    return FoundTable(
        rows=rows,
        header_line=int(lines[header_row]),
        matches=tuple(matches),
        ignored_headers=ignored,
        missing=tuple(name for name in profile.columns if name not in found),
        decisions=tuple(decisions),
    )


def match_headers(header: Sequence[str | None], profile: Profile) -> list[HeaderMatch]:
    """Columns of a profile found in a row of texts: by name, by alias, or by likeness."""
    known: dict[str, tuple[str, str]] = {}
    for name, column in profile.columns.items():
        known[normal(name)] = (name, "exact")
        for alias in column.aliases:
            known.setdefault(normal(alias), (name, "alias"))
    matches: dict[str, HeaderMatch] = {}
    undecided: list[tuple[int, str]] = []
    for position, text in enumerate(header):
        if text is None or not _visible(text):
            continue
        found = known.get(normal(text))
        if found is None:
            undecided.append((position, text))
        elif found[0] not in matches:
            matches[found[0]] = HeaderMatch(found[0], text.strip(INVISIBLE), position, found[1])
    for position, written in undecided:
        near = difflib.get_close_matches(normal(written), known, n=1, cutoff=FUZZY_SHARE)
        likely = known[near[0]][0] if near else None
        if likely is not None and likely not in matches:
            matches[likely] = HeaderMatch(likely, written.strip(INVISIBLE), position, "similar")
    return [matches[name] for name in profile.columns if name in matches]


def normal(text: str) -> str:
    """A header without case, accents, spaces and punctuation, for comparing."""
    plain = unicodedata.normalize("NFKD", text)
    return "".join(c for c in plain.casefold() if c.isalnum())


def _find_header(sheet: Sheet, profile: Profile) -> tuple[int, list[HeaderMatch]]:
    best: tuple[int, list[HeaderMatch]] | None = None
    for row in range(min(sheet.height, HEADER_SEARCH_ROWS)):
        matches = match_headers(sheet.texts(row), profile)
        if best is None or _header_score(matches) > _header_score(best[1]):
            best = (row, matches)
    needed = min(2, len(profile.columns))
    if best is None or len(best[1]) < needed:
        raise Unreadable(
            "table.no_header",
            f"no row in the first {HEADER_SEARCH_ROWS} names the columns of profile "
            f"'{profile.label}'; it needs {', '.join(_required(profile))}",
        )
    return best


def _header_score(matches: Sequence[HeaderMatch]) -> float:
    return sum(1.0 if m.how != "similar" else 0.5 for m in matches)


def _required(profile: Profile) -> list[str]:
    names = [name for name, column in profile.columns.items() if column.required]
    return names or list(profile.columns)


def _data_rows(
    sheet: Sheet, header_row: int, matches: Sequence[HeaderMatch]
) -> tuple[pl.DataFrame, list[Decision]]:
    body = sheet.frame.slice(header_row + 1)
    every = [text_column(position) for position in range(sheet.width)]
    own = [text_column(m.position) for m in matches]
    visible = [pl.col(name).str.strip_chars(INVISIBLE).fill_null("") != "" for name in every]
    header = [sheet.texts(header_row)[m.position] for m in matches]
    flags = body.select(
        blank=~pl.any_horizontal(visible),
        repeated=pl.all_horizontal(
            [pl.col(n).eq_missing(pl.lit(h)) for n, h in zip(own, header, strict=True)]
        ),
        total=_is_total(every, own),
        footer=~pl.any_horizontal(
            [pl.col(n).str.strip_chars(INVISIBLE).fill_null("") != "" for n in own[1:] or own]
        )
        & (pl.sum_horizontal(visible) == 1),
    )
    blank = flags["blank"]
    repeated = flags["repeated"] & ~blank
    total = flags["total"] & ~blank & ~repeated
    footer = _trailing(flags["footer"] & ~total, blank | total) & ~repeated
    decisions = [
        Decision.of(rule, message, [int(x) for x in body[FIRST_LINE].filter(mask)])
        for rule, message, mask in (
            ("rows.blank", "rows that hold nothing visible", blank),
            ("rows.repeated_header", "the header repeated among the rows", repeated),
            ("rows.total", "total lines: a total's label in a row without its own key", total),
            ("rows.footer", "remarks below the last row", footer),
        )
        if mask.any()
    ]
    return body.filter(~(blank | repeated | total | footer)), decisions


def _is_total(every: Sequence[str], own: Sequence[str]) -> pl.Expr:
    """A row labelled as a total, in which at least half of the profile's columns are empty."""
    label = rf"(?i)^\s*(?:{_TOTAL.pattern})\s*[:=]?\s*$"
    labelled = pl.any_horizontal(
        [pl.col(n).str.strip_chars(INVISIBLE).str.contains(label).fill_null(False) for n in every]
    )
    filled = pl.sum_horizontal(
        [pl.col(n).str.strip_chars(INVISIBLE).fill_null("") != "" for n in own]
    )
    return labelled & (filled * 2 <= len(own))


def _trailing(candidates: pl.Series, neutral: pl.Series) -> pl.Series:
    """The candidates that have only candidates and neutral rows below them."""
    from_below = (candidates | neutral).reverse().cast(pl.Int8).cum_min().reverse()
    return candidates & (from_below == 1)


def _visible(text: str | None) -> bool:
    return text is not None and text.strip(INVISIBLE) != ""
