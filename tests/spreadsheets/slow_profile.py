"""An independent, slow reading of a table by any profile: row by row, with the libraries of types.

It shares no code with the product; the tests compare rejected lines and reasons. It knows types,
rules of rows and of the file, references, duplicates in the file and against what was committed,
and no structure rule.
"""

from __future__ import annotations

import csv
import importlib
import io
import re
import tomllib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from email_validator import EmailNotValidError, validate_email
from slow_rules import broken_file_rules, rule_field, rule_is_broken

Reason = tuple[int, str, str]
Value = str | int | Decimal | date | datetime | bool | None
_PARTS = {"YYYY": r"(?P<Y>\d{4})", "YY": r"(?P<y>\d\d)", "MM": r"(?P<M>\d\d)", "DD": r"(?P<D>\d\d)",
          "hh": r"(?P<h>\d\d)", "mm": r"(?P<m>\d\d)", "ss": r"(?P<s>\d\d)",
          "ZZ": r"(?P<Z>Z|[+-]\d\d:\d\d)"}  # fmt: skip


class Wrong(Exception):
    """A cell that its type refuses; the argument is the reason code."""


@dataclass(frozen=True)
class Cell:
    """A cell; ``kind`` is text, number, date, boolean, error or uncalculated."""

    text: str
    kind: str = "text"


@dataclass
class Reading:
    """What a table became: reasons of severity error and warning, and broken file rules."""

    errors: set[Reason] = field(default_factory=set)
    warnings: set[Reason] = field(default_factory=set)
    file_rules: set[str] = field(default_factory=set)
    rows: int = 0


Views = Mapping[str, Sequence[Mapping[str, str]]]


def rejected(content: str, profile: str) -> set[Reason]:
    """(line, field, code) for every broken rule of severity error; records stay on their line."""
    return read_csv(content, profile).errors


def read_csv(content: str, profile: str, views: Views | None = None) -> Reading:
    """The reading of a CSV text whose records stay on their line."""
    rows = enumerate(csv.DictReader(io.StringIO(content)), start=2)
    cells = ((line, {n: Cell(t or "") for n, t in row.items()}) for line, row in rows)
    return read_rows(cells, profile, views or {})


def read_rows(
    rows: Iterable[tuple[int, Mapping[str, Cell]]], profile: str, views: Views
) -> Reading:
    """The reading of rows of cells by heading, each with its line."""
    declared = tomllib.loads(profile)
    columns: dict[str, dict[str, Any]] = declared["columns"]
    duplicates = declared.get("duplicates")
    found: set[Reason] = set()
    keys: dict[int, tuple[Value, ...]] = {}
    table: list[dict[str, Value]] = []
    for line, row in rows:
        values: dict[str, Value] = {}
        for name, column in columns.items():
            values[name], codes = _judged(row[name], column)
            codes |= _not_referenced(values[name], column, views)
            found |= {(line, name, code) for code in codes}
        for rule in declared.get("rules", []):
            if rule_is_broken(rule, values):
                found.add((line, rule_field(rule, list(columns)), f"rule.{rule['code']}"))
        if duplicates and all(values[name] is not None for name in duplicates["key"]):
            keys[line] = tuple(values[name] for name in duplicates["key"])
        table.append(values)
    found |= _repeated(keys, duplicates) | _committed(keys, duplicates, views)
    soft = {
        code for code, severity in declared.get("severities", {}).items() if severity != "error"
    }
    soft |= {
        f"rule.{rule['code']}"
        for rule in declared.get("rules", [])
        if rule.get("severity") == "warning"
    }
    warnings = {r for r in found if r[2] in soft or f"{r[1]}:{r[2]}" in soft}
    broken = broken_file_rules(declared.get("file_rules", []), table)
    return Reading(found - warnings, warnings, broken, len(table))


