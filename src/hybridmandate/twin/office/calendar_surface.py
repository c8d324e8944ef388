"""Graph's calendars: events and the view of a span of time.

Everybody has one calendar. Attendees are kept, nobody is invited; recurrence is 501. Times without
a zone are in UTC, and all are answered in UTC. Source: learn.microsoft.com/graph/api/
resources/calendar, user-post-events, calendar-list-calendarview.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from babel.core import get_global
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from hybridmandate.twin.office.body import graph_time, json_body
from hybridmandate.twin.office.caller import Persona, require
from hybridmandate.twin.office.errors import GraphError, not_supported
from hybridmandate.twin.office.events import Events
from hybridmandate.twin.office.list_query import QueryInvalid, order, parse_filter, property_of
from hybridmandate.twin.office.mail_surface import mailbox_owner
from hybridmandate.twin.office.query import whole_number
from hybridmandate.twin.office.tables import Row

READ = ("Calendars.Read", "Calendars.ReadWrite")
WRITE = "Calendars.ReadWrite"
CALENDAR = "calendar"
"""The id of everybody's calendar."""
DEFAULT_PAGE = 10
MAX_PAGE = 1000
_TEXTS = ("subject", "importance", "showAs", "sensitivity")
_KEPT = {*_TEXTS, "body", "location", "attendees", "categories", "isAllDay", "isReminderOn",
         "reminderMinutesBeforeStart", "responseRequested", "isOnlineMeeting",
         "onlineMeetingProvider"}  # fmt: skip
_DEFAULTS: Mapping[str, Any] = {
    "subject": "",
    "body": {"contentType": "html", "content": ""},
    "location": {"displayName": ""},
    "attendees": [],
    "categories": [],
    "importance": "normal",
    "showAs": "busy",
    "sensitivity": "normal",
    "isAllDay": False,
    "isReminderOn": True,
    "reminderMinutesBeforeStart": 15,
    "responseRequested": True,
    "isOnlineMeeting": False,
    "onlineMeetingProvider": "unknown",
}
_JOIN = "https://teams.microsoft.com/l/meetup-join/"
"""Where a meeting's link leads: nobody meets there, as the stand-in makes no meetings."""
_PATHS = {
    each.lower(): each
    for each in ("start/dateTime", "end/dateTime", "subject", "id", "createdDateTime", *_KEPT)
}
_NAME = re.compile(r"'(?:[^']|'')*'|[A-Za-z]+(?:/[A-Za-z]+)?")


class CalendarSurface:
    """Endpoints of calendars."""

    def __init__(self, events: Events) -> None:
        self._events = events

    async def calendars(self, request: Request, caller: Persona) -> Response:
        """The calendars of a person."""
        require(caller, *READ)
        mailbox_owner(request, caller)
        shown = {"id": CALENDAR, "name": "Calendar", "isDefaultCalendar": True, "canEdit": True}
        return JSONResponse({"value": [shown]})

    async def events(self, request: Request, caller: Persona) -> Response:
        """The events of a calendar; POST makes one."""
        owner = self._owner(request, caller)
        if request.method == "GET":
            rows = await run_in_threadpool(self._events.of, owner)
            return _page(request, [_event(each) for each in rows])
        start, end, content = _read(await json_body(request), None)
        made = await run_in_threadpool(
            self._events.add,
            owner,
            start,
            end,
            content,
            request=request.headers.get("client-request-id"),
        )
        return JSONResponse(_event(made), status_code=201)

    async def view(self, request: Request, caller: Persona) -> Response:
        """The events that touch a span of time."""
        owner = self._owner(request, caller)
        query = request.query_params
        after = _instant({"dateTime": query.get("startDateTime")})
        before = _instant({"dateTime": query.get("endDateTime")})
        rows = await run_in_threadpool(self._events.of, owner, after=after, before=before)
        return _page(request, [_event(each) for each in rows])

    async def event(self, request: Request, caller: Persona) -> Response:
        """One event; PATCH changes it, DELETE removes it."""
        owner = self._owner(request, caller)
        event_id = request.path_params["event"]
        found = await run_in_threadpool(self._events.find, owner, event_id)
        if found is None:
            raise GraphError(404, "ErrorItemNotFound", f"The event '{event_id}' was not found.")
        if request.method == "GET":
            return JSONResponse(_event(found))
        if request.method == "DELETE":
            await run_in_threadpool(self._events.delete, found["id"])
            return Response(status_code=204)
        start, end, content = _read(await json_body(request), found)
        changed = await run_in_threadpool(self._events.change, found["id"], start, end, content)
        return JSONResponse(_event(changed))

    def _owner(self, request: Request, caller: Persona) -> str:
        owner = mailbox_owner(request, caller)
        require(caller, *(READ if request.method == "GET" else (WRITE,)))
        calendar = request.path_params.get("calendar", CALENDAR)
        if calendar.lower() != CALENDAR:
            raise GraphError(404, "ErrorItemNotFound", f"The calendar '{calendar}' was not found.")
        return owner


