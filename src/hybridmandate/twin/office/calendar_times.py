"""Times of Graph's calendars: a date and time with the name of a zone, Windows' or IANA's."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from babel.core import get_global

from hybridmandate.twin.office.errors import GraphError


def instant(value: Any) -> float:
    """Epoch seconds of a dateTimeTimeZone. :raises GraphError: 400 when it is none."""
    return moment(value).timestamp()


def moment(value: Any) -> datetime:
    """A dateTimeTimeZone in its zone, in UTC where it names none. :raises GraphError: 400."""
    text = value.get("dateTime") if isinstance(value, Mapping) else None
    if not isinstance(text, str) or not text:
        raise GraphError(400, "ErrorInvalidParameter", "A time needs dateTime and timeZone.")
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise GraphError(400, "ErrorInvalidParameter", f"'{text[:50]}' is no time.") from None
    if found.tzinfo is not None:
        return found
    return found.replace(tzinfo=zone(str(value.get("timeZone") or "UTC")))


def zone(name: str) -> ZoneInfo:
    """A time zone by its Windows or IANA name. :raises GraphError: 400 when there is none."""
    known = get_global("windows_zone_mapping").get(name, name)
    try:
        return ZoneInfo(known)
    except (ZoneInfoNotFoundError, ValueError):
        raise GraphError(400, "TimeZoneNotSupported", f"'{name[:50]}' is no time zone.") from None
