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
