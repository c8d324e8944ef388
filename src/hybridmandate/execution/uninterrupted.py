"""Work that must not be left in its middle: whoever is cancelled meanwhile is so when it ended."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")


def _nothing() -> None:
    pass


async def uninterrupted(work: Awaitable[T], give_up: Callable[[], None] = _nothing) -> T:
    """The result of work that is awaited to its end, also by a caller that is cancelled.

    ``give_up`` is called at the moment of the cancellation, so that long work can end early; the
    cancellation goes on once it has, whatever its result.
    """
    task = asyncio.ensure_future(work)
    cancellation: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError as cancelled:
            cancellation = cancelled
            give_up()
    if cancellation is None:
        return task.result()
    if not task.cancelled():
        task.exception()  # looked at: an error of work that nobody waits for is no news
    raise cancellation
