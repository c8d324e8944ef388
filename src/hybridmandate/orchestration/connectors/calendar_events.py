"""Events of Microsoft Graph as the Office 365 Outlook connector takes and shows them.

The connector has an event's fields flat: addresses joined by semicolons, times in UTC without an
offset (``start``) and with one (``startWithTimeZone``). Source: learn.microsoft.com/connectors/
office365 ('GraphCalendarEventClient', 'GraphCalendarEventClientReceive').
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from hybridmandate.orchestration.connectors.event_recurrence import (
    graph_recurrence,
    recurs,
    shown_recurrence,
)

_SAME = ("subject", "importance", "isAllDay", "isReminderOn", "reminderMinutesBeforeStart",
         "showAs", "responseRequested", "sensitivity", "categories")  # fmt: skip
_ATTENDEES = {
    "requiredAttendees": "required",
    "optionalAttendees": "optional",
    "resourceAttendees": "resource",
}
_UTC = frozenset({"", "utc", "(utc) coordinated universal time"})
_DISPLAY_NAME = re.compile(r"\(UTC.*\).*")


def graph_event(item: Mapping[str, Any]) -> dict[str, Any]:
    """What Graph is given for the flat fields of an event.

    :raises ValueError: for a recurrence that cannot be read, or a time zone that only has its
        display name.
    """
    zone = _zone(item.get("timeZone"))
    event: dict[str, Any] = {name: item[name] for name in _SAME if item.get(name) not in (None, "")}
    for name in ("start", "end"):
        if item.get(name):
            event[name] = _moment(str(item[name]), zone)
    if "body" in item:
        event["body"] = {"contentType": "html", "content": str(item["body"] or "")}
    if "location" in item:
        event["location"] = {"displayName": str(item["location"] or "")}
    if recurs(item):
        event["recurrence"] = graph_recurrence(item, event.get("start"))
    elif "recurrence" in item:
        event["recurrence"] = None
    attendees = [
        {"type": kind, "emailAddress": {"address": each.strip()}}
        for name, kind in _ATTENDEES.items()
        for each in str(item.get(name) or "").split(";")
        if each.strip()
    ]
    if any(name in item for name in _ATTENDEES):
        event["attendees"] = attendees
    return event


def shown_event(event: Mapping[str, Any]) -> dict[str, Any]:
    """An event of Graph as actions give it."""
    body = event.get("body") or {}
    attendees: Sequence[Mapping[str, Any]] = event.get("attendees") or []
    start, end = _text(event, "start"), _text(event, "end")
    return {
        **{name: event.get(name) for name in _SAME},
        "id": event["id"],
        "iCalUId": event.get("iCalUId"),
        "start": start,
        "end": end,
        "startWithTimeZone": f"{start}+00:00",
        "endWithTimeZone": f"{end}+00:00",
        "timeZone": "UTC",
        "body": body.get("content"),
        "isHtml": str(body.get("contentType") or "").lower() == "html",
        "location": (event.get("location") or {}).get("displayName"),
        "organizer": _address(event.get("organizer")),
        **{
            name: ";".join(_address(each) for each in attendees if each.get("type") == kind)
            for name, kind in _ATTENDEES.items()
        },
        "createdDateTime": event.get("createdDateTime"),
        "lastModifiedDateTime": event.get("lastModifiedDateTime"),
        **shown_recurrence(event.get("recurrence")),
        "seriesMasterId": event.get("seriesMasterId"),
    }


def _zone(given: Any) -> str:
    name = str(given or "").strip()
    if name.lower() in _UTC:
        return "UTC"
    if _DISPLAY_NAME.fullmatch(name):
        raise ValueError(
            f"the time zone '{name}' is a display name: only that of UTC is known here; "
            "write its Windows name"
        )
    return name


def _moment(text: str, zone: str) -> dict[str, str]:
    """A time of Graph: with an offset it is that point in time, else it is in the zone."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"'{text}' is no time") from None
    if moment.tzinfo is not None:
        utc = moment.astimezone(UTC).replace(tzinfo=None)
        return {"dateTime": utc.isoformat(timespec="seconds"), "timeZone": "UTC"}
    return {"dateTime": moment.isoformat(timespec="seconds"), "timeZone": zone}


def _text(event: Mapping[str, Any], name: str) -> str:
    return str((event.get(name) or {}).get("dateTime") or "")


def _address(given: Any) -> str:
    return str(((given or {}).get("emailAddress") or {}).get("address") or "")
