"""Counters of several gateways: each judges at once by what it knows, and they tell each other.

Asking a database at every call would cost more than the call. So each gateway counts in its own
memory and exchanges counts with the others every ``interval`` seconds through a store; it judges
its own calls together with what it last heard of theirs.

The bound: what one gateway admits is known to another after at most ``2 * (interval + d)`` seconds,
``d`` being the time of one exchange. Of ``N`` gateways with limit ``L``, no window holds more than
``L + (N - 1) * a``, where ``a`` is the most that one gateway admits within that time; never more
than ``N * L``. While the store does not answer, each goes on by what it knew, and the second bound
holds. Counts are told as totals of a cell, not as differences, so an exchange may be repeated.
"""

from __future__ import annotations

import asyncio
import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from hybridmandate.governance.gateway.counters import Reading

CELLS = 60
"""Cells of a sliding window; room is given back late by at most ``period / CELLS``."""
FORGET_EVERY_SECONDS = 60.0
"""How often a gateway removes what has ended from the store."""
_NEVER = float("inf")


class Cell(NamedTuple):
    """A part of a counter's time.

    ``key`` is a digest, ``start_ns`` and ``length_ns`` say when it is (length 0: for ever).
    """

    key: str
    start_ns: int
    length_ns: int


@dataclass(frozen=True, slots=True)
class CellCount:
    """What one gateway counted in a cell; ``ends`` is when nobody needs it any more (epoch s)."""

    cell: Cell
    amount: float
    ends: float


@dataclass(frozen=True, slots=True)
class OtherCount:
    """A count of another gateway."""

    gateway: str
    count: CellCount


class CounterStore(Protocol):
    """Where gateways leave their counts for each other."""

    def exchange(self, gateway: str, own: Sequence[CellCount], now: float) -> Sequence[OtherCount]:
        """Leave one's own totals, take what the others changed lately.

        :raises CounterStoreUnavailable: when the store does not answer.
        """

    def forget(self, now: float) -> int:
        """Remove counts that have ended; how many.

        :raises CounterStoreUnavailable: when the store does not answer.
        """


class CounterStoreUnavailable(Exception):
    """The shared counts could not be had."""


