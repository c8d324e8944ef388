"""One HTTP/1.1 connection to a back end: a request out, a response in, bodies with flow control.

Parsing is httptools' (the parser of Node.js); this file only moves bytes between it and asyncio.
A general client costs several times as much a request, which the gateway's hot path would feel.

What belongs to one request is an :class:`Answer` of its own: the connection may carry the next
request before whoever waits for the first has looked at it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import Any

import httptools

from hybridmandate.governance.gateway.transport import (
    Incoming,
    Outgoing,
    TransportFailure,
    TransportTimeout,
)

_HIGH_WATER = 256 * 1024
_MAX_HEAD_BYTES = 64 * 1024
Stream = AsyncIterator[bytes]


class Answer:
    """The response to one request; the connection's parser fills it."""

    __slots__ = (
        "_broken",
        "_buffered",
        "_chunks",
        "_connection",
        "_more",
        "bare",
        "begun",
        "complete",
        "due",
        "head",
        "head_bytes",
        "headers",
        "keep_alive",
        "reason",
        "status",
    )

    def __init__(self, connection: HttpConnection, *, bare: bool) -> None:
        self._connection = connection
        self._chunks: deque[bytes] = deque()
        self._buffered = 0
        self._more: asyncio.Future[None] | None = None
        self._broken: str | None = None
        self.bare = bare
        self.reason = b""
        self.headers: list[tuple[str, str]] = []
        self.head_bytes = 0
        self.status = 0
        self.head: asyncio.Future[None] = connection.loop.create_future()
        self.due = 0.0
        """When its headers must be there, in the loop's time."""
        self.keep_alive = False
        self.complete = False
        self.begun = False

    def fail(self, failure: TransportFailure) -> None:
        """The response will not come, or not to its end."""
        if self.complete:
            return
        self._broken = str(failure)
        if not self.head.done():
            self.head.set_exception(failure)
            self.head.exception()
        self._wake()

    def incoming(self, timeout: float) -> Incoming:
        """The response for whoever asked."""
        content = b"".join(self._chunks) if self.complete else None
        return Incoming(
            self.status,
            self.reason.decode("latin-1"),
            self.headers,
            self._stream(timeout),
            self._let_go,
            content,
        )

    def add(self, data: bytes) -> None:
        """A piece of the body has arrived."""
        self._chunks.append(data)
        self._buffered += len(data)
        if self._buffered > _HIGH_WATER:
            self._connection.hold()
        self._wake()

    def finish(self) -> None:
        """The response is whole."""
        self.complete = True
        self._wake()
        self._connection.answered(self)

    async def _stream(self, pause: float) -> Stream:
        while True:
            while self._chunks:
                chunk = self._chunks.popleft()
                before, self._buffered = self._buffered, self._buffered - len(chunk)
                if before > _HIGH_WATER >= self._buffered and not self.complete:
                    self._connection.go_on()
                yield chunk
            if self.complete:
                return
            if self._broken is not None:
                raise TransportFailure(f"the response broke off: {self._broken}")
            self._more = self._connection.loop.create_future()
            try:
                async with asyncio.timeout(pause):
                    await self._more
            except TimeoutError:
                self._connection.close()
                raise TransportFailure("the response's body did not arrive") from None

    def _let_go(self) -> None:
        """Nobody wants the rest: a half-read connection cannot be used again."""
        if not self.complete:
            self._connection.close()

    def _wake(self) -> None:
        if self._more is not None and not self._more.done():
            self._more.set_result(None)


