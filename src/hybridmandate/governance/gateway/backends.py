"""Named back ends: URLs, pools by priority and weight, and circuit breakers (backends page)."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from hybridmandate.governance.gateway.configuration import BackendEntry
from hybridmandate.governance.gateway.errors import PolicyError
from hybridmandate.governance.gateway.transport import BaseUrl, parse_base_url


@dataclass(slots=True)
class _Circuit:
    failures: deque[float] = field(default_factory=deque)
    open_until: float = 0.0


class Backends:
    """The back ends of a configuration and the state of their circuits.

    ``random`` gives numbers in [0, 1) for the choice by weight.
    """

    def __init__(
        self,
        entries: Mapping[str, BackendEntry],
        clock: Callable[[], float],
        random: Callable[[], float],
    ) -> None:
        self._entries = entries
        self._clock = clock
        self._random = random
        self._circuits = {id: _Circuit() for id in entries}

    def renewed(self, entries: Mapping[str, BackendEntry]) -> Backends:
        """The back ends of another configuration; circuits of unchanged ones keep their state."""
        other = Backends(entries, self._clock, self._random)
        for id, entry in entries.items():
            if self._entries.get(id) == entry:
                other._circuits[id] = self._circuits[id]
        return other

    def pick(self, id: str) -> tuple[BackendEntry, BaseUrl]:
        """The back end to call: itself, or the best open member of its pool.

        :raises PolicyError: 503 when its circuit, or all circuits of the pool, are open; 500 when
            there is no such back end.
        """
        entry = self._entries.get(id)
        if entry is None:
            raise PolicyError(500, "BackendNotFound", f"There is no back end '{id}'.")
        if entry.pool:
            entry = self._from_pool(entry)
        elif self._is_open(entry.id):
            raise PolicyError(
                503, "BackendConnectionFailure", f"The circuit of back end '{id}' is open."
            )
        return entry, parse_base_url(entry.url or "")

    def report(self, id: str, status: int | None) -> None:
        """Tell how a call ended: its status, or None when the connection failed."""
        entry = self._entries.get(id)
        if entry is None or not entry.breaker_failures:
            return
        if status is not None and not any(
            low <= status <= high for low, high in entry.breaker_statuses
        ):
            return
        now = self._clock()
        circuit = self._circuits[id]
        circuit.failures.append(now)
        while circuit.failures[0] <= now - entry.breaker_interval:
            circuit.failures.popleft()
        if len(circuit.failures) >= entry.breaker_failures:
            circuit.open_until = now + entry.breaker_duration
            circuit.failures.clear()

    def _is_open(self, id: str) -> bool:
        circuit = self._circuits.get(id)
        return circuit is not None and circuit.open_until > self._clock()

    def _from_pool(self, pool: BackendEntry) -> BackendEntry:
        members = [each for each in pool.pool if not self._is_open(each[0])]
        if not members:
            raise PolicyError(
                503, "BackendConnectionFailure", f"No back end of pool '{pool.id}' is available."
            )
        best = min(priority for _, priority, _ in members)
        group = [(id, max(weight, 1)) for id, priority, weight in members if priority == best]
        point = self._random() * sum(weight for _, weight in group)
        for id, weight in group:
            point -= weight
            if point < 0:
                return self._entries[id]
        return self._entries[group[-1][0]]
