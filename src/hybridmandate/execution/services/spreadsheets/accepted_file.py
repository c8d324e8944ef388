"""The accepted rows as files: Parquet, CSV and JSON lines, written batch by batch."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import polars as pl
from polars.io.plugins import register_io_source

from hybridmandate.execution.services.spreadsheets.column_checks import value_type
from hybridmandate.execution.services.spreadsheets.file_result import Normalization
from hybridmandate.execution.services.spreadsheets.profile import LINE

PARQUET = "application/vnd.apache.parquet"


def accepted_csv(result: Normalization, target: Path) -> None:
    """UTF-8, comma, dates as YYYY-MM-DD; values as they are (this file is for machines)."""
    with target.open("wb") as stream:
        for number, frame in enumerate(result.accepted_batches()):
            frame.write_csv(stream, include_header=number == 0)


def accepted_parquet(result: Normalization, target: Path) -> None:
    """Typed columns and the line of each row."""

    def batches(
        with_columns: list[str] | None,
        predicate: pl.Expr | None,
        n_rows: int | None,
        batch_size: int | None,
    ) -> Iterator[pl.DataFrame]:
        # The sink asks for all rows and columns; the other arguments serve queries.
        yield from result.accepted_batches()

    schema = {name: value_type(column) for name, column in result.profile.columns.items()}
    lazy = register_io_source(batches, schema={**schema, LINE: pl.Int64()}, is_pure=True)
    lazy.sink_parquet(target, maintain_order=True)


def accepted_lines(result: Normalization, target: Path) -> None:
    """JSON lines: dates as ISO texts in UTC, decimals as numbers."""
    with target.open("wb") as stream:
        for frame in result.accepted_batches():
            json_frame(frame).write_ndjson(stream)


def json_frame(frame: pl.DataFrame) -> pl.DataFrame:
    """Accepted rows as JSON carries them; decimals have at most 15 digits, so numbers are exact."""
    changed = []
    for name, dtype in frame.schema.items():
        if dtype.is_decimal():
            changed.append(pl.col(name).cast(pl.Float64))
        elif isinstance(dtype, pl.Datetime):
            changed.append(pl.col(name).dt.to_string("%Y-%m-%dT%H:%M:%S%.f+00:00"))
        elif dtype == pl.Date:
            changed.append(pl.col(name).dt.to_string("%Y-%m-%d"))
    return frame.with_columns(changed)
