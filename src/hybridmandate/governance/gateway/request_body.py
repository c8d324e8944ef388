"""The caller's body as it streams in: bounded in bytes and in time, the caller's departure seen."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from typing import TYPE_CHECKING, Any

from hybridmandate.governance.gateway.errors import PolicyError

if TYPE_CHECKING:
    from hybridmandate.governance.gateway.exchange import Exchange


class RequestBody:
    """Reads ASGI messages. A failure is kept on the exchange, because the client library that
    streams the body to the back end would hide it."""

    def __init__(
        self,
        receive: Callable[[], Awaitable[MutableMapping[str, Any]]],
        limit: int,
        pause: float,
    ) -> None:
        self._receive = receive
        self.limit = limit
        self._pause = pause
        self.received = 0
        self.complete = False
        self.caller_left = False
        self.exchange: Exchange | None = None

    def too_large(self) -> PolicyError:
        """The refusal of a body over its limit."""
        return PolicyError(
            413,
            "RequestBodyTooLarge",
            f"The request body is larger than {self.limit} bytes.",
            source="gateway",
        )

    def has_none(self) -> None:
        """The request has no body, so there is nothing to read."""
        self.complete = True

    async def stream(self) -> AsyncIterator[bytes]:
        """The chunks. :raises PolicyError: 413, 408 or ClientConnectionFailure."""
        while not self.complete:
            message = await self._next()
            chunk: bytes = message.get("body", b"")
            self.received += len(chunk)
            if self.received > self.limit:
                raise self._failed(self.too_large())
            self.complete = not message.get("more_body", False)
            if chunk:
                yield chunk

    async def _next(self) -> MutableMapping[str, Any]:
        try:
            async with asyncio.timeout(self._pause):
                message = await self._receive()
        except TimeoutError:
            raise self._failed(
                PolicyError(
                    408, "RequestTimeout", "The request body did not arrive.", source="gateway"
                )
            ) from None
        if message["type"] == "http.disconnect":
            self.caller_left = True
            raise self._failed(
                PolicyError(
                    400, "ClientConnectionFailure", "The caller went away.", source="gateway"
                )
            )
        return message

    def _failed(self, error: PolicyError) -> PolicyError:
        if self.exchange is not None:
            self.exchange.client_failure = error
        return error

    def watch_caller(self, after: float) -> CallerWatch:
        """Cancel the current task when the caller leaves, from ``after`` seconds on."""
        task = asyncio.current_task()
        assert task is not None
        return CallerWatch(self, task, after)

    async def wait_for_departure(self) -> None:
        """Return when the caller has left; the body must have been read before."""
        while not self.caller_left:
            message = await self._receive()
            self.caller_left = message["type"] == "http.disconnect"


class CallerWatch:
    """Starts watching late, so that quick calls pay only for a timer."""

    def __init__(self, body: RequestBody, task: asyncio.Task[Any], after: float) -> None:
        self._body = body
        self._task = task
        self._watching: asyncio.Task[None] | None = None
        self._after = after
        self._timer = asyncio.get_running_loop().call_later(after, self._start)

    def _start(self) -> None:
        if not self._body.complete:
            self._timer = asyncio.get_running_loop().call_later(self._after, self._start)
            return
        self._watching = asyncio.create_task(self._watch())

    async def _watch(self) -> None:
        await self._body.wait_for_departure()
        self._task.cancel()

    def stop(self) -> None:
        """End watching."""
        self._timer.cancel()
        if self._watching is not None:
            self._watching.cancel()
