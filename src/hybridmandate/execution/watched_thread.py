"""Long computations beside the event loop: watched while they run, ended when nobody waits."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")
P = TypeVar("P")

TOLD_EVERY_SECONDS = 0.1


class Abandoned(Exception):
    """Raised inside a computation that nobody waits for any more."""


async def run_watched(
    work: Callable[[Callable[[P], None]], T], tell: Callable[[P], Awaitable[None]]
) -> T:
    """Run work in a thread; ``tell`` gets the latest that it reported, ten times a second at most.

    When the caller is cancelled, the work ends at its next report, before this function does: what
    it works on may be removed afterwards.
    """
    latest: list[P] = []
    abandoned = threading.Event()

    def report(state: P) -> None:
        if abandoned.is_set():
            raise Abandoned
        latest[:] = [state]

    task = asyncio.create_task(asyncio.to_thread(work, report))
    try:
        while not task.done():
            await asyncio.wait([task], timeout=TOLD_EVERY_SECONDS)
            if latest and not task.done():
                await tell(latest.pop())
    except BaseException:
        abandoned.set()
        with contextlib.suppress(Exception):
            await asyncio.shield(task)
        raise
    result = await task
    if latest:
        await tell(latest.pop())  # what was done last stands while the caller goes on with it
    return result