class ExchangedCounters:
    """Counters of one gateway among several.

    ``gateway`` is a name that no other has, new at each start. ``clock`` gives seconds since the
    epoch; the machines' clocks should differ by less than a cell.
    """

    def __init__(self, gateway: str, store: CounterStore, clock: Callable[[], float]) -> None:
        self._gateway = gateway
        self._store = store
        self._clock = clock
        self._own: dict[Cell, CellCount] = {}
        self._others: dict[Cell, dict[str, CellCount]] = {}
        self._changed: set[Cell] = set()
        self._windows: dict[tuple[str, int], tuple[int, float]] = {}
        """Newest cell and total of windows that nothing was heard of since."""

    def slide(self, key: str, limit: float, period: float, amount: float) -> Reading:
        """See :class:`Counters`."""
        now, needed = self._clock(), amount or 1
        counter, length = _digest(key), math.ceil(period * 1e9 / CELLS)
        newest = int(now * 1e9) // length
        total = self._in_window(counter, length, newest)
        if total + needed > limit:
            cells = _window(counter, length, newest)
            counts = [self._total(cell) for cell in cells]
            return Reading(False, total, _wait(cells, counts, now, needed, limit, period))
        if amount:
            self._add(Cell(counter, newest * length, length), amount, now + period)
            self._windows[counter, length] = newest, total + amount
        return Reading(True, total + amount, 0.0)

    def add_sliding(self, key: str, period: float, amount: float) -> float:
        """See :class:`Counters`."""
        return self.slide(key, _NEVER, period, amount).used

    def fixed(self, key: str, limit: float, start: float, period: float, amount: float) -> Reading:
        """See :class:`Counters`."""
        now, needed = self._clock(), amount or 1
        begins = start + (now - start) // period * period if period else 0.0
        ends = begins + period if period else _NEVER
        cell = Cell(_digest(key), int(begins * 1e9), int(period * 1e9))
        used = self._total(cell)
        if used + needed > limit:
            return Reading(False, used, max(ends - now, 0.0))
        if amount:
            self._add(cell, amount, ends)
        return Reading(True, used + amount, 0.0)

    def add_fixed(self, key: str, start: float, period: float, amount: float) -> float:
        """See :class:`Counters`."""
        return self.fixed(key, _NEVER, start, period, amount).used

    def take_changes(self) -> list[CellCount]:
        """What was counted since the last time, as totals."""
        changes = [self._own[cell] for cell in self._changed if cell in self._own]
        self._changed.clear()
        return changes

    def take_back(self, changes: Sequence[CellCount]) -> None:
        """Changes that could not be told: they go with the next exchange."""
        self._changed.update(each.cell for each in changes)

    def hear(self, others: Sequence[OtherCount]) -> None:
        """Know what other gateways counted; forget what has ended."""
        self._windows.clear()
        for each in others:
            self._others.setdefault(each.count.cell, {})[each.gateway] = each.count
        now = self._clock()
        for cell in [c for c, count in self._own.items() if count.ends <= now]:
            del self._own[cell]
        for cell, counts in list(self._others.items()):
            if all(each.ends <= now for each in counts.values()):
                del self._others[cell]

    async def exchange(self) -> None:
        """One exchange with the others, its waiting in a thread.

        :raises CounterStoreUnavailable: when the store does not answer; nothing is lost.
        """
        changes = self.take_changes()
        try:
            others = await asyncio.to_thread(
                self._store.exchange, self._gateway, changes, self._clock()
            )
        except CounterStoreUnavailable:
            self.take_back(changes)
            raise
        self.hear(others)

    async def keep_exchanging(
        self, interval: float, failed: Callable[[CounterStoreUnavailable], None]
    ) -> None:
        """Exchange every ``interval`` seconds until cancelled; ``failed`` hears of each failure.

        What has ended is removed from the store, so that it holds what is alive and no more.
        """
        forgotten_at = self._clock()
        while True:
            try:
                await self.exchange()
                if self._clock() - forgotten_at >= FORGET_EVERY_SECONDS:
                    forgotten_at = self._clock()
                    await asyncio.to_thread(self._store.forget, forgotten_at)
            except CounterStoreUnavailable as error:
                failed(error)
            await asyncio.sleep(interval)

    def _in_window(self, counter: str, length: int, newest: int) -> float:
        known = self._windows.get((counter, length))
        if known is not None and known[0] == newest:
            return known[1]
        total = sum(self._total(cell) for cell in _window(counter, length, newest))
        self._windows[counter, length] = newest, total
        return total

    def _total(self, cell: Cell) -> float:
        own = self._own.get(cell)
        others: Mapping[str, CellCount] = self._others.get(cell, {})
        return (own.amount if own else 0.0) + sum(each.amount for each in others.values())

    def _add(self, cell: Cell, amount: float, ends: float) -> None:
        known = self._own.get(cell)
        # A sliding cell is needed until a period after its own last moment.
        last = ends + cell.length_ns / 1e9
        self._own[cell] = CellCount(cell, amount + (known.amount if known else 0.0), last)
        self._changed.add(cell)


def _digest(key: str) -> str:
    """Keys name callers, which other gateways and a database need not know."""
    return hashlib.blake2b(key.encode(), digest_size=16).hexdigest()


def _window(counter: str, length: int, newest: int) -> list[Cell]:
    """The cells that a sliding window touches, oldest first."""
    numbers = range(newest - CELLS, newest + 1)
    return [Cell(counter, number * length, length) for number in numbers]


def _wait(
    cells: Sequence[Cell],
    counts: Sequence[float],
    now: float,
    needed: float,
    limit: float,
    period: float,
) -> float:
    """Seconds until ``needed`` fits; the whole period when it never will."""
    left = sum(counts)
    for cell, count in zip(cells, counts, strict=True):
        left -= count
        if left + needed <= limit:
            gone = (cell.start_ns + (CELLS + 1) * cell.length_ns) / 1e9
            return max(gone - now, 0.0)
    return period
