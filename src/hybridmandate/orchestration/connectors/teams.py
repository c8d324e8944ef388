"""Microsoft Teams (``shared_teams``) over Microsoft Graph v1.0.

Sources: learn.microsoft.com/graph/api/channel-post-messages, chat-post-messages,
userteamwork-sendactivitynotification.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, ClassVar
from urllib.parse import quote

from hybridmandate.orchestration.connectors.connector import Connector, Handler
from hybridmandate.orchestration.connectors.request import OperationCall
from hybridmandate.orchestration.engine import Answer

CARD = "application/vnd.microsoft.card.adaptive"
_CARD_ID = "card"
_PREVIEW_LENGTH = 150
"""Longest preview of a notification that Graph takes."""


class TeamsConnector(Connector):
    """Messages and adaptive cards in channels and group chats; notifications to people."""

    api_name = "shared_teams"

    async def post(self, call: OperationCall) -> Answer:
        """PostMessageToConversation: to a channel or a group chat; other places are refused."""
        body = call.nested("body")
        message = {"body": {"contentType": "html", "content": body.get("messageBody") or ""}}
        return await self.session.send("POST", _place(call, body), call=call, json_body=message)

    async def post_card(self, call: OperationCall) -> Answer:
        """PostCardToConversation: an adaptive card, its JSON in ``body/messageBody``."""
        body = call.nested("body")
        message = {
            "body": {
                "contentType": "html",
                "content": f'<attachment id="{_CARD_ID}"></attachment>',
            },
            "attachments": [
                {"id": _CARD_ID, "contentType": CARD, "content": _card(body.get("messageBody"))}
            ],
        }
        return await self.session.send("POST", _place(call, body), call=call, json_body=message)

    async def notify(self, call: OperationCall) -> Answer:
        """PostUserNotification: to the person ``notificationDefinition/recipient/to``."""
        asked = call.nested("notificationDefinition")
        recipient = (asked.get("recipient") or {}).get("to")
        if not recipient:
            raise ValueError("PostUserNotification needs notificationDefinition/recipient/to")
        body = {
            "topic": {"source": "text", "value": call.parameters.get("poster") or "Flow bot"},
            "activityType": "systemDefault",
            "previewText": {"content": str(asked.get("notificationText") or "")[:_PREVIEW_LENGTH]},
        }
        user = quote(str(recipient), safe="@")
        address = f"/v1.0/users/{user}/teamwork/sendActivityNotification"
        return await self.session.send("POST", address, call=call, json_body=body)

    operations: ClassVar[Mapping[str, Handler]] = {
        "PostMessageToConversation": post,
        "PostCardToConversation": post_card,
        "PostUserNotification": notify,
    }


def _place(call: OperationCall, body: Mapping[str, Any]) -> str:
    """Where a message goes. :raises ValueError: for a place that is not simulated."""
    location = str(call.required("location"))
    recipient = body.get("recipient") or {}
    if location == "Channel":
        team, channel = recipient.get("groupId"), recipient.get("channelId")
        if not team or not channel:
            raise ValueError(f"{call.operation_id} needs body/recipient/groupId and channelId")
        place = f"/v1.0/teams/{quote(str(team), safe='')}/channels/{quote(str(channel), safe='')}"
        return f"{place}/messages"
    if location == "Group chat":
        chat = recipient if isinstance(recipient, str) else recipient.get("chatId")
        if not chat:
            raise ValueError(f"{call.operation_id} to a group chat needs body/recipient")
        return f"/v1.0/chats/{quote(str(chat), safe='')}/messages"
    raise ValueError(f"{call.operation_id} to '{location}' is not simulated")


def _card(given: Any) -> str:
    """The card as text. :raises ValueError: when it is no adaptive card."""
    try:
        card = json.loads(given) if isinstance(given, str) else given
    except ValueError:
        raise ValueError("body/messageBody is no JSON: an adaptive card is needed") from None
    if not isinstance(card, Mapping) or card.get("type") != "AdaptiveCard":
        raise ValueError("body/messageBody is no adaptive card: its type must be AdaptiveCard")
    return json.dumps(card, ensure_ascii=False)
