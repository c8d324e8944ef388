"""The profile language: datetimes with an offset, identifiers by their standard, clear refusals."""

import polars as pl
import pytest
from test_judging import profile, verdicts

from hybridmandate.execution.services.spreadsheets import (
    ProfileError,
    draft_profile,
    normalize,
    read_profile,
)


@pytest.mark.parametrize(
    ("column", "cells"),
    [
        (
            'type = "datetime"\nformats = ["YYYY-MM-DDThh:mm:ssZZ"]',
            {
                "2026-07-01T12:00:00+02:00": "ok",
                "2026-07-01T12:00:00Z": "ok",
                "2026-07-01T12:00:00": "datetime.format",
                "2026-02-30T12:00:00Z": "datetime.format",
                "2026-07-01T12:00:00+0200": "datetime.format",
            },
        ),
        (
            'type = "datetime"\nformats = ["YYYY-MM-DD hh:mm ZZ", "YYYY-MM-DD hh:mm"]\n'
            'time_zone = "Europe/Zurich"',
            {
                "2026-03-29 02:30 +01:00": "ok",
                "2026-03-29 02:30": "datetime.zone",
                "2026-03-29 01:30": "ok",
            },
        ),
        (
            'type = "identifier"\nstandard = "ch.uid"',
            {"CHE-100.155.212": "ok", "CHE-1": "identifier.format"},
        ),
        (
            'type = "identifier"\nstandard = "isbn"',
            {"978-9024538270": "ok", "978-9024538271": "identifier.format"},
        ),
        ('type = "lei"', {"213800KUD8LAJWSQ9D15": "ok", "213800KUD8LXJWSQ9D15": "lei.format"}),
        ('type = "isin"', {"US0378331005": "ok", "US0378331003": "isin.format"}),
        (
            'type = "enum"\nvalues = ["open", "paid"]\nsynonyms = { "bezahlt" = "paid" }',
            {"OPEN": "ok", "Bezahlt": "ok", "shut": "enum.value"},
        ),
    ],
)  # fmt: skip
def test_type_judges_its_cells(column: str, cells: dict[str, str]) -> None:
    assert verdicts(column + "\n", list(cells)) == list(cells.values())


def test_offset_of_the_text_wins_over_the_zone_of_the_column() -> None:
    wanted = profile(
        '[columns.n]\ntype="integer"\n[columns.v]\ntype="datetime"\ntime_zone="Asia/Tokyo"\n'
        'formats=["YYYY-MM-DD hh:mmZZ", "YYYY-MM-DD hh:mm"]\n'
    )
    result = normalize(b"n,v\n1,2026-07-01 12:00+02:00\n2,2026-07-01 12:00\n", wanted)
    assert [str(v) for v in result.accepted["v"]] == [
        "2026-07-01 10:00:00+00:00",
        "2026-07-01 03:00:00+00:00",
    ]


@pytest.mark.parametrize(
    ("column", "message"),
    [
        ('type="date"\nformats=["YYYY-MM-DDZZ"]', "ZZ behind a time"),
        ('type="date"\nformats=["YYYY-MM-DD hhZZ"]', "a date has no UTC offset"),
        ('type="datetime"\nformats=["YYYY-MM-DD hh:hh"]', "stand once"),
        ('type="identifier"', "needs its standard"),
        ('type="text"\nstandard="isbn"', "needs its standard"),
        ('type="identifier"\nstandard="no.such"', "no standard 'no.such'"),
        ('type="identifier"\nstandard="os"', "no standard 'os'"),
        ('type="identifier"\nstandard="../x"', "no standard"),
        ('type="money"', "needs its currencies"),
        ('type="enum"', "needs its values"),
        ('type="enum"\nvalues=["a"]\nsynonyms={b="c"}', "not among the values"),
        ('type="text"\nmin_length=5\nmax_length=2', "nothing could fit"),
        ('type="text"\nminimum="1"', "'minimum' says nothing about a text"),
        ('type="datetime"\ntime_zone="Mars/Base"', "no time zone 'Mars/Base'"),
        ('type="decimal"\nnumber_format="1234"', "show how you write"),
    ],
)
def test_column_that_cannot_work_is_refused_with_the_reason(column: str, message: str) -> None:
    with pytest.raises(ProfileError, match=r"t\.toml") as refused:
        profile(f"[columns.v]\n{column}\n")
    assert message in str(refused.value)


def test_share_above_the_threshold_rejects_the_file_and_one_below_asks_a_person() -> None:
    columns = '[columns.k]\ntype="text"\n[columns.n]\ntype="integer"\n[thresholds]\n'
    content = b"k,n\na,1\nb,x\nc,3\nd,4\n"
    strict = normalize(content, profile(columns + "partial_share=0.2\n"))
    assert (strict.accepted_count, strict.file_rejected) == (0, True)
    loose = normalize(content, profile(columns + "review_share=0.2\n"))
    assert loose.accepted_count == 3
    assert loose.rejected_share > loose.profile.thresholds.review_share


def test_severity_of_a_code_in_one_column_makes_it_a_warning() -> None:
    wanted = profile(
        '[columns.a]\ntype="integer"\n[columns.b]\ntype="integer"\n'
        '[severities]\n"a:integer.format" = "warning"\n'
    )
    result = normalize(b"a,b\nx,1\n2,y\n", wanted)
    assert [(e.line, e.field) for e in result.warnings] == [(2, "a")]
    assert [(e.line, e.field) for e in result.errors] == [(3, "b")]
    assert result.accepted.rows() == [(None, 1, 2)]


@pytest.mark.parametrize("name", ["t0", "k0", "row", "number", "firstLine"])
def test_column_may_be_called_as_the_readers_call_theirs(name: str) -> None:
    wanted = profile(
        f'[columns.{name}]\ntype="text"\n[columns.b]\ntype="integer"\n'
        f'[duplicates]\nkey=["{name}"]\n[duplicates.committed]\nview="v"\ncolumns=["row"]\n'
    )
    result = normalize(
        f"b,{name}\n1,x\n2,y\n3,z,extra\n".encode(),
        wanted,
        references={"v": pl.DataFrame({"row": ["y"]})},
        accepted_before=pl.DataFrame({name: ["q"], "b": ["1"]}),
    )
    assert result.accepted.rows() == [("x", 1, 2)]
    assert {e.line: e.code for e in result.errors} == {
        3: "duplicate.committed",
        4: "row.extra_cells",
    }


def test_column_called_as_the_line_of_each_row_is_refused() -> None:
    with pytest.raises(ProfileError, match="'line' is the line of each accepted row"):
        profile('[columns.line]\ntype="text"\n')


def test_draft_of_a_file_with_a_column_of_lines_can_be_used() -> None:
    content = b"Line,Amount\n1,2.50\n2,3.50\n"
    drafted = read_profile(draft_profile(content, name="drafted"), source="drafted.toml")
    assert normalize(content, drafted).accepted_count == 2
