"""HTTP/2 at the gateway's door (RFC 9113): framing by h2, bounds and the ASGI side by us.

The same bounds hold as over HTTP/1.1: heads in bytes and count, a caller that takes nothing of its
answer is cut off, a stop lets calls end. What only HTTP/2 can be abused for is bounded too: streams
that are opened and reset at once, floods of frames that ask for nothing (both end the connection
with ENHANCE_YOUR_CALM), and answers to such frames that the caller never reads.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from typing import Any

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import (
    ConnectionTerminated,
    DataReceived,
    Event,
    PingReceived,
    PriorityUpdated,
    RemoteSettingsChanged,
    RequestReceived,
    StreamEnded,
    StreamReset,
    TrailersReceived,
    UnknownFrameReceived,
    WindowUpdated,
)
from h2.exceptions import ProtocolError, StreamClosedError
from h2.settings import SettingCodes, Settings
from hyperframe.frame import GoAwayFrame

from hybridmandate.contracts import FailureType, refusal
from hybridmandate.governance.gateway.door import HeadLimits, Refusal
from hybridmandate.governance.gateway.http2_head import Http2Head
from hybridmandate.governance.gateway.http2_stream import Http2Stream

_BROKE = ErrorCodes.INTERNAL_ERROR

Application = Callable[[MutableMapping[str, Any], Any, Any], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Http2Limits:
    """Bounds of one connection.

    ``streams`` calls at once; ``stream_window`` and ``connection_window`` are the bytes of request
    bodies that may wait unread; ``resets`` and ``idle_frames`` are counted in ten seconds;
    ``unread_answers`` are bytes that wait for a caller who reads nothing; ``quiet_seconds`` is how
    long a connection without a call is kept, ``stalled_seconds`` how long an answer stands still.
    """

    streams: int = 100
    stream_window: int = 256 * 1024
    connection_window: int = 4 * 1024 * 1024
    resets: int = 100
    idle_frames: int = 1000
    unread_answers: int = 1024 * 1024
    quiet_seconds: float = 30.0
    stalled_seconds: float = 30.0


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a server keeps of all its connections: ``connections`` and ``tasks`` are waited for at
    a stop, ``headers`` are added to each answer, ``state`` is the application's own; ``refused``
    hears of each head that did not become a call, and from where it came."""

    connections: set[Any]
    tasks: set[asyncio.Task[None]]
    headers: Callable[[], Sequence[tuple[bytes, bytes]]]
    state: Mapping[str, Any]
    refused: Callable[[Refusal, str], None]