def _read(given: Mapping[str, Any], before: Row | None) -> tuple[float, float, dict[str, Any]]:
    """Times and content of an event that is made, or changed from what it was."""
    if given.get("recurrence"):
        raise not_supported("recurrence of events")
    unknown = sorted(given.keys() - _KEPT - {"start", "end", "recurrence"})
    if unknown:
        raise GraphError(400, "RequestBodyRead", f"Event has no property '{unknown[0]}' to write.")
    for name in _TEXTS:
        if name in given and not isinstance(given[name], str):
            raise GraphError(400, "RequestBodyRead", f"{name} must be a text.")
    content = dict(_DEFAULTS) if before is None else json.loads(before["content"])
    content.update({name: value for name, value in given.items() if name in _KEPT})
    start = _time(given, "start", before)
    end = _time(given, "end", before)
    if end < start:
        raise GraphError(400, "ErrorPropertyValidationFailure", "The end is before the start.")
    return start, end, content


def _time(given: Mapping[str, Any], name: str, before: Row | None) -> float:
    if name not in given and before is not None:
        return float(before[name])
    return _instant(given.get(name))


def _instant(value: Any) -> float:
    """Epoch seconds of a dateTimeTimeZone. :raises GraphError: 400 when it is none."""
    text = value.get("dateTime") if isinstance(value, Mapping) else None
    if not isinstance(text, str) or not text:
        raise GraphError(400, "ErrorInvalidParameter", "A time needs dateTime and timeZone.")
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise GraphError(400, "ErrorInvalidParameter", f"'{text[:50]}' is no time.") from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=_zone(str(value.get("timeZone") or "UTC")))
    return moment.timestamp()


def _zone(name: str) -> ZoneInfo:
    known = get_global("windows_zone_mapping").get(name, name)
    try:
        return ZoneInfo(known)
    except (ZoneInfoNotFoundError, ValueError):
        raise GraphError(400, "TimeZoneNotSupported", f"'{name[:50]}' is no time zone.") from None


def _page(request: Request, events: list[dict[str, Any]]) -> Response:
    query = request.query_params
    try:
        if query.get("$filter"):
            test = parse_filter(_spelled(query["$filter"]))
            events = [each for each in events if test(each)]
        wanted = order(_spelled(query["$orderby"])) if query.get("$orderby") else []
    except QueryInvalid as error:
        raise GraphError(400, "ErrorInvalidUrlQuery", f"Invalid query: {error}.") from None
    for path, descending in reversed(wanted):
        events = sorted(events, key=lambda each: str(property_of(each, path)), reverse=descending)
    start = whole_number(query, "$skip", 0, code="ErrorInvalidUrlQuery")
    top = whole_number(query, "$top", DEFAULT_PAGE, code="ErrorInvalidUrlQuery")
    return JSONResponse({"value": events[start : start + min(top, MAX_PAGE)]})


def _spelled(expression: str) -> str:
    """An expression with names as Graph spells them: it takes them in any case."""

    def spelled(match: re.Match[str]) -> str:
        word = match[0]
        if word.startswith("'"):
            return word
        lower = word.lower()
        return _PATHS.get(lower, lower if lower in ("asc", "desc") else word)

    return _NAME.sub(spelled, expression)


def _event(row: Row) -> dict[str, Any]:
    content = {**_DEFAULTS, **json.loads(row["content"])}
    text = str(content["body"].get("content") or "") if isinstance(content["body"], dict) else ""
    return {
        "id": row["id"],
        "iCalUId": row["id"],
        **content,
        "bodyPreview": text[:255],
        "onlineMeeting": {"joinUrl": f"{_JOIN}{row['id']}"} if content["isOnlineMeeting"] else None,
        "start": _shown(row["start"]),
        "end": _shown(row["end"]),
        "organizer": {"emailAddress": {"address": row["owner"]}},
        "createdDateTime": graph_time(row["created"]),
        "lastModifiedDateTime": graph_time(row["modified"]),
    }


def _shown(epoch: float) -> dict[str, str]:
    moment = datetime.fromtimestamp(epoch, UTC)
    return {"dateTime": f"{moment:%Y-%m-%dT%H:%M:%S}.0000000", "timeZone": "UTC"}
