"""Of several tables one is chosen by a declared rule, or the file is refused with all of them."""

import io
import zipfile
from collections.abc import Callable

import pytest
import xlsxwriter
from workbook_kit import replaced

from hybridmandate.execution.services.spreadsheets import (
    Profile,
    Unreadable,
    inspect_file,
    normalize,
    read_profile,
)
from hybridmandate.execution.services.spreadsheets.profile import ReaderOptions

ORDERS = [["code", "amount"], ["A-1", "10"], ["A-2", "20"], ["A-3", "30"]]
TEAMS = [["team", "city"], ["Sales", "Basel"], ["Stock", "Bern"]]


def profile(reader: str = "") -> Profile:
    return read_profile(
        '[profile]\nname = "orders"\nversion = 1\ntitle = "Orders"\n'
        '[columns.code]\ntype = "text"\nrequired = true\n'
        f'[columns.amount]\ntype = "decimal"\nrequired = true\n{reader}',
        source="orders.toml",
    )


def book(fill: Callable[[xlsxwriter.Workbook], None]) -> bytes:
    buffer = io.BytesIO()
    made = xlsxwriter.Workbook(buffer, {"in_memory": True})
    fill(made)
    made.close()
    return buffer.getvalue()


def put(sheet: xlsxwriter.worksheet.Worksheet, rows: list[list[str]], top: int, left: int) -> None:
    for row, cells in enumerate(rows):
        for column, cell in enumerate(cells):
            if cell.isdigit():
                sheet.write_number(top + row, left + column, int(cell))
            else:
                sheet.write_string(top + row, left + column, cell)


def table(
    sheet: xlsxwriter.worksheet.Worksheet, name: str, rows: list[list[str]], top: int, left: int,
    *, totals: bool = False,
) -> None:  # fmt: skip
    area = (top, left, top + len(rows) - 1 + totals, left + len(rows[0]) - 1)
    columns = [{"header": heading} for heading in rows[0]]
    sheet.add_table(*area, {"name": name, "columns": columns, "total_row": totals})
    put(sheet, rows, top, left)
    if totals:
        sheet.write_string(area[2], left, "Mean")
        sheet.write_number(area[2], left + 1, 20)


def two_sheets(made: xlsxwriter.Workbook) -> None:
    put(made.add_worksheet("Teams"), TEAMS, 0, 0)
    put(made.add_worksheet("Orders"), ORDERS, 0, 0)


def test_profile_finds_its_sheet_wherever_it_stands() -> None:
    result = normalize(book(two_sheets), profile())
    assert result.source["sheet"] == "Orders"
    assert result.accepted_count == 3
    assert "sheet.chosen" in {d.rule for d in result.decisions}


def test_two_sheets_that_fit_a_profile_are_refused_until_one_is_declared() -> None:
    def fill(made: xlsxwriter.Workbook) -> None:
        put(made.add_worksheet("March"), ORDERS, 0, 0)
        put(made.add_worksheet("April"), ORDERS[:3], 0, 0)

    with pytest.raises(Unreadable) as refused:
        normalize(book(fill), profile())
    assert refused.value.reason == "sheet.ambiguous"
    assert len(refused.value.candidates) == 2
    declared = normalize(book(fill), profile('[reader]\nsheet = "April"\n'))
    assert declared.accepted_count == 2


def test_declared_sheet_that_is_not_there_is_refused_with_those_that_are() -> None:
    with pytest.raises(Unreadable) as refused:
        normalize(book(two_sheets), profile('[reader]\nsheet = "May"\n'))
    assert refused.value.reason == "sheet.missing"
    assert refused.value.candidates == ("Teams", "Orders")


def test_defined_table_is_read_alone_and_what_stands_outside_is_said() -> None:
    def fill(made: xlsxwriter.Workbook) -> None:
        sheet = made.add_worksheet("Report")
        sheet.write_string(0, 0, "Orders of March")
        table(sheet, "Orders", ORDERS, 3, 1)
        put(sheet, TEAMS, 9, 1)

    found = inspect_file(book(fill))
    assert found.source["table"] == "Orders"
    assert (found.header_line, found.lines) == (4, (5, 6, 7))
    outside = next(d for d in found.decisions if d.rule == "table.defined")
    assert outside.lines == (1, 10, 11, 12)


def test_totals_row_that_a_defined_table_declares_is_left_out() -> None:
    def fill(made: xlsxwriter.Workbook) -> None:
        table(made.add_worksheet(), "Orders", ORDERS, 0, 0, totals=True)

    found = inspect_file(book(fill))
    assert found.lines == (2, 3, 4)
    assert next(d for d in found.decisions if d.rule == "rows.total").lines == (5,)


