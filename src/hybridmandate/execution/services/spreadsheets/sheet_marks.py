"""What a workbook says beside its values: errors, formulas without a value, what is hidden.

Calamine gives values, dates and positions; error cells become empty ones there, and hidden rows
look like others. Each format has a reader of marks of its own that fills these two classes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from hybridmandate.execution.services.spreadsheets.table import Unreadable

MAX_ROWS = 1_048_576
MAX_CELLS = 20_000_000
"""Cells in the rectangle around all filled cells of a sheet: what calamine makes room for."""
MAX_SHEETS = 1_000
MAX_MARKS = 2_000_000
MAX_SERIALS = 20
MAX_COLUMNS = 16_384
MAX_MERGED = 10_000
MAX_TABLES = 1_000

Area = tuple[int, int, int, int]
"""First row, first column, last row, last column; 0-based, inclusive."""


@dataclass(frozen=True, slots=True)
class DefinedTable:
    """A table that the workbook itself declares; ``totals`` are its totals rows at the end."""

    name: str
    area: Area
    totals: int = 0


@dataclass(slots=True)
class SheetMarks:
    """Marks of one sheet; all positions are 0-based.

    ``serials`` are stored numbers of the first cells, to check how calamine dated them;
    ``height`` and ``width`` reach the last cell that holds anything; ``hidings`` counts how often
    columns were hidden; ``formulas`` have a stored value, which is nothing or zero in ``zeros``.
    """

    errors: dict[tuple[int, int], str] = field(default_factory=dict)
    uncalculated: set[tuple[int, int]] = field(default_factory=set)
    hidden_rows: set[int] = field(default_factory=set)
    hidden_columns: set[int] = field(default_factory=set)
    hidings: int = 0
    merged: list[Area] = field(default_factory=list)
    tables: list[DefinedTable] = field(default_factory=list)
    serials: dict[tuple[int, int], float] = field(default_factory=dict)
    formulas: int = 0
    zeros: int = 0
    height: int = 0
    width: int = 0

    def reach(self, row: int, column: int) -> None:
        """Note a filled cell. :raises Unreadable: when the sheet grows beyond the limits."""
        if len(self.errors) + len(self.uncalculated) > MAX_MARKS:
            raise Unreadable("file.too_many_cells", f"more than {MAX_MARKS} cells are errors")
        if row < self.height and column < self.width:
            return
        self.height = max(self.height, row + 1)
        self.width = max(self.width, column + 1)
        if self.height > MAX_ROWS or self.height * self.width > MAX_CELLS:
            raise Unreadable(
                "file.too_many_cells",
                f"the sheet spans {self.height} rows and {self.width} columns",
            )

    def take_formula(self, stored: float | str) -> None:
        """Note a formula with the value that is stored for it."""
        self.formulas += 1
        self.zeros += not (stored.strip("0.") if isinstance(stored, str) else stored)

    def hide_rows(self, first: int, last: int) -> None:
        """Note hidden rows, within the rows that a sheet can have."""
        self.hidden_rows.update(range(first, min(last + 1, MAX_ROWS)))

    def hide_columns(self, first: int, last: int) -> None:
        """Note hidden columns, within those that a sheet can have.

        :raises Unreadable: when columns are hidden more often than there can be columns.
        """
        self.hidings += 1
        if self.hidings > MAX_COLUMNS:
            raise Unreadable("file.broken_workbook", f"columns are hidden over {MAX_COLUMNS} times")
        self.hidden_columns.update(range(first, min(last + 1, MAX_COLUMNS)))

    def merge(self, area: Area) -> None:
        """Note a merged area; those beyond the limit only hold data, not headings."""
        if len(self.merged) < MAX_MERGED:
            self.merged.append(area)

    def define(self, table: DefinedTable) -> None:
        """Note a defined table; one whose area lies on no sheet is no table.

        :raises Unreadable: for more tables than a person puts on one sheet.
        """
        top, left, bottom, right = table.area
        if not (top <= bottom < MAX_ROWS and left <= right < MAX_COLUMNS):
            return
        if len(self.tables) >= MAX_TABLES:
            raise Unreadable("file.broken_workbook", f"a sheet defines over {MAX_TABLES} tables")
        self.tables.append(table)


@dataclass(frozen=True, slots=True)
class BookMarks:
    """Marks of a whole workbook.

    ``sheets`` are names of worksheets in their order, ``hidden`` those of them that are not shown;
    ``marks`` reads one sheet. ``unknown`` says what this format keeps from us, for people.
    """

    kind: str
    sheets: tuple[str, ...]
    hidden: frozenset[str]
    uses_1904: bool
    macros: bool
    external_links: bool
    marks: Callable[[str], SheetMarks]
    unknown: str | None = None


def check_sheet_count(count: int) -> None:
    """:raises Unreadable: for more sheets than a person sends."""
    if count > MAX_SHEETS:
        raise Unreadable(
            "file.too_many_sheets", f"the workbook has {count} sheets; {MAX_SHEETS} may be read"
        )


def check_cells(sheets: Iterable[SheetMarks]) -> None:
    """:raises Unreadable: when the sheets together span more than :data:`MAX_CELLS`."""
    if sum(each.height * each.width for each in sheets) > MAX_CELLS:
        raise Unreadable("file.too_many_cells", f"the sheets span more than {MAX_CELLS} cells")
