"""Recurring events: on which days a series of Graph takes place.

Patterns are daily, weekly, absoluteMonthly and absoluteYearly. A day that a month does not have is
its last one. The time of day is kept in the zone of the series, also when the clocks change. Pure.
Sources: learn.microsoft.com/graph/api/resources/recurrencepattern and recurrencerange.
"""

from __future__ import annotations

import calendar
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
PATTERNS = ("daily", "weekly", "absoluteMonthly", "absoluteYearly")
_YEARS = (1601, 4500)
"""The years of Exchange's calendars."""
MAX_DAYS = 20_000
"""How many days of a series are looked at: a daily one of more than 50 years."""


class SeriesInvalid(ValueError):
    """A recurrence that cannot be read; the message says why."""


class PatternUnknown(ValueError):
    """A pattern that is not here."""


@dataclass(frozen=True, slots=True)
class Series:
    """``days`` gives the days without an end, ``first`` is the start of the first event."""

    first: datetime
    days: Callable[[], Iterator[date]]
    last_day: date | None
    most: int

    def starts(self, before: float) -> Iterator[tuple[date, float]]:
        """The days and the starts (epoch seconds) of the events that begin before a moment."""
        for number, day in enumerate(self.days()):
            start = datetime.combine(day, self.first.timetz()).timestamp()
            over = self.last_day is not None and day > self.last_day
            if over or number >= self.most or start >= before:
                return
            yield day, start


def series(recurrence: Mapping[str, Any], first: datetime, zone: ZoneInfo) -> Series:
    """The series of an event that begins at ``first``, in a zone.

    :raises SeriesInvalid: when pattern or range cannot be read.
    :raises PatternUnknown: for a pattern that is not here.
    """
    pattern, reach = _part(recurrence, "pattern"), _part(recurrence, "range")
    local = first.astimezone(zone)
    begin = _day(reach, "startDate") if "startDate" in reach else local.date()
    kind = str(reach.get("type") or "")
    if kind not in ("endDate", "noEnd", "numbered"):
        raise SeriesInvalid("range.type is endDate, noEnd or numbered")
    return Series(
        first=local,
        days=_days(pattern, begin),
        last_day=_day(reach, "endDate") if kind == "endDate" else None,
        most=_number(reach, "numberOfOccurrences", 999) if kind == "numbered" else MAX_DAYS,
    )


def _days(pattern: Mapping[str, Any], begin: date) -> Callable[[], Iterator[date]]:
    kind = str(pattern.get("type") or "")
    step = _number(pattern, "interval", 999)
    if kind == "daily":
        return lambda: _every(begin, step)
    if kind == "weekly":
        wanted, week = _weekdays(pattern), _week_start(pattern)
        return lambda: _weekly(begin, step, wanted, week)
    if kind == "absoluteMonthly":
        day = _number(pattern, "dayOfMonth", 31)
        return lambda: _monthly(begin, step, day)
    if kind == "absoluteYearly":
        day, month = _number(pattern, "dayOfMonth", 31), _number(pattern, "month", 12)
        from_month = begin.replace(month=month, day=1)
        return lambda: (each for each in _monthly(from_month, 12 * step, day) if each >= begin)
    if kind in ("relativeMonthly", "relativeYearly"):
        raise PatternUnknown(f"recurrence pattern '{kind}'")
    raise SeriesInvalid(f"pattern.type is one of {', '.join(PATTERNS)}")


def _every(begin: date, step: int) -> Iterator[date]:
    for number in range(MAX_DAYS):
        try:
            yield begin + timedelta(days=number * step)
        except OverflowError:
            return


def _weekly(begin: date, step: int, wanted: frozenset[int], week: int) -> Iterator[date]:
    monday = begin - timedelta(days=(begin.weekday() - week) % 7)
    for day in _every(monday, 1):
        weeks = (day - monday).days // 7
        if day >= begin and weeks % step == 0 and day.weekday() in wanted:
            yield day


def _monthly(begin: date, step: int, wanted: int) -> Iterator[date]:
    for number in range(0, MAX_DAYS, step):
        year, month = divmod(begin.year * 12 + begin.month - 1 + number, 12)
        if year > date.max.year:
            return
        day = date(year, month + 1, min(wanted, calendar.monthrange(year, month + 1)[1]))
        if day >= begin:
            yield day


def _weekdays(pattern: Mapping[str, Any]) -> frozenset[int]:
    given = pattern.get("daysOfWeek")
    names = [str(each).lower() for each in given] if isinstance(given, list) else []
    if not names or any(each not in DAYS for each in names):
        raise SeriesInvalid("pattern.daysOfWeek names days of the week")
    return frozenset(DAYS.index(each) for each in names)


def _week_start(pattern: Mapping[str, Any]) -> int:
    name = str(pattern.get("firstDayOfWeek") or "sunday").lower()
    if name not in DAYS:
        raise SeriesInvalid("pattern.firstDayOfWeek is a day of the week")
    return DAYS.index(name)


def _part(recurrence: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = recurrence.get(name)
    if not isinstance(found, Mapping):
        raise SeriesInvalid(f"recurrence.{name} is required")
    return found


def _number(part: Mapping[str, Any], name: str, most: int) -> int:
    value = part.get(name)
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most:
        raise SeriesInvalid(f"{name} is a whole number from 1 to {most}")
    return value


def _day(part: Mapping[str, Any], name: str) -> date:
    try:
        day = date.fromisoformat(str(part.get(name)))
    except ValueError:
        raise SeriesInvalid(f"range.{name} is a date") from None
    if not _YEARS[0] <= day.year <= _YEARS[1]:
        raise SeriesInvalid(f"range.{name} is in the years from {_YEARS[0]} to {_YEARS[1]}")
    return day
