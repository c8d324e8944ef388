"""Workbooks of every format: errors, hidden rows, columns and sheets, merges, dates are known."""

import io
import struct
import zipfile
from collections.abc import Callable, Sequence
from datetime import date
from typing import Any

import pytest
import xlsxwriter
from workbook_kit import (
    MadeFormula,
    MadeSheet,
    MadeTable,
    ods_book,
    ole_container,
    replaced,
    xls_book,
    xls_stream,
    xlsb_book,
)

from hybridmandate.execution.services.spreadsheets import Unreadable, inspect_file, read_file
from hybridmandate.execution.services.spreadsheets import sheet_marks as marks_of_sheets
from hybridmandate.execution.services.spreadsheets.profile import ReaderOptions
from hybridmandate.execution.services.spreadsheets.table import HIDDEN, CellKind
from hybridmandate.execution.services.spreadsheets.workbook_reader import Workbook

HEADER = ["code", "day", "amount"]
ROWS: list[list[Any]] = [
    ["A-1", date(2026, 3, 1), 10.5],
    ["A-2", date(2026, 3, 2), "#N/A"],
    ["A-3", date(2026, 3, 3), 30.0],
]
ORDERS = MadeSheet(
    "Orders",
    [HEADER, *ROWS],
    hidden_rows=frozenset({3}),
    hidden_columns=frozenset({1}),
    merged=[(0, 0, 0, 1)],
)
SECRET = MadeSheet("Secret", [["no", "no"], ["1", "2"]], hidden=True)


def xlsx_book(sheets: Sequence[MadeSheet], *, since_1904: bool = False) -> bytes:
    buffer = io.BytesIO()
    book = xlsxwriter.Workbook(buffer, {"in_memory": True, "date_1904": since_1904})
    form = book.add_format({"num_format": "yyyy-mm-dd"})
    for sheet in sheets:
        made = book.add_worksheet(sheet.name)
        for row, cells in enumerate(sheet.rows):
            for column, cell in enumerate(cells):
                if isinstance(cell, date):
                    made.write_datetime(row, column, cell, form)
                elif isinstance(cell, MadeFormula):
                    made.write_formula(row, column, "=1", None, cell.stored)
                elif cell == "#N/A":
                    made.write_formula(row, column, "=NA()", None, "#N/A")
                elif cell is not None:
                    made.write(row, column, cell)
        for row in sheet.hidden_rows:
            made.set_row(row, None, None, {"hidden": True})
        for column in sheet.hidden_columns:
            made.set_column(column, column, None, None, {"hidden": True})
        for area in sheet.merged:
            made.merge_range(*area, sheet.rows[area[0]][area[1]])
            made.write(area[0], area[3], sheet.rows[area[0]][area[3]])
        if sheet.hidden:
            made.hide()
        else:
            made.activate()
    book.close()
    return buffer.getvalue()


FORMATS: dict[str, Callable[..., bytes]] = {
    "xlsx": xlsx_book,
    "xls": xls_book,
    "xlsb": xlsb_book,
    "ods": ods_book,
}
of_every_format = pytest.mark.parametrize("kind", FORMATS)


@of_every_format
def test_values_and_true_row_numbers_are_read(kind: str) -> None:
    table = inspect_file(FORMATS[kind]([ORDERS]))
    assert table.source["format"] == kind
    assert table.header == tuple(HEADER)
    assert table.lines == (2, 3, 4)
    assert [row[:2] for row in table.rows] == [
        ("A-1", "2026-03-01"), ("A-2", "2026-03-02"), ("A-3", "2026-03-03"),
    ]  # fmt: skip


@of_every_format
def test_error_cells_are_told_from_empty_ones(kind: str) -> None:
    frame = read_file(FORMATS[kind]([ORDERS])).frame
    assert frame["t2"].to_list() == ["amount", "10.5", "#N/A", "30"]
    assert frame["k2"][2] == CellKind.ERROR


@of_every_format
def test_hidden_rows_are_read_and_reported_with_their_lines(kind: str) -> None:
    content = FORMATS[kind]([ORDERS])
    assert read_file(content).frame[HIDDEN].to_list() == [False, False, False, True]
    decisions = {d.rule: d for d in inspect_file(content).decisions}
    assert decisions["rows.hidden"].lines == (4,)


