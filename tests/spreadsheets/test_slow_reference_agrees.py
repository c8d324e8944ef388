"""Whole profiles agree with the slow reading: rules, references, e-mail, file rules, workbooks."""

import csv
import io
from datetime import date
from typing import Any

import polars as pl
import pytest
import xlsxwriter
from hypothesis import given, settings
from hypothesis import strategies as st
from slow_profile import Reading, read_csv, read_rows
from slow_workbook import cells_of

from hybridmandate.execution.services.spreadsheets import Normalization, normalize, read_profile

COLUMNS = """
[profile]
name = "t"
version = 1
title = "t"
[structure]
off = ["rows.title", "header.two_rows", "rows.units", "rows.repeated_header", "rows.blank",
    "rows.total", "rows.subtotal", "rows.footer", "rows.second_table", "columns.second_table"]
[reader]
delimiter = ","
[columns.number]
type = "text"
required = true
[columns.ordered]
type = "date"
formats = ["YYYY-MM-DD", "DD.MM.YYYY"]
[columns.due]
type = "date"
[columns.net]
type = "decimal"
number_format = "1.234,56"
[columns.tax]
type = "decimal"
number_format = "1.234,56"
[columns.pieces]
type = "integer"
[columns.state]
type = "enum"
values = ["open", "paid"]
[columns.mail]
type = "email"
[columns.customer]
type = "text"
reference = { view = "customers", column = "code" }
"""
CELLS = {
    "number": ["A-1", "A-2", "A-3", "A-7", "B", "9"],
    "ordered": ["2026-03-01", "31.03.2026", "2026-04-02", "2026-3-1"],
    "due": ["2026-03-01", "2026-04-01", "2026-05-31", "later"],
    "net": ["10", "1.234,50", "-3,25", "0,00", "12,345", "1,234.50"],
    "tax": ["0", "2,50", "250,00", "-1", "x"],
    "pieces": ["1", "2", "10", "0", "-4", "1,5"],
    "state": ["open", "PAID", "shut"],
    "mail": ["ann@example.org", "Ann@EXAMPLE.org", "ann@", "ann@exa mple.org", "ü@example.org"],
    "customer": ["C1", "C2", "C9", "c1"],
}
VIEWS = {
    "customers": [{"code": "C1"}, {"code": "C2"}],
    "booked": [{"no": "A-2", "by": "C1"}, {"no": "A-7", "by": "C2"}],
}
CHECKS = [
    "due >= ordered", "net + tax >= 0", "tax <= net", "net - tax * 2 < 1000", "pieces != 0",
    "not pieces < 0", "state == 'paid' or filled(due)", "state in ('open', 'paid') and pieces > 0",
    "length(number) == 3", "filled(mail) or filled(customer)", "-pieces < 5", "0 < pieces <= 10",
    "not (state == 'open' and tax > 0)", "customer != 'C1' or net > 0",
]  # fmt: skip
FILE_RULES = [
    {"kind": "sum", "column": "net", "equals": "20"},
    {"kind": "sum", "column": "tax", "equals": "0.00"},
    {"kind": "sum", "column": "pieces"},
    {"kind": "count", "minimum": 2},
    {"kind": "count", "maximum": 3, "minimum": 1},
    {"kind": "one_month", "column": "ordered"},
    {"kind": "no_gaps", "column": "number"},
    {"kind": "no_gaps", "column": "pieces"},
]
whens = st.sampled_from([None, "due", "mail", "pieces > 1", "state == 'open'", "filled(tax)"])
severities = st.sampled_from(["error", "warning"])
rules = st.lists(
    st.fixed_dictionaries(
        {"check": st.sampled_from(CHECKS), "when": whens, "severity": severities}
    ),
    max_size=4,
)
file_rules = st.lists(
    st.tuples(st.sampled_from(FILE_RULES), severities).map(lambda p: {**p[0], "severity": p[1]}),
    max_size=3,
)
keys = st.sampled_from(
    [
        None,
        'key = ["number"]',
        'key = ["number", "customer"]\npolicy = "keep_first"\n'
        'committed = { view = "booked", columns = ["no", "by"] }',
        'key = ["number"]\npolicy = "keep_last"\ncommitted = { view = "booked", columns = ["no"] }',
    ]
)
soft = st.sets(st.sampled_from(["reference", "mail:email.format", "required", "date.format"]))


def section(name: str, settings: dict[str, Any]) -> str:
    """A table of a TOML array; settings that are None are left out."""
    lines = [f"{key} = {value!r}" for key, value in settings.items() if value is not None]
    # Python writes a text that holds apostrophes between quotation marks, as TOML does.
    return "\n".join([f"[[{name}]]", *lines])


