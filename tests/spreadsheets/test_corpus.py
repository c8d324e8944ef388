"""Every file of the corpus is read as the plan that it was made from says."""

import json
from pathlib import Path

import pytest

from hybridmandate.execution.services.spreadsheets import (
    Unreadable,
    inspect_file,
    normalize,
    read_profile,
)

FOLDER = Path(__file__).parent / "corpus"
FILES = sorted(p for p in FOLDER.iterdir() if (FOLDER / f"{p.name}.expected.json").exists())


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.name)
def test_file_is_read_as_planned(path: Path) -> None:
    expected = json.loads((FOLDER / f"{path.name}.expected.json").read_text(encoding="utf-8"))
    profile = read_profile((FOLDER / "corpus.toml").read_text(), source="corpus.toml")
    if "refused" in expected:
        with pytest.raises(Unreadable) as refused:
            normalize(path.read_bytes(), profile)
        assert refused.value.reason == expected["refused"]
        return
    result = normalize(path.read_bytes(), profile)
    accepted = result.accepted.select("line", "itemCode").to_dicts()
    assert accepted == expected["accepted"]
    assert sorted({e.line for e in result.errors}) == expected["rejectedLines"]
    assert sorted({d.rule for d in result.decisions}) == expected["rules"]
    assert result.source.items() >= expected["source"].items()


ONLY_WITH_PROFILE = {"header.similar", "columns.ignored", "columns.missing"}
ONLY_WITHOUT_PROFILE = {"columns.empty", "header.unnamed", "cell.error", "cell.uncalculated"}
TABLES = [p for p in FILES if "refused" not in (FOLDER / f"{p.name}.expected.json").read_text()]


@pytest.mark.parametrize("path", TABLES, ids=lambda p: p.name)
def test_same_rows_are_found_without_a_profile(path: Path) -> None:
    expected = json.loads((FOLDER / f"{path.name}.expected.json").read_text(encoding="utf-8"))
    table = inspect_file(path.read_bytes())
    data_rows = [row["line"] for row in expected["accepted"]] + expected["rejectedLines"]
    assert list(table.lines) == sorted(data_rows)
    rules = {d.rule for d in table.decisions}
    assert rules - ONLY_WITHOUT_PROFILE == set(expected["rules"]) - ONLY_WITH_PROFILE


def test_corpus_is_large_and_each_file_has_its_reading() -> None:
    assert len(FILES) >= 120
    readings = list(FOLDER.glob("*.expected.json"))
    assert len(readings) == len(FILES)
