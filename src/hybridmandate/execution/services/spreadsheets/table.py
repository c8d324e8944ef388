"""A sheet as it was read: texts in columns, each row with the line on which it stood.

Everything after the readers works on whole columns; a row is looked at singly only when it failed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

import polars as pl


class CellKind(IntEnum):
    """What a cell was in its file; text files know only text."""

    TEXT = 0
    NUMBER = 1
    DATE = 2
    BOOLEAN = 3
    ERROR = 4
    UNCALCULATED = 5


FIRST_LINE = "first_line"
LAST_LINE = "last_line"


def text_column(position: int) -> str:
    """Name of the column of texts at a 0-based position."""
    return f"t{position}"


def kind_column(position: int) -> str:
    """Name of the column of :class:`CellKind` values at a 0-based position."""
    return f"k{position}"


@dataclass(frozen=True, slots=True)
class Sheet:
    """A table of texts.

    ``frame`` has ``first_line`` and ``last_line`` (1-based physical lines, or worksheet rows) and
    ``t0 … tN`` (texts, null where a row was too short); for workbooks also ``k0 … kN``.
    ``source`` says how it was read, for people and for the result.
    """

    frame: pl.DataFrame
    width: int
    has_kinds: bool
    source: Mapping[str, Any]
    notes: Sequence[Decision] = field(default_factory=tuple)

    @property
    def height(self) -> int:
        """The number of rows, title and blank rows included."""
        return self.frame.height

    def texts(self, row: int) -> list[str | None]:
        """The cells of one row."""
        values = self.frame.row(row, named=True)
        return [values[text_column(each)] for each in range(self.width)]


@dataclass(frozen=True, slots=True)
class Decision:
    """Something that was skipped, joined or assumed, and the rule that did it.

    ``lines`` are 1-based; at most the first hundred are listed, ``count`` counts all.
    """

    rule: str
    message: str
    lines: tuple[int, ...]
    count: int

    @classmethod
    def of(cls, rule: str, message: str, lines: Sequence[int]) -> Decision:
        """A decision on lines; keeps the first hundred."""
        return cls(rule, message, tuple(lines[:100]), len(lines))


class Unreadable(Exception):
    """A file that is not a table that can be read; ``reason`` is a stable code."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
