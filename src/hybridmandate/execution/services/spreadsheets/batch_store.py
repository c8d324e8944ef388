"""Where judged batches wait until the last row of the file is known: in memory or in a folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import polars as pl

from hybridmandate.execution.services.spreadsheets.record_chunk import ChunkPlace
from hybridmandate.execution.services.spreadsheets.record_scan import Mask, Numbers

_CHANGES = "changes"


class StoredTexts(Protocol):
    """Rows as they were sent: their lines, and their cells as texts."""

    def frame(self, columns: Sequence[str] | None) -> pl.DataFrame:
        """All columns, or those asked for."""


@dataclass(frozen=True, slots=True)
class TextsInFile:
    """Rows that are cut from their file again: of those from ``first`` on the ``kept`` ones."""

    place: ChunkPlace
    first: int
    width: int
    kept: pl.Series | None

    def frame(self, columns: Sequence[str] | None) -> pl.DataFrame:
        """All columns, or those asked for. :raises Unreadable: when the file has changed."""
        frame = self.place.read().frame(columns, self.width).slice(self.first)
        return frame if self.kept is None else frame.filter(self.kept)


@dataclass(frozen=True, slots=True)
class ChangedTexts:
    """A column whose values are those of a column of texts, but for some rows."""

    text: str
    rows: Numbers
    values: pl.Series

    def put_into(self, texts: pl.Series) -> pl.Series:
        """The values of the column, from its texts."""
        return texts.scatter(self.rows, self.values)

    def of(self, mask: Mask) -> ChangedTexts:
        """The same when only the rows are left for which a mask is true."""
        left = mask[self.rows]
        place = np.cumsum(mask) - 1
        return ChangedTexts(self.text, place[self.rows[left]], self.values.filter(pl.Series(left)))


@dataclass(frozen=True, slots=True)
class _Derived:
    """What of a stored frame is made from the texts: columns by the text that they change."""

    texts: StoredTexts
    changed: Mapping[str, str]
    kept: Sequence[str]


class BatchStore:
    """Frames by kind and number. With a folder they wait there as Arrow files.

    Rows of a text file need not be kept: they are read again from where they stand in it.
    """

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder
        self._frames: dict[tuple[str, int], pl.DataFrame] = {}
        self._derived: dict[tuple[str, int], _Derived] = {}

    def put(self, kind: str, number: int, frame: pl.DataFrame) -> None:
        """Keep a frame."""
        if self.folder is None:
            self._frames[kind, number] = frame
        else:
            frame.write_ipc(self._path(self.folder, kind, number), compression="uncompressed")

    def put_derived(
        self,
        kind: str,
        number: int,
        texts: StoredTexts,
        changed: Mapping[str, ChangedTexts],
        others: pl.DataFrame,
    ) -> None:
        """Keep a frame of which only some columns and changes must wait, the rest can be read."""
        derived = _Derived(texts, {n: each.text for n, each in changed.items()}, others.columns)
        self._derived[kind, number] = derived
        if others.width:
            self.put(kind, number, others)
        if changed:
            changes = [
                pl.DataFrame({"row": each.rows, "value": each.values}).with_columns(name=pl.lit(n))
                for n, each in changed.items()
            ]
            self.put(f"{kind}-{_CHANGES}", number, pl.concat(changes))

    def get(self, kind: str, number: int, columns: Sequence[str] | None = None) -> pl.DataFrame:
        """A frame, or some of its columns."""
        derived = self._derived.get((kind, number))
        if derived is None:
            return self._kept(kind, number, columns)
        known = [*derived.kept, *derived.changed]
        own = known if columns is None else [name for name in columns if name in known]
        wanted = None
        if columns is not None:
            places = [derived.changed[n] for n in own if n in derived.changed]
            wanted = list(dict.fromkeys([*(n for n in columns if n not in own), *places]))
        frame = derived.texts.frame(wanted)
        kept = [name for name in own if name in derived.kept]
        if kept:
            frame = pl.concat([frame, self._kept(kind, number, kept)], how="horizontal")
        if any(name in derived.changed for name in own):
            changes = self._kept(f"{kind}-{_CHANGES}", number, None)
            frame = frame.with_columns(
                _changed(frame, changes, name, text)
                for name, text in derived.changed.items()
                if name in own
            )
        return frame if columns is None else frame.select(columns)

    def _kept(self, kind: str, number: int, columns: Sequence[str] | None) -> pl.DataFrame:
        if self.folder is None:
            frame = self._frames[kind, number]
            return frame if columns is None else frame.select(columns)
        path = self._path(self.folder, kind, number)
        return pl.read_ipc(path, columns=None if columns is None else list(columns))

    def _path(self, folder: Path, kind: str, number: int) -> Path:
        return folder / f"{kind}-{number:06}.arrow"


def _changed(frame: pl.DataFrame, changes: pl.DataFrame, name: str, text: str) -> pl.Series:
    mine = changes.filter(pl.col("name") == name)
    change = ChangedTexts(text, mine["row"].to_numpy(), mine["value"])
    return change.put_into(frame[text]).alias(name)
