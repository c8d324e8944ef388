"""A call that an ASGI server brings: its messages as the gateway reads and answers them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from ssl import PEM_cert_to_DER_cert
from typing import Any

from hybridmandate.governance.gateway.call import AnswerInvalid, CallerLeft, CallHead, Lines
from hybridmandate.governance.gateway.safety import BREAKS_A_HEAD

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class AsgiCall:
    """One HTTP request of an ASGI server (ASGI HTTP specification 2.3, TLS extension 0.2)."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._receive = receive
        self._send = send
        self.head = _head(scope)
        self.content: bytes | None = None if _tells_of_body(self.head) else b""
        self.is_left = False
        self._is_read = self.content is not None
        self._timer: asyncio.TimerHandle | None = None
        self._watching: asyncio.Task[None] | None = None

    async def receive(self) -> tuple[bytes, bool]:
        """See :class:`Call`."""
        message = await self._receive()
        if message["type"] == "http.disconnect":
            raise CallerLeft
        more: bool = message.get("more_body", False)
        self._is_read = not more
        return message.get("body", b""), more

    def watch(self, after: float) -> None:
        """See :class:`Call`.

        It begins late, so that quick calls pay only for a timer: an ASGI server tells of a
        departure only when it is asked for the next message.
        """
        task = asyncio.current_task()
        assert task is not None
        loop = task.get_loop()

        def begin() -> None:
            if self._is_read:
                self._watching = loop.create_task(self._wait_for_departure(task))
            else:
                self._timer = loop.call_later(after, begin)

        self._timer = loop.call_later(after, begin)

    def stop_watching(self) -> None:
        """See :class:`Call`."""
        if self._timer is not None:
            self._timer.cancel()
        if self._watching is not None:
            self._watching.cancel()

    def answer(self, status: int, reason: str, lines: Lines, content: bytes) -> Awaitable[None]:
        """See :class:`Call`. ASGI has no place for the reason."""
        return self._whole(_start(status, lines), content)

    def begin(self, status: int, reason: str, lines: Lines) -> Awaitable[None]:
        """See :class:`Call`."""
        return self._send(_start(status, lines))

    def send(self, piece: bytes) -> Awaitable[None]:
        """See :class:`Call`."""
        return self._send({"type": "http.response.body", "body": piece, "more_body": True})

    def end(self) -> Awaitable[None]:
        """See :class:`Call`."""
        return self._send({"type": "http.response.body", "body": b""})

    def cut_off(self) -> None:
        """See :class:`Call`. A server ends the connection of an answer that was left unended."""

    async def _whole(self, start: Message, content: bytes) -> None:
        await self._send(start)
        await self._send({"type": "http.response.body", "body": content})

    async def _wait_for_departure(self, call: asyncio.Task[Any]) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            continue
        self.is_left = True
        call.cancel()


def _head(scope: Scope) -> CallHead:
    raw: bytes = scope.get("raw_path") or scope["path"].encode()
    client = scope.get("client")
    return CallHead(
        method=scope["method"],
        path=raw.split(b"?", 1)[0],
        query=scope["query_string"].decode("latin-1"),
        headers=list(scope["headers"]),
        scheme=scope.get("scheme", "http"),
        client=client[0] if client else "127.0.0.1",
        certificate=_certificate(scope),
    )


def _certificate(scope: Scope) -> bytes | None:
    """What the caller showed in TLS, as DER."""
    tls = scope.get("extensions", {}).get("tls")
    if not tls or not tls["client_cert_chain"]:
        return None
    return PEM_cert_to_DER_cert(tls["client_cert_chain"][0])


def _tells_of_body(head: CallHead) -> bool:
    return any(
        name == b"transfer-encoding" or (name == b"content-length" and value != b"0")
        for name, value in head.headers
    )


def _start(status: int, lines: Lines) -> Message:
    headers = [
        (name.lower().encode("latin-1", "replace"), value.encode("latin-1", "replace"))
        for name, value in lines
    ]
    if any(BREAKS_A_HEAD.search(part) for line in headers for part in line):
        raise AnswerInvalid("a header of the answer holds a control sign")
    return {"type": "http.response.start", "status": status, "headers": headers}
