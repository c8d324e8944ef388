"""Time zones by Windows name (CLDR's map) or IANA name, converted as .NET's ``TimeZoneInfo``."""

from __future__ import annotations

from datetime import timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from babel.core import get_global

from hybridmandate.orchestration.expressions.dotnet.instants import (
    TICKS_PER_HOUR,
    TICKS_PER_SECOND,
    Instant,
)
from hybridmandate.orchestration.expressions.errors import FunctionFault

_UTC = frozenset({"UTC", "Etc/UTC"})


def zone(name: str, argument: int) -> ZoneInfo:
    """The zone of a name in any case. :raises FunctionFault: when there is none."""
    found = _zone(name)
    if found is None:
        raise FunctionFault(
            "The time zone id is not valid: it is neither a Windows nor an IANA time zone",
            argument=argument,
            value=name,
        )
    return found


def is_utc(zone: ZoneInfo) -> bool:
    """Whether a zone is UTC itself."""
    return zone.key in _UTC


def from_utc(instant: Instant, target: ZoneInfo) -> Instant:
    """The wall clock of a zone at an instant of UTC; without ``Z`` unless the zone is UTC."""
    if is_utc(target):
        return Instant(instant.ticks)
    offset = _steady_offset(target, instant.ticks // TICKS_PER_HOUR)
    return instant.as_wall_clock(_offset(target, instant) if offset is None else offset)


def to_utc(wall: Instant, source: ZoneInfo) -> Instant:
    """The instant of a wall clock; of two in autumn the one in standard time, as .NET.

    :raises FunctionFault: for a time that daylight saving skips.
    """
    if is_utc(source):
        return Instant(wall.ticks)
    steady = _steady_wall_offset(source, wall.ticks // TICKS_PER_HOUR)
    if steady is not None:
        return Instant(wall.plus(-steady).ticks)
    made = Instant(wall.plus(-_wall_offset(source, wall, fold=1)).ticks)
    if from_utc(made, source).ticks != wall.ticks:
        raise FunctionFault(
            "The time does not exist in the time zone: daylight saving skips it",
            argument=1,
            value=wall.moment.isoformat(),
        )
    return made


@lru_cache(maxsize=4_096)
def _steady_offset(target: ZoneInfo, hour: int) -> int | None:
    """A zone's offset in ticks if it is the same at both ends of an hour of UTC, else None."""
    start, end = _ends(hour)
    offset = _offset(target, start)
    return offset if _offset(target, end) == offset else None


@lru_cache(maxsize=4_096)
def _steady_wall_offset(source: ZoneInfo, hour: int) -> int | None:
    """A zone's offset in ticks if nothing changes in an hour of its wall clock, else None."""
    found = {_wall_offset(source, each, fold=fold) for each in _ends(hour) for fold in (0, 1)}
    return found.pop() if len(found) == 1 else None


def _ends(hour: int) -> tuple[Instant, Instant]:
    start = Instant(hour * TICKS_PER_HOUR)
    return start, start.plus(TICKS_PER_HOUR - 1)


def _offset(target: ZoneInfo, instant: Instant) -> int:
    moment = instant.moment
    try:
        local = target.fromutc(moment.replace(tzinfo=target)).replace(tzinfo=None)
    except OverflowError as wrong:
        raise FunctionFault("The resulting date is outside the years 1 to 9999") from wrong
    return _ticks(local - moment)


def _wall_offset(source: ZoneInfo, wall: Instant, fold: int) -> int:
    return _ticks(wall.moment.replace(tzinfo=source, fold=fold).utcoffset() or timedelta())


def _ticks(offset: timedelta) -> int:
    return (offset.days * 86_400 + offset.seconds) * TICKS_PER_SECOND


@lru_cache(maxsize=512)
def _zone(name: str) -> ZoneInfo | None:
    name = name.strip().lower()
    windows = _windows_names().get(name)
    iana = windows or _iana_names().get(name)
    if iana is None:
        return None
    try:
        return ZoneInfo(iana)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


@lru_cache(maxsize=1)
def _windows_names() -> dict[str, str]:
    found = {
        str(name).lower(): str(iana) for name, iana in get_global("windows_zone_mapping").items()
    }
    return {**found, "utc": "UTC", "coordinated universal time": "UTC"}


@lru_cache(maxsize=1)
def _iana_names() -> dict[str, str]:
    return {name.lower(): name for name in available_timezones()}
