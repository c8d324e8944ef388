"""Reading workbooks: values by calamine, and from the file itself what calamine leaves out.

Every limit is checked on the file before calamine sees it, because it makes room for the whole
rectangle around the filled cells of a sheet.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import polars as pl
import python_calamine as calamine

from hybridmandate.execution.services.spreadsheets.ods_indentation import without_indentation
from hybridmandate.execution.services.spreadsheets.ods_marks import read_ods_marks
from hybridmandate.execution.services.spreadsheets.ole_file import OLE_MARK
from hybridmandate.execution.services.spreadsheets.sheet_marks import (
    MAX_CELLS,
    Area,
    BookMarks,
    DefinedTable,
    SheetMarks,
)
from hybridmandate.execution.services.spreadsheets.table import (
    FIRST_LINE,
    HIDDEN,
    LAST_LINE,
    Decision,
    Sheet,
    Unreadable,
    kind_column,
    text_column,
    visible,
)
from hybridmandate.execution.services.spreadsheets.workbook_cells import check_dates, sheet_frame
from hybridmandate.execution.services.spreadsheets.workbook_package import WorkbookPackage
from hybridmandate.execution.services.spreadsheets.xls_marks import read_xls_marks
from hybridmandate.execution.services.spreadsheets.xlsb_marks import read_xlsb_marks
from hybridmandate.execution.services.spreadsheets.xlsx_marks import read_xlsx_marks

MAX_FILE = 256 * 1024 * 1024


def looks_like_workbook(content: bytes) -> bool:
    """Whether the content begins like a zip package or an OLE file."""
    return content[:4] == b"PK\x03\x04" or content.startswith(OLE_MARK)


@dataclass(frozen=True, slots=True)
class SheetView:
    """A sheet of a workbook, or one of its defined tables: something that may be the table."""

    name: str
    sheet: Sheet
    tables: tuple[DefinedTable, ...] = ()


class Workbook:
    """A workbook that kept its limits; sheets are read when they are asked for."""

    def __init__(self, content: bytes) -> None:
        """:raises Unreadable: for encrypted, oversize and broken workbooks."""
        if len(content) > MAX_FILE:
            raise Unreadable("file.too_large", f"a workbook may have {MAX_FILE} bytes")
        self.marks = _book_marks(content)
        self._cells_left = MAX_CELLS
        with _typed():
            self._values = _values(content, self.marks.kind)

    def notes(self) -> list[Decision]:
        """What the whole workbook has that a reader should know."""
        marks = self.marks
        found = []
        if marks.macros:
            message = "the workbook holds macros; they are not run"
            found.append(Decision.of("book.macros", message, []))
        if marks.external_links:
            message = "the workbook links to other files; they are not opened"
            found.append(Decision.of("book.external_links", message, []))
        if marks.hidden:
            hidden = sorted(marks.hidden)
            found.append(Decision.of("sheet.hidden", f"hidden sheets left out: {hidden}", []))
        if marks.uses_1904:
            message = "the workbook counts dates from 1904"
            found.append(Decision.of("dates.1904", message, []))
        return found

    def view(self, name: str) -> SheetView | None:
        """A sheet as it stands; None when it holds nothing.

        :raises Unreadable: beyond the limits, or when the sheet is broken.
        """
        marks = self.marks.marks(name)
        self._cells_left -= marks.height * marks.width
        if self._cells_left < 0:
            raise Unreadable("file.too_many_cells", f"the sheets span more than {MAX_CELLS} cells")
        with _typed():
            read = self._values.get_sheet_by_name(name)
            frame, width = sheet_frame(_from_the_corner(read), marks)
        if not _filled(frame, width):
            return None
        check_dates(frame, marks, uses_1904=self.marks.uses_1904)
        return SheetView(name, self._sheet(name, frame, width, marks), tuple(marks.tables))

    def _sheet(self, name: str, frame: pl.DataFrame, width: int, marks: SheetMarks) -> Sheet:
        notes = []
        hidden = [column for column in sorted(marks.hidden_columns) if column < width]
        if hidden:
            shown = ", ".join(_letters(column) for column in hidden[:20])
            message = f"hidden columns were read like the others: {shown}"
            notes.append(Decision.of("columns.hidden", message, []))
        if marks.formulas and marks.zeros == marks.formulas:
            message = (
                f"every formula of the sheet ({marks.formulas}) has 0 or nothing as its stored "
                "value: if the program that wrote the file calculates none, save it in Excel"
            )
            notes.append(Decision.of("formulas.zero", message, []))
        return Sheet(
            frame=frame,
            width=width,
            has_kinds=True,
            source={
                "format": self.marks.kind,
                "sheet": name,
                "dates": "1904" if self.marks.uses_1904 else "1900",
            },
            notes=tuple(notes),
            merged=tuple(marks.merged),
        )


def part_of_sheet(view: SheetView, table: DefinedTable) -> Sheet:
    """A defined table alone: its rows with their numbers, its columns from the left.

    What stands outside of it and the totals row that it declares are left out and said.
    """
    sheet, (top, left, bottom, right) = view.sheet, table.area
    last = max(bottom - table.totals, top - 1)
    names = {}
    for position in range(left, min(right + 1, sheet.width)):
        names[text_column(position)] = text_column(position - left)
        names[kind_column(position)] = kind_column(position - left)
    own = [name for name in (FIRST_LINE, LAST_LINE, HIDDEN) if name in sheet.frame.columns]
    frame = sheet.frame.slice(top, last - top + 1).select([*own, *names]).rename(names)
    message = f"read the defined table '{table.name}'; cells outside of it were left out"
    notes = [Decision.of("table.defined", message, _lines_outside(sheet, table.area))]
    if table.totals:
        lines = range(last + 2, bottom + 2)
        notes.append(Decision.of("rows.total", "the totals row that the table declares", lines))
    merged = tuple(
        (a - top, b - left, c - top, d - left)
        for a, b, c, d in sheet.merged
        if top <= a and c <= last and left <= b and d <= right
    )
    return Sheet(
        frame=frame,
        width=min(right + 1, sheet.width) - left,
        has_kinds=True,
        source={**sheet.source, "table": table.name},
        notes=(*sheet.notes, *notes),
        merged=merged,
    )


def outgrown(view: SheetView, table: DefinedTable) -> bool:
    """Whether rows go on directly below a defined table: then it does not hold all of them."""
    _, left, bottom, right = table.area
    if bottom + 1 >= view.sheet.height or table.totals:
        return False
    return any(visible(t) for t in view.sheet.texts(bottom + 1)[left : right + 1])


def _lines_outside(sheet: Sheet, area: Area) -> list[int]:
    top, left, bottom, right = area
    inside = [text_column(p) for p in range(left, right + 1)]
    every = [text_column(p) for p in range(sheet.width)]
    beside = [name for name in every if name not in inside]
    rows = pl.int_range(0, sheet.height, eager=True)
    within = rows.is_between(top, bottom)
    there = _any_visible(sheet.frame, every) & ~within | _any_visible(sheet.frame, beside) & within
    return [int(line) for line in sheet.frame[FIRST_LINE].filter(there)]


def _any_visible(frame: pl.DataFrame, names: list[str]) -> pl.Series:
    if not names:
        return pl.repeat(False, frame.height, dtype=pl.Boolean, eager=True)
    return frame.select(pl.any_horizontal(pl.col(n).fill_null("") != "" for n in names)).to_series()


def _book_marks(content: bytes) -> BookMarks:
    if content.startswith(OLE_MARK):
        return read_xls_marks(content)
    package = WorkbookPackage(content)
    readers: dict[str, Callable[[WorkbookPackage], BookMarks]] = {
        "xl/workbook.bin": read_xlsb_marks,
        "content.xml": read_ods_marks,
        "xl/workbook.xml": read_xlsx_marks,
        "_rels/.rels": read_xlsx_marks,
    }
    for part, read in readers.items():
        if package.has(part):
            return read(package)
    raise Unreadable("file.not_a_spreadsheet", "the package holds no workbook")


@contextlib.contextmanager
def _typed() -> Iterator[None]:
    """Whatever calamine does with a broken file becomes one typed refusal.

    A panic inside it is no ``Exception``, but ends nothing: the file is refused like a broken one.
    """
    try:
        yield
    except Unreadable:
        raise
    except Exception as error:
        raise _broken(error) from None
    except BaseException as error:
        if type(error).__name__ != "PanicException":
            raise
        raise _broken(error) from None


def _values(content: bytes, kind: str) -> Any:
    """The workbook as calamine reads it; an ods whose XML is indented is given to it without."""
    try:
        return calamine.load_workbook(io.BytesIO(content))
    except calamine.CalamineError:
        if kind != "ods":
            raise
        return calamine.load_workbook(io.BytesIO(without_indentation(content)))


def _broken(error: BaseException) -> Unreadable:
    message = f"the workbook cannot be read: {str(error)[:200]}"
    return Unreadable("file.broken_workbook", message)


def _from_the_corner(read: Any) -> Iterator[list[Any]]:
    """Rows from the first column of the sheet on; calamine begins with the first filled one."""
    if read.start is None:
        return iter(())
    before: list[Any] = [""] * read.start[1]
    return ([*before, *row] for row in read.iter_rows()) if before else read.iter_rows()


def _filled(frame: pl.DataFrame, width: int) -> bool:
    if not frame.height:
        return False
    texts = (text_column(position) for position in range(width))
    if any(frame[name].null_count() < frame.height for name in texts):
        return True
    kinds = [kind_column(position) for position in range(width)]
    return bool(frame.select(pl.max_horizontal(pl.col(kinds).max()))[0, 0])


def _letters(column: int) -> str:
    letters = ""
    number = column + 1
    while number:
        number, rest = divmod(number - 1, 26)
        letters = chr(65 + rest) + letters
    return letters
