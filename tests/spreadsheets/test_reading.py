"""Readers: every byte sequence is either a sheet of texts with lines, or a typed refusal."""

import io
import zipfile
from typing import Any

import openpyxl
import pytest
import xlsxwriter
from hypothesis import given, settings
from hypothesis import strategies as st

from hybridmandate.execution.services.spreadsheets import Unreadable, read_file
from hybridmandate.execution.services.spreadsheets.dialect import Dialect, one_record
from hybridmandate.execution.services.spreadsheets.table import (
    FIRST_LINE,
    LAST_LINE,
    CellKind,
    Sheet,
    text_column,
)


def rows(sheet: Sheet) -> list[tuple[int, int, list[str | None]]]:
    """First line, last line and texts of each row."""
    names = [FIRST_LINE, LAST_LINE, *map(text_column, range(sheet.width))]
    return [(first, last, cells) for first, last, *cells in sheet.frame.select(names).iter_rows()]


def texts(sheet: Sheet) -> list[list[str | None]]:
    return [cells for _, _, cells in rows(sheet)]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_delimiter_is_found_by_the_rows(delimiter: str) -> None:
    content = delimiter.join("abc") + "\n" + "\n".join(delimiter.join("123") for _ in range(9))
    sheet = read_file(content.encode())
    assert sheet.source["delimiter"] == delimiter
    assert texts(sheet)[0] == ["a", "b", "c"]


def test_commas_inside_amounts_do_not_mislead() -> None:
    content = "name;amount\n" + "\n".join(f"x{n};1,{n}" for n in range(9))
    assert read_file(content.encode()).source["delimiter"] == ";"


@pytest.mark.parametrize(
    ("encoding", "named"),
    [
        ("utf-8", "utf-8"),
        ("utf-8-sig", "utf-8-sig"),
        ("utf-16", "utf-16"),
        ("cp1252", "cp1252"),
    ],
)
def test_encoding_is_found_and_named(encoding: str, named: str) -> None:
    sheet = read_file("größe,preis\nzwölf,3\n".encode(encoding))
    assert sheet.source["encoding"] == named
    assert texts(sheet)[1] == ["zwölf", "3"]


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
def test_all_line_ends_are_line_ends(ending: str) -> None:
    sheet = read_file(ending.join(["a,b", "1,2", "3,4"]).encode())
    assert [(first, last) for first, last, _ in rows(sheet)] == [(1, 1), (2, 2), (3, 3)]


def test_record_over_several_lines_keeps_first_and_last_line() -> None:
    sheet = read_file(b'a,b\n1,"x\ny\nz"\n3,4\n')
    assert rows(sheet)[1] == (2, 4, ["1", "x\ny\nz"])
    assert rows(sheet)[2][:2] == (5, 5)


def test_quote_that_is_never_closed_does_not_swallow_the_file() -> None:
    content = 'a,b\n1,"two\n' + "".join(f"{n},{n}\n" for n in range(500))
    sheet = read_file(content.encode())
    assert sheet.height == 502
    assert texts(sheet)[1] == ["1", '"two']
    assert [(d.rule, d.lines) for d in sheet.notes] == [("quote.unclosed", (2,))]


def test_inch_sign_inside_a_field_is_no_quote() -> None:
    assert texts(read_file(b'a,b\n27" screen,1\n'))[1] == ['27" screen', "1"]


def test_ragged_rows_keep_their_cells() -> None:
    assert texts(read_file(b"a,b,c\n1,2\n1,2,3,4\n1,2,3\n")) == [
        ["a", "b", "c", None],
        ["1", "2", None, None],
        ["1", "2", "3", "4"],
        ["1", "2", "3", None],
    ]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "file.empty"),
        (b" \r\n\t\n", "file.empty"),
        (b"\xef\xbb\xbf", "file.empty"),
        (b"%PDF-1.7\n...", "file.not_a_spreadsheet"),
        (b"\x89PNG\r\n\x1a\n" + bytes(64), "file.binary"),
        (b"<html><table><tr><td>1", "file.markup"),
        (b'<?xml version="1.0"?><a/>', "file.markup"),
        (b"PK\x03\x04 cut off", "file.broken_workbook"),
        (b"\xff\xfea", "file.encoding"),
        (bytes.fromhex("D0CF11E0A1B11AE1") + bytes(2000), "file.broken_workbook"),
        (
            bytes.fromhex("D0CF11E0A1B11AE1") + "EncryptedPackage".encode("utf-16-le"),
            "file.encrypted",
        ),
        (",".join("x" * 3000).encode(), "file.too_wide"),
    ],
)
def test_what_is_no_table_is_refused_with_a_reason(content: bytes, reason: str) -> None:
    with pytest.raises(Unreadable) as refused:
        read_file(content)
    assert refused.value.reason == reason


