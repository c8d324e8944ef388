"""The accepted rows as files: Parquet and CSV, written batch by batch."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from hybridmandate.execution.services.spreadsheets.normalization import Normalization

PARQUET = "application/vnd.apache.parquet"


def accepted_csv(result: Normalization, target: Path) -> None:
    """UTF-8, comma, dates as YYYY-MM-DD; values as they are (this file is for machines)."""
    with target.open("wb") as stream:
        for number, frame in enumerate(result.accepted_batches()):
            frame.write_csv(stream, include_header=number == 0)


def accepted_parquet(result: Normalization, target: Path) -> None:
    """Typed columns and the line of each row; batches become row groups."""
    batches = result.accepted_batches()
    lazy = pl.concat([frame.lazy() for frame in batches])
    lazy.sink_parquet(target)
