"""Columns, rules and duplicates: strict, complete, and the same every time."""

from pathlib import Path

import openpyxl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hybridmandate.execution.services.spreadsheets import (
    Profile,
    ProfileError,
    Unreadable,
    normalize,
    read_profile,
)
from hybridmandate.execution.services.spreadsheets.rejected_file import rejected_workbook
from hybridmandate.execution.services.spreadsheets.summary import summary

BASE = '[profile]\nname = "t"\nversion = 1\ntitle = "T"\n'


def profile(text: str) -> Profile:
    return read_profile(BASE + text, source="t.toml")


def verdicts(column: str, values: list[str]) -> list[str]:
    """For each value 'ok' or the code of the rule that it broke, for a column called 'v'."""
    wanted = profile(f'[columns.n]\ntype = "integer"\n[columns.v]\n{column}')
    lines = [f'{n},"{value}"' for n, value in enumerate(values)]
    result = normalize(("n,v\n" + "\n".join(lines)).encode(), wanted)
    codes = {e.line: e.code for e in reversed(result.errors)}
    return [codes.get(n + 2, "ok") for n in range(len(values))]


def test_dates_are_strict() -> None:
    column = 'type = "date"\nformats = ["YYYY-MM-DD", "DD/MM/YYYY"]\n'
    given_ = {
        "2026-02-28": "ok",
        "28/02/2026": "ok",
        "2026-02-29": "date.format",
        "2026-2-3": "date.format",
        "01/02/24": "date.format",
        "31/31/2026": "date.format",
        "2026-02-28 ": "ok",
        "28.02.2026": "date.format",
        "": "ok",
    }
    assert verdicts(column, list(given_)) == list(given_.values())


def test_decimals_follow_the_declared_notation_only() -> None:
    english = {
        "1,234.56": "ok",
        "1234.56": "ok",
        "-0.5": "ok",
        "1.234,56": "decimal.format",
        "12,34.5": "decimal.format",
        "(1,234.56)": "decimal.format",
        "12-": "decimal.format",
        "nan": "decimal.format",
        "inf": "decimal.format",
        "1e400": "decimal.format",
        "1.005": "decimal.precision",
        "1.500": "ok",
        "9999999999999999": "decimal.precision",
    }
    assert verdicts('type = "decimal"\n', list(english)) == list(english.values())
    german = {"1.234,56": "ok", "1.234": "ok", "1,5": "ok", "1,234.56": "decimal.format"}
    column = 'type = "decimal"\nnumber_format = "1.234,56"\n'
    assert verdicts(column, list(german)) == list(german.values())


def test_other_types_are_strict_too() -> None:
    assert verdicts('type = "integer"\n', ["7", "+7", "7.0", "7.5", "x", "1,000"]) == [
        "ok", "ok", "ok", "integer.format", "integer.format", "ok",
    ]  # fmt: skip
    assert verdicts('type = "boolean"\n', ["yes", "FALSE", "maybe"]) == ["ok", "ok", "boolean.word"]
    enum = 'type = "enum"\nvalues = ["EUR"]\nsynonyms = { "€" = "EUR" }\n'
    assert verdicts(enum, ["eur", "€", "USD"]) == ["ok", "ok", "enum.value"]
    text = 'type = "text"\nrequired = true\npattern = "[ab]+"\nmax_length = 2\n'
    assert verdicts(text, ["ab", "", "ac", "abab"]) == ["ok", "required", "pattern", "length.long"]


def test_every_reason_of_a_row_is_listed() -> None:
    wanted = profile(
        '[columns.a]\ntype = "date"\nrequired = true\n'
        '[columns.b]\ntype = "integer"\nmaximum = "5"\n'
    )
    result = normalize(b"a,b\n,9\nx,y\n", wanted)
    assert [(e.line, e.field, e.code) for e in result.errors] == [
        (2, "a", "required"),
        (2, "b", "range.maximum"),
        (3, "a", "date.format"),
        (3, "b", "integer.format"),
    ]


