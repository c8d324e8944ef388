"""Recurrence and Sliding window: when a scheduled flow is due next.

Pure: moments in, moments out. Sources: Azure Logic Apps, 'Schedules for recurring triggers'
(start times, schedules, daylight saving) and 'Sliding Window trigger' (missed windows are caught
up); power-automate-limits.md (60 s to 500 days).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

from babel.core import get_global

SHORTEST_SECONDS = 60
LONGEST_SECONDS = 500 * 86_400
_WEEK_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_SECONDS = {"second": 1, "minute": 60, "hour": 3600, "day": 86_400, "week": 604_800}
_MONTH_SECONDS = 28 * 86_400
_SEARCHED_DAYS = 500


class RecurrenceInvalid(ValueError):
    """A recurrence that cannot be followed; the message says which part."""


@dataclass(frozen=True, slots=True)
class Recurrence:
    """A checked recurrence.

    ``start`` is the moment from which intervals count, ``zone`` the time zone of ``start`` and of
    the schedule; ``hours``, ``minutes``, ``week_days`` (0 is Monday) and ``month_days`` are empty
    where the schedule does not name them.
    """

    frequency: str
    interval: int
    zone: tzinfo
    start: datetime | None
    hours: tuple[int, ...] = ()
    minutes: tuple[int, ...] = ()
    week_days: tuple[int, ...] = ()
    month_days: tuple[int, ...] = ()

    @classmethod
    def of(cls, declared: Mapping[str, Any] | None) -> Recurrence:
        """:raises RecurrenceInvalid: when a part is missing, unknown or out of its bounds."""
        if not isinstance(declared, Mapping):
            raise RecurrenceInvalid("the trigger has no recurrence")
        frequency = str(declared.get("frequency") or "").lower()
        interval = declared.get("interval", 1)
        if frequency not in (*_SECONDS, "month"):
            raise RecurrenceInvalid(f"frequency '{declared.get('frequency')}' is unknown")
        if not isinstance(interval, int) or isinstance(interval, bool) or interval < 1:
            raise RecurrenceInvalid(f"interval {interval!r} is no whole number from 1")
        seconds = interval * _SECONDS.get(frequency, _MONTH_SECONDS)
        if not SHORTEST_SECONDS <= seconds <= LONGEST_SECONDS:
            raise RecurrenceInvalid(f"every {interval} {frequency} is not within 60 s to 500 days")
        zone = _zone(declared.get("timeZone"))
        schedule = declared.get("schedule") or {}
        return cls(
            frequency,
            interval,
            zone,
            _start(declared.get("startTime"), zone),
            _numbers(schedule, "hours", 23),
            _numbers(schedule, "minutes", 59),
            _days(schedule.get("weekDays")),
            _numbers(schedule, "monthDays", 31),
        )

    def after(self, moment: float, origin: float) -> float:
        """The first due moment later than ``moment`` (epoch seconds).

        ``origin`` is when the flow was switched on: without a start time, intervals count from it.
        :raises RecurrenceInvalid: when the schedule is never met.
        """
        if self.hours or self.minutes or self.week_days or self.month_days:
            return self._scheduled_after(moment, origin)
        first = self._first(origin)
        if first > moment:
            return first
        if self.frequency in ("month", "week", "day"):
            return self._calendar_after(moment, first)
        seconds = self.interval * _SECONDS[self.frequency]
        return first + (int((moment - first) // seconds) + 1) * seconds

    def _first(self, origin: float) -> float:
        return origin if self.start is None else self.start.timestamp()

    def _calendar_after(self, moment: float, first: float) -> float:
        """Days, weeks and months keep the time of the day in their zone across daylight saving."""
        local = datetime.fromtimestamp(first, self.zone)
        days = {"day": 1, "week": 7, "month": 28}[self.frequency] * self.interval
        count = max(0, int((moment - first) // (days * 86_400)) - 1)
        if self.frequency == "month":
            count = 0
        while True:
            due = self._step(local, count).timestamp()
            if due > moment:
                return due
            count += 1

    def _step(self, local: datetime, count: int) -> datetime:
        if self.frequency == "month":
            months = local.month - 1 + count * self.interval
            year, month = local.year + months // 12, months % 12 + 1
            return local.replace(year=year, month=month, day=min(local.day, _length(year, month)))
        days = (7 if self.frequency == "week" else 1) * count * self.interval
        naive = local.replace(tzinfo=None) + timedelta(days=days)
        return naive.replace(tzinfo=self.zone)

    def _scheduled_after(self, moment: float, origin: float) -> float:
        first = self._first(origin)
        start = datetime.fromtimestamp(max(moment, first), self.zone)
        counted = datetime.fromtimestamp(first, self.zone)
        for ahead in range(_SEARCHED_DAYS + self.interval * 31):
            day = start.replace(tzinfo=None) + timedelta(days=ahead)
            if not self._on(day, counted.replace(tzinfo=None)):
                continue
            for due in self._times(day, counted):
                stamp = due.timestamp()
                if stamp > moment and stamp >= first:
                    return stamp
        raise RecurrenceInvalid("the schedule names no moment that ever comes")

    def _on(self, day: datetime, counted: datetime) -> bool:
        if self.week_days and day.weekday() not in self.week_days:
            return False
        if self.month_days and day.day not in self.month_days:
            return False
        if self.frequency == "week":
            monday = counted.date() - timedelta(days=counted.weekday())
            weeks = ((day.date() - monday).days // 7) % self.interval
            return weeks == 0 and (bool(self.week_days) or day.weekday() == counted.weekday())
        if self.frequency == "month":
            months = (day.year - counted.year) * 12 + day.month - counted.month
            return months % self.interval == 0 and (bool(self.month_days) or day.day == counted.day)
        return (day.date() - counted.date()).days % self.interval == 0

    def _times(self, day: datetime, counted: datetime) -> Iterator[datetime]:
        for hour in self.hours or (counted.hour,):
            for minute in self.minutes or ((0,) if self.hours else (counted.minute,)):
                yield day.replace(
                    hour=hour, minute=minute, second=0, microsecond=0, tzinfo=self.zone
                )


def window(due: float, previous: float) -> dict[str, str]:
    """What a Sliding window trigger gives of one window: its start and end."""
    return {"windowStartTime": _text(previous), "windowEndTime": _text(due)}


def _text(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _zone(name: Any) -> tzinfo:
    if not name:
        return UTC
    windows: Mapping[str, str] = get_global("windows_zone_mapping")
    try:
        return ZoneInfo(windows.get(str(name), str(name)))
    except (KeyError, ValueError) as error:
        raise RecurrenceInvalid(f"time zone '{name}' is unknown") from error


def _start(text: Any, zone: tzinfo) -> datetime | None:
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(str(text))
    except ValueError as error:
        raise RecurrenceInvalid(f"startTime '{text}' is no moment") from error
    return moment if moment.tzinfo else moment.replace(tzinfo=zone)


def _numbers(schedule: Mapping[str, Any], key: str, highest: int) -> tuple[int, ...]:
    values = schedule.get(key) or ()
    try:
        numbers = tuple(sorted({int(each) for each in values}))
    except (TypeError, ValueError) as error:
        raise RecurrenceInvalid(f"schedule.{key} must be whole numbers") from error
    if any(not 0 <= each <= highest for each in numbers):
        raise RecurrenceInvalid(f"schedule.{key} must be from 0 to {highest}")
    return numbers


def _days(names: Any) -> tuple[int, ...]:
    try:
        return tuple(sorted(_WEEK_DAYS.index(str(each).lower()) for each in names or ()))
    except ValueError as error:
        raise RecurrenceInvalid(f"schedule.weekDays: {error}") from error


def _length(year: int, month: int) -> int:
    following = datetime(year + month // 12, month % 12 + 1, 1, tzinfo=UTC)
    return (following - timedelta(days=1)).day
