"""A file of `corpus/` and its expected reading, and the rows that most of them are written from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "corpus"
HEADER = ["Item code", "Item name", "Order date", "Amount"]
ROWS = [
    ["A-1", "Größe zwölf", "2026-03-01", "10.00"],
    ["A-2", "Café crème", "2026-03-02", "20.50"],
    ["A-3", "Zubehör", "2026-03-03", "30.25"],
    ["A-4", "Naïve", "2026-03-04", "40.00"],
]
TOTAL = "100.75"


@dataclass
class Case:
    """A file, the codes and lines of its accepted rows, the rejected lines, the rules used.

    ``refused`` is the reason code where the file is no table that can be read.
    """

    name: str
    content: bytes
    accepted: list[tuple[int, str]] = field(default_factory=list)
    rejected: list[int] = field(default_factory=list)
    rules: list[str] = field(default_factory=list)
    refused: str | None = None
    source: dict[str, str] = field(default_factory=dict)

    def expected(self) -> dict[str, Any]:
        """The reading as it stands beside the file."""
        if self.refused:
            return {"refused": self.refused}
        return {
            "accepted": [{"line": line, "itemCode": code} for line, code in self.accepted],
            "rejectedLines": self.rejected,
            "rules": sorted(self.rules),
            "source": self.source,
        }


def text(rows: Sequence[Sequence[str]], delimiter: str = ",", ending: str = "\n") -> str:
    """Rows as plain delimited text; quotes only where a cell needs them."""

    def cell(value: str) -> str:
        if any(c in value for c in (delimiter, '"', "\n", "\r")):
            return '"' + value.replace('"', '""') + '"'
        return value

    return "".join(delimiter.join(map(cell, row)) + ending for row in rows)


def codes(first_line: int = 2, rows: Sequence[Sequence[str]] = ROWS) -> list[tuple[int, str]]:
    """Accepted rows that stand line after line."""
    return [(first_line + n, row[0]) for n, row in enumerate(rows)]
