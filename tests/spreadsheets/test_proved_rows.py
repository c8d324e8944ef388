"""What is proved from bytes, and cut from the file again, gives what judging every row gives."""

import csv
import io
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_judging import profile

from hybridmandate.execution.services.spreadsheets import Normalization, Unreadable, normalize
from hybridmandate.execution.services.spreadsheets.proved_rows import RowProof

PROFILE = """
[columns.key]
type = "text"
required = true
pattern = "K-\\\\d{3}"
[columns.label]
type = "text"
max_length = 12
[columns.ordered]
type = "date"
formats = ["YYYY-MM-DD", "DD.MM.YYYY"]
[columns.due]
type = "date"
[columns.amount]
type = "decimal"
minimum = "0.01"
[columns.currency]
type = "enum"
values = ["EUR", "USD"]
synonyms = { "euro" = "EUR" }
[columns.mail]
type = "email"
[columns.place]
type = "text"
[columns.place.reference]
view = "places"
column = "code"
[duplicates]
key = ["key", "label"]
[[rules]]
code = "order"
message = "due before ordered"
when = "mail"
check = "due >= ordered"
[[file_rules]]
code = "gaps"
kind = "no_gaps"
column = "key"
severity = "warning"
"""
NAMES = ["key", "label", "ordered", "due", "amount", "currency", "mail", "place"]
PLACES = pl.DataFrame({"code": ["P1", "P2"]})
USUAL = {
    "label": ["pump", "gear", "belt, long", "süß", "", "total", "Summe"],
    "ordered": ["2026-01-05", "06.01.2026", ""],
    "due": ["2026-02-01", "2026-01-01", ""],
    "amount": ["1.50", "12", "1,234.56"],
    "currency": ["EUR", "USD", "euro"],
    "mail": ["a@example.org", ""],
    "place": ["P1", "P2"],
}
ODD = ["", " ", "\u00a0", "x", "CHF", "0", "31.02.2026", 'a "b"', "P3", "Total", "key", "a@"]


@st.composite
def tables(draw: st.DrawFn) -> bytes:
    rows = []
    for number in range(draw(st.integers(4, 30))):
        row = [f"K-{draw(st.sampled_from([100, 200 + number]))}"]
        row += [draw(st.sampled_from(USUAL[name])) for name in NAMES[1:]]
        if draw(st.integers(0, 3)) == 0:
            row[draw(st.integers(0, len(row) - 1))] = draw(st.sampled_from(ODD))
        if draw(st.integers(0, 9)) == 0:
            row = row[: draw(st.integers(0, len(row)))]
        rows.append(row)
    out = io.StringIO()
    writer = csv.writer(out, lineterminator=draw(st.sampled_from(["\n", "\r\n"])))
    writer.writerow(NAMES)
    writer.writerows(rows)
    return out.getvalue().encode()


def judged(content: bytes) -> Normalization:
    return normalize(content, profile(PROFILE), references={"places": PLACES})


def said(content: bytes) -> tuple[object, ...]:
    result = judged(content)
    return (
        result.digest,
        result.accepted.rows(),
        result.rejected.drop("start_byte", "end_byte").rows(),
        result.errors,
        result.decisions,
        result.file_findings,
    )


@settings(max_examples=35, deadline=None)
@given(tables())
def test_nothing_changes_when_no_row_is_proved(content: bytes) -> None:
    found = said(content)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(RowProof, "prove", lambda self, chunk, skip: None)
        assert said(content) == found


def test_most_rows_of_a_plain_file_are_proved(monkeypatch: pytest.MonkeyPatch) -> None:
    shares = []
    prove = RowProof.prove

    def watched(self: RowProof, chunk: object, skip: int) -> object:
        proved = prove(self, chunk, skip)  # type: ignore[arg-type]
        assert proved is not None
        shares.append(float(proved.good.mean()))
        return proved

    monkeypatch.setattr(RowProof, "prove", watched)
    lines = "".join(
        f"K-{n:03},pump {n},2026-01-05,,1.50,EUR,a@example.org,P1\n" for n in range(900)
    )
    result = judged(f"{','.join(NAMES)}\n{lines}K-900,pump,soon,,1,EUR,,P1\n".encode())
    assert result.accepted_count == 900
    assert shares == [900 / 901]


def test_a_file_that_was_changed_afterwards_gives_no_rows(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b"name,amount\nfirst,1.50\nsecond,2.50\n")
    wanted = profile('[columns.name]\ntype="text"\n[columns.amount]\ntype="decimal"\n')
    result = normalize(path, wanted)
    with path.open("r+b") as file:
        file.seek(12)
        file.write(b"other")
    with pytest.raises(Unreadable) as refused:
        list(result.accepted_batches())
    assert refused.value.reason == "file.changed"


def test_text_that_begins_like_compressed_data_is_text() -> None:
    wanted = profile(
        '[columns.name]\ntype="text"\naliases=["x^"]\n[columns.amount]\ntype="decimal"\n'
    )
    result = normalize(b'x^,amount\nx^1,1.50\n"x^",2\n', wanted)
    assert result.accepted["name"].to_list() == ["x^1", "x^"]
