"""Points in time as .NET's ``DateTime`` has them: ticks of 100 ns, with or without being UTC."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple

from hybridmandate.orchestration.expressions.errors import FunctionFault

TICKS_PER_SECOND = 10_000_000
TICKS_PER_MINUTE = 60 * TICKS_PER_SECOND
TICKS_PER_HOUR = 60 * TICKS_PER_MINUTE
TICKS_PER_DAY = 24 * TICKS_PER_HOUR
_EPOCH = datetime(1, 1, 1)  # noqa: DTZ001 - the origin of ticks has no zone
_LAST_TICK = (date.max.toordinal()) * TICKS_PER_DAY - 1

UNIT_TICKS = {
    "second": TICKS_PER_SECOND,
    "minute": TICKS_PER_MINUTE,
    "hour": TICKS_PER_HOUR,
    "day": TICKS_PER_DAY,
    "week": 7 * TICKS_PER_DAY,
}
UNIT_MONTHS = {"month": 1, "year": 12}


class Instant(NamedTuple):
    """``ticks`` since 0001-01-01T00:00:00, within the years 1 to 9999; ``utc`` says that the text
    ended in ``Z`` (or had an offset, which is applied). Without it the zone is unknown and no ``Z``
    is written."""

    ticks: int
    utc: bool = True

    @classmethod
    def of(cls, moment: datetime | Instant) -> Instant:
        """The instant of an aware datetime (microseconds become ticks)."""
        if isinstance(moment, Instant):
            return moment
        plain = moment.astimezone(UTC).replace(tzinfo=None)
        return cls(_ticks(plain))

    @classmethod
    def at(
        cls,
        year: int,
        month: int,
        day: int,
        *,
        ticks: int = 0,
        utc: bool = False,
    ) -> Instant:
        """A calendar day and ticks of that day.

        :raises FunctionFault: when there is no such day, or it ends after the year 9999.
        """
        try:
            ordinal = date(year, month, day).toordinal()
        except (ValueError, OverflowError) as wrong:
            raise FunctionFault(f"There is no day {year:04d}-{month:02d}-{day:02d}") from wrong
        # Fractions are rounded, so the last moment of the year 9999 may lie beyond it.
        return cls(_in_range((ordinal - 1) * TICKS_PER_DAY + ticks), utc)

    @property
    def moment(self) -> datetime:
        """The same as a naive datetime, cut to microseconds."""
        days, rest = divmod(self.ticks, TICKS_PER_DAY)
        return _EPOCH + timedelta(days, 0, rest // 10)

    @property
    def fraction(self) -> int:
        """Ticks within the second."""
        return self.ticks % TICKS_PER_SECOND

    def plus(self, ticks: int) -> Instant:
        """Later by a number of ticks. :raises FunctionFault: outside the years 1 to 9999."""
        return Instant(_in_range(self.ticks + ticks), self.utc)

    def as_wall_clock(self, ticks: int) -> Instant:
        """Later by a number of ticks, in a zone that is not UTC: no ``Z`` is written."""
        return Instant(_in_range(self.ticks + ticks), utc=False)

    def plus_months(self, months: int) -> Instant:
        """The same day of another month, or that month's last day (``DateTime.AddMonths``)."""
        moment = self.moment
        total = moment.year * 12 + moment.month - 1 + months
        year, month = divmod(total, 12)
        if not 1 <= year <= 9999:
            raise FunctionFault("The resulting date is outside the years 1 to 9999")
        day = min(moment.day, _days_in(year, month + 1))
        return Instant.at(year, month + 1, day, ticks=self.ticks % TICKS_PER_DAY, utc=self.utc)

    def plus_units(self, count: int, unit: str) -> Instant:
        """Later by second, minute, hour, day, week, month or year (any case).

        :raises FunctionFault: for another unit.
        """
        name = unit.lower()
        if name in UNIT_TICKS:
            return self.plus(count * UNIT_TICKS[name])
        if name in UNIT_MONTHS:
            return self.plus_months(count * UNIT_MONTHS[name])
        raise FunctionFault(
            "The time unit must be one of Second, Minute, Hour, Day, Week, Month, Year",
            argument=3,
            value=unit,
        )

    def start_of(self, ticks: int) -> Instant:
        """Rounded down to a multiple of ticks (a day, an hour)."""
        return Instant(self.ticks - self.ticks % ticks, self.utc)


def _in_range(ticks: int) -> int:
    if 0 <= ticks <= _LAST_TICK:
        return ticks
    raise FunctionFault("The resulting date is outside the years 1 to 9999")


def _days_in(year: int, month: int) -> int:
    if month == 12:
        return 31
    return (date(year, month + 1, 1) - date(year, month, 1)).days


def _ticks(moment: datetime) -> int:
    passed = moment - _EPOCH
    return (
        passed.days * TICKS_PER_DAY + passed.seconds * TICKS_PER_SECOND + passed.microseconds * 10
    )


def timespan_text(ticks: int) -> str:
    """A duration as .NET's constant format: ``[-][d.]hh:mm:ss[.fffffff]``."""
    sign, rest = ("-", -ticks) if ticks < 0 else ("", ticks)
    days, rest = divmod(rest, TICKS_PER_DAY)
    hours, rest = divmod(rest, TICKS_PER_HOUR)
    minutes, rest = divmod(rest, TICKS_PER_MINUTE)
    seconds, fraction = divmod(rest, TICKS_PER_SECOND)
    day_part = f"{days}." if days else ""
    fraction_part = f".{fraction:07d}" if fraction else ""
    return f"{sign}{day_part}{hours:02d}:{minutes:02d}:{seconds:02d}{fraction_part}"
