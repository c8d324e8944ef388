"""One request and its answer on an HTTP/2 connection, as an ASGI application sees it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import MutableMapping
from typing import Any, Protocol

Message = MutableMapping[str, Any]

_NOT_IN_HTTP2 = frozenset(
    (b"connection", b"keep-alive", b"proxy-connection", b"transfer-encoding", b"upgrade")
)
"""Headers that belong to an HTTP/1.1 connection (RFC 9113, section 8.2.2)."""


class Wire(Protocol):
    """What a stream asks of its connection."""

    def consumed(self, stream: int, amount: int) -> None:
        """Give the caller room for ``amount`` further bytes."""

    def send_head(
        self, stream: int, headers: list[tuple[bytes, bytes]], *, end_stream: bool
    ) -> None:
        """Send the head of the answer."""

    async def send_body(self, stream: Http2Stream, body: bytes, *, end_stream: bool) -> None:
        """Send a piece of the answer as fast as the caller takes it.

        :raises ConnectionAbortedError: when the caller went away or is too slow.
        """


class Http2Stream:
    """``receive`` and ``send`` of one request; body pieces wait here until they are read.

    Room is given back to the caller only for what the application has read, so that a body never
    takes more memory than the stream's window.
    """

    def __init__(self, wire: Wire, number: int, method: bytes) -> None:
        self._wire = wire
        self.number = number
        self.answered = False
        self.gone = False
        self.room = asyncio.Event()
        """Set when the caller may have made room for more of the answer."""
        self._pieces: deque[tuple[bytes, int]] = deque()
        self._ended = False
        self._arrived = asyncio.Event()
        self._head: list[tuple[bytes, bytes]] | None = None
        self._bodiless = method == b"HEAD"

    def arrived(self, data: bytes, taken: int) -> None:
        """A piece of the body, and how much of the window it took."""
        self._pieces.append((data, taken))
        self._arrived.set()

    def ended(self) -> None:
        """The body is whole."""
        self._ended = True
        self._arrived.set()

    def left(self) -> None:
        """The caller reset the stream, or the connection is gone."""
        self.gone = True
        self._pieces.clear()
        self._arrived.set()
        self.room.set()

    @property
    def unread(self) -> int:
        """How much of the connection's window the pieces hold that nobody has read."""
        return sum(taken for _, taken in self._pieces)

    async def receive(self) -> Message:
        """The next piece of the body, or that the caller left."""
        while True:
            if self.gone or self.answered:
                return {"type": "http.disconnect"}
            if self._pieces:
                data, taken = self._pieces.popleft()
                self._wire.consumed(self.number, taken)
                more = bool(self._pieces) or not self._ended
                if not more:
                    self._ended = False
                return {"type": "http.request", "body": data, "more_body": more}
            if self._ended:
                self._ended = False
                return {"type": "http.request", "body": b"", "more_body": False}
            self._arrived.clear()
            await self._arrived.wait()

    async def send(self, message: Message) -> None:
        """Send the head or a piece of the answer; nothing once the caller has left."""
        if self.gone:
            return
        if message["type"] == "http.response.start":
            self._head = [
                (b":status", str(message["status"]).encode()),
                *(each for each in message["headers"] if each[0] not in _NOT_IN_HTTP2),
            ]
            return
        body: bytes = b"" if self._bodiless else message.get("body", b"")
        last = not message.get("more_body", False)
        if self._head is not None:
            head, self._head = self._head, None
            self._wire.send_head(self.number, head, end_stream=last and not body)
            if last and not body:
                self.answered = True
                return
        if body or last:
            await self._wire.send_body(self, body, end_stream=last)
        self.answered = last
