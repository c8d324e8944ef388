"""Graph's calendars: events and the view of a span of time.

Everybody has one calendar. Attendees are kept, nobody is invited. A view shows the single events of
a series, which can be read but not changed one by one. Times without a zone are in UTC, and all are
answered in UTC. Source: learn.microsoft.com/graph/api/
resources/calendar, user-post-events, calendar-list-calendarview.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from hybridmandate.twin.office.body import graph_time, json_body
from hybridmandate.twin.office.calendar_times import instant, zone
from hybridmandate.twin.office.caller import Persona, require
from hybridmandate.twin.office.errors import GraphError, not_supported
from hybridmandate.twin.office.events import Events
from hybridmandate.twin.office.list_query import QueryInvalid, order, parse_filter, property_of
from hybridmandate.twin.office.mail_surface import mailbox_owner
from hybridmandate.twin.office.query import whole_number
from hybridmandate.twin.office.series import PatternUnknown, Series, SeriesInvalid, series
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
        new = _read(await json_body(request), None)
        made = await run_in_threadpool(
            self._events.add,
            owner,
            new.start,
            new.end,
            new.content,
            recurrence=new.recurrence,
            request=request.headers.get("client-request-id"),
        )
        return JSONResponse(_event(made), status_code=201)

    async def view(self, request: Request, caller: Persona) -> Response:
        """The events that touch a span of time."""
        owner = self._owner(request, caller)
        query = request.query_params
        after = instant({"dateTime": query.get("startDateTime")})
        before = instant({"dateTime": query.get("endDateTime")})
        return _page(request, await run_in_threadpool(self._between, owner, after, before))

    async def event(self, request: Request, caller: Persona) -> Response:
        """One event; PATCH changes it, DELETE removes it."""
        owner = self._owner(request, caller)
        event_id = request.path_params["event"]
        found = await run_in_threadpool(self._events.find, owner, event_id)
        if found is None:
            return await run_in_threadpool(self._occurrence, request, owner, event_id)
        if request.method == "GET":
            return JSONResponse(_event(found))
        if request.method == "DELETE":
            await run_in_threadpool(self._events.delete, found["id"])
            return Response(status_code=204)
        new = _read(await json_body(request), found)
        changed = await run_in_threadpool(
            self._events.change, found["id"], new.start, new.end, new.content, new.recurrence
        )
        return JSONResponse(_event(changed))

    def _between(self, owner: str, after: float, before: float) -> list[dict[str, Any]]:
        """The events that touch a span of time, those of series one by one, by their start."""
        rows = self._events.of(owner, after=after, before=before)
        found = [_event(each) for each in rows if each["recurrence"] is None]
        for master in self._events.series(owner, before=before):
            lasts = master["end"] - master["start"]
            singles = _series_of(master).starts(before)
            found.extend(_single(master, *each) for each in singles if each[1] + lasts > after)
        return sorted(found, key=lambda each: str(each["start"]["dateTime"]))

    def _occurrence(self, request: Request, owner: str, event_id: str) -> Response:
        """A single event of a series."""
        master_id, _, wanted = event_id.rpartition(".")
        master = self._events.find(owner, master_id)
        if master is not None and master["recurrence"] is not None:
            for day, start in _series_of(master).starts(math.inf):
                if f"{day:%Y%m%d}" != wanted:
                    continue
                if request.method != "GET":
                    raise not_supported(f"{request.method} of one event of a series")
                return JSONResponse(_single(master, day, start))
        raise GraphError(404, "ErrorItemNotFound", f"The event '{event_id}' was not found.")

    def _owner(self, request: Request, caller: Persona) -> str:
        owner = mailbox_owner(request, caller)
        require(caller, *(READ if request.method == "GET" else (WRITE,)))
        calendar = request.path_params.get("calendar", CALENDAR)
        if calendar.lower() != CALENDAR:
            raise GraphError(404, "ErrorItemNotFound", f"The calendar '{calendar}' was not found.")
        return owner


@dataclass(frozen=True, slots=True)
class Written:
    """What a request makes of an event; times are epoch seconds."""

    start: float
    end: float
    content: dict[str, Any]
    recurrence: dict[str, Any] | None


def _read(given: Mapping[str, Any], before: Row | None) -> Written:
    """An event that is made, or changed from what it was."""
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
    return Written(start, end, content, _recurrence(given, before, start))


def _time(given: Mapping[str, Any], name: str, before: Row | None) -> float:
    if name not in given and before is not None:
        return float(before[name])
    return instant(given.get(name))


def _recurrence(
    given: Mapping[str, Any], before: Row | None, start: float
) -> dict[str, Any] | None:
    """How an event recurs, with the zone in which it does; None for one that does not."""
    if "recurrence" not in given:
        kept = None if before is None else before["recurrence"]
        return None if kept is None else dict(json.loads(kept))
    wanted = given["recurrence"]
    if wanted is None:
        return None
    if not isinstance(wanted, Mapping) or not isinstance(wanted.get("range"), Mapping):
        raise GraphError(400, "ErrorPropertyValidationFailure", "recurrence needs pattern, range.")
    own = given["start"].get("timeZone") if isinstance(given.get("start"), Mapping) else None
    zone_name = str(wanted["range"].get("recurrenceTimeZone") or own or "UTC")
    whole = {**wanted, "range": {**wanted["range"], "recurrenceTimeZone": zone_name}}
    _series(whole, start)
    return whole


def _series(recurrence: Mapping[str, Any], start: float) -> Series:
    where = zone(str(recurrence["range"]["recurrenceTimeZone"]))
    try:
        return series(recurrence, datetime.fromtimestamp(start, UTC), where)
    except PatternUnknown as error:
        raise not_supported(str(error)) from None
    except SeriesInvalid as error:
        raise GraphError(400, "ErrorPropertyValidationFailure", f"{error}.") from None


def _series_of(master: Row) -> Series:
    return _series(json.loads(master["recurrence"]), master["start"])


def _single(master: Row, day: date, start: float) -> dict[str, Any]:
    """A single event of a series."""
    return {
        **_event(master),
        "id": f"{master['id']}.{day:%Y%m%d}",
        "type": "occurrence",
        "seriesMasterId": master["id"],
        "recurrence": None,
        "start": _shown(start),
        "end": _shown(start + master["end"] - master["start"]),
    }


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
        "type": "singleInstance" if row["recurrence"] is None else "seriesMaster",
        "seriesMasterId": None,
        "recurrence": None if row["recurrence"] is None else json.loads(row["recurrence"]),
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
