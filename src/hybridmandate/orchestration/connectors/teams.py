"""Microsoft Teams (``shared_teams``) over Microsoft Graph v1.0, and the Bot Connector for the bot.

Sources: learn.microsoft.com/graph/api/channel-post-messages, chatmessage-post-replies, chat-post,
userteamwork-sendactivitynotification; operation ids and parameters as in the connector's public
definition (Azure/Connectors-NET-SDK) and in public flows.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, ClassVar
from urllib.parse import quote

from hybridmandate.orchestration.connectors import teams_directory
from hybridmandate.orchestration.connectors.connector import Handler
from hybridmandate.orchestration.connectors.graph_connector import GraphConnector
from hybridmandate.orchestration.connectors.graph_http import GRAPH, graph_request
from hybridmandate.orchestration.connectors.questions import (
    READ_SECONDS,
    ask,
    person,
    read_answer,
)
from hybridmandate.orchestration.connectors.request import OperationCall
from hybridmandate.orchestration.connectors.teams_places import (
    CHANNEL,
    WITH_BOT,
    people,
    post,
    to_person,
)
from hybridmandate.orchestration.engine import Answer

CARD = "application/vnd.microsoft.card.adaptive"
_CARD_ID = "card"
_PREVIEW_LENGTH = 150
"""Longest preview of a notification that Graph takes."""
_CONTINUATION = "UserFlowContinuationSubscriptionRequest"


def _looked_up(ask_for: teams_directory.Ask) -> Handler:
    """An operation of :mod:`.teams_directory`."""

    async def operation(connector: TeamsConnector, call: OperationCall) -> Answer:
        return await ask_for(connector.session, connector.settings.options.get("user"), call)

    return operation


class TeamsConnector(GraphConnector):
    """Messages, cards and questions in channels and chats; chats; notifications to people."""

    api_name = "shared_teams"
    triggers = frozenset({"OnNewChannelMessage"})

    async def post(self, call: OperationCall) -> Answer:
        """PostMessageToConversation: to a channel, a group chat, or the chat with the bot."""
        body = call.nested("body")
        return await post(self.session, call, body, _text(body))

    async def post_card(self, call: OperationCall) -> Answer:
        """PostCardToConversation: an adaptive card, its JSON in ``body/messageBody``."""
        body = call.nested("body")
        return await post(self.session, call, body, _card_message(_card(body.get("messageBody"))))

    async def reply(self, call: OperationCall) -> Answer:
        """ReplyWithMessageToConversation: to the message ``body/parentMessageId`` of a channel."""
        body = call.nested("body")
        return await self._reply(call, body, _text(body))

    async def reply_card(self, call: OperationCall) -> Answer:
        """ReplyWithCardToConversation: the same with an adaptive card."""
        body = call.nested("body")
        return await self._reply(call, body, _card_message(_card(body.get("messageBody"))))

    async def post_and_wait(self, call: OperationCall) -> Answer:
        """PostCardAndWaitForResponse: a card, then the answer of the first who gives one."""
        outer = call.nested("body")
        inner = outer.get("body")
        body = inner if isinstance(inner, Mapping) else outer
        card = _card(body.get("messageBody"))
        posted = await post(self.session, call, body, _card_message(card))
        if posted.fault is not None or posted.status >= 300:
            return posted
        with_bot = str(call.required("location")) in WITH_BOT
        asked = people(body.get("recipient")) if with_bot else None
        return await self._ask(call, card, asked)

    async def ask_person(self, call: OperationCall) -> Answer:
        """SubscribeUserFlowContinuation: a card in a person's chat with the bot, and its answer."""
        body = (call.nested(_CONTINUATION)).get("body") or {}
        card, asked = _card(body.get("messageBody")), people(body.get("recipient"))
        for each in asked:
            posted = await to_person(self.session, call, each, _card_message(card))
            if posted.fault is not None or posted.status >= 300:
                return posted
        return await self._ask(call, card, asked)

    async def read(self, location: str, parameters: Mapping[str, Any], correlation: str) -> Answer:
        """Whether the card is answered."""
        return await read_answer(
            self.session, location, correlation, self._read_seconds, _card_answer
        )

    async def create_chat(self, call: OperationCall) -> Answer:
        """CreateChat: with ``item/members``, and the option ``user`` where it is set."""
        item = call.nested("item")
        own = self.settings.options.get("user")
        members = list(dict.fromkeys([*([own] if own else []), *people(item.get("members"))]))
        topic = item.get("topic")
        kind = "oneOnOne" if len(members) == 2 and not topic else "group"
        chat = {
            "chatType": kind,
            **({"topic": topic} if topic else {}),
            "members": [_member(each) for each in members],
        }
        return await self.session.send("POST", "/v1.0/chats", call=call, json_body=chat)

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

    async def http_request(self, call: OperationCall) -> Answer:
        """HttpRequest: any request to Graph."""
        return await graph_request(self.session, call)

    @property
    def _read_seconds(self) -> str:
        return self.settings.options.get("read_seconds", READ_SECONDS)

    async def _ask(self, call: OperationCall, card: str, asked: list[str] | None) -> Answer:
        return await ask(
            self.session,
            call,
            title="Adaptive card",
            people=asked,
            options=(),
            content=json.loads(card),
            read_seconds=self._read_seconds,
        )

    async def _reply(
        self, call: OperationCall, body: Mapping[str, Any], message: Mapping[str, Any]
    ) -> Answer:
        if str(call.required("location")) != CHANNEL:
            raise ValueError(f"{call.operation_id} is simulated in channels only")
        recipient, parent = body.get("recipient") or {}, body.get("parentMessageId")
        parts = (recipient.get("groupId"), recipient.get("channelId"), parent)
        if not all(parts):
            raise ValueError(
                f"{call.operation_id} needs body/parentMessageId, body/recipient/groupId and "
                "body/recipient/channelId"
            )
        team, channel, above = (quote(str(each), safe="") for each in parts)
        address = f"/v1.0/teams/{team}/channels/{channel}/messages/{above}/replies"
        return await self.session.send("POST", address, call=call, json_body=message)

    operations: ClassVar[Mapping[str, Handler]] = {
        **{name: _looked_up(each) for name, each in teams_directory.OPERATIONS.items()},
        "PostMessageToConversation": post,
        "PostCardToConversation": post_card,
        "ReplyWithMessageToConversation": reply,
        "ReplyWithCardToConversation": reply_card,
        "PostCardAndWaitForResponse": post_and_wait,
        "SubscribeUserFlowContinuation": ask_person,
        "CreateChat": create_chat,
        "PostUserNotification": notify,
        "HttpRequest": http_request,
    }