class Http2Connection(asyncio.Protocol):
    """One caller's connection; each stream is a call of ``app``.

    ``extensions`` go into each call's ASGI scope. Time is the event loop's.
    """

    def __init__(
        self,
        app: Application,
        around: Surroundings,
        heads: HeadLimits,
        limits: Http2Limits,
        extensions: Mapping[str, Any],
    ) -> None:
        self._app = app
        self._around = around
        self._heads = heads
        self._limits = limits
        self._extensions = extensions
        self._loop = asyncio.get_running_loop()
        self._streams: dict[int, Http2Stream] = {}
        self._running: set[asyncio.Task[None]] = set()
        self._frames = _Allowance(self._loop, limits.idle_frames)
        self._resets = _Allowance(self._loop, limits.resets)
        self._writable = asyncio.Event()
        self._writable.set()
        self._quiet: asyncio.TimerHandle | None = None
        self._stopping = False
        self._h2 = _framing(heads, limits)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self._transport = transport
        self._around.connections.add(self)
        self._client = transport.get_extra_info("peername")
        self._server = transport.get_extra_info("sockname")
        self._h2.initiate_connection()
        self._h2.increment_flow_control_window(
            self._limits.connection_window - self._h2.inbound_flow_control_window
        )
        self._flush()
        self._be_quiet()

    def connection_lost(self, exc: Exception | None) -> None:
        self._around.connections.discard(self)
        self._no_longer_quiet()
        for stream in self._streams.values():
            stream.left()
        self._streams.clear()
        self._writable.set()

    def data_received(self, data: bytes) -> None:
        try:
            events = self._h2.receive_data(data)
        except ProtocolError:
            self._hang_up()  # h2 has written GOAWAY with the reason
            return
        for event in events:
            self._take(event)
            if self._transport.is_closing():
                return
        self._flush()
        if self._transport.get_write_buffer_size() > self._limits.unread_answers:
            self._transport.abort()

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def shutdown(self) -> None:
        """Take no further call; close when those that run have been answered."""
        if not self._stopping:
            self._stopping = True
            # Not through h2, for which a connection is over once GOAWAY was said.
            last = self._h2.highest_inbound_stream_id
            self._transport.write(GoAwayFrame(0, last_stream_id=last).serialize())
        self._close_when_done()

    def consumed(self, stream: int, amount: int) -> None:
        """See :class:`Wire`."""
        if amount and stream in self._streams:
            self._h2.acknowledge_received_data(amount, stream)
            self._flush()

    def send_head(
        self, stream: int, headers: list[tuple[bytes, bytes]], *, end_stream: bool
    ) -> None:
        """See :class:`Wire`."""
        if stream in self._streams:
            self._h2.send_headers(
                stream, [*headers, *self._around.headers()], end_stream=end_stream
            )
            self._flush()

    async def send_body(self, stream: Http2Stream, body: bytes, *, end_stream: bool) -> None:
        """See :class:`Wire`."""
        rest = memoryview(body)
        while True:
            size = min(len(rest), max(0, await self._room(stream, len(rest))))
            last = size == len(rest)
            self._h2.send_data(stream.number, bytes(rest[:size]), end_stream=end_stream and last)
            self._flush()
            # The caller makes room again, in the stream's window and in the connection's.
            self._frames.earn(2)
            rest = rest[size:]
            if last:
                return

    async def _room(self, stream: Http2Stream, wanted: int) -> int:
        """How much may be sent now; waits until there is some, but not for ever."""
        try:
            async with asyncio.timeout(self._limits.stalled_seconds):
                while not stream.gone:
                    await self._writable.wait()
                    room = min(
                        self._h2.local_flow_control_window(stream.number),
                        self._h2.max_outbound_frame_size,
                    )
                    if room > 0 or wanted == 0:
                        return room
                    stream.room.clear()
                    await stream.room.wait()
        except TimeoutError:
            self._reset(stream, ErrorCodes.CANCEL)
            raise ConnectionAbortedError("the caller does not take its answer") from None
        except StreamClosedError:
            pass
        raise ConnectionAbortedError("the caller went away")

    def _take(self, event: Event) -> None:
        match event:
            case RequestReceived():
                self._begin(event)
            case DataReceived():
                self._data(event)
            case StreamEnded(stream_id=int(number)):
                if stream := self._streams.get(number):
                    stream.ended()
            case StreamReset(stream_id=int(number)):
                if stream := self._streams.pop(number, None):
                    self._let_go(stream)
                self._spend(self._resets)
            case WindowUpdated(stream_id=number):
                self._spend(self._frames)
                for each in [self._streams.get(number)] if number else self._streams.values():
                    if each is not None:
                        each.room.set()
            case RemoteSettingsChanged():
                self._spend(self._frames)
                for each in self._streams.values():
                    each.room.set()
            case PingReceived() | PriorityUpdated() | UnknownFrameReceived() | TrailersReceived():
                self._spend(self._frames)
            case ConnectionTerminated():
                self._hang_up()
            case _:
                pass

    def _begin(self, event: RequestReceived) -> None:
        number = event.stream_id
        assert number is not None
        assert event.headers is not None
        if self._stopping or len(self._running) >= 2 * self._limits.streams:
            # Calls whose callers left may still be ending; no more are begun meanwhile.
            self._h2.reset_stream(number, ErrorCodes.REFUSED_STREAM)
            self._spend(self._resets)
            return
        self._no_longer_quiet()
        head = Http2Head.of(event.headers, body_follows=event.stream_ended is None)
        refused = head.refused(self._heads)
        if refused is not None:
            self._answer_at_once(number, refused)
            return
        stream = Http2Stream(self, number, head.method)
        self._streams[number] = stream
        scope = head.scope() | {
            "client": self._client,
            "server": self._server,
            "extensions": dict(self._extensions),
            "state": dict(self._around.state),
        }
        task = self._loop.create_task(self._call(stream, scope))
        for tasks in (self._running, self._around.tasks):
            tasks.add(task)
            task.add_done_callback(tasks.discard)

    def _data(self, event: DataReceived) -> None:
        number, taken = event.stream_id, event.flow_controlled_length or 0
        assert number is not None
        stream = self._streams.get(number)
        if not event.data:
            self._spend(self._frames)
        if stream is None:
            if taken:  # of a call that has been answered: only the connection's window is left
                self._h2.acknowledge_received_data(taken, number)
            return
        if event.data:
            stream.arrived(bytes(event.data), taken)
        elif taken:
            self.consumed(number, taken)

    async def _call(self, stream: Http2Stream, scope: MutableMapping[str, Any]) -> None:
        try:
            await self._app(scope, stream.receive, stream.send)
        except ConnectionAbortedError:
            pass  # the caller's own doing; the application has noted it
        except Exception as error:
            told = {"message": "a call over HTTP/2 broke", "exception": error}
            self._loop.call_exception_handler(told)
        finally:
            self._end(stream)

    def _end(self, stream: Http2Stream) -> None:
        """Forget a call; one that was not answered whole, or not read whole, is reset."""
        if self._streams.pop(stream.number, None) is not None:
            # RFC 9113, section 8.1: NO_ERROR after a whole answer asks for no more of the body.
            self._reset(stream, ErrorCodes.NO_ERROR if stream.answered else _BROKE)
        if not self._streams:
            self._be_quiet()
        self._close_when_done()

    def _reset(self, stream: Http2Stream, code: ErrorCodes) -> None:
        """End a stream, unless both sides have ended it."""
        self._streams.pop(stream.number, None)
        self._let_go(stream)
        known = self._h2.streams.get(stream.number)
        if known is not None and not known.closed:
            self._h2.reset_stream(stream.number, code)
        self._flush()

    def _let_go(self, stream: Http2Stream) -> None:
        """Nobody reads its body any more: the connection's window gets back what it held."""
        if unread := stream.unread:
            self._h2.acknowledge_received_data(unread, stream.number)
        stream.left()

    def _answer_at_once(self, number: int, refused: Refusal) -> None:
        self._around.refused(refused, self._client[0])
        outcome = refusal(
            FailureType.MALFORMED_REQUEST,
            refused.message,
            correlation_id=None,
            reason=refused.reason,
        )
        body = json.dumps(outcome.to_json()).encode()
        headers = [
            (b":status", str(refused.status).encode()),
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
            *self._around.headers(),
        ]
        self._h2.send_headers(number, headers)
        self._h2.send_data(number, body, end_stream=True)
        if not self._h2.streams[number].closed:
            self._h2.reset_stream(number, ErrorCodes.NO_ERROR)
        if not self._streams:
            self._be_quiet()

    def _spend(self, allowance: _Allowance) -> None:
        if allowance.spend():
            return
        self._h2.close_connection(ErrorCodes.ENHANCE_YOUR_CALM)
        self._hang_up()

    def _hang_up(self) -> None:
        """Send what is written and end the connection; no call is answered any more."""
        self._flush()
        for stream in self._streams.values():
            stream.left()
        self._streams.clear()
        self._transport.close()

    def _flush(self) -> None:
        data = self._h2.data_to_send()
        if data and not self._transport.is_closing():
            self._transport.write(data)

    def _be_quiet(self) -> None:
        self._no_longer_quiet()
        if self._transport.is_closing():
            return
        self._quiet = self._loop.call_later(self._limits.quiet_seconds, self._quiet_for_too_long)

    def _no_longer_quiet(self) -> None:
        if self._quiet is not None:
            self._quiet.cancel()
            self._quiet = None

    def _quiet_for_too_long(self) -> None:
        self._quiet = None
        self.shutdown()

    def _close_when_done(self) -> None:
        if self._stopping and not self._streams:
            self._transport.close()


