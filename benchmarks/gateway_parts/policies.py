"""What each policy of the baseline costs: the gateway called in this process and timed."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any

from hybridmandate.governance.gateway.call import CallHead, Lines
from hybridmandate.governance.gateway.exchange import Exchange
from hybridmandate.governance.gateway.server import GatewayApp
from hybridmandate.governance.gateway.steps import Step

CALLS = 2000
Headers = list[tuple[bytes, bytes]]


class _Stopwatch:
    """In the place of a policy trace: it notes how long each policy took and nothing else."""

    def __init__(self) -> None:
        self.times: dict[str, list[float]] = {}

    def begin(self, step: Step, exchange: Exchange) -> _Running:
        place = f"{step.section.value}/{step.scope}/{step.path}"
        return _Running(self.times.setdefault(place, []))


class _Running:
    __slots__ = ("_began", "_times")

    def __init__(self, times: list[float]) -> None:
        self._times = times
        self._began = time.perf_counter()

    def end(self, exchange: Exchange, outcome: str) -> None:
        self._times.append(time.perf_counter() - self._began)


class _Call:
    """A call whose body is at hand; it keeps the status of its answer."""

    is_left = False

    def __init__(self, head: CallHead, content: bytes) -> None:
        self.head = head
        self.content: bytes | None = content
        self.status = 0

    def watch(self, after: float) -> None:
        """Nobody leaves."""

    def stop_watching(self) -> None:
        """Nobody leaves."""

    def answer(self, status: int, reason: str, lines: Lines, content: bytes) -> None:
        self.status = status


def costs(
    app: GatewayApp, path: str, headers: Callable[[], Headers], body: bytes
) -> Iterator[tuple[str, float]]:
    """Place and median microseconds of each policy that runs, in order.

    ``headers`` gives those of a further call. A policy that waits for the back end is charged with
    that wait.
    """
    watch: Any = _Stopwatch()

    async def run() -> None:
        app.services.trace = watch
        for _ in range(CALLS):
            head = CallHead("POST", path.encode(), "", headers(), "http", "127.0.0.1")
            call: Any = _Call(head, body)
            await app.serve(call)
            if call.status != 200:
                raise RuntimeError(f"the gateway answered {call.status}")
        app.services.trace = None

    asyncio.run(run())
    for place, found in watch.times.items():
        yield place, statistics.median(found) * 1e6
