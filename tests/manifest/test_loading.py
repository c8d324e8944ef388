"""A solution folder either loads whole or says, line by line, what to write instead."""

import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybridmandate.manifest import SolutionRefused, load_solution
from hybridmandate.manifest.positions import LineIndex

EXAMPLE = Path(__file__).parents[2] / "examples" / "vendor-invoices"


@pytest.fixture(name="folder")
def _folder(tmp_path: Path) -> Path:
    for each in ("mandate.toml", "environments/local.toml"):
        target = tmp_path / each
        target.parent.mkdir(exist_ok=True)
        shutil.copy(EXAMPLE / each, target)
    return tmp_path


def rewrite(folder: Path, old: str, new: str, file: str = "mandate.toml") -> int:
    """Replace text in a file; returns the line on which the old text stood."""
    path = folder / file
    text = path.read_text()
    assert text.count(old) >= 1
    path.write_text(text.replace(old, new, 1))
    return text[: text.index(old)].count("\n") + 1


def refused(folder: Path) -> SolutionRefused:
    with pytest.raises(SolutionRefused) as caught:
        load_solution(folder)
    return caught.value


def test_example_loads() -> None:
    loaded = load_solution(EXAMPLE)
    assert loaded.name == "vendor-invoices"
    assert loaded.solution.commits["invoices"].ledger == "hm_jobrecord"
    assert loaded.environment("local").connections["hm_mandate"].principal == "flow-invoice-intake"


@pytest.mark.parametrize("tier", ["orchestration", "execution", "governance"])
def test_solution_without_three_owners_does_not_load(folder: Path, tier: str) -> None:
    text = (folder / "mandate.toml").read_text()
    start = text.index(f"[owners.{tier}]")
    end = text.index("\n\n", start)
    (folder / "mandate.toml").write_text(text[:start] + text[end:])
    (finding,) = refused(folder).findings
    assert finding.where == f"owners.{tier}"
    assert f"Add [owners.{tier}]" in finding.hint


def test_missing_value_names_its_table_and_line(folder: Path) -> None:
    line = rewrite(
        folder, '[views.vendors]\nversion = 1\ntable = "hm_vendor"\n', "[views.vendors]\n"
    )
    findings = {f.where: f for f in refused(folder).findings}
    assert set(findings) == {"views.vendors.version", "views.vendors.table"}
    assert findings["views.vendors.table"].line == line
    assert findings["views.vendors.table"].hint == "Add 'table' to [views.vendors]."


def test_misspelt_key_gets_the_right_spelling(folder: Path) -> None:
    line = rewrite(folder, 'purpose = "The gateway proves', 'porpose = "The gateway proves')
    findings = {f.where: f for f in refused(folder).findings}
    assert findings["principals.gateway.porpose"].line == line
    assert findings["principals.gateway.porpose"].hint == "Write 'purpose' instead."


def test_wrong_word_lists_the_right_ones(folder: Path) -> None:
    line = rewrite(folder, 'class = "departmental"', 'class = "huge"')
    (finding,) = refused(folder).findings
    assert finding.line == line
    assert "'regulated'" in finding.hint


def test_all_errors_are_listed_not_the_first(folder: Path) -> None:
    rewrite(folder, 'class = "departmental"', 'class = "huge"')
    rewrite(folder, "max_rows = 5000", "max_rows = 5001")
    rewrite(folder, 'version = "1.0.0"', 'version = "one"')
    assert len(refused(folder).findings) == 3


def test_syntax_error_names_the_line(folder: Path) -> None:
    line = rewrite(folder, 'title = "Vendor invoices"', 'title = "Vendor invoices')
    (finding,) = refused(folder).findings
    assert (finding.file, finding.line) == ("mandate.toml", line)
    assert "not valid TOML" in finding.message


@pytest.mark.parametrize(
    ("old", "new", "where"),
    [
        ('"Data.View.Vendors"]', '"Data.Admin"]', "principals.execution.roles.0"),
        ('filter = ["hm_vendornumber"', 'filter = ["hm_secret"', "views.vendors.filter.0"),
        ('key = ["hm_vendornumber"', 'key = ["hm_other"', "commits.invoices.key.0"),
        ('ledger = "hm_jobrecord"', 'ledger = "hm_invoice"', "commits.invoices.ledger"),
        ('readers = ["flow-invoice-intake"', 'readers = ["somebody"', "files.readers.0"),
        ("ap-automation@contoso.example", "ada@contoso.example", "owners.orchestration.contact"),
    ],
)
def test_contradiction_is_refused_with_its_line(
    folder: Path, old: str, new: str, where: str
) -> None:
    line = rewrite(folder, old, new)
    findings = {f.where: f for f in refused(folder).findings}
    assert where in findings
    assert findings[where].line == line
    assert findings[where].hint.endswith(".")


def test_connection_of_an_unknown_principal_is_refused(folder: Path) -> None:
    file = "environments/local.toml"
    line = rewrite(folder, 'principal = "flow-dataverse"', 'principal = "ada"', file)
    (finding,) = refused(folder).findings
    assert (finding.file, finding.line) == (file, line)
    assert "flow-dataverse" in finding.hint


def test_connection_as_another_tier_is_refused(folder: Path) -> None:
    file = "environments/local.toml"
    rewrite(folder, 'principal = "flow-dataverse"', 'principal = "data-gateway"', file)
    (finding,) = refused(folder).findings
    assert "governance tier" in finding.message


def test_environment_under_another_name_is_refused(folder: Path) -> None:
    (folder / "environments/local.toml").rename(folder / "environments/dev.toml")
    (finding,) = refused(folder).findings
    assert finding.hint == 'Write name = "dev", or rename the file'


def test_folder_without_manifest_says_what_is_expected(tmp_path: Path) -> None:
    (finding,) = refused(tmp_path).findings
    assert "--solution" in finding.hint


def test_file_that_is_not_text_is_a_finding(folder: Path) -> None:
    (folder / "mandate.toml").write_bytes(b"\xff\xfe\x00")
    (finding,) = refused(folder).findings
    assert "UTF-8" in finding.message


def test_unknown_environment_names_those_that_exist() -> None:
    with pytest.raises(SolutionRefused, match="use one that exists: local"):
        load_solution(EXAMPLE).environment("production")


def test_line_index_is_not_misled_by_strings_arrays_and_comments() -> None:
    text = (
        "# [not.a.table]\n"
        "[one]\n"
        'text = """\n'
        "[two]\n"
        "fake = 1\n"
        '"""\n'
        "list = [\n"
        '  "a = b",  # x = 1\n'
        "]\n"
        "a.b = 1\n"
        "[[many]]\n"
        "x = 1\n"
        "[[many]]\n"
        "x = 2\n"
        '["quoted key".inner]\n'
        "y = 1\n"
    )
    index = LineIndex(text)
    assert index.line_of(("one",)) == 2
    assert index.line_of(("one", "list", 3)) == 7
    assert index.line_of(("one", "a", "b")) == 10
    assert index.line_of(("many", 1, "x")) == 14
    assert index.line_of(("quoted key", "inner", "y")) == 16
    assert index.line_of(("two",)) == 1
    assert index.line_of(("one", "fake")) == 2


@given(st.text(max_size=300))
def test_line_index_takes_any_text(text: str) -> None:
    assert LineIndex(text).line_of(("anything",)) >= 1
