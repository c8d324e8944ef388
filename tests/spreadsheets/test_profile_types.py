"""Types, rules and switches of profiles beyond the plain ones."""

import hashlib
import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import typer
from test_judging import profile, verdicts
from test_operation import FakeCall, ask, put, sample
from typer.testing import CliRunner

from hybridmandate.cli import normalize as normalize_command
from hybridmandate.cli import profile as profile_command
from hybridmandate.cli import read as read_command
from hybridmandate.execution.services.spreadsheets import (
    ProfileError,
    Unreadable,
    draft_profile,
    normalize,
    read_profile,
)

EXAMPLE = Path(__file__).parents[2] / "examples" / "vendor-invoices"


@pytest.mark.parametrize(
    ("column", "cells"),
    [
        ('type = "email"', {"a@example.org": "ok", "a@": "email.format", "": "ok"}),
        (
            'type = "iban"',
            {"CH93 0076 2011 6238 5295 7": "ok", "CH9300762011623852958": "iban.format"},
        ),
        ('type = "vat"', {"DE136695976": "ok", "DE136695978": "vat.format"}),
        ('type = "bic"', {"DEUTDEFF": "ok", "DEUT": "bic.format"}),
        (
            'type = "money"\ncurrencies = ["EUR", "€"]',
            {"1,250.00 EUR": "ok", "€3.5": "ok", "4": "ok", "4 USD": "money.format"},
        ),
        (
            'type = "datetime"\nformats = ["YYYY-MM-DD hh:mm"]\ntime_zone = "Europe/Zurich"',
            {
                "2026-03-29 03:30": "ok",
                "2026-03-29 02:30": "datetime.zone",
                "2026-10-25 02:30": "datetime.zone",
                "2026-03-29": "datetime.format",
            },
        ),
    ],
)
def test_type_judges_its_cells(column: str, cells: dict[str, str]) -> None:
    assert verdicts(column + "\n", list(cells)) == list(cells.values())


def test_local_time_becomes_utc() -> None:
    wanted = profile(
        '[columns.n]\ntype="integer"\n[columns.v]\ntype = "datetime"\n'
        'formats = ["YYYY-MM-DD hh:mm"]\ntime_zone = "Europe/Zurich"\n'
    )
    result = normalize(b"n,v\n1,2026-07-01 12:00\n", wanted)
    assert str(result.accepted["v"][0]) == "2026-07-01 10:00:00+00:00"


def test_condition_decides_where_a_rule_asks() -> None:
    wanted = profile(
        '[columns.a]\ntype="integer"\n[columns.b]\ntype="text"\n'
        '[[rules]]\ncode="big"\nmessage="needs b"\nwhen="a > 10"\ncheck="filled(b)"\n'
        '[[rules]]\ncode="word"\nmessage="short"\ncheck="length(b) >= 2"\nseverity="warning"\n'
    )
    result = normalize(b"a,b\n5,\n11,\n12,x\n", wanted)
    assert [(e.line, e.code) for e in result.errors] == [(3, "rule.big")]
    assert [(e.line, e.code) for e in result.warnings] == [(4, "rule.word")]
    assert result.accepted_count == 2


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ('kind="sum"\ncolumn="n"\nequals="7"', "adds up to 6, not to 7"),
        ('kind="sum"\ncolumn="n"', "no total line"),
        ('kind="count"\nminimum=9', "at least 9"),
        ('kind="one_month"\ncolumn="d"', "2026-01, 2026-02"),
        ('kind="no_gaps"\ncolumn="n"', "missing before 3"),
    ],
)
def test_file_rule_that_is_broken_rejects_the_file(rule: str, message: str) -> None:
    columns = '[columns.n]\ntype="integer"\n[columns.d]\ntype="date"\n'
    content = b"n,d\n1,2026-01-01\n1,2026-01-02\n1,2026-01-03\n3,2026-02-01\n"
    strict = normalize(content, profile(f'{columns}[[file_rules]]\ncode="f"\n{rule}\n'))
    assert strict.file_rejected
    assert strict.accepted.height == 0
    assert message in strict.file_findings[0].message
    soft = f'{columns}[[file_rules]]\ncode="f"\nseverity="warning"\n{rule}\n'
    assert normalize(content, profile(soft)).accepted_count == 4


