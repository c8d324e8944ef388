"""Requests that flows have used, in sliding windows, and how long a flow must hold back.

What counts: each action that ran, each retry, the trigger (learn.microsoft.com, 'Requests limits
and allocations'). A flow that is over is not failed: it is slowed down until its window has room
again (limits page, 'Throughput limits': 'activity … will be slowed and will automatically resume').
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from hybridmandate.orchestration.limits.catalogue import Profile, limit
from hybridmandate.orchestration.limits.measures import WARN_SHARE

DAY = 86_400.0
FIVE_MINUTES = 300.0
SLOTS = 300
"""Into how many parts a window is cut: so exact is the moment at which requests leave it."""


class Licence(StrEnum):
    """What the owner of the flows has bought."""

    STANDARD = "standard"
    """Microsoft 365, per app, pay as you go, Team Member."""
    PREMIUM = "premium"
    """Power Automate Premium, Dynamics 365."""
    PROCESS = "process"
    """Per flow, Process, Copilot Studio."""


REQUESTS_A_DAY: Mapping[Licence, int] = {
    Licence.STANDARD: 6_000,
    Licence.PREMIUM: 40_000,
    Licence.PROCESS: 250_000,
}
"""Requests of a licence in 24 hours (api-request-limits, 2025-05-29)."""


@dataclass(frozen=True, slots=True)
class Usage:
    """How far a window is used. ``place`` is the flow, or the licence for all flows together."""

    limit_id: str
    place: str
    value: int
    highest: int


class Window:
    """Requests of the last ``seconds``, of which there may be ``highest``."""

    def __init__(self, limit_id: str, place: str, seconds: float, highest: int) -> None:
        self._limit_id = limit_id
        self._place = place
        self._seconds = seconds
        self._highest = highest
        self._slots: deque[tuple[float, int]] = deque()
        self._used = 0
        self._warned = False

    def spend(self, requests: int, now: float) -> Usage | None:
        """Count requests; gives the usage when it comes to 80 %, once until it is below again."""
        self._leave(now)
        slot = now - now % (self._seconds / SLOTS)
        if self._slots and self._slots[-1][0] == slot:
            requests_before = self._slots.pop()[1]
            self._slots.append((slot, requests_before + requests))
        else:
            self._slots.append((slot, requests))
        self._used += requests
        if self._used < WARN_SHARE * self._highest:
            self._warned = False
            return None
        if self._warned:
            return None
        self._warned = True
        return self.usage()

    def usage(self) -> Usage:
        """How far the window is used."""
        return Usage(self._limit_id, self._place, self._used, self._highest)

    def wait(self, now: float) -> float:
        """Seconds until there is room for a request."""
        self._leave(now)
        used = self._used
        for slot, requests in self._slots:
            if used < self._highest:
                break
            used -= requests
            if used < self._highest:
                return self._end(slot) - now
        return 0.0

    def _leave(self, now: float) -> None:
        while self._slots and self._end(self._slots[0][0]) <= now:
            self._used -= self._slots.popleft()[1]

    def _end(self, slot: float) -> float:
        return slot + self._seconds * (1 + 1 / SLOTS)


class RequestBudget:
    """The windows of a process's flows: two for each flow, one for the licence of their owner.

    Counting begins when the process does.
    """

    def __init__(self, profile: Profile, licence: Licence | None) -> None:
        """``licence`` None counts by flow only."""
        self._profile = profile
        self._flows: dict[str, tuple[Window, ...]] = {}
        self._owner = (
            ()
            if licence is None
            else (Window("requests.licence", licence, DAY, REQUESTS_A_DAY[licence]),)
        )

    def spend(self, flow: str, requests: int, now: float) -> list[Usage]:
        """Count requests of a flow; gives what has come to 80 % by them."""
        found = (each.spend(requests, now) for each in self._windows(flow))
        return [each for each in found if each is not None]

    def wait(self, flow: str, now: float) -> tuple[float, Usage | None]:
        """Seconds that a flow must hold back, and the window that asks for it."""
        waits = [(each.wait(now), each) for each in self._windows(flow)]
        seconds, longest = max(waits, key=lambda each: each[0])
        return (seconds, longest.usage()) if seconds > 0 else (0.0, None)

    def _windows(self, flow: str) -> tuple[Window, ...]:
        known = self._flows.get(flow)
        if known is None:
            day, minutes = limit("requests.day"), limit("requests.5min")
            known = self._flows[flow] = (
                Window(day.id, flow, DAY, day.of(self._profile)),
                Window(minutes.id, flow, FIVE_MINUTES, minutes.of(self._profile)),
                *self._owner,
            )
        return known
