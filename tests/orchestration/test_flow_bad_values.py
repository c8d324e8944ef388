"""Values that do not fit: the action fails with a type, in bounded time, and the engine goes on."""

from __future__ import annotations

import json
from typing import Any

import pytest
from connector_kit import Service
from flow_kit import (
    OK,
    after,
    call,
    compose,
    document,
    flow_of,
    foreach,
    no_calls,
    run,
    statuses,
    variable,
)
from flow_process import CALLER, OPERATOR, process

from hybridmandate.orchestration.engine import Answer, Call
from hybridmandate.orchestration.engine.value_sizes import MAX_DEPTH, TooDeep, json_size
from hybridmandate.orchestration.shells import run_turns
from hybridmandate.orchestration.shells.memory import MemoryHost


def until(limit: dict[str, Any], actions: dict[str, Any], run_after: Any = None) -> dict[str, Any]:
    return {
        "type": "Until",
        "expression": "@equals(1, 2)",
        "limit": limit,
        "actions": actions,
        "runAfter": run_after or {},
    }


def wait(count: Any) -> dict[str, Any]:
    return {"type": "Wait", "inputs": {"interval": {"count": count, "unit": "Day"}}, "runAfter": {}}


def response(**inputs: Any) -> dict[str, Any]:
    return {"type": "Response", "kind": "Http", "inputs": inputs, "runAfter": {}}


def failed(outputs: Any = None, **fields: Any) -> dict[str, Any]:
    return {"S": {"outputs": outputs, **fields}}


STATIC = call("Get", runtimeConfiguration={
    "staticResult": {"staticResultOptions": "Enabled", "name": "S"}
})  # fmt: skip
PAGED = {"paginationPolicy": {"minimumItemCount": "many"}}
WRONG: list[tuple[str, dict[str, Any], str]] = [
    ("until count text", until({"count": "many"}, {"C": compose(1)}), "is not a whole number"),
    ("until count null", until({"count": "@null"}, {"C": compose(1)}), "is not a whole number"),
    ("wait not a number", wait("nan"), "is not a number of Day"),
    ("wait without end", wait("inf"), "is not a number of Day"),
    ("rows text", call("List", runtimeConfiguration=PAGED), "is not a number of rows"),
    (
        "retry count null",
        call("Get", retry={"type": "fixed", "count": "@null", "interval": "PT5S"}),
        "is not a whole number",
    ),
    (
        "headers list",
        response(statusCode=200, headers="@createArray(1)"),
        "'headers' is of type 'Array'",
    ),
    (
        "response inputs list",
        {"type": "Response", "kind": "Http", "inputs": "@createArray(1)", "runAfter": {}},
        "'inputs' is of type 'Array'",
    ),
    (
        "run error text",
        {
            "type": "Terminate",
            "inputs": {"runStatus": "Failed", "runError": "@string('x')"},
            "runAfter": {},
        },
        "'runError' is of type 'String'",
    ),
    (
        "expression inputs list",
        {
            "type": "Expression",
            "kind": "AddToTime",
            "inputs": "@createArray(1)",
            "runAfter": {},
        },
        "'inputs' is of type 'Array'",
    ),
    (
        "interval null",
        {"type": "Wait", "inputs": {"interval": "@null"}, "runAfter": {}},
        "'None' is not a unit of time",
    ),
    (
        "moment null",
        {"type": "Wait", "inputs": {"until": {"timestamp": "@null"}}, "runAfter": {}},
        "is not a point in time",
    ),
    (
        "content with a number that is none",
        {"type": "ParseJson", "inputs": {"content": "[NaN]", "schema": {}}, "runAfter": {}},
        "'NaN' is no JSON value",
    ),
    (
        "content with a number that is too large",
        {"type": "ParseJson", "inputs": {"content": "[1e999]", "schema": {}}, "runAfter": {}},
        "too large for a number",
    ),
    ("float without end", variable("v", "float", "1e999"), "cannot be put into it"),
    ("float not a number", variable("v", "float", "nan"), "cannot be put into it"),
    (
        "content without end",
        {
            "type": "ParseJson",
            "inputs": {"content": "@triggerBody()", "schema": {}},
            "runAfter": {},
        },
        "nested",
    ),
]


