"""Structure without any profile: each decision is a named rule with its lines, and can be off."""

import io

import openpyxl
import pytest

from hybridmandate.execution.services.spreadsheets import (
    Unreadable,
    inspect_file,
    normalize,
    read_profile,
)

HEAD = "code,name,amount"
BODY = ["A-1,Ann,10.00", "A-2,Bob,20.50"]
TOTAL = "Total,,30.50"

RULES: list[tuple[str, list[str], tuple[int, ...], tuple[int, ...]]] = [
    ("rows.title", ["Orders of March", HEAD, *BODY], (1,), (3, 4)),
    ("header.two_rows", ["code,name,Sum", ",,", *BODY], (), (3, 4)),
    ("header.two_rows", ["code,,Sum", ",name,in EUR", *BODY], (1, 2), (3, 4)),
    ("rows.units", [HEAD, ",,[EUR]", *BODY], (2,), (3, 4)),
    ("rows.units", ["speed,power,amount", "m/s,kW,kg", "1,2,3", "2,3,4"], (2,), (3, 4)),
    ("rows.repeated_header", [HEAD, BODY[0], HEAD, BODY[1]], (3,), (2, 4)),
    ("rows.blank", [HEAD, BODY[0], " ,\u00a0,\u200b", BODY[1]], (3,), (2, 4)),
    ("rows.total", [HEAD, *BODY, TOTAL], (4,), (2, 3)),
    (
        "rows.subtotal",
        [HEAD, *BODY, "Subtotal,,30.50", "A-3,Cy,5.00", "Subtotal,,5.00"],
        (4, 6),
        (2, 3, 5),
    ),
    ("rows.footer", [HEAD, *BODY, "Generated on 2026-04-01"], (4,), (2, 3)),
    (
        "rows.second_table",
        [HEAD, *BODY, "", "team,city,manager", "Sales,Basel,Ann"],
        (5, 6),
        (2, 3),
    ),
]


def content(lines: list[str]) -> bytes:
    return "\n".join(lines).encode()


@pytest.mark.parametrize(
    ("rule", "lines", "decided", "kept"), [r for r in RULES if r[2]], ids=lambda v: str(v)[:24]
)
def test_rule_leaves_out_its_lines_and_says_so(
    rule: str, lines: list[str], decided: tuple[int, ...], kept: tuple[int, ...]
) -> None:
    table = inspect_file(content(lines))
    assert {d.rule: d.lines for d in table.decisions}[rule] == decided
    assert table.lines == kept


@pytest.mark.parametrize(
    ("rule", "lines", "decided", "kept"),
    [r for r in RULES if r[2] and r[0].startswith("rows.") and r[0] != "rows.title"],
    ids=lambda v: str(v)[:24],
)
def test_rule_that_is_off_keeps_its_lines(
    rule: str, lines: list[str], decided: tuple[int, ...], kept: tuple[int, ...]
) -> None:
    off = ["rows.total", "rows.subtotal"] if "total" in rule else [rule]
    table = inspect_file(content(lines), off=off)
    assert rule not in {d.rule for d in table.decisions}
    assert set(decided) <= set(table.lines)


def test_title_above_a_header_is_refused_when_titles_are_off() -> None:
    with pytest.raises(Unreadable) as refused:
        inspect_file(content(["Orders of March", HEAD, *BODY]), off=["rows.title"])
    assert refused.value.reason == "table.no_header"


def test_two_header_rows_are_one_when_the_rule_is_off() -> None:
    lines = ["code,,Sum", ",name,in EUR", *BODY]
    table = inspect_file(content(lines), off=["header.two_rows"])
    assert table.header == ("code", "", "Sum")
    assert table.lines == (2, 3, 4)


def test_headings_of_two_rows_are_joined_under_their_group() -> None:
    table = inspect_file(content(["Item,,Amount", "code,name,", "A-1,Ann,10", "A-2,Bob,20"]))
    assert table.header == ("Item code", "Item name", "Amount")


def test_total_without_the_sum_stays_a_row_and_is_reported() -> None:
    table = inspect_file(content([HEAD, *BODY, "Total,,99.00"]))
    assert table.lines == (2, 3, 4)
    assert {d.rule: d.lines for d in table.decisions}["rows.total_unconfirmed"] == (4,)


