"""Calls of services and child flows: attempts, the asynchronous pattern, time-outs.

A call's inputs are evaluated once and kept in its record, so that every attempt sends the same and
carries the same idempotency key. Sources: Azure Logic Apps, 'Workflow actions' (asynchronous
pattern, limit.timeout), and power-automate-limits.md.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from hybridmandate.orchestration.definition.model import Action, Flow, Status
from hybridmandate.orchestration.engine import changeset_parts
from hybridmandate.orchestration.engine.commands import Call, SetTimer, TrackRetry, Watch
from hybridmandate.orchestration.engine.durations import duration_seconds
from hybridmandate.orchestration.engine.events import Answer
from hybridmandate.orchestration.engine.flow_control import FlowControl
from hybridmandate.orchestration.engine.outcomes import ActionFault, Ended
from hybridmandate.orchestration.engine.reader import Reader
from hybridmandate.orchestration.engine.retry import (
    DEFAULT_POLICIES,
    RetryPolicy,
    is_retryable,
    retry_after,
)
from hybridmandate.orchestration.engine.working import At, Working, record_key

WATCH_SECONDS = 20.0
"""The wait before a location is read again when the answer has no Retry-After."""
_NOT_SENT = frozenset({"authentication", "retryPolicy"})
_FAULT_CODES = {
    "unreachable": "ServiceUnreachable",
    "refused": "RequestRefused",
    "too_large": "MessageSizeLimitExceeded",
}


def start_call(work: Working, control: FlowControl, action: Action, at: At) -> None:
    """Evaluate the inputs and send the first attempt, or give the static result."""
    open_call(work, control, action, at, sent_inputs(work, action, at))


def start_changeset(work: Working, control: FlowControl, action: Action, at: At) -> None:
    """Send all that a change set holds as one call: ``requests`` of its inputs."""
    parts = changeset_parts.ordered(work.flow.branch_graph(action, changeset_parts.BRANCH))
    inputs = sent_inputs(work, action, at)
    inputs["requests"] = [{"name": each.name, **sent_inputs(work, each, at)} for each in parts]
    open_call(work, control, action, at, inputs, branch=changeset_parts.BRANCH)


def sent_inputs(work: Working, action: Action, at: At) -> dict[str, Any]:
    """The evaluated inputs of a call, without what is read at each attempt."""
    declared = {key: value for key, value in action.inputs.items() if key not in _NOT_SENT}
    evaluated: dict[str, Any] = Reader(work, action, at).evaluate(declared)
    return evaluated


def open_call(
    work: Working,
    control: FlowControl,
    action: Action,
    at: At,
    inputs: dict[str, Any],
    **fields: Any,
) -> None:
    """Send the first attempt, or give the static result. ``fields`` go into the record."""
    reader = Reader(work, action, at)
    operation = _operation(action, inputs)
    work.begin(action, at, inputs=inputs, operation=operation, retryHistory=[], **fields)
    static = _static_result(work, action)
    if static is not None:
        control.end(work, action, at, static)
        return
    _policy(work, action, reader)
    timeout = action.limit.get("timeout")
    if timeout is not None:
        try:
            due = work.time + duration_seconds(reader.evaluate(timeout))
        except ValueError as error:
            raise ActionFault("InvalidTemplate", f"limit.timeout: {error}") from error
        _wait(work, action, at, "timeout", due)
    _send(work, action, at, reader)


def call_answered(
    work: Working, control: FlowControl, action: Action, at: At, purpose: str, answer: Answer
) -> None:
    """Follow an answer: watch its location, try again, or end the action."""
    location = _header(answer, "location")
    if answer.fault is None and answer.status == 202 and location and _asynchronous(action):
        _watch(work, action, at, location, retry_after(answer, work.time))
        return
    if is_retryable(answer) and _try_again(work, action, at, purpose, answer):
        return
    control.end(work, action, at, _ending(answer))


def timer_fired(
    work: Working, control: FlowControl, action: Action, at: At, wait: Mapping[str, Any]
) -> None:
    """A retry is due, or the action's time is over."""
    if wait["purpose"] == "timeout":
        message = f"The execution of template action '{action.name}' exceeded its time limit."
        error = {"code": "ActionTimedOut", "message": message}
        control.end(work, action, at, Ended(Status.TIMED_OUT, None, "ActionTimedOut", error))
        return
    if wait["purpose"] == "retry-watch":
        _watch(work, action, at, wait["location"], 0.0)
        return
    _send(work, action, at, Reader(work, action, at))


