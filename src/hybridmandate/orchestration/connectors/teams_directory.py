"""Teams, their channels and people, single messages, meetings: what a flow looks up in Teams.

An application has no teams of its own: 'list teams' shows those of the person whom the
connection's option ``user`` names, without it all teams of the tenant.

Sources: learn.microsoft.com/graph/api/user-list-joinedteams, channel-list, channel-post,
team-post-members, chatmessage-get, calendar-post-events; operation ids and parameters as in the
connector's public definition (Azure/Connectors-NET-SDK) and in public flows.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import quote

from hybridmandate.orchestration.connectors.calendar_events import graph_event
from hybridmandate.orchestration.connectors.graph_http import GRAPH
from hybridmandate.orchestration.connectors.graph_pages import listed_pages
from hybridmandate.orchestration.connectors.request import OperationCall
from hybridmandate.orchestration.connectors.session import ServiceSession
from hybridmandate.orchestration.engine import Answer

TEAMS = "/v1.0/teams"
Ask = Callable[[ServiceSession, str | None, OperationCall], Awaitable[Answer]]
"""An operation, given the person of the option ``user``."""


async def teams(session: ServiceSession, user: str | None, call: OperationCall) -> Answer:
    """GetAllTeams: the teams of the person, or of the tenant."""
    path = TEAMS if user is None else f"/v1.0/users/{quote(user, safe='@')}/joinedTeams"
    return await listed_pages(session, path, call)


async def team(session: ServiceSession, user: str | None, call: OperationCall) -> Answer:
    """GetTeam: one team."""
    return await session.send("GET", _team(call, "teamId"), call=call)


async def channels(session: ServiceSession, user: str | None, call: OperationCall) -> Answer:
    """GetChannelsForGroup: the channels of a team."""
    return await listed_pages(session, f"{_team(call, 'groupId')}/channels", call)


async def channel(session: ServiceSession, user: str | None, call: OperationCall) -> Answer:
    """GetChannel: one channel."""
    wanted = quote(str(call.required("channelId")), safe="")
    address = f"{_team(call, 'teamId')}/channels/{wanted}"
    return await session.send("GET", address, call=call)


async def create_channel(session: ServiceSession, user: str | None, call: OperationCall) -> Answer:
    """CreateChannel: ``body/displayName`` and ``body/description``.

    In the stand-in a repetition makes no second channel; Graph refuses it, as the name is taken.
    """
    address = f"{_team(call, 'groupId')}/channels"
    return await session.send("POST", address, call=call, json_body=call.nested("body"))


async def members(session: ServiceSession, user: str | None, call: OperationCall) -> Answer:
    """ListTeamMembers: who belongs to a team, and who owns it."""
    return await listed_pages(session, f"{_team(call, 'teamId')}/members", call)


async def add_member(session: ServiceSession, user: str | None, call: OperationCall) -> Answer:
    """AddMemberToTeam: the person ``body/userId``, an owner where ``body/owner`` says so."""
    asked = call.nested("body")
    person = asked.get("userId")
    if not person:
        raise ValueError("AddMemberToTeam needs body/userId")
    member = {
        "@odata.type": "#microsoft.graph.aadUserConversationMember",
        "roles": ["owner"] if asked.get("owner") is True else [],
        "user@odata.bind": f"https://{GRAPH}/v1.0/users('{quote(str(person), safe='@')}')",
    }
    address = f"{_team(call, 'teamId')}/members"
    return await session.send("POST", address, call=call, json_body=member)


async def message(session: ServiceSession, user: str | None, call: OperationCall) -> Answer:
    """GetMessageDetails: a message of a channel or of a group chat (``threadType``)."""
    kind, wanted = str(call.required("threadType")).lower(), str(call.required("messageId"))
    recipient: Mapping[str, Any] = call.nested("body").get("recipient") or {}
    names = ("groupId", "channelId") if kind == "channel" else ("chatId",)
    if kind not in ("channel", "groupchat"):
        raise ValueError(f"GetMessageDetails of '{kind[:40]}' is not simulated")
    if any(not recipient.get(name) for name in names):
        missing = " and ".join(f"body/recipient/{name}" for name in names)
        raise ValueError(f"GetMessageDetails needs {missing}")
    parts = [quote(str(recipient[name]), safe="") for name in names]
    place = (
        f"{TEAMS}/{parts[0]}/channels/{parts[1]}" if len(parts) == 2 else f"/v1.0/chats/{parts[0]}"
    )
    return await session.send("GET", f"{place}/messages/{quote(wanted, safe='')}", call=call)


async def meeting(session: ServiceSession, user: str | None, call: OperationCall) -> Answer:
    """CreateTeamsMeeting: an event with a link to join, in the calendar of the option ``user``.

    :raises ValueError: when the option, the subject or a time is missing.
    """
    if user is None:
        raise ValueError("the connection has no option 'user': whose calendar the meeting is in")
    item = call.nested("item")
    event = graph_event(_flat(item))
    for name in ("subject", "start", "end"):
        if not event.get(name):
            raise ValueError(f"CreateTeamsMeeting needs item/{name}")
    online = {"isOnlineMeeting": True, "onlineMeetingProvider": "teamsForBusiness"}
    calendar = quote(str(call.required("calendarid")), safe="")
    address = f"/v1.0/users/{quote(user, safe='@')}/calendars/{calendar}/events"
    return await session.send("POST", address, call=call, json_body={**event, **online})


OPERATIONS: Mapping[str, Ask] = {
    "GetAllTeams": teams,
    "GetTeam": team,
    "GetChannelsForGroup": channels,
    "GetChannel": channel,
    "CreateChannel": create_channel,
    "ListTeamMembers": members,
    "AddMemberToTeam": add_member,
    "GetMessageDetails": message,
    "CreateTeamsMeeting": meeting,
}


def _team(call: OperationCall, name: str) -> str:
    return f"{TEAMS}/{quote(str(call.required(name)), safe='')}"


def _flat(item: Mapping[str, Any]) -> dict[str, Any]:
    """A meeting's fields as those of the calendar connector: these three stand nested here."""
    inner = {"start": "dateTime", "end": "dateTime", "body": "content", "location": "displayName"}
    return {
        name: value.get(inner[name]) if name in inner and isinstance(value, Mapping) else value
        for name, value in item.items()
    }
