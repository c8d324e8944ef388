"""Counters that all worker processes of one gateway share: a file in memory, one lock.

A gateway with a process per core must not have a limit per core. The counts stand in a file that
every worker maps into its memory; an operation takes the file's lock, reads and writes one slot,
and lets go: microseconds, no server, and what a killed worker held is released by the kernel.

A quota is exact. A sliding window is cut into ``CELLS`` cells, and a cell counts as a whole until
its last moment has left the window: so no window of the period ever holds more than the limit, and
room is given back late by at most ``period / CELLS``.

Where no slot near a new key is free, its call is refused until the first of them ends: a limit is
never passed because there was no room to count.
"""

from __future__ import annotations

import hashlib
import math
import mmap
import os
import struct
import sys
from collections.abc import Callable
from pathlib import Path

from hybridmandate.governance.gateway.counters import Reading

CELLS = 60
_MAGIC = b"MANDATE-COUNTS-1"
_HEADER = 64
_KEY = 16
_HEAD = struct.Struct(f"<{_KEY}sdqqd")
"""Key digest, end of the slot's life, cell length in ns (0: fixed window), newest cell, total."""
_AMOUNT = struct.Struct("<d")
_SLOT_SIZE = _HEAD.size + (CELLS + 1) * _AMOUNT.size
_NEVER = float("inf")
_PROBES = 64


_LONGEST_WAIT = 3600.0
"""Seconds after which a refused caller may ask again where no slot ever ends."""


class _Full(Exception):
    """All slots near a key are in use; the first of them ends in ``wait`` seconds."""

    def __init__(self, wait: float) -> None:
        super().__init__()
        self.wait = min(wait, _LONGEST_WAIT)


