"""Rows with the same key, within the file and against what was committed before.

Keys are compared by two hashes of 64 bits, so that a file of any size needs 16 bytes a row.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl

from hybridmandate.execution.services.spreadsheets.profile import Duplicates

Mask = np.ndarray[Any, np.dtype[np.bool_]]


def key_hashes(values: pl.DataFrame, duplicates: Duplicates) -> pl.DataFrame:
    """Two hashes of each row's key, null where a part of the key is empty."""
    key = pl.struct(duplicates.key)
    whole = pl.all_horizontal([pl.col(name).is_not_null() for name in duplicates.key])
    return values.select(
        pl.when(whole).then(key.hash(1)).alias("a"), pl.when(whole).then(key.hash(2)).alias("b")
    )


def repeated_rows(hashes: Sequence[pl.DataFrame], duplicates: Duplicates) -> list[Mask]:
    """For each batch of hashes the rows that the policy rejects."""
    every = pl.concat(hashes)
    whole = every["a"].is_not_null()
    pair = pl.struct("a", "b")
    expression = {
        "reject_all": pair.is_duplicated(),
        "keep_first": ~pair.is_first_distinct(),
        "keep_last": ~pair.is_last_distinct(),
    }[duplicates.policy]
    # Most keys occur once: sorting one hash shows that, the pair only looks at the rest.
    ordered = np.sort(every["a"].drop_nulls().to_numpy())
    again = np.unique(ordered[1:][ordered[1:] == ordered[:-1]])
    mask = np.zeros(every.height, dtype=bool)
    places = np.empty(0, dtype=np.int64)
    if len(again):
        twice = every["a"].is_in(pl.Series(again).implode()) & whole
        places = twice.arg_true().to_numpy()
    if len(places):
        mask[places] = every[places].select(expression)[:, 0].to_numpy()
    return np.split(mask, np.cumsum([each.height for each in hashes])[:-1])


def committed_rows(values: pl.DataFrame, duplicates: Duplicates, known: pl.DataFrame) -> Mask:
    """The rows whose key stands in the rows of the committed view."""
    if duplicates.committed is None or not known.height:
        return np.zeros(values.height, dtype=bool)
    columns = duplicates.committed.columns
    left = values.select([pl.col(n).cast(pl.String) for n in duplicates.key])
    right = known.select([pl.col(n).cast(pl.String) for n in columns]).unique()
    there = left.with_row_index("row").join(
        right, left_on=list(duplicates.key), right_on=list(columns), how="semi"
    )
    mask = np.zeros(values.height, dtype=bool)
    mask[there["row"].to_numpy()] = True
    return mask


def rows_among(values: pl.DataFrame, known: pl.DataFrame) -> Mask:
    """The rows that are equal in every column to one of the known rows (as texts)."""
    names = [name for name in values.columns if name in known.columns]
    left = values.select([as_text(values[n]).fill_null("").alias(n) for n in names])
    right = known.select([pl.col(n).cast(pl.String).fill_null("") for n in names]).unique()
    there = left.with_row_index("row").join(right, on=names, how="semi")
    mask = np.zeros(values.height, dtype=bool)
    mask[there["row"].to_numpy()] = True
    return mask


def as_text(column: pl.Series) -> pl.Series:
    """Values as the accepted file writes them, for comparing across submissions."""
    return column.cast(pl.String)
