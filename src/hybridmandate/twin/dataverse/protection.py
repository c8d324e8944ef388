"""Service protection limits: what Dataverse allows one user on one web server.

6,000 requests and 1,200 s of execution time in a sliding window of 300 s, 52 requests at once.
Source: learn.microsoft.com/power-apps/developer/data-platform/api-limits.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from hybridmandate.twin.dataverse.errors import limit_reached


@dataclass(frozen=True, slots=True)
class ProtectionLimits:
    """The limits; times in seconds."""

    window: float = 300.0
    requests: int = 6_000
    execution: float = 1_200.0
    concurrent: int = 52


@dataclass(slots=True)
class _Started:
    """One request of the window: when it began, and how long it ran once it has ended."""

    at: float
    seconds: float = 0.0


@dataclass(slots=True)
class _User:
    requests: deque[_Started] = field(default_factory=deque)
    running: int = 0
    spent: float = 0.0


class Protection:
    """Counts requests of each user. ``clock`` gives seconds.

    A refused request counts for nothing; Dataverse lengthens Retry-After for a client that keeps
    on asking, this does not.
    """

    def __init__(self, limits: ProtectionLimits, clock: Callable[[], float]) -> None:
        self._limits = limits
        self._clock = clock
        self._users: dict[str, _User] = {}

    def enter(self, user_id: str) -> Admission:
        """Let a request in. :raises DataverseError: 429 with Retry-After."""
        user = self._users.setdefault(user_id, _User())
        limits, now = self._limits, self._clock()
        while user.requests and user.requests[0].at <= now - limits.window:
            user.spent -= user.requests.popleft().seconds
        if user.running >= limits.concurrent:
            raise limit_reached(
                "0x80072326",
                f"Number of concurrent requests exceeded the limit of {limits.concurrent}.",
                1,
            )
        if len(user.requests) >= limits.requests:
            raise limit_reached(
                "0x80072322",
                f"Number of requests exceeded the limit of {limits.requests} over time window of "
                f"{limits.window:g} seconds.",
                self._wait(user, now),
            )
        if user.requests and user.spent >= limits.execution:
            raise limit_reached(
                "0x80072321",
                "Combined execution time of incoming requests exceeded limit of "
                f"{limits.execution * 1000:g} milliseconds over time window of "
                f"{limits.window:g} seconds. Decrease number of concurrent requests or reduce the "
                "duration of requests and try again later.",
                self._wait(user, now),
            )
        started = _Started(now)
        user.running += 1
        user.requests.append(started)
        return Admission(user, started, limits)

    def _wait(self, user: _User, now: float) -> int:
        return max(1, math.ceil(user.requests[0].at + self._limits.window - now))


class Admission:
    """A request that was let in; :meth:`leave` must be called when it has ended."""

    def __init__(self, user: _User, started: _Started, limits: ProtectionLimits) -> None:
        self._user = user
        self._started = started
        self._limits = limits

    def leave(self, seconds: float) -> int:
        """Note its execution time; how many requests are left in the window."""
        self._user.running -= 1
        if self._user.requests and self._user.requests[0].at <= self._started.at:
            self._started.seconds = seconds
            self._user.spent += seconds
        return max(0, self._limits.requests - len(self._user.requests))