def _not_referenced(value: Value, column: dict[str, Any], views: Views) -> set[str]:
    reference = column.get("reference")
    if reference is None or value is None:
        return set()
    known = {row[reference["column"]] for row in views[reference["view"]]}
    return set() if str(value) in known else {"reference"}


def _committed(
    keys: dict[int, tuple[Value, ...]], duplicates: dict[str, Any] | None, views: Views
) -> set[Reason]:
    committed = (duplicates or {}).get("committed")
    if duplicates is None or committed is None:
        return set()
    known = {tuple(row[name] for name in committed["columns"]) for row in views[committed["view"]]}
    field = duplicates["key"][-1]
    return {
        (line, field, "duplicate.committed")
        for line, key in keys.items()
        if tuple(map(str, key)) in known
    }


def _repeated(keys: dict[int, tuple[Value, ...]], duplicates: dict[str, Any] | None) -> set[Reason]:
    if duplicates is None:
        return set()
    counts = Counter(keys.values())
    lines: dict[tuple[Value, ...], list[int]] = {}
    for line, key in keys.items():
        lines.setdefault(key, []).append(line)
    kept = {"reject_all": [], "keep_first": [0], "keep_last": [-1]}
    spared = {
        lines[key][place]
        for key in counts
        for place in kept[duplicates.get("policy", "reject_all")]
    }
    field = duplicates["key"][-1]
    return {
        (line, field, "duplicate")
        for line, key in keys.items()
        if counts[key] > 1 and line not in spared
    }


def _judged(cell: Cell, column: dict[str, Any]) -> tuple[Value, set[str]]:
    if cell.kind in ("error", "uncalculated"):
        return None, {f"cell.{cell.kind}"}
    text = cell.text.strip()
    if cell.kind == "number":
        # A workbook's own number is no text in the declared notation.
        column = {**column, "number_format": "1234.56"}
    elif cell.kind == "date":
        column = {**column, "formats": ["YYYY-MM-DD", "YYYY-MM-DDThh:mm:ss"]}
    if not text:
        return None, {"required"} if column.get("required") else set()
    try:
        value = _READERS.get(column["type"], _identifier)(text, column)
    except Wrong as wrong:
        return None, {str(wrong)}
    codes = set()
    if column["type"] == "text":
        if len(text) < column.get("min_length", 0):
            codes.add("length.short")
        if len(text) > column.get("max_length", len(text)):
            codes.add("length.long")
    read = {"date": date.fromisoformat, "integer": int}.get(column["type"], Decimal)
    if "minimum" in column and value < read(column["minimum"]):  # type: ignore[operator]
        codes.add("range.minimum")
    if "maximum" in column and value > read(column["maximum"]):  # type: ignore[operator]
        codes.add("range.maximum")
    if "pattern" in column and not re.fullmatch(column["pattern"], str(value)):
        codes.add("pattern")
    return value, codes


def _clock(text: str, form: str) -> tuple[datetime, str | None] | None:
    expression = "".join(
        _PARTS.get(piece, re.escape(piece))
        for piece in re.findall("YYYY|YY|MM|DD|hh|mm|ss|ZZ|.", form)
    )
    match = re.fullmatch(expression, text, re.ASCII)
    if match is None:
        return None
    part = {name: value for name, value in match.groupdict().items() if value is not None}
    if "y" in part:
        part["Y"] = ("19" if part["y"] >= "70" else "20") + part["y"]
    numbers = [int(part.get(name, 0)) for name in "YMDhms"]
    try:
        return datetime(*numbers), part.get("Z")  # noqa: DTZ001 (its zone comes with the format)
    except ValueError:
        return None


def _date(text: str, column: dict[str, Any]) -> Value:
    for form in column.get("formats", ["YYYY-MM-DD"]):
        found = _clock(text, form)
        if found is not None:
            return found[0].date()
    raise Wrong("date.format")


