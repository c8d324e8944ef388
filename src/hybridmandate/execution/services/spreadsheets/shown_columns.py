"""Columns of a table without a profile: which are shown, and which hold cells under no heading."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from hybridmandate.execution.services.spreadsheets.table import (
    FIRST_LINE,
    CellKind,
    Decision,
    filled_cell,
    kind_column,
    text_column,
)

_SHOWN = 20
_WITHOUT_VALUE = {
    CellKind.ERROR: ("cell.error", "rows with a cell that holds an error of the workbook"),
    CellKind.UNCALCULATED: (
        "cell.uncalculated",
        "rows with a formula that has no stored value: save the workbook in Excel",
    ),
}


def without_empty_edges(
    rows: pl.DataFrame, header: Sequence[str], span: tuple[int, int]
) -> tuple[tuple[int, int], list[Decision]]:
    """The columns from the first to the last with a heading or a cell, and what was left out."""
    filled = _with_cells(rows, [p for p in range(span[0], span[1] + 1) if not header[p]])
    used = [p for p in range(span[0], span[1] + 1) if header[p] or p in filled]
    if not used or (used[0], used[-1]) == span:
        return span, []
    edges = [p + 1 for p in range(span[0], span[1] + 1) if not used[0] <= p <= used[-1]]
    message = f"columns without a heading and without cells were left out: {_listed(edges)}"
    return (used[0], used[-1]), [Decision.of("columns.empty", message, [])]


def under_no_heading(
    rows: pl.DataFrame, header: Sequence[str], span: tuple[int, int]
) -> list[Decision]:
    """Columns whose heading is empty, with the lines of the rows that have cells in them."""
    columns = _with_cells(rows, [p for p in range(span[0], span[1] + 1) if not header[p]])
    if not columns:
        return []
    names = rows.columns
    cells = [filled_cell(text_column(position), names) for position in columns]
    there = rows.select(pl.any_horizontal(cells)).to_series()
    message = f"cells stand under no heading, in column {_listed([p + 1 for p in columns])}"
    return [Decision.of("header.unnamed", message, rows[FIRST_LINE].filter(there).to_list())]


def without_values(rows: pl.DataFrame, span: tuple[int, int]) -> list[Decision]:
    """Cells of a workbook that hold an error, or a formula without a stored value."""
    found, names = [], set(rows.columns)
    for kind, (rule, message) in _WITHOUT_VALUE.items():
        kinds = [kind_column(p) for p in range(span[0], span[1] + 1)]
        has = [pl.col(n) == int(kind) for n in kinds if n in names]
        lines = rows.filter(pl.any_horizontal(has)) if has else rows.clear()
        if lines.height:
            found.append(Decision.of(rule, message, lines[FIRST_LINE].to_list()))
    return found


def _with_cells(rows: pl.DataFrame, positions: Sequence[int]) -> list[int]:
    """Which columns hold a cell in any row."""
    names = rows.columns
    any_cell = [filled_cell(text_column(p), names).any().alias(str(p)) for p in positions]
    return [int(name) for name, there in rows.select(any_cell).to_dict().items() if there.any()]


def _listed(columns: Sequence[int]) -> str:
    more = f" and {len(columns) - _SHOWN} more" if len(columns) > _SHOWN else ""
    return ", ".join(map(str, columns[:_SHOWN])) + more
