"""The documentation is complete and says what the code says."""

import re
from pathlib import Path

import pytest

from hybridmandate.cli.docs_site import broken_links, read_pages, write_site
from hybridmandate.cli.reference_pages import pages
from hybridmandate.contracts import FailureType

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"


@pytest.mark.parametrize("name", pages())
def test_generated_page_says_what_the_code_says(name: str) -> None:
    committed = (DOCS / name).read_text(encoding="utf-8")
    assert committed == pages()[name](), "run ./mandate docs --renew"


def test_every_failure_type_has_its_row() -> None:
    text = (DOCS / "reference" / "failures.md").read_text(encoding="utf-8")
    for kind in FailureType:
        assert f"| `{kind}` |" in text


def test_links_between_pages_lead_somewhere() -> None:
    assert broken_links(read_pages(DOCS)) == []


def test_every_page_is_reached_from_the_first() -> None:
    """Contract pages are one a contract: the index names their folder."""
    text = (DOCS / "index.md").read_text(encoding="utf-8")
    left_out = [
        str(page.path)
        for page in read_pages(DOCS)
        if f"({page.path})" not in text
        and page.area != "contracts"
        and str(page.path) != "index.md"
    ]
    assert left_out == []


def test_links_of_the_readme_lead_somewhere() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    targets = re.findall(r"\]\(([^)#:]+)\)", text)
    assert targets
    for target in targets:
        assert (ROOT / target).exists(), target


def test_site_is_written_whole(tmp_path: Path) -> None:
    count = write_site(DOCS, tmp_path)
    assert count == len(list(DOCS.rglob("*.md")))
    index = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert 'aria-current="page"' in index
    links = re.findall(r'href="([^"#:]+\.html)', index)
    assert links
    for link in links:
        assert (tmp_path / link).is_file(), link


def test_link_that_leads_nowhere_is_found(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text(
        "# A\n[b](b.md) [c](sub/c.md) [site](https://example.org/x.md)\n"
    )
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "c.md").write_text("# C\n[a](../a.md)\n")
    assert broken_links(read_pages(tmp_path)) == ["a.md: b.md"]
    with pytest.raises(ValueError, match="lead nowhere"):
        write_site(tmp_path, tmp_path / "site")


def test_page_without_a_title_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("no heading\n")
    with pytest.raises(ValueError, match="no title"):
        read_pages(tmp_path)


def test_no_machine_and_no_registry_is_named_in_the_project() -> None:
    """Locks hold hashes and no addresses."""
    for lock in (ROOT / "requirements").glob("*.lock"):
        assert "://" not in lock.read_text(encoding="utf-8"), lock.name
