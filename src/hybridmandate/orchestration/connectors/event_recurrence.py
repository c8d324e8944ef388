"""How an event recurs: flat fields of the Office 365 Outlook connector, and Graph's recurrence.

``recurrence`` is none, daily, weekly, monthly or yearly; ``recurrenceEnd`` or
``numberOfOccurences`` (so it is written there) ends the series, neither lets it go on;
``selectedDaysOfWeek`` are the days of a weekly one, by default that of the first event. Sources:
learn.microsoft.com/connectors/office365 ('GraphCalendarEventClient'); learn.microsoft.com/graph/
api/resources/patternedrecurrence.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

NONE = "none"
_PATTERNS = {
    "daily": "daily",
    "weekly": "weekly",
    "monthly": "absoluteMonthly",
    "yearly": "absoluteYearly",
}
_SHOWN = {
    **{graph: own for own, graph in _PATTERNS.items()},
    "relativeMonthly": "monthly",
    "relativeYearly": "yearly",
}
_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


def recurs(item: Mapping[str, Any]) -> bool:
    """Whether the fields of an event say that it recurs."""
    return str(item.get("recurrence") or NONE).lower() != NONE


def graph_recurrence(item: Mapping[str, Any], start: Mapping[str, str] | None) -> Any:
    """Graph's recurrence of an event that begins at ``start``; one that is Graph's own as it is.

    :raises ValueError: when the start is missing, or a field cannot be read.
    """
    wanted = item["recurrence"]
    if isinstance(wanted, Mapping):
        return dict(wanted)
    kind = _PATTERNS.get(str(wanted).lower())
    if kind is None:
        raise ValueError(f"item/recurrence is one of none, {', '.join(_PATTERNS)}: '{wanted}'")
    if start is None:
        raise ValueError("an event that recurs needs item/start")
    first = datetime.fromisoformat(start["dateTime"]).date()
    pattern: dict[str, Any] = {"type": kind, "interval": 1}
    if kind == "weekly":
        pattern["daysOfWeek"] = _days(item.get("selectedDaysOfWeek"), first)
    if kind in ("absoluteMonthly", "absoluteYearly"):
        pattern["dayOfMonth"] = first.day
    if kind == "absoluteYearly":
        pattern["month"] = first.month
    reach = {"startDate": first.isoformat(), "recurrenceTimeZone": start["timeZone"]}
    return {"pattern": pattern, "range": {**reach, **_end(item)}}


def shown_recurrence(recurrence: Any) -> dict[str, Any]:
    """Graph's recurrence of an event, None for none, as actions give it."""
    if not isinstance(recurrence, Mapping):
        return {"recurrence": NONE}
    pattern, reach = recurrence.get("pattern") or {}, recurrence.get("range") or {}
    ends = {"recurrenceEnd": reach["endDate"]} if reach.get("type") == "endDate" else {}
    most = reach.get("numberOfOccurrences") if reach.get("type") == "numbered" else None
    return {
        "recurrence": _SHOWN.get(str(pattern.get("type")), NONE),
        **ends,
        **({} if most is None else {"numberOfOccurences": most}),
        **({"selectedDaysOfWeek": pattern["daysOfWeek"]} if pattern.get("daysOfWeek") else {}),
    }


def _end(item: Mapping[str, Any]) -> dict[str, Any]:
    last, most = item.get("recurrenceEnd"), item.get("numberOfOccurences")
    if last not in (None, "") and most not in (None, ""):
        raise ValueError("item/recurrenceEnd and item/numberOfOccurences exclude each other")
    if most not in (None, ""):
        if not str(most).isascii() or not str(most).isdigit() or not 1 <= int(str(most)) <= 999:
            raise ValueError(f"item/numberOfOccurences is a number from 1 to 999: '{most}'")
        return {"type": "numbered", "numberOfOccurrences": int(str(most))}
    if last in (None, ""):
        return {"type": "noEnd"}
    try:
        return {"type": "endDate", "endDate": datetime.fromisoformat(str(last)).date().isoformat()}
    except ValueError:
        raise ValueError(f"item/recurrenceEnd is no date: '{last}'") from None


def _days(given: Any, first: date) -> list[str]:
    names = given if isinstance(given, list) else str(given or "").split(";")
    wanted = [str(each).strip().lower() for each in names if str(each).strip()]
    unknown = [each for each in wanted if each not in _DAYS]
    if unknown:
        raise ValueError(f"item/selectedDaysOfWeek: '{unknown[0]}' is no day of the week")
    return wanted or [_DAYS[first.weekday()]]
