"""The example's files, as people send them, are read as a person would read them."""

from pathlib import Path

import pytest

from hybridmandate.execution.services.spreadsheets import (
    Profile,
    ProfileLibrary,
    Unreadable,
    normalize,
)

EXAMPLE = Path(__file__).parents[2] / "examples" / "vendor-invoices"

# file, rows, rejected (line, code), rules that left something out
READINGS = [
    ("01-clean.csv", 6, [], set()),
    ("02-embedded-commas.csv", 4, [], set()),
    ("03-odd-dates.csv", 7, [(8, "date.format")], set()),
    ("04-blank-looking-rows.csv", 3, [], {"rows.blank"}),
    ("05-title-and-total.csv", 3, [], {"rows.title", "rows.total", "rows.footer"}),
    ("06-extra-and-reordered.csv", 4, [], {"columns.ignored"}),
    ("07-german-cp1252.csv", 3, [], {"header.similar"}),
    (
        "08-merged-1904-errors.xlsx",
        6,
        [(7, "cell.error")],
        {"rows.title", "sheet.hidden", "dates.1904"},
    ),
    (
        "09-above-threshold.xlsx",
        10,
        [
            (4, "pattern"),
            (5, "date.format"),
            (6, "rule.due_before_invoice"),
            (7, "range.minimum"),
            (8, "enum.value"),
            (9, "duplicate"),
            (10, "duplicate"),
        ],
        set(),
    ),
]


@pytest.fixture(name="invoice", scope="module")
def _invoice() -> Profile:
    found = ProfileLibrary.from_folder(EXAMPLE / "profiles").find("invoice")
    assert found is not None
    return found


@pytest.mark.parametrize(("name", "rows", "rejected", "rules"), READINGS)
def test_sample_is_read_as_a_person_would(
    invoice: Profile, name: str, rows: int, rejected: list[tuple[int, str]], rules: set[str]
) -> None:
    result = normalize((EXAMPLE / "samples" / name).read_bytes(), invoice)
    assert result.rows_in == rows
    assert [(e.line, e.code) for e in result.errors] == rejected
    assert {d.rule for d in result.decisions} == rules
    assert result.accepted.height == rows - len({line for line, _ in rejected})


def test_page_that_was_saved_as_csv_is_refused(invoice: Profile) -> None:
    with pytest.raises(Unreadable) as refused:
        normalize((EXAMPLE / "samples" / "10-no-spreadsheet.csv").read_bytes(), invoice)
    assert refused.value.reason == "file.markup"


def test_values_arrive_exactly(invoice: Profile) -> None:
    quoted = normalize((EXAMPLE / "samples" / "02-embedded-commas.csv").read_bytes(), invoice)
    assert [str(v) for v in quoted.accepted["amount"]] == ["1250.00", "12088.40", "430.00", "76.25"]
    assert quoted.accepted["description"].to_list()[1:3] == [
        'Paper "Recycled", 80 g',
        "Translation\nGerman, French",
    ]
    assert quoted.accepted["line"].to_list() == [2, 3, 4, 6]
    german = normalize((EXAMPLE / "samples" / "07-german-cp1252.csv").read_bytes(), invoice)
    assert german.accepted["description"].to_list()[1] == "Ordner „grün“"
    dated = normalize((EXAMPLE / "samples" / "08-merged-1904-errors.xlsx").read_bytes(), invoice)
    assert [str(v) for v in dated.accepted["invoiceDate"]][:3] == [
        "2026-09-23",
        "2026-09-23",
        "2026-09-24",
    ]


def test_the_readme_of_the_samples_tells_the_same() -> None:
    text = (EXAMPLE / "samples" / "README.md").read_text()
    for name, rows, rejected, _ in READINGS:
        wrong = len({line for line, _ in rejected})
        (row,) = [line for line in text.splitlines() if f"`{name}`" in line]
        assert row.endswith(f"| {rows} | {rows - wrong} | {wrong} |")
