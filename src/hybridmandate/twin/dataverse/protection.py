"""Service protection limits: what Dataverse allows one user on one web server.

6,000 requests and 1,200 s of execution time in a sliding window of 300 s, 52 requests at once.
Source: learn.microsoft.com/power-apps/developer/data-platform/api-limits.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from hybridmandate.twin.dataverse.errors import DataverseError


@dataclass(frozen=True, slots=True)
class ProtectionLimits:
    """The limits; times in seconds."""

    window: float = 300.0
    requests: int = 6_000
    execution: float = 1_200.0
    concurrent: int = 52


@dataclass(slots=True)
class _User:
    requests: deque[tuple[float, float]] = field(default_factory=deque)
    running: int = 0


class Protection:
    """Counts requests of each user. ``clock`` gives seconds."""

    def __init__(self, limits: ProtectionLimits, clock: Callable[[], float]) -> None:
        self._limits = limits
        self._clock = clock
        self._users: dict[str, _User] = {}

    def enter(self, user_id: str) -> None:
        """Let a request in. :raises DataverseError: 429 with Retry-After."""
        user = self._users.setdefault(user_id, _User())
        now = self._clock()
        while user.requests and user.requests[0][0] <= now - self._limits.window:
            user.requests.popleft()
        if user.running >= self._limits.concurrent:
            raise _limited("0x80072326", "Number of concurrent requests", 1.0)
        if len(user.requests) >= self._limits.requests:
            wait = user.requests[0][0] + self._limits.window - now
            raise _limited("0x80072322", "Number of requests", wait)
        if sum(spent for _, spent in user.requests) >= self._limits.execution:
            wait = user.requests[0][0] + self._limits.window - now
            raise _limited("0x80072321", "Combined execution time of incoming requests", wait)
        user.running += 1

    def leave(self, user_id: str, seconds: float) -> int:
        """Note a finished request; returns how many are left in the window."""
        user = self._users[user_id]
        user.running -= 1
        user.requests.append((self._clock(), seconds))
        return max(0, self._limits.requests - len(user.requests))


def _limited(code: str, what: str, wait: float) -> DataverseError:
    return DataverseError(
        429,
        code,
        f"{what} exceeded the limit for a user within the time window.",
        {"retry-after": str(max(1, math.ceil(wait)))},
    )