@of_every_format
def test_hidden_rows_are_left_out_when_the_rule_is_off(kind: str) -> None:
    table = inspect_file(FORMATS[kind]([ORDERS]), off=["rows.hidden"])
    assert table.lines == (2, 3)


@of_every_format
def test_hidden_columns_are_reported(kind: str) -> None:
    notes = {d.rule: d.message for d in read_file(FORMATS[kind]([ORDERS])).notes}
    assert notes["columns.hidden"].endswith(": B")


@of_every_format
def test_hidden_sheet_is_reported_and_left_out(kind: str) -> None:
    sheet = read_file(FORMATS[kind]([SECRET, ORDERS]))
    assert sheet.source["sheet"] == "Orders"
    assert "sheet.hidden" in {d.rule for d in sheet.notes}


@of_every_format
def test_merged_areas_are_known(kind: str) -> None:
    assert read_file(FORMATS[kind]([ORDERS])).merged == ((0, 0, 0, 1),)


@pytest.mark.parametrize("kind", ["xlsx", "xls", "xlsb"])
def test_dates_from_1904_are_the_same_days(kind: str) -> None:
    table = inspect_file(FORMATS[kind]([ORDERS], since_1904=True))
    assert [row[1] for row in table.rows] == ["2026-03-01", "2026-03-02", "2026-03-03"]
    assert table.source["dates"] == "1904"
    assert "dates.1904" in {d.rule for d in table.decisions}


