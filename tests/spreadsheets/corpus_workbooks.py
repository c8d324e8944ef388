"""The workbooks of `corpus/`, in every format that can be written here."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Iterator
from datetime import date
from typing import Any

import xlsxwriter
from corpus_case import FOLDER, HEADER, ROWS, Case, codes
from workbook_kit import MadeSheet, MadeTable, ods_book, replaced, xls_book, xlsb_book, zipped


def workbooks() -> Iterator[Case]:
    """Workbooks of the kinds that can be written here."""

    def table(sheet: Any, top: int = 0, left: int = 0, number: Any = None) -> None:
        for row, cells in enumerate([HEADER, *ROWS]):
            for column, cell in enumerate(cells):
                if number is not None and row and column == 2:
                    sheet.write_datetime(top + row, left + column, date.fromisoformat(cell), number)
                elif row and column == 3:
                    sheet.write_number(top + row, left + column, float(cell))
                else:
                    sheet.write_string(top + row, left + column, cell)

    def book(fill: Callable[[Any], None], **options: Any) -> bytes:
        buffer = io.BytesIO()
        made = xlsxwriter.Workbook(buffer, {"in_memory": True, **options})
        made.set_properties({"created": date(2026, 1, 1)})
        fill(made)
        made.close()
        return buffer.getvalue()

    def dates(made: Any) -> Any:
        return made.add_format({"num_format": "yyyy-mm-dd"})

    yield Case("book.xlsx", book(lambda b: table(b.add_worksheet(), number=dates(b))), codes())
    moved = book(lambda b: table(b.add_worksheet(), 3, 2, dates(b)))
    yield Case("book-not-at-the-corner.xlsx", moved, codes(5))
    old = book(lambda b: table(b.add_worksheet(), number=dates(b)), date_1904=True)
    yield Case("book-1904.xlsx", old, codes(), rules=["dates.1904"])

    def titled(made: Any) -> None:
        sheet = made.add_worksheet()
        sheet.merge_range(0, 0, 0, 3, "Orders of March")
        table(sheet, 2)

    yield Case("book-merged-title.xlsx", book(titled), codes(4), rules=["rows.title"])

    def flawed(made: Any) -> None:
        sheet = made.add_worksheet()
        table(sheet)
        sheet.write_formula(1, 3, "=1/0", None, "#DIV/0!")
        sheet.write_formula(2, 3, "=A1", None, "")

    yield Case("book-error-and-uncalculated.xlsx", book(flawed), codes(4, ROWS[2:]), [2, 3])

    def hidden(made: Any) -> None:
        secret = made.add_worksheet("Secret")
        secret.write_string(0, 0, "no")
        shown = made.add_worksheet("Shown")
        shown.activate()
        table(shown)
        secret.hide()

    yield Case("book-hidden-sheet.xlsx", book(hidden), codes(), rules=["sheet.hidden"])
    yield Case("book-empty.xlsx", book(lambda b: b.add_worksheet()), refused="file.empty")
    macro_kind = b"application/vnd.ms-excel.sheet.macroEnabled.main+xml"
    plain_kind = b"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"
    plain = book(lambda b: table(b.add_worksheet(), number=dates(b)))
    with zipfile.ZipFile(io.BytesIO(plain)) as package:
        kinds = package.read("[Content_Types].xml").replace(plain_kind, macro_kind)
    macros = replaced(plain, {"[Content_Types].xml": kinds, "xl/vbaProject.bin": b"made up"})
    yield Case("book-macros.xlsm", macros, codes(), rules=["book.macros"])
    with zipfile.ZipFile(io.BytesIO(plain)) as package:
        parts = {name.replace("/", "\\"): package.read(name) for name in package.namelist()}
    yield Case("book-backslashes.xlsx", zipped(parts), codes())
    links = replaced(plain, {"xl/externalLinks/externalLink1.xml": b"<externalLink/>"})
    yield Case("book-external-links.xlsx", links, codes(), rules=["book.external_links"])

    def masked(made: Any) -> None:
        sheet = made.add_worksheet()
        table(sheet, number=dates(made))
        sheet.set_row(2, None, None, {"hidden": True})
        sheet.set_column(1, 1, None, None, {"hidden": True})

    seen = ["columns.hidden", "rows.hidden"]
    yield Case("book-hidden-rows-and-columns.xlsx", book(masked), codes(), rules=seen)

    def two(made: Any) -> None:
        table(made.add_worksheet("March"))
        table(made.add_worksheet("April"))

    yield Case("book-two-sheets.xlsx", book(two), refused="sheet.ambiguous")

    def remarks(made: Any) -> None:
        made.add_worksheet("Read me").write_string(0, 0, "The orders are on the next sheet.")
        table(made.add_worksheet("Orders"))

    yield Case("book-remarks-sheet.xlsx", book(remarks), codes(), rules=["sheet.chosen"])

    def defined(made: Any) -> None:
        sheet = made.add_worksheet()
        sheet.write_string(0, 0, "Orders of March")
        headings = [{"header": heading} for heading in HEADER]
        sheet.add_table(2, 1, 6, 4, {"name": "Orders", "columns": headings})
        table(sheet, 2, 1)
        sheet.write_string(9, 1, "Checked by Ann")

    yield Case("book-defined-table.xlsx", book(defined), codes(4), rules=["table.defined"])

    def merged(made: Any) -> None:
        sheet = made.add_worksheet()
        sheet.merge_range(0, 0, 0, 1, "Item")
        sheet.write_string(0, 2, "Order")
        sheet.merge_range(0, 3, 1, 3, "Amount")
        for column, word in enumerate(["code", "name", "date"]):
            sheet.write_string(1, column, word)
        for row, cells in enumerate(ROWS):
            for column, cell in enumerate(cells):
                sheet.write_string(2 + row, column, cell)

    two_rows = ["header.two_rows"]
    yield Case("book-merged-header.xlsx", book(merged), codes(3), rules=two_rows)
    yield from _old_books()


def _old_books() -> Iterator[Case]:
    kept = (FOLDER / "book.xls").read_bytes()
    yield Case("book.xls", kept, codes())
    rows: list[list[Any]] = [[c, n, date.fromisoformat(d), float(a)] for c, n, d, a in ROWS]
    flawed = [[*row] for row in rows]
    flawed[1][3] = "#REF!"
    hidden = frozenset({2})
    for kind, write in (("xls", xls_book), ("xlsb", xlsb_book), ("ods", ods_book)):
        if kind != "xls":
            yield Case(f"book.{kind}", write([MadeSheet("Orders", [HEADER, *rows])]), codes())
        errors = MadeSheet("Orders", [HEADER, *flawed])
        left = codes(2, ROWS[:1]) + codes(4, ROWS[2:])
        yield Case(f"book-error.{kind}", write([errors]), left, [3])
        masked = MadeSheet("Orders", [HEADER, *rows], hidden_rows=hidden)
        yield Case(f"book-hidden-row.{kind}", write([masked]), codes(), rules=["rows.hidden"])
        secret = MadeSheet("Secret", [["no"]], hidden=True)
        shown = MadeSheet("Orders", [HEADER, *rows])
        content = write([secret, shown])
        yield Case(f"book-hidden-sheet.{kind}", content, codes(), rules=["sheet.hidden"])
        twice = [shown, MadeSheet("More", [HEADER, *rows])]
        yield Case(f"book-two-sheets.{kind}", write(twice), refused="sheet.ambiguous")
        veiled = MadeSheet("Orders", [HEADER, *rows], hidden_columns=frozenset({1}))
        yield Case(f"book-hidden-column.{kind}", write([veiled]), codes(), rules=["columns.hidden"])
    plain = ods_book([MadeSheet("Orders", [HEADER, *rows])])
    with zipfile.ZipFile(io.BytesIO(plain)) as package:
        indented = package.read("content.xml").replace(b"><", b">\n  <")
    yield Case("book-indented.ods", replaced(plain, {"content.xml": indented}), codes())
    yield Case("book-kind-not-said.ods", replaced(plain, {"mimetype": None}), codes())
    for kind, write in (("xlsb", xlsb_book), ("ods", ods_book)):
        above: list[list[Any]] = [["Orders of March"], []]
        within = [[None, *each] for each in [HEADER, *rows, [], [], ["Checked by Ann"]]]
        area = MadeTable("Orders", (2, 1, 6, 4))
        defined = write([MadeSheet("March's", above + within, tables=[area])])
        yield Case(f"book-defined-table.{kind}", defined, codes(4), rules=["table.defined"])
    for kind, write in (("xls", xls_book), ("xlsb", xlsb_book)):
        old = write([MadeSheet("Orders", [HEADER, *rows])], since_1904=True)
        yield Case(f"book-1904.{kind}", old, codes(), rules=["dates.1904"])