def _text(body: Mapping[str, Any]) -> dict[str, Any]:
    return {"body": {"contentType": "html", "content": body.get("messageBody") or ""}}


def _card_message(card: str) -> dict[str, Any]:
    return {
        "body": {"contentType": "html", "content": f'<attachment id="{_CARD_ID}"></attachment>'},
        "attachments": [{"id": _CARD_ID, "contentType": CARD, "content": card}],
    }


def _member(name: str) -> dict[str, Any]:
    user = quote(name, safe="@")
    return {
        "@odata.type": "#microsoft.graph.aadUserConversationMember",
        "roles": ["owner"],
        "user@odata.bind": f"https://{GRAPH}/v1.0/users('{user}')",
    }


def _card(given: Any) -> str:
    """The card as text. :raises ValueError: when it is no adaptive card."""
    try:
        card = json.loads(given) if isinstance(given, str) else given
    except ValueError:
        raise ValueError("body/messageBody is no JSON: an adaptive card is needed") from None
    if not isinstance(card, Mapping) or card.get("type") != "AdaptiveCard":
        raise ValueError("body/messageBody is no adaptive card: its type must be AdaptiveCard")
    return json.dumps(card, ensure_ascii=False)


def _card_answer(question: Mapping[str, Any]) -> dict[str, Any]:
    who, answer = person(question), question["answer"]
    return {
        "responseTime": question["answeredDateTime"],
        "responder": {
            "objectId": who.get("id"),
            "displayName": who.get("displayName"),
            "email": who.get("email"),
            "userPrincipalName": who.get("email"),
        },
        "submitActionId": answer["action"],
        "messageId": question["id"],
        "data": answer["data"],
    }
