"""Each reason code, rule and setting of the spreadsheet service stands in its documentation."""

import ast
import fnmatch
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from hybridmandate.execution.services import spreadsheets
from hybridmandate.execution.services.spreadsheets.profile import (
    STRUCTURE_RULES,
    Committed,
    DeclaredRule,
    Duplicates,
    FileRule,
    Profile,
    ReaderOptions,
    Thresholds,
)
from hybridmandate.execution.services.spreadsheets.profile_columns import Column, Reference

PACKAGE = Path(str(spreadsheets.__file__)).parent
PAGE = Path(__file__).parents[2] / "docs" / "spreadsheets" / "spreadsheets.md"
DOTTED = re.compile(r"[a-z0-9_]+\.[a-z0-9_]+")
NO_CODES = {
    "1234.56",
    "accepted.jsonl",
    "accepted.parquet",
    "content.xml",
    "errors.jsonl",
    "eu.vat",
    "sharedstrings.xml",
    "spreadsheets.normalize",
    "styles.xml",
    "table.ambiguous",  # the beginning of several codes
    "vbaproject.bin",
}
"""Texts of the package that have the form of a code and are something else."""
FORMATTED = {
    "{}.format": "column type",
    "rule.{}": "`rule.CODE`",
    "file.{}": "`file.CODE`",
    "stdnum.{}": "python-stdnum",
}
"""Codes that are put together, and the words by which the page has them."""


CORPUS = Path(__file__).parent / "corpus"
CORPUS_PAGE = PAGE.with_name("corpus.md")


def texts() -> Iterator[str]:
    """Every text of the package; what is filled in later stands as ``{}``."""
    for path in sorted(PACKAGE.glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value
            elif isinstance(node, ast.JoinedStr):
                yield "".join(
                    str(each.value) if isinstance(each, ast.Constant) else "{}"
                    for each in node.values
                )


def undotted() -> Iterator[str]:
    """Codes of one word: the first argument of a check, or the code of a listed error."""
    for path in sorted(PACKAGE.glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
                continue
            given = [k.value for k in node.keywords if k.arg == "code"]
            if node.func.id == "Check":
                given += node.args[:1]
            yield from (str(a.value) for a in given if isinstance(a, ast.Constant))


def test_page_has_every_code_of_the_package() -> None:
    page = PAGE.read_text(encoding="utf-8")
    codes = {each for each in texts() if DOTTED.fullmatch(each)} | set(undotted())
    assert len(codes) > 60
    assert {each for each in codes - NO_CODES if f"`{each}`" not in page} == set()


def test_codes_that_are_put_together_are_those_of_the_page() -> None:
    page = PAGE.read_text(encoding="utf-8")
    made = {each for each in texts() if re.fullmatch(r"[a-z0-9_{}]+\.[a-z0-9_{}]+", each)}
    assert {each for each in made if "{}" in each} == set(FORMATTED)
    types = Column.model_fields["type"].annotation
    for each in ("email", "iban", "vat", "bic", "lei", "isin", "identifier"):
        assert f'"{each}"' in str(types).replace("'", '"')
        assert f"`{each}.format`" in page
    assert "`money.format`, `money.precision`" in page
    assert "`rule.CODE`" in page
    assert "`file.CODE`" in page


def test_rules_that_can_be_switched_off_stand_in_the_lines_that_say_so() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert "switches the rules of the first eleven lines off" in page
    lines = page[page.index("| rule | meaning |") :].splitlines()[2:13]
    named = [rule for line in lines for rule in re.findall(r"`([a-z._]+)`", line.split("|")[1])]
    assert sorted(named) == sorted(STRUCTURE_RULES)


@pytest.mark.parametrize(
    "part",
    [Column, Reference, Duplicates, Committed, DeclaredRule, FileRule, ReaderOptions, Thresholds],
)
def test_page_has_every_setting_of_a_profile(part: type[Profile]) -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert {name for name in part.model_fields if f"`{name}`" not in page} == set()


def test_page_of_the_corpus_names_every_file_and_no_other() -> None:
    page = CORPUS_PAGE.read_text(encoding="utf-8").partition("Strict dates")[0]
    patterns = re.findall(r"`([^`]*[-.*][^`]*)`", page.partition("## Text")[2])
    files = {p.name for p in CORPUS.iterdir() if p.name != "corpus.toml" and p.suffix != ".json"}
    # A refused list.json is a file of the corpus as well.
    files |= {p.name.removesuffix(".expected.json") for p in CORPUS.glob("*.expected.json")}
    assert {each for each in patterns if not fnmatch.filter(files, each)} == set()
    assert {f for f in files if not any(fnmatch.fnmatchcase(f, each) for each in patterns)} == set()
