"""A file as it is understood without any profile: what `mandate read` shows.

The same as one public function for Python callers: :func:`inspect_file`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hybridmandate.execution.services.spreadsheets.reading import read_file
from hybridmandate.execution.services.spreadsheets.table import (
    FIRST_LINE,
    INVISIBLE,
    Decision,
    Sheet,
    visible,
)

HEAD_ROWS = 200
_MARKS = set("0123456789@")


@dataclass(frozen=True, slots=True)
class InspectedTable:
    """A table as it was understood: header, its line, the rows below with their lines.

    ``decisions`` say what was left out, by which rule, with lines.
    """

    source: dict[str, Any]
    header: tuple[str, ...]
    header_line: int
    lines: tuple[int, ...]
    rows: tuple[tuple[str | None, ...], ...]
    decisions: tuple[Decision, ...]

    def to_json(self) -> dict[str, Any]:
        """The table as JSON values."""
        return {
            "source": self.source,
            "header": list(self.header),
            "headerLine": self.header_line,
            "rows": [
                {"line": line, "cells": list(cells)}
                for line, cells in zip(self.lines, self.rows, strict=True)
            ],
            "decisions": [
                {"rule": d.rule, "message": d.message, "lines": list(d.lines), "count": d.count}
                for d in self.decisions
            ],
        }


def inspect_file(content: bytes | Path) -> InspectedTable:
    """Read a file of any kind: dialect, structure, header, rows; nothing is judged.

    The header is the first of the widest run of rows without numbers above rows of the same width.
    :raises Unreadable: when the file is no table.
    """
    sheet = read_file(content)
    texts = [sheet.texts(row) for row in range(min(sheet.height, HEAD_ROWS))]
    header = _header_row(texts)
    lines = sheet.frame[FIRST_LINE]
    decisions = list(sheet.notes)
    titles = [int(lines[r]) for r in range(header) if any(visible(t) for t in texts[r])]
    if titles:
        decisions.append(Decision.of("rows.title", "title rows above the header", titles))
    kept: list[int] = []
    cells: list[tuple[str | None, ...]] = []
    blank: list[int] = []
    repeated: list[int] = []
    for line, row in _body(sheet, header):
        if not any(visible(t) for t in row):
            blank.append(line)
        elif row == tuple(texts[header]):
            repeated.append(line)
        else:
            kept.append(line)
            cells.append(row)
    if blank:
        decisions.append(Decision.of("rows.blank", "rows that hold nothing visible", blank))
    if repeated:
        message = "the header repeated among the rows"
        decisions.append(Decision.of("rows.repeated_header", message, repeated))
    return InspectedTable(
        source=dict(sheet.source),
        header=tuple((t or "").strip(INVISIBLE) for t in texts[header]),
        header_line=int(lines[header]),
        lines=tuple(kept),
        rows=tuple(cells),
        decisions=tuple(decisions),
    )


def _body(sheet: Sheet, header: int) -> Iterator[tuple[int, tuple[str | None, ...]]]:
    names = [FIRST_LINE, *(f"t{position}" for position in range(sheet.width))]
    for row in sheet.frame.slice(header + 1).select(names).iter_rows():
        yield row[0], tuple(row[1:])


def _header_row(texts: list[list[str | None]]) -> int:
    """The first row that is filled as widely as most rows, all words; else the first so filled."""
    filled = [sum(visible(t) for t in row) for row in texts]
    widest = max(filled)
    wide = [n for n, count in enumerate(filled) if count >= max(1, widest - widest // 4)]
    for row in wide[:20]:
        words = [t for t in texts[row] if t is not None and visible(t)]
        if not any(_is_value(t) for t in words) and len(set(words)) == len(words):
            return row
    return wide[0]


def _is_value(text: str) -> bool:
    digits = sum(c in _MARKS for c in text)
    return digits * 2 > len(text.strip(INVISIBLE))
