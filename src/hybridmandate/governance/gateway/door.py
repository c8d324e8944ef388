"""The gateway's door on the wire: what is no proper request head never becomes a call.

Reads HTTP/1.1 with httptools (llhttp, strict: two lengths, folded headers, bad chunk sizes and the
like are errors) and gives calls to the gateway, one after the other. Heads are bounded in time and
in bytes while they arrive, and a target must be a path (RFC 9112, section 3.2: absolute-form and
CONNECT are for proxies). Each refusal is an outcome in the standard shape and evidence, after which
the connection ends.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Protocol

import httptools
from uvicorn.config import Config
from uvicorn.server import ServerState

from hybridmandate.contracts import FailureType, refusal
from hybridmandate.governance.gateway.call import Call, CallHead
from hybridmandate.governance.gateway.door_call import DoorCall

LINGER_SECONDS = 2.0
"""How long the rest of a refused body is read before the connection ends: a caller that is still
sending would lose the answer."""
FLUSH_SECONDS = 10.0
"""How long a connection that is ended waits for the caller to take the last of its answer."""


@dataclass(frozen=True, slots=True)
class HeadLimits:
    """Bounds of a request's head: ``seconds`` until it has arrived, ``bytes`` and ``count`` of its
    headers; the target counts as bytes."""

    seconds: float = 10.0
    bytes: int = 48 * 1024
    count: int = 150


@dataclass(frozen=True, slots=True)
class Refusal:
    """A head, or a body's framing, that is not read on."""

    status: int
    reason: str
    message: str


class Application(Protocol):
    """What a door gives calls to."""

    async def serve(self, call: Call) -> None:
        """Answer a call."""

    def refused_at_door(self, refusal: Refusal, client: str) -> None:
        """Note a request that did not become a call."""


class _Refused(Exception):
    """Ends the parser's work; the refusal is kept on the door."""


