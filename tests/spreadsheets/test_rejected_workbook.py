"""Texts and marks of the workbook of rejected rows, beside what xlsxwriter makes of the same."""

from __future__ import annotations

import re
from pathlib import Path

import openpyxl
import pytest
import xlsxwriter

from hybridmandate.execution.services.spreadsheets import Profile, normalize, read_profile
from hybridmandate.execution.services.spreadsheets.file_result import Normalization
from hybridmandate.execution.services.spreadsheets.rejected_file import rejected_workbook

TEXTS = [
    "plain",
    "=1+1",
    "+1",
    "@SUM(A1)",
    "<r><t>rich</t></r>",
    "a & b < c > d \" e '",
    "&amp; &lt;",
    " before",
    "behind ",
    "a  b",
    "_x0041_",
    "_x005F_x0041_ and _xZZZZ_",
    "bell \x07 and form \x0c and escape \x1b",
    "not a character \ufffe \uffff",
    "zero​width nbsp\u00a0",
    "𝒳 😀 é",
    "a\tb",
    "00012",
    "]]>",
    "${1} \\1 {}",
]
"""What a sheet may hold instead of harmless text."""


def profile(text: str) -> Profile:
    return read_profile(f'[profile]\nname="t"\nversion=1\ntitle="T"\n{text}', source="t.toml")


def rejected_of(texts: list[str]) -> Normalization:
    body = "".join(f'x,"{text.replace(chr(34), chr(34) * 2)}"\n' for text in texts)
    wanted = profile('[columns.a]\ntype="integer"\n[columns.b]\ntype="text"\n')
    return normalize(f"a,b\n{body}".encode(), wanted)


def cells(path: Path) -> list[list[object]]:
    sheet = openpyxl.load_workbook(path).active
    assert sheet is not None
    return [
        [(c.value, c.data_type, c.fill.fgColor.rgb, c.number_format) for c in row]
        for row in sheet.iter_rows()
    ]


def test_any_text_stands_in_its_cell_as_xlsxwriter_writes_it(tmp_path: Path) -> None:
    rejected_workbook(rejected_of(TEXTS), tmp_path / "ours.xlsx")
    book = xlsxwriter.Workbook(
        str(tmp_path / "theirs.xlsx"), {"strings_to_formulas": False, "constant_memory": True}
    )
    sheet, style = book.add_worksheet(), book.add_format({"num_format": "@"})
    for row, text in enumerate(TEXTS):
        # xlsxwriter takes text that looks like its own markup for markup.
        sheet.write_string(row, 0, "" if text.startswith("<r>") else text, style)
    book.close()
    ours = [row[2] for row in cells(tmp_path / "ours.xlsx")[1:]]
    theirs = [row[0] for row in cells(tmp_path / "theirs.xlsx")]
    at = TEXTS.index("<r><t>rich</t></r>")
    assert ours.pop(at) == ("<r><t>rich</t></r>", "s", "00000000", "@")
    theirs.pop(at)
    assert ours == theirs


def test_cells_and_reasons_are_told_apart_by_row(tmp_path: Path) -> None:
    wanted = profile(
        '[columns.a]\ntype="integer"\nrequired=true\n[columns.b]\ntype="text"\nmax_length=2\n'
    )
    result = normalize(b"a,b\n1,ok\nx,long\n,\n2,long\n,ok\n3,ok\n", wanted)
    rejected_workbook(result, tmp_path / "r.xlsx")
    rows = cells(tmp_path / "r.xlsx")[1:]
    marked = [[cell[2] == "FFFFD9D6" for cell in row[1:3]] for row in rows]
    assert [row[0][0] for row in rows] == [3, 5, 6]
    assert marked == [[True, True], [False, True], [True, False]]
    assert [row[3][0] for row in rows] == [
        "a: is not a whole number of up to 15 digits; b: may have 2 characters",
        "b: may have 2 characters",
        "a: must be filled",
    ]
    assert rows[2][1] == (None, "n", "FFFFD9D6", "@")


@pytest.mark.parametrize("rows", [1, 2, 3, 4, 5])
def test_each_row_stands_once_however_the_sheets_are_cut(tmp_path: Path, rows: int) -> None:
    result = rejected_of([f"text {n}" for n in range(4)])
    rejected_workbook(result, tmp_path / "r.xlsx", sheet_rows=rows)
    book = openpyxl.load_workbook(tmp_path / "r.xlsx")
    found = [row for sheet in book for row in sheet.iter_rows(min_row=2, values_only=True)]
    assert [row[2] for row in found] == [f"text {n}" for n in range(4)]
    assert [sheet.max_row - 1 for sheet in book] == [
        min(rows, 4 - start) for start in range(0, 4, rows)
    ]
    assert all(sheet.dimensions == sheet.auto_filter.ref for sheet in book)


def test_a_file_that_is_rejected_as_a_whole_says_so_in_rows_without_an_error(
    tmp_path: Path,
) -> None:
    wanted = profile(
        '[columns.a]\ntype="integer"\n[columns.b]\ntype="text"\n'
        '[[file_rules]]\ncode="few"\nkind="count"\nminimum=5\n'
    )
    result = normalize(b"a,b\n1,ok\nx,ok\n", wanted)
    rejected_workbook(result, tmp_path / "r.xlsx")
    reasons = [row[3][0] for row in cells(tmp_path / "r.xlsx")[1:]]
    assert re.match("the whole file: .*", str(reasons[0]))
    assert reasons[1] == "a: is not a whole number of up to 15 digits"
