"""One event on one run: the pure function at the heart of the flow engine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hybridmandate.contracts import is_correlation_id
from hybridmandate.orchestration.definition import kinds
from hybridmandate.orchestration.definition.model import Action, Flow, Graph, Status
from hybridmandate.orchestration.engine import calls, containers, control, loops
from hybridmandate.orchestration.engine.calls import static_outputs
from hybridmandate.orchestration.engine.commands import Command, SetTimer
from hybridmandate.orchestration.engine.data_actions import DATA_ACTIONS
from hybridmandate.orchestration.engine.durations import UNITS
from hybridmandate.orchestration.engine.events import (
    CallAnswered,
    CancelRequested,
    Event,
    RunStarted,
    TimerFired,
)
from hybridmandate.orchestration.engine.flow_control import FlowControl, Start
from hybridmandate.orchestration.engine.outcomes import ActionFault, Ended
from hybridmandate.orchestration.engine.reader import Reader
from hybridmandate.orchestration.engine.variables import run_variable
from hybridmandate.orchestration.engine.working import At, State, Working

RUN_SECONDS = 30 * UNITS["day"]
"""How long a run may last (limits page: 30 days)."""
_NOT_SHOWN = frozenset({"authentication", "schema"})
RUN_TOKEN = "run"  # noqa: S105 - names a timer


@dataclass(frozen=True, slots=True)
class Transition:
    """The state after an event, and what the run asks for now, in order."""

    state: State
    commands: tuple[Command, ...]


def step(flow: Flow, state: State | None, event: Event) -> Transition:
    """Work one event into a run.

    ``state`` is None for :class:`RunStarted` only; it is never changed, the new one is returned.
    An event for something that nobody waits for any more changes nothing.

    :raises ValueError: when a run is started twice or an event comes before the start.
    """
    if isinstance(event, RunStarted):
        if state is not None:
            raise ValueError(f"run '{event.run_id}' has started already")
        work = Working(flow, _first_state(event), event.time)
        _start_run(work, event)
    elif state is None:
        raise ValueError("the first event of a run is RunStarted")
    else:
        if state["run"]["status"] != Status.RUNNING:
            return Transition(state, ())
        work = Working(flow, state, event.time)
        _take(work, event)
    work.work()
    return Transition(work.state, tuple(work.commands))


def _first_state(event: RunStarted) -> State:
    return {
        "run": {
            "id": event.run_id,
            "status": Status.RUNNING.value,
            "startTime": None,
            "endTime": None,
            "code": None,
            "error": None,
            "seed": event.seed,
            "draws": 0,
            "correlationId": event.correlation_id,
            "clientTrackingId": event.correlation_id or event.run_id,
            "responded": False,
        },
        "trigger": dict(event.trigger),
        "parameters": dict(event.parameters),
        "workflow": dict(event.workflow),
        "profile": event.profile,
        "defaultRetry": dict(event.default_retry) if event.default_retry else None,
        "variables": {},
        "actions": {},
        "waits": {},
        "open": 0,
    }


def _start_run(work: Working, event: RunStarted) -> None:
    work.run["startTime"] = work.now
    work.state["open"] = len(work.flow.graph.actions)
    try:
        work.state["trigger"] = _trigger_record(work)
        _trigger_correlation(work, event)
    except ActionFault as fault:
        CONTROL.end_run(work, Status.FAILED, fault.code, fault.message)
        return
    work.state["waits"][RUN_TOKEN] = {"purpose": "run"}
    work.commands.append(SetTimer(RUN_TOKEN, event.time + RUN_SECONDS))
    if not work.flow.graph.actions:
        CONTROL.end_run(work, Status.SUCCEEDED, None, None)
        return
    CONTROL.open_graph(work, work.flow.graph, ())


def _trigger_record(work: Working) -> dict[str, Any]:
    """The trigger as ``trigger()`` gives it; inputs that cannot be evaluated stay away.

    A static result of the trigger stands in for what it brought.
    """
    trigger = work.flow.trigger
    inputs = trigger.inputs if isinstance(trigger.inputs, dict) else {}
    shown = {key: value for key, value in inputs.items() if key not in _NOT_SHOWN}
    record = {
        "name": trigger.name,
        "status": Status.SUCCEEDED.value,
        "startTime": work.now,
        "endTime": work.now,
        **work.state["trigger"],
        **static_outputs(work.flow, trigger.runtime),
    }
    try:
        return {**record, "inputs": Reader(work, None, ()).evaluate(shown)}
    except ActionFault:
        return record


def _trigger_correlation(work: Working, event: RunStarted) -> None:
    declared = work.flow.trigger.correlation
    if event.correlation_id is not None or declared is None:
        return
    made = Reader(work, None, ()).evaluate(declared)
    if not is_correlation_id(made if isinstance(made, str) else None):
        raise ActionFault(
            "InvalidClientTrackingId", "the trigger's correlation gives no usable correlation id"
        )
    work.run["clientTrackingId"] = work.run["correlationId"] = made


def _take(work: Working, event: CallAnswered | TimerFired | CancelRequested) -> None:
    if isinstance(event, CancelRequested):
        CONTROL.end_run(work, Status.CANCELLED, "RunCancelled", event.reason)
        return
    wait = work.state["waits"].pop(event.token, None)
    if wait is None:
        return
    if wait["purpose"] == "run":
        CONTROL.end_run(work, Status.TIMED_OUT, "RunTimedOut", "A run lasts 30 days at most.")
        return
    action, at = work.flow.actions[wait["action"]], tuple(wait["at"])
    try:
        if isinstance(event, CallAnswered):
            calls.call_answered(work, CONTROL, action, at, wait["purpose"], event.answer)
        elif wait["purpose"] == "wait":
            CONTROL.end(work, action, at, Ended.succeeded())
        else:
            calls.timer_fired(work, CONTROL, action, at, wait)
    except ActionFault as fault:
        _fail(work, action, at, fault)


def _fail(work: Working, action: Action, at: At, fault: ActionFault) -> None:
    """A fault in an action fails the action, never the engine."""
    CONTROL.skip_inside_unless_open(work, action, at)
    CONTROL.end(work, action, at, Ended.failed(fault.code, fault.message))


def _start(work: Working, action: Action, at: At) -> None:
    try:
        _STARTS[action.type](work, action, at)
    except ActionFault as fault:
        _fail(work, action, at, fault)


def _at_once(run: Callable[[Working, Action, At], Ended]) -> Start:
    """An action that ends in the event in which it begins."""
    return lambda work, action, at: CONTROL.end(work, action, at, run(work, action, at))


def _made(make: Callable[[Working, Action, At], Ended]) -> Start:
    """An action that makes a value of others; what it makes is measured before it is kept."""

    def start(work: Working, action: Action, at: At) -> None:
        ended = make(work, action, at)
        if type(ended.outputs) is dict or type(ended.outputs) is list:
            _must_hold(work, action, at, ended.outputs)
        CONTROL.end(work, action, at, ended)

    return start


def _must_hold(work: Working, action: Action, at: At, outputs: Any) -> None:
    """Hold outputs to the limit of a message, unless they are the inputs, which were before."""
    record = work.record(action.name, at)
    if record is None or outputs is not record.get("inputs"):
        work.must_hold(action, outputs)


def _call(work: Working, action: Action, at: At) -> None:
    calls.start_call(work, CONTROL, action, at)


def _graph_done(work: Working, owner: Action, at: At, graph: Graph) -> None:
    if owner.type in kinds.LOOPS:
        loops.iteration_done(work, CONTROL, owner, at, graph)
        return
    containers.branch_done(work, CONTROL, owner, at, graph)


CONTROL = FlowControl(_start, _graph_done)
_STARTS: dict[str, Start] = {
    **{kind: _made(make) for kind, make in DATA_ACTIONS.items()},
    **dict.fromkeys(kinds.VARIABLES, _at_once(run_variable)),
    **dict.fromkeys(kinds.CALLS, _call),
    "Changeset": lambda work, action, at: calls.start_changeset(work, CONTROL, action, at),
    "Scope": lambda work, action, at: containers.start_scope(work, CONTROL, action, at),
    "If": lambda work, action, at: containers.start_if(work, CONTROL, action, at),
    "Switch": lambda work, action, at: containers.start_switch(work, CONTROL, action, at),
    "Foreach": lambda work, action, at: loops.start_foreach(work, CONTROL, action, at),
    "Until": lambda work, action, at: loops.start_until(work, CONTROL, action, at),
    "Terminate": lambda work, action, at: control.start_terminate(work, CONTROL, action, at),
    "Response": _at_once(control.run_response),
    "Wait": lambda work, action, at: control.start_wait(work, action, at),
}