class Door(asyncio.Protocol):
    """One connection of a caller, for a server of uvicorn; see :func:`door_protocol`."""

    application: Application
    limits = HeadLimits()
    certificate: bytes | None = None
    """What the caller showed in TLS (DER)."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        self.loop = _loop or asyncio.get_running_loop()
        self.ends_after_answer = False
        self._state = server_state
        self._keep_alive = float(config.timeout_keep_alive)
        self._parser = httptools.HttpRequestParser(self)
        # What follows a request that asks to close is read, to no effect: it must not undo it.
        self._parser.set_dangerous_leniencies(lenient_data_after_close=True)
        self._transport: Any = None
        self._client = ""
        self._scheme = "http"
        self._refusal: Refusal | None = None
        self._is_over = False
        self._reads_no_more = False
        self._is_held = False
        self._head_timer: asyncio.TimerHandle | None = None
        self._quiet_timer: asyncio.TimerHandle | None = None
        self._end_timer: asyncio.TimerHandle | None = None
        self._quiet_since = 0.0
        self._writable: asyncio.Future[None] | None = None
        # What the parser has read of the current request.
        self._in_head = True
        self._has_begun = False
        self._head_bytes = 0
        self._url = b""
        self._headers: list[tuple[bytes, bytes]] = []
        self._reading: DoorCall | None = None
        # The call that is being answered, and those behind it on the connection.
        self._answering: DoorCall | None = None
        self._waiting: deque[DoorCall] = deque()

    # --- what asyncio calls -------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._state.connections.add(self)  # type: ignore[arg-type]
        peer = transport.get_extra_info("peername")
        self._client = peer[0] if isinstance(peer, tuple) else "127.0.0.1"
        self._scheme = "https" if transport.get_extra_info("sslcontext") else "http"
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._is_over = True
        self._state.connections.discard(self)
        for timer in (self._head_timer, self._quiet_timer, self._end_timer):
            if timer is not None:
                timer.cancel()
        self._drop_calls()
        self.resume_writing()

    def data_received(self, data: bytes) -> None:
        if self._is_over or self._reads_no_more:
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            # The answer is one of HTTP/1.1; what follows is in no protocol that is spoken here.
            self._reads_no_more = True
        except httptools.HttpParserError:
            self._refuse(self._refusal or _INVALID)
            return
        self._go_on_answering()
        self._watch_head()

    def pause_writing(self) -> None:
        if self._writable is None:
            self._writable = self.loop.create_future()

    def resume_writing(self) -> None:
        if self._writable is not None and not self._writable.done():
            self._writable.set_result(None)
        self._writable = None

    # --- what httptools calls -----------------------------------------------------------------

    def on_message_begin(self) -> None:
        self._in_head = self._has_begun = True
        self._head_bytes = 0
        self._url = b""
        self._headers = []

    def on_url(self, url: bytes) -> None:
        self._head_bytes += len(url)
        if self._head_bytes > self.limits.bytes:
            self._stop(_TOO_LARGE)
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        headers = self._headers
        self._head_bytes += len(name) + len(value) + 4
        if self._head_bytes > self.limits.bytes or len(headers) >= self.limits.count:
            self._stop(_TOO_LARGE)
        headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        self._in_head = False
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None
        if not self._url.startswith(b"/") or b"#" in self._url:
            self._stop(Refusal(400, "TargetInvalid", "The target of a request is a path."))
        path, _, query = self._url.partition(b"?")
        parser = self._parser
        head = CallHead(
            parser.get_method().decode("ascii"),
            path,
            query.decode("latin-1"),
            self._headers,
            self._scheme,
            self._client,
            self.certificate,
        )
        self._reading = DoorCall(
            self,
            head,
            keeps_alive=parser.should_keep_alive() and not parser.should_upgrade(),
            expects_continue=(b"expect", b"100-continue") in self._headers,
        )
        self._waiting.append(self._reading)

    def on_body(self, data: bytes) -> None:
        if self._reading is not None:
            self._reading.arrived(data)

    def on_message_complete(self) -> None:
        call, self._reading = self._reading, None
        if call is None:
            return
        call.ended()
        if call.is_answered:
            self._close()

    # --- what uvicorn calls -------------------------------------------------------------------

    def shutdown(self) -> None:
        """Take no further call; end when the one at hand has been answered."""
        self.ends_after_answer = True
        if self._answering is None and not self._waiting:
            self._close()

    # --- what a call asks ---------------------------------------------------------------------

    def write(self, data: bytes) -> None:
        """See :class:`Wire`."""
        self._transport.write(data)

    def taken(self) -> Awaitable[None] | None:
        """See :class:`Wire`."""
        return self._writable

    def hold(self) -> None:
        """See :class:`Wire`."""
        if not (self._is_held or self._is_over):
            self._is_held = True
            self._transport.pause_reading()

    def go_on(self) -> None:
        """See :class:`Wire`."""
        if self._is_held and not self._is_over:
            self._is_held = False
            self._transport.resume_reading()

    def abort(self) -> None:
        """See :class:`Wire`."""
        self._is_over = True
        self._transport.abort()

    def usual_headers(self) -> Sequence[tuple[bytes, bytes]]:
        """See :class:`Wire`."""
        return self._state.default_headers

    def answered(self, call: DoorCall) -> None:
        """See :class:`Wire`."""
        self._answering = None
        self._state.total_requests += 1
        if not call.ends:
            self._go_on_answering()
        elif call.is_read:
            self._close()
        else:
            self._waiting.clear()
            self.go_on()
            self._end_timer = self.loop.call_later(LINGER_SECONDS, self._close)

    # --- calls, one after the other -----------------------------------------------------------

    def _go_on_answering(self) -> None:
        if self._answering is not None:
            if self._waiting:
                self.hold()
            return
        if self._waiting:
            call = self._answering = self._waiting.popleft()
            if not self._waiting:
                self.go_on()
            call.begin_reading()
            self._state.tasks.add(self.loop.create_task(self._serve(call)))
            self._watch_head()
        elif not self._in_head:
            self._be_quiet()

    async def _serve(self, call: DoorCall) -> None:
        try:
            await self.application.serve(call)
        except Exception as error:
            # Not a refusal but a defect of ours: whoever runs the gateway must see where it is.
            told = {"message": "a call broke", "exception": error, "protocol": self}
            self.loop.call_exception_handler(told)
            if not (call.begun or call.left):
                self._end_with(_DEFECT)
        finally:
            if not (call.is_answered or self._is_over):
                self.abort()
            self._state.tasks.discard(asyncio.current_task())

    def _drop_calls(self) -> None:
        if self._answering is not None:
            self._answering.caller_left()
        self._waiting.clear()

    # --- the end of a connection --------------------------------------------------------------

    def _stop(self, refusal: Refusal) -> None:
        """Stop the parser; whoever fed it refuses."""
        self._refusal = refusal
        raise _Refused

    def _watch_head(self) -> None:
        """Most heads come in one piece and never need the timer."""
        if self._in_head and self._head_timer is None and not (self._waiting or self._is_over):
            self._expect_head()

    def _expect_head(self) -> None:
        self._head_timer = self.loop.call_later(self.limits.seconds, self._head_is_late)

    def _head_is_late(self) -> None:
        self._head_timer = None
        self._refuse(_LATE)

    def _refuse(self, refusal: Refusal) -> None:
        """Tell the caller, unless an answer to an earlier request is on its way, and hang up."""
        if self._has_begun:
            self.application.refused_at_door(refusal, self._client)
        if self._may_answer():
            self._end_with(refusal)
        else:
            self._close()
        self._drop_calls()

    def _may_answer(self) -> bool:
        """Whether the caller will read an answer as that to the request that is refused."""
        call = self._answering
        if call is not None and (call.begun or call.is_read):
            return False
        return not any(each.is_read for each in self._waiting)

    def _end_with(self, refusal: Refusal) -> None:
        self._transport.write(_response(refusal))
        self._close()

    def _be_quiet(self) -> None:
        """Between two calls: one timer for many of them, which looks how long it has been."""
        self._quiet_since = self.loop.time()
        if self._quiet_timer is None and not self._is_over:
            self._quiet_timer = self.loop.call_later(self._keep_alive, self._look_whether_quiet)

    def _look_whether_quiet(self) -> None:
        self._quiet_timer = None
        if self._answering is not None or self._in_head:
            return
        rest = self._quiet_since + self._keep_alive - self.loop.time()
        if rest > 0:
            self._quiet_timer = self.loop.call_later(rest, self._look_whether_quiet)
        else:
            self._close()

    def _close(self) -> None:
        """End the connection when the caller has taken what was sent, or has had the time to."""
        if self._end_timer is not None:
            self._end_timer.cancel()
        self._is_over = True
        self._transport.close()
        self._end_timer = self.loop.call_later(FLUSH_SECONDS, self._transport.abort)


def door_protocol(application: Application, limits: HeadLimits) -> type[Door]:
    """The protocol class of a server whose calls go to the application."""
    return type("Door", (Door,), {"application": application, "limits": limits})


_INVALID = Refusal(400, "RequestInvalid", "This is no valid HTTP request.")
_LATE = Refusal(408, "RequestTimeout", "The head of the request did not arrive.")
_TOO_LARGE = Refusal(431, "HeadersTooLarge", "The request's headers are too large.")
_DEFECT = Refusal(500, "Unexpected", "The gateway failed.")


def _response(refused: Refusal) -> bytes:
    type = FailureType.MALFORMED_REQUEST if refused.status < 500 else FailureType.INTERNAL_ERROR
    outcome = refusal(type, refused.message, correlation_id=None, reason=refused.reason)
    body = json.dumps(outcome.to_json()).encode()
    phrase = HTTPStatus(refused.status).phrase
    return (
        f"HTTP/1.1 {refused.status} {phrase}\r\ncontent-type: application/json\r\n"
        f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
    ).encode() + body
