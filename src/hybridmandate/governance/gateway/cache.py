"""The gateway's cache: values and whole responses, with a time to live and a bounded size."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Protocol


class Cache(Protocol):
    """Where cache policies keep things; ``caching-type`` internal and external share it here."""

    def get(self, key: str) -> Any | None:
        """The value, or None when there is none or it has expired."""

    def put(self, key: str, value: Any, seconds: float) -> None:
        """Keep a value for that long."""

    def remove(self, key: str) -> None:
        """Forget a value."""


class ProcessCache:
    """A cache in the memory of one process; the least recently used entries leave first.

    ``clock`` gives seconds, ``capacity`` is the largest number of entries.
    """

    def __init__(self, clock: Callable[[], float], *, capacity: int = 4096) -> None:
        self._clock = clock
        self._capacity = capacity
        self._entries: OrderedDict[str, tuple[float, Any]] = OrderedDict()

    def get(self, key: str) -> Any | None:
        entry = self._entries.get(key)
        if entry is None:
            return None
        if entry[0] <= self._clock():
            del self._entries[key]
            return None
        self._entries.move_to_end(key)
        return entry[1]

    def put(self, key: str, value: Any, seconds: float) -> None:
        self._entries[key] = (self._clock() + seconds, value)
        self._entries.move_to_end(key)
        while len(self._entries) > self._capacity:
            self._entries.popitem(last=False)

    def remove(self, key: str) -> None:
        self._entries.pop(key, None)
