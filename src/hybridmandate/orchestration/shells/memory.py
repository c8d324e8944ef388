"""Runs in memory under a virtual clock: a wait of 30 days takes microseconds.

Services are functions of the call; retry waits, polling and delays pass in virtual time. For tests
of flows and of the engine; nothing is durable here.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from hybridmandate.orchestration.definition.model import Flow
from hybridmandate.orchestration.engine import (
    Abandon,
    Answer,
    Call,
    CallAnswered,
    CancelRequested,
    Command,
    EndRun,
    Event,
    Respond,
    RunStarted,
    SetTimer,
    State,
    TimerFired,
    Track,
    TrackRetry,
    Watch,
    step,
)
from hybridmandate.orchestration.engine.calls import WATCH_SECONDS
from hybridmandate.orchestration.engine.retry import retry_after
from hybridmandate.orchestration.shells.child_flows import (
    MAX_LEVELS,
    too_deep,
    without_response,
)
from hybridmandate.orchestration.shells.run_record import connection_values, workflow_record

START = 1_774_000_000.0
"""Where a virtual clock begins: 2026-03-20T09:46:40Z."""


@dataclass(frozen=True, slots=True)
class Delayed:
    """An answer that comes after some (virtual) seconds."""

    answer: Answer
    seconds: float


Service = Callable[[Call], "Answer | Delayed | None"]
"""Answers a call at once, later, or never (None: until the test answers it)."""
Reading = Callable[[Watch], Answer]
"""Answers one read of a location that is watched."""


ChildOf = Callable[[Call], Flow | None]
"""The flow that a call of type Workflow starts; None when the service answers it like any other."""


def _no_child(call: Call) -> Flow | None:
    return None


def _nothing_watched(watch: Watch) -> Answer:
    return Answer.refused(f"no reading is given for '{watch.location}'")


@dataclass(slots=True)
class MemoryRun:
    """One run: its state, everything it asked for, and what was tracked."""

    id: str
    flow: Flow
    state: State
    calls: list[Call] = field(default_factory=list)
    call_times: list[float] = field(default_factory=list)
    readings: int = 0
    tracked: list[Mapping[str, Any]] = field(default_factory=list)
    retries: list[Mapping[str, Any]] = field(default_factory=list)
    response: Respond | None = None
    events: list[Event] = field(default_factory=list)
    waiting: set[str] = field(default_factory=set)

    @property
    def status(self) -> str:
        """The run's status: Running, Succeeded, Failed, Cancelled or TimedOut."""
        status: str = self.state["run"]["status"]
        return status

    @property
    def correlation_id(self) -> str:
        """The run's client tracking id."""
        known: str = self.state["run"]["clientTrackingId"]
        return known

    def records(self, name: str) -> list[Mapping[str, Any]]:
        """Everything that was tracked of an action, one record an iteration, in order."""
        return [each for each in self.tracked if each["name"] == name]

    def action(self, name: str) -> Mapping[str, Any]:
        """The one record of an action. :raises LookupError: when there is none, or several."""
        found = self.records(name)
        if len(found) != 1:
            raise LookupError(f"'{name}' has {len(found)} records in run {self.id}")
        return found[0]

    def calls_of(self, action: str) -> list[Call]:
        """The attempts of an action, in order."""
        return [each for each in self.calls if each.action == action]


