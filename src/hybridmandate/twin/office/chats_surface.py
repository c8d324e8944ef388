"""Chats of Teams: Graph's chats, and the Bot Connector's conversations of the Flow bot.

A person reads and writes only in chats that they belong to. Sources: learn.microsoft.com/graph/api/
chat-post, chat-list, chat-post-messages; learn.microsoft.com/azure/bot-service/rest-api/
bot-framework-rest-connector-api-reference (Create Conversation, Send to Conversation).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from hybridmandate.twin.office.body import graph_time, json_body, listed
from hybridmandate.twin.office.caller import Persona, require
from hybridmandate.twin.office.chats import GROUP, ONE_ON_ONE, WITH_BOT, Chats, belongs
from hybridmandate.twin.office.errors import GraphError, not_found
from hybridmandate.twin.office.messages import Messages
from hybridmandate.twin.office.tables import Row
from hybridmandate.twin.office.teams_surface import MAX_MESSAGE_BYTES, message_of, posted

_BOUND = re.compile(r"users(?:/|\('?)(?P<user>[^')]+)(?:'?\))?$")
MailOf = Callable[[str], str | None]
"""The mail address of a person by object id or sign-in name, None for nobody."""


class ChatsSurface:
    """Endpoints of chats; ``mail_of`` knows the tenant's people."""

    def __init__(self, chats: Chats, messages: Messages, mail_of: MailOf) -> None:
        self._chats = chats
        self._messages = messages
        self._mail_of = mail_of

    async def chats(self, request: Request, caller: Persona) -> Response:
        """A person's chats; POST makes one."""
        if request.method == "GET":
            if caller.mail is None:
                raise GraphError(412, "PreconditionFailed", "/chats needs a signed-in person.")
            rows = await run_in_threadpool(self._chats.of, caller.mail)
            return JSONResponse({"value": [_chat(each) for each in rows]})
        require(caller, "Chat.Create")
        asked = await json_body(request)
        kind = asked.get("chatType")
        members = [self._member(each) for each in listed(asked, "members")]
        if caller.mail is not None and caller.mail.lower() not in members:
            raise GraphError(403, "Forbidden", "The caller must be one of the members.")
        if kind not in (ONE_ON_ONE, GROUP):
            raise GraphError(400, "BadRequest", "chatType is 'oneOnOne' or 'group'.")
        if not members or (kind == ONE_ON_ONE and len(set(members)) != 2):
            raise GraphError(400, "BadRequest", "A oneOnOne chat has two members, a group some.")
        made = await run_in_threadpool(
            self._chats.add,
            kind,
            members,
            asked.get("topic"),
            request=request.headers.get("client-request-id"),
        )
        return JSONResponse(_chat(made), status_code=201)

    async def chat(self, request: Request, caller: Persona) -> Response:
        """One chat."""
        require(caller, "Chat.Read.All", "Chat.Create", "ChatMessage.Send")
        return JSONResponse(_chat(await self._found(request, caller)))

    async def messages(self, request: Request, caller: Persona) -> Response:
        """The messages of a chat; POST adds one."""
        writes = request.method == "POST"
        require(caller, "ChatMessage.Send" if writes else "Chat.Read.All")
        chat = await self._found(request, caller)
        if writes:
            return await posted(self._messages, request, caller, "", chat["id"])
        rows = await run_in_threadpool(self._messages.messages, "", chat["id"])
        return JSONResponse({"value": [message_of(each) for each in rows]})

    async def message(self, request: Request, caller: Persona) -> Response:
        """One message of a chat."""
        require(caller, "Chat.Read.All")
        chat = await self._found(request, caller)
        wanted = request.path_params["message"]
        found = await run_in_threadpool(self._messages.message, "", chat["id"], wanted)
        if found is None:
            raise not_found(f"The message '{wanted}'")
        return JSONResponse(message_of(found))

    async def conversation(self, request: Request, caller: Persona) -> Response:
        """The bot's conversation with one person."""
        self._only_bot(caller)
        given = listed(await json_body(request), "members")
        if len(given) != 1 or not isinstance(given[0], dict):
            raise GraphError(400, "BadSyntax", "members must name one person.")
        mail = self._known(str(given[0].get("id") or ""))
        made = await run_in_threadpool(self._chats.add, WITH_BOT, [mail], None, request=None)
        return JSONResponse({"id": made["id"]}, status_code=201)

    async def activities(self, request: Request, caller: Persona) -> Response:
        """Post a message of the bot in a conversation."""
        self._only_bot(caller)
        chat = await self._found(request, caller)
        given = await json_body(request, MAX_MESSAGE_BYTES)
        if given.get("type") != "message":
            raise GraphError(400, "BadSyntax", "An activity of type 'message' is needed.")
        added = await run_in_threadpool(
            self._messages.post_message,
            "",
            chat["id"],
            str(given.get("text") or ""),
            "html",
            {"application": {"displayName": _bot_name(given)}},
            attachments=listed(given, "attachments"),
            request=request.headers.get("client-request-id"),
        )
        return JSONResponse({"id": added["id"]}, status_code=201)

    def _only_bot(self, caller: Persona) -> None:
        if caller.is_person:
            raise GraphError(403, "BotDisabledByAdmin", "A person is no bot.")
        require(caller, "ChatMessage.Send")

    async def _found(self, request: Request, caller: Persona) -> Row:
        chat_id = request.path_params["chat"]
        found = await run_in_threadpool(self._chats.find, chat_id)
        if found is None or (caller.is_person and not belongs(found, caller.mail or "")):
            raise not_found(f"The chat '{chat_id}'")
        return found

    def _member(self, given: Any) -> str:
        bound = given.get("user@odata.bind") if isinstance(given, dict) else None
        match = _BOUND.search(str(bound or ""))
        if match is None:
            raise GraphError(400, "BadRequest", "A member needs user@odata.bind.")
        return self._known(match["user"])

    def _known(self, name: str) -> str:
        mail = self._mail_of(name)
        if mail is None:
            raise not_found(f"The user '{name}'")
        return mail.lower()


def _bot_name(activity: dict[str, Any]) -> str:
    sender = activity.get("from")
    name = sender.get("name") if isinstance(sender, dict) else None
    return str(name or "Flow bot")


def _chat(row: Row) -> dict[str, Any]:
    return {
        "id": row["id"],
        "chatType": row["kind"],
        "topic": row["topic"],
        "createdDateTime": graph_time(row["created"]),
        "members": [{"email": each} for each in json.loads(row["members"])],
    }
