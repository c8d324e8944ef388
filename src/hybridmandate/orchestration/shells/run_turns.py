"""The turns of one run: its event log, driven through the stepper.

Each turn is one remembered step that gives the events that came next. A run that goes on after a
crash replays its log through the stepper, which is pure, and arrives at the same state.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from hybridmandate.durable.port import DurableContext, Json
from hybridmandate.orchestration.definition.model import Flow
from hybridmandate.orchestration.engine import (
    Call,
    Command,
    Event,
    RunStarted,
    State,
    Track,
    TrackRetry,
    Transition,
    event_from_json,
    event_to_json,
    step,
)
from hybridmandate.orchestration.limits import Profile
from hybridmandate.orchestration.shells.live_run import LiveRun
from hybridmandate.orchestration.shells.pace import Pace
from hybridmandate.orchestration.shells.run_record import workflow_record
from hybridmandate.orchestration.shells.turn_tracker import Turn, TurnTracker


def run_started(flow: Flow, start: Mapping[str, Any]) -> RunStarted:
    """The event that begins a run, of what the run was started with."""
    return RunStarted(
        time=start["time"],
        run_id=start["runId"],
        seed=start["seed"],
        trigger=start["trigger"],
        parameters=start["parameters"],
        correlation_id=start["correlationId"],
        workflow=workflow_record(flow, start["runId"]),
        default_retry=start["defaultRetry"],
        profile=start.get("profile", Profile.MEDIUM.value),
    )


class EngineBroken(Exception):
    """The stepper broke over an event: a defect of this engine. It would again after a restart."""


@dataclass(frozen=True, slots=True)
class RunTurns:
    """One run under way: its log, its services, its history."""

    context: DurableContext
    flow: Flow
    live: LiveRun
    tracker: TurnTracker
    pace: Pace

    async def work(self, started: RunStarted) -> Json:
        """Work through the run's events, those in its log first, until it has ended."""
        events: list[Event] = [started]
        state: State | None = None
        counted: Counter[str] = Counter(actions=0, requests=0)
        number = 0
        racy = [each.variable for each in self.flow.races]
        races = {"racyVariables": racy} if racy else {}
        while True:
            commands: list[Command] = []
            for event in events:
                transition = _stepped(self.flow, state, event)
                state = transition.state
                commands.extend(transition.commands)
            if state is None:
                raise RuntimeError("a turn brought no event")
            self.live.settle(events)
            self.live.note(commands)
            # A replay counts the same again: every command of the run passes here once.
            counted["actions"] += sum(isinstance(each, Track) for each in commands)
            counted["requests"] += sum(isinstance(each, Call) for each in commands)
            facts = {**counted, "profile": started.profile, **races}
            await self.tracker.track(Turn(number, tuple(commands), state, facts))
            if state["run"]["status"] != "Running":
                self.pace.spend(self.flow.name, _requests(commands), self.context.id)
                await self.tracker.settled()
                return {"status": state["run"]["status"]}
            happened = partial(self._happened, _requests(commands))
            remembered = await self.context.step(f"turn {number}", happened)
            events = [event_from_json(each) for each in remembered]
            number += 1

    async def _happened(self, requests: int) -> Json:
        """What comes next, as soon as the flow's budget of requests allows it."""
        self.pace.spend(self.flow.name, requests, self.context.id)
        await self.pace.hold(self.flow.name, self.context.id, self.live.rest)
        return [event_to_json(each) for each in await self.live.next_events()]


def _stepped(flow: Flow, state: State | None, event: Event) -> Transition:
    """The stepper's answer. :raises EngineBroken: when it has none; other runs go on."""
    try:
        return step(flow, state, event)
    except Exception as error:
        raise EngineBroken(f"the engine broke: {type(error).__name__}: {error}") from error


def _requests(commands: Sequence[Command]) -> int:
    """What counts against the budget: actions that ran, and retries."""
    tracked = [each.record["status"] for each in commands if isinstance(each, Track)]
    retries = sum(isinstance(each, TrackRetry) for each in commands)
    return retries + len(tracked) - tracked.count("Skipped")
