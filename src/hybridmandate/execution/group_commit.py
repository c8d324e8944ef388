"""Group commit: many small writes share one transaction, in a thread of their own.

A commit costs the same for one row as for a hundred. While one transaction commits, the next
requests gather; they go together into the following one. Nobody is told that a write is done
before its transaction is committed.
"""

from __future__ import annotations

import asyncio
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import sqlalchemy as sa

T = TypeVar("T")
Work = Callable[[sa.Connection], T]

MAX_BATCH = 256


@dataclass(frozen=True, slots=True)
class _Item(Generic[T]):
    key: str
    work: Work[T]
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[T]


class GroupCommit:
    """One writer for a database engine; ``every`` seconds it also does ``periodic`` work.

    The periodic work runs in the writer's thread, so a busy event loop does not delay it.
    """

    def __init__(self, engine: sa.Engine, *, periodic: Work[Any], every: float) -> None:
        self._engine = engine
        self._periodic = periodic
        self._every = every
        self._queue: queue.SimpleQueue[_Item[Any] | None] = queue.SimpleQueue()
        self._closed = False
        self._gate = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="group-commit", daemon=True)

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def close(self) -> None:
        """Write what was handed in, then end."""
        with self._gate:
            self._closed = True
            self._queue.put(None)
        self._thread.join()

    async def run(self, key: str, work: Work[T]) -> T:
        """The result of the work, once its transaction is committed.

        ``work`` must touch only rows of ``key``: a batch is sorted by key, so that two processes
        never lock each other's rows crosswise.
        :raises sqlalchemy.exc.DBAPIError: when the batch could not be committed; nothing of it was.
        :raises RuntimeError: after :meth:`close`.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        with self._gate:
            if self._closed:
                raise RuntimeError("the writer is closed: this process is stopping")
            self._queue.put(_Item(key, work, loop, future))
        return await future

    def _run(self) -> None:
        due = time.monotonic() + self._every
        while True:
            try:
                first = self._queue.get(timeout=max(0.0, due - time.monotonic()))
            except queue.Empty:
                self._do_periodic()
                due = time.monotonic() + self._every
                continue
            batch, ended = self._gather(first)
            self._commit(sorted(batch, key=lambda item: item.key))
            if ended:
                return

    def _gather(self, first: _Item[Any] | None) -> tuple[list[_Item[Any]], bool]:
        batch: list[_Item[Any]] = []
        item = first
        while item is not None:
            batch.append(item)
            if len(batch) == MAX_BATCH:
                return batch, False
            try:
                item = self._queue.get_nowait()
            except queue.Empty:
                return batch, False
        return batch, True

    def _commit(self, batch: list[_Item[Any]]) -> None:
        if not batch:
            return
        try:
            with self._engine.begin() as connection:
                results = [item.work(connection) for item in batch]
        except Exception as error:
            for item in batch:
                _settle(item, error=error)
            return
        for item, result in zip(batch, results, strict=True):
            _settle(item, result=result)

    def _do_periodic(self) -> None:
        try:
            with self._engine.begin() as connection:
                self._periodic(connection)
        except sa.exc.DBAPIError:
            # The database is away: calls are told so one by one, and this is tried again soon.
            return


def _settle(item: _Item[Any], *, result: Any = None, error: Exception | None = None) -> None:
    def settle() -> None:
        if item.future.done():
            return
        if error is not None:
            item.future.set_exception(error)
        else:
            item.future.set_result(result)

    item.loop.call_soon_threadsafe(settle)
