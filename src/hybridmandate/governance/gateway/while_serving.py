"""Work that goes on beside a gateway's calls, from its start to its stop."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hybridmandate.governance.gateway.asgi_call import Message, Receive, Scope, Send

Application = Callable[["Scope", "Receive", "Send"], Awaitable[None]]
Work = Callable[[], Awaitable[None]]


class WhileServing:
    """An ASGI application with work that begins when it has started and is cancelled at its stop.

    Work ends only when it is cancelled; if it fails, that is reported to the event loop's handler.
    """

    def __init__(self, app: Application, work: Sequence[Work]) -> None:
        self._app = app
        self._work = work

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            await self._app(scope, receive, send)
            return
        running: list[asyncio.Task[None]] = []

        async def started(message: Message) -> None:
            if message["type"] == "lifespan.startup.complete":
                running.extend(asyncio.create_task(_go_on(each)) for each in self._work)
            await send(message)

        try:
            await self._app(scope, receive, started)
        finally:
            for task in running:
                task.cancel()


async def _go_on(work: Work) -> None:
    try:
        await work()
    except Exception as error:
        told = {"message": "work beside the gateway's calls ended", "exception": error}
        asyncio.get_running_loop().call_exception_handler(told)