def test_total_line_of_the_file_is_what_the_sum_must_equal() -> None:
    wanted = profile(
        '[columns.k]\ntype="text"\n[columns.n]\ntype="integer"\n'
        '[[file_rules]]\ncode="s"\nkind="sum"\ncolumn="n"\n'
    )
    assert not normalize(b"k,n\na,1\nb,2\nTotal,3\n", wanted).file_findings


def test_structure_rule_can_be_switched_off() -> None:
    columns = '[columns.k]\ntype="text"\nrequired=true\n[columns.n]\ntype="integer"\n'
    content = b"k,n\na,1\n,\nb,2\n"
    assert normalize(content, profile(columns)).rows_in == 2
    kept = normalize(content, profile(columns + '[structure]\noff = ["rows.blank"]\n'))
    assert [(e.line, e.code) for e in kept.errors] == [(3, "required")]
    with pytest.raises(ProfileError, match="no such rules"):
        profile(columns + '[structure]\noff = ["rows.magic"]\n')


def test_declared_dialect_wins_over_the_score() -> None:
    columns = '[columns.k]\ntype="text"\n[columns.n]\ntype="text"\n[reader]\ndelimiter=";"\n'
    result = normalize(b"k;n\n1,2;3,4\n1,2;3,4\n", profile(columns))
    assert result.source["chosenBy"] == "profile"
    assert result.accepted["n"].to_list() == ["3,4", "3,4"]


def test_uncertain_structure_names_its_candidates() -> None:
    wanted = profile('[columns.k]\ntype="text"\n[columns.n]\ntype="text"\n')
    with pytest.raises(Unreadable) as refused:
        normalize(b"k,n,n\n1,2,3\n", wanted)
    assert refused.value.reason == "table.ambiguous_column"
    assert len(refused.value.candidates) == 2


def test_values_are_held_against_a_view_and_against_what_was_committed() -> None:
    wanted = profile(
        '[columns.k]\ntype="text"\n[columns.k.reference]\nview="vendors"\ncolumn="no"\n'
        '[columns.n]\ntype="integer"\n[duplicates]\nkey=["k","n"]\n'
        '[duplicates.committed]\nview="done"\ncolumns=["no","num"]\n'
    )
    references = {
        "vendors": pl.DataFrame({"no": ["a", "b"]}),
        "done": pl.DataFrame({"no": ["a"], "num": [2]}),
    }
    result = normalize(b"k,n\na,1\nc,1\na,2\n", wanted, references=references)
    codes = [(e.line, e.code) for e in result.errors]
    assert codes == [(3, "reference"), (4, "duplicate.committed")]


async def test_resubmission_is_linked_and_doubles_nothing() -> None:
    call = FakeCall()
    content = sample("03-odd-dates.csv")
    first = await ask(call, handle=await put(call, content), profile="invoice")
    corrected = content.replace(b"31/31/2026", b"31/12/2025")
    assert corrected != content
    second = await ask(
        call,
        handle=await put(call, corrected),
        profile="invoice",
        resubmission_of=call.correlation_id,
        accepted_before=first.data.accepted_parquet_handle,
    )
    assert second.data.resubmission_of == call.correlation_id
    assert [row["line"] for row in second.data.accepted] == [8]
    assert second.data.errors_by_rule["duplicate.accepted_before"] == 6


def command_line() -> typer.Typer:
    app = typer.Typer()
    app.command("read")(read_command.read)
    app.command("normalize")(normalize_command.normalize)
    app.add_typer(profile_command.app, name="profile")
    return app


def run(*arguments: object) -> Any:
    return CliRunner().invoke(command_line(), [str(each) for each in arguments])


