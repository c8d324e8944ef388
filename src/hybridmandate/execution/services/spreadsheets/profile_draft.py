"""A draft of a profile from a file, and a profile as a page for people."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from hybridmandate.execution.services.spreadsheets.inspection import InspectedTable, inspect_file
from hybridmandate.execution.services.spreadsheets.profile import LINE, Profile
from hybridmandate.execution.services.spreadsheets.structure import normal
from hybridmandate.execution.services.spreadsheets.table import INVISIBLE, Unreadable, visible

MOSTLY = 0.9
MAX_ENUM = 8
USUAL_SCALE = 2
"""Decimals of a number where a profile says nothing."""
_DATES = (
    ("YYYY-MM-DD", re.compile(r"\d{4}-\d{2}-\d{2}")),
    ("DD.MM.YYYY", re.compile(r"\d{2}\.\d{2}\.\d{4}")),
    ("DD/MM/YYYY", re.compile(r"\d{2}/\d{2}/\d{4}")),
)
_NUMBERS = (
    ("1,234.56", re.compile(r"[+-]?(?:\d{1,3}(?:,\d{3})+|\d+)\.(\d{1,10})")),
    ("1.234,56", re.compile(r"[+-]?(?:\d{1,3}(?:\.\d{3})+|\d+),(\d{1,10})")),
)
_INTEGER = re.compile(r"[+-]?\d{1,15}")


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
        f"[profile]\nname = {_quoted(name)}\nversion = 1\ntitle = {_quoted(name)}",
    ]
    names = _Names(table.header)
    seen: set[str] = set()
    for position, header in enumerate(table.header):
        if not normal(header):
            continue
        if normal(header) in seen:
            parts.append(f"# column {position + 1} is headed {_quoted(header)} as well: left out")
            continue
        seen.add(normal(header))
        parts.append(_column(table, position, header, names.of(header)))
    return "\n\n".join(parts) + "\n"


def _column(table: InspectedTable, position: int, header: str, name: str) -> str:
    cells = [row[position] for row in table.rows if position < len(row)]
    texts = [c.strip(INVISIBLE) for c in cells if c is not None and visible(c)]
    lines = [f"[columns.{name}]", *_type(texts)]
    lines.append(f"aliases = [{_quoted(header)}]")
    if texts and len(texts) == len(table.rows):
        lines.append("required = true")
    return "\n".join(lines)


def _type(texts: Sequence[str]) -> list[str]:
    enough = MOSTLY * len(texts)
    if not texts:
        return ['type = "text"']
    for form, pattern in _DATES:
        if sum(bool(pattern.fullmatch(t)) for t in texts) >= enough:
            return ['type = "date"', f"formats = [{_quoted(form)}]"]
    leading_zero = any(len(t) > 1 and t.startswith("0") and t.isdigit() for t in texts)
    if not leading_zero and sum(bool(_INTEGER.fullmatch(t)) for t in texts) >= enough:
        return ['type = "integer"']
    for form, pattern in _NUMBERS:
        fitting = sum(bool(pattern.fullmatch(t) or _INTEGER.fullmatch(t)) for t in texts)
        if fitting >= enough and not leading_zero:
            decimals = [match[1] for t in texts if (match := pattern.fullmatch(t))]
            scale = max(len(each) for each in decimals)
            lines = ['type = "decimal"', f"number_format = {_quoted(form)}"]
            return [*lines, f"scale = {scale}"] if scale > USUAL_SCALE else lines
    words = Counter(texts)
    if len(words) <= MAX_ENUM and len(texts) >= 5 * len(words):
        values = ", ".join(_quoted(word) for word in sorted(words))
        return ['type = "enum"', f"values = [{values}]"]
    return ['type = "text"', f"max_length = {max(20, 2 * max(map(len, texts)))}"]


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


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(c if c.isprintable() else " " for c in escaped) + '"'


def describe_profile(profile: Profile) -> str:
    """A page for the people who fill in the spreadsheet: columns, forms, rules."""
    lines = [f"# {profile.profile.title} ({profile.label})", ""]
    lines += [
        "| column | headings | type | required | must be |",
        "| --- | --- | --- | --- | --- |",
    ]
    for name, column in profile.columns.items():
        facts: list[str] = []
        if column.type in ("date", "datetime"):
            facts.append(" or ".join(column.formats))
        if column.type in ("decimal", "money", "integer"):
            facts.append(f"written like {column.number_format}")
        if column.type == "enum":
            facts.append(", ".join(column.values))
        if column.pattern:
            facts.append(f"`{column.pattern}`")
        for word, bound in (("at least", column.minimum), ("at most", column.maximum)):
            if bound is not None:
                facts.append(f"{word} {bound}")
        if column.max_length is not None:
            facts.append(f"up to {column.max_length} characters")
        if column.reference is not None:
            facts.append(f"in the view {column.reference.view}")
        headings = ", ".join((name, *column.aliases))
        required = "yes" if column.required else ""
        lines.append(f"| {name} | {headings} | {column.type} | {required} | {'; '.join(facts)} |")
    rules = [f"- `rule.{r.code}` ({r.severity}): {r.message}" for r in profile.rules]
    rules += [
        f"- `file.{r.code}` ({r.severity}): {r.kind} {r.column or ''}" for r in profile.file_rules
    ]
    if profile.duplicates is not None:
        key = " and ".join(profile.duplicates.key)
        rules.append(f"- `duplicate`: {key} stand once ({profile.duplicates.policy})")
    if rules:
        lines += ["", "Rules:", *rules]
    share = profile.thresholds.review_share
    lines += ["", f"A person decides when more than {share:.0%} of the rows are rejected."]
    if profile.structure.off:
        lines.append(f"Switched off: {', '.join(profile.structure.off)}.")
    return "\n".join(lines) + "\n"
