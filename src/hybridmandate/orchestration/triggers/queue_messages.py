"""The trigger 'When there are messages in a queue (V2)' of Azure Queues.

A message is taken under a lease, starts one run whose id is made of queue and message id, and is
deleted after the start. A crash between the two lets the lease end: the message comes again, its
run is there already, and it is deleted then. A message that starts no run because of a trigger
condition is deleted, too.
"""

from __future__ import annotations

from typing import Any

from hybridmandate.orchestration.connectors.azure_queues import AzureQueuesConnector, messages_in
from hybridmandate.orchestration.definition.model import Flow
from hybridmandate.orchestration.shells.durable import FlowHost
from hybridmandate.orchestration.triggers.polling import (
    Found,
    ReadingFailed,
    start_batch,
    trigger_parameters,
)

OPERATION = "OnMessages_V2"
LEASE_SECONDS = 60
"""How long a message is hidden while its run is started."""
TAKEN = 32
"""The most that a queue gives at once ('Get Messages')."""


class QueueMessages:
    """Reads one flow's queue."""

    def __init__(self, flow: Flow, connector: AzureQueuesConnector, host: FlowHost) -> None:
        self._flow = flow
        self._connector = connector
        self._host = host

    async def read(self) -> int:
        """Start a run for every message that can be taken; returns how many were new.

        :raises ReadingFailed: when the queue cannot be read, or a message not be deleted.
        """
        queue = str(trigger_parameters(self._flow, self._host).get("queueName") or "")
        if not queue:
            raise ReadingFailed("the trigger names no queue: its parameter is queueName")
        started = 0
        while True:
            taken = await self._connector.lease(queue, count=TAKEN, seconds=LEASE_SECONDS)
            if taken.fault is not None or taken.status != 200:
                raise ReadingFailed(taken.message or f"queue '{queue}' answered {taken.status}")
            messages = messages_in(taken)
            for each in messages:
                started += await self._start(queue, each)
            if len(messages) < TAKEN or not self._host.admits(self._flow):
                return started

    async def _start(self, queue: str, message: dict[str, Any]) -> int:
        found = Found((queue, message["MessageId"]), message)
        started = await start_batch(self._flow, self._host, [found], _body)
        removed = await self._connector.remove(queue, message["MessageId"], message["PopReceipt"])
        # 404: somebody else deleted it; 400: the lease ended and another reading has it.
        if removed.fault is not None or removed.status not in (204, 400, 404):
            raise ReadingFailed(
                removed.message or f"a message of '{queue}' was not deleted ({removed.status})"
            )
        return started


def _body(messages: list[Any]) -> dict[str, Any]:
    return {"QueueMessagesList": {"QueueMessage": messages}}