class HttpConnection(asyncio.Protocol):
    """A connection; ``release`` is called with it when it may carry the next request."""

    def __init__(self, release: Callable[[HttpConnection], None], read_timeout: float) -> None:
        self.loop = asyncio.get_running_loop()
        self._release = release
        self._read_timeout = read_timeout
        self._parser = httptools.HttpResponseParser(self)
        self._transport: Any = None
        self._writable: asyncio.Future[None] | None = None
        self._closed = False
        self._held = False
        self._sent = False
        self._answer: Answer | None = None
        self._latest: Answer | None = None
        self._timer: asyncio.TimerHandle | None = None

    @property
    def usable(self) -> bool:
        """Whether another request may be sent on it."""
        return not self._closed and not self._transport.is_closing()

    async def send(self, outgoing: Outgoing, head: bytes, *, chunked: bool) -> Incoming:
        """Send a request, whose head is made, and wait for the response's headers.

        A connection whose request fails, or is given up, is ended.

        :raises TransportTimeout: when they are late. :raises TransportFailure: when the other side
            does not answer properly.
        """
        answer = self._answer = self._latest = Answer(self, bare=outgoing.method == "HEAD")
        self._sent = False
        self._expect(answer, outgoing.timeout)
        body = outgoing.body
        try:
            if body is None or isinstance(body, bytes):
                self._sent = True
                self._transport.write(head + body if body else head)
                await answer.head
            else:
                await self._send_stream(answer, head, body, chunked)
        except BaseException:
            self.close()
            raise
        return answer.incoming(self._read_timeout)

    def _expect(self, answer: Answer, seconds: float) -> None:
        """Give up on the answer after so many seconds.

        Most answers come soon: one timer serves many of them, and looks whose time it is.
        """
        answer.due = self.loop.time() + seconds
        if self._timer is not None:
            if self._timer.when() <= answer.due:
                return
            self._timer.cancel()
        self._timer = self.loop.call_at(answer.due, self._look_whether_late)

    def _look_whether_late(self) -> None:
        self._timer = None
        answer = self._answer
        if answer is None or answer.head.done():
            return
        if self.loop.time() < answer.due:
            self._timer = self.loop.call_at(answer.due, self._look_whether_late)
        else:
            answer.fail(TransportTimeout("the response's headers did not arrive in time"))

    @property
    def begun(self) -> bool:
        """Whether anything of the current response has arrived."""
        return self._latest is not None and self._latest.begun

    async def _send_stream(self, answer: Answer, head: bytes, body: Stream, chunked: bool) -> None:
        """Write the body while watching for an early answer, which ends the writing."""
        self._transport.write(head)
        writing = asyncio.ensure_future(self._write(body, chunked))
        try:
            await asyncio.wait({writing, answer.head}, return_when=asyncio.FIRST_COMPLETED)
            if writing.done():
                writing.result()
                self._sent = True
                await answer.head
        finally:
            if not writing.done():
                writing.cancel()
                await asyncio.gather(writing, return_exceptions=True)
        answer.head.result()

    async def _write(self, body: Stream, chunked: bool) -> None:
        async for chunk in body:
            if self._closed:
                raise TransportFailure("the connection ended while the body was sent")
            self._transport.write(b"%x\r\n%b\r\n" % (len(chunk), chunk) if chunked else chunk)
            if self._writable is not None:
                await self._writable
        if chunked:
            self._transport.write(b"0\r\n\r\n")

    def answered(self, answer: Answer) -> None:
        """A response is complete: the connection is free, or at its end."""
        if answer is not self._answer:
            return
        self._answer = None
        if self._sent and answer.keep_alive and not self._closed:
            self.go_on()
            self._release(self)
        else:
            self.close()

    def hold(self) -> None:
        """Read no further for now."""
        if not self._held and not self._closed:
            self._held = True
            self._transport.pause_reading()

    def go_on(self) -> None:
        """Read on."""
        if self._held and not self._closed:
            self._held = False
            self._transport.resume_reading()

    def close(self) -> None:
        """End the connection."""
        self._closed = True
        self._forget_timer()
        if self._transport is not None:
            self._transport.close()
        if self._answer is not None:
            self._answer.fail(TransportFailure("the connection was ended"))

    def _forget_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    # --- what httptools calls -----------------------------------------------------------------

    def on_message_begin(self) -> None:
        if self._answer is None:
            # Nobody asked: what follows must never be read as the answer to the next request.
            self.close()

    def on_status(self, status: bytes) -> None:
        if self._answer is not None:
            self._answer.reason += status

    def on_header(self, name: bytes, value: bytes) -> None:
        answer = self._answer
        if answer is None:
            return
        answer.head_bytes += len(name) + len(value)
        if answer.head_bytes > _MAX_HEAD_BYTES:
            raise ValueError("the response's headers are too large")
        answer.headers.append((name.decode("latin-1"), value.decode("latin-1")))

    def on_headers_complete(self) -> None:
        answer = self._answer
        if answer is None:
            return
        status = self._parser.get_status_code()
        if status < 200:
            answer.headers, answer.reason = [], b""
            return
        answer.status = status
        answer.keep_alive = self._parser.should_keep_alive()
        if not answer.head.done():
            answer.head.set_result(None)
        if answer.bare:
            # The headers may tell of a body that does not come: this parser would wait for it.
            self._parser = httptools.HttpResponseParser(self)
            answer.finish()

    def on_body(self, data: bytes) -> None:
        if self._answer is not None:
            self._answer.add(data)

    def on_message_complete(self) -> None:
        answer = self._answer
        if answer is not None and answer.status:
            answer.finish()

    # --- what asyncio calls -------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def connection_lost(self, error: Exception | None) -> None:
        self._closed = True
        self._forget_timer()
        self.resume_writing()
        if self._answer is not None:
            reason = f"the connection was lost: {error}" if error else "it ended early"
            self._answer.fail(TransportFailure(reason))

    def data_received(self, data: bytes) -> None:
        answer = self._answer
        if answer is None:
            self.close()
            return
        answer.begun = True
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            answer.fail(TransportFailure(f"the response is no HTTP: {error}"))
            self.close()

    def pause_writing(self) -> None:
        if self._writable is None:
            self._writable = self.loop.create_future()

    def resume_writing(self) -> None:
        if self._writable is not None and not self._writable.done():
            self._writable.set_result(None)
        self._writable = None
