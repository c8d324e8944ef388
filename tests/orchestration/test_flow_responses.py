"""The Response action: once, in time, with a status that an answer may have."""

from __future__ import annotations

from typing import Any

import pytest
from flow_kit import OK, after, call, compose, flow_of, run

from hybridmandate.orchestration.shells.memory import Delayed, MemoryHost, MemoryRun

HTTP = {"manual": {"type": "Request", "kind": "Http", "inputs": {}}}
BUTTON = {"manual": {"type": "Request", "kind": "Button", "inputs": {}}}


def _response(run_after: dict[str, Any], **parts: Any) -> dict[str, Any]:
    inputs = {"statusCode": 200, "body": "done"}
    return {"type": "Response", "kind": "Http", "inputs": inputs, "runAfter": run_after, **parts}


def _answered_after(seconds: float, trigger: dict[str, Any], **parts: Any) -> MemoryRun:
    host = MemoryHost(lambda asked: Delayed(OK, seconds))
    flow = flow_of({"Do": call("Do"), "R": _response(after("Do"), **parts)}, trigger=trigger)
    return host.finish(host.start(flow))


def test_a_response_after_120_seconds_fails_and_its_caller_gets_nothing_of_it() -> None:
    ended = _answered_after(121, HTTP)
    assert ended.action("R")["status"] == "Failed"
    assert ended.action("R")["code"] == "ActionResponseTimedOut"
    assert (ended.status, ended.response) == ("Failed", None)


@pytest.mark.parametrize(
    ("seconds", "trigger", "parts"),
    [
        (119, HTTP, {}),
        (3_000, HTTP, {"operationOptions": "Asynchronous"}),
        (3_000, BUTTON, {}),
    ],
    ids=["in time", "asynchronous", "no caller over HTTP"],
)
def test_a_response_is_given_while_somebody_waits_for_it(
    seconds: float, trigger: dict[str, Any], parts: dict[str, Any]
) -> None:
    ended = _answered_after(seconds, trigger, **parts)
    assert ended.status == "Succeeded"
    assert ended.response is not None
    assert ended.response.body == "done"


def test_a_parent_waits_for_its_child_as_long_as_it_takes() -> None:
    child = flow_of({"Do": call("Do"), "R": _response(after("Do"))}, trigger=BUTTON)
    inputs = {"host": {"workflowReferenceName": "abc"}}
    parent = flow_of({"Child": {"type": "Workflow", "inputs": inputs, "runAfter": {}}})
    host = MemoryHost(lambda asked: Delayed(OK, 3_600), child=lambda asked: child)
    ended = host.finish(host.start(parent))
    assert ended.action("Child")["outputs"]["body"] == "done"


def test_an_early_response_is_given_while_the_run_goes_on() -> None:
    host = MemoryHost(lambda asked: Delayed(OK, 7_200))
    started = host.start(flow_of({"R": _response({}), "Do": call("Do", after("R"))}, trigger=HTTP))
    assert started.response is not None
    assert started.status == "Running"
    assert host.finish(started).status == "Succeeded"


@pytest.mark.parametrize("status", [100, 199, 302, 304, 600, "moved"])
def test_a_response_has_a_status_of_an_answer(status: Any) -> None:
    inputs = {"statusCode": status}
    ended = run({"R": {"type": "Response", "kind": "Http", "inputs": inputs, "runAfter": {}}})
    assert (ended.status, ended.response) == ("Failed", None)
    assert ended.action("R")["code"] == "InvalidTemplate"


def test_what_follows_a_timed_out_action_is_chosen_by_that_status() -> None:
    def compose_on(status: str) -> dict[str, Any]:
        return compose(status, after("Do", on=[status]))

    host = MemoryHost(lambda asked: None)
    flow = flow_of(
        {
            "Do": call("Do", limit={"timeout": "PT10M"}),
            "Late": compose_on("TimedOut"),
            "Failed": compose_on("Failed"),
        }
    )
    ended = host.finish(host.start(flow))
    assert ended.action("Do")["code"] == "ActionTimedOut"
    assert ended.action("Late")["status"] == "Succeeded"
    assert ended.action("Failed")["status"] == "Skipped"
    assert ended.status == "Failed"