@pytest.mark.parametrize(
    ("action", "says"), [each[1:] for each in WRONG], ids=[w[0] for w in WRONG]
)
def test_a_value_that_does_not_fit_fails_its_action(action: dict[str, Any], says: str) -> None:
    host = MemoryHost(no_calls)
    ended = host.finish(host.start(flow_of({"A": action}), {"body": "[" * 100_000}))
    (record,) = ended.records("A")
    assert ended.status == "Failed"
    assert record["status"] == "Failed"
    assert says in record["error"]["message"]


@pytest.mark.parametrize(
    ("kind", "start", "step"),
    [("integer", 1, 9_223_372_036_854_775_807), ("float", 1.7e308, 1.7e308)],
)
def test_a_variable_does_not_count_beyond_its_type(kind: str, start: Any, step: Any) -> None:
    change = {"type": "IncrementVariable", "inputs": {"name": "v", "value": step}}
    ended = run({"V": variable("v", kind, start), "C": {**change, "runAfter": after("V")}})
    assert statuses(ended)["C"] == "Failed"
    assert ended.state["variables"]["v"]["value"] == start


def test_a_static_result_has_a_status_that_actions_end_with() -> None:
    ended = run({"A": STATIC}, static_results=failed(status="Weird"))
    assert "not 'Weird'" in ended.action("A")["error"]["message"]
    ended = run({"A": STATIC}, static_results=failed("text", status="Succeeded", error="text"))
    assert (ended.status, ended.action("A")["outputs"]) == ("Succeeded", "text")


@pytest.mark.parametrize("asked", ["²", "soon", "", "-1"])
def test_a_retry_after_that_cannot_be_read_is_no_retry_after(asked: str) -> None:
    answers = [Answer(429, {"Retry-After": asked}), OK]
    assert run({"A": call("Get")}, lambda _: answers.pop(0)).status == "Succeeded"


def doubled(action: str, value: Any) -> dict[str, Any]:
    return {
        "V": variable("v", "array", ["x"]),
        "Again": until(
            {"count": 200, "timeout": "PT1H"},
            {
                "Both": value,
                "Keep": {
                    "type": action,
                    "inputs": {"name": "v", "value": ["@outputs('Both')"]},
                    "runAfter": after("Both"),
                },
            },
            after("V"),
        ),
    }


TWICE = compose({"a": "@variables('v')", "b": "@variables('v')"})
SELECTED = {
    "type": "Select",
    "inputs": {"from": "@createArray(1)", "select": ["@variables('v')", "@variables('v')"]},
    "runAfter": {},
}


@pytest.mark.parametrize("value", [TWICE, SELECTED])
@pytest.mark.parametrize("action", ["SetVariable", "AppendToArrayVariable"])
def test_a_value_that_is_doubled_again_and_again_fails_before_it_is_kept(
    action: str, value: dict[str, Any]
) -> None:
    ended = run(doubled(action, value))
    codes = [each["code"] for each in ended.tracked if each["status"] == "Failed"]
    assert codes[0] == "MessageSizeLimitExceeded"
    assert all(json_size(each) < 2**28 for each in ended.tracked)


def test_a_value_that_grows_deeper_and_deeper_fails_before_it_is_kept() -> None:
    ended = run(doubled("SetVariable", compose(["@variables('v')"])))
    message = next(e["error"]["message"] for e in ended.tracked if e["status"] == "Failed")
    assert f"deeper than {MAX_DEPTH} levels" in message
    json.dumps(ended.tracked)


def test_a_call_is_not_made_with_a_value_that_is_too_large() -> None:
    asked: list[Call] = []
    chain: dict[str, Any] = {"C0": compose("x" * 1000)}
    for number in range(1, 27):
        before = f"C{number - 1}"
        parts = [f"@outputs('{before}')"] * 2
        chain[f"C{number}"] = compose(parts, after(before, on=["Succeeded", "Failed"]))
    chain["Send"] = call(
        "Send", after("C16"), parameters={f"p{n}": "@outputs('C16')" for n in (1, 2)}
    )
    ended = run(chain, lambda each: asked.append(each) or OK)
    assert statuses(ended)["C16"] == "Succeeded"
    assert statuses(ended)["C17"] == "Failed"
    assert statuses(ended)["Send"] == "Failed"
    assert asked == []


