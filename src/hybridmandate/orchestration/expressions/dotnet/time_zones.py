"""Time zones by Windows name (CLDR's map) or IANA name, converted as .NET's ``TimeZoneInfo``."""

from __future__ import annotations

from datetime import timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from babel.core import get_global

from hybridmandate.orchestration.expressions.dotnet.instants import TICKS_PER_SECOND, Instant
from hybridmandate.orchestration.expressions.errors import FunctionFault

_UTC = frozenset({"UTC", "Etc/UTC"})


def zone(name: str, argument: int) -> ZoneInfo:
    """The zone of a name in any case. :raises FunctionFault: when there is none."""
    found = _zone(name.strip().lower())
    if found is None:
        raise FunctionFault(
            "The time zone id is not valid: it is neither a Windows nor an IANA time zone",
            argument=argument,
            value=name,
        )
    return found


def from_utc(instant: Instant, target: ZoneInfo) -> Instant:
    """The wall clock of a zone at an instant of UTC; without ``Z`` unless the zone is UTC."""
    if target.key in _UTC:
        return Instant(instant.ticks)
    moment = instant.moment
    local = target.fromutc(moment.replace(tzinfo=target)).replace(tzinfo=None)
    return Instant(instant.ticks + _ticks(local - moment), utc=False)


def to_utc(wall: Instant, source: ZoneInfo) -> Instant:
    """The instant of a wall clock; of two in autumn the one in standard time, as .NET.

    :raises FunctionFault: for a time that daylight saving skips.
    """
    if source.key in _UTC:
        return Instant(wall.ticks)
    offset = wall.moment.replace(tzinfo=source, fold=1).utcoffset() or timedelta()
    made = Instant(wall.ticks - _ticks(offset))
    if from_utc(made, source).ticks != wall.ticks:
        raise FunctionFault(
            "The time does not exist in the time zone: daylight saving skips it",
            argument=1,
            value=wall.moment.isoformat(),
        )
    return made


def _ticks(offset: timedelta) -> int:
    return (offset.days * 86_400 + offset.seconds) * TICKS_PER_SECOND


@lru_cache(maxsize=512)
def _zone(name: str) -> ZoneInfo | None:
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
