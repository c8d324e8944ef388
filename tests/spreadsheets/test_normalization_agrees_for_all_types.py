"""Rejected rows and reasons agree with the slow reading of a profile, for every type."""

import csv
import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from slow_profile import rejected

from hybridmandate.execution.services.spreadsheets import normalize, read_profile

ABOUT = '[profile]\nname = "t"\nversion = 1\ntitle = "t"\n'
PLAIN = '[structure]\noff = ["rows.title", "header.two_rows", "rows.units", "rows.repeated_header", "rows.blank", "rows.total", "rows.subtotal", "rows.footer", "rows.second_table", "columns.second_table"]\n[reader]\ndelimiter = ","\n'  # noqa: E501
PROFILES = {
    "numbers": """
[duplicates]
key = ["whole", "amount"]
policy = "keep_first"
[columns.whole]
type = "integer"
required = true
minimum = "-5"
[columns.amount]
type = "decimal"
number_format = "1.234,56"
scale = 3
maximum = "9999.5"
[columns.price]
type = "money"
currencies = ["EUR", "€"]
""",
    "times": """
[duplicates]
key = ["day"]
policy = "keep_last"
[columns.day]
type = "date"
formats = ["DD.MM.YYYY", "YYYY-MM-DD"]
minimum = "2020-01-01"
[columns.at]
type = "datetime"
formats = ["YYYY-MM-DD hh:mm", "YYYY-MM-DDThh:mm:ssZZ"]
time_zone = "Europe/Zurich"
required = true
[columns.flag]
type = "boolean"
""",
    "words": """
[duplicates]
key = ["state"]
[severities]
"iban.format" = "warning"
[columns.state]
type = "enum"
values = ["open", "paid"]
synonyms = { "bezahlt" = "paid" }
[columns.code]
type = "text"
pattern = "[A-C]-[0-9]{2,3}"
min_length = 4
max_length = 5
[columns.account]
type = "iban"
[columns.tax]
type = "vat"
[columns.firm]
type = "lei"
[columns.paper]
type = "isin"
[columns.bank]
type = "bic"
[columns.book]
type = "identifier"
standard = "isbn"
""",
}
CELLS = {
    "whole": ["1", "-5", "-6", "+7", "1.0", "1,5", "1234567890123456", "x", "1.234"],
    "amount": ["1", "1,5", "1.234,567", "1.234.5", "9999,501", "1,2345", "-3", "12345,6", "1,"],
    "price": ["1", "1.50 EUR", "€2", "EUR 3,000.25", "4 USD", "1.005€", "EUR"],
    "day": ["31.12.2025", "2025-12-31", "2019-12-31", "30.02.2025", "1.1.2025", "2025-12-3"],
    "at": ["2026-03-29 02:30", "2026-03-29 03:30", "2026-10-25 02:15", "2026-07-01T00:00:00Z",
           "2026-07-01T00:00:00+05:30", "2026-07-01", "2026-07-01 24:00"],
    "flag": ["yes", "NO", "x", "0", "maybe"],
    "state": ["open", "PAID", "Bezahlt", "shut"],
    "code": ["A-12", "B-123", "D-12", "A-1", "A-1234"],
    "account": ["CH93 0076 2011 6238 5295 7", "CH9300762011623852958", "x"],
    "tax": ["DE136695976", "DE136695978", "XX1"],
    "firm": ["213800KUD8LAJWSQ9D15", "213800KUD8LXJWSQ9D15"],
    "paper": ["US0378331005", "US0378331003"],
    "bank": ["DEUTDEFF", "DEUT"],
    "book": ["978-9024538270", "978-9024538271"],
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(PROFILES))
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_rejected_rows_and_reasons_agree(name: str, data: st.DataObject) -> None:
    text = ABOUT + PROFILES[name] + PLAIN
    profile = read_profile(text, source="t.toml")
    columns = list(profile.columns)
    cells = [st.sampled_from([*CELLS[column], "", f" {CELLS[column][0]} "]) for column in columns]
    rows = data.draw(st.lists(st.tuples(*cells), min_size=1, max_size=20))
    out = io.StringIO()
    quoting = data.draw(st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]))
    writer = csv.writer(out, lineterminator="\n", quoting=quoting)
    writer.writerow(columns)
    writer.writerows(rows)
    result = normalize(out.getvalue().encode(), profile)
    assert result.rows_in == len(rows)
    found = {(e.line, e.field, e.code) for e in result.errors}
    assert found == rejected(out.getvalue(), text)
    assert result.rejected_count == len({line for line, _, _ in found})
