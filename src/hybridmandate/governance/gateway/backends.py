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
    """The back ends of a configuration, the state of their circuits, whose turn it is in pools."""

    def __init__(
        self,
        entries: Mapping[str, BackendEntry],
        clock: Callable[[], float],
    ) -> None:
        self._entries = entries
        self._clock = clock
        self._circuits = {id: _Circuit() for id in entries}
        self._turns: dict[str, dict[str, int]] = {}

    def renewed(self, entries: Mapping[str, BackendEntry]) -> Backends:
        """The back ends of another configuration; circuits of unchanged ones keep their state."""
        other = Backends(entries, self._clock)
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

    def is_pool(self, id: str) -> bool:
        """Whether that back end is a pool of others."""
        entry = self._entries.get(id)
        return entry is not None and bool(entry.pool)

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
        group = {id: max(weight, 1) for id, priority, weight in members if priority == best}
        return self._entries[self._next_of(pool.id, group)]

    def _next_of(self, pool: str, group: Mapping[str, int]) -> str:
        """Whose turn it is: round robin, each as often as its weight, spread evenly.

        Each gains its weight a turn; the one that has most is taken and pays the sum of all.
        """
        turns = self._turns.setdefault(pool, {})
        for id, weight in group.items():
            turns[id] = turns.get(id, 0) + weight
        chosen = max(group, key=lambda id: turns[id])
        turns[chosen] -= sum(group.values())
        return chosen
