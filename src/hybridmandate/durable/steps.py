"""The context of one running workflow on DBOS: steps are remembered by name, not by position.

DBOS numbers steps in the order in which they begin, so branches that run side by side would get
each other's numbers when they interleave differently after a crash. A flow has such branches. Here
a step is known by its name and how often that name came before, and remembered in the journal; a
workflow whose branches use different names may run them in any order. Messages are DBOS's, which
takes one and remembers it under a number: the journal keeps which number a receive has.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any

from dbos import error as dbos_error

from hybridmandate.durable.journal import FinishedStep, OwnerLost, StepJournal
from hybridmandate.durable.port import Json, StepFailed
from hybridmandate.durable.watch import Watch

Consume = Callable[[str, int, str, int], Json]
"""DBOS's atomic 'take the oldest unread message and remember it'.

Its arguments: run id, number, topic, start in milliseconds."""

Received = Callable[[str, int], bool]
"""Whether what a run received under a number is remembered."""

RECEIVE = "receive "


class StepContext:
    """:class:`hybridmandate.durable.port.DurableContext` on DBOS.

    ``owner`` is the token of this execution, ``recorded`` what the finished steps of earlier
    executions gave, by name.
    """

    def __init__(
        self,
        run_id: str,
        owner: str,
        recorded: Mapping[str, Any],
        journal: StepJournal,
        watch: Watch,
        consume: Consume,
        received: Received,
        working: Callable[[], Awaitable[AbstractContextManager[None]]],
    ) -> None:
        self._id = run_id
        self._owner = owner
        self._recorded = dict(recorded)
        self._journal = journal
        self._watch = watch
        self._consume = consume
        self._received = received
        self._working = working
        self._seen: Counter[str] = Counter()
        self._receives = max(
            (each["value"]["number"] for name, each in recorded.items() if _is_receive(name)),
            default=0,
        )
        # Two branches that receive on one topic take turns: a message wakes only one of them.
        self._topics: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    @property
    def id(self) -> str:
        return self._id

    async def step(self, name: str, action: Callable[[], Awaitable[Json]]) -> Json:
        self._seen[name] += 1
        full_name = f"{name}#{self._seen[name]}"
        outcome = self._recorded.pop(full_name, None)
        if outcome is not None:
            return _value(full_name, outcome, None)
        cause: Exception | None = None
        with await self._working():
            try:
                outcome = {"value": await action()}
            except Exception as error:
                cause = error
                outcome = {"error": {"type": type(error).__name__, "message": str(error)}}
            text = json.dumps(outcome, separators=(",", ":"))
            try:
                await self._journal.remember(FinishedStep(self._id, self._owner, full_name, text))
            except OwnerLost:
                # DBOS ends this execution and takes the outcome that the owner records.
                raise dbos_error.DBOSWorkflowConflictIDError(self._id) from None
        # What a replay will read, so that a workflow never sees more than that.
        return _value(full_name, json.loads(text), cause)

    async def now(self) -> float:
        async def read() -> float:
            return time.time()

        return float(await self.step("now", read))

    async def sleep_until(self, epoch_seconds: float) -> None:
        # Nothing to remember: the point in time is the workflow's own value, so a replay has it.
        await asyncio.sleep(max(0.0, epoch_seconds - time.time()))

    async def receive(self, topic: str, timeout_seconds: float) -> Json | None:
        async def begin() -> dict[str, float]:
            self._receives += 1
            return {"until": time.time() + timeout_seconds, "number": self._receives}

        begun = await self.step(RECEIVE + topic, begin)
        number = int(begun["number"])
        async with self._topics[topic]:
            # A message that was taken before a crash is not unread any more.
            if not await asyncio.to_thread(self._received, self._id, number):
                left = max(0.0, begun["until"] - time.time())
                await self._watch.message(self._id, topic, timeout_seconds=left)
            with await self._working():
                started_ms = int(time.time() * 1000)
                return await asyncio.to_thread(self._consume, self._id, number, topic, started_ms)


def _is_receive(full_name: str) -> bool:
    return full_name.startswith(RECEIVE)


def _value(full_name: str, outcome: Mapping[str, Any], cause: Exception | None) -> Json:
    error = outcome.get("error")
    if error is None:
        return outcome["value"]
    raise StepFailed(full_name, error["type"], error["message"]) from cause
