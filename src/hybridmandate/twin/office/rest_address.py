"""Addresses of SharePoint's REST interface: ``web/lists/getbytitle('Orders')/items(3)/Title``.

Source: learn.microsoft.com/sharepoint/dev/sp-add-ins, "Determine SharePoint REST service endpoint
URIs".
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from hybridmandate.twin.office.rest_errors import RestError

MAX_SEGMENTS = 12
_SEGMENT = re.compile(
    r"/?(?P<name>\$?[A-Za-z_][\w.]*)(?:\((?P<arguments>(?:'(?:[^']|'')*'|[^()'])*)\))?(?=/|$)"
)
_ARGUMENT = re.compile(
    r"\s*(?:(?P<name>\w+)\s*=\s*)?(?:guid)?(?P<value>'(?:[^']|'')*'|[^,'\s]+)\s*(?:,|$)"
)


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of an address; ``name`` in lower case, ``written`` as it came, its arguments."""

    name: str
    written: str
    arguments: tuple[tuple[str, str], ...] = ()

    def argument(self, name: str = "") -> str | None:
        """An argument by its name in lower case, or the only one that has none."""
        return next((value for key, value in self.arguments if key == name), None)


def parse_address(path: str) -> list[Segment]:
    """The segments below ``_api``, already decoded.

    :raises RestError: 400 when the address cannot be read.
    """
    segments: list[Segment] = []
    position, path = 0, path.rstrip("/")
    while position < len(path):
        match = _SEGMENT.match(path, position)
        if match is None or len(segments) >= MAX_SEGMENTS:
            raise RestError.bad(f"The address '{path[:200]}' cannot be read.")
        written = match["name"]
        segments.append(Segment(written.lower(), written, _arguments(match["arguments"])))
        position = match.end()
    return segments


def names(segments: Sequence[Segment]) -> str:
    """The names of the segments with slashes between them."""
    return "/".join(each.name for each in segments)


def _arguments(text: str | None) -> tuple[tuple[str, str], ...]:
    found: list[tuple[str, str]] = []
    position, text = 0, text or ""
    while position < len(text):
        match = _ARGUMENT.match(text, position)
        if match is None:
            raise RestError.bad(f"The arguments '{text[:200]}' cannot be read.")
        value = match["value"]
        plain = value[1:-1].replace("''", "'") if value.startswith("'") else value
        found.append(((match["name"] or "").lower(), plain))
        position = match.end()
    return tuple(found)
