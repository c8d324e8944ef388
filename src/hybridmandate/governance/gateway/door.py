"""The gateway's door on the wire: what is no proper request head never becomes a call.

On top of uvicorn's HTTP/1.1 protocol, whose parser (llhttp, strict) refuses two lengths, folded
headers, bad chunk sizes and the like: heads are bounded in time and in bytes while they arrive, a
target must be a path (RFC 9112, section 3.2: absolute-form and CONNECT are for proxies), and each
refusal is an outcome in the standard shape, after which the connection ends.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from hybridmandate.contracts import FailureType, refusal


@dataclass(frozen=True, slots=True)
class HeadLimits:
    """Bounds of a request's head: ``seconds`` until it has arrived, ``bytes`` and ``count`` of its
    headers; the target counts as bytes."""

    seconds: float = 10.0
    bytes: int = 48 * 1024
    count: int = 150


class _Refused(Exception):
    """A head that is not read on; ``status`` and ``reason`` go into the answer."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason


class Door(HttpToolsProtocol):
    """One connection of a caller."""

    limits = HeadLimits()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._refused: _Refused | None = None
        self._ended = False
        self._head_bytes = 0
        self._in_head = True
        self._deadline: asyncio.TimerHandle | None = None
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._ended = True
        self._head_arrived()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._ended:
            return
        super().data_received(data)
        # Most heads come in one piece and never need the timer.
        if self._in_head and not self._ended and self._deadline is None:
            self._expect_head()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_head = True
        self._head_bytes = 0

    def on_url(self, url: bytes) -> None:
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._count(len(name) + len(value) + 4)
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._in_head = False
        self._head_arrived()
        if not self.url.startswith(b"/") or b"#" in self.url:
            self._refuse(400, "TargetInvalid", "The target of a request is a path.")
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:
        refused = self._refused or _Refused(400, "RequestInvalid", "This is no valid HTTP request.")
        self._answer(refused)

    def _count(self, size: int) -> None:
        self._head_bytes += size
        if self._head_bytes > self.limits.bytes or len(self.headers) >= self.limits.count:
            self._refuse(431, "HeadersTooLarge", "The request's headers are too large.")

    def _refuse(self, status: int, reason: str, message: str) -> None:
        self._refused = _Refused(status, reason, message)
        raise self._refused

    def _expect_head(self) -> None:
        self._deadline = self.loop.call_later(self.limits.seconds, self._head_is_late)

    def _head_arrived(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _head_is_late(self) -> None:
        self._deadline = None
        self._answer(_Refused(408, "RequestTimeout", "The head of the request did not arrive."))

    def _answer(self, refused: _Refused) -> None:
        """Tell the caller, unless an answer to an earlier request is on its way, and hang up."""
        self._ended = True
        if not self._is_answering() and not self.pipeline:
            self.transport.write(_response(refused))
        self.transport.close()

    def _is_answering(self) -> bool:
        """Whether the next answer belongs to a request that has arrived whole, or has begun."""
        cycle = self.cycle
        if cycle is None or cycle.response_complete:
            return False
        return cycle.response_started or not cycle.more_body


def door_protocol(limits: HeadLimits) -> type[Door]:
    """The protocol class for a server with these limits."""
    return type("Door", (Door,), {"limits": limits})


_PHRASES = {400: b"Bad Request", 408: b"Request Timeout", 431: b"Request Header Fields Too Large"}


def _response(refused: _Refused) -> bytes:
    outcome = refusal(
        FailureType.MALFORMED_REQUEST, str(refused), correlation_id=None, reason=refused.reason
    )
    body = json.dumps(outcome.to_json()).encode()
    return b"\r\n".join(
        [
            b"HTTP/1.1 %d %b" % (refused.status, _PHRASES[refused.status]),
            b"content-type: application/json",
            b"content-length: %d" % len(body),
            b"connection: close",
            b"",
            body,
        ]
    )
