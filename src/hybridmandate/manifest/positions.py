"""Where in a TOML file a value stands, so that an error can name its line.

The standard library's TOML reader gives values without positions. This index reads the same text a
second time, only as far as finding the line on which each table header and each key begins.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

Path = tuple[str | int, ...]

_BARE = r"[A-Za-z0-9_-]+"
_QUOTED = r"\"(?:[^\"\\]|\\.)*\"|'[^']*'"
_KEY = re.compile(rf"\s*((?:{_BARE}|{_QUOTED})(?:\s*\.\s*(?:{_BARE}|{_QUOTED}))*)\s*=")
_HEADER = re.compile(rf"\s*(\[\[?)\s*((?:{_BARE}|{_QUOTED}|\s*\.\s*)+?)\s*\]\]?\s*(?:#.*)?$")
_PART = re.compile(rf"{_BARE}|{_QUOTED}")
_TOKEN = re.compile(
    r'"""(?:[^\\]|\\.)*?"""' r"|'''.*?'''" r'|"(?:[^"\\\n]|\\.)*"' r"|'[^'\n]*'" r"|#[^\n]*",
    re.DOTALL,
)


class LineIndex:
    """Lines (1-based) of the tables and keys of a TOML text."""

    def __init__(self, text: str) -> None:
        self._lines: dict[Path, int] = {(): 1}
        for path, line in _positions(text):
            self._lines.setdefault(path, line)

    def line_of(self, path: Path) -> int:
        """The line of a value, or of the nearest thing around it that has one."""
        for end in range(len(path), -1, -1):
            line = self._lines.get(path[:end])
            if line is not None:
                return line
        return 1


def _positions(text: str) -> Iterator[tuple[Path, int]]:
    table: Path = ()
    counts: dict[Path, int] = {}
    for number, line in _logical_lines(text):
        header = _HEADER.match(line)
        if header is not None:
            table = _parts(header[2])
            if header[1] == "[[":
                position = counts.get(table, 0)
                counts[table] = position + 1
                table = (*table, position)
            yield from ((table[:end], number) for end in range(1, len(table) + 1))
            continue
        key = _KEY.match(line)
        if key is not None:
            path = (*table, *_parts(key[1]))
            yield from ((path[:end], number) for end in range(len(table) + 1, len(path) + 1))


def _logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Lines that begin a statement: those inside brackets or long strings are left out."""
    blanked = _TOKEN.sub(_blank, text)
    depth = 0
    for number, (line, shape) in enumerate(
        zip(text.split("\n"), blanked.split("\n"), strict=True), start=1
    ):
        opening = depth
        is_header = depth == 0 and _HEADER.match(line) is not None
        if not is_header:
            depth += sum(shape.count(c) for c in "[{") - sum(shape.count(c) for c in "]}")
        if opening == 0 and shape.strip():
            yield number, line


def _blank(match: re.Match[str]) -> str:
    # Keeps line breaks (so that lines stay aligned) and a mark where a string stood.
    return "_" + "\n".join("" for _ in match[0].split("\n")) if match[0][0] != "#" else ""


def _parts(dotted: str) -> Path:
    return tuple(part.strip("\"'") for part in _PART.findall(dotted))
