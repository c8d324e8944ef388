"""What stays out of the run history: secured inputs and outputs, authentication."""

from __future__ import annotations

import json

from flow_kit import (
    OK,
    after,
    call,
    compose,
    flow_of,
    foreach,
    no_calls,
    run,
)

from hybridmandate.orchestration.shells.memory import MemoryHost


def test_secured_inputs_and_outputs_stay_out_of_the_history_but_not_of_the_flow() -> None:
    hidden = {"runtimeConfiguration": {"secureData": {"properties": ["inputs", "outputs"]}}}
    actions = {
        "Secret": {**compose("s3cret"), **hidden},
        "Use": compose("@outputs('Secret')", after("Secret")),
    }
    ended = run(actions)
    assert ended.action("Secret")["outputs"] == {"secured": True}
    assert ended.action("Secret")["inputs"] == {"secured": True}
    assert ended.state["actions"]["Use"]["outputs"] == "s3cret"


def test_authentication_never_reaches_the_history() -> None:
    action = call("A")
    action["inputs"]["authentication"] = {"type": "Raw", "value": "top-secret"}
    ended = run({"A": action}, lambda asked: OK)
    assert "top-secret" not in json.dumps([dict(each) for each in ended.tracked])
    assert ended.calls[0].request["authentication"]["value"] == "top-secret"


OUTPUTS = {"secureData": {"properties": ["outputs"]}}
INPUTS = {"secureData": {"properties": ["inputs"]}}
HIDDEN = {"secured": True}


def test_secured_outputs_are_hidden_wherever_they_are_passed_on() -> None:
    actions = {
        "Get": call("Get", runtimeConfiguration=OUTPUTS),
        "Take": compose("@body('Get')?['done']", after("Get")),
        "Again": compose("@outputs('Take')", after("Take")),
        "Send": call("Send", after("Again"), parameters={"text": "@{outputs('again')}"}),
        "Other": compose("plain", after("Send")),
    }
    ended = run(actions, lambda asked: OK)
    assert ended.action("Get")["outputs"] == HIDDEN
    for name in ("Take", "Again"):
        assert (ended.action(name)["inputs"], ended.action(name)["outputs"]) == (HIDDEN, HIDDEN)
    assert ended.action("Send")["inputs"] == HIDDEN
    assert ended.action("Send")["outputs"]["statusCode"] == 200, "what a service answers is new"
    assert ended.action("Other")["outputs"] == "plain"
    assert ended.calls_of("Send")[0].request["parameters"] == {"text": "True"}


def test_items_of_a_secured_list_are_hidden_inside_the_loop() -> None:
    actions = {
        "Get": compose(["s1", "s2"]) | {"runtimeConfiguration": OUTPUTS},
        "Loop": foreach("@outputs('Get')", {"Say": compose("@item()")}, after("Get")),
        "Named": foreach("@outputs('Get')", {"Tell": compose("@items('Named')")}, after("Loop")),
    }
    ended = run(actions)
    assert [each["outputs"] for each in ended.records("Say") + ended.records("Tell")] == [
        HIDDEN
    ] * 4


def test_secured_outputs_of_the_trigger_are_hidden_where_they_are_used() -> None:
    trigger = {
        "manual": {
            "type": "Request",
            "kind": "Http",
            "inputs": {},
            "runtimeConfiguration": OUTPUTS,
        }
    }
    flow = flow_of({"A": compose("@triggerBody()?['pin']"), "B": compose(1)}, trigger=trigger)
    ended = MemoryHost(no_calls).start(flow, {"body": {"pin": "0000"}})
    assert ended.action("A")["outputs"] == HIDDEN
    assert ended.action("B")["outputs"] == 1


def test_secured_inputs_of_a_data_operation_hide_its_outputs_too() -> None:
    ended = run({"A": compose("s3cret") | {"runtimeConfiguration": INPUTS}})
    assert (ended.action("A")["inputs"], ended.action("A")["outputs"]) == (HIDDEN, HIDDEN)


def test_tracked_properties_of_a_secured_action_are_hidden() -> None:
    action = compose("s3cret") | {
        "runtimeConfiguration": OUTPUTS,
        "trackedProperties": {"what": "@action().outputs"},
    }
    assert run({"A": action}).action("A")["trackedProperties"] == HIDDEN
