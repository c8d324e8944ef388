"""What is read from bytes gets the verdict and the value that the column's expressions give."""

import csv
import io

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_judging import profile

from hybridmandate.execution.services.spreadsheets import Normalization, normalize
from hybridmandate.execution.services.spreadsheets.byte_forms import FixedForm

COLUMNS = {
    "text": 'type = "text"\nrequired = true\nmax_length = 9\n',
    "code": 'type = "text"\npattern = "V-\\\\d{3}[A-F]"\n',
    "long": 'type = "text"\npattern = "[0-9]{4}/[0-9]{8}"\n',
    "iso": 'type = "date"\n',
    "day": 'type = "date"\nformats = ["DD.MM.YYYY", "YYYY-MM-DD"]\nrequired = true\n',
    "short": 'type = "date"\nformats = ["YYYYMMDD"]\n',
    "amount": 'type = "decimal"\nminimum = "0.05"\nmaximum = "99999999.99"\n',
    "comma": 'type = "decimal"\nnumber_format = "1.234,56"\nscale = 3\n',
    "behind": 'type = "decimal"\nnumber_format = "1.234,56-"\nminimum = "-5000"\n',
    "round": 'type = "decimal"\nnumber_format = "(1 234.56)"\n',
    "year": 'type = "date"\nformats = ["DD.MM.YY", "DD.MM.YYYY"]\n',
    "whole": 'type = "integer"\nmaximum = "1000"\n',
}
ODD = ["", " ", "x", "é", "٣", "-", "+1", "1-", ".", ",", "0", "00", "\u00a0", "a b", " a", "a "]
LIKELY = {
    "text": ["plain", "nine char", "ten chars!"],
    "code": ["V-123A", "V-123G", "v-123A", "V-12A", "V-1٣3A", "V-123AA"],
    "long": ["2026/12345678", "2026/1234567", "2026-12345678"],
    "iso": ["2026-01-31", "2026-02-29", "2024-02-29", "1899-12-31", "2100-01-01", "2026-13-01",
            "2026-1-01", "0000-00-00", "2026-01-3x"],
    "day": ["31.01.2026", "2026-01-31", "32.01.2026", "31/01/2026", "1.1.2026"],
    "short": ["20260131", "20260231", "2026013"],
    "amount": ["1", "1.5", "1.50", "12345678.91", "0.04", "1.005", "1.", ".5", "1,234.56", "1e3",
               "123456789012.34", "1234567890123", "12345678901234", "nan", "1.2.3", "00001.10",
               "1234567.8", "123456.78", "99999999.99", "100000000.00"],
    "comma": ["1,5", "1.234,567", "1,2345", "1.5", "12345,678", "123456789,01"],
    "behind": ["1,5-", "1,5", "-1,5", "1.234,56-", "-1,5-", "--1", "9.999,00-", "(1,5)"],
    "round": ["(1.50)", "1.50", "-1.50", "(1 234.50)", "(1\u202f234.50)", "(-1.50)", "(1.50", "1-"],
    "year": ["31.01.26", "31.01.70", "31.01.69", "29.02.25", "31.01.2026", "1.1.26", "31.01.026"],
    "whole": ["1", "12345678", "1234567890", "123456789012345", "1234567890123456", "1.0", "-5"],
}  # fmt: skip


@st.composite
def rows(draw: st.DrawFn) -> list[list[str]]:
    cell = {
        name: st.one_of(
            st.sampled_from(LIKELY[name]),
            st.sampled_from(ODD),
            st.text("0123456789.,-/ ABVé", max_size=17),
        )
        for name in COLUMNS
    }
    return draw(st.lists(st.tuples(*cell.values()).map(list), min_size=1, max_size=25))


def judged(content: bytes) -> Normalization:
    return normalize(
        content,
        profile(
            "".join(f"[columns.{name}]\n{text}" for name, text in COLUMNS.items())
            + '[reader]\ndelimiter = ";"\n[structure]\noff = ["rows.blank", "rows.footer", '
            '"rows.total", "rows.units", "rows.second_table", "columns.second_table", '
            '"rows.title", "header.two_rows", "rows.repeated_header"]\n'
        ),
    )


@settings(max_examples=60, deadline=None)
@given(rows())
def test_bytes_and_expressions_agree(table: list[list[str]]) -> None:
    plain = judged(_semicolons(table, csv.QUOTE_MINIMAL))
    quoted = judged(_semicolons(table, csv.QUOTE_ALL))
    assert _said(plain) == _said(quoted)
    assert plain.accepted.equals(quoted.accepted)
    assert plain.accepted.schema == quoted.accepted.schema


def _said(result: Normalization) -> list[tuple[object, ...]]:
    # A cell with nothing in it is no text, one with two quotes an empty one: both show nothing.
    return [(e.line, e.field, e.code, e.message, e.value or None) for e in result.errors]


def _semicolons(table: list[list[str]], quoting: int) -> bytes:
    out = io.StringIO()
    writer = csv.writer(out, delimiter=";", lineterminator="\n", quoting=quoting)  # type: ignore[arg-type]
    writer.writerow(COLUMNS)
    writer.writerows(table)
    return out.getvalue().encode()


@pytest.mark.parametrize(
    ("pattern", "form"),
    [
        (r"V-\d{2}", ((86, 86), (45, 45), (48, 57), (48, 57))),
        (r"[A-C]\.x", ((65, 67), (46, 46), (120, 120))),
        (r"a+", None),
        (r"a|b", None),
        (r"a{1,3}", None),
        (r"(ab)", None),
        (r".", None),
        (r"\w", None),
        (r" a", None),
        (r"\d{17}", None),
        (r"ä", None),
    ],
)
def test_only_patterns_of_one_length_become_forms(
    pattern: str, form: tuple[tuple[int, int], ...] | None
) -> None:
    found = FixedForm.of_pattern(pattern)
    assert (found and found.ranges) == form


def test_values_are_exact_at_the_edges_of_a_word() -> None:
    cells = ["1.1", "12.12", "12345.67", "123456.78", "1234567.89", "1234567890.12", "0.00", "7"]
    result = normalize(
        ("n,v\n" + "".join(f"{n},{c}\n" for n, c in enumerate(cells))).encode(),
        profile('[columns.n]\ntype="integer"\n[columns.v]\ntype="decimal"\n'),
    )
    assert [str(v) for v in result.accepted["v"]] == [
        "1.10", "12.12", "12345.67", "123456.78", "1234567.89", "1234567890.12", "0.00", "7.00",
    ]  # fmt: skip


def test_every_day_of_two_centuries_is_read_as_it_is() -> None:
    days = pl.date_range(pl.date(1899, 12, 1), pl.date(2100, 2, 1), eager=True)
    lines = "".join(f"{n},{day}\n" for n, day in enumerate(days))
    wanted = profile('[columns.n]\ntype="integer"\n[columns.d]\ntype="date"\n')
    result = normalize(f"n,d\n{lines}".encode(), wanted)
    assert np.array_equal(result.accepted["d"].to_numpy(), days.to_numpy())
