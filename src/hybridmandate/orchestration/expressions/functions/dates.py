"""Date and time functions. Timestamps are texts; results are in the format that is asked for,
``yyyy-MM-ddTHH:mm:ss.fffffffK`` when none is."""

from __future__ import annotations

from hybridmandate.orchestration.expressions.bounds import Frame
from hybridmandate.orchestration.expressions.dotnet.date_exact import parse_exact
from hybridmandate.orchestration.expressions.dotnet.date_format import ROUND_TRIP, format_date
from hybridmandate.orchestration.expressions.dotnet.date_parse import (
    day_of_year as day_of_year_of,
)
from hybridmandate.orchestration.expressions.dotnet.date_parse import parse_date
from hybridmandate.orchestration.expressions.dotnet.instants import (
    TICKS_PER_DAY,
    TICKS_PER_HOUR,
    Instant,
    timespan_text,
)
from hybridmandate.orchestration.expressions.registry import Family, optional, required
from hybridmandate.orchestration.expressions.values import INTEGER, TEXT

date_and_time = Family("Date and time")
TIMESTAMP = required("timestamp", TEXT)
FORMAT = optional("format", TEXT)


def now(frame: Frame) -> Instant:
    """The scope's moment."""
    return Instant.of(frame.scope.now())


def _added(unit: str, timestamp: str, count: int, pattern: str) -> str:
    return format_date(parse_date(timestamp).plus_units(count, unit), pattern, argument=3)


@date_and_time.function(
    "addSeconds",
    TIMESTAMP,
    required("seconds", INTEGER),
    FORMAT,
    example="addSeconds('2018-03-15T00:00:00Z', 10)",
    gives="2018-03-15T00:00:10.0000000Z",
)
def add_seconds(frame: Frame, timestamp: str, count: int, pattern: str = ROUND_TRIP) -> str:
    """A timestamp some seconds later, or earlier when negative."""
    return _added("second", timestamp, count, pattern)


@date_and_time.function(
    "addMinutes",
    TIMESTAMP,
    required("minutes", INTEGER),
    FORMAT,
    example="addMinutes('2018-03-15T00:20:00Z', -5)",
    gives="2018-03-15T00:15:00.0000000Z",
)
def add_minutes(frame: Frame, timestamp: str, count: int, pattern: str = ROUND_TRIP) -> str:
    """A timestamp some minutes later, or earlier when negative."""
    return _added("minute", timestamp, count, pattern)


@date_and_time.function(
    "addHours",
    TIMESTAMP,
    required("hours", INTEGER),
    FORMAT,
    example="addHours('2018-03-15T00:00:00Z', 10)",
    gives="2018-03-15T10:00:00.0000000Z",
)
def add_hours(frame: Frame, timestamp: str, count: int, pattern: str = ROUND_TRIP) -> str:
    """A timestamp some hours later, or earlier when negative."""
    return _added("hour", timestamp, count, pattern)


@date_and_time.function(
    "addDays",
    TIMESTAMP,
    required("days", INTEGER),
    FORMAT,
    example="addDays('2018-03-15T00:00:00Z', -5, 'yyyy-MM-dd')",
    gives="2018-03-10",
)
def add_days(frame: Frame, timestamp: str, count: int, pattern: str = ROUND_TRIP) -> str:
    """A timestamp some days later, or earlier when negative."""
    return _added("day", timestamp, count, pattern)


@date_and_time.function(
    "addToTime",
    TIMESTAMP,
    required("interval", INTEGER),
    required("timeUnit", TEXT),
    FORMAT,
    example="addToTime('2018-01-01T00:00:00Z', 1, 'Day', 'D')",
    gives="Tuesday, January 2, 2018",
)
def add_to_time(
    frame: Frame, timestamp: str, interval: int, unit: str, pattern: str = ROUND_TRIP
) -> str:
    """A timestamp later by Second, Minute, Hour, Day, Week, Month or Year."""
    return format_date(parse_date(timestamp).plus_units(interval, unit), pattern, argument=4)


@date_and_time.function(
    "subtractFromTime",
    TIMESTAMP,
    required("interval", INTEGER),
    required("timeUnit", TEXT),
    FORMAT,
    example="subtractFromTime('2018-01-02T00:00:00Z', 1, 'Day')",
    gives="2018-01-01T00:00:00.0000000Z",
)
def subtract_from_time(
    frame: Frame, timestamp: str, interval: int, unit: str, pattern: str = ROUND_TRIP
) -> str:
    """A timestamp earlier by Second, Minute, Hour, Day, Week, Month or Year."""
    return format_date(parse_date(timestamp).plus_units(-interval, unit), pattern, argument=4)


@date_and_time.function(
    "getFutureTime",
    required("interval", INTEGER),
    required("timeUnit", TEXT),
    FORMAT,
    example="getFutureTime(5, 'Day', 'D')",
    gives="Tuesday, March 6, 2018",
)
def get_future_time(frame: Frame, interval: int, unit: str, pattern: str = ROUND_TRIP) -> str:
    """The present moment later by some units."""
    return format_date(now(frame).plus_units(interval, unit), pattern, argument=3)


