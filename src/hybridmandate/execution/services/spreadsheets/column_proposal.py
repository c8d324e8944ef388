"""What a column of texts may be, for a draft of a profile: lines of TOML that a person checks.

A type is proposed where nine tenths of the cells agree; what two forms explain equally is said in a
remark.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

import polars as pl

from hybridmandate.execution.services.spreadsheets.identifiers import parsed_identifier
from hybridmandate.execution.services.spreadsheets.plain_columns import likely_notation
from hybridmandate.execution.services.spreadsheets.profile_formats import DateFormat, NumberFormat

MOSTLY = 0.9
MAX_ENUM = 8
USUAL_SCALE = 2
"""Decimals of a number where a profile says nothing."""
_MOST_SCALE = 10
_DAYS = (
    *("YYYY-MM-DD", "DD.MM.YYYY", "DD/MM/YYYY", "MM/DD/YYYY", "DD-MM-YYYY", "YYYY/MM/DD"),
    *("YYYY.MM.DD", "DD.MM.YY"),
)
_TIMES = ("hh:mm:ss", "hh:mm")
_DATES = {form: DateFormat.parse(form).pattern for form in _DAYS}
_MOMENTS = {
    f"{day}{between}{time}": DateFormat.parse(f"{day}{between}{time}").pattern
    for day in _DAYS
    for between in (" ", "T")
    for time in (*_TIMES, *(f"{each}ZZ" for each in _TIMES))
    if between == " " or day == _DAYS[0]
}
_WHICH_IS_THE_MONTH = "# Day and month cannot be told apart in this file: MM/DD/YYYY fits as well."
_INTEGER = re.compile(r"[+-]?\d{1,15}")
_LEADING_ZERO = re.compile(r"0\d+")
_CURRENCY = re.compile(
    r"([A-Z]{3}|[€$£¥])[ \u00a0]?(?=[-+(\d])|(?<=[\d)-])[ \u00a0]?([A-Z]{3}|[€$£¥])"
)
_WORDS = (
    *(("true", "false"), ("yes", "no"), ("y", "n"), ("ja", "nein"), ("oui", "non"), ("si", "no")),
    ("sì", "no"),
)
_IDENTIFIERS = {
    "email": re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+"),
    "iban": re.compile(r"[A-Z]{2}\d{2}[A-Z0-9 ]{11,40}"),
}
_MOST_PARSED = 500
_WITH_GROUPS = {"1234.56": "1,234.56", "1234,56": "1.234,56"}
"""Notations that know groups as well: larger numbers will come."""


def proposed_type(texts: Sequence[str]) -> list[str]:
    """The type of filled cells and what belongs to it."""
    if not texts:
        return ['type = "text"']
    for propose in (_date, _moment, _truth, _number, _money, _identifier, _words):
        lines = propose(texts)
        if lines:
            return lines
    return ['type = "text"', f"max_length = {max(20, 2 * max(map(len, texts)))}"]


def quoted(text: str) -> str:
    """A text as TOML writes it."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(c if c.isprintable() else " " for c in escaped) + '"'


def _agree(texts: Sequence[str], pattern: str | re.Pattern[str]) -> bool:
    form = re.compile(pattern)
    return sum(form.fullmatch(text) is not None for text in texts) >= MOSTLY * len(texts)


def _date(texts: Sequence[str]) -> list[str]:
    forms = [form for form, pattern in _DATES.items() if _agree(texts, pattern)]
    if not forms:
        return []
    form = max(forms, key=lambda each: (_days(texts, each), -forms.index(each)))
    lines = ['type = "date"', f"formats = [{quoted(form)}]"]
    american = "MM/DD/YYYY"
    if form == "DD/MM/YYYY" and _days(texts, american) == _days(texts, form):
        return [_WHICH_IS_THE_MONTH, *lines]
    return lines


def _days(texts: Sequence[str], form: str) -> int:
    """How many of the texts are days of the calendar in a form."""
    cells = pl.Series(texts, dtype=pl.String)
    return (
        cells.len() - cells.str.to_date(DateFormat.parse(form).strptime, strict=False).null_count()
    )


def _moment(texts: Sequence[str]) -> list[str]:
    form = next((f for f, pattern in _MOMENTS.items() if _agree(texts, pattern)), None)
    if form is None:
        return []
    zone = [] if form.endswith("ZZ") else ['time_zone = "UTC"']
    return ['type = "datetime"', f"formats = [{quoted(form)}]", *zone]


def _truth(texts: Sequence[str]) -> list[str]:
    found = {text.lower() for text in texts}
    pair = next((each for each in _WORDS if found == set(each)), None)
    if pair is None:
        return []
    yes, no = map(quoted, pair)
    return ['type = "boolean"', f"true_words = [{yes}]", f"false_words = [{no}]"]


def _number(texts: Sequence[str]) -> list[str]:
    if any(_LEADING_ZERO.fullmatch(text) for text in texts):
        return []
    if _agree(texts, _INTEGER):
        return ['type = "integer"']
    notation = likely_notation(pl.Series(texts, dtype=pl.String))
    notation = _WITH_GROUPS.get(notation or "", notation)
    if notation is None or not _agree(texts, NumberFormat.parse(notation).pattern):
        return []
    lines = ['type = "decimal"', f"number_format = {quoted(notation)}"]
    scale = _scale(texts, NumberFormat.parse(notation))
    return [*lines, f"scale = {scale}"] if scale > USUAL_SCALE else lines


def _scale(texts: Sequence[str], notation: NumberFormat) -> int:
    written = [t for t in texts if re.fullmatch(notation.pattern, t)]
    decimals = [
        len(t.rstrip("-)").rpartition(notation.point)[2]) for t in written if notation.point in t
    ]
    return min(_MOST_SCALE, max(decimals, default=0))


def _money(texts: Sequence[str]) -> list[str]:
    found = [_CURRENCY.search(text) for text in texts]
    named = Counter(match[1] or match[2] for match in found if match is not None)
    if named.total() < MOSTLY * len(texts):
        return []
    lines = _number([_CURRENCY.sub("", text) for text in texts])
    if not lines:
        return []
    words = ", ".join(quoted(each) for each in sorted(named))
    about = [each for each in lines if not each.startswith("type")]
    return ['type = "money"', f"currencies = [{words}]", *about]


def _identifier(texts: Sequence[str]) -> list[str]:
    for kind, form in _IDENTIFIERS.items():
        some = texts[:_MOST_PARSED]
        if not _agree(some, form):
            continue
        known = parsed_identifier(kind, pl.Series(some, dtype=pl.String))
        if known.len() - known.null_count() >= MOSTLY * len(some):
            return [f'type = "{kind}"']
    return []


def _words(texts: Sequence[str]) -> list[str]:
    words = Counter(texts)
    if len(words) > MAX_ENUM or len(texts) < 5 * len(words):
        return []
    return ['type = "enum"', f"values = [{', '.join(map(quoted, sorted(words)))}]"]
