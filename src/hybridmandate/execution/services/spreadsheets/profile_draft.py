"""A draft of a profile from a file."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from hybridmandate.execution.services.spreadsheets.column_proposal import proposed_type, quoted
from hybridmandate.execution.services.spreadsheets.inspection import InspectedTable, inspect_file
from hybridmandate.execution.services.spreadsheets.profile import LINE
from hybridmandate.execution.services.spreadsheets.structure import normal
from hybridmandate.execution.services.spreadsheets.table import INVISIBLE, Unreadable, visible


def draft_profile(content: bytes | Path, *, name: str) -> str:
    """TOML of a profile that fits the file; a person edits it before it is used.

    Types are proposed where at least nine tenths of a column's cells agree. Of columns that have
    one heading the first is taken, and a remark in the draft names the others.
    :raises Unreadable: when the file is no table, or none with headings.
    """
    table = inspect_file(content)
    if not table.header_line or not any(map(normal, table.header)):
        raise Unreadable(
            "table.no_header", "no row holds headings, and by them a profile finds its columns"
        )
    parts = [
        "# Draft made from a file: check types, required columns and formats before use.",
        f"[profile]\nname = {quoted(name)}\nversion = 1\ntitle = {quoted(name)}",
    ]
    names = _Names(table.header)
    seen: set[str] = set()
    for position, header in enumerate(table.header):
        if not normal(header):
            continue
        if normal(header) in seen:
            parts.append(f"# column {position + 1} is headed {quoted(header)} as well: left out")
            continue
        seen.add(normal(header))
        parts.append(_column(table, position, header, names.of(header)))
    return "\n\n".join(parts) + "\n"


def _column(table: InspectedTable, position: int, header: str, name: str) -> str:
    cells = [row[position] for row in table.rows if position < len(row)]
    texts = [c.strip(INVISIBLE) for c in cells if c is not None and visible(c)]
    lines = [f"[columns.{name}]", *proposed_type(texts)]
    lines.append(f"aliases = [{quoted(header)}]")
    if texts and len(texts) == len(table.rows):
        lines.append("required = true")
    return "\n".join(lines)


class _Names:
    """Names of columns: each once, and none that reads like the heading of another column."""

    def __init__(self, headings: Sequence[str]) -> None:
        self._headings = {normal(heading) for heading in headings}
        self._used = {LINE}

    def of(self, heading: str) -> str:
        """The name of the column with a heading."""
        others = self._headings - {normal(heading)}
        name = wanted = _name(heading)
        number = 2
        while name.casefold() in self._used or normal(name) in others:
            name, number = f"{wanted}{number}", number + 1
        self._used.add(name.casefold())
        return name


def _name(heading: str) -> str:
    words = [normal(word) for word in re.split(r"[\W_]+", heading)]
    ascii_words = ["".join(c for c in word if c.isascii()) for word in words if word]
    parts = [word for word in ascii_words if word] or ["column"]
    name = parts[0] + "".join(word.capitalize() for word in parts[1:])
    return (name if name[0].isalpha() else f"column{name.capitalize()}")[:50]
