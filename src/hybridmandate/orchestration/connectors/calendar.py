"""Calendar operations of Office 365 Outlook over Microsoft Graph v1.0.

Operation ids and parameters as in the connector's public definition (Azure/Connectors-NET-SDK) and
in public flows; learn.microsoft.com/graph/api/resources/calendar.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote

from hybridmandate.orchestration.connectors.calendar_events import graph_event, shown_event
from hybridmandate.orchestration.connectors.drive_items import shaped
from hybridmandate.orchestration.connectors.request import OperationCall
from hybridmandate.orchestration.connectors.session import ServiceSession
from hybridmandate.orchestration.engine import Answer

MAX_VIEW = 256
"""The most events of a view (learn.microsoft.com/connectors/office365)."""
_OPTIONS = ("$filter", "$orderby", "$top", "$skip")


async def calendars(session: ServiceSession, mailbox: str, call: OperationCall) -> Answer:
    """CalendarGetTables_V2: the calendars of the mailbox."""
    return await session.send("GET", f"{mailbox}/calendars", call=call)


async def create_event(session: ServiceSession, mailbox: str, call: OperationCall) -> Answer:
    """V4CalendarPostItem: a new event in the calendar ``table``."""
    item = call.nested("item")
    for name in ("subject", "start", "end"):
        if not item.get(name):
            raise ValueError(f"V4CalendarPostItem needs item/{name}")
    address = _events(mailbox, call.required("table"))
    made = await session.send("POST", address, call=call, json_body=graph_event(item))
    return shaped(made, shown_event)


async def get_event(session: ServiceSession, mailbox: str, call: OperationCall) -> Answer:
    """V3CalendarGetItem: one event."""
    address = _event(mailbox, call.required("table"), call.required("id"))
    return shaped(await session.send("GET", address, call=call), shown_event)


async def update_event(session: ServiceSession, mailbox: str, call: OperationCall) -> Answer:
    """V4CalendarPatchItem: changes the fields that are given."""
    address = _event(mailbox, call.required("table"), call.required("id"))
    event = graph_event(call.nested("item"))
    return shaped(await session.send("PATCH", address, call=call, json_body=event), shown_event)


async def delete_event(session: ServiceSession, mailbox: str, call: OperationCall) -> Answer:
    """CalendarDeleteItem_V2: 404 when the event is gone already."""
    address = _event(mailbox, call.required("calendar"), call.required("event"))
    return await session.send("DELETE", address, call=call)


async def list_events(session: ServiceSession, mailbox: str, call: OperationCall) -> Answer:
    """V4CalendarGetItems: the events of the calendar ``table``."""
    address = _events(mailbox, call.required("table"))
    listed = await session.send("GET", address, call=call, query=_query(call))
    return shaped(listed, _many)


async def calendar_view(session: ServiceSession, mailbox: str, call: OperationCall) -> Answer:
    """GetEventsCalendarViewV3: the events between two times, at most 256."""
    query = {
        "$top": str(MAX_VIEW),
        **_query(call),
        "startDateTime": str(call.required("startDateTimeUtc")),
        "endDateTime": str(call.required("endDateTimeUtc")),
    }
    calendar = quote(str(call.required("calendarId")), safe="")
    address = f"{mailbox}/calendars/{calendar}/calendarView"
    return shaped(await session.send("GET", address, call=call, query=query), _many)


def _events(mailbox: str, calendar: object) -> str:
    return f"{mailbox}/calendars/{quote(str(calendar), safe='')}/events"


def _event(mailbox: str, calendar: object, event: object) -> str:
    return f"{_events(mailbox, calendar)}/{quote(str(event), safe='')}"


def _query(call: OperationCall) -> dict[str, str]:
    given = {name: call.parameters.get(name) for name in _OPTIONS}
    return {name: str(value) for name, value in given.items() if value not in (None, "")}


def _many(body: Mapping[str, object]) -> dict[str, object]:
    listed = body["value"]
    events = listed if isinstance(listed, list) else []
    return {"value": [shown_event(each) for each in events]}
