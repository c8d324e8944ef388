"""The volatile half of a durable run: calls in flight, watches, timers, and the events they bring.

Nothing here is remembered. After a crash the durable log is replayed, and whatever the run still
waits for is asked for again: a call that was in flight is sent again under the same idempotency
key, a watch reads on, a timer keeps its point in time.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any, Protocol

from hybridmandate.orchestration.definition.model import Flow
from hybridmandate.orchestration.engine import (
    Abandon,
    Answer,
    Call,
    CallAnswered,
    CancelRequested,
    Command,
    Event,
    SetTimer,
    TimerFired,
    Watch,
)
from hybridmandate.orchestration.engine.calls import WATCH_SECONDS
from hybridmandate.orchestration.engine.retry import retry_after

Clock = Callable[[], float]
"""Epoch seconds."""


class Services(Protocol):
    """What stands behind the actions of flows: connectors, HTTP, child flows."""

    async def call(self, flow: Flow, call: Call) -> Answer:
        """Send one attempt of a call; never raises for what a service does."""

    async def read(self, flow: Flow, watch: Watch) -> Answer:
        """Read a watched location once."""


Weigh = Callable[[str, Answer, float], Answer]
"""Holds the answer of an action that took some seconds to the limits of messages and calls."""


class LiveRun:
    """What one run has under way in this process."""

    def __init__(self, flow: Flow, services: Services, clock: Clock, weigh: Weigh) -> None:
        self._flow = flow
        self._services = services
        self._clock = clock
        self._weigh = weigh
        self._outstanding: dict[str, Call | Watch] = {}
        self._timers: dict[str, float] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._ready: deque[Event] = deque()
        self._wake = asyncio.Event()
        self._closing = False
        self._cancelled = asyncio.Event()

    def note(self, commands: Sequence[Command]) -> None:
        """Remember what the run waits for now, and what it no longer waits for."""
        for command in commands:
            match command:
                case Call() | Watch():
                    self._outstanding[command.token] = command
                case SetTimer():
                    self._timers[command.token] = command.due
                case Abandon():
                    self._forget(command.token)

    def settle(self, events: Sequence[Event]) -> None:
        """These events are in the log: nobody waits for them any more."""
        for event in events:
            if isinstance(event, CallAnswered | TimerFired):
                self._forget(event.token)

    def cancel(self, reason: str) -> None:
        """A person ends the run: nothing more is begun for it."""
        self._bring(CancelRequested(self._clock(), reason))
        self._cancelled.set()

    async def rest(self, seconds: float) -> bool:
        """Let some seconds pass, fewer when a person ends the run; gives whether one did."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._cancelled.wait()
        return self._cancelled.is_set()

    async def unless_cancelled(self, waiting: Coroutine[Any, Any, object]) -> None:
        """Wait for something, until a person ends the run at the latest."""
        wanted = asyncio.ensure_future(waiting)
        cancelled = asyncio.ensure_future(self._cancelled.wait())
        try:
            await asyncio.wait({wanted, cancelled}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            cancelled.cancel()
            wanted.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await wanted

    def close(self) -> None:
        """Begin nothing new: calls in flight may still answer, the rest goes on elsewhere."""
        self._closing = True
        self._wake.set()
        for token in [t for t, c in self._outstanding.items() if isinstance(c, Watch)]:
            self._stop(token)

    async def next_events(self) -> list[Event]:
        """Start what is due to start and wait for at least one event.

        :raises asyncio.CancelledError: when the process closes and no call is in flight.
        """
        if not self._closing and not self._cancelled.is_set():
            for token, command in self._outstanding.items():
                if token not in self._tasks:
                    self._tasks[token] = self._begin(command)
        events = [await self._next(), *self._ready]
        self._ready.clear()
        return events

    async def _next(self) -> Event:
        while True:
            due = min(self._timers.items(), key=lambda each: each[1], default=None)
            wait = None if due is None else due[1] - self._clock()
            if due is not None and wait is not None and wait <= 0 and not self._closing:
                del self._timers[due[0]]
                return TimerFired(max(self._clock(), due[1]), due[0])
            event = await self._event_within(wait)
            if event is not None:
                return event

    async def _event_within(self, seconds: float | None) -> Event | None:
        """The next event, None when the seconds are over first, or something else woke it."""
        if self._ready:
            return self._ready.popleft()
        if self._closing and not self._calls_in_flight():
            raise asyncio.CancelledError("the flow host closes")
        self._wake.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(None if self._closing else seconds):
                await self._wake.wait()
        return self._ready.popleft() if self._ready else None

    def _bring(self, event: Event) -> None:
        self._ready.append(event)
        self._wake.set()

    def _calls_in_flight(self) -> bool:
        return any(
            isinstance(self._outstanding.get(token), Call) and not task.done()
            for token, task in self._tasks.items()
        )

    def _begin(self, command: Call | Watch) -> asyncio.Task[None]:
        action: Awaitable[Answer] = (
            self._services.call(self._flow, command)
            if isinstance(command, Call)
            else self._watch(command)
        )

        async def run() -> None:
            began = self._clock()
            try:
                answer = self._weigh(command.action, await action, self._clock() - began)
            except Exception as error:
                # A defect of a connector fails its action; a run must never wait for nothing.
                answer = Answer.refused(f"the connector broke: {type(error).__name__}: {error}")
            self._bring(CallAnswered(self._clock(), command.token, answer))

        # Of its own: it outlives the durable step in which it begins.
        return asyncio.get_running_loop().create_task(run(), context=contextvars.Context())

    async def _watch(self, watch: Watch) -> Answer:
        await asyncio.sleep(watch.after_seconds)
        while True:
            answer = await self._services.read(self._flow, watch)
            if answer.fault is not None or answer.status != 202:
                return answer
            asked = retry_after(answer, self._clock())
            await asyncio.sleep(WATCH_SECONDS if asked is None else asked)

    def _forget(self, token: str) -> None:
        self._timers.pop(token, None)
        self._stop(token)
        self._outstanding.pop(token, None)

    def _stop(self, token: str) -> None:
        task = self._tasks.pop(token, None)
        if task is not None:
            task.cancel()
