"""One request on a connection of the door and its answer, as bytes of HTTP/1.1."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Sequence
from http import HTTPStatus
from typing import Any, Protocol

from hybridmandate.governance.gateway.call import AnswerInvalid, CallerLeft, CallHead, Lines

HIGH_WATER = 64 * 1024
"""So many bytes of a body may wait unread."""
_PHRASES = {each.value: each.phrase for each in HTTPStatus}
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Wire(Protocol):
    """What a call asks of its connection."""

    loop: asyncio.AbstractEventLoop
    ends_after_answer: bool
    """Whether no further call is taken."""

    def write(self, data: bytes) -> None:
        """Send bytes, or keep them until the caller takes them."""

    def taken(self) -> Awaitable[None] | None:
        """Something to await where too much is waiting for the caller."""

    def hold(self) -> None:
        """Read no further for now."""

    def go_on(self) -> None:
        """Read on."""

    def answered(self, call: DoorCall) -> None:
        """The answer of a call is whole."""

    def abort(self) -> None:
        """Drop the connection."""

    def usual_headers(self) -> Sequence[tuple[bytes, bytes]]:
        """What the server adds to each answer."""


class DoorCall:
    """See :class:`Call`."""

    __slots__ = (
        "_buffered",
        "_cancel",
        "_chunked",
        "_expects_continue",
        "_held",
        "_more",
        "_pieces",
        "_task",
        "_watch_from",
        "_wire",
        "begun",
        "content",
        "ends",
        "head",
        "is_answered",
        "is_left",
        "is_read",
        "left",
    )

    def __init__(
        self, wire: Wire, head: CallHead, *, keeps_alive: bool, expects_continue: bool
    ) -> None:
        self._wire = wire
        self.head = head
        self.content: bytes | None = None
        self.is_read = False
        """Whether the whole body has arrived."""
        self.begun = False
        """Whether anything of the answer has been sent."""
        self.is_answered = False
        self.left = False
        self.is_left = False
        self.ends = not keeps_alive
        """Whether the connection ends with this answer."""
        self._expects_continue = expects_continue
        self._pieces: deque[bytes] = deque()
        self._buffered = 0
        self._held = False
        self._more: asyncio.Future[None] | None = None
        self._chunked = False
        self._task: asyncio.Task[Any] | None = None
        self._watch_from = 0.0
        self._cancel: asyncio.TimerHandle | None = None

    # --- what the connection tells ------------------------------------------------------------

    def arrived(self, data: bytes) -> None:
        """A piece of the body."""
        if self.is_answered:
            return
        self._pieces.append(data)
        self._buffered += len(data)
        if self._buffered > HIGH_WATER and not self._held:
            self._held = True
            self._wire.hold()
        self._wake()

    def ended(self) -> None:
        """The body is whole."""
        self.is_read = True
        self._wake()

    def begin_reading(self) -> None:
        """The call begins; a body that has arrived whole is at hand."""
        if self.is_read:
            self.content = b"".join(self._pieces)

    def caller_left(self) -> None:
        """Nothing comes any more, and nothing can be told."""
        self.left = True
        self._wake()
        if self._task is not None:
            after = max(self._watch_from - self._wire.loop.time(), 0.0)
            self._cancel = self._wire.loop.call_later(after, self._end_task)

    # --- what the gateway asks ----------------------------------------------------------------

    async def receive(self) -> tuple[bytes, bool]:
        """See :class:`Call`."""
        if self._expects_continue and not self.begun and not self.left:
            self._expects_continue = False
            self._wire.write(_CONTINUE)
        while not (self._pieces or self.is_read):
            if self.left:
                raise CallerLeft
            self._more = self._wire.loop.create_future()
            await self._more
        piece = b"".join(self._pieces)
        self._pieces.clear()
        self._buffered = 0
        if self._held:
            self._held = False
            self._wire.go_on()
        return piece, not self.is_read

    def watch(self, after: float) -> None:
        """See :class:`Call`."""
        self._task = asyncio.current_task()
        self._watch_from = self._wire.loop.time() + after
        if self.left:
            self.caller_left()

    def stop_watching(self) -> None:
        """See :class:`Call`."""
        self._task = None
        if self._cancel is not None:
            self._cancel.cancel()

    def answer(
        self, status: int, reason: str, lines: Lines, content: bytes
    ) -> Awaitable[None] | None:
        """See :class:`Call`."""
        self._write_head(status, reason, lines, content)
        return self._whole()

    def begin(self, status: int, reason: str, lines: Lines) -> Awaitable[None] | None:
        """See :class:`Call`."""
        if not any(name.lower() == "content-length" for name, _ in lines):
            self._chunked = not self.ends
            if self._chunked:
                lines = [*lines, ("transfer-encoding", "chunked")]
        self._write_head(status, reason, lines, b"")
        return self._wire.taken()

    def send(self, piece: bytes) -> Awaitable[None] | None:
        """See :class:`Call`."""
        self._require_caller()
        if piece:
            framed = b"%x\r\n%b\r\n" % (len(piece), piece) if self._chunked else piece
            self._wire.write(framed)
        return self._wire.taken()

    def end(self) -> Awaitable[None] | None:
        """See :class:`Call`."""
        self._require_caller()
        if self._chunked:
            self._wire.write(b"0\r\n\r\n")
        return self._whole()

    def cut_off(self) -> None:
        """See :class:`Call`."""
        self._wire.abort()

    def _write_head(self, status: int, reason: str, lines: Lines, content: bytes) -> None:
        self._require_caller()
        if self._wire.ends_after_answer or not self.is_read:
            self.ends = True
        text = "".join(
            [
                f"HTTP/1.1 {status} {reason or _PHRASES.get(status, '')}\r\n",
                *[f"{name}: {value}\r\n" for name, value in lines],
            ]
        )
        breaks = len(lines) + 1
        if text.count("\n") != breaks or text.count("\r") != breaks or "\0" in text:
            raise AnswerInvalid("a header of the answer holds a line break")
        head = text.encode("latin-1", "replace")
        dated = b"\r\ndate: " in head.lower()
        for name, value in self._wire.usual_headers():
            if not (dated and name == b"date"):
                head += b"%b: %b\r\n" % (name, value)
        self.begun = True
        self._wire.write(
            b"%bconnection: close\r\n\r\n%b" % (head, content)
            if self.ends
            else b"%b\r\n%b" % (head, content)
        )

    def _whole(self) -> Awaitable[None] | None:
        self.is_answered = True
        self._pieces.clear()
        self._wire.answered(self)
        return self._wire.taken()

    def _require_caller(self) -> None:
        if self.left:
            raise CallerLeft

    def _wake(self) -> None:
        if self._more is not None and not self._more.done():
            self._more.set_result(None)

    def _end_task(self) -> None:
        if self._task is not None:
            self.is_left = True
            self._task.cancel()
