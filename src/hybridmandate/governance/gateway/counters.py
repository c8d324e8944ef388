"""Counters of rate limits and quotas; exact within one process.

Rate limits use a sliding window (rate-limit-by-key page), quotas a fixed one (quota-by-key page).
The protocol has few methods so that a shared store can stand behind several gateways.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Reading:
    """A counter's answer: ``used`` within the window, ``wait`` seconds until room is free again."""

    allowed: bool
    used: float
    wait: float


class Counters(Protocol):
    """Where the counts are kept."""

    def slide(self, key: str, limit: float, period: float, amount: float) -> Reading:
        """Take ``amount`` from a sliding window unless ``limit`` would be passed.

        ``amount`` 0 asks without taking: it is refused when the window is full.
        """

    def add_sliding(self, key: str, period: float, amount: float) -> float:
        """Count without judging; the total in the window."""

    def fixed(self, key: str, limit: float, start: float, period: float, amount: float) -> Reading:
        """Take ``amount`` from the fixed window that ``start + n * period`` (seconds) begins.

        ``period`` 0 never ends. ``amount`` 0 asks without taking.
        """

    def add_fixed(self, key: str, start: float, period: float, amount: float) -> float:
        """Count without judging; the total in the window."""


class ProcessCounters:
    """Counters in the memory of one process.

    ``clock`` gives seconds since the epoch. Windows that have ended are dropped every
    ``sweep_every`` counts, so memory follows the number of live keys.
    """

    def __init__(self, clock: Callable[[], float], *, sweep_every: int = 4096) -> None:
        self._clock = clock
        self._sliding: dict[str, _Window] = {}
        self._fixed: dict[str, tuple[float, float]] = {}
        self._sweep_every = sweep_every
        self._until_sweep = sweep_every

    def slide(self, key: str, limit: float, period: float, amount: float) -> Reading:
        now = self._clock()
        window = self._window(key, period, now)
        needed = amount or 1
        if window.total + needed > limit:
            return Reading(False, window.total, window.wait(now, needed, limit))
        if amount:
            window.add(now, amount)
        return Reading(True, window.total, 0.0)

    def add_sliding(self, key: str, period: float, amount: float) -> float:
        now = self._clock()
        window = self._window(key, period, now)
        window.add(now, amount)
        return window.total

    def fixed(self, key: str, limit: float, start: float, period: float, amount: float) -> Reading:
        used, ends = self._fixed_window(key, start, period)
        needed = amount or 1
        if used + needed > limit:
            return Reading(False, used, max(ends - self._clock(), 0.0))
        if amount:
            used = self._add(key, used, ends, amount)
        return Reading(True, used, 0.0)

    def add_fixed(self, key: str, start: float, period: float, amount: float) -> float:
        used, ends = self._fixed_window(key, start, period)
        return self._add(key, used, ends, amount)

    def _window(self, key: str, period: float, now: float) -> _Window:
        self._maybe_sweep(now)
        window = self._sliding.get(key)
        if window is None or window.period != period:
            window = self._sliding[key] = _Window(period)
        window.forget(now)
        return window

    def _fixed_window(self, key: str, start: float, period: float) -> tuple[float, float]:
        now = self._clock()
        self._maybe_sweep(now)
        ends = start + ((now - start) // period + 1) * period if period else float("inf")
        known = self._fixed.get(key)
        if known is None or known[1] != ends:
            return 0.0, ends
        return known[0], ends

    def _add(self, key: str, used: float, ends: float, amount: float) -> float:
        self._fixed[key] = (used + amount, ends)
        return used + amount

    def _maybe_sweep(self, now: float) -> None:
        self._until_sweep -= 1
        if self._until_sweep > 0:
            return
        self._until_sweep = self._sweep_every
        for key in [k for k, w in self._sliding.items() if w.is_over(now)]:
            del self._sliding[key]
        for key in [k for k, each in self._fixed.items() if each[1] <= now]:
            del self._fixed[key]


class _Window:
    """Amounts by time within the last ``period`` seconds; amounts of one instant are merged."""

    __slots__ = ("_marks", "period", "total")

    def __init__(self, period: float) -> None:
        self.period = period
        self.total = 0.0
        self._marks: deque[tuple[float, float]] = deque()

    def forget(self, now: float) -> None:
        horizon = now - self.period
        while self._marks and self._marks[0][0] <= horizon:
            self.total -= self._marks.popleft()[1]

    def add(self, now: float, amount: float) -> None:
        self.total += amount
        if self._marks and self._marks[-1][0] == now:
            self._marks[-1] = (now, self._marks[-1][1] + amount)
        else:
            self._marks.append((now, amount))

    def wait(self, now: float, needed: float, limit: float) -> float:
        """Seconds until ``needed`` fits; the whole period when it never will."""
        left = self.total
        for time, amount in self._marks:
            left -= amount
            if left + needed <= limit:
                return max(time + self.period - now, 0.0)
        return self.period

    def is_over(self, now: float) -> bool:
        return not self._marks or self._marks[-1][0] + self.period <= now
