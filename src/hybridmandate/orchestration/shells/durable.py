"""Durable runs: the stepper driven by an event log that the durable engine keeps.

Each turn of a run is one remembered step: it gives the events that came next. A run that goes on
after a crash replays its log through the stepper, which is pure, and arrives at the same state;
only what was in flight is asked for again. No call is made before the events that led to it are in
the log. History and evidence are written beside the run (:mod:`.turn_tracker`).
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hybridmandate.durable.port import Durable, DurableContext, Json, StepFailed
from hybridmandate.evidence.record import Recorder
from hybridmandate.orchestration.definition.model import Flow
from hybridmandate.orchestration.engine import (
    Answer,
    Call,
    Command,
    Event,
    RunStarted,
    State,
    Track,
    Watch,
    event_from_json,
    event_to_json,
    step,
)
from hybridmandate.orchestration.history import RunHistory, StoredRun
from hybridmandate.orchestration.shells.catalogue import FlowCatalogue
from hybridmandate.orchestration.shells.history_writer import HistoryWriter
from hybridmandate.orchestration.shells.live_run import Clock, LiveRun, Services
from hybridmandate.orchestration.shells.run_record import connection_values, workflow_record
from hybridmandate.orchestration.shells.tracking import RunEvidence
from hybridmandate.orchestration.shells.turn_tracker import HistoryUnwritable, Turn, TurnTracker

WORKFLOW = "flow.run"
RESPONSE_POLL_SECONDS = 1.0
CHILD_SECONDS = 30 * 86400.0


@dataclass(slots=True)
class _Waiters:
    """Who in this process waits for a run's response or end."""

    events: dict[str, list[asyncio.Event]] = field(default_factory=dict)

    def tell(self, run_id: str) -> None:
        for event in self.events.pop(run_id, []):
            event.set()

    async def wait(self, run_id: str, seconds: float) -> None:
        event = asyncio.Event()
        self.events.setdefault(run_id, []).append(event)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(event.wait(), seconds)


class FlowHost:
    """Starts, resumes, cancels and resubmits the runs of this process's flows."""

    def __init__(
        self,
        *,
        flows: FlowCatalogue,
        durable: Durable,
        services: Services,
        history: RunHistory,
        recorder: Recorder,
        clock: Clock,
        variables: Mapping[str, Any],
        default_retry: Mapping[str, Any] | None = None,
    ) -> None:
        """``variables`` are the environment variables by schema name."""
        self.flows = flows
        self.history = history
        self._writer = HistoryWriter(history)
        self._durable = durable
        self._services = services
        self._recorder = recorder
        self._clock = clock
        self._variables = dict(variables)
        self._default_retry = dict(default_retry) if default_retry else None
        self._live: dict[str, LiveRun] = {}
        self._rooms: dict[str, asyncio.Semaphore] = {}
        self._waiters = _Waiters()
        self._closing = False
        durable.register(WORKFLOW, self._run)

    def now(self) -> float:
        """Epoch seconds of the host's clock."""
        return self._clock()

    async def launch(self) -> None:
        """Start again what was written down but never reached the durable engine."""
        for stored in await asyncio.to_thread(self.history.runs, flow=None, limit=10_000):
            if stored.status == "Running" and await self._durable.find(stored.id) is None:
                await self._durable.start(WORKFLOW, stored.id, dict(stored.start))

    def close(self) -> None:
        """Begin nothing new; the durable engine's own close waits for what is in flight."""
        self._closing = True
        for live in self._live.values():
            live.close()

    async def start(
        self,
        flow_name: str,
        outputs: Mapping[str, Any],
        *,
        run_id: str | None = None,
        correlation_id: str | None = None,
        principal: str | None = None,
        resubmit_of: str | None = None,
    ) -> tuple[str, bool]:
        """Start a run of a flow with the trigger's outputs; the same ``run_id`` starts once.

        Returns the run id and whether it is new.
        :raises KeyError: when there is no such flow.
        """
        flow = self.flows.current(flow_name)
        run_id = run_id or uuid.uuid4().hex
        start = {
            "runId": run_id,
            "flow": flow_name,
            "definition": self.flows.digest(flow_name),
            "time": self._clock(),
            "seed": uuid.uuid4().hex,
            "trigger": {"name": flow.trigger.name, "outputs": dict(outputs)},
            "parameters": self.parameters(flow),
            "correlationId": correlation_id,
            "principal": principal,
            "resubmitOf": resubmit_of,
            "defaultRetry": self._default_retry,
        }
        hidden = "outputs" in flow.trigger.secured
        shown = {"secured": True} if hidden else start["trigger"]
        new = await asyncio.to_thread(
            lambda: self.history.begin(start, shown, resubmit_of=resubmit_of)
        )
        if not new:
            stored = await self._stored(run_id)
            start = dict(stored.start)
        await self._durable.start(WORKFLOW, run_id, start)
        return run_id, new

    async def resubmit(self, run_id: str) -> str:
        """Run the same trigger again under the same correlation id; returns the new run's id.

        :raises KeyError: when there is no such run, or its flow is gone.
        """
        stored = await self._stored(run_id)
        started, _ = await self.start(
            stored.flow,
            stored.start["trigger"]["outputs"],
            correlation_id=stored.correlation_id,
            principal=stored.start.get("principal"),
            resubmit_of=run_id,
        )
        return started

    async def cancel(self, run_id: str, reason: str) -> bool:
        """End a run; False when it is not running."""
        asked = await asyncio.to_thread(self.history.ask_cancel, run_id, reason)
        live = self._live.get(run_id)
        if asked and live is not None:
            live.cancel(reason)
        return asked

    async def responded(self, run_id: str, *, timeout_seconds: float) -> StoredRun:
        """The run as soon as it has answered its caller or ended, or as it is when time is over.

        :raises KeyError: when there is no such run.
        """
        deadline = self._clock() + timeout_seconds
        while True:
            stored = await self._stored(run_id)
            left = deadline - self._clock()
            if stored.response is not None or stored.status != "Running" or left <= 0:
                return stored
            await self._waiters.wait(run_id, min(left, RESPONSE_POLL_SECONDS))

    async def call_child(self, call: Call) -> Answer:
        """Run a child flow once for this call and give its response."""
        reference = str(call.request["host"]["workflowReferenceName"])
        name = self.flows.name_of(reference)
        if name is None:
            return Answer.refused(f"there is no flow '{reference}' in this solution")
        outputs = {"headers": call.request.get("headers") or {}, "body": call.request.get("body")}
        child = call.idempotency_key[:32]
        await self.start(name, outputs, run_id=child, correlation_id=call.correlation_id)
        stored = await self.responded(child, timeout_seconds=CHILD_SECONDS)
        if stored.response is not None:
            response = stored.response
            return Answer(response["statusCode"], response["headers"], response["body"])
        if stored.status == "Succeeded":
            return Answer(200)
        message = (stored.error or {}).get("message") or f"the child flow ended {stored.status}"
        return Answer(502, {}, {"error": {"code": "NoResponse", "message": message}})

    # --- one run -------------------------------------------------------------------------------

    async def _run(self, context: DurableContext, start: Json) -> Json:
        flow = self.flows.version(start["definition"])
        live = LiveRun(flow, _WithChildren(self, self._services), self._clock)
        self._live[context.id] = live
        if self._closing:
            live.close()
        tracker = TurnTracker(
            start,
            self._writer,
            RunEvidence(self._recorder, context.id, flow.name),
            written=lambda: self._waiters.tell(context.id),
            cancel=live.cancel,
        )
        try:
            return await self._in_turn(context, flow, live, tracker, start)
        except (StepFailed, HistoryUnwritable) as broken:
            # It would fail in the same way after every restart.
            message = f"the run cannot go on: {broken}"[:2000]
            await asyncio.to_thread(self.history.end_broken, context.id, message, self._clock())
            raise
        finally:
            self._live.pop(context.id, None)
            live.close()
            tracker.close()
            self._waiters.tell(context.id)

    async def _in_turn(
        self,
        context: DurableContext,
        flow: Flow,
        live: LiveRun,
        tracker: TurnTracker,
        start: Mapping[str, Any],
    ) -> Json:
        """Run at once, or where the trigger limits its runs when there is room for one more."""
        degree = flow.trigger.concurrency
        if degree is None:
            return await _turns(context, flow, live, tracker, start)
        room = self._rooms.setdefault(flow.name, asyncio.Semaphore(degree))
        async with room:
            began = await context.now()
            return await _turns(context, flow, live, tracker, {**start, "time": began})

    async def _stored(self, run_id: str) -> StoredRun:
        stored = await asyncio.to_thread(self.history.find, run_id)
        if stored is None:
            raise KeyError(f"there is no run '{run_id}'")
        return stored

    def parameters(self, flow: Flow) -> dict[str, Any]:
        """The values of a flow's parameters in this environment."""
        values: dict[str, Any] = {}
        for name, parameter in flow.parameters.items():
            known = parameter.schema_name in self._variables if parameter.schema_name else False
            values[name] = (
                self._variables[str(parameter.schema_name)] if known else parameter.default
            )
        return {**values, **connection_values(flow)}