@st.composite
def profiles(draw: st.DrawFn) -> str:
    """A whole profile over the columns."""
    parts = [COLUMNS]
    for number, rule in enumerate(draw(rules)):
        parts.append(section("rules", {"code": f"r{number}", "message": "m", **rule}))
    for number, rule in enumerate(draw(file_rules)):
        parts.append(section("file_rules", {"code": f"f{number}", **rule}))
    key = draw(keys)
    if key is not None:
        parts.append(f"[duplicates]\n{key}")
    lines = [f'"{code}" = "warning"' for code in sorted(draw(soft))]
    return "\n".join([*parts, "[severities]", *lines]) + "\n"


rows_of_texts = st.lists(
    st.tuples(*(st.sampled_from([*CELLS[name], "", f" {CELLS[name][0]} "]) for name in CELLS)),
    min_size=1,
    max_size=15,
)


def judged(content: bytes, profile: str) -> Normalization:
    references = {name: pl.DataFrame(rows) for name, rows in VIEWS.items()}
    return normalize(content, read_profile(profile, source="t.toml"), references=references)


def assert_same(result: Normalization, wanted: Reading) -> None:
    assert result.rows_in == wanted.rows
    assert {(e.line, e.field, e.code) for e in result.errors} == wanted.errors
    assert {(e.line, e.field, e.code) for e in result.warnings} == wanted.warnings
    assert {f.code for f in result.file_findings} == wanted.file_rules
    broken = {f.code for f in result.file_findings if f.severity == "error"}
    wrong = {line for line, _, _ in wanted.errors}
    assert result.accepted_count == (0 if broken else wanted.rows - len(wrong))


@settings(max_examples=60, deadline=None, derandomize=True)
@given(profiles(), rows_of_texts)
def test_text_files_agree(profile: str, rows: list[tuple[str, ...]]) -> None:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(CELLS)
    writer.writerows(rows)
    assert_same(judged(out.getvalue().encode(), profile), read_csv(out.getvalue(), profile, VIEWS))


ERRORS = ["#N/A", "#DIV/0!", "#REF!"]
dates = st.dates(date(2026, 2, 27), date(2026, 4, 2))
own_values = st.one_of(
    st.none(),
    st.integers(-5, 12),
    st.decimals(-10, 2000, places=2).map(float),
    st.sampled_from([0.125, 1e15, 45000.0]),
    st.booleans(),
    dates,
    st.sampled_from(ERRORS).map(lambda error: ("=1/0", error)),
    st.just(("=A1", "")),
    st.just(('="A-" & 1', "A-1")),
)


def workbook(rows: list[list[Any]]) -> bytes:
    """A workbook; pairs are formulas with the value that is stored for them."""
    buffer = io.BytesIO()
    book = xlsxwriter.Workbook(buffer, {"in_memory": True, "strings_to_numbers": False})
    form = book.add_format({"num_format": "yyyy-mm-dd"})
    sheet = book.add_worksheet()
    for place, cells in enumerate([list(CELLS), *rows]):
        for column, cell in enumerate(cells):
            if isinstance(cell, tuple):
                sheet.write_formula(place, column, cell[0], None, cell[1])
            elif isinstance(cell, date):
                sheet.write_datetime(place, column, cell, form)
            elif cell is not None and cell != "":
                sheet.write(place, column, cell)
    book.close()
    return buffer.getvalue()


@settings(max_examples=30, deadline=None, derandomize=True)
@given(profiles(), st.data())
def test_workbooks_agree(profile: str, data: st.DataObject) -> None:
    cells = [st.one_of(st.sampled_from(CELLS[name]), own_values) for name in CELLS]
    first = st.sampled_from(CELLS["number"])
    # Rows are never blank as a whole, which openpyxl would leave out at the end of a sheet.
    rows = data.draw(st.lists(st.tuples(first, *cells[1:]).map(list), min_size=1, max_size=8))
    content = workbook(rows)
    (_, header), *below = cells_of(content)
    names = [cell.text for cell in header]
    read = ((line, dict(zip(names, row, strict=True))) for line, row in below)
    assert_same(judged(content, profile), read_rows(read, profile, VIEWS))


@pytest.mark.parametrize("error", ERRORS)
def test_reference_tells_errors_from_formulas_without_a_value(error: str) -> None:
    content = workbook([["A-1", ("=1/0", error), ("=A1", ""), *[None] * 6]])
    kinds = [cell.kind for cell in list(cells_of(content))[1][1][:3]]
    assert kinds == ["text", "error", "uncalculated"]