def test_two_defined_tables_are_refused_until_one_is_named() -> None:
    def fill(made: xlsxwriter.Workbook) -> None:
        sheet = made.add_worksheet()
        table(sheet, "Orders", ORDERS, 0, 0)
        table(sheet, "Teams", TEAMS, 0, 4)

    with pytest.raises(Unreadable) as refused:
        inspect_file(book(fill))
    assert refused.value.reason == "sheet.ambiguous"
    named = inspect_file(book(fill), reader=ReaderOptions(sheet="Teams"))
    assert named.header == ("team", "city")
    assert normalize(book(fill), profile()).accepted_count == 3


def test_defined_table_that_rows_have_outgrown_is_not_trusted() -> None:
    def fill(made: xlsxwriter.Workbook) -> None:
        sheet = made.add_worksheet()
        table(sheet, "Orders", ORDERS, 0, 0)
        put(sheet, [["A-4", "40"]], 4, 0)

    found = inspect_file(book(fill))
    assert found.lines == (2, 3, 4, 5)
    assert next(d for d in found.decisions if d.rule == "table.outgrown").lines == (5,)


def text(*parts: list[list[str]]) -> bytes:
    return "\n\n".join("\n".join(",".join(row) for row in part) for part in parts).encode()


def test_smaller_table_below_is_left_out_and_said() -> None:
    found = inspect_file(text(ORDERS, TEAMS))
    assert found.lines == (2, 3, 4)
    assert next(d for d in found.decisions if d.rule == "rows.second_table").lines == (6, 7, 8)


def test_larger_table_below_is_refused_with_both() -> None:
    with pytest.raises(Unreadable) as refused:
        inspect_file(text(TEAMS, [*ORDERS, ["A-4", "40"]]))
    assert refused.value.reason == "table.ambiguous_rows"
    assert refused.value.candidates == (
        "header on line 1: team | city",
        "header on line 5: code | amount",
    )


def test_declared_header_line_settles_which_table_is_read() -> None:
    found = inspect_file(text(TEAMS, ORDERS), header_line=5)
    assert (found.header, found.lines) == (("code", "amount"), (6, 7, 8))


def side_by_side(left: list[list[str]], right: list[list[str]]) -> bytes:
    height = max(len(left), len(right))
    pad = [[""] * 2] * height
    rows = zip((left + pad)[:height], (right + pad)[:height], strict=True)
    return "\n".join(",".join([*a, "", *b]) for a, b in rows).encode()


def test_smaller_table_beside_is_left_out_and_said() -> None:
    found = inspect_file(side_by_side(ORDERS, TEAMS))
    assert found.header == ("code", "amount")
    assert "columns.second_table" in {d.rule for d in found.decisions}


def test_tables_of_one_size_side_by_side_are_refused_until_the_rule_is_off() -> None:
    content = side_by_side(ORDERS, ORDERS)
    with pytest.raises(Unreadable) as refused:
        inspect_file(content)
    assert refused.value.reason == "table.ambiguous_columns"
    whole = inspect_file(content, off=["columns.second_table"])
    assert whole.header == ("code", "amount", "", "code", "amount")


def test_declared_line_that_is_not_there_is_refused() -> None:
    with pytest.raises(Unreadable) as refused:
        inspect_file(text(ORDERS), header_line=99)
    assert refused.value.reason == "table.no_header"


def test_defined_table_of_totals_alone_holds_no_rows() -> None:
    def fill(made: xlsxwriter.Workbook) -> None:
        table(made.add_worksheet("Sheet"), "Orders", ORDERS, 0, 0)

    declared_table = '[reader]\nsheet = "Orders"\n'
    content = book(fill)
    assert normalize(content, profile(declared_table)).accepted_count == 3
    with zipfile.ZipFile(io.BytesIO(content)) as package:
        declared = package.read("xl/tables/table1.xml")
    lying = declared.replace(b'totalsRowShown="0"', b'totalsRowCount="9999999"')
    assert lying != declared
    with pytest.raises(Unreadable) as refused:
        normalize(replaced(content, {"xl/tables/table1.xml": lying}), profile(declared_table))
    assert refused.value.reason == "table.no_header"


def test_second_table_below_a_title_is_named_by_its_header() -> None:
    rows = ["id,amount", "1,10", "", "Customers", "name,city", "Ann,Bern", "Bob,Rome"]
    with pytest.raises(Unreadable) as refused:
        inspect_file("\n".join(rows).encode())
    assert refused.value.reason == "table.ambiguous_rows"
    assert list(refused.value.candidates) == [
        "header on line 1: id | amount",
        "header on line 5: name | city",
    ]
    larger = inspect_file("\n".join([*rows[:2], "2,20", "3,30", *rows[2:]]).encode())
    assert larger.lines == (2, 3, 4)
