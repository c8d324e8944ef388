"""Content Conversion (``shared_conversionservice``): HTML to plain text, without any service.

Source: learn.microsoft.com/connectors/conversionservice. The platform's own layout of tables and
links is not documented; here blocks become lines, list items get a star, links show their address
behind the text, and scripts and styles vanish.
"""

from __future__ import annotations

from collections.abc import Mapping
from html.parser import HTMLParser
from typing import ClassVar

from hybridmandate.orchestration.connectors.connector import Connector, Handler
from hybridmandate.orchestration.connectors.request import OperationCall
from hybridmandate.orchestration.engine import Answer

_BLOCKS = frozenset({"address", "article", "blockquote", "br", "div", "footer", "header", "hr"})
_BLOCKS |= {"h1", "h2", "h3", "h4", "h5", "h6", "li", "ol", "p", "pre", "section", "table", "tr"}
_BLOCKS |= {"ul"}
_HIDDEN = frozenset({"script", "style", "head", "title", "template"})


class ConversionConnector(Connector):
    """HTML to text."""

    api_name = "shared_conversionservice"

    async def html_to_text(self, call: OperationCall) -> Answer:
        """HtmlToText: the text of the parameter ``Content``."""
        return Answer(200, {}, text_of(str(call.required("Content"))))

    operations: ClassVar[Mapping[str, Handler]] = {"HtmlToText": html_to_text}


def text_of(html: str) -> str:
    """What a reader sees of an HTML text, in lines."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    lines = [" ".join(line.split()) for line in "".join(reader.parts).split("\n")]
    kept = [line for n, line in enumerate(lines) if line or (n and lines[n - 1])]
    return "\n".join(kept).strip("\n")


class _Reader(HTMLParser):
    """Collects text, line ends at blocks, addresses of links."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self._hidden = 0
        self._links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Begin an element."""
        if tag in _HIDDEN:
            self._hidden += 1
        if tag in _BLOCKS:
            self.parts.append("\n")
        if tag == "li":
            self.parts.append("* ")
        if tag in ("td", "th"):
            self.parts.append(" ")
        if tag == "a":
            self._links.append(dict(attrs).get("href") or "")

    def handle_endtag(self, tag: str) -> None:
        """End an element."""
        if tag in _HIDDEN and self._hidden:
            self._hidden -= 1
        if tag in _BLOCKS and tag != "br":
            self.parts.append("\n")
        if tag == "a" and self._links:
            address = self._links.pop()
            if address and not address.startswith("#"):
                self.parts.append(f" [{address}]")

    def handle_data(self, data: str) -> None:
        """Text between elements."""
        if not self._hidden:
            self.parts.append(data.replace("\n", " "))
