"""Azure Queues (``shared_azurequeues``) over the queue service's own REST interface.

The base address of the connection is the account's queue endpoint; the account that an action names
is not looked at. Source: learn.microsoft.com/connectors/azurequeues.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar
from urllib.parse import quote
from xml.sax.saxutils import escape

from lxml import etree

from hybridmandate.orchestration.connectors.connector import Connector, Handler
from hybridmandate.orchestration.connectors.request import OperationCall
from hybridmandate.orchestration.connectors.storage_answers import VERSION, xml_answer
from hybridmandate.orchestration.engine import Answer

_FIELDS = (
    "MessageId",
    "InsertionTime",
    "ExpirationTime",
    "PopReceipt",
    "TimeNextVisible",
    "DequeueCount",
    "MessageText",
)


class AzureQueuesConnector(Connector):
    """Messages of a queue: put, take under a lease, delete; queues: create."""

    api_name = "shared_azurequeues"
    triggers = frozenset({"OnMessages_V2"})

    async def put(self, call: OperationCall) -> Answer:
        """PutMessage_V2: the text goes as it is, not as base64."""
        text = escape(str(call.required("message")))
        body = f"<QueueMessage><MessageText>{text}</MessageText></QueueMessage>"
        return await self._send("POST", f"{_queue(call)}/messages", call, data=body.encode())

    async def take(self, call: OperationCall) -> Answer:
        """GetMessages_V2: ``numofmessages`` (1) under a lease of ``visibilitytimeout`` (30 s)."""
        query = {
            "numofmessages": str(call.parameters.get("numofmessages") or 1),
            "visibilitytimeout": str(call.parameters.get("visibilitytimeout") or 30),
        }
        return await self._send("GET", f"{_queue(call)}/messages", call, query=query)

    async def delete(self, call: OperationCall) -> Answer:
        """DeleteMessage_V2: only with the receipt of the last lease."""
        message = quote(str(call.required("messageId")), safe="")
        query = {"popreceipt": str(call.required("popreceipt"))}
        return await self._send("DELETE", f"{_queue(call)}/messages/{message}", call, query=query)

    async def create(self, call: OperationCall) -> Answer:
        """PutQueue_V2: a queue that is there already stays as it is."""
        return await self._send("PUT", _queue(call), call)

    async def lease(self, queue: str, *, count: int, seconds: int) -> Answer:
        """Take messages for a trigger."""
        query = {"numofmessages": str(count), "visibilitytimeout": str(seconds)}
        address = f"/{quote(queue, safe='')}/messages"
        return await self.session.send(
            "GET", address, headers=VERSION, query=query, decode=_decoded
        )

    async def remove(self, queue: str, message: str, receipt: str) -> Answer:
        """Delete a message that a trigger has taken."""
        address = f"/{quote(queue, safe='')}/messages/{quote(message, safe='')}"
        return await self.session.send(
            "DELETE", address, headers=VERSION, query={"popreceipt": receipt}
        )

    async def _send(
        self,
        method: str,
        path: str,
        call: OperationCall,
        *,
        query: Mapping[str, str] | None = None,
        data: bytes | None = None,
    ) -> Answer:
        return await self.session.send(
            method, path, call=call, headers=VERSION, query=query, data=data, decode=_decoded
        )

    operations: ClassVar[Mapping[str, Handler]] = {
        "PutMessage_V2": put,
        "GetMessages_V2": take,
        "DeleteMessage_V2": delete,
        "PutQueue_V2": create,
    }


def messages_in(answer: Answer) -> list[dict[str, Any]]:
    """The messages that :meth:`AzureQueuesConnector.lease` took."""
    listed: list[dict[str, Any]] = answer.body["QueueMessagesList"]["QueueMessage"]
    return listed


def _queue(call: OperationCall) -> str:
    return f"/{quote(str(call.required('queueName')), safe='')}"


def _messages(root: etree._Element) -> dict[str, Any]:
    messages = [
        {field: each.findtext(field) for field in _FIELDS if each.find(field) is not None}
        for each in root.iterfind("QueueMessage")
    ]
    return {"QueueMessagesList": {"QueueMessage": messages}}


_decoded = xml_answer("QueueMessagesList", _messages)
