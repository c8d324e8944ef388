"""The answer of a call on its way to the caller, no slower than the pace that is asked of it."""

from __future__ import annotations

from collections.abc import Awaitable

from hybridmandate.governance.gateway.call import Call, Lines
from hybridmandate.governance.gateway.exchange import Exchange
from hybridmandate.governance.gateway.messages import HOP_BY_HOP, SMALL_BYTES, Response
from hybridmandate.governance.gateway.pace import Pace, PaceLimits

_NO_BODY_STATUSES = frozenset({204, 304})
_OF_A_CONNECTION = HOP_BY_HOP | {"content-length"}


async def answer(exchange: Exchange, call: Call, limits: PaceLimits) -> None:
    """Send the response of the exchange; ``bytes_out`` counts what has been handed over.

    :raises AnswerInvalid: when it cannot be sent as it is; nothing was sent then.
    :raises TooSlow: when the caller does not take it. :raises CallerLeft: when it is gone.
    :raises TransportFailure: when the back end breaks its body off.
    """
    response = exchange.response
    body = response.body
    if body.content is None:
        await _read_small(response)
    pace = Pace(limits)
    status = response.status
    if call.head.method == "HEAD" or status in _NO_BODY_STATUSES or status < 200:
        lines = response.headers.lines(HOP_BY_HOP)
        await _taken(call.answer(status, response.reason, lines, b""), pace)
        return
    content = body.content
    if content is None:
        await _stream(exchange, call, response.headers.lines(HOP_BY_HOP), pace)
        return
    lines = response.headers.lines(_OF_A_CONNECTION)
    lines.append(("content-length", str(len(content))))
    if len(content) > SMALL_BYTES:
        await _slices(exchange, call, lines, pace)
        return
    exchange.bytes_out = len(content)
    await _taken(call.answer(status, response.reason, lines, content), pace)


async def _read_small(response: Response) -> None:
    """Read a response of small declared size at once; the failure type of an error is in it."""
    length = response.headers.get("content-length") or ""
    if length.isdigit() and int(length) <= SMALL_BYTES:
        await response.body.buffer()


async def _stream(exchange: Exchange, call: Call, lines: Lines, pace: Pace) -> None:
    response = exchange.response
    stream = response.body.stream
    assert stream is not None
    await _taken(call.begin(response.status, response.reason, lines), pace)
    async for piece in stream:
        await _send(exchange, call, piece, pace)
    await _taken(call.end(), pace)


async def _slices(exchange: Exchange, call: Call, lines: Lines, pace: Pace) -> None:
    """A large body at hand, piece by piece, so that its pace can be seen."""
    response = exchange.response
    content = response.body.content
    assert content is not None
    await _taken(call.begin(response.status, response.reason, lines), pace)
    for begin in range(0, len(content), SMALL_BYTES):
        await _send(exchange, call, content[begin : begin + SMALL_BYTES], pace)
    await _taken(call.end(), pace)


async def _send(exchange: Exchange, call: Call, piece: bytes, pace: Pace) -> None:
    exchange.bytes_out += len(piece)
    await _taken(call.send(piece), pace)
    pace.moved(len(piece))


async def _taken(waiting: Awaitable[None] | None, pace: Pace) -> None:
    if waiting is not None:
        await pace.wait(waiting)