@pytest.mark.parametrize("kind", ["xlsx", "xls", "xlsb"])
def test_dates_that_contradict_the_flag_are_refused(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = FORMATS[kind]([ORDERS], since_1904=True)
    book = Workbook(content)
    # As if the values had been dated from 1900 although the workbook counts from 1904.
    monkeypatch.setattr(
        book, "_values", Workbook(FORMATS[kind]([shifted(ORDERS)], since_1904=True))._values
    )
    with pytest.raises(Unreadable) as refused:
        book.view("Orders")
    assert refused.value.reason == "file.dates_contradict"


def shifted(sheet: MadeSheet) -> MadeSheet:
    days = [
        [date.fromordinal(c.toordinal() - 1462) if isinstance(c, date) else c for c in row]
        for row in sheet.rows
    ]
    return MadeSheet(sheet.name, days)


@of_every_format
def test_two_sheets_with_tables_are_refused_with_both(kind: str) -> None:
    second = MadeSheet("Second", [["a", "b"], ["1", "2"], ["3", "4"]])
    with pytest.raises(Unreadable) as refused:
        inspect_file(FORMATS[kind]([ORDERS, second]))
    assert refused.value.reason == "sheet.ambiguous"
    assert [c.split(":")[0] for c in refused.value.candidates] == [
        "sheet 'Orders'", "sheet 'Second'",
    ]  # fmt: skip


@of_every_format
def test_sheet_of_remarks_is_no_candidate(kind: str) -> None:
    remarks = MadeSheet("Read me", [["Please fill in the second sheet."], ["Thank you."]])
    table = inspect_file(FORMATS[kind]([remarks, ORDERS]))
    assert table.source["sheet"] == "Orders"
    assert "sheet.chosen" in {d.rule for d in table.decisions}


TWO_TABLES = MadeSheet(
    "A 'b'",
    [*ORDERS.rows, ["Sum", None, 40.5], [], ["sku", "stock"], ["X", 1.0], ["Y", 2.0]],
    tables=[MadeTable("Orders", (0, 0, 4, 2), totals=1), MadeTable("Stock", (6, 0, 8, 1))],
)


@pytest.mark.parametrize("kind", ["xlsb", "ods"])
def test_defined_tables_are_candidates_and_can_be_named(kind: str) -> None:
    content = FORMATS[kind]([TWO_TABLES])
    with pytest.raises(Unreadable) as refused:
        inspect_file(content)
    assert refused.value.reason == "sheet.ambiguous"
    assert [each.partition(":")[0] for each in refused.value.candidates] == [
        "table 'Orders' on sheet 'A 'b''",
        "table 'Stock' on sheet 'A 'b''",
    ]
    table = inspect_file(content, reader=ReaderOptions(sheet="Stock"))
    assert (table.header, table.lines) == (("sku", "stock"), (8, 9))
    orders = inspect_file(content, reader=ReaderOptions(sheet="Orders"))
    # A totals row is declared in xlsb; ods has no such thing, and the sum is not there to confirm.
    totals = "rows.total" if kind == "xlsb" else "rows.total_unconfirmed"
    assert {"table.defined", totals} <= {d.rule for d in orders.decisions}


@pytest.mark.parametrize("kind", ["xlsb", "ods"])
@pytest.mark.parametrize("area", [(3, 0, 2, 1), (0, 5, 4, 2), (0, 0, 1 << 21, 2)])
def test_table_that_lies_on_no_sheet_is_no_table(
    kind: str, area: tuple[int, int, int, int]
) -> None:
    sheet = MadeSheet("Orders", ORDERS.rows, tables=[MadeTable("Odd", area)])
    table = inspect_file(FORMATS[kind]([sheet]))
    assert table.lines == (2, 3, 4)
    assert "table" not in table.source


def test_xlsb_table_that_is_cut_off_is_a_typed_refusal() -> None:
    sheet = MadeSheet("Orders", ORDERS.rows, tables=[MadeTable("Orders", (0, 0, 3, 2))])
    part = {"xl/tables/table11.bin": b"\xd7\x02\x04\x00\x00\x00\x00"}
    with pytest.raises(Unreadable) as refused:
        inspect_file(replaced(xlsb_book([sheet]), part))
    assert refused.value.reason == "file.broken_workbook"


@pytest.mark.parametrize("address", ["A1:C4", "Orders.A1:Other.C4", "Orders.A1 Orders.C4", ""])
def test_ods_range_over_no_one_sheet_is_no_table(address: str) -> None:
    sheet = MadeSheet("Orders", ORDERS.rows, tables=[MadeTable("T", (0, 0, 3, 2))])
    content = ods_book([sheet])
    with zipfile.ZipFile(io.BytesIO(content)) as package:
        text = package.read("content.xml").replace(b"'Orders'.A1:'Orders'.C4", address.encode())
    table = inspect_file(replaced(content, {"content.xml": text}))
    assert "table" not in table.source


def test_formula_without_a_stored_value_is_an_error_in_ods() -> None:
    body = (
        '<table:table table:name="A"><table:table-row><table:table-cell '
        'office:value-type="string"><text:p>a</text:p></table:table-cell></table:table-row>'
        '<table:table-row><table:table-cell table:formula="of:=1+1"/></table:table-row>'
        "</table:table>"
    )
    assert read_file(ods_book([], body=body)).frame["k0"].to_list() == [
        CellKind.TEXT, CellKind.UNCALCULATED,
    ]  # fmt: skip


def test_formula_with_an_empty_text_as_its_value_is_an_empty_cell() -> None:
    content = xlsx_book([MadeSheet("A", [["a", "b"], ["x", 1.0]])])
    sheet = (
        b'<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>'
        b'<row r="1"><c r="A1" t="inlineStr"><is><t>a</t></is></c></row>'
        b'<row r="2"><c r="A2" t="str"><f>""</f><v></v></c></row>'
        b'<row r="3"><c r="A3"><f>1+1</f></c></row></sheetData></worksheet>'
    )
    frame = read_file(replaced(content, {"xl/worksheets/sheet1.xml": sheet})).frame
    assert frame["k0"].to_list() == [CellKind.TEXT, CellKind.TEXT, CellKind.UNCALCULATED]


@pytest.mark.parametrize("kind", FORMATS)
def test_sheet_whose_formulas_were_never_calculated_is_told(kind: str) -> None:
    for stored, told in ((0.0, 1), (3.0, 0)):
        rows = [["item", "sum"], ["a", MadeFormula(0.0)], ["b", MadeFormula(stored)]]
        table = inspect_file(FORMATS[kind]([MadeSheet("A", rows)]))
        assert table.rows == (("a", "0"), ("b", f"{stored:g}"))
        assert sum(each.rule == "formulas.zero" for each in table.decisions) == told


@pytest.mark.parametrize("kind", FORMATS)
def test_whole_numbers_keep_the_digits_that_a_code_has(kind: str) -> None:
    numbers = [1234567890123456.0, 0.1 + 0.2, 12.0, 4503599627370497.0]
    rows = [["name", "number"], *[["a", each] for each in numbers]]
    read = [row[1] for row in inspect_file(FORMATS[kind]([MadeSheet("A", rows)])).rows]
    assert read == ["1234567890123456", "0.3", "12", "4503599627370497"]


def test_duration_is_written_as_its_cell_shows_it() -> None:
    buffer = io.BytesIO()
    book = xlsxwriter.Workbook(buffer, {"in_memory": True})
    sheet, form = book.add_worksheet(), book.add_format({"num_format": "[h]:mm:ss"})
    sheet.write_row(0, 0, ["task", "spent"])
    for row, days in enumerate((1.25, 1 / 86400, 40.5), start=1):
        sheet.write_row(row, 0, ["a"])
        sheet.write_number(row, 1, days, form)
    book.close()
    read = [row[1] for row in inspect_file(buffer.getvalue()).rows]
    assert read == ["30:00:00", "0:00:01", "972:00:00"]


def test_references_and_prefixes_may_be_missing_or_unusual() -> None:
    content = xlsx_book([MadeSheet("A", [["a"]])])
    sheet = (
        b"<x:worksheet xmlns:x='http://schemas.openxmlformats.org/spreadsheetml/2006/main'>"
        b"<x:sheetData><x:row><x:c t='inlineStr'><x:is><x:t>a</x:t></x:is></x:c>"
        b"<x:c t='e'><x:v>#REF!</x:v></x:c></x:row>"
        b"<x:row hidden='true'><x:c><x:v>1</x:v></x:c></x:row></x:sheetData></x:worksheet>"
    )
    frame = read_file(replaced(content, {"xl/worksheets/sheet1.xml": sheet})).frame
    assert frame["t1"].to_list() == ["#REF!", None]
    assert frame[HIDDEN].to_list() == [False, True]


@pytest.mark.parametrize("kind", [0x208, 0x7D, 0x205, 0x06, 0x203])
def test_xls_record_that_is_cut_off_is_a_typed_refusal(kind: int) -> None:
    stream = xls_stream([MadeSheet("A", [["a", "b"], ["1", "2"]])])
    place = stream.rindex(struct.pack("<HH", 0x200, 14))
    cut = stream[:place] + struct.pack("<HHHH", kind, 4, 0, 0) + stream[place:]
    with pytest.raises(Unreadable) as refused:
        inspect_file(ole_container({"Workbook": cut}))
    assert refused.value.reason == "file.broken_workbook"


def test_xlsb_sheet_without_its_name_is_a_typed_refusal() -> None:
    relation = struct.pack("<II", 0, 1) + struct.pack("<I", 2) + "r1".encode("utf-16-le")
    book = bytes([0x9C, 0x01, len(relation)]) + relation
    with pytest.raises(Unreadable) as refused:
        inspect_file(replaced(xlsb_book([ORDERS]), {"xl/workbook.bin": book}))
    assert refused.value.reason == "file.broken_workbook"


def test_error_cells_are_counted_when_the_sheet_grows_no_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(marks_of_sheets, "MAX_MARKS", 50)
    errors = MadeSheet("A", [["a", "b"], *[["#N/A", "x"]] * 60, ["end", "y"]])
    with pytest.raises(Unreadable, match="50 cells are errors") as refused:
        inspect_file(xls_book([errors]))
    assert refused.value.reason == "file.too_many_cells"


def test_marks_of_a_sheet_that_repeats_itself_stay_bounded() -> None:
    marks = marks_of_sheets.SheetMarks()
    for _ in range(marks_of_sheets.MAX_MERGED + 1):
        marks.merge((0, 0, 1, 1))
    assert len(marks.merged) == marks_of_sheets.MAX_MERGED
    for _ in range(marks_of_sheets.MAX_COLUMNS):
        marks.hide_columns(0, 3)
    with pytest.raises(Unreadable, match="columns are hidden"):
        marks.hide_columns(0, 3)