class WorkerCounters:
    """Counters in a file that the processes of one machine share.

    ``clock`` gives seconds since the epoch and must be the machine's own in every worker. ``slots``
    is how many keys can be alive at once, fixed when the file is made. Each process opens the file
    itself: a lock is shared with a forked child, and then it is none.

    :raises ValueError: when the file is of another kind or size.
    """

    def __init__(self, path: Path, clock: Callable[[], float], *, slots: int = 16_384) -> None:
        self._clock = clock
        self._slots = slots
        size = _HEADER + slots * _SLOT_SIZE
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o600)
        self._lock = _FileLock(self._file)
        try:
            with self._lock:
                self._prepare(path, size)
            self._memory = mmap.mmap(self._file, size)
        except BaseException:
            os.close(self._file)
            raise

    def close(self) -> None:
        """Let go of the file; the counts stay for the other workers."""
        self._memory.close()
        os.close(self._file)

    def slide(self, key: str, limit: float, period: float, amount: float) -> Reading:
        """See :class:`Counters`."""
        now = self._clock()
        needed = amount or 1
        with self._lock:
            try:
                window = self._sliding(key, period, now)
            except _Full as full:
                return Reading(False, limit, full.wait)
            if window.total + needed > limit:
                return Reading(False, window.total, window.wait(now, needed, limit))
            if amount:
                window.add(amount)
            return Reading(True, window.total, 0.0)

    def add_sliding(self, key: str, period: float, amount: float) -> float:
        """See :class:`Counters`. Without a free slot nothing is counted."""
        now = self._clock()
        with self._lock:
            try:
                window = self._sliding(key, period, now)
            except _Full:
                return amount
            window.add(amount)
            return window.total

    def fixed(self, key: str, limit: float, start: float, period: float, amount: float) -> Reading:
        """See :class:`Counters`."""
        now = self._clock()
        needed = amount or 1
        ends = start + ((now - start) // period + 1) * period if period else _NEVER
        digest = _digest(key)
        with self._lock:
            try:
                place, used = self._fixed(digest, ends, now)
            except _Full as full:
                return Reading(False, amount if limit == _NEVER else limit, full.wait)
            if used + needed > limit:
                return Reading(False, used, max(ends - now, 0.0))
            if amount:
                used += amount
                _HEAD.pack_into(self._memory, place, digest, ends, 0, 0, used)
            return Reading(True, used, 0.0)

    def add_fixed(self, key: str, start: float, period: float, amount: float) -> float:
        """See :class:`Counters`. Without a free slot nothing is counted."""
        return self.fixed(key, _NEVER, start, period, amount).used

    def _prepare(self, path: Path, size: int) -> None:
        found = os.fstat(self._file).st_size
        if found == 0:
            os.ftruncate(self._file, size)
        elif found != size:
            raise ValueError(f"{path} holds counters of another number of slots: remove it")
        os.lseek(self._file, 0, os.SEEK_SET)
        magic = os.read(self._file, len(_MAGIC))
        if magic.strip(b"\0") and magic != _MAGIC:
            raise ValueError(f"{path} holds no counters of this version: remove it")
        os.lseek(self._file, 0, os.SEEK_SET)
        os.write(self._file, _MAGIC)

    def _sliding(self, key: str, period: float, now: float) -> _Window:
        length = math.ceil(period * 1e9 / CELLS)
        digest = _digest(key)
        place = self._place(digest, now)
        known, _, its_length, filled_to, total = _HEAD.unpack_from(self._memory, place)
        window = _Window(self._memory, place, digest, period, length, int(now * 1e9) // length)
        if (known, its_length) == (digest, length):
            window.go_on_from(filled_to, total)
        else:
            window.begin()
        return window

    def _fixed(self, digest: bytes, ends: float, now: float) -> tuple[int, float]:
        place = self._place(digest, now)
        known, its_end, length, _, used = _HEAD.unpack_from(self._memory, place)
        return place, used if (known, its_end, length) == (digest, ends, 0) else 0.0

    def _place(self, digest: bytes, now: float) -> int:
        """Where the key's slot is, or the first place whose slot has ended.

        :raises _Full: when neither is near.
        """
        first = int.from_bytes(digest[:8], "little") % self._slots
        free: int | None = None
        earliest = _NEVER
        for step in range(_PROBES):
            place = _HEADER + (first + step) % self._slots * _SLOT_SIZE
            known, ends, *_ = _HEAD.unpack_from(self._memory, place)
            if known == digest:
                return place
            if free is None and ends <= now:
                free = place
            if known == bytes(_KEY):
                break
            earliest = min(earliest, ends)
        if free is None:
            raise _Full(earliest - now)
        return free


class _Window:
    """A sliding window in its slot: cell ``n`` of the clock stands at ``n % (CELLS + 1)``."""

    __slots__ = ("_digest", "_length", "_memory", "_newest", "_period", "_place", "total")

    def __init__(
        self,
        memory: mmap.mmap,
        place: int,
        digest: bytes,
        period: float,
        length: int,
        newest: int,
    ) -> None:
        self._memory = memory
        self._place = place
        self._digest = digest
        self._period = period
        self._length = length
        self._newest = newest
        self.total = 0.0

    def begin(self) -> None:
        """Nothing is counted yet."""
        for number in range(CELLS + 1):
            self._set(number, 0.0)

    def go_on_from(self, filled_to: int, total: float) -> None:
        """Let the cells go that have left the window since the slot was written."""
        if filled_to >= self._newest:
            self._newest, self.total = filled_to, total
            return
        if self._newest - filled_to > CELLS:
            self.begin()
            return
        for number in range(filled_to + 1, self._newest + 1):
            total -= self._get(number)
            self._set(number, 0.0)
        self.total = total
        self._write()

    def add(self, amount: float) -> None:
        """Count in the newest cell."""
        self._set(self._newest, self._get(self._newest) + amount)
        self.total += amount
        self._write()

    def wait(self, now: float, needed: float, limit: float) -> float:
        """Seconds until ``needed`` fits; the whole period when it never will."""
        left = self.total
        for number in range(self._newest - CELLS, self._newest + 1):
            left -= self._get(number)
            if left + needed <= limit:
                gone = (number + CELLS + 1) * self._length / 1e9
                return max(gone - now, 0.0)
        return self._period

    def _write(self) -> None:
        ends = (self._newest + 1) * self._length / 1e9 + self._period
        _HEAD.pack_into(
            self._memory, self._place, self._digest, ends, self._length, self._newest, self.total
        )

    def _at(self, number: int) -> int:
        return self._place + _HEAD.size + number % (CELLS + 1) * _AMOUNT.size

    def _get(self, number: int) -> float:
        found: float = _AMOUNT.unpack_from(self._memory, self._at(number))[0]
        return found

    def _set(self, number: int, amount: float) -> None:
        _AMOUNT.pack_into(self._memory, self._at(number), amount)


class _FileLock:
    """The lock of an open file, for ``with``; taken at every count, so without a generator."""

    __slots__ = ("_file",)

    def __init__(self, file: int) -> None:
        self._file = file

    def __enter__(self) -> None:
        lock_file(self._file)

    def __exit__(self, *raised: object) -> None:
        unlock_file(self._file)


def _digest(key: str) -> bytes:
    return hashlib.blake2b(key.encode(), digest_size=_KEY).digest()


if sys.platform == "win32":
    import msvcrt
    import time

    def lock_file(file: int) -> None:
        """Wait for the lock of an open file."""
        while True:
            os.lseek(file, _HEADER - 1, os.SEEK_SET)
            try:
                msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
            except OSError:
                time.sleep(0)
            else:
                return

    def unlock_file(file: int) -> None:
        """Let go of the lock of an open file."""
        os.lseek(file, _HEADER - 1, os.SEEK_SET)
        msvcrt.locking(file, msvcrt.LK_UNLCK, 1)

else:
    import fcntl

    def lock_file(file: int) -> None:
        """Wait for the lock of an open file."""
        fcntl.flock(file, fcntl.LOCK_EX)

    def unlock_file(file: int) -> None:
        """Let go of the lock of an open file."""
        fcntl.flock(file, fcntl.LOCK_UN)