def test_zip_bomb_is_refused_before_it_is_opened() -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as package:
        package.writestr("xl/workbook.xml", b"0" * (300 * 1024 * 1024))
    with pytest.raises(Unreadable) as refused:
        read_file(buffer.getvalue())
    assert refused.value.reason == "file.zip_bomb"


def workbook(fill: Any, **options: Any) -> bytes:
    buffer = io.BytesIO()
    book = xlsxwriter.Workbook(buffer, {"in_memory": True, **options})
    fill(book)
    book.close()
    return buffer.getvalue()


def test_rows_of_a_workbook_keep_their_numbers() -> None:
    def fill(book: xlsxwriter.Workbook) -> None:
        sheet = book.add_worksheet()
        sheet.write_string(3, 1, "late")
        sheet.write_number(5, 2, 0.1 + 0.2)

    sheet = read_file(workbook(fill))
    assert [first for first, _, cells in rows(sheet) if any(cells)] == [4, 6]
    assert texts(sheet)[5][2] == "0.3"


def test_error_and_uncalculated_cells_are_not_empty_cells() -> None:
    def fill(book: xlsxwriter.Workbook) -> None:
        sheet = book.add_worksheet()
        sheet.write_string(0, 0, "a")
        sheet.write_formula(1, 0, "=1/0", None, "#DIV/0!")
        sheet.write_formula(2, 0, "=A1", None, "")

    sheet = read_file(workbook(fill))
    kinds = sheet.frame["k0"].to_list()
    assert texts(sheet)[1] == ["#DIV/0!"]
    assert kinds == [CellKind.TEXT, CellKind.ERROR, CellKind.UNCALCULATED]


def test_first_visible_sheet_with_cells_is_read_and_said() -> None:
    def fill(book: xlsxwriter.Workbook) -> None:
        hidden = book.add_worksheet("Hidden")
        hidden.write_string(0, 0, "no")
        book.add_worksheet("Empty").activate()
        book.add_worksheet("Data").write_string(0, 0, "yes")
        book.add_worksheet("Later").write_string(0, 0, "no")
        hidden.hide()

    sheet = read_file(workbook(fill))
    assert texts(sheet) == [["yes"]]
    assert sheet.source["sheet"] == "Data"
    assert {d.rule for d in sheet.notes} == {"sheet.hidden", "sheet.chosen"}


def test_macros_and_links_are_reported() -> None:
    content = workbook(lambda book: book.add_worksheet().write_string(0, 0, "a"))
    buffer = io.BytesIO(content)
    with zipfile.ZipFile(buffer, "a") as package:
        package.writestr("xl/vbaProject.bin", b"x")
        package.writestr("xl/externalLinks/externalLink1.xml", b"<a/>")
    rules = {d.rule for d in read_file(buffer.getvalue()).notes}
    assert rules == {"book.macros", "book.external_links"}


def test_archive_with_a_nameless_member_is_refused() -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as package:
        package.writestr("a", b"a,b\n1,2\n")
        package.writestr("b", b"x")
    nameless = bytearray(buffer.getvalue())
    place = nameless.rindex(b"b", 0, nameless.rindex(b"PK\x05\x06"))
    nameless[place] = 0
    with pytest.raises(Unreadable):
        read_file(bytes(nameless))


def test_workbook_without_cells_is_refused() -> None:
    buffer = io.BytesIO()
    openpyxl.Workbook().save(buffer)
    with pytest.raises(Unreadable) as refused:
        read_file(buffer.getvalue())
    assert refused.value.reason == "file.empty"


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=400))
def test_any_bytes_are_read_or_refused(content: bytes) -> None:
    try:
        height = read_file(content).height
    except Unreadable:
        return
    assert height >= 1


@settings(max_examples=150, deadline=None)
@given(st.text(alphabet='ab,;|\t"\r\n ', max_size=200))
def test_every_physical_line_belongs_to_exactly_one_record(text: str) -> None:
    try:
        sheet = read_file(text.encode())
    except Unreadable:
        return
    expected = 1
    for first, last, _ in rows(sheet):
        assert first == expected
        assert last >= first
        expected = last + 1


@pytest.mark.parametrize(
    ("line", "cells", "flaw"),
    [
        ('a,"say \\"hi, all\\"",b', ["a", 'say "hi, all"', "b"], "escaped"),
        ('a,"say \\""', ["a", 'say "'], "escaped"),
        ('"C:\\dir \\"x\\""', ['C:\\dir "x"'], "escaped"),
        ('a,"C:\\",b', ["a", "C:\\", "b"], None),
        ('"C:\\","b "c" d"', ["C:\\", 'b c" d"'], "stray"),
        ('a,b \\" c', ["a", 'b \\" c'], "stray"),
    ],
)
def test_backslash_belongs_to_a_quote_only_where_the_line_is_well_formed_then(
    line: str, cells: list[str], flaw: str | None
) -> None:
    record = one_record([line], 0, Dialect(",", '"'))
    assert (record.cells, record.flaw) == (cells, flaw)
