"""The queue service: queues and their messages."""

from __future__ import annotations

import json
from functools import partial

from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from hybridmandate.twin.storage.access import Right, demand
from hybridmandate.twin.storage.errors import StorageError, not_implemented, out_of_range
from hybridmandate.twin.storage.listing import page
from hybridmandate.twin.storage.markup import (
    MarkupInvalid,
    branch,
    document,
    http_date,
    leaf,
    parsed,
    writable,
)
from hybridmandate.twin.storage.names import (
    metadata_headers,
    metadata_of,
    number,
    resource_name,
)
from hybridmandate.twin.storage.queues import Queues
from hybridmandate.twin.storage.requests import Asked
from hybridmandate.twin.storage.tables import Row

MAX_MESSAGE_BYTES = 64 * 1024
"""Largest message text ('Put Message')."""
_MAX_BODY_BYTES = 2 * MAX_MESSAGE_BYTES
"""Room for the markup around a message."""
WEEK_SECONDS = 604_800
MAX_TAKEN = 32
_LONGEST_LIFE = 2**31 - 1


class QueueSurface:
    """Endpoints of the queue service."""

    def __init__(self, queues: Queues, endpoint: str) -> None:
        self._queues = queues
        self._endpoint = endpoint

    async def service(self, asked: Asked) -> Response:
        """The account: List Queues."""
        if (asked.method, asked.comp) != ("GET", "list"):
            raise not_implemented(f"{asked.method} of the queue service with comp={asked.comp}")
        demand(asked.rights, Right.QUEUE_READ)
        shown = partial(_queue, with_metadata="metadata" in asked.query.get("include", ""))
        return await page(asked, self._queues.listed, shown, "Queues", self._endpoint)

    async def queue(self, asked: Asked, name: str) -> Response:
        """One queue: Create, Delete, Get and Set Metadata."""
        resource_name(name)
        match (asked.method, asked.comp):
            case ("PUT", ""):
                demand(asked.rights, Right.QUEUE_WRITE)
                made = await run_in_threadpool(
                    self._queues.create, name, metadata_of(asked.headers)
                )
                return Response(status_code=201 if made else 204)
            case ("DELETE", ""):
                demand(asked.rights, Right.QUEUE_WRITE)
                await run_in_threadpool(self._queues.drop, name)
                return Response(status_code=204)
            case ("GET" | "HEAD", "metadata"):
                demand(asked.rights, Right.QUEUE_READ)
                metadata, count = await run_in_threadpool(self._queues.properties, name)
                counted = {"x-ms-approximate-messages-count": str(count)}
                return Response(headers={**metadata_headers(metadata), **counted})
            case ("PUT", "metadata"):
                demand(asked.rights, Right.QUEUE_WRITE)
                metadata = metadata_of(asked.headers)
                await run_in_threadpool(self._queues.set_metadata, name, metadata)
                return Response(status_code=204)
        raise not_implemented(f"{asked.method} of a queue with comp={asked.comp}")

    async def messages(self, asked: Asked, name: str) -> Response:
        """The messages of a queue: Put, Get, Peek, Clear."""
        resource_name(name)
        if asked.method == "POST":
            return await self._put(asked, name)
        if asked.method == "GET":
            return await self._read(asked, name)
        if asked.method == "DELETE":
            demand(asked.rights, Right.MESSAGE_DELETE)
            await run_in_threadpool(self._queues.clear, name)
            return Response(status_code=204)
        raise not_implemented(f"{asked.method} of messages")

    async def message(self, asked: Asked, name: str, message_id: str) -> Response:
        """One message that was taken: Update, Delete."""
        resource_name(name)
        receipt = asked.query.get("popreceipt")
        if not receipt:
            raise StorageError(
                400,
                "MissingRequiredQueryParameter",
                "A query parameter that's mandatory for this request is not specified: popreceipt",
            )
        if asked.method == "DELETE":
            demand(asked.rights, Right.MESSAGE_DELETE)
            await run_in_threadpool(self._queues.delete, name, message_id, receipt)
            return Response(status_code=204)
        if asked.method != "PUT":
            raise not_implemented(f"{asked.method} of a message")
        demand(asked.rights, Right.MESSAGE_WRITE)
        invisible = number(asked.query, "visibilitytimeout", -1, lowest=0, highest=WEEK_SECONDS)
        if invisible == -1:
            raise StorageError(
                400,
                "MissingRequiredQueryParameter",
                "A query parameter that's mandatory for this request is not specified: "
                "visibilitytimeout",
            )
        body = await asked.body(_MAX_BODY_BYTES)
        row = await run_in_threadpool(
            self._queues.change,
            name,
            message_id,
            receipt,
            invisible=invisible,
            text=_text(body) if body else None,
        )
        headers = {
            "x-ms-popreceipt": row["receipt"],
            "x-ms-time-next-visible": http_date(row["visible"]),
        }
        return Response(status_code=204, headers=headers)

    async def _put(self, asked: Asked, name: str) -> Response:
        demand(asked.rights, Right.MESSAGE_ADD, Right.MESSAGE_WRITE)
        life = number(asked.query, "messagettl", WEEK_SECONDS, lowest=-1, highest=_LONGEST_LIFE)
        if life == 0:
            raise out_of_range("messagettl", 0, 1, _LONGEST_LIFE)
        invisible = number(asked.query, "visibilitytimeout", 0, lowest=0, highest=WEEK_SECONDS)
        if life != -1 and invisible >= life > 0 and invisible > 0:
            raise out_of_range("visibilitytimeout", invisible, 0, life - 1)
        text = _text(await asked.body(_MAX_BODY_BYTES))
        row = await run_in_threadpool(self._queues.put, name, text, invisible=invisible, life=life)
        inner = _identity(row) + leaf("PopReceipt", row["receipt"])
        return _messages([inner + leaf("TimeNextVisible", http_date(row["visible"]))], status=201)

    async def _read(self, asked: Asked, name: str) -> Response:
        count = number(asked.query, "numofmessages", 1, lowest=1, highest=MAX_TAKEN)
        if asked.query.get("peekonly", "").lower() == "true":
            demand(asked.rights, Right.MESSAGE_READ)
            rows = await run_in_threadpool(self._queues.peek, name, count)
            return _messages([_identity(each) + _delivery(each) for each in rows])
        demand(asked.rights, Right.MESSAGE_PROCESS)
        invisible = number(asked.query, "visibilitytimeout", 30, lowest=1, highest=WEEK_SECONDS)
        rows = await run_in_threadpool(self._queues.take, name, count, invisible)
        return _messages(
            [
                _identity(each)
                + leaf("PopReceipt", each["receipt"])
                + leaf("TimeNextVisible", http_date(each["visible"]))
                + _delivery(each)
                for each in rows
            ]
        )


