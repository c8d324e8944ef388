"""Microsoft Teams (``shared_teams``) over Microsoft Graph v1.0."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar
from urllib.parse import quote

from hybridmandate.orchestration.connectors.connector import Connector, Handler
from hybridmandate.orchestration.connectors.request import OperationCall
from hybridmandate.orchestration.engine import Answer


class TeamsConnector(Connector):
    """Channel messages: post."""

    api_name = "shared_teams"

    async def post(self, call: OperationCall) -> Answer:
        """PostMessageToConversation with ``location`` Channel; other places are refused."""
        location = str(call.required("location"))
        if location != "Channel":
            raise ValueError(f"PostMessageToConversation to '{location}' is not simulated")
        body = call.nested("body")
        recipient = body.get("recipient") or {}
        team, channel = recipient.get("groupId"), recipient.get("channelId")
        if not team or not channel:
            raise ValueError("PostMessageToConversation needs body/recipient/groupId and channelId")
        path = f"/v1.0/teams/{quote(str(team))}/channels/{quote(str(channel))}/messages"
        message = {"body": {"contentType": "html", "content": body.get("messageBody") or ""}}
        return await self.session.send("POST", path, call=call, json_body=message)

    operations: ClassVar[Mapping[str, Handler]] = {"PostMessageToConversation": post}