@pytest.mark.parametrize(
    ("policy", "rejected"), [("reject_all", [2, 4]), ("keep_first", [4]), ("keep_last", [2])]
)
def test_duplicates_follow_the_declared_policy(policy: str, rejected: list[int]) -> None:
    wanted = profile(
        f'[duplicates]\nkey = ["a"]\npolicy = "{policy}"\n'
        '[columns.a]\ntype = "text"\n[columns.b]\ntype = "text"\n'
    )
    result = normalize(b"a,b\nx,1\ny,2\nx,3\n,4\n,5\n", wanted)
    assert [e.line for e in result.errors] == rejected


def test_rule_between_columns_is_skipped_where_a_column_is_empty() -> None:
    wanted = profile(
        '[columns.a]\ntype = "integer"\n[columns.b]\ntype = "integer"\n'
        '[[rules]]\ncode = "order"\nmessage = "a must be below b"\n'
        'check = "a < b and not (b == 9)"\n'
    )
    result = normalize(b"a,b\n1,2\n2,1\n,3\n1,9\n", wanted)
    assert [(e.line, e.code) for e in result.errors] == [(3, "rule.order"), (5, "rule.order")]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[columns.a]\ntype = "date"\nformats = ["D.M.Y"]\n', "YYYY (or YY), MM, DD"),
        ('[columns.a]\ntype = "date"\nformats = ["YYYY-MM"]\n', "needs YYYY (or YY), MM and DD"),
        ('[columns.a]\ntype = "decimal"\nnumber_format = "12.5"\n', "1,234.56"),
        ('[columns.a]\ntype = "decimal"\nminimum = "low"\n', "not a number"),
        ('[columns.a]\ntype = "enum"\n', "needs its values"),
        ('[columns.a]\ntype = "text"\npattern = "("\n', "regular expression"),
        ('[columns.a]\ntype = "text"\naliases = ["b"]\n[columns.b]\ntype = "text"\n', "names both"),
        ('[columns.a]\ntype = "text"\n[duplicates]\nkey = ["z"]\n', "no column 'z'"),
        (
            '[columns.a]\ntype = "text"\n[[rules]]\ncode="r"\nmessage="m"\ncheck="open(a)"\n',
            "not supported",
        ),
        (
            '[columns.a]\ntype = "text"\n'
            '[[rules]]\ncode="r"\nmessage="m"\ncheck="a.__class__ == 1"\n',
            "not supported",
        ),
        (
            '[columns.a]\ntype = "text"\n[[rules]]\ncode="r"\nmessage="m"\ncheck="a <"\n',
            "expression",
        ),
        (
            '[columns.a]\ntype = "text"\n[[rules]]\ncode="r"\nmessage="m"\ncheck="c > 1"\n',
            "column 'c'",
        ),
        ("[columns.a]\n", "type"),
        ("not toml", "TOML"),
    ],
)
def test_profile_that_cannot_work_is_refused_when_it_is_read(text: str, message: str) -> None:
    with pytest.raises(ProfileError, match=r"t\.toml") as refused:
        profile(text)
    assert message in str(refused.value)


def test_missing_required_column_is_named() -> None:
    wanted = profile(
        '[columns.a]\ntype="text"\n[columns.b]\ntype="text"\n[columns.c]\ntype="text"\nrequired=true\n'
    )
    with pytest.raises(Unreadable, match="no column for c") as refused:
        normalize(b"a,b\n1,2\n", wanted)
    assert refused.value.reason == "table.missing_columns"


def test_file_without_the_profiles_header_is_not_guessed() -> None:
    wanted = profile('[columns.alpha]\ntype="text"\n[columns.beta]\ntype="text"\n')
    with pytest.raises(Unreadable) as refused:
        normalize(b"x,y\n1,2\n", wanted)
    assert refused.value.reason == "table.no_header"


def test_repeated_header_and_totals_are_left_out_and_said() -> None:
    wanted = profile(
        '[columns.name]\ntype="text"\nrequired=true\n[columns.amount]\ntype="decimal"\nrequired=true\n'
    )
    result = normalize(b"name,amount\na,1\nname,amount\nb,2\n,\nTotal,3\n", wanted)
    assert result.accepted["name"].to_list() == ["a", "b"]
    assert {d.rule: d.lines for d in result.decisions} == {
        "rows.repeated_header": (3,),
        "rows.blank": (5,),
        "rows.total": (6,),
    }


