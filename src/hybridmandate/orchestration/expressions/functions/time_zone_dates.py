"""Date and time functions that change the time zone (Windows names, or IANA names)."""

from __future__ import annotations

from hybridmandate.orchestration.expressions.bounds import Frame
from hybridmandate.orchestration.expressions.dotnet.date_format import ROUND_TRIP, format_date
from hybridmandate.orchestration.expressions.dotnet.date_parse import parse_date
from hybridmandate.orchestration.expressions.dotnet.time_zones import from_utc, is_utc, to_utc, zone
from hybridmandate.orchestration.expressions.errors import FunctionFault
from hybridmandate.orchestration.expressions.registry import Family, optional, required
from hybridmandate.orchestration.expressions.values import TEXT

date_and_time = Family("Date and time")
TIMESTAMP = required("timestamp", TEXT)
SOURCE = required("sourceTimeZone", TEXT)
DESTINATION = required("destinationTimeZone", TEXT)
FORMAT = optional("format", TEXT)


@date_and_time.function(
    "convertFromUtc",
    TIMESTAMP,
    DESTINATION,
    FORMAT,
    example="convertFromUtc('2018-01-01T08:00:00.0000000Z', 'Pacific Standard Time')",
    gives="2018-01-01T00:00:00.0000000",
)
def convert_from_utc(
    frame: Frame, timestamp: str, destination: str, pattern: str = ROUND_TRIP
) -> str:
    """The wall clock of a time zone at a timestamp of UTC."""
    return format_date(from_utc(parse_date(timestamp), zone(destination, 2)), pattern, argument=3)


@date_and_time.function(
    "convertToUtc",
    TIMESTAMP,
    SOURCE,
    FORMAT,
    example="convertToUtc('01/01/2018 00:00:00', 'Pacific Standard Time')",
    gives="2018-01-01T08:00:00.0000000Z",
)
def convert_to_utc(frame: Frame, timestamp: str, source: str, pattern: str = ROUND_TRIP) -> str:
    """The moment in UTC of a time zone's wall clock; a timestamp in UTC fits no other zone."""
    wall, clock = parse_date(timestamp), zone(source, 2)
    if wall.utc and not is_utc(clock):
        raise FunctionFault(
            "The timestamp is in UTC, the time zone is another",
            argument=2,
            expected="the time zone of the timestamp",
            value=source,
        )
    return format_date(to_utc(wall, clock), pattern, argument=3)


@date_and_time.function(
    "convertTimeZone",
    TIMESTAMP,
    SOURCE,
    DESTINATION,
    FORMAT,
    example="convertTimeZone('2018-01-01T08:00:00.0000000Z', 'UTC', 'Pacific Standard Time')",
    gives="2018-01-01T00:00:00.0000000",
)
def convert_time_zone(
    frame: Frame, timestamp: str, source: str, destination: str, pattern: str = ROUND_TRIP
) -> str:
    """The wall clock of one time zone when another shows the timestamp."""
    moment = to_utc(parse_date(timestamp), zone(source, 2))
    return format_date(from_utc(moment, zone(destination, 3)), pattern, argument=4)
