"""What a time zone tells of itself, and System.TimeZone.

Source: learn.microsoft.com, .NET API browser, System.TimeZoneInfo and System.TimeZone. Rules of
time zones (AdjustmentRule, TransitionTime) are not there: the IANA data has none of that form.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final
from zoneinfo import available_timezones

from hybridmandate.governance.gateway.csharp.collections import Array
from hybridmandate.governance.gateway.csharp.dates import (
    TICKS,
    DateTime,
    TimeSpan,
    calendar,
    parse_time_span,
)
from hybridmandate.governance.gateway.csharp.failures import ExpressionFailure, argument
from hybridmandate.governance.gateway.csharp.types.moments import (
    SPAN,
    ZONE,
    Zone,
    compare_moments,
    is_summer_time,
)
from hybridmandate.governance.gateway.csharp.types.table import OBJECT, ClrType, Run

_YEAR: Final = [datetime(2024, month, 1) for month in range(1, 13)]  # noqa: DTZ001, local times


def _offset(moment: datetime, zone: Zone) -> timedelta:
    return moment.replace(tzinfo=zone.info).utcoffset() or timedelta()


def base_offset(zone: Zone) -> TimeSpan:
    """``BaseUtcOffset``: without summer time."""
    moment = next((each for each in _YEAR if not each.replace(tzinfo=zone.info).dst()), _YEAR[0])
    return TimeSpan(round(_offset(moment, zone).total_seconds()) * TICKS)


def has_summer_time(zone: Zone) -> bool:
    """``SupportsDaylightSavingTime``."""
    return any(each.replace(tzinfo=zone.info).dst() for each in _YEAR)


def _both(zone: Zone, value: Any) -> tuple[timedelta, timedelta]:
    local = calendar(value.ticks).replace(tzinfo=zone.info)
    first, second = local.replace(fold=0).utcoffset(), local.replace(fold=1).utcoffset()
    return first or timedelta(), second or timedelta()


def is_ambiguous(zone: Zone, value: Any) -> bool:
    """``IsAmbiguousTime``: the hour that summer time's end gives twice."""
    first, second = _both(zone, value)
    return first > second


def is_invalid(zone: Zone, value: Any) -> bool:
    """``IsInvalidTime``: the hour that summer time's beginning leaves out."""
    first, second = _both(zone, value)
    return first < second


def ambiguous_offsets(zone: Zone, value: Any) -> Array:
    """``GetAmbiguousTimeOffsets``. :raises ExpressionFailure: when there is one alone."""
    if not is_ambiguous(zone, value):
        raise argument("The supplied DateTime is not in an ambiguous time range.")
    found = sorted(round(each.total_seconds()) * TICKS for each in _both(zone, value))
    return Array(map(TimeSpan, found), "TimeSpan")


def system_zones(run: Run) -> Array:
    """``GetSystemTimeZones``."""
    names = sorted(available_timezones())
    run.budget.step(len(names))
    return Array(map(Zone, names), "TimeZoneInfo")


ZONE.property("BaseUtcOffset", base_offset, "TimeSpan")
ZONE.property("DaylightName", lambda zone: zone.id, "string")
ZONE.property("SupportsDaylightSavingTime", has_summer_time, "bool")
ZONE.method("IsAmbiguousTime", is_ambiguous, "bool")
ZONE.method("IsInvalidTime", is_invalid, "bool")
ZONE.method("GetAmbiguousTimeOffsets", ambiguous_offsets, "TimeSpan[]")
ZONE.method("HasSameRules", lambda zone, other: zone.info.key == other.info.key, "bool")
ZONE.static("GetSystemTimeZones", system_zones, "TimeZoneInfo[]")
ZONE.static("ClearCachedData", lambda: None)


class LocalZone:
    """System.TimeZone: the gateway's own zone, which is UTC."""

    __slots__ = ()


_UTC: Final = Zone("UTC")
TIME_ZONE: Final = ClrType("TimeZone", "System.TimeZone", LocalZone, base=OBJECT)
TIME_ZONE.constant("CurrentTimeZone", LocalZone(), "TimeZone")
for _name in ("StandardName", "DaylightName"):
    TIME_ZONE.property(_name, lambda zone: "UTC", "string")
TIME_ZONE.method("GetUtcOffset", lambda zone, time: TimeSpan(0), "TimeSpan")
TIME_ZONE.method("IsDaylightSavingTime", lambda zone, time: is_summer_time(_UTC, time), "bool")
TIME_ZONE.method("ToLocalTime", lambda zone, time: DateTime(time.ticks, "Local"), "DateTime")
TIME_ZONE.method("ToUniversalTime", lambda zone, time: DateTime(time.ticks, "Utc"), "DateTime")


# TimeSpan


def try_span(*given: Any) -> tuple[bool, TimeSpan]:
    """``TryParseExact`` of one of the standard formats."""
    try:
        return True, span_exact(*given)
    except ExpressionFailure:
        return False, TimeSpan(0)


def span_exact(text: Any, form: Any, provider: Any = None) -> TimeSpan:
    """``ParseExact``: formats c, t, T, g and G; others are refused.

    :raises ExpressionFailure: FormatException.
    """
    if form not in ("c", "t", "T", "g", "G"):
        raise ExpressionFailure(
            "TimeSpan.ParseExact takes the formats c, g and G in policy expressions.",
            "FormatException",
        )
    return parse_time_span(text)


SPAN.static("Compare", compare_moments, "int")
SPAN.static("ParseExact", span_exact, "TimeSpan")
SPAN.static("TryParseExact", try_span, "bool", outs=1)
SPAN.method("Multiply", lambda span, factor: TimeSpan(round(span.ticks * factor)), "TimeSpan")
SPAN.method(
    "Divide",
    lambda span, by: (
        span.ticks / by.ticks if isinstance(by, TimeSpan) else TimeSpan(round(span.ticks / by))
    ),
)
