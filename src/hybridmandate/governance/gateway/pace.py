"""How slow a caller may be while a body is read from it or sent to it.

One that sends or takes a byte now and then holds a connection, memory, and a place at the back end.
Only the time that the gateway waits for the caller counts: a slow back end is not its fault.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class PaceLimits:
    """At least ``bytes_per_second`` on average once ``grace_seconds`` have been waited, and never a
    pause of more than ``pause_seconds``."""

    bytes_per_second: int = 1024
    grace_seconds: float = 10.0
    pause_seconds: float = 30.0


class TooSlow(Exception):
    """The caller is slower than the limits allow."""


class Pace:
    """Keeps the time for one body."""

    __slots__ = ("_limits", "_moved", "_waited")

    def __init__(self, limits: PaceLimits) -> None:
        self._limits = limits
        self._moved = 0
        self._waited = 0.0

    def moved(self, size: int) -> None:
        """So many bytes more have gone over."""
        self._moved += size

    async def wait(self, caller: Awaitable[T]) -> T:
        """Wait for the caller. :raises TooSlow: when that takes too long."""
        limits = self._limits
        earned = limits.grace_seconds + self._moved / limits.bytes_per_second
        patience = min(limits.pause_seconds, earned - self._waited)
        began = time.monotonic()
        try:
            async with asyncio.timeout(max(patience, 0.0)):
                return await caller
        except TimeoutError:
            raise TooSlow("the caller is too slow") from None
        finally:
            self._waited += time.monotonic() - began