def _framing(heads: HeadLimits, limits: Http2Limits) -> H2Connection:
    """The state of a connection, with settings that hold from its first frame on."""
    # Above the bound that we answer with a refusal of our own, h2 ends the connection.
    most_header_bytes = 2 * heads.bytes
    framing = H2Connection(H2Configuration(client_side=False, header_encoding=None))
    framing.local_settings = Settings(
        client=False,
        initial_values={
            SettingCodes.MAX_CONCURRENT_STREAMS: limits.streams,
            SettingCodes.INITIAL_WINDOW_SIZE: limits.stream_window,
            SettingCodes.MAX_HEADER_LIST_SIZE: most_header_bytes,
        },
    )
    framing.decoder.max_header_list_size = most_header_bytes
    return framing


class _Allowance:
    """How often something may happen in ten seconds of the loop's clock."""

    _SECONDS = 10.0

    def __init__(self, loop: asyncio.AbstractEventLoop, most: int) -> None:
        self._time = loop.time
        self._most = most
        self._since = loop.time()
        self._spent = 0

    def spend(self) -> bool:
        """Count one; whether it is still allowed."""
        now = self._time()
        if now - self._since > self._SECONDS:
            self._since, self._spent = now, 0
        self._spent += 1
        return self._spent <= self._most

    def earn(self, count: int) -> None:
        """Allow some more, because something was done that calls for them."""
        self._spent -= count
