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

from hybridmandate.durable.port import (
    Durable,
    DurableContext,
    Json,
    StepFailed,
    StepUnwritable,
)
from hybridmandate.evidence.record import Recorder
from hybridmandate.orchestration.definition.model import Flow
from hybridmandate.orchestration.engine import (
    Answer,
    Call,
    Watch,
)
from hybridmandate.orchestration.history import RunHistory, StoredRun
from hybridmandate.orchestration.limits import Licence, Profile, RequestBudget
from hybridmandate.orchestration.shells.catalogue import FlowCatalogue
from hybridmandate.orchestration.shells.child_flows import (
    MAX_LEVELS,
    too_deep,
    without_response,
)
from hybridmandate.orchestration.shells.history_writer import HistoryWriter
from hybridmandate.orchestration.shells.live_run import Clock, LiveRun, Services
from hybridmandate.orchestration.shells.pace import MessageTooLarge, Pace
from hybridmandate.orchestration.shells.request_windows import RequestWindows
from hybridmandate.orchestration.shells.run_record import connection_values
from hybridmandate.orchestration.shells.run_turns import EngineBroken, RunTurns, run_started
from hybridmandate.orchestration.shells.tracking import RunEvidence, cancel_record
from hybridmandate.orchestration.shells.turn_tracker import HistoryUnwritable, TurnTracker
from hybridmandate.orchestration.shells.unfinished_runs import UnfinishedRuns

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
        profile: Profile = Profile.MEDIUM,
        licence: Licence | None = None,
        windows: RequestWindows | None = None,
    ) -> None:
        """``variables`` are the environment variables by schema name.

        ``profile`` is the performance profile whose limits and retry policy hold, ``licence`` that
        of the flows' owner (None: requests are counted by flow only). ``windows`` is where used
        requests are kept (None: they are counted from now on, and forgotten at the end).
        """
        self.flows = flows
        self.history = history
        self._writer = HistoryWriter(history)
        self._durable = durable
        self._services = services
        self._recorder = recorder
        self._clock = clock
        self._variables = dict(variables)
        self._default_retry = dict(default_retry) if default_retry else None
        self._profile = profile
        budget = RequestBudget(profile, licence)
        if windows is not None:
            windows.restore(budget)
        self._pace = Pace(recorder, clock, profile, budget, windows)
        self._live: dict[str, LiveRun] = {}
        self._waiters = _Waiters()
        self._closing = False
        durable.register(WORKFLOW, self._run)

    @property
    def profile(self) -> Profile:
        """The performance profile whose limits hold."""
        return self._profile

    def now(self) -> float:
        """Epoch seconds of the host's clock."""
        return self._clock()

    async def launch(self) -> None:
        """Say which limits are near."""
        for flow in self.flows.all():
            self._pace.announce(flow)

    async def start_left(self, unfinished: UnfinishedRuns) -> None:
        """Start what an earlier process wrote down and did not hand to the durable engine."""
        pages = unfinished.pages()
        while page := await asyncio.to_thread(next, pages, None):
            for run_id in await self._durable.unknown(list(page)):
                await self._durable.start(WORKFLOW, run_id, dict(page[run_id]))

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
        level: int = 0,
    ) -> tuple[str, bool]:
        """Start a run of a flow with the trigger's outputs; the same ``run_id`` starts once.

        ``level`` is how many parents it has. Returns the run id and whether it is new.
        :raises KeyError: when there is no such flow.
        :raises MessageTooLarge: when the trigger's body is over the limit of a message.
        """
        flow = self.flows.current(flow_name)
        run_id = run_id or uuid.uuid4().hex
        brought = self._pace.taken(flow, outputs, run_id)
        start = {
            "runId": run_id,
            "flow": flow_name,
            "definition": self.flows.digest(flow_name),
            "time": self._clock(),
            "seed": uuid.uuid4().hex,
            "trigger": {"name": flow.trigger.name, "outputs": brought},
            "parameters": self.parameters(flow),
            "correlationId": correlation_id,
            "principal": principal,
            "resubmitOf": resubmit_of,
            "defaultRetry": self._default_retry,
            "profile": self._profile.value,
            "level": level,
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

    def must_admit(self, flow_name: str) -> None:
        """Refuse a caller's new run when as many runs of the trigger wait as may.

        :raises KeyError: when there is no such flow.
        :raises Refused: as throttled.
        """
        self._pace.must_admit(self.flows.current(flow_name))

    def admits(self, flow: Flow) -> bool:
        """Whether a polled trigger may bring one more run, or as many wait as may."""
        return self._pace.admits(flow)

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

    async def cancel(self, run_id: str, reason: str, *, actor: str) -> bool:
        """End a run, also one that waits for its turn or for requests; False when it has ended.

        ``actor`` is who asks, for the evidence. A run that this process does not carry on (it is
        another's, or it was stopped when the database was away) is ended where it stands.
        :raises KeyError: when there is no such run.
        """
        stored = await self._stored(run_id)
        if not await asyncio.to_thread(self.history.ask_cancel, run_id, reason):
            return False
        self._recorder.record(cancel_record(stored, reason=reason, actor=actor, time=self._clock()))
        live = self._live.get(run_id)
        if live is not None:
            live.cancel(reason)
            return True
        # Nobody here carries it on: no process may any more, and its end is written here.
        await self._durable.cancel(run_id)
        await asyncio.to_thread(self.history.end_cancelled, run_id, reason, self._clock())
        self._waiters.tell(run_id)
        return True

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

    async def call_child(self, call: Call, level: int) -> Answer:
        """Run a child flow once for this call and give its response; ``level`` is the child's."""
        if level > MAX_LEVELS:
            return too_deep()
        reference = str(call.request["host"]["workflowReferenceName"])
        name = self.flows.name_of(reference)
        if name is None:
            return Answer.refused(f"there is no flow '{reference}' in this solution")
        outputs = {"headers": call.request.get("headers") or {}, "body": call.request.get("body")}
        child = call.idempotency_key[:32]
        try:
            await self.start(
                name, outputs, run_id=child, correlation_id=call.correlation_id, level=level
            )
        except MessageTooLarge as large:
            return Answer.too_large(str(large))
        stored = await self.responded(child, timeout_seconds=CHILD_SECONDS)
        if stored.response is not None:
            response = stored.response
            return Answer(response["statusCode"], response["headers"], response["body"])
        return without_response(stored.status, stored.error)

    # --- one run -------------------------------------------------------------------------------

    async def _run(self, context: DurableContext, start: Json) -> Json:
        flow = self.flows.version(start["definition"])
        live = LiveRun(
            flow,
            _WithChildren(self, self._services, start.get("level", 0)),
            self._clock,
            lambda action, answer, took: self._pace.weigh(
                flow.name, action, answer, took, context.id
            ),
        )
        self._live[context.id] = live
        if self._closing:
            live.close()
        evidence = RunEvidence(self._recorder, context.id, flow.name)
        tracker = TurnTracker(
            start,
            self._writer,
            evidence,
            written=lambda: self._waiters.tell(context.id),
            cancel=live.cancel,
        )
        try:
            async with contextlib.AsyncExitStack() as place:
                if flow.trigger.concurrency is not None:
                    room = place.enter_async_context(self._pace.room(flow))
                    await live.unless_cancelled(room)
                    start = {**start, "time": await context.now()}
                run = RunTurns(context, flow, live, tracker, self._pace)
                return await run.work(run_started(flow, start))
        except (EngineBroken, StepFailed, StepUnwritable, HistoryUnwritable) as broken:
            # It would fail in the same way after every restart.
            message = f"the run cannot go on: {broken}"[:2000]
            await asyncio.to_thread(self.history.end_broken, context.id, message, self._clock())
            evidence.broken(await self._stored(context.id), type(broken).__name__)
            raise
        finally:
            self._live.pop(context.id, None)
            live.close()
            tracker.close()
            self._waiters.tell(context.id)

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
    level: int

    async def call(self, flow: Flow, call: Call) -> Answer:
        if call.type == "Workflow":
            return await self.host.call_child(call, self.level + 1)
        return await self.services.call(flow, call)

    async def read(self, flow: Flow, watch: Watch) -> Answer:
        return await self.services.read(flow, watch)


def trigger_run_id(flow: str, *parts: str) -> str:
    """The run id of a trigger event: the same event gives the same id (32 hex digits)."""
    return hashlib.sha256("\x00".join((flow, *parts)).encode()).hexdigest()[:32]
