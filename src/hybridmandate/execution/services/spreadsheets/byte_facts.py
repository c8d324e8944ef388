"""What the bytes of a whole text are, found in one pass over them, in two threads."""

from __future__ import annotations

import mmap
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

Buffer = bytes | mmap.mmap

WINDOW = 16 << 20
"""So many bytes of a mapped file are resident at a time, for each thread."""
_THREADS = 2
_PIECE = 1 << 20
_SMALL_PIECE = 1 << 16
_RETURN, _FEED = ord("\r"), ord("\n")


@dataclass(frozen=True, slots=True)
class ByteFacts:
    """``ascii``: no byte above 127; ``nul``: a zero byte; counts of CR, and of CR before LF."""

    ascii: bool
    nul: bool
    returns: int
    pairs: int

    @classmethod
    def of(cls, data: Buffer) -> ByteFacts:
        """Look over all bytes; of a mapped file no pages are kept."""
        starts = range(0, len(data), WINDOW)
        if len(starts) < 2:
            return cls._joined(_window(data, start) for start in starts)
        with ThreadPoolExecutor(_THREADS, thread_name_prefix="bytes") as pool:
            return cls._joined(pool.map(lambda start: _window(data, start), starts))

    @classmethod
    def _joined(cls, parts: Iterable[ByteFacts]) -> ByteFacts:
        every = list(parts)
        return cls(
            all(part.ascii for part in every),
            any(part.nul for part in every),
            sum(part.returns for part in every),
            sum(part.pairs for part in every),
        )


def _window(data: Buffer, start: int) -> ByteFacts:
    stop = min(start + WINDOW, len(data))
    highest, lowest, returns, pairs = 0, 255, 0, 0
    room = np.empty(_PIECE, dtype=bool)
    for at in range(start, stop, _PIECE):
        # One byte more, so that a CR at the end of a piece is seen with what follows.
        size = min(_PIECE, stop - at)
        bytes_ = np.frombuffer(data, dtype=np.uint8, count=min(size + 1, len(data) - at), offset=at)
        own = bytes_[:size]
        highest, lowest = max(highest, int(own.max())), min(lowest, int(own.min()))
        ends = np.equal(own, _RETURN, out=room[:size])
        if ends.any():
            returns += int(np.count_nonzero(ends))
            follow = bytes_[1:] == _FEED
            pairs += int(np.count_nonzero(ends[: len(follow)] & follow))
    forget_pages(data)
    return ByteFacts(highest < 128, lowest == 0, returns, pairs)


def count_byte(data: bytes, byte: int) -> int:
    """How often a byte occurs; piece by piece, as new memory costs more than the counting."""
    bytes_ = np.frombuffer(data, dtype=np.uint8)
    room = np.empty(_SMALL_PIECE, dtype=bool)
    found = 0
    for start in range(0, len(bytes_), _SMALL_PIECE):
        piece = bytes_[start : start + _SMALL_PIECE]
        found += int(np.count_nonzero(np.equal(piece, byte, out=room[: len(piece)])))
    return found


def forget_pages(buffer: Buffer) -> None:
    """Let the system take back the pages of a mapped file that were read; they stay on disk."""
    if isinstance(buffer, mmap.mmap) and hasattr(buffer, "madvise"):
        buffer.madvise(mmap.MADV_DONTNEED)
