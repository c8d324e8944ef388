"""A judged batch: its rows as they were sent, their values, what is wrong with them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import polars as pl

from hybridmandate.execution.services.spreadsheets.batch_store import (
    ChangedTexts,
    StoredTexts,
    TextsInFile,
)
from hybridmandate.execution.services.spreadsheets.body_rows import RowMarks
from hybridmandate.execution.services.spreadsheets.column_checks import Check
from hybridmandate.execution.services.spreadsheets.duplicates import KeyHashes
from hybridmandate.execution.services.spreadsheets.record_chunk import RecordChunk
from hybridmandate.execution.services.spreadsheets.record_scan import Numbers
from hybridmandate.execution.services.spreadsheets.table import Decision

Rows = np.ndarray[Any, np.dtype[np.int64]]


@dataclass(frozen=True, slots=True)
class RecordBytes:
    """The bytes of a chunk, and where each record begins and ends in them, without line end."""

    data: bytes
    starts: Numbers
    ends: Numbers


class RowTexts(StoredTexts, Protocol):
    """The rows of a batch as they were sent."""

    @property
    def records(self) -> RecordBytes | None:
        """Their bytes; None for the rows of a workbook."""

    def stored(self, kept: pl.Series | None) -> StoredTexts | None:
        """How some of the rows (None: all) can be read later; None when they must be kept."""


@dataclass(frozen=True, slots=True)
class TextsInFrame:
    """Rows of a workbook."""

    rows: pl.DataFrame

    @property
    def records(self) -> RecordBytes | None:
        return None

    def frame(self, columns: Sequence[str] | None) -> pl.DataFrame:
        return self.rows if columns is None else self.rows.select(columns)

    def stored(self, kept: pl.Series | None) -> StoredTexts | None:
        return None


@dataclass(frozen=True, slots=True)
class TextsInChunk:
    """Rows of a text: those of a chunk from ``first`` on, as wide as the header at least."""

    chunk: RecordChunk
    first: int
    width: int

    @property
    def records(self) -> RecordBytes | None:
        first, last = self.chunk.records
        scanned = self.chunk.scanned
        starts, ends = scanned.starts[first[self.first :]], scanned.ends[last[self.first :]]
        return RecordBytes(self.chunk.data, starts, ends)

    def frame(self, columns: Sequence[str] | None) -> pl.DataFrame:
        return self.chunk.frame(columns, self.width).slice(self.first)

    def stored(self, kept: pl.Series | None) -> StoredTexts | None:
        return TextsInFile(self.chunk.place, self.first, self.width, kept)


@dataclass(frozen=True, slots=True)
class Judged:
    """A batch with a value for each column of the profile, and the failing rows of each check.

    ``same`` maps columns whose every value is the text of its cell to the column of that text,
    ``changed`` has the columns of which that is so but for some rows, ``own`` the values of the
    others. ``numbers`` has some of ``own`` as they are stored (:data:`EMPTY` where there is none).
    Without ``marks`` every row is data.
    """

    height: int
    texts: RowTexts
    own: Mapping[str, pl.Series]
    same: dict[str, str]
    changed: Mapping[str, ChangedTexts]
    hits: tuple[tuple[Check, Rows], ...]
    marks: RowMarks | None
    keys: KeyHashes | None
    notes: tuple[Decision, ...]
    short: Rows = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    """Rows with fewer cells than the header."""
    numbers: Mapping[str, Numbers] = field(default_factory=dict)

    def values(self, names: Sequence[str]) -> pl.DataFrame:
        """The values of some columns."""
        places = self.same | {name: each.text for name, each in self.changed.items()}
        wanted = list(dict.fromkeys(places[name] for name in names if name in places))
        texts = self.texts.frame(wanted) if wanted else pl.DataFrame()
        columns = []
        for name in names:
            value = texts[places[name]] if name in places else self.own[name]
            if name in self.changed:
                value = self.changed[name].put_into(value)
            columns.append(value.alias(name))
        return pl.DataFrame(columns)
