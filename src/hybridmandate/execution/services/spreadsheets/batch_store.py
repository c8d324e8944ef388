"""Where judged batches wait until the last row of the file is known: in memory or in a folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import polars as pl


class BatchStore:
    """Frames by number. With a folder they are written there as Arrow files and read back."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._frames: list[pl.DataFrame] = []
        self._count = 0

    def put(self, frame: pl.DataFrame) -> int:
        """Keep a frame; returns its number."""
        number = self._count
        self._count += 1
        if self._folder is None:
            self._frames.append(frame)
        else:
            frame.write_ipc(self._folder / f"batch-{number}.arrow", compression="uncompressed")
        return number

    def get(self, number: int, columns: Sequence[str] | None) -> pl.DataFrame:
        """A frame, or some of its columns."""
        if self._folder is None:
            frame = self._frames[number]
            return frame if columns is None else frame.select(columns)
        lazy = pl.scan_ipc(self._folder / f"batch-{number}.arrow")
        return (lazy if columns is None else lazy.select(columns)).collect()
