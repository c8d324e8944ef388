"""Marks of ods (OpenDocument 1.3 part 3, section 9): errors, what is hidden, merges, the extent."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from hybridmandate.execution.services.spreadsheets.bounded_xml import local, walk_xml
from hybridmandate.execution.services.spreadsheets.sheet_marks import (
    MAX_MARKS,
    MAX_ROWS,
    Area,
    BookMarks,
    DefinedTable,
    SheetMarks,
    check_cells,
    check_sheet_count,
)
from hybridmandate.execution.services.spreadsheets.table import Unreadable
from hybridmandate.execution.services.spreadsheets.workbook_package import WorkbookPackage
from hybridmandate.execution.services.spreadsheets.xlsx_marks import area_of

_ERROR = re.compile(r"#[A-Z0-9/?!]{2,12}[!?]?|#N/A|Err:\d{3}")
_SHOWN = 40
_NAMELESS = "__Anonymous_Sheet_DB__"
"""How LibreOffice calls the range of a filter that nobody named."""
_SHEET = r"(?:\$?(?P<{0}>'(?:[^']|'')+'|[^'.:]+))?"
_RANGE = re.compile(
    _SHEET.format("sheet") + r"\.(?P<first>\$?[A-Z]{1,3}\$?\d{1,7})"
    rf"(?::{_SHEET.format('other')}\.(?P<last>\$?[A-Z]{{1,3}}\$?\d{{1,7}}))?"
)
"""A range address (OpenDocument 1.3 part 3, 18.3.4): a sheet before each of two cells."""


def read_ods_marks(package: WorkbookPackage) -> BookMarks:
    """Marks of all sheets. :raises Unreadable: broken, encrypted or beyond the limits."""
    manifest = package.part("META-INF/manifest.xml") or b""
    if b"encryption-data" in manifest:
        raise Unreadable("file.encrypted", "the workbook is protected by a password")
    walker = _Walker()
    walk_xml(package.pieces("content.xml"), walker.start, walker.end, walker.text)
    check_cells(walker.sheets.values())
    return BookMarks(
        kind="ods",
        sheets=tuple(walker.sheets),
        hidden=frozenset(n for n, style in walker.styles.items() if style in walker.undisplayed),
        uses_1904=walker.uses_1904,
        macros=any(name.startswith(("basic/", "scripts/")) for name in package.names),
        external_links=walker.external,
        marks=lambda name: walker.sheets[name],
    )


@dataclass(slots=True)
class _Cell:
    column: int
    repeated: int
    kind: str
    error: bool
    formula: bool
    stored: str
    text: list[str] = field(default_factory=list)


class _Walker:
    """Follows tables, rows and cells, which may each stand for many."""

    def __init__(self) -> None:
        self.sheets: dict[str, SheetMarks] = {}
        self.styles: dict[str, str] = {}
        self.undisplayed: set[str] = set()
        self.uses_1904 = False
        self.external = False
        self._marks: SheetMarks | None = None
        self._style = ""
        self._row = 0
        self._rows = 0
        self._column = 0
        self._declared_columns = 0
        self._cell: _Cell | None = None
        self._row_cells: list[_Cell] = []
        self._depth_in_sheet = 0

    def start(self, name: str, attributes: dict[str, str]) -> None:
        given = {local(key): value for key, value in attributes.items()}
        match local(name):
            case "style":
                self._style = given.get("name", "")
            case "table-properties" if given.get("display") == "false":
                self.undisplayed.add(self._style)
            case "null-date":
                self.uses_1904 = given.get("date-value") == "1904-01-01"
            case "table":
                self._begin_table(given)
            case "table-source" | "cell-range-source":
                self.external = True
            case "database-range":
                self._define(given)
            case "table-column":
                self._take_column(given)
            case "table-row":
                self._rows = _count(given, "number-rows-repeated")
                self._column = 0
                self._row_cells = []
                if self._marks is not None and given.get("visibility") in ("collapse", "filter"):
                    self._marks.hide_rows(self._row, self._row + self._rows - 1)
            case "table-cell" | "covered-table-cell":
                self._begin_cell(given)
            case "annotation" if self._cell is not None:
                # A remark on a cell is no part of its text.
                self._cell.text = [*self._cell.text, *[""] * _SHOWN]

    def _begin_table(self, given: dict[str, str]) -> None:
        self._depth_in_sheet += 1
        if self._depth_in_sheet > 1:
            return
        called = given.get("name", "")
        self._marks = SheetMarks()
        self.sheets[called] = self._marks
        self.styles[called] = given.get("style-name", "")
        check_sheet_count(len(self.sheets))
        self._row = self._column = self._declared_columns = 0

    def _define(self, given: dict[str, str]) -> None:
        """A named database range with a header; nameless ones only carry a filter."""
        called = given.get("name", "")
        found = _range_of(given.get("target-range-address", ""))
        if found is None or not called or called.startswith(_NAMELESS):
            return
        sheet, area = found
        if sheet in self.sheets and given.get("contains-header", "true") == "true":
            self.sheets[sheet].define(DefinedTable(called, area))

    def _take_column(self, given: dict[str, str]) -> None:
        count = _count(given, "number-columns-repeated")
        if self._marks is not None and given.get("visibility") in ("collapse", "filter"):
            first = self._declared_columns
            self._marks.hide_columns(first, first + count - 1)
        self._declared_columns += count

    def _begin_cell(self, given: dict[str, str]) -> None:
        repeated = _count(given, "number-columns-repeated")
        kind = given.get("value-type", "")
        self._cell = _Cell(
            column=self._column,
            repeated=repeated,
            kind=kind,
            error=kind == "error",
            formula="formula" in given,
            stored=given.get("value", ""),
        )
        rows, columns = (
            _count(given, "number-rows-spanned"),
            _count(given, "number-columns-spanned"),
        )
        if self._marks is not None and (rows > 1 or columns > 1):
            area = (self._row, self._column, self._row + rows - 1, self._column + columns - 1)
            self._marks.merge(area)
        self._column += repeated

    def text(self, piece: str) -> None:
        if self._cell is not None and len(self._cell.text) < _SHOWN:
            self._cell.text.append(piece)

    def end(self, name: str) -> None:
        match local(name):
            case "table-cell" | "covered-table-cell" if self._cell is not None:
                if self._cell.kind or self._cell.formula or "".join(self._cell.text).strip():
                    self._row_cells.append(self._cell)
                self._cell = None
            case "table-row":
                self._end_row()
            case "table":
                self._depth_in_sheet -= 1
                if self._depth_in_sheet == 0:
                    self._marks = None

    def _end_row(self) -> None:
        marks = self._marks
        if marks is None:
            return
        last = self._row + self._rows - 1
        for cell in self._row_cells:
            marks.reach(last, cell.column + cell.repeated - 1)
            text = "".join(cell.text).strip()
            error = cell.error or (cell.formula and _ERROR.fullmatch(text) is not None)
            if not error and (not cell.formula or cell.kind or text):
                if cell.formula:
                    marks.take_formula(cell.stored or text)
                continue
            if self._rows * cell.repeated > MAX_MARKS:
                raise Unreadable("file.too_many_cells", f"more than {MAX_MARKS} cells are errors")
            for row in range(self._row, last + 1):
                for column in range(cell.column, cell.column + cell.repeated):
                    if error:
                        marks.errors[row, column] = text or "#ERROR"
                    else:
                        marks.uncalculated.add((row, column))
        self._row += self._rows


def _range_of(address: str) -> tuple[str, Area] | None:
    """Sheet and area of a range address, None when it is none on one sheet."""
    match = _RANGE.fullmatch(address)
    if match is None or match["sheet"] is None:
        return None
    area = area_of(f"{match['first']}:{match['last'] or match['first']}")
    if area is None or match["other"] not in (None, match["sheet"]):
        return None
    sheet = match["sheet"]
    return sheet[1:-1].replace("''", "'") if sheet.startswith("'") else sheet, area


def _count(given: dict[str, str], name: str) -> int:
    text = given.get(name, "1")
    return min(int(text), MAX_ROWS) if text.isdecimal() and len(text) < 9 and int(text) else 1
