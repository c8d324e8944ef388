"""Terminate, Response and Wait."""

from __future__ import annotations

from typing import Any

from hybridmandate.orchestration.definition.model import Action
from hybridmandate.orchestration.engine.commands import Respond, SetTimer
from hybridmandate.orchestration.engine.durations import unit_seconds
from hybridmandate.orchestration.engine.flow_control import FlowControl
from hybridmandate.orchestration.engine.instants import epoch_seconds
from hybridmandate.orchestration.engine.outcomes import ActionFault, Ended, object_of
from hybridmandate.orchestration.engine.reader import Reader
from hybridmandate.orchestration.engine.working import At, Working, record_key


def start_terminate(work: Working, control: FlowControl, action: Action, at: At) -> None:
    """End the run with the given status."""
    inputs = object_of(Reader(work, action, at).evaluate(action.inputs), "inputs")
    error = object_of(inputs.get("runError"), "runError")
    work.begin(action, at, inputs=inputs)
    control.end(work, action, at, Ended.succeeded())
    status = inputs["runStatus"]
    code = error.get("code") if status == "Failed" else None
    message = error.get("message") if status == "Failed" else None
    if status == "Failed":
        code, message = code or "Terminated", message or "The run was terminated."
    control.end_run(work, status, code, message)


def run_response(work: Working, action: Action, at: At) -> Ended:
    """Answer the caller of a Request trigger, once a run and while the caller waits.

    Source: Azure Logic Apps, 'Workflow actions and triggers: Response action'. A caller that has
    its answer, or has been told 504 after 120 s, cannot be answered: the action fails. A parent
    flow waits for its child as long as it takes.
    """
    inputs = object_of(Reader(work, action, at).evaluate(action.inputs), "inputs")
    work.begin(action, at, inputs=inputs)
    if work.run["responded"]:
        raise ActionFault("ActionResponseSkipped", "The caller has been answered already.")
    if _caller_waits(work) and _seconds(work) > work.highest("call.duration"):
        raise ActionFault(
            "ActionResponseTimedOut",
            f"The caller waits {work.highest('call.duration')} s for a response and has been "
            "answered 504 by now.",
        )
    status = inputs.get("statusCode", 200)
    try:
        status = int(status)
    except (TypeError, ValueError):
        raise ActionFault("InvalidTemplate", f"'{status}' is not an HTTP status.") from None
    if not (200 <= status <= 299 or 400 <= status <= 599):
        raise ActionFault(
            "InvalidTemplate", f"{status} is not an HTTP status for an answer: 2xx, 4xx or 5xx."
        )
    headers = {str(k): str(v) for k, v in object_of(inputs.get("headers"), "headers").items()}
    work.run["responded"] = True
    work.commands.append(Respond(status, headers, inputs.get("body")))
    return Ended.succeeded({"statusCode": status, "headers": headers, "body": inputs.get("body")})


def _caller_waits(work: Working) -> bool:
    """Whether a caller over HTTP keeps its connection open: no Response says Asynchronous."""
    flow = work.flow
    over_http = flow.trigger.type == "Request" and str(flow.trigger.kind).lower() == "http"
    return over_http and not any(
        each.type == "Response" and "Asynchronous" in each.options for each in flow.actions.values()
    )


def _seconds(work: Working) -> float:
    """How long the run has been under way."""
    return work.time - epoch_seconds(work.run["startTime"])


def start_wait(work: Working, action: Action, at: At) -> None:
    """Wait for an interval, or until a point in time."""
    inputs = object_of(Reader(work, action, at).evaluate(action.inputs), "inputs")
    work.begin(action, at, inputs=inputs)
    token = f"{record_key(action.name, at)}#wait"
    work.state["waits"][token] = {"action": action.name, "at": list(at), "purpose": "wait"}
    work.commands.append(SetTimer(token, _due(work.time, inputs)))


def _due(now: float, inputs: dict[str, Any]) -> float:
    """When a wait is over, in epoch seconds."""
    try:
        if "interval" in inputs:
            interval = object_of(inputs["interval"], "interval")
            return now + unit_seconds(interval.get("count"), interval.get("unit"))
        until = inputs.get("until")
        moment = until.get("timestamp") if isinstance(until, dict) else until
        return max(now, epoch_seconds(moment))
    except ValueError as error:
        raise ActionFault("InvalidTemplate", f"the wait cannot be read: {error}") from error
