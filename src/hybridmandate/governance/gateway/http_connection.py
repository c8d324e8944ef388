"""One HTTP/1.1 connection to a back end: a request out, a response in, bodies with flow control.

Parsing is httptools' (the parser of Node.js); this file only moves bytes between it and asyncio.
A general client costs several times as much a request, which the gateway's hot path would feel.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import Any

import httptools

from hybridmandate.governance.gateway.transport import Incoming, TransportFailure

_HIGH_WATER = 256 * 1024
_MAX_HEAD_BYTES = 64 * 1024


class HttpConnection(asyncio.Protocol):
    """A connection; ``release`` is called with it when it may carry the next request."""

    def __init__(self, release: Callable[[HttpConnection], None], read_timeout: float) -> None:
        self._release = release
        self._read_timeout = read_timeout
        self._transport: Any = None
        self._loop = asyncio.get_running_loop()
        self._writable: asyncio.Future[None] | None = None
        self._closed = False
        self.used = False
        self._begin("GET")

    @property
    def usable(self) -> bool:
        """Whether another request may be sent on it."""
        return not self._closed and not self._transport.is_closing()

    def _begin(self, method: str) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._bare = method == "HEAD"
        self._head: asyncio.Future[None] | None = None
        self._status_text = b""
        self._headers: list[tuple[str, str]] = []
        self._head_bytes = 0
        self._chunks: deque[bytes] = deque()
        self._buffered = 0
        self._more: asyncio.Future[None] | None = None
        self._complete = False
        self._sent = False
        self._taken = False
        self._broken: str | None = None
        self.answered = False

    # --- asyncio ------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def connection_lost(self, error: Exception | None) -> None:
        self._closed = True
        if not self._complete:
            self._break(f"the connection was lost: {error}" if error else "the connection ended")

    def data_received(self, data: bytes) -> None:
        if self._complete or self._head is None:
            self.close()
            return
        self.answered = True
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self._break(f"the response is no HTTP: {error}")
            self.close()

    def eof_received(self) -> bool:
        return False

    def pause_writing(self) -> None:
        self._writable = self._loop.create_future()

    def resume_writing(self) -> None:
        if self._writable is not None and not self._writable.done():
            self._writable.set_result(None)
        self._writable = None

    # --- httptools ----------------------------------------------------------------------------

    def on_status(self, status: bytes) -> None:
        self._status_text += status

    def on_header(self, name: bytes, value: bytes) -> None:
        self._head_bytes += len(name) + len(value)
        if self._head_bytes > _MAX_HEAD_BYTES:
            raise ValueError("the response's headers are too large")
        self._headers.append((name.decode("latin-1"), value.decode("latin-1")))

    def on_headers_complete(self) -> None:
        if self._parser.get_status_code() < 200:
            self._headers, self._status_text = [], b""
            return
        self._keep_alive = self._parser.should_keep_alive()
        if self._head is not None and not self._head.done():
            self._head.set_result(None)
        if self._bare:
            self._finish()

    def on_body(self, data: bytes) -> None:
        self._chunks.append(data)
        self._buffered += len(data)
        if self._buffered > _HIGH_WATER:
            self._transport.pause_reading()
        self._wake()

    def on_message_complete(self) -> None:
        if self._parser.get_status_code() >= 200 and not self._complete:
            self._finish()

    # --- the request --------------------------------------------------------------------------

    async def send(
        self, method: str, head: bytes, body: bytes | AsyncIterator[bytes] | None, *, chunked: bool
    ) -> Incoming:
        """Send a request and wait for the response's headers.

        :raises TransportFailure: when the other side does not answer properly.
        """
        self._begin(method)
        self._head = self._loop.create_future()
        if body is None or isinstance(body, bytes):
            self._transport.write(head + body if body else head)
            self._sent = True
            await self._head
        else:
            await self._send_stream(head, body, chunked)
        return Incoming(
            status=self._parser.get_status_code(),
            reason=self._status_text.decode("latin-1"),
            headers=self._headers,
            body=self._stream(),
            close=self._let_go,
        )

    async def _send_stream(self, head: bytes, body: AsyncIterator[bytes], chunked: bool) -> None:
        """Write the body while watching for an early answer, which ends the writing."""
        assert self._head is not None
        self._transport.write(head)
        writing = asyncio.ensure_future(self._write(body, chunked))
        try:
            await asyncio.wait({writing, self._head}, return_when=asyncio.FIRST_COMPLETED)
            if writing.done():
                writing.result()
                self._sent = True
                await self._head
        finally:
            if not writing.done():
                writing.cancel()
                await asyncio.gather(writing, return_exceptions=True)
        self._head.result()

    async def _write(self, body: AsyncIterator[bytes], chunked: bool) -> None:
        async for chunk in body:
            if chunked:
                self._transport.write(b"%x\r\n%b\r\n" % (len(chunk), chunk))
            else:
                self._transport.write(chunk)
            if self._writable is not None:
                await self._writable
        if chunked:
            self._transport.write(b"0\r\n\r\n")

    # --- the response -------------------------------------------------------------------------

    async def _stream(self) -> AsyncIterator[bytes]:
        while True:
            while self._chunks:
                chunk = self._chunks.popleft()
                before, self._buffered = self._buffered, self._buffered - len(chunk)
                if before > _HIGH_WATER >= self._buffered and not self._closed:
                    self._transport.resume_reading()
                yield chunk
            if self._complete:
                return
            if self._broken is not None:
                raise TransportFailure(f"the response broke off: {self._broken}")
            self._more = self._loop.create_future()
            try:
                async with asyncio.timeout(self._read_timeout):
                    await self._more
            except TimeoutError:
                self.close()
                raise TransportFailure("the response's body did not arrive") from None

    def _finish(self) -> None:
        self._complete = True
        self._wake()
        if self._sent and self._keep_alive and not self._closed:
            if self._buffered > _HIGH_WATER:
                self._transport.resume_reading()
            self._taken = True
            self._release(self)
        else:
            self.close()

    def _let_go(self) -> None:
        """The response is not wanted any more; a half-read connection cannot be used again."""
        if not self._taken:
            self.close()

    def _wake(self) -> None:
        if self._more is not None and not self._more.done():
            self._more.set_result(None)

    def _break(self, reason: str) -> None:
        self._broken = reason
        if self._head is not None and not self._head.done():
            self._head.set_exception(TransportFailure(reason))
        self._wake()

    def close(self) -> None:
        """End the connection."""
        self._closed = True
        if self._transport is not None:
            self._transport.close()
