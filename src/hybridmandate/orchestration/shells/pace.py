"""Limits that a run meets while it goes on: said in the evidence from 80 %, enforced at 100 %.

Requests slow a flow down, a message that is too large fails its action, a trigger with concurrency
control refuses what comes when enough runs wait (limits page: 10 plus the degree).
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from hybridmandate.contracts import FailureType, Refused
from hybridmandate.evidence.record import Recorder
from hybridmandate.orchestration.definition.model import Flow
from hybridmandate.orchestration.engine import Answer
from hybridmandate.orchestration.engine.value_sizes import MAX_DEPTH, TooDeep, json_size
from hybridmandate.orchestration.limits import Profile, RequestBudget, Usage, limit
from hybridmandate.orchestration.limits.catalogue import WAITING_RUNS
from hybridmandate.orchestration.limits.measures import WARN_SHARE, measure_flow
from hybridmandate.orchestration.shells.json_values import json_values
from hybridmandate.orchestration.shells.message_sizes import answer_size, body_size
from hybridmandate.orchestration.shells.request_windows import RequestWindows
from hybridmandate.orchestration.shells.tracking import limit_record

WAITING_RETRY_SECONDS = 10
"""What a caller is told to wait when a trigger takes no further run."""
LONGEST_HOLD = 60.0
"""A hold is cut into pieces, so that a clock that jumps is noticed."""


Rest = Callable[[float], Awaitable[bool]]
"""Lets some seconds pass; true when whoever rests need not go on waiting."""


class MessageTooLarge(Exception):
    """A trigger brings more than a message may have; the run is not started."""


class Pace:
    """The pace of a process's flows. ``clock`` gives epoch seconds."""

    def __init__(
        self,
        recorder: Recorder,
        clock: Callable[[], float],
        profile: Profile,
        budget: RequestBudget,
        windows: RequestWindows | None = None,
    ) -> None:
        """``windows`` is where the requests that are counted in ``budget`` are kept."""
        self._recorder = recorder
        self._clock = clock
        self._profile = profile
        self._budget = budget
        self._windows = windows
        self._rooms: dict[str, asyncio.Semaphore] = {}
        self._waiting: Counter[str] = Counter()
        self._held: set[str] = set()

    def announce(self, flow: Flow) -> None:
        """Say which limits the definition of a flow comes near."""
        for each in measure_flow(flow, self._profile):
            if each.level != "ok":
                usage = Usage(each.limit.id, each.place, each.value, each.highest)
                self.near(flow.name, usage, None)

    def near(self, flow: str, usage: Usage, run: str | None, **detail: Any) -> None:
        """Write that a limit is near, or reached."""
        now = self._clock()
        self._recorder.record(
            limit_record(usage, self._profile, flow=flow, run=run, time=now, **detail)
        )

    def spend(self, flow: str, requests: int, run: str) -> None:
        """Count a run's requests."""
        if self._windows is not None:
            self._windows.spend(flow, requests)
        for usage in self._budget.spend(flow, requests, self._clock()):
            self.near(flow, usage, run)

    async def hold(self, flow: str, run: str, rest: Rest) -> None:
        """Wait while the flow's windows have no room, or until the run is ended."""
        said = False
        while True:
            seconds, full = self._budget.wait(flow, self._clock())
            if full is None:
                return
            if not said:
                self.near(flow, full, run, waitSeconds=seconds)
                said = True
            if await rest(min(seconds, LONGEST_HOLD)):
                return

    def weigh(self, flow: str, action: str, answer: Answer, seconds: float, run: str) -> Answer:
        """Hold an answer to the limits of a message and of a call's duration."""
        duration = limit("call.duration").of(self._profile)
        if seconds >= WARN_SHARE * duration:
            self.near(flow, Usage("call.duration", action, round(seconds), duration), run)
        over = self._over(flow, action, answer_size(answer), run)
        if over is not None:
            return Answer.too_large(f"the answer has {over}")
        try:
            body = json_values(answer.body)
        except RecursionError:
            return Answer.too_large("the answer is nested too deeply")
        return answer if body is answer.body else replace(answer, body=body)

    def taken(self, flow: Flow, outputs: Mapping[str, Any], run: str) -> dict[str, Any]:
        """What a trigger brings, as JSON has it, held to the limit of a message.

        :raises MessageTooLarge: when it is over, or nested too deeply.
        """
        what = f"what trigger '{flow.trigger.name}' brings"
        try:
            json_size(outputs)
        except TooDeep:
            raise MessageTooLarge(f"{what} is nested deeper than {MAX_DEPTH} levels") from None
        over = self._over(flow.name, flow.trigger.name, body_size(outputs.get("body")), run)
        if over is not None:
            raise MessageTooLarge(f"{what} has {over}")
        brought: dict[str, Any] = json_values(dict(outputs))
        return brought

    def _over(self, flow: str, place: str, size: int, run: str) -> str | None:
        """By how much a message is over its limit, in words; says in the evidence when it nears."""
        highest = limit("message.size").of(self._profile)
        if size < WARN_SHARE * highest:
            return None
        self.near(flow, Usage("message.size", place, size, highest), run)
        return None if size <= highest else f"{size} bytes; a message has at most {highest}"

    def must_admit(self, flow: Flow) -> None:
        """Refuse one more run when as many wait as may.

        :raises Refused: as throttled, with the time after which to ask again.
        """
        full = self._full(flow)
        if full is None:
            return
        waiting = full.value
        self.near(flow.name, full, None)
        raise Refused(
            FailureType.THROTTLED,
            f"{waiting} runs of flow '{flow.name}' wait for their turn; it takes no more now",
            reason="trigger.waiting_runs",
            retry_after_seconds=WAITING_RETRY_SECONDS,
        )

    def admits(self, flow: Flow) -> bool:
        """Whether one more run may wait; says it once in the evidence when none may any more."""
        full = self._full(flow)
        if full is None:
            self._held.discard(flow.name)
            return True
        if flow.name not in self._held:
            self._held.add(flow.name)
            self.near(flow.name, full, None)
        return False

    def _full(self, flow: Flow) -> Usage | None:
        """The runs that wait for a trigger, when there may not be one more."""
        degree, waiting = flow.trigger.concurrency, self._waiting[flow.name]
        if degree is None or waiting < WAITING_RUNS + degree:
            return None
        return Usage("trigger.waiting", flow.trigger.name, waiting, WAITING_RUNS + degree)

    @asynccontextmanager
    async def room(self, flow: Flow) -> AsyncIterator[None]:
        """Wait until the trigger of a flow has room for one more run, and take it."""
        degree = flow.trigger.concurrency
        if degree is None:
            yield
            return
        room = self._rooms.setdefault(flow.name, asyncio.Semaphore(degree))
        self._waiting[flow.name] += 1
        try:
            await room.acquire()
        finally:
            self._waiting[flow.name] -= 1
        try:
            yield
        finally:
            room.release()
