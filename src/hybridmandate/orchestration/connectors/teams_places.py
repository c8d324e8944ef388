"""Where a message of Teams goes: a channel, a group chat, or a person's chat with the Flow bot.

Sources: learn.microsoft.com/connectors/teams ('Post in'); learn.microsoft.com/graph/api/
channel-post-messages, chat-post-messages; learn.microsoft.com/azure/bot-service/rest-api/
bot-framework-rest-connector-api-reference.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from hybridmandate.orchestration.connectors.request import OperationCall
from hybridmandate.orchestration.connectors.session import ServiceSession
from hybridmandate.orchestration.engine import Answer

CHANNEL, GROUP_CHAT = "Channel", "Group chat"
WITH_BOT = ("Chat with Flow bot", "Chat with bot", "powerva")
"""As the parameter ``location`` writes a chat with the Flow bot, or with an agent."""
CONVERSATIONS = "/v3/conversations"
Message = Mapping[str, Any]
"""A message of Graph: ``body`` with its content, ``attachments``."""


def people(recipient: Any) -> list[str]:
    """The people that a recipient names, separated by semicolons.

    :raises ValueError: when it names nobody.
    """
    whole = recipient.get("to") if isinstance(recipient, Mapping) else recipient
    found = [each.strip() for each in str(whole or "").split(";") if each.strip()]
    if not found:
        raise ValueError("body/recipient names nobody")
    return found


async def post(
    session: ServiceSession, call: OperationCall, body: Mapping[str, Any], message: Message
) -> Answer:
    """Post a message where ``location`` says.

    :raises ValueError: for a place that is not simulated or not named.
    """
    location = str(call.required("location"))
    recipient = body.get("recipient") or {}
    if location not in WITH_BOT:
        address = _place(call, location, recipient)
        return await session.send("POST", address, call=call, json_body=message)
    answer = Answer(201)
    for each in people(recipient):
        answer = await to_person(session, call, each, message)
        if answer.fault is not None or answer.status >= 300:
            break
    return answer


async def to_person(
    session: ServiceSession, call: OperationCall, person: str, message: Message
) -> Answer:
    """Post in a person's chat with the bot, as the Bot Connector does."""
    opened = await session.send(
        "POST",
        CONVERSATIONS,
        call=call,
        json_body={"isGroup": False, "members": [{"id": person}]},
    )
    if opened.fault is not None or opened.status >= 300:
        return opened
    chat = str(opened.body["id"])
    activity = {
        "type": "message",
        "from": {"name": str(call.parameters.get("poster") or "Flow bot")},
        "text": message["body"]["content"],
        "textFormat": "xml",
        "attachments": message.get("attachments") or [],
    }
    address = f"{CONVERSATIONS}/{quote(chat, safe='')}/activities"
    answer = await session.send("POST", address, call=call, json_body=activity)
    if answer.fault is not None or answer.status >= 300:
        return answer
    return Answer(201, answer.headers, {"id": answer.body["id"], "conversationId": chat})


def _place(call: OperationCall, location: str, recipient: Any) -> str:
    if location == CHANNEL:
        team, channel = recipient.get("groupId"), recipient.get("channelId")
        if not team or not channel:
            raise ValueError(f"{call.operation_id} needs body/recipient/groupId and channelId")
        place = f"/v1.0/teams/{quote(str(team), safe='')}/channels/{quote(str(channel), safe='')}"
        return f"{place}/messages"
    if location == GROUP_CHAT:
        chat = recipient if isinstance(recipient, str) else recipient.get("chatId")
        if not chat:
            raise ValueError(f"{call.operation_id} to a group chat needs body/recipient")
        return f"/v1.0/chats/{quote(str(chat), safe='')}/messages"
    raise ValueError(f"{call.operation_id} to '{location}' is not simulated")
