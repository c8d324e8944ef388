"""``$filter``, ``$orderby`` and ``$select`` over the rows of an Excel table.

Comparisons (``Name eq 'x'``, ``Amount gt 5``) and ``contains``, ``startswith``, ``endswith``,
joined by ``and`` and ``or`` without brackets. A blank in a column's name is written ``_x0020_``.
What is not understood is refused. Source: learn.microsoft.com/connectors/excelonlinebusiness
('List rows present in a table').
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

Row = Mapping[str, Any]
Test = Callable[[Row], bool]

_COMPARE: Mapping[str, Callable[[Any, Any], bool]] = {
    "eq": operator.eq,
    "ne": operator.ne,
    "gt": operator.gt,
    "ge": operator.ge,
    "lt": operator.lt,
    "le": operator.le,
}
_FUNCTIONS: Mapping[str, Callable[[str, str], bool]] = {
    "contains": operator.contains,
    "startswith": str.startswith,
    "endswith": str.endswith,
}
_VALUE = r"'(?:[^']|'')*'|-?[0-9]+(?:\.[0-9]+)?"
_PART = re.compile(
    rf"\s*(?:(?P<function>contains|startswith|endswith)\(\s*(?P<of>[^\s,()']+)\s*,\s*"
    rf"(?P<text>'(?:[^']|'')*')\s*\)|(?P<name>[^\s,()']+)\s+(?P<word>eq|ne|gt|ge|lt|le)\s+"
    rf"(?P<value>{_VALUE}))\s*(?:(?P<joined>and|or)\b|$)",
    re.IGNORECASE,
)
MAX_LENGTH = 4_096


def row_filter(text: str, columns: Sequence[str]) -> Test:
    """The test of a ``$filter``. :raises ValueError: when it cannot be read."""
    if len(text) > MAX_LENGTH:
        raise ValueError(f"$filter has more than {MAX_LENGTH} characters")
    either: list[list[Test]] = [[]]
    position = 0
    while position < len(text):
        match = _PART.match(text, position)
        if match is None:
            raise ValueError(f"$filter: '{text[position:].strip()[:40]}' is not understood")
        either[-1].append(_test(match, columns))
        position = match.end()
        joined = (match["joined"] or "").lower()
        if joined and not text[position:].strip():
            raise ValueError("$filter ends too early")
        if joined == "or":
            either.append([])
    return lambda row: any(all(test(row) for test in tests) for tests in either)


def ordered(rows: list[dict[str, Any]], text: str, columns: Sequence[str]) -> list[dict[str, Any]]:
    """Rows as ``$orderby`` says: one column. :raises ValueError: when it cannot be read."""
    words = text.split()
    if not 1 <= len(words) <= 2 or (len(words) == 2 and words[1].lower() not in ("asc", "desc")):
        raise ValueError("$orderby names one column, ascending or descending")
    name = _column(words[0], columns)
    descending = words[-1].lower() == "desc" and len(words) == 2
    return sorted(rows, key=lambda row: _rank(row[name]), reverse=descending)


def selected(row: dict[str, Any], text: str, columns: Sequence[str]) -> dict[str, Any]:
    """A row with the columns of ``$select``. :raises ValueError: for one that is none."""
    wanted = {_column(each.strip(), columns) for each in text.split(",") if each.strip()}
    return {name: value for name, value in row.items() if name not in columns or name in wanted}


def _test(match: re.Match[str], columns: Sequence[str]) -> Test:
    if match["function"]:
        name, part = _column(match["of"], columns), _text(match["text"])
        function = _FUNCTIONS[match["function"].lower()]
        return lambda row: function(str(row[name]), part)
    name, compare = _column(match["name"], columns), _COMPARE[match["word"].lower()]
    if match["value"].startswith("'"):
        text = _text(match["value"])
        return lambda row: compare(str(row[name]), text)
    number = float(match["value"])

    def test(row: Row) -> bool:
        try:
            return compare(float(row[name]), number)
        except ValueError:
            return match["word"].lower() == "ne"

    return test


def _column(written: str, columns: Sequence[str]) -> str:
    name = written.replace("_x0020_", " ")
    for known in columns:
        if known.lower() == name.lower():
            return known
    raise ValueError(f"the table has no column '{name}'")


def _text(quoted: str) -> str:
    return quoted[1:-1].replace("''", "'")


def _rank(value: Any) -> tuple[int, float, str]:
    """Numbers in their order, then texts in theirs."""
    try:
        return 0, float(value), ""
    except ValueError:
        return 1, 0.0, str(value).lower()
