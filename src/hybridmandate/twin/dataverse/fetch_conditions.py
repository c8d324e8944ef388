"""FetchXML's condition operators as SQL.

Moments are compared in UTC, as the stand-in has no users with time zones.
Source: learn.microsoft.com/power-apps/developer/data-platform/fetchxml/reference/operators.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, and_, not_, or_

from hybridmandate.twin.dataverse.errors import DataverseError, unsupported
from hybridmandate.twin.dataverse.fetch_xml import invalid
from hybridmandate.twin.dataverse.filter_expression import MAX_INTEGER
from hybridmandate.twin.dataverse.table import ColumnDefinition

Made = ColumnElement[bool]
_COMPARE: Mapping[str, Callable[[Any, Any], Made]] = {
    "eq": lambda a, b: a == b,
    "ne": lambda a, b: or_(a != b, a.is_(None)),
    "neq": lambda a, b: or_(a != b, a.is_(None)),
    "gt": lambda a, b: a > b,
    "ge": lambda a, b: a >= b,
    "lt": lambda a, b: a < b,
    "le": lambda a, b: a <= b,
}
_PATTERNS: Mapping[str, str] = {
    "like": "{}",
    "begins-with": "{}%",
    "ends-with": "%{}",
}
_NEGATED = {
    "not-like": "like",
    "not-begin-with": "begins-with",
    "not-end-with": "ends-with",
    "not-in": "in",
    "not-between": "between",
    "not-null": "null",
}
_UNITS = {"minutes": timedelta(minutes=1), "hours": timedelta(hours=1), "days": timedelta(days=1),
          "weeks": timedelta(weeks=1)}  # fmt: skip
MAX_SPAN = 36_500


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What conditions are relative to: the moment (UTC) and the user."""

    now: datetime
    user_id: str


def condition_sql(
    operator: str,
    sql: Any,
    column: ColumnDefinition,
    values: Sequence[str],
    at: Circumstances,
) -> Made:
    """One condition. :raises DataverseError: 400 for its values, 501 for an unknown operator."""
    if operator in _NEGATED:
        inside = condition_sql(_NEGATED[operator], sql, column, values, at)
        return inside_out(operator, sql, inside)
    if operator == "null":
        return _made(sql.is_(None))
    if operator in _COMPARE:
        return _COMPARE[operator](sql, _value(column, _one(operator, values)))
    if operator in _PATTERNS:
        return _made(sql.ilike(_PATTERNS[operator].format(_one(operator, values))))
    if operator == "in":
        return _made(sql.in_([_value(column, each) for each in values]))
    if operator == "between":
        low, high = _two(values)
        return _made(sql.between(_value(column, low), _value(column, high)))
    if operator in ("eq-userid", "ne-userid"):
        same = sql == at.user_id
        return _made(same) if operator == "eq-userid" else or_(not_(same), sql.is_(None))
    return _in_time(operator, sql, column, values, at)


def inside_out(operator: str, sql: Any, inside: Made) -> Made:
    """The negation; rows without a value are outside of everything, except for null itself."""
    negated = not_(inside)
    return negated if operator == "not-null" else or_(negated, sql.is_(None))


def _in_time(
    operator: str, sql: Any, column: ColumnDefinition, values: Sequence[str], at: Circumstances
) -> Made:
    if column.type not in ("date", "datetime"):
        raise unsupported(f"the FetchXML operator '{operator}' for the type {column.type}")
    if operator in ("on", "on-or-before", "on-or-after"):
        first = _day(_one(operator, values))
        after = first + timedelta(days=1)
        return _span(
            sql,
            column,
            None if operator == "on-or-before" else first,
            None if operator == "on-or-after" else after,
        )
    span = _named_span(operator, at.now) or _counted_span(operator, values, at.now)
    if span is None:
        raise unsupported(f"the FetchXML operator '{operator}'")
    return _span(sql, column, *span)


Span = tuple[datetime | None, datetime | None]


def _named_span(operator: str, now: datetime) -> Span | None:
    """Spans with a name, from their first moment to the moment after their last."""
    today = now.replace(hour=0, minute=0, second=0, microsecond=0)
    day = timedelta(days=1)
    month = today.replace(day=1)
    year = month.replace(month=1)
    week = today - day * ((today.weekday() + 1) % 7)
    spans: Mapping[str, Span] = {
        "today": (today, today + day),
        "yesterday": (today - day, today),
        "tomorrow": (today + day, today + day * 2),
        "last-seven-days": (today - day * 7, today),
        "next-seven-days": (today + day, today + day * 8),
        "this-week": (week, week + day * 7),
        "last-week": (week - day * 7, week),
        "next-week": (week + day * 7, week + day * 14),
        "this-month": (month, _months(month, 1)),
        "last-month": (_months(month, -1), month),
        "next-month": (_months(month, 1), _months(month, 2)),
        "this-year": (year, _months(year, 12)),
        "last-year": (_months(year, -12), year),
        "next-year": (_months(year, 12), _months(year, 24)),
    }
    return spans.get(operator)


