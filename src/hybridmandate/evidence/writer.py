"""The recorder of a process: callers hand over and go on, one thread writes.

``record`` appends to a queue in memory (a few microseconds) and never raises. The thread gathers
for ``BATCH_SECONDS`` and writes what there is in one transaction. A normal stop (``close``) loses
nothing; ``kill -9`` loses what was handed over in the last batch and not yet committed, and nothing
that was. A power cut may lose the last commits as well: the log is written, not synced, each time.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from hybridmandate.evidence.chain import Chain, StoredRecord
from hybridmandate.evidence.record import Record, Tier
from hybridmandate.evidence.store import insert_records, open_store

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

BATCH_SECONDS = 0.03
BATCH_RECORDS = 2_000
QUEUE_RECORDS = 50_000
RETRY_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why evidence is not being kept as it should; a tier with trouble is not ready.

    ``failures`` are attempts to write since the last that worked, ``lost`` the records that will
    never be written (the queue was full, or the record was no record), ``message`` the last error.
    """

    failures: int
    lost: int
    message: str


class EvidenceWriter:
    """A :class:`hybridmandate.evidence.record.Recorder` on the evidence store.

    ``name`` says which process writes (``gateway``); the chain is ``name-<start>-<pid>``. With a
    ``signing_key`` a checkpoint is written every ``checkpoint_records`` records or
    ``checkpoint_seconds`` seconds in which something was written, and at close.
    """

    def __init__(
        self,
        path: Path,
        *,
        name: str,
        tier: Tier,
        signing_key: Ed25519PrivateKey | None,
        checkpoint_records: int = 5_000,
        checkpoint_seconds: float = 60.0,
        queue_records: int = QUEUE_RECORDS,
        clock_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        started = datetime.fromtimestamp(clock_ns() / 1e9, UTC)
        self.chain = f"{name}-{started:%Y%m%dT%H%M%S.%f}Z-{os.getpid()}"
        self._path = path
        self._tier = tier
        self._key = signing_key
        self._checkpoint_records = checkpoint_records
        self._checkpoint_seconds = checkpoint_seconds
        self._clock_ns = clock_ns
        self._grow = Chain(self.chain)
        self._queue: deque[Record] = deque()
        self._queue_records = queue_records
        self._lock = threading.Lock()
        self._handed_over = 0
        self._written = threading.Condition()
        self._settled = 0
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._hurry = threading.Event()
        self._lost = 0
        self._lost_reported = 0
        self._failures = 0
        self._message = ""
        self._unsigned = 0
        self._signed_at = time.monotonic()
        self._store: sqlite3.Connection | None = None
        self._thread = threading.Thread(target=self._run, name="evidence-writer", daemon=True)
        self._thread.start()

    def __enter__(self) -> EvidenceWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def trouble(self) -> Trouble | None:
        """What is wrong, or None when every record so far is written or about to be."""
        if not self._failures and not self._lost:
            return None
        return Trouble(self._failures, self._lost, self._message)

    def record(self, record: Record) -> None:
        """As the protocol says. A full queue loses the record and counts it in ``trouble``."""
        with self._lock:
            if len(self._queue) >= self._queue_records or self._stopping.is_set():
                self._lost += 1
                if not self._failures:
                    self._message = "records were handed over faster than written, or after close"
                return
            self._queue.append(record)
            self._handed_over += 1
        if not self._wake.is_set():
            self._wake.set()

    def flush(self, *, timeout_seconds: float = 5.0) -> bool:
        """Wait until all that was handed over before is in the store; False when it is not."""
        with self._lock:
            until = self._handed_over
        self._hurry.set()
        self._wake.set()
        with self._written:
            return self._written.wait_for(lambda: self._settled >= until, timeout_seconds)

    def close(self, *, timeout_seconds: float = 10.0) -> bool:
        """Write the rest and a checkpoint, and end; False when the store did not take it all."""
        self._stopping.set()
        self._hurry.set()
        self._wake.set()
        self._thread.join(timeout_seconds)
        return not self._thread.is_alive() and self._failures == 0

    def _run(self) -> None:
        while True:
            self._wake.wait(self._checkpoint_seconds)
            self._hurry.wait(BATCH_SECONDS)
            self._hurry.clear()
            self._wake.clear()
            if self._queue and self._write_batch() and self._queue:
                self._hurry.set()
                self._wake.set()
            stopping = self._stopping.is_set()
            if self._unsigned and (stopping or self._checkpoint_is_due()):
                self._attempt(self._sign)
            if stopping and (not self._queue or self._failures):
                break
            if self._failures:
                self._stopping.wait(RETRY_SECONDS)
                self._wake.set()
        if self._store is not None:
            self._store.close()

    def _write_batch(self) -> bool:
        batch = [self._queue[n] for n in range(min(len(self._queue), BATCH_RECORDS))]
        mark = self._grow.mark()
        stored = [each for record in batch if (each := self._chained(record)) is not None]
        report = self._loss_report()
        if report is not None:
            stored.append(self._grow.append(report))
        if not self._attempt(lambda store: insert_records(store, stored)):
            self._grow.back_to(mark)
            return False
        if report is not None:
            self._lost_reported = self._lost
        self._unsigned += len(stored)
        with self._lock:
            for _ in batch:
                self._queue.popleft()
        with self._written:
            self._settled += len(batch)
            self._written.notify_all()
        return True

    def _chained(self, record: Record) -> StoredRecord | None:
        try:
            return self._grow.append(record)
        except Exception as error:
            # A record that is none (a wrong type, a detail that changes meanwhile) must not stop
            # the others; it is counted, and the count is written as evidence.
            self._lost += 1
            self._message = f"a record could not be read: {type(error).__name__}"
            return None

    def _loss_report(self) -> Record | None:
        missing = self._lost - self._lost_reported
        if not missing:
            return None
        return Record(
            time_ns=self._clock_ns(),
            tier=self._tier,
            kind="evidence.lost",
            subject=self.chain,
            outcome="failed",
            detail={"records": missing},
        )

    def _checkpoint_is_due(self) -> bool:
        waited = time.monotonic() - self._signed_at
        return self._unsigned >= self._checkpoint_records or waited >= self._checkpoint_seconds

    def _sign(self, store: sqlite3.Connection) -> None:
        from hybridmandate.evidence.checkpoint import write_checkpoint

        if self._key is not None:
            write_checkpoint(store, self._key, chain=self.chain, time_ns=self._clock_ns())
        self._unsigned = 0
        self._signed_at = time.monotonic()

    def _attempt(self, write: Callable[[sqlite3.Connection], None]) -> bool:
        """Run a write in a transaction; a failure is counted and the store opened anew."""
        try:
            if self._store is None:
                self._store = open_store(self._path)
            self._store.execute("BEGIN IMMEDIATE")
            write(self._store)
            self._store.execute("COMMIT")
        except Exception as error:
            # Whatever it is, the thread must live on and say so: without it all evidence is lost.
            self._failures += 1
            self._message = f"{type(error).__name__}: {error}"
            if self._store is not None:
                self._store.close()
                self._store = None
            return False
        self._failures = 0
        return True
