"""A sheet as it was read: texts in columns, each row with the lines on which it stood.

Everything after the readers works on whole columns; a row is looked at singly only when it failed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
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
START = "start_byte"
END = "end_byte"
"""Byte offsets of a text record in the decoded content (UTF-8), without its line end."""

SHORT_ROWS = "rows with fewer cells than the header: the missing cells are empty"

HIDDEN = "row_hidden"
"""Whether a worksheet's row is hidden; the column is there when any row of the sheet is."""

INVISIBLE = "\u00a0\u200b\u200c\u200d\u2060\ufeff \t\r\n\v\f\u2007\u202f"
"""Characters that make a cell look empty."""


def text_column(position: int) -> str:
    """Name of the column of texts at a 0-based position."""
    return f"t{position}"


def kind_column(position: int) -> str:
    """Name of the column of :class:`CellKind` values at a 0-based position."""
    return f"k{position}"


def visible(text: str | None) -> bool:
    """Whether a person sees anything in the cell."""
    return text is not None and text.strip(INVISIBLE) != ""


def filled_cell(name: str, columns: Sequence[str]) -> pl.Expr:
    """Whether a cell holds anything; a formula without a stored value does, though no text."""
    seen = pl.col(name).str.strip_chars(INVISIBLE).fill_null("") != ""
    kind = kind_column(int(name[1:]))
    return seen | (pl.col(kind) == int(CellKind.UNCALCULATED)) if kind in columns else seen


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
        return cls(rule, message, tuple(int(each) for each in lines[:100]), len(lines))


class DecisionLog:
    """Decisions of one reading, joined by rule and message across batches, in order of arrival."""

    def __init__(self, decisions: Iterable[Decision] = ()) -> None:
        self._found: dict[tuple[str, str], Decision] = {}
        for each in decisions:
            self.add(each)

    def add(self, decision: Decision) -> None:
        """Keep a decision; one that is there already grows by the new lines."""
        key = (decision.rule, decision.message)
        known = self._found.get(key)
        if known is not None:
            lines = (*known.lines, *decision.lines)[:100]
            decision = Decision(*key, lines, known.count + decision.count)
        self._found[key] = decision

    def all(self) -> tuple[Decision, ...]:
        """Every decision so far."""
        return tuple(self._found.values())


class Unreadable(Exception):
    """A file that is not a table that can be read; ``reason`` is a stable code.

    ``candidates`` are the readings between which the file leaves the choice open: texts for people.
    """

    def __init__(self, reason: str, message: str, candidates: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.candidates = tuple(candidates)


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows of a sheet in file order.

    ``frame`` has ``first_line`` and ``last_line`` (1-based physical lines, or worksheet rows),
    ``t0 … tN`` (texts, null where a row was too short), for text files ``start_byte`` and
    ``end_byte``, for workbooks ``k0 … kN`` and, where rows are hidden, ``row_hidden``. ``notes``
    are the flaws that the reader met in these rows.
    """

    frame: pl.DataFrame
    width: int
    notes: tuple[Decision, ...] = ()


@dataclass(frozen=True, slots=True)
class Reading:
    """A file being read: what is known before the rows, and the rows in batches.

    ``batches`` gives makers of batches in file order, so that they may be made side by side.
    ``merged`` are merged areas as (first row, first column, last row, last column), 0-based.
    """

    source: dict[str, Any]
    notes: tuple[Decision, ...]
    has_kinds: bool
    batches: Iterable[Callable[[], Batch]]
    merged: tuple[tuple[int, int, int, int], ...] = ()
    rows_hint: int | None = None


@dataclass(frozen=True, slots=True)
class Sheet:
    """A whole table of texts in memory; the columns are those of :class:`Batch`.

    ``source`` says how it was read, for people and for the result.
    """

    frame: pl.DataFrame
    width: int
    has_kinds: bool
    source: Mapping[str, Any]
    notes: Sequence[Decision] = field(default_factory=tuple)
    merged: tuple[tuple[int, int, int, int], ...] = ()

    @property
    def height(self) -> int:
        """The number of rows, title and blank rows included."""
        return self.frame.height

    def texts(self, row: int) -> list[str | None]:
        """The cells of one row."""
        values = self.frame.row(row, named=True)
        return [values[text_column(each)] for each in range(self.width)]


def whole_sheet(reading: Reading) -> Sheet:
    """All batches of a reading as one sheet."""
    log = DecisionLog(reading.notes)
    frames = []
    width = 0
    for make in reading.batches:
        batch = make()
        frames.append(batch.frame)
        width = max(width, batch.width)
        for each in batch.notes:
            log.add(each)
    frame = frames[0] if len(frames) == 1 else pl.concat(frames, how="diagonal")
    return Sheet(frame, width, reading.has_kinds, reading.source, log.all(), reading.merged)
