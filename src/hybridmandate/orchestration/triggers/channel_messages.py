"""The trigger 'When a new channel message is added' of Microsoft Teams.

Read from the channel's delta feed; replies start nothing. A run's id is made of flow and message.
The body is the list of the messages. Source: learn.microsoft.com/graph/api/chatmessage-delta.
"""

from __future__ import annotations

from urllib.parse import quote

from hybridmandate.orchestration.connectors.teams import TeamsConnector
from hybridmandate.orchestration.connectors.teams_directory import TEAMS
from hybridmandate.orchestration.definition.model import Flow
from hybridmandate.orchestration.shells.durable import FlowHost
from hybridmandate.orchestration.triggers.delta_feed import DeltaFeed
from hybridmandate.orchestration.triggers.polling import (
    Found,
    ReadingFailed,
    batch_starts,
    trigger_parameters,
)

OPERATION = "OnNewChannelMessage"


class ChannelMessages:
    """Reads one flow's channel."""

    def __init__(self, flow: Flow, connector: TeamsConnector, host: FlowHost) -> None:
        self._flow = flow
        self._host = host
        self._feed = DeltaFeed(flow, connector.session, host, dated="createdDateTime")

    async def read(self) -> int:
        """Start a run for every new message; returns how many were new.

        :raises ReadingFailed: when the channel cannot be read, or is not named.
        """
        parameters = trigger_parameters(self._flow, self._host)
        names = [parameters.get(name) for name in ("groupId", "channelId")]
        if not all(names):
            raise ReadingFailed("the trigger needs the parameters groupId and channelId")
        team, channel = (quote(str(each), safe="") for each in names)
        reading = await self._feed.read(f"{TEAMS}/{team}/channels/{channel}/messages/delta")
        new = [each for each in reading.items if each.get("replyToId") is None]
        found = [Found((str(each["id"]),), each) for each in new]
        starts = batch_starts(self._flow, self._host, found, lambda each: each)
        return await self._feed.move(reading, starts)
