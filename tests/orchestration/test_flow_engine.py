"""The engine's semantics, case by case."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from flow_kit import (
    OK,
    after,
    call,
    compose,
    fails,
    flow_of,
    foreach,
    no_calls,
    operation_of,
    run,
    scope,
    statuses,
    variable,
)

from hybridmandate.orchestration.engine import Answer, RunStarted, event_to_json, step
from hybridmandate.orchestration.engine.events import event_from_json
from hybridmandate.orchestration.shells.memory import MemoryHost

ANY = ("Succeeded", "Failed", "Skipped", "TimedOut")


RUN_AFTER: list[tuple[str, dict[str, Any], dict[str, str], str]] = [
    (
        "a failure skips what waits for success, and fails the run",
        {"A": fails(), "B": compose(1, after("A")), "C": compose(1, after("B"))},
        {"A": "Failed", "B": "Skipped", "C": "Skipped"},
        "Failed",
    ),
    (
        "who waits for a failure handles it",
        {"A": fails(), "B": compose(1, after("A", on=["Failed"]))},
        {"A": "Failed", "B": "Succeeded"},
        "Succeeded",
    ),
    (
        "a handler is skipped after success, and the run succeeds",
        {"A": compose(1), "B": compose(1, after("A", on=["Failed"]))},
        {"A": "Succeeded", "B": "Skipped"},
        "Succeeded",
    ),
    (
        "a handled failure beside a skipped success path still fails the run",
        {
            "A": fails(),
            "Ok": compose(1, after("A")),
            "Handler": compose(1, after("A", on=["Failed"])),
        },
        {"A": "Failed", "Ok": "Skipped", "Handler": "Succeeded"},
        "Failed",
    ),
    (
        "skipped can be waited for",
        {"A": fails(), "B": compose(1, after("A")), "C": compose(1, after("B", on=["Skipped"]))},
        {"A": "Failed", "B": "Skipped", "C": "Succeeded"},
        "Succeeded",
    ),
    (
        "all predecessors must fit",
        {"A": compose(1), "B": fails(), "C": compose(1, after("A", "B"))},
        {"A": "Succeeded", "B": "Failed", "C": "Skipped"},
        "Failed",
    ),
    (
        "a scope fails with what is in it, a catch scope handles it",
        {
            "Try": scope({"X": fails(), "Y": compose(1, after("X"))}),
            "Catch": scope({"Z": compose(1)}, after("Try", on=["Failed"])),
            "Finally": compose(1, after("Catch", on=ANY)),
        },
        {
            "X": "Failed",
            "Y": "Skipped",
            "Try": "Failed",
            "Z": "Succeeded",
            "Catch": "Succeeded",
            "Finally": "Succeeded",
        },
        "Succeeded",
    ),
    (
        "a skipped scope skips all inside it",
        {"A": fails(), "S": scope({"X": compose(1), "T": scope({"Y": compose(1)})}, after("A"))},
        {"A": "Failed", "S": "Skipped", "X": "Skipped", "T": "Skipped", "Y": "Skipped"},
        "Failed",
    ),
    (
        "an empty scope succeeds",
        {"S": scope({}), "A": compose(1, after("S"))},
        {"S": "Succeeded", "A": "Succeeded"},
        "Succeeded",
    ),
    (
        "a failure handled inside a scope does not fail the scope",
        {"S": scope({"X": fails(), "Y": compose(1, after("X", on=["Failed"]))})},
        {"X": "Failed", "Y": "Succeeded", "S": "Succeeded"},
        "Succeeded",
    ),
    ("a flow without actions succeeds", {}, {}, "Succeeded"),
]


@pytest.mark.parametrize(
    ("actions", "expected", "status"),
    [case[1:] for case in RUN_AFTER],
    ids=[case[0] for case in RUN_AFTER],
)
def test_run_after(actions: dict[str, Any], expected: dict[str, str], status: str) -> None:
    ended = run(actions)
    assert statuses(ended) == expected
    assert ended.status == status
    assert len(ended.tracked) == len(expected), "each action has exactly one final status"


def _if(expression: Any) -> dict[str, Any]:
    return {
        "Choice": {
            "type": "If",
            "expression": expression,
            "actions": {"Yes": compose(1)},
            "else": {"actions": {"No": compose(1)}},
            "runAfter": {},
        }
    }


CONDITIONS: list[tuple[Any, bool]] = [
    ({"equals": [1, 1]}, True),
    ({"and": [{"equals": ["a", "a"]}, {"greater": [2, 1]}]}, True),
    ({"and": [{"equals": ["a", "b"]}, {"greater": ["@triggerBody()?['x']", 1]}]}, False),
    ({"or": [{"less": [2, 1]}, {"contains": [["a"], "a"]}]}, True),
    ({"not": {"equals": [1, 2]}}, True),
    ({"not": [{"equals": [1, 1]}]}, False),
    ({"greaterOrEquals": [2, 2]}, True),
    ({"lessOrEquals": [3, 2]}, False),
    ({"startsWith": ["abc", "a"]}, True),
    ({"endsWith": ["abc", "@concat('b', 'c')"]}, True),
    ({"equals": ["@triggerBody()?['x']", "@null"]}, True),
    ("@equals(1, 1)", True),
    ({}, True),
]


@pytest.mark.parametrize(("expression", "holds"), CONDITIONS)
def test_conditions(expression: Any, holds: bool) -> None:
    if expression == {"equals": ["@triggerBody()?['x']", "@null"]}:
        expression = {"equals": ["@triggerBody()?['x']", None]}
    ended = statuses(run(_if(expression)))
    taken, skipped = ("Yes", "No") if holds else ("No", "Yes")
    assert (ended[taken], ended[skipped], ended["Choice"]) == ("Succeeded", "Skipped", "Succeeded")


@pytest.mark.parametrize(
    "expression", [{"equals": [1]}, {"dances": [1, 2]}, "@concat('a')", {"and": 1}]
)
def test_a_wrong_condition_fails_its_action_only(expression: Any) -> None:
    actions = {**_if(expression), "Next": compose(1, after("Choice", on=["Failed"]))}
    ended = run(actions)
    assert statuses(ended) == {
        "Choice": "Failed",
        "Yes": "Skipped",
        "No": "Skipped",
        "Next": "Succeeded",
    }
    assert ended.action("Choice")["code"] == "InvalidTemplate"


@pytest.mark.parametrize(
    ("value", "taken"), [("a", "In_a"), ("b", "In_b"), ("c", "In_default"), (1, "In_default")]
)
def test_switch_takes_the_case_that_equals(value: Any, taken: str) -> None:
    switch = {
        "type": "Switch",
        "expression": value,
        "cases": {
            "A": {"case": "a", "actions": {"In_a": compose(1)}},
            "B": {"case": "b", "actions": {"In_b": compose(1)}},
            "One": {"case": "1", "actions": {"In_one": compose(1)}},
        },
        "default": {"actions": {"In_default": compose(1)}},
        "runAfter": {},
    }
    ended = statuses(run({"S": switch}))
    assert [name for name in ended if name.startswith("In") and ended[name] == "Succeeded"] == [
        taken
    ]


@pytest.mark.parametrize(
    ("status", "code"), [("Succeeded", None), ("Failed", "E1"), ("Cancelled", None)]
)
def test_terminate_ends_the_run_and_every_action_has_a_status(
    status: str, code: str | None
) -> None:
    error = {"code": "E1", "message": "enough"} if code else {}
    actions = {
        "Slow": call("Slow"),
        "S": scope(
            {
                "T": {
                    "type": "Terminate",
                    "inputs": {"runStatus": status, "runError": error},
                    "runAfter": {},
                },
                "Later": compose(1, after("T")),
            }
        ),
        "End": compose(1, after("S")),
    }
    host = MemoryHost(lambda asked: None)
    ended = host.start(flow_of(actions))
    assert ended.status == status
    assert statuses(ended) == {
        "T": "Succeeded",
        "Slow": "Cancelled",
        "S": "Cancelled",
        "Later": "Skipped",
        "End": "Skipped",
    }
    assert ended.state["run"]["code"] == code
    assert not ended.waiting


def test_time_passes_in_a_wait_only() -> None:
    actions = {
        "W": {"type": "Wait", "inputs": {"interval": {"count": 30, "unit": "Day"}}, "runAfter": {}},
    }
    host = MemoryHost(no_calls)
    started = host.start(flow_of(actions))
    host.advance(days=29.9)
    assert started.status == "Running"
    host.advance(days=0.1)
    assert started.status in ("Succeeded", "TimedOut")


def test_a_wait_until_a_moment_in_the_past_is_over_at_once() -> None:
    wait = {
        "type": "Wait",
        "inputs": {"until": {"timestamp": "2020-01-01T00:00:00Z"}},
        "runAfter": {},
    }
    host = MemoryHost(no_calls)
    assert host.start(flow_of({"W": wait})).status == "Succeeded"


def test_a_run_ends_after_thirty_days() -> None:
    host = MemoryHost(lambda asked: None)
    started = host.start(flow_of({"A": call("A")}))
    host.advance(days=31)
    assert started.status == "TimedOut"
    assert started.action("A")["status"] == "Cancelled"


def test_response_answers_once() -> None:
    answer = {"type": "Response", "kind": "Http", "inputs": {"statusCode": 201, "body": {"a": 1}}}
    ended = run({"R": {**answer, "runAfter": {}}, "S": {**answer, "runAfter": after("R")}})
    assert ended.response is not None
    assert (ended.response.status, ended.response.body) == (201, {"a": 1})
    assert ended.action("S")["code"] == "ActionResponseSkipped"


def test_a_child_flow_answers_its_parent_under_the_same_correlation_id() -> None:
    child = flow_of(
        {
            "R": {
                "type": "Response",
                "inputs": {
                    "statusCode": 200,
                    "body": {"twice": "@add(triggerBody()['n'], triggerBody()['n'])"},
                },
                "runAfter": {},
            }
        }
    )
    parent = flow_of(
        {
            "Correlation_id": compose("@guid()"),
            "Child": {
                "type": "Workflow",
                "inputs": {"host": {"workflowReferenceName": "ABC"}, "body": {"n": 21}},
                "runAfter": after("Correlation_id"),
            },
        }
    )
    host = MemoryHost(no_calls, child=lambda asked: child)
    ended = host.finish(host.start(parent))
    assert ended.action("Child")["outputs"]["body"] == {"twice": 42}
    assert host.runs[1].correlation_id == ended.correlation_id


def test_the_first_action_makes_the_correlation_id_of_every_call() -> None:
    actions = {"Correlation_id": compose("@guid()"), "A": call("A", after("Correlation_id"))}
    ended = run(actions, lambda asked: OK)
    made = ended.action("Correlation_id")["outputs"]
    assert ended.correlation_id == made
    assert ended.calls[0].correlation_id == made
    assert ended.action("A")["clientTrackingId"] == made
    assert ended.action("Correlation_id")["clientTrackingId"] == made


def test_a_given_correlation_id_is_kept_by_the_first_action() -> None:
    host = MemoryHost(lambda asked: OK)
    actions = {"Correlation_id": compose("@guid()"), "A": call("A", after("Correlation_id"))}
    ended = host.finish(host.start(flow_of(actions), correlation_id="given-id-0001"))
    assert ended.action("Correlation_id")["outputs"] == "given-id-0001"
    assert ended.calls[0].correlation_id == "given-id-0001"


def test_the_trigger_may_make_the_correlation_id() -> None:
    trigger = {
        "manual": {
            "type": "Request",
            "inputs": {},
            "correlation": {"clientTrackingId": "@triggerBody()?['id']"},
        }
    }
    host = MemoryHost(lambda asked: OK)
    started = host.start(flow_of({"A": call("A")}, trigger=trigger), {"body": {"id": "order-4711"}})
    assert started.calls[0].correlation_id == "order-4711"


@pytest.mark.parametrize("made", ["short", "with space in it", {"no": "text"}])
def test_what_cannot_be_a_correlation_id_is_not_taken(made: Any) -> None:
    ended = run(
        {"Correlation_id": compose(made), "A": call("A", after("Correlation_id"))}, lambda asked: OK
    )
    assert ended.calls[0].correlation_id == ended.id


def test_static_results_stand_in_for_the_call() -> None:
    action = call(
        "A", runtimeConfiguration={"staticResult": {"staticResultOptions": "Enabled", "name": "A0"}}
    )
    static = {"A0": {"status": "Succeeded", "outputs": {"statusCode": 200, "body": {"mock": 1}}}}
    ended = run({"A": action}, static_results=static)
    assert ended.action("A")["outputs"]["body"] == {"mock": 1}


def test_cancelling_leaves_every_action_with_a_final_status() -> None:
    host = MemoryHost(lambda asked: None)
    actions = {"L": foreach([1, 2], {"A": call("A")}, concurrency=2), "End": compose(1, after("L"))}
    started = host.start(flow_of(actions))
    host.cancel(started, "no longer needed")
    assert started.status == "Cancelled"
    assert [each["status"] for each in started.records("A")] == ["Cancelled", "Cancelled"]
    assert statuses(started)["End"] == "Skipped"


def test_step_never_changes_the_state_that_it_was_given() -> None:
    flow = flow_of({"L": foreach("@range(0, 5)", {"A": call("A")}, concurrency=3)})
    host = MemoryHost(lambda asked: OK)
    ended = host.finish(host.start(flow))
    state = None
    for event in ended.events:
        before = copy.deepcopy(state)
        transition = step(flow, state, event)
        assert state == before
        state = transition.state
    assert state == ended.state


def test_events_and_state_survive_json_and_replay_to_the_same_state() -> None:
    flow = flow_of(
        {
            "Correlation_id": compose("@guid()"),
            "A": call(
                "A",
                after("Correlation_id"),
                retry={"type": "fixed", "count": 2, "interval": "PT5S"},
            ),
        }
    )
    answers = iter([Answer(503, {}, None), OK])
    host = MemoryHost(lambda asked: next(answers))
    ended = host.finish(host.start(flow))
    state = None
    for event in ended.events:
        read = event_from_json(json.loads(json.dumps(event_to_json(event))))
        state = json.loads(json.dumps(step(flow, state, read).state))
    assert state == json.loads(json.dumps(ended.state))


def test_an_event_that_nobody_waits_for_changes_nothing() -> None:
    flow = flow_of({"A": call("A")})
    host = MemoryHost(lambda asked: None)
    started = host.start(flow)
    before = copy.deepcopy(started.state)
    host.answer(started, "A#call9", OK)
    assert started.state == before


def test_a_run_starts_once() -> None:
    flow = flow_of({})
    started = RunStarted(time=0.0, run_id="r", seed="s", trigger={"outputs": {}})
    state = step(flow, None, started).state
    with pytest.raises(ValueError, match="has started already"):
        step(flow, state, started)


def test_operation_is_named_in_the_record() -> None:
    ended = run({"A": call("PostItem")}, lambda asked: Answer(200, {}, operation_of(asked)))
    assert ended.action("A")["operation"] == "shared_c.PostItem"
    assert ended.action("A")["outputs"]["body"] == "PostItem"


def test_a_variable_is_found_in_any_case() -> None:
    actions = {
        "Init": variable("varDataIDs", "array"),
        "Add": {
            "type": "AppendToArrayVariable",
            "inputs": {"name": "vardataids", "value": 1},
            "runAfter": after("Init"),
        },
        "Again": {**variable("VARDATAIDS", "array"), "runAfter": after("Add")},
    }
    host = MemoryHost(no_calls)
    run = host.finish(host.start(flow_of(actions)))
    assert run.action("Add")["outputs"]["body"] == {"name": "varDataIDs", "value": [1]}
    assert "initialized twice" in run.action("Again")["error"]["message"]
