"""The caller's body as it streams in: bounded in bytes and in time."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from hybridmandate.governance.gateway.call import Call, CallerLeft
from hybridmandate.governance.gateway.errors import PolicyError
from hybridmandate.governance.gateway.pace import Pace, PaceLimits, TooSlow

if TYPE_CHECKING:
    from hybridmandate.governance.gateway.exchange import Exchange


class RequestBody:
    """Reads a call's body. A failure is kept on the exchange, because the client library that
    streams the body to the back end would hide it."""

    __slots__ = ("_call", "_limits", "exchange", "limit", "received")

    def __init__(self, call: Call, limit: int, pace: PaceLimits) -> None:
        self._call = call
        self._limits = pace
        self.limit = limit
        self.received = 0 if call.content is None else len(call.content)
        self.exchange: Exchange | None = None

    async def stream(self) -> AsyncIterator[bytes]:
        """The chunks. :raises PolicyError: 413, 408 or ClientConnectionFailure."""
        pace = Pace(self._limits)
        more = True
        while more:
            chunk, more = await self._next(pace)
            pace.moved(len(chunk))
            self.received += len(chunk)
            if self.received > self.limit:
                raise self._failed(too_large(self.limit))
            if chunk:
                yield chunk

    async def _next(self, pace: Pace) -> tuple[bytes, bool]:
        try:
            return await pace.wait(self._call.receive())
        except TooSlow:
            raise self._failed(
                PolicyError(
                    408, "RequestTimeout", "The request body did not arrive.", source="gateway"
                )
            ) from None
        except CallerLeft:
            raise self._failed(
                PolicyError(
                    400, "ClientConnectionFailure", "The caller went away.", source="gateway"
                )
            ) from None

    def _failed(self, error: PolicyError) -> PolicyError:
        if self.exchange is not None:
            self.exchange.client_failure = error
        return error


def too_large(limit: int) -> PolicyError:
    """The refusal of a body over its limit."""
    return PolicyError(
        413,
        "RequestBodyTooLarge",
        f"The request body is larger than {limit} bytes.",
        source="gateway",
    )
