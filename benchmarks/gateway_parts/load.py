"""Load over keep-alive connections: as much as it takes, or at a given rate.

One request at a time on each connection, no pipelining; the requests take turns. A raw asyncio
protocol on uvloop, so that the load costs a fraction of what it measures.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle
from typing import Any

import uvloop


@dataclass(frozen=True, slots=True)
class Figures:
    """Requests answered, how many a second, and latencies in milliseconds."""

    calls: int
    rate: float
    p50: float
    p99: float


class _Caller(asyncio.Protocol):
    """One connection; answers must have a Content-Length and status 200."""

    def __init__(self, requests: Iterator[bytes], latencies: list[float]) -> None:
        self._requests = requests
        self._latencies = latencies
        self._transport: Any = None
        self._began = 0.0
        self._buffer = b""
        self._need = 0
        self.answered: asyncio.Future[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def connection_lost(self, error: Exception | None) -> None:
        if self.answered is not None and not self.answered.done():
            self.answered.set_exception(ConnectionError(f"the connection ended: {error}"))

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if not self._need:
            end = self._buffer.find(b"\r\n\r\n")
            if end < 0:
                return
            head = self._buffer[:end].lower()
            if not head.startswith(b"http/1.1 200"):
                self._fail(self._buffer[:600])
                return
            length = head.split(b"content-length:", 1)[1].split(b"\r\n", 1)[0]
            self._need = end + 4 + int(length)
        if len(self._buffer) >= self._need:
            self._latencies.append((time.perf_counter() - self._began) * 1000)
            self._buffer, self._need = b"", 0
            assert self.answered is not None
            self.answered.set_result(None)

    def send(self) -> asyncio.Future[None]:
        """Send the next request; done when its answer is there."""
        self.answered = asyncio.get_running_loop().create_future()
        self._began = time.perf_counter()
        self._transport.write(next(self._requests))
        return self.answered

    def close(self) -> None:
        """End the connection."""
        self._transport.close()

    def _fail(self, shown: bytes) -> None:
        assert self.answered is not None
        self.answered.set_exception(RuntimeError(shown.decode("latin-1")))


def load(
    port: int,
    requests: Sequence[bytes],
    *,
    connections: int,
    seconds: float,
    rate: float | None = None,
) -> Figures:
    """Call for so many seconds; ``rate`` is requests a second over all connections, None: all.

    :raises RuntimeError: with the answer, when one is not 200.
    """
    return uvloop.run(_load(port, requests, connections, seconds, rate))


async def _load(
    port: int, requests: Sequence[bytes], connections: int, seconds: float, rate: float | None
) -> Figures:
    loop = asyncio.get_running_loop()
    latencies: list[float] = []
    callers = []
    turns = cycle(requests)
    for _ in range(connections):
        _, caller = await loop.create_connection(
            lambda: _Caller(turns, latencies), "127.0.0.1", port
        )
        callers.append(caller)
    pause = connections / rate if rate else 0.0
    began = time.perf_counter()

    async def drive(caller: _Caller, number: int) -> None:
        due = began + pause * number / connections
        while (now := time.perf_counter()) < began + seconds:
            if pause:
                if due > now:
                    await asyncio.sleep(due - now)
                due += pause
            await caller.send()

    await asyncio.gather(*(drive(caller, number) for number, caller in enumerate(callers)))
    took = time.perf_counter() - began
    for caller in callers:
        caller.close()
    marks = statistics.quantiles(latencies, n=100)
    return Figures(len(latencies), len(latencies) / took, marks[49], marks[98])