def idempotency_key(run_id: str, action: str, at: At) -> str:
    """The key of an effect: the same for every attempt and after every crash."""
    text = f"{run_id}\n{record_key(action, at)}"
    return hashlib.sha256(text.encode()).hexdigest()


def _record(work: Working, action: Action, at: At) -> dict[str, Any]:
    record = work.record(action.name, at)
    if record is None:
        raise RuntimeError(f"call '{action.name}' has no record although it runs")
    return record


def _wait(work: Working, action: Action, at: At, purpose: str, due: float, **fields: Any) -> None:
    token = f"{record_key(action.name, at)}#{purpose}"
    work.state["waits"][token] = {
        "action": action.name,
        "at": list(at),
        "purpose": purpose,
        **fields,
    }
    work.commands.append(SetTimer(token, due))


def _send(work: Working, action: Action, at: At, reader: Reader) -> None:
    record = _record(work, action, at)
    request = dict(record["inputs"])
    if "authentication" in action.inputs:
        request["authentication"] = reader.evaluate(action.inputs["authentication"])
    pagination = _pages(work, action)
    token = f"{record_key(action.name, at)}#call{record['attempt']}"
    work.state["waits"][token] = {"action": action.name, "at": list(at), "purpose": "call"}
    work.commands.append(
        Call(
            token=token,
            action=action.name,
            type=action.type,
            attempt=record["attempt"],
            request=request,
            correlation_id=work.run["clientTrackingId"],
            idempotency_key=idempotency_key(work.run["id"], action.name, at),
            pagination=pagination,
        )
    )


def _pages(work: Working, action: Action) -> int | None:
    """How many rows a list action asks for over all pages. :raises ActionFault: when too many."""
    wanted = (action.runtime.get("paginationPolicy") or {}).get("minimumItemCount")
    if wanted is None:
        return None
    try:
        rows = int(str(wanted))
    except ValueError:
        raise ActionFault(
            "InvalidPaginationPolicy", f"'{wanted}' is not a number of rows"
        ) from None
    if not work.measure("page.items", action, rows):
        most = work.highest("page.items")
        raise ActionFault("InvalidPaginationPolicy", f"{rows} rows are more than {most}")
    return rows


def _watch(
    work: Working, action: Action, at: At, location: str, after_seconds: float | None
) -> None:
    record = _record(work, action, at)
    watches = record.get("watches", 0) + 1
    work.change(action, at, watches=watches, location=location)
    token = f"{record_key(action.name, at)}#watch{watches}"
    work.state["waits"][token] = {
        "action": action.name,
        "at": list(at),
        "purpose": "watch",
        "location": location,
    }
    work.commands.append(
        Watch(
            token=token,
            action=action.name,
            type=action.type,
            request=record["inputs"],
            location=location,
            after_seconds=WATCH_SECONDS if after_seconds is None else after_seconds,
            correlation_id=work.run["clientTrackingId"],
        )
    )


def _policy(work: Working, action: Action, reader: Reader) -> RetryPolicy:
    default = work.state["defaultRetry"] or DEFAULT_POLICIES[work.state["profile"]]
    declared = reader.evaluate(dict(action.retry)) if action.retry else None
    try:
        return RetryPolicy.of(declared, default)
    except (ValueError, TypeError) as error:
        raise ActionFault("InvalidTemplate", f"retryPolicy: {error}") from error


def _try_again(work: Working, action: Action, at: At, purpose: str, answer: Answer) -> bool:
    record = _record(work, action, at)
    policy = _policy(work, action, Reader(work, action, at))
    retry = record["attempt"]
    if retry > policy.count:
        return False
    wait = policy.wait(retry, work.draw(), retry_after(answer, work.time))
    due = work.time + wait
    ending = _ending(answer)
    failure = {
        "startTime": record["startTime"] if retry == 1 else record["attemptTime"],
        "endTime": work.now,
        "code": ending.code,
        "error": dict(ending.error or {}),
    }
    history = [*record["retryHistory"], failure]
    work.change(action, at, attempt=retry + 1, retryHistory=history, attemptTime=work.now)
    tracked = {
        "name": action.name,
        "at": list(at),
        "type": action.type,
        "operation": record["operation"],
        "attempt": retry,
        "waitSeconds": wait,
        "failureType": failure_type(answer.body),
        **failure,
    }
    work.commands.append(TrackRetry(tracked, due))
    if purpose == "watch" and not _job_failed(answer):
        _wait(work, action, at, "retry-watch", due, location=record["location"])
    else:
        _wait(work, action, at, "retry", due)
    return True


