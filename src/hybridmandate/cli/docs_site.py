"""The documentation as web pages: Markdown in, one HTML file a page out, links kept working."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from jinja2 import Environment, PackageLoader, select_autoescape
from markdown_it import MarkdownIt
from markupsafe import Markup

_LINK = re.compile(r'href="(?P<target>[^"#:]+)\.md(?P<anchor>#[^"]*)?"')


@dataclass(frozen=True, slots=True)
class Page:
    """One page: where it lies below the docs folder, its title, its text."""

    path: PurePosixPath
    title: str
    text: str

    @property
    def address(self) -> str:
        """Its file in the site, relative to the site's folder."""
        return str(self.path.with_suffix(".html"))

    @property
    def area(self) -> str:
        """The folder that it belongs to; empty for pages at the top."""
        return "" if self.path.parent == PurePosixPath() else self.path.parts[0]


def read_pages(folder: Path) -> list[Page]:
    """Every Markdown page below a folder, those at the top first.

    :raises ValueError: for a page without a first-level heading.
    """
    pages = []
    for file in sorted(folder.rglob("*.md")):
        text = file.read_text(encoding="utf-8")
        path = PurePosixPath(file.relative_to(folder).as_posix())
        heading = re.search(r"^# (.+)$", text, re.MULTILINE)
        if heading is None:
            raise ValueError(f"docs/{path} has no title: begin it with '# …'")
        pages.append(Page(path, heading[1].replace("`", ""), text))
    return sorted(pages, key=lambda page: (page.area, page.path))


def broken_links(pages: Iterable[Page]) -> list[str]:
    """Links from page to page that lead nowhere, as 'page: target'."""
    listed = list(pages)
    known = {str(page.path) for page in listed}
    return [
        f"{page.path}: {target}"
        for page in listed
        for target in re.findall(r"\]\(([^)#:]+\.md)(?:#[^)]*)?\)", page.text)
        if _resolve(page.path, target) not in known
    ]


def write_site(folder: Path, output: Path) -> int:
    """Write the site; returns the number of pages. :raises ValueError: for a broken link."""
    pages = read_pages(folder)
    broken = broken_links(pages)
    if broken:
        raise ValueError("links that lead nowhere: " + "; ".join(broken))
    renderer = MarkdownIt("commonmark").enable("table")
    template = Environment(
        loader=PackageLoader("hybridmandate.cli", "pages"), autoescape=select_autoescape()
    ).get_template("page.html")
    for page in pages:
        target = output / page.address
        target.parent.mkdir(parents=True, exist_ok=True)
        body = _LINK.sub(r'href="\g<target>.html\g<anchor>"', renderer.render(page.text))
        root = "../" * (len(page.path.parts) - 1)
        target.write_text(
            template.render(page=page, pages=pages, body=Markup(body), root=root),  # noqa: S704
            encoding="utf-8",
        )
    return len(pages)


def _resolve(page: PurePosixPath, target: str) -> str:
    parts: list[str] = []
    for part in (page.parent / target).parts:
        if part == ".." and parts:
            parts.pop()
        else:
            parts.append(part)
    return "/".join(parts)