@date_and_time.function(
    "getPastTime",
    required("interval", INTEGER),
    required("timeUnit", TEXT),
    FORMAT,
    example="getPastTime(5, 'Day')",
    gives="2018-02-24T00:00:00.0000000Z",
)
def get_past_time(frame: Frame, interval: int, unit: str, pattern: str = ROUND_TRIP) -> str:
    """The present moment earlier by some units."""
    return format_date(now(frame).plus_units(-interval, unit), pattern, argument=3)


@date_and_time.function("utcNow", FORMAT, example="utcNow('D')", gives="Thursday, March 1, 2018")
def utc_now(frame: Frame, pattern: str = ROUND_TRIP) -> str:
    """The present moment in UTC."""
    return format_date(now(frame), pattern, argument=1)


@date_and_time.function(
    "formatDateTime",
    TIMESTAMP,
    FORMAT,
    optional("locale", TEXT),
    example="formatDateTime('01/31/2016', 'dddd MMMM d', 'fr-fr')",
    gives="dimanche janvier 31",
)
def format_date_time(
    frame: Frame, timestamp: str, pattern: str = ROUND_TRIP, locale: str = "en-US"
) -> str:
    """A timestamp in a .NET format of a culture, en-US when none is given."""
    return format_date(parse_date(timestamp), pattern, locale, argument=2)


@date_and_time.function(
    "parseDateTime",
    TIMESTAMP,
    optional("locale", TEXT),
    FORMAT,
    example="parseDateTime('20/10/2014', 'fr-FR')",
    gives="2014-10-20T00:00:00.0000000",
)
def parse_date_time(
    frame: Frame, timestamp: str, locale: str = "en-US", pattern: str | None = None
) -> str:
    """The timestamp that a text names in a culture, or in exactly the given format."""
    if pattern:
        return format_date(parse_exact(timestamp, pattern, locale), ROUND_TRIP)
    return format_date(parse_date(timestamp, 1, locale), ROUND_TRIP)


@date_and_time.function(
    "startOfDay",
    TIMESTAMP,
    FORMAT,
    example="startOfDay('2018-03-15T13:30:30Z')",
    gives="2018-03-15T00:00:00.0000000Z",
)
def start_of_day(frame: Frame, timestamp: str, pattern: str = ROUND_TRIP) -> str:
    """Midnight of a timestamp's day."""
    return format_date(parse_date(timestamp).start_of(TICKS_PER_DAY), pattern)


@date_and_time.function(
    "startOfHour",
    TIMESTAMP,
    FORMAT,
    example="startOfHour('2018-03-15T13:30:30Z')",
    gives="2018-03-15T13:00:00.0000000Z",
)
def start_of_hour(frame: Frame, timestamp: str, pattern: str = ROUND_TRIP) -> str:
    """The start of a timestamp's hour."""
    return format_date(parse_date(timestamp).start_of(TICKS_PER_HOUR), pattern)


@date_and_time.function(
    "startOfMonth",
    TIMESTAMP,
    FORMAT,
    example="startOfMonth('2018-03-15T13:30:30Z')",
    gives="2018-03-01T00:00:00.0000000Z",
)
def start_of_month(frame: Frame, timestamp: str, pattern: str = ROUND_TRIP) -> str:
    """Midnight of the first day of a timestamp's month."""
    instant = parse_date(timestamp)
    moment = instant.moment
    return format_date(Instant.at(moment.year, moment.month, 1, utc=instant.utc), pattern)


@date_and_time.function(
    "dayOfWeek", TIMESTAMP, example="dayOfWeek('2018-03-15T13:27:36Z')", gives=4
)
def day_of_week(frame: Frame, timestamp: str) -> int:
    """The day of the week, Sunday 0."""
    return parse_date(timestamp).moment.isoweekday() % 7


@date_and_time.function(
    "dayOfMonth", TIMESTAMP, example="dayOfMonth('2018-03-15T13:27:36Z')", gives=15
)
def day_of_month(frame: Frame, timestamp: str) -> int:
    """The day of the month, from 1."""
    return parse_date(timestamp).moment.day


@date_and_time.function(
    "dayOfYear", TIMESTAMP, example="dayOfYear('2018-03-15T13:27:36Z')", gives=74
)
def day_of_year(frame: Frame, timestamp: str) -> int:
    """The day of the year, from 1."""
    return day_of_year_of(parse_date(timestamp))


@date_and_time.function(
    "ticks", TIMESTAMP, example="ticks('0001-01-01T00:00:01Z')", gives=10_000_000
)
def ticks(frame: Frame, timestamp: str) -> int:
    """Units of 100 nanoseconds since the start of the year 1."""
    return parse_date(timestamp).ticks


@date_and_time.function(
    "dateDifference",
    required("startDate", TEXT),
    required("endDate", TEXT),
    example="dateDifference('2015-02-08', '2018-07-30')",
    gives="1268.00:00:00",
)
def date_difference(frame: Frame, start: str, end: str) -> str:
    """The time from one timestamp to another, as a .NET time span."""
    return timespan_text(parse_date(end, 2).ticks - parse_date(start).ticks)
