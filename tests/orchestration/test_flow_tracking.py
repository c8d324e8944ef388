"""Tracked properties, static results of triggers, racy variables, actions that go on."""

from __future__ import annotations

from typing import Any

import pytest
from flow_kit import OK, REQUEST, after, call, compose, flow_of, foreach, no_calls, run, variable

from hybridmandate.orchestration.definition.races import describe
from hybridmandate.orchestration.engine import Answer, RunStarted, TrackStart, step
from hybridmandate.orchestration.shells.memory import MemoryHost
from hybridmandate.orchestration.testing.outline import outline

# --- tracked properties ------------------------------------------------------------------------


def test_tracked_properties_see_the_action_that_has_ended() -> None:
    action = call(
        "Post",
        parameters={"invoice": 17},
        trackedProperties={
            "status": "@action().outputs.statusCode",
            "invoice": "@action()['inputs']['parameters']['invoice']",
            "ended": "@action('status')",
            "fixed": "blue",
        },
    )
    ended = run({"A": action}, lambda asked: Answer(201, {}, {}))
    assert ended.action("A")["trackedProperties"] == {
        "status": 201,
        "invoice": 17,
        "ended": "Succeeded",
        "fixed": "blue",
    }


def test_a_tracked_property_without_a_value_never_fails_its_action() -> None:
    action = compose(1) | {"trackedProperties": {"bad": "@action().outputs.nothing", "good": 1}}
    ended = run({"A": action})
    tracked = ended.action("A")["trackedProperties"]
    assert ended.status == "Succeeded"
    assert tracked["good"] == 1
    assert tracked["bad"]["error"]["code"] == "InvalidTemplate"


def test_tracked_properties_have_16000_characters_at_most() -> None:
    action = compose("x" * 16_000) | {"trackedProperties": {"all": "@action().outputs"}}
    tracked = run({"A": action}).action("A")["trackedProperties"]
    assert tracked["error"]["code"] == "TrackedPropertiesTooLarge"


def test_the_current_action_is_known_to_actions_only() -> None:
    started = run({"A": compose("@action()?['name']")})
    assert started.action("A")["status"] == "Failed", "it has no record before it runs"


# --- static results of a trigger ---------------------------------------------------------------


def _static_trigger(option: str, name: str = "manual0") -> dict[str, Any]:
    static = {"staticResult": {"staticResultOptions": option, "name": name}}
    return {"manual": {**REQUEST["manual"], "runtimeConfiguration": static}}


RESULTS = {"manual0": {"status": "Succeeded", "outputs": {"body": {"n": "static"}}}}


@pytest.mark.parametrize(("option", "seen"), [("Enabled", "static"), ("Disabled", "real")])
def test_a_static_result_stands_in_for_what_the_trigger_brought(option: str, seen: str) -> None:
    trigger = _static_trigger(option)
    flow = flow_of({"A": compose("@triggerBody()?['n']")}, trigger=trigger, static_results=RESULTS)
    ended = MemoryHost(no_calls).start(flow, {"body": {"n": "real"}})
    assert ended.action("A")["outputs"] == seen


def test_a_static_result_that_is_not_declared_fails_the_run() -> None:
    flow = flow_of({"A": compose(1)}, trigger=_static_trigger("Enabled", "gone"))
    ended = MemoryHost(no_calls).start(flow)
    assert (ended.status, ended.state["run"]["code"]) == ("Failed", "InvalidTemplate")
    assert ended.action("A")["status"] == "Skipped"


# --- racy variables ----------------------------------------------------------------------------


def _change(kind: str, value: Any = 1) -> dict[str, Any]:
    return {"type": kind, "inputs": {"name": "V", "value": value}, "runAfter": {}}


COUNT = {"Up": _change("IncrementVariable")}
RACES: list[tuple[str, dict[str, Any], int, list[str]]] = [
    ("set side by side", {"Set": _change("SetVariable", "@item()")}, 5, ["set"]),
    ("set one after the other", {"Set": _change("SetVariable", "@item()")}, 1, []),
    ("appended", {"Add": _change("AppendToArrayVariable", "@item()")}, 2, ["appended to"]),
    ("only counted", COUNT, 50, []),
    (
        "counted and read",
        COUNT | {"Say": compose("@variables('v')", after("Up"))},
        2,
        ["counted and read"],
    ),
    (
        "set deep inside",
        {
            "If": {
                "type": "If",
                "expression": "@true",
                "actions": {"Set": _change("SetVariable", 1)},
                "runAfter": {},
            }
        },
        2,
        ["set"],
    ),
]


@pytest.mark.parametrize(
    ("actions", "degree", "how"), [row[1:] for row in RACES], ids=[row[0] for row in RACES]
)
def test_variables_that_parallel_iterations_change_are_named(
    actions: dict[str, Any], degree: int, how: list[str]
) -> None:
    flow = flow_of(
        {
            "Init": variable("V", "integer"),
            "Loop": foreach([1, 2, 3], actions, after("Init"), concurrency=degree),
        }
    )
    assert [each.how for each in flow.races] == how
    assert [each.variable for each in flow.races] == ["V"] * len(how)
    assert len(describe(flow)) == len(how)
    assert outline(flow).count("warning: variable 'V'") == len(how)


# --- actions that go on ------------------------------------------------------------------------


def test_what_begins_and_goes_on_is_tracked_as_running_or_waiting() -> None:
    flow = flow_of(
        {
            "Say": compose(1),
            "Call": call("Op"),
            "Ask": call("Ask", kind="OpenApiConnectionWebhook"),
            "Rest": {
                "type": "Wait",
                "inputs": {"interval": {"count": 1, "unit": "Hour"}},
                "runAfter": {},
            },
            "Loop": foreach([1], {"Inner": call("Op")}),
        }
    )
    commands = step(flow, None, RunStarted(0.0, "r", "r", {"outputs": {}})).commands
    begun = {c.record["name"]: c.record["status"] for c in commands if isinstance(c, TrackStart)}
    assert begun == {
        "Call": "Running",
        "Ask": "Waiting",
        "Rest": "Waiting",
        "Loop": "Running",
        "Inner": "Running",
    }
    records = [c.record for c in commands if isinstance(c, TrackStart)]
    assert all("open" not in each and "items" not in each for each in records)


def test_what_ends_in_the_event_in_which_it_began_is_tracked_once() -> None:
    flow = flow_of({"Loop": foreach([1, 2], {"Say": compose(1)})})
    commands = step(flow, None, RunStarted(0.0, "r", "r", {"outputs": {}})).commands
    assert not [each for each in commands if isinstance(each, TrackStart)]
    assert OK.status == 200
