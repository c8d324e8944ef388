"""What the stores of a stand-in's items have in common."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock

from sqlalchemy import Engine


class ItemStore:
    """Items in one database, changed under one lock.

    ``clock`` gives epoch seconds, ``new_id`` unique ids.
    """

    def __init__(
        self, engine: Engine, lock: Lock, *, clock: Callable[[], float], new_id: Callable[[], str]
    ) -> None:
        self._engine = engine
        self._lock = lock
        self._clock = clock
        self._new_id = new_id
