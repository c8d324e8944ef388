"""A Changeset: what it holds is one call, and stands or falls as one."""

from __future__ import annotations

import json
from typing import Any

import pytest
from flow_kit import after, call, compose, flow_of, foreach, run, scope, statuses

from hybridmandate.orchestration.definition import DefinitionInvalid
from hybridmandate.orchestration.engine import Answer, Call


def changeset(actions: dict[str, Any], run_after: Any = None, **parts: Any) -> dict[str, Any]:
    host = {"connectionName": "c", "operationId": "ExecuteChangeset", "apiId": "/apis/shared_c"}
    inputs = {"host": host, **parts.pop("inputs", {})}
    return {
        "type": "Changeset",
        "kind": "ODataOpenApiConnection",
        "inputs": inputs,
        "actions": actions,
        "runAfter": run_after or {},
        **parts,
    }


def each_of(asked: Call, status: int = 204) -> Answer:
    names = [each["name"] for each in asked.request["requests"]]
    responses = [{"name": name, "status": status, "body": {"is": name}} for name in names]
    return Answer(200, {}, {"responses": responses})


TWO = {
    "Second": call("UpdateRecord", after("First"), parameters={"n": "@triggerBody()?['n']"}),
    "First": call("CreateRecord", parameters={"entityName": "orders"}),
}


def test_what_it_holds_is_one_call_in_its_order() -> None:
    asked: list[Call] = []
    ended = run({"Set": changeset(TWO)}, lambda each: asked.append(each) or each_of(each))
    (only,) = asked
    assert [each["name"] for each in only.request["requests"]] == ["First", "Second"]
    assert only.request["requests"][0]["parameters"] == {"entityName": "orders"}
    assert statuses(ended) == {"Set": "Succeeded", "First": "Succeeded", "Second": "Succeeded"}


def test_what_follows_reads_the_outputs_of_what_it_holds() -> None:
    actions = {
        "Set": changeset(TWO),
        "After": compose("@outputs('First')?['body/is']", after("Set")),
    }
    ended = run(actions, each_of)
    assert ended.records("After")[-1]["outputs"] == "First"


def test_one_that_fails_leaves_nothing_done() -> None:
    answer = Answer(404, {}, {"error": {"message": "gone"}, "responses": [
        {"name": "Second", "status": 404, "body": {"error": "gone"}}]})  # fmt: skip
    ended = run({"Set": changeset(TWO)}, lambda _: answer)
    assert statuses(ended) == {"Set": "Failed", "First": "Failed", "Second": "Failed"}
    assert ended.records("Second")[-1]["outputs"]["statusCode"] == 404
    assert ended.records("First")[-1]["outputs"] is None
    assert ended.status == "Failed"


def test_it_is_tried_again_as_a_whole_under_one_key() -> None:
    keys: list[str] = []

    def service(asked: Call) -> Answer:
        keys.append(asked.idempotency_key)
        return Answer(503) if len(keys) == 1 else each_of(asked)

    retry = {"retryPolicy": {"type": "fixed", "count": 1, "interval": "PT5S"}}
    ended = run({"Set": changeset(TWO, inputs=retry)}, service)
    assert ended.status == "Succeeded"
    assert len(keys) == 2
    assert len(set(keys)) == 1


def test_parts_that_cannot_be_evaluated_send_nothing() -> None:
    actions = {"Bad": call("CreateRecord", parameters={"n": "@int('x')"})}
    ended = run({"Set": changeset(actions)})
    assert statuses(ended) == {"Set": "Failed", "Bad": "Skipped"}


@pytest.mark.parametrize("around", [scope, lambda inner: foreach("@createArray(1,2)", inner)])
def test_it_works_inside_scopes_and_loops(around: Any) -> None:
    ended = run({"Around": around({"Set": changeset(TWO)})}, each_of)
    assert ended.status == "Succeeded"


def test_a_run_that_ends_meanwhile_closes_all_of_it() -> None:
    stop = {"type": "Terminate", "inputs": {"runStatus": "Cancelled"}, "runAfter": {}}
    ended = run({"Set": changeset(TWO), "Stop": stop}, each_of)
    assert statuses(ended)["Set"] == "Cancelled"
    assert statuses(ended)["First"] == "Skipped"


def test_an_empty_or_static_one_ends_too() -> None:
    assert run({"Set": changeset({})}, each_of).status == "Succeeded"
    enabled = {"staticResult": {"staticResultOptions": "Enabled", "name": "S"}}
    ended = run(
        {"Set": changeset(TWO, runtimeConfiguration=enabled)},
        static_results={"S": {"status": "Failed", "outputs": {"statusCode": 412}}},
    )
    assert statuses(ended) == {"Set": "Failed", "First": "Failed", "Second": "Failed"}


@pytest.mark.parametrize("inside", [compose(1), scope({}), {"type": "Http", "inputs": {}}])
def test_anything_but_connector_actions_inside_is_refused(inside: dict[str, Any]) -> None:
    with pytest.raises(DefinitionInvalid, match="connector actions only"):
        flow_of({"Set": changeset({"Inside": inside})})


def test_the_state_of_a_running_one_is_json() -> None:
    asked: list[Call] = []
    run({"Set": changeset(TWO)}, lambda each: asked.append(each) or each_of(each))
    assert json.loads(json.dumps(asked[0].request))["requests"][1]["name"] == "Second"