def test_shared_parts_are_counted_as_often_as_they_are_written() -> None:
    part = [{"k": "text"}]
    value = {"a": part, "b": [part, part], "n": None}
    assert json_size(value) == pytest.approx(len(json.dumps(value)), rel=0.3)
    for _ in range(100):
        part = [part, part]
    assert json_size(part) > 2**100


def test_a_value_as_deep_as_python_goes_is_refused() -> None:
    value: Any = []
    for _ in range(100_000):
        value = [value]
    with pytest.raises(TooDeep):
        json_size(value)
    while value:  # taken apart, so that freeing it does not recurse
        value = value.pop()


def test_a_list_that_is_built_row_by_row_is_measured_once() -> None:
    rows = {
        "V": variable("v", "array", []),
        "Each": foreach(
            "@range(0, 2000)",
            {
                "Add": {
                    "type": "AppendToArrayVariable",
                    "inputs": {"name": "v", "value": "@item()"},
                    "runAfter": {},
                }
            },
            after("V"),
        ),
        "Count": compose("@length(variables('v'))", after("Each")),
    }
    ended = run(rows)
    assert ended.action("Count")["outputs"] == 2_000
    variable_ = ended.state["variables"]["v"]
    assert variable_["size"] == pytest.approx(json_size(variable_["value"]), rel=0.6)


async def test_what_a_caller_sends_is_json_or_refused(tmp_path: Any, service: Service) -> None:
    echo = {"A": compose(["@triggerBody()", "@substring(string(triggerBody()), 0, 1)"])}
    echo["R"] = {**response(body="@outputs('A')"), "runAfter": after("A")}
    bodies: list[tuple[str, int, Any]] = [
        ('{"a": [NaN, -1e400]}', 200, [{"a": ["NaN", "-Infinity"]}, "{"]),
        (r'{"half \ud83d": 1}', 200, [{"half \ufffd": 1}, "{"]),
        (r'"\ud83d\ude00"', 200, ["\U0001f600", "\ufffd"]),
        ("[" * 900 + "]" * 900, 413, None),
        ("[" * 9_000 + "]" * 9_000, 400, None),
    ]
    headers = {**CALLER, "content-type": "application/json"}
    async with process(tmp_path, [document(echo, name="Echo.json")], service) as started:
        for body, status, given in bodies:
            answer = await started.client.post(
                "/flows/Echo/triggers/manual", headers=headers, content=body
            )
            assert answer.status_code == status, answer.text
            assert given is None or answer.json() == given
        for run_ in (await started.client.get("/runs", headers=OPERATOR)).json()["runs"]:
            shown = await started.run(run_["id"], "Succeeded")
            assert [each["status"] for each in shown["actions"]] == ["Succeeded", "Succeeded"]


async def test_an_answer_is_json_before_it_is_kept(tmp_path: Any, service: Service) -> None:
    path = "/api/data/v9.2/things(1)"
    service.on("GET", path, 200, {"a": float("inf"), "b": 1.5})
    get = call("GetItem", parameters={"entityName": "things", "recordId": "1"})
    flow = document({"Get": get}, name="Get.json")
    async with process(tmp_path, [flow], service) as started:
        answer = await started.client.post("/flows/Get/triggers/manual", headers=CALLER, json={})
        run_ = await started.run(answer.json()["data"]["runId"], "Succeeded")
        assert run_["actions"][0]["outputs"]["body"] == {"a": "Infinity", "b": 1.5}


async def test_a_defect_of_the_engine_fails_its_run_and_no_other(
    tmp_path: Any, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    true_step = run_turns.step

    def broken(flow: Any, state: Any, event: Any) -> Any:
        if flow.name == "Broken":
            raise ZeroDivisionError("a defect")
        return true_step(flow, state, event)

    monkeypatch.setattr(run_turns, "step", broken)
    flows = [document({"A": compose(1)}, name=f"{name}.json") for name in ("Broken", "Well")]
    async with process(tmp_path, flows, service) as started:
        for name, status in (("Broken", "Failed"), ("Well", "Succeeded")):
            address = f"/flows/{name}/triggers/manual"
            answer = await started.client.post(address, headers=CALLER, json={})
            shown = await started.run(answer.json()["data"]["runId"], status)
            assert shown["flow"] == name
        first = started.records.of("flow.run")[0]
        assert (first.outcome, first.detail) == (
            "failed",
            {"code": "RunBroken", "reason": "EngineBroken"},
        )