class MemoryHost:
    """Hosts runs under one virtual clock.

    ``child`` finds child flows, ``profile`` is the performance profile whose limits hold.
    """

    def __init__(
        self,
        service: Service,
        *,
        reading: Reading = _nothing_watched,
        child: ChildOf = _no_child,
        now: float = START,
        profile: str = "medium",
    ) -> None:
        self.now = now
        self._profile = profile
        self._service = service
        self._reading = reading
        self._child_of = child
        self._queue: list[tuple[float, int, Callable[[], None]]] = []
        self._sequence = 0
        self._parents: dict[str, tuple[MemoryRun, str]] = {}
        self.runs: list[MemoryRun] = []

    def start(
        self,
        flow: Flow,
        trigger: Mapping[str, Any] | None = None,
        *,
        parameters: Mapping[str, Any] | None = None,
        run_id: str | None = None,
        correlation_id: str | None = None,
        default_retry: Mapping[str, Any] | None = None,
    ) -> MemoryRun:
        """Start a run and do everything that needs no time to pass."""
        run_id = run_id or f"run-{len(self.runs) + 1}"
        event = RunStarted(
            time=self.now,
            run_id=run_id,
            seed=run_id,
            trigger={"outputs": trigger or {}},
            parameters={**connection_values(flow), **(parameters or {})},
            correlation_id=correlation_id,
            workflow=workflow_record(flow, run_id),
            default_retry=default_retry,
            profile=self._profile,
        )
        transition = step(flow, None, event)
        run = MemoryRun(run_id, flow, transition.state, events=[event])
        self.runs.append(run)
        self._obey(run, transition.commands)
        self.advance(0)
        return run

    def advance(self, seconds: float = 0, *, days: float = 0) -> None:
        """Let virtual time pass; everything due in it happens in order."""
        until = self.now + seconds + days * 86400
        while self._queue and self._queue[0][0] <= until:
            due, _, happen = heapq.heappop(self._queue)
            self.now = max(self.now, due)
            happen()
        self.now = until

    def next_event(self) -> bool:
        """Let time pass until the next thing that is due; False when nothing is."""
        if not self._queue:
            return False
        self.advance(max(0.0, self._queue[0][0] - self.now))
        return True

    def finish(self, run: MemoryRun) -> MemoryRun:
        """Let time pass until the run is over.

        :raises RuntimeError: when nothing is due and the run still waits.
        """
        while run.status == "Running":
            if not self.next_event():
                raise RuntimeError(f"run {run.id} waits for {sorted(run.waiting)}")
        return run

    def answer(self, run: MemoryRun, token: str, answer: Answer) -> None:
        """Answer a call that the service left open."""
        run.waiting.discard(token)
        self.deliver(run, CallAnswered(self.now, token, answer))

    def cancel(self, run: MemoryRun, reason: str) -> None:
        """End a run as a person would."""
        self.deliver(run, CancelRequested(self.now, reason))

    def deliver(self, run: MemoryRun, event: Event) -> None:
        """Give a run an event and do what it asks for."""
        run.events.append(event)
        transition = step(run.flow, run.state, event)
        run.state = transition.state
        self._obey(run, transition.commands)

    def _at(self, due: float, happen: Callable[[], None]) -> None:
        self._sequence += 1
        heapq.heappush(self._queue, (due, self._sequence, happen))

    def _obey(self, run: MemoryRun, commands: tuple[Command, ...]) -> None:
        for command in commands:
            match command:
                case Call():
                    self._call(run, command)
                case Watch():
                    run.waiting.add(command.token)
                    self._watch(run, command, command.after_seconds)
                case SetTimer():
                    run.waiting.add(command.token)
                    self._at(command.due, lambda token=command.token: self._fire(run, token))  # type: ignore[misc]
                case Abandon():
                    run.waiting.discard(command.token)
                case Track():
                    run.tracked.append(command.record)
                case TrackRetry():
                    run.retries.append(command.record)
                case Respond():
                    run.response = command
                    self._tell_parent(run)
                case EndRun():
                    self._tell_parent(run)

    def _call(self, run: MemoryRun, call: Call) -> None:
        run.calls.append(call)
        run.call_times.append(self.now)
        run.waiting.add(call.token)
        if call.type == "Workflow" and self._child(run, call):
            return
        answer = self._service(call)
        if answer is None:
            return
        delayed = answer if isinstance(answer, Delayed) else Delayed(answer, 0.0)
        self._later(run, call.token, delayed)

    def _later(self, run: MemoryRun, token: str, delayed: Delayed) -> None:
        def happen() -> None:
            if token in run.waiting:
                run.waiting.discard(token)
                self.deliver(run, CallAnswered(self.now, token, delayed.answer))

        self._at(self.now + delayed.seconds, happen)

    def _fire(self, run: MemoryRun, token: str) -> None:
        if token in run.waiting:
            run.waiting.discard(token)
            self.deliver(run, TimerFired(self.now, token))

    def _watch(self, run: MemoryRun, watch: Watch, seconds: float) -> None:
        def happen() -> None:
            if watch.token not in run.waiting:
                return
            run.readings += 1
            answer = self._reading(watch)
            if answer.fault is None and answer.status == 202:
                asked = retry_after(answer, self.now)
                self._watch(run, watch, WATCH_SECONDS if asked is None else asked)
                return
            run.waiting.discard(watch.token)
            self.deliver(run, CallAnswered(self.now, watch.token, answer))

        self._at(self.now + seconds, happen)

    def _child(self, run: MemoryRun, call: Call) -> bool:
        """Start the child flow of a call; without one it is a call like the rest."""
        flow = self._child_of(call)
        if flow is None:
            return False
        child_id = child_run_id(run, call)
        answer = self._answered_before(child_id)
        if child_id.count("/") > MAX_LEVELS:
            answer = too_deep()
        if answer is not None:
            self._later(run, call.token, Delayed(answer, 0.0))
            return True
        trigger = {"headers": call.request.get("headers") or {}, "body": call.request.get("body")}
        event = RunStarted(
            time=self.now,
            run_id=child_id,
            seed=call.idempotency_key,
            trigger={"outputs": trigger},
            parameters=connection_values(flow),
            correlation_id=call.correlation_id,
            workflow=workflow_record(flow, child_id),
            profile=self._profile,
        )
        transition = step(flow, None, event)
        child = MemoryRun(event.run_id, flow, transition.state, events=[event])
        self.runs.append(child)
        self._parents[child.id] = (run, call.token)
        self._obey(child, transition.commands)
        return True

    def _answered_before(self, child_id: str) -> Answer | None:
        """What a child flow gave to an earlier attempt of the same call: it runs once."""
        for run in self.runs:
            if run.id == child_id:
                return child_answer(run.state, run.response)
        return None

    def _tell_parent(self, run: MemoryRun) -> None:
        parent, token = self._parents.pop(run.id, (None, ""))
        if parent is not None:
            self._later(parent, token, Delayed(child_answer(run.state, run.response), 0.0))


def child_run_id(run: MemoryRun, call: Call) -> str:
    """The id of the run that a call of type Workflow starts: the same for every attempt."""
    return f"{run.id}/{call.token.rpartition('#')[0]}"


def child_answer(state: State, response: Respond | None) -> Answer:
    """What a parent flow gets of a child: its response, or how it ended without one."""
    if response is not None:
        return Answer(response.status, dict(response.headers), response.body)
    return without_response(state["run"]["status"], state["run"]["error"])