def _datetime(text: str, column: dict[str, Any]) -> Value:
    for form in column.get("formats", ["YYYY-MM-DD"]):
        found = _clock(text, form)
        if found is None:
            continue
        local, offset = found
        if offset is not None:
            minutes = 0 if offset == "Z" else int(offset[1:3]) * 60 + int(offset[4:])
            away = timedelta(minutes=-minutes if offset.startswith("-") else minutes)
            return (local - away).replace(tzinfo=UTC)
        zone = ZoneInfo(column.get("time_zone", "UTC"))
        early, late = (local.replace(tzinfo=zone, fold=fold).utcoffset() for fold in (0, 1))
        if early != late:
            raise Wrong("datetime.zone")
        return local.replace(tzinfo=zone).astimezone(UTC)
    raise Wrong("datetime.format")


def _number(text: str, column: dict[str, Any], kind: str) -> Decimal:
    example = column.get("number_format", "1,234.56")
    negative = example.startswith("(") and re.fullmatch(r"\(([0-9].*)\)", text)
    negative = negative or (example.endswith("-") and re.fullmatch(r"([0-9].*)-", text))
    text, example = (f"-{negative[1]}" if negative else text), example.strip("()-")
    point, group = example[-3], example[1] if example[1] != "2" else ""
    whole, dot, fraction = text.lstrip("+-").partition(point)
    sign = text[: len(text) - len(text.lstrip("+-"))]
    grouped = rf"\d{{1,3}}({re.escape(group)}\d{{3}})+" if group else "(?!)"
    if (
        len(sign) > 1
        or not re.fullmatch(rf"\d+|{grouped}", whole, re.ASCII)
        or (dot and not re.fullmatch(r"\d+", fraction, re.ASCII))
    ):
        raise Wrong(f"{kind}.format")
    digits = whole.replace(group, "") if group else whole
    if len((digits + fraction).lstrip("0")) > 15 or len(fraction.rstrip("0")) > column.get(
        "scale", 2
    ):
        raise Wrong(f"{kind}.precision")
    return Decimal(f"{sign}{digits}.{fraction or 0}")


def _decimal(text: str, column: dict[str, Any]) -> Value:
    return _number(text, column, "decimal")


def _money(text: str, column: dict[str, Any]) -> Value:
    for word in sorted(column["currencies"], key=len, reverse=True):
        if text.startswith(word):
            return _number(text[len(word) :].removeprefix(" "), column, "money")
        if text.endswith(word):
            return _number(text[: -len(word)].removesuffix(" "), column, "money")
    return _number(text, column, "money")


def _integer(text: str, column: dict[str, Any]) -> Value:
    try:
        number = _number(text, {**column, "scale": 99}, "integer")
    except Wrong:
        raise Wrong("integer.format") from None
    if number != int(number):
        raise Wrong("integer.format")
    return int(number)


def _boolean(text: str, column: dict[str, Any]) -> Value:
    if text.lower() in ("true", "yes", "1", "x"):
        return True
    if text.lower() in ("false", "no", "0"):
        return False
    raise Wrong("boolean.word")


def _enum(text: str, column: dict[str, Any]) -> Value:
    for value in (*column["values"], *column.get("synonyms", {})):
        if text.lower() == value.lower():
            return str(column.get("synonyms", {}).get(value, value))
    raise Wrong("enum.value")


def _email(text: str, column: dict[str, Any]) -> Value:
    try:
        return validate_email(text, check_deliverability=False).normalized
    except EmailNotValidError:
        raise Wrong("email.format") from None


def _identifier(text: str, column: dict[str, Any]) -> Value:
    kind = column["type"]
    module = importlib.import_module(
        f"stdnum.{'eu.vat' if kind == 'vat' else column.get('standard', kind)}"
    )
    if not module.is_valid(text):
        raise Wrong(f"{kind}.format")
    return str(module.compact(text))


_READERS = {
    "text": lambda text, column: text,
    "date": _date,
    "datetime": _datetime,
    "decimal": _decimal,
    "money": _money,
    "integer": _integer,
    "boolean": _boolean,
    "enum": _enum,
    "email": _email,
}
