"""Where judged batches wait until the last row of the file is known: in memory or in a folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import polars as pl


class BatchStore:
    """Frames by kind and number. With a folder they wait there as Arrow files."""

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder
        self._frames: dict[tuple[str, int], pl.DataFrame] = {}

    def put(self, kind: str, number: int, frame: pl.DataFrame) -> None:
        """Keep a frame."""
        if self.folder is None:
            self._frames[kind, number] = frame
        else:
            frame.write_ipc(self._path(self.folder, kind, number), compression="uncompressed")

    def get(self, kind: str, number: int, columns: Sequence[str] | None = None) -> pl.DataFrame:
        """A frame, or some of its columns."""
        if self.folder is None:
            frame = self._frames[kind, number]
            return frame if columns is None else frame.select(columns)
        path = self._path(self.folder, kind, number)
        return pl.read_ipc(path, columns=None if columns is None else list(columns))

    def _path(self, folder: Path, kind: str, number: int) -> Path:
        return folder / f"{kind}-{number:06}.arrow"
