"""Work that goes on beside runs for as long as the durable engine is open."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
from collections.abc import Callable, Coroutine
from typing import Any

Told = Callable[[str | None], None]
"""Hears why some work cannot be done; None when it can again."""


class BackgroundTask:
    """One coroutine that runs until it is stopped; it belongs to no run."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._task: asyncio.Task[None] | None = None

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        """Begin; from a running event loop."""
        self._task = asyncio.get_running_loop().create_task(
            work, name=self._name, context=contextvars.Context()
        )

    async def stop(self) -> None:
        """End it where it is; nothing when it was never started."""
        if self._task is None:
            return
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task