def test_label_of_a_total_without_the_sum_is_judged_as_data_and_said() -> None:
    wanted = profile('[columns.name]\ntype="text"\n[columns.amount]\ntype="decimal"\n')
    result = normalize(b"name,amount\na,1\nb,2\nTotal,4\n", wanted)
    assert result.accepted["name"].to_list() == ["a", "b", "Total"]
    assert {d.rule: d.lines for d in result.decisions} == {"rows.total_unconfirmed": (4,)}


def test_rejected_workbook_marks_cells_gives_reasons_and_runs_no_formula(
    tmp_path: Path,
) -> None:
    wanted = profile('[columns.a]\ntype="integer"\n[columns.b]\ntype="text"\n')
    result = normalize(b'a,b\n1,fine\nx,"=HYPERLINK(""http://e"")"\n', wanted)
    rejected_workbook(result, tmp_path / "rejected.xlsx")
    sheet = openpyxl.load_workbook(tmp_path / "rejected.xlsx").active
    assert sheet is not None
    (header, row) = list(sheet.iter_rows())
    assert [c.value for c in header] == ["Line in your file", "a", "b", "Why it was rejected"]
    assert [c.value for c in row] == [
        3,
        "x",
        '=HYPERLINK("http://e")',
        "a: is not a whole number of up to 15 digits",
    ]
    assert row[2].data_type == "s"
    assert row[1].fill.fgColor.rgb == "FFFFD9D6"
    assert row[2].fill.fgColor.rgb != "FFFFD9D6"


def test_text_that_no_cell_can_hold_is_cut_in_the_rejected_workbook_and_said(
    tmp_path: Path,
) -> None:
    wanted = profile('[columns.a]\ntype="integer"\n[columns.b]\ntype="text"\n')
    result = normalize(b"a,b\nx," + b"y" * 40_000 + b"\n", wanted)
    rejected_workbook(result, tmp_path / "rejected.xlsx")
    sheet = openpyxl.load_workbook(tmp_path / "rejected.xlsx").active
    assert sheet is not None
    _, text, reasons = [c.value for c in list(sheet.iter_rows())[1]][1:]
    assert text == "y" * 32_767
    assert str(reasons).endswith("; b: too long for a cell, only its beginning stands here")


def test_summary_tells_what_was_left_out_from_what_was_read_all_the_same() -> None:
    wanted = profile('[columns.name]\ntype="text"\n[columns.amount]\ntype="decimal"\n')
    told = summary(normalize(b"name,amount\na,1\n,\nTotal,4\n", wanted))
    assert "Left out: rows that hold nothing visible (1)." in told
    assert "Worth a look: labelled like a total, but not the sum of the rows above" in told


def test_same_bytes_and_profile_give_the_same_digest_and_others_do_not() -> None:
    wanted = profile('[columns.a]\ntype="integer"\n[columns.b]\ntype="text"\n')
    one, same, other = (normalize(c, wanted) for c in (b"a,b\n1,x\n", b"a,b\n1,x\n", b"a,b\n2,x\n"))
    assert one.digest == same.digest != other.digest


CELL = st.text(
    alphabet=st.characters(
        blacklist_characters='"', blacklist_categories=("Cc", "Cs"), max_codepoint=0x2FFF
    ),
    max_size=12,
)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(CELL, CELL, CELL), max_size=20))
def test_each_row_is_accepted_or_rejected_with_a_reason(rows: list[tuple[str, str, str]]) -> None:
    wanted = profile(
        '[columns.alpha]\ntype="date"\n[columns.beta]\ntype="decimal"\n[columns.gamma]\ntype="text"\nrequired=true\n'
    )
    body = "".join(",".join(f'"{cell}"' for cell in row) + "\n" for row in rows)
    result = normalize(f"alpha,beta,gamma\n{body}".encode(), wanted)
    lines = set(result.accepted["line"].to_list())
    bad = {e.line for e in result.errors}
    skipped = {line for d in result.decisions for line in d.lines}
    assert lines.isdisjoint(bad)
    assert lines | bad | skipped == set(range(2, len(rows) + 2))