@pytest.mark.parametrize(
    ("name", "code"),
    [("01-clean.csv", 0), ("03-odd-dates.csv", 1), ("10-no-spreadsheet.csv", 2)],
)
def test_normalize_ends_with_a_code_for_ci(name: str, code: int, tmp_path: Path) -> None:
    file = EXAMPLE / "samples" / name
    result = run("normalize", file, "-p", "invoice", "-s", EXAMPLE, "-o", tmp_path, "--json")
    assert result.exit_code == code
    assert json.loads(result.stdout)["ok"] is (code == 0)
    if code < 2:
        assert pl.read_parquet(tmp_path / "accepted.parquet").height == 6
        assert pl.read_csv(tmp_path / "accepted.csv").height == 6


def test_read_shows_and_writes_the_table(tmp_path: Path) -> None:
    file = EXAMPLE / "samples" / "05-title-and-total.csv"
    shown = run("read", file)
    assert "rows.title" in shown.stdout
    assert run("read", file, "--csv", tmp_path / "a.csv").exit_code == 0
    assert (tmp_path / "a.csv").read_text().startswith("Vendor No,Invoice No")
    assert run("read", EXAMPLE / "samples" / "10-no-spreadsheet.csv").exit_code == 2


def test_drafted_profile_accepts_the_file_it_was_drafted_from(tmp_path: Path) -> None:
    path = EXAMPLE / "samples" / "01-clean.csv"
    draft = draft_profile(path, name="first")
    result = normalize(path, read_profile(draft, source="draft"))
    assert result.accepted_count == 6
    shown = run("profile", "show", "invoice", "-s", EXAMPLE)
    assert "| vendorNumber |" in shown.stdout
    assert run("profile", "infer", path).exit_code == 0


def test_digest_is_a_sha256() -> None:
    result = normalize(
        b"k,n\na,b\n", profile('[columns.k]\ntype="text"\n[columns.n]\ntype="text"\n')
    )
    assert len(result.digest) == hashlib.sha256().digest_size * 2


@pytest.mark.parametrize(
    ("written", "cell", "value"),
    [
        ("1,234.56-", "1,200.50-", "-1200.50"),
        ("1,234.56-", "-3", "-3.00"),
        ("1,234.56-", "-3-", None),
        ("1,234.56-", "(3)", None),
        ("(1.234,56)", "(1.200,50)", "-1200.50"),
        ("(1.234,56)", "3-", None),
        ("(1.234,56)", "(-3)", None),
        ("1 234,56", "1\u00a0200,50", "1200.50"),
        ("1 234,56", "1\u202f200,50", "1200.50"),
        ("1'234.56", "1’200.50", "1200.50"),
        ("1,234.56", "(3)", None),
        ("1,234.56", "3-", None),
    ],
)
def test_numbers_are_negative_and_grouped_as_the_profile_shows(
    written: str, cell: str, value: str | None
) -> None:
    made = profile(f'[columns.a]\ntype = "decimal"\nnumber_format = "{written}"\n')
    result = normalize(f"a;b\n{cell};x\n1;y\n".encode(), made)
    assert [str(each) for each in result.accepted["a"]][:-1] == ([] if value is None else [value])
    if value is None:
        (error,) = result.errors
        assert error.message == f"is not a number written like {written}"


def test_two_digit_years_lie_between_1970_and_2069_where_they_are_declared() -> None:
    made = profile('[columns.a]\ntype = "date"\nformats = ["DD.MM.YY"]\n')
    cells = ["31.01.26", "31.01.70", "31.01.69", "31.01.2026", "29.02.25"]
    result = normalize(("a,b\n" + "".join(f"{c},x\n" for c in cells)).encode(), made)
    assert [str(each) for each in result.accepted["a"]] == [
        "2026-01-31",
        "1970-01-31",
        "2069-01-31",
    ]
    assert [each.line for each in result.errors] == [5, 6]