def _job_failed(answer: Answer) -> bool:
    """Whether a reading told that the job itself failed: then it is asked for anew.

    Otherwise the reading did not get through (no connection, no answer in time, 408, 429), and the
    same job is read again.
    """
    return answer.fault is None and answer.status >= 500


def _ending(answer: Answer) -> Ended:
    if answer.fault == "timeout":
        error = {"code": "ActionTimedOut", "message": answer.message or "no answer in time"}
        return Ended(Status.TIMED_OUT, None, "ActionTimedOut", error)
    if answer.fault is not None:
        code = _FAULT_CODES.get(answer.fault, "RequestRefused")
        return Ended.failed(code, answer.message or answer.fault)
    outputs = {
        "statusCode": answer.status,
        "headers": dict(answer.headers),
        "body": answer.body,
    }
    code = _status_code(answer.status)
    if answer.status < 400:
        return Ended.succeeded(outputs, code)
    return Ended.failed(code, _message(answer), outputs)


def failure_type(body: Any) -> str | None:
    """The failure type of an answer that is an outcome of ours, else None."""
    failure = body.get("failure") if isinstance(body, Mapping) else None
    kind = failure.get("type") if isinstance(failure, Mapping) else None
    return kind if isinstance(kind, str) else None


def _status_code(status: int) -> str:
    if status == 200:
        return "OK"
    try:
        return "".join(word.capitalize() for word in HTTPStatus(status).phrase.split())
    except ValueError:
        return str(status)


def _message(answer: Answer) -> str:
    body = answer.body
    for key in ("failure", "error"):
        part = body.get(key) if isinstance(body, Mapping) else None
        if isinstance(part, Mapping) and isinstance(part.get("message"), str):
            return str(part["message"])
    return f"The service answered {answer.status}."


def _asynchronous(action: Action) -> bool:
    return action.type != "Workflow" and "DisableAsyncPattern" not in action.options


def _header(answer: Answer, name: str) -> str | None:
    return next((v for k, v in answer.headers.items() if k.lower() == name), None)


def _operation(action: Action, inputs: Mapping[str, Any]) -> str:
    host = inputs.get("host")
    if isinstance(host, Mapping):
        if action.type == "Workflow":
            return f"workflow.{host.get('workflowReferenceName')}"
        api = str(host.get("apiId", "")).rpartition("/")[2]
        operation = host.get("operationId") or f"{inputs.get('method')} {inputs.get('path')}"
        return f"{api}.{operation}"
    return f"{str(inputs.get('method', '')).upper()} {inputs.get('uri', '')}"


def static_outputs(flow: Flow, runtime: Mapping[str, Any]) -> dict[str, Any]:
    """The ``outputs`` that an enabled static result of the trigger gives, or nothing.

    :raises ActionFault: when the definition does not hold the result that is named.
    """
    declared = _declared_result(flow, runtime)
    return {} if declared is None else {"outputs": declared.get("outputs")}


def _declared_result(flow: Flow, runtime: Mapping[str, Any]) -> Mapping[str, Any] | None:
    static = runtime.get("staticResult") or {}
    if static.get("staticResultOptions") != "Enabled":
        return None
    declared = flow.static_results.get(str(static.get("name")))
    if not isinstance(declared, Mapping):
        raise ActionFault(
            "InvalidTemplate", f"there is no static result '{static.get('name')}' in the definition"
        )
    return declared


def _static_result(work: Working, action: Action) -> Ended | None:
    declared = _declared_result(work.flow, action.runtime)
    if declared is None:
        return None
    status, outputs = _final(declared.get("status", "Succeeded")), declared.get("outputs")
    answered = outputs.get("statusCode", 200) if isinstance(outputs, Mapping) else 200
    error = declared.get("error")
    code = declared.get("code") or (
        _status_code(answered) if isinstance(answered, int) else str(answered)
    )
    return Ended(status, outputs, str(code), error if isinstance(error, Mapping) else None)


def _final(status: Any) -> Status:
    """The status of a static result. :raises ActionFault: when no action ends so."""
    known = {each.value: each for each in Status if each.final}
    if status not in known:
        raise ActionFault(
            "InvalidTemplate", f"a static result has status {' or '.join(known)}, not '{status}'"
        )
    return known[status]