def _queue(row: Row, *, with_metadata: bool) -> str:
    inner = leaf("Name", row["name"])
    if with_metadata:
        pairs = json.loads(row["metadata"]).items()
        inner += branch("Metadata", "".join(leaf(key, value) for key, value in pairs))
    return branch("Queue", inner)


def _identity(row: Row) -> str:
    never = 253_402_300_799  # 31 December 9999, as the service writes a message without end
    expires = never if row["expires"] is None else row["expires"]
    return (
        leaf("MessageId", row["id"])
        + leaf("InsertionTime", http_date(row["inserted"]))
        + leaf("ExpirationTime", http_date(expires))
    )


def _delivery(row: Row) -> str:
    return leaf("DequeueCount", row["dequeued"]) + leaf("MessageText", row["text"])


def _messages(rows: list[str], status: int = 200) -> Response:
    inner = "".join(branch("QueueMessage", each) for each in rows)
    body = document("QueueMessagesList", inner)
    return Response(body, status_code=status, media_type="application/xml")


def _text(body: bytes) -> str:
    """The text of a message in a request's body. :raises StorageError: 400 or 413."""
    try:
        root = parsed(body)
    except MarkupInvalid:
        raise _invalid_document() from None
    found = root.find("MessageText") if root.tag == "QueueMessage" else None
    if found is None or len(found):
        raise _invalid_document()
    text = found.text or ""
    if len(text.encode()) > MAX_MESSAGE_BYTES:
        raise StorageError(
            413,
            "RequestBodyTooLarge",
            f"The request body is too large: a message has at most {MAX_MESSAGE_BYTES} bytes.",
        )
    if not writable(text):
        raise _invalid_document()
    return text


def _invalid_document() -> StorageError:
    return StorageError(
        400, "InvalidXmlDocument", "The specified XML document is not syntactically valid."
    )