@pytest.mark.parametrize(
    ("amounts", "total"),
    [
        (["1.234,50", "0,50"], "1.235,00"),
        (["1 234,50", "0,50"], "1 235,00"),
        (["1'234.50", "0.50"], "1'235.00"),
        (["1234.5", "-0.5"], "1234"),
    ],
)
def test_sums_are_checked_in_the_notation_of_the_column(amounts: list[str], total: str) -> None:
    lines = ["code;amount", *(f"A-{n};{a}" for n, a in enumerate(amounts)), f"Total;{total}"]
    table = inspect_file(content(lines))
    assert {d.rule: d.lines for d in table.decisions}["rows.total"] == (4,)


def test_years_are_headings_above_what_are_no_years() -> None:
    table = inspect_file(content(["country,2024,2025", "Chad,1.5,2.5", "Peru,3.5,4.5"]))
    assert table.header == ("country", "2024", "2025")
    assert table.lines == (2, 3)


def test_rows_of_values_without_any_headings_are_all_kept() -> None:
    table = inspect_file(content(["A-1,10,2026-01-01", "A-2,20,2026-01-02"]))
    assert table.header_line == 0
    assert table.header == ("column 1", "column 2", "column 3")
    assert table.lines == (1, 2)
    assert "header.none" in {d.rule for d in table.decisions}


def test_headings_that_repeat_are_reported() -> None:
    table = inspect_file(content(["code,amount,amount", "A-1,1,2", "A-2,3,4"]))
    assert "header.repeated_names" in {d.rule for d in table.decisions}


def test_unknown_rule_cannot_be_switched_off() -> None:
    with pytest.raises(ValueError, match="no such rules"):
        inspect_file(content([HEAD, *BODY]), off=["rows.nothing"])


def rules_of(content: str) -> dict[str, tuple[int, ...]]:
    """The decisions of a reading without a profile: rule and lines."""
    table = inspect_file(content.encode())
    return {each.rule: each.lines for each in table.decisions}


def test_heading_row_may_have_gaps_above_its_values() -> None:
    table = inspect_file(b"id,,amount,\n1,note,2,x\n2,note,3,y\n")
    assert table.header == ("id", "", "amount", "")
    assert table.header_line == 1
    assert rules_of(",price\n2026-01-01,1.5\n2026-01-02,2\n") == {"header.unnamed": (2, 3)}
    # A single word in the first column is a title, not the heading of it.
    assert rules_of("Report\n2026-01-01,1.5\n2026-01-02,2\n") == {
        "header.none": (2,), "rows.title": (1,),
    }  # fmt: skip


def test_rows_that_are_shorter_or_longer_than_the_header_are_told() -> None:
    assert rules_of("a,b,c\n1,x,3\n2,y\n3,z,5,6\n") == {"rows.short": (3,), "header.unnamed": (4,)}
    assert rules_of('a,b,c\n1,"x",3\n2,"y\nz"\n') == {"rows.short": (3,)}


def test_first_line_may_name_the_delimiter() -> None:
    table = inspect_file(b"sep=;\nname;sum\na,b;1,5\nc,d;2,5\n")
    assert (table.source["delimiter"], table.source["chosenBy"]) == (";", "file")
    assert table.header == ("name", "sum")
    assert inspect_file(b"sep=x,b\n1,2\n3,4\n").source["delimiter"] == ","


def test_text_without_a_delimiter_says_so() -> None:
    assert "dialect.none" in rules_of("id   name\n1    a\n2    b\n")
    assert "dialect.none" not in rules_of("id,name\n1,a\n2,b\n")


@pytest.mark.parametrize("last", ["3", "V-17", "2026-01-03", "12.50"])
def test_last_row_of_a_number_or_code_alone_is_data(last: str) -> None:
    assert "rows.footer" not in rules_of(f"id,name,sum\n1,a,5\n2,b,6\n{last},,\n")
    assert "rows.footer" in rules_of("id,name,sum\n1,a,5\n2,b,6\nPrinted by Ann,,\n")


def test_rows_whose_other_cells_are_uncalculated_formulas_are_data() -> None:
    buffer = io.BytesIO()
    book = openpyxl.Workbook()
    for row in (["id", "sum"], ["A-1", "=1+1"], ["last one", "=1+2"]):
        book.active.append(row)
    book.save(buffer)
    table = inspect_file(buffer.getvalue())
    assert table.lines == (2, 3)
    assert [each.rule for each in table.decisions] == ["cell.uncalculated"]
    made = read_profile(
        '[profile]\nname = "a"\nversion = 1\ntitle = "A"\n[columns.id]\ntype = "text"\n'
        '[columns.sum]\ntype = "integer"\n',
        source="a",
    )
    errors = normalize(buffer.getvalue(), made).errors
    assert [(e.line, e.code) for e in errors] == [
        (2, "cell.uncalculated"),
        (3, "cell.uncalculated"),
    ]
