"""The context of one running workflow on DBOS: steps are remembered by name, not by position.

DBOS numbers steps in the order in which they begin, so branches that run side by side would get
each other's numbers when they interleave differently after a crash. A flow has such branches. Here
the number of a step is found by its name and how often that name came before; a workflow whose
branches use different names may run them in any order.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any

from dbos import DBOS, StepReservation

from hybridmandate.durable.port import Json, StepFailed
from hybridmandate.durable.watch import Watch

Consume = Callable[[str, int, str, int], Json]
"""DBOS's atomic 'take the oldest unread message and remember it': run id, step, topic, start ms."""

RECEIVE = "receive "


class StepNumbers:
    """Which number each named step of a run has; must be made at the start of the workflow.

    ``recorded`` are the finished steps of earlier attempts, number to name.
    """

    def __init__(self, recorded: Mapping[int, str]) -> None:
        self._seen: Counter[str] = Counter()
        self._number_of = {name: number for number, name in recorded.items()}
        # A receive keeps the number after its own for the message, which may not be there yet.
        last = max(
            (n + 1 if name.startswith(RECEIVE) else n for n, name in recorded.items()), default=0
        )
        self._reserved = {each: DBOS.reserve_step() for each in range(1, last + 1)}

    def claim(self, name: str) -> tuple[str, StepReservation]:
        """The full name (``normalize#2``: its second time) and the place to run it at."""
        full_name = self._full_name(name)
        number = self._number_of.get(full_name)
        reservation = DBOS.reserve_step() if number is None else self._reserved[number]
        return full_name, reservation

    def claim_receive(self, topic: str) -> tuple[str, StepReservation, int]:
        """As :meth:`claim` for a receive, and the number at which its message is remembered."""
        full_name, reservation = self.claim(RECEIVE + topic)
        if full_name not in self._number_of:
            DBOS.reserve_step()
        return full_name, reservation, reservation.step_id + 1

    def _full_name(self, name: str) -> str:
        self._seen[name] += 1
        return f"{name}#{self._seen[name]}"


class StepContext:
    """:class:`hybridmandate.durable.port.DurableContext` on DBOS."""

    def __init__(
        self,
        run_id: str,
        numbers: StepNumbers,
        watch: Watch,
        consume: Consume,
        working: Callable[[], Awaitable[AbstractContextManager[None]]],
    ) -> None:
        self._id = run_id
        self._numbers = numbers
        self._watch = watch
        self._consume = consume
        self._working = working
        # Two branches that receive on one topic take turns: a message wakes only one of them.
        self._topics: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    @property
    def id(self) -> str:
        return self._id

    async def step(self, name: str, action: Callable[[], Awaitable[Json]]) -> Json:
        full_name, reservation = self._numbers.claim(name)
        return await self._remember(full_name, reservation, action)

    async def now(self) -> float:
        async def read() -> float:
            return time.time()

        return float(await self.step("now", read))

    async def sleep_until(self, epoch_seconds: float) -> None:
        # Nothing to remember: the point in time is the workflow's own value, so a replay has it.
        await asyncio.sleep(max(0.0, epoch_seconds - time.time()))

    async def receive(self, topic: str, timeout_seconds: float) -> Json | None:
        full_name, reservation, number = self._numbers.claim_receive(topic)

        async def deadline() -> float:
            return time.time() + timeout_seconds

        until = float(await self._remember(full_name, reservation, deadline))
        async with self._topics[topic]:
            left = max(0.0, until - time.time())
            await self._watch.message(self._id, topic, timeout_seconds=left)
            with await self._working():
                started_ms = int(time.time() * 1000)
                return await asyncio.to_thread(self._consume, self._id, number, topic, started_ms)

    async def _remember(
        self, full_name: str, reservation: StepReservation, action: Callable[[], Awaitable[Json]]
    ) -> Json:
        failures: list[Exception] = []

        async def run() -> dict[str, Any]:
            try:
                return {"value": await action()}
            except Exception as error:
                failures.append(error)
                return {"error": {"type": type(error).__name__, "message": str(error)}}

        with await self._working():
            remembered = await reservation.run_async({"name": full_name}, run)
        error = remembered.get("error")
        if error is None:
            return remembered["value"]
        cause = failures[0] if failures else None
        raise StepFailed(full_name, error["type"], error["message"]) from cause