def _counted_span(operator: str, values: Sequence[str], now: datetime) -> Span | None:
    """`last-x-days`, `next-x-hours`, `older-than-x-months` and their like."""
    for prefix in ("last-x-", "next-x-", "olderthan-x-", "older-than-x-"):
        if not operator.startswith(prefix):
            continue
        unit = operator.removeprefix(prefix)
        number = _count(_one(operator, values))
        if unit not in (*_UNITS, "months", "years"):
            return None
        sign = 1 if prefix == "next-x-" else -1
        edge = _shifted(now, unit, sign * number)
        if prefix == "last-x-":
            return edge, now
        return (now, edge) if prefix == "next-x-" else (None, edge)
    return None


def _shifted(now: datetime, unit: str, number: int) -> datetime:
    try:
        if unit in _UNITS:
            return now + _UNITS[unit] * number
        return _months(now, number * (12 if unit == "years" else 1))
    except (OverflowError, ValueError):
        raise invalid(f"{number} {unit} reach beyond the calendar") from None


def _months(moment: datetime, number: int) -> datetime:
    months = moment.year * 12 + moment.month - 1 + number
    year, month = divmod(months, 12)
    following = date(year + (month == 11), (month + 1) % 12 + 1, 1)
    last = (following - timedelta(days=1)).day
    return moment.replace(year=year, month=month + 1, day=min(moment.day, last))


def _span(
    sql: Any, column: ColumnDefinition, first: datetime | None, after: datetime | None
) -> Made:
    shape = "%Y-%m-%d" if column.type == "date" else "%Y-%m-%dT%H:%M:%SZ"
    parts = []
    if first is not None:
        parts.append(sql >= first.strftime(shape))
    if after is not None:
        # A date stands for its whole day: the day of the last moment is within the span.
        edge = after + timedelta(days=1, microseconds=-1) if column.type == "date" else after
        parts.append(sql < edge.strftime(shape))
    return and_(*parts)


def _value(column: ColumnDefinition, text: str) -> Any:
    """A value in stored form. :raises DataverseError: 400 when it does not fit the column."""
    try:
        if column.type in ("integer", "choice"):
            return _bounded(int(text))
        if column.type in ("decimal", "money"):
            return _bounded(float(text))
        if column.type == "boolean":
            return {"1": True, "true": True, "0": False, "false": False}[text.lower()]
        if column.type == "date":
            return text[:10] if date.fromisoformat(text[:10]) else text
        if column.type == "datetime":
            return _moment(text).strftime("%Y-%m-%dT%H:%M:%SZ")
        if column.type in ("guid", "lookup"):
            return text.strip("{}").lower()
    except (ValueError, KeyError, OverflowError):
        raise DataverseError(
            400,
            "0x80040203",
            f"The value '{text}' does not fit the attribute '{column.name}' of type {column.type}.",
        ) from None
    return text


def _bounded(number: float) -> float:
    """The number. :raises ValueError: when SQL has none of its size."""
    if not abs(number) <= MAX_INTEGER:
        raise ValueError("too large")
    return number


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment.replace(tzinfo=moment.tzinfo or UTC).astimezone(UTC)


def _day(text: str) -> datetime:
    try:
        return _moment(text).replace(hour=0, minute=0, second=0, microsecond=0)
    except (ValueError, OverflowError):
        raise invalid(f"'{text}' is no date") from None


def _count(text: str) -> int:
    if re.fullmatch(r"[0-9]{1,9}", text) is None or not 0 < int(text) <= MAX_SPAN:
        raise invalid(f"'{text}' is no number from 1 to {MAX_SPAN}")
    return int(text)


def _one(operator: str, values: Sequence[str]) -> str:
    if len(values) != 1:
        raise invalid(f"the operator '{operator}' takes one value")
    return values[0]


def _two(values: Sequence[str]) -> tuple[str, str]:
    if len(values) != 2:
        raise invalid("the operator 'between' takes two values")
    return values[0], values[1]


def _made(condition: Any) -> Made:
    made: Made = condition
    return made
