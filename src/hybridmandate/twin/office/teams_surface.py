"""Graph's Teams: messages of channels, notifications to people."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from hybridmandate.twin.office.body import graph_time, json_body, listed, part
from hybridmandate.twin.office.caller import Persona, require
from hybridmandate.twin.office.errors import GraphError, not_found
from hybridmandate.twin.office.groups import Groups
from hybridmandate.twin.office.messages import Messages
from hybridmandate.twin.office.query import change_after
from hybridmandate.twin.office.tables import Row

MAX_MESSAGE_BYTES = 28 * 1024
"""Largest message with its cards (learn.microsoft.com/microsoftteams/limits-specifications)."""


class TeamsSurface:
    """Endpoints of channels and notifications."""

    def __init__(self, origin: str, messages: Messages, groups: Groups) -> None:
        self._origin = origin.rstrip("/")
        self._messages = messages
        self._groups = groups

    async def channel(self, request: Request, caller: Persona) -> Response:
        """The messages of a channel; POST adds one."""
        team, channel = await self._place(request, caller)
        if request.method == "POST":
            require(caller, "ChannelMessage.Send")
            return await posted(self._messages, request, caller, team, channel)
        require(caller, "ChannelMessage.Read.All")
        return await self._list(team, channel)

    async def replies(self, request: Request, caller: Persona) -> Response:
        """The replies to a message of a channel; POST adds one."""
        team, channel = await self._place(request, caller)
        message = request.path_params["message"]
        if request.method == "POST":
            require(caller, "ChannelMessage.Send")
            return await posted(self._messages, request, caller, team, channel, reply_to=message)
        require(caller, "ChannelMessage.Read.All")
        return await self._list(team, channel, reply_to=message)

    async def message(self, request: Request, caller: Persona) -> Response:
        """One message of a channel, or a reply."""
        require(caller, "ChannelMessage.Read.All")
        team, channel = await self._place(request, caller)
        wanted = request.path_params["message"]
        found = await run_in_threadpool(self._messages.message, team, channel, wanted)
        if found is None:
            raise not_found(f"The message '{wanted}'")
        return JSONResponse(message_of(found))

    async def delta(self, request: Request, caller: Persona) -> Response:
        """The messages of a channel since a token; a message is never changed here."""
        require(caller, "ChannelMessage.Read.All")
        team, channel = await self._place(request, caller)
        last = await run_in_threadpool(self._messages.last_message)
        after = change_after(request.query_params, last)
        rows = await run_in_threadpool(self._messages.messages_after, team, channel, after)
        newest = max([after, *(each["number"] for each in rows)])
        link = f"{self._origin}{quote(request.url.path)}?token={newest}"
        shown = [message_of(each) for each in rows]
        return JSONResponse({"value": shown, "@odata.deltaLink": link})

    async def notify(self, request: Request, caller: Persona) -> Response:
        """Send a person a notification."""
        require(caller, "TeamsActivity.Send")
        given = await json_body(request)
        part(given, "topic")
        text = part(given, "previewText").get("content")
        if not isinstance(text, str) or not text or len(text) > 150:
            raise GraphError(400, "BadRequest", "previewText.content needs 1 to 150 characters.")
        await run_in_threadpool(
            self._messages.notify,
            request.path_params["user"],
            text,
            request=request.headers.get("client-request-id"),
        )
        return Response(status_code=204)

    async def _place(self, request: Request, caller: Persona) -> tuple[str, str]:
        """The team and the channel of a request.

        A team that was made has its channels and its people; in one that was not, a channel is
        there when somebody writes in it.
        """
        team, channel = request.path_params["team"], request.path_params["channel"]
        if await run_in_threadpool(self._groups.team, team) is None:
            return team, channel
        if not await run_in_threadpool(self._groups.lets_in, team, caller.mail):
            raise GraphError(403, "Forbidden", "The caller is no member of the team.")
        if await run_in_threadpool(self._groups.channel, team, channel) is None:
            raise not_found(f"The channel '{channel}'")
        return team, channel

    async def _list(self, team: str, channel: str, *, reply_to: str | None = None) -> Response:
        messages = await run_in_threadpool(
            self._messages.messages, team, channel, reply_to=reply_to
        )
        return JSONResponse({"value": [message_of(each) for each in messages]})


async def posted(
    messages: Messages,
    request: Request,
    caller: Persona,
    team: str,
    channel: str,
    *,
    reply_to: str | None = None,
) -> Response:
    """Post the message of a request, once; an empty team means the chat ``channel``."""
    given = await json_body(request, MAX_MESSAGE_BYTES)
    body = part(given, "body")
    added = await run_in_threadpool(
        messages.post_message,
        team,
        channel,
        str(body.get("content", "")),
        str(body.get("contentType", "text")).lower(),
        caller.to_graph(),
        attachments=listed(given, "attachments"),
        request=request.headers.get("client-request-id"),
        reply_to=reply_to,
    )
    return JSONResponse(message_of(added), status_code=201)


def message_of(row: Row) -> dict[str, Any]:
    """A message as Graph shows it."""
    place: dict[str, Any] = (
        {"channelIdentity": {"teamId": row["team"], "channelId": row["channel"]}}
        if row["team"]
        else {"chatId": row["channel"]}
    )
    return {
        "id": row["id"],
        "body": {"contentType": row["body_type"], "content": row["body"]},
        "from": json.loads(row["sender"]),
        "replyToId": row["reply_to"],
        **place,
        "attachments": json.loads(row["attachments"]),
        "createdDateTime": graph_time(row["sent"]),
    }
