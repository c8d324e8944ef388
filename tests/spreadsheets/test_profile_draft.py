"""`mandate profile infer`: a draft from any table is a profile that can be used as it stands."""

from pathlib import Path

import pytest

from hybridmandate.execution.services.spreadsheets import (
    Unreadable,
    draft_profile,
    normalize,
    read_profile,
)

FOLDER = Path(__file__).parent / "corpus"
READINGS = sorted(FOLDER.glob("*.expected.json"))
TABLES = [
    FOLDER / path.name.removesuffix(".expected.json")
    for path in READINGS
    if "refused" not in path.read_text(encoding="utf-8") and "no-header" not in path.name
]


@pytest.mark.parametrize("path", TABLES, ids=lambda p: p.name)
def test_draft_of_each_file_of_the_corpus_is_a_profile(path: Path) -> None:
    draft = draft_profile(path, name="orders")
    assert len(read_profile(draft, source=path.name).columns) >= 4


@pytest.mark.parametrize("name", ["header-two-rows.csv", "dialect-tab-cp1252.csv", "book.xlsb",
    "book-1904.xls", "total-and-sub-totals.csv", "units-brackets.csv"])  # fmt: skip
def test_file_is_accepted_by_the_draft_made_from_it(name: str) -> None:
    result = normalize(
        FOLDER / name, read_profile(draft_profile(FOLDER / name, name="a"), source="a")
    )
    assert result.rows_in > 1
    assert result.accepted_count == result.rows_in


def test_table_without_headings_gives_no_draft() -> None:
    for content in ((FOLDER / "no-header.csv").read_bytes(), b"#,%,$\n1,2,3\n4,5,6\n"):
        with pytest.raises(Unreadable) as refused:
            draft_profile(content, name="a")
        assert refused.value.reason == "table.no_header"


def test_headings_that_stand_twice_or_read_alike_give_names_that_differ() -> None:
    content = (
        "Item no,item-no,Amount,amount 2,Amount 2,Line,数量,Column\n" + "a,b,1,2,3,4,5,c\n" * 3
    )
    draft = draft_profile(content.encode(), name="a")
    assert list(read_profile(draft, source="a").columns) == [
        "itemNo", "amount", "amount2", "line2", "column2", "column",
    ]  # fmt: skip
    assert '# column 2 is headed "item-no" as well: left out' in draft
    assert '# column 5 is headed "Amount 2" as well: left out' in draft


def test_draft_has_as_many_decimals_as_the_numbers() -> None:
    content = b"code,rate,price\n" + b"a,0.12345,1.50\n" * 3
    profile = read_profile(draft_profile(content, name="a"), source="a")
    assert [(c.type, c.scale) for c in profile.columns.values()][1:] == [
        ("decimal", 5),
        ("decimal", 2),
    ]
    assert normalize(content, profile).accepted_count == 3


PROPOSALS = {
    "date": (["31.12.2026", "01.02.2026"], 'type = "date"\nformats = ["DD.MM.YYYY"]'),
    "american": (["12/31/2026", "01/02/2026"], 'type = "date"\nformats = ["MM/DD/YYYY"]'),
    "english": (["31/12/2026", "01/02/2026"], 'type = "date"\nformats = ["DD/MM/YYYY"]'),
    "bank": (["31.12.26", "01.02.26"], 'type = "date"\nformats = ["DD.MM.YY"]'),
    "moment": (
        ["2026-01-02 10:11:12", "2026-01-03 00:00:00"],
        'type = "datetime"\nformats = ["YYYY-MM-DD hh:mm:ss"]\ntime_zone = "UTC"',
    ),
    "instant": (
        ["2026-01-02T10:11:12Z", "2026-01-03T00:00:00+02:00"],
        'type = "datetime"\nformats = ["YYYY-MM-DDThh:mm:ssZZ"]',
    ),
    "truth": (
        ["Ja", "Nein"],
        'type = "boolean"\ntrue_words = ["ja"]\nfalse_words = ["nein"]',
    ),
    "whole": (["12", "-3"], 'type = "integer"'),
    "code": (["0012", "1300"], 'type = "text"\nmax_length = 20'),
    "swiss": (["1'200.50", "3.00"], 'type = "decimal"\nnumber_format = "1\'234.56"'),
    "behind": (["1.200,50-", "3,00"], 'type = "decimal"\nnumber_format = "1.234,56-"'),
    "round": (["(1,200.50)", "3.00"], 'type = "decimal"\nnumber_format = "(1,234.56)"'),
    "money": (
        ["€ 1,200.50", "3.00 EUR"],
        'type = "money"\ncurrencies = ["EUR", "€"]\nnumber_format = "1,234.56"',
    ),
    "mail": (["ann@example.org", "bob@example.org"], 'type = "email"'),
    "iban": (["CH93 0076 2011 6238 5295 7", "DE89370400440532013000"], 'type = "iban"'),
    "no iban": (["CH93 0076 2011 6238 5295 8"], 'type = "text"\nmax_length = 52'),
}


@pytest.mark.parametrize("name", PROPOSALS)
def test_type_is_proposed_that_takes_every_cell(name: str) -> None:
    cells, lines = PROPOSALS[name]
    content = "key;cell\n" + "".join(f"k;{cell}\n" for cell in cells)
    draft = draft_profile(content.encode(), name="a")
    assert f"[columns.cell]\n{lines}\n" in draft
    result = normalize(content.encode(), read_profile(draft, source="a"))
    assert result.accepted_count == len(cells)


def test_draft_says_when_day_and_month_cannot_be_told_apart() -> None:
    said = "# Day and month cannot be told apart in this file: MM/DD/YYYY fits as well."
    draft = draft_profile(b"key,day\na,01/02/2026\nb,03/04/2026\n", name="a")
    assert said in draft
    assert said not in draft_profile(b"key,day\na,01/02/2026\nb,13/04/2026\n", name="a")