@dataclass(frozen=True, slots=True)
class _WithChildren:
    """Services of a run: child flows go to the host, everything else to the connectors."""

    host: FlowHost
    services: Services

    async def call(self, flow: Flow, call: Call) -> Answer:
        if call.type == "Workflow":
            return await self.host.call_child(call)
        return await self.services.call(flow, call)

    async def read(self, flow: Flow, watch: Watch) -> Answer:
        return await self.services.read(flow, watch)


def trigger_run_id(flow: str, *parts: str) -> str:
    """The run id of a trigger event: the same event gives the same id (32 hex digits)."""
    return hashlib.sha256("\x00".join((flow, *parts)).encode()).hexdigest()[:32]


def _started(flow: Flow, start: Mapping[str, Any]) -> RunStarted:
    return RunStarted(
        time=start["time"],
        run_id=start["runId"],
        seed=start["seed"],
        trigger=start["trigger"],
        parameters=start["parameters"],
        correlation_id=start["correlationId"],
        workflow=workflow_record(flow, start["runId"]),
        default_retry=start["defaultRetry"],
    )


async def _turns(
    context: DurableContext,
    flow: Flow,
    live: LiveRun,
    tracker: TurnTracker,
    start: Mapping[str, Any],
) -> Json:
    """Work through a run's events, those in its log first, until it has ended."""
    events: list[Event] = [_started(flow, start)]
    state: State | None = None
    number = actions = requests = 0
    while True:
        commands: list[Command] = []
        for event in events:
            transition = step(flow, state, event)
            state = transition.state
            commands.extend(transition.commands)
        if state is None:
            raise RuntimeError("a turn brought no event")
        live.settle(events)
        live.note(commands)
        # A replay counts the same again: every command of the run passes here once.
        actions += sum(isinstance(each, Track) for each in commands)
        requests += sum(isinstance(each, Call) for each in commands)
        counted = {"actions": actions, "requests": requests}
        await tracker.track(Turn(number, tuple(commands), state, counted))
        if state["run"]["status"] != "Running":
            await tracker.settled()
            return {"status": state["run"]["status"]}

        async def happened() -> Json:
            return [event_to_json(each) for each in await live.next_events()]

        remembered = await context.step(f"turn {number}", happened)
        events = [event_from_json(each) for each in remembered]
        number += 1
