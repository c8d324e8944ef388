"""The flows process: request triggers, runs, resubmit, cancel, stop; on the durable engine."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from connector_kit import Service
from flow_kit import after, call, compose, document
from flow_process import CALLER, OPERATOR, process

from hybridmandate.orchestration.definition import DefinitionInvalid, FlowDocument
from hybridmandate.orchestration.limits import Limit, Profile
from hybridmandate.orchestration.server import FlowsSettings
from hybridmandate.orchestration.shells.child_flows import MAX_LEVELS
from hybridmandate.orchestration.shells.message_sizes import body_size

GET = {"parameters": {"entityName": "rows", "recordId": "1"}}


ROW = "/api/data/v9.2/rows(1)"


def answering() -> FlowDocument:
    return document(
        {
            "Correlation_id": compose("@guid()"),
            "Get": call("GetItem", after("Correlation_id"), **GET),
            "Response": {
                "type": "Response",
                "kind": "Http",
                "inputs": {
                    "statusCode": 201,
                    "body": {"got": "@body('Get')", "n": "@triggerBody()?['n']"},
                },
                "runAfter": after("Get"),
            },
        },
        name="Answering.json",
    )


async def test_an_authenticated_caller_starts_a_flow_and_gets_its_response(
    tmp_path: Path, service: Service
) -> None:
    service.on("GET", ROW, body={"a": 1})
    async with process(tmp_path, [answering()], service) as flows:
        answer = await flows.client.post(
            "/flows/Answering/triggers/manual", json={"n": 5}, headers=CALLER
        )
        assert answer.status_code == 201
        assert answer.json() == {"got": {"a": 1}, "n": 5}
        (run,) = await flows.runs(1)
        whole = await flows.run(run["id"], "Succeeded")
        assert [each["name"] for each in whole["actions"]] == ["Correlation_id", "Get", "Response"]
        assert answer.headers["x-correlation-id"] == run["correlationId"]
        assert "authorization" not in json.dumps(whole)
        actions = flows.records.of("flow.action")
        assert [each.subject for each in actions] == ["Correlation_id", "Get", "Response"]
        assert {each.correlation_id for each in flows.records.kept} == {run["correlationId"]}
        assert {each.parent for each in flows.records.kept} == {f"run:{run['id']}"}
        assert [each.principal for each in flows.records.of("flow.trigger")] == ["oid-1"]
        assert actions[1].detail["operation"] == "shared_c.GetItem"


BAD_CALLS: list[tuple[str, dict[str, Any], int, str]] = [
    ("Answering/triggers/manual", {"json": {}}, 401, "token.missing"),
    (
        "Answering/triggers/manual",
        {"headers": {"authorization": "Bearer x"}},
        401,
        "token.signature",
    ),
    (
        "Answering/triggers/manual",
        {"headers": {"authorization": "Bearer without-role"}},
        403,
        "token.role",
    ),
    ("Unknown/triggers/manual", {"headers": CALLER}, 404, "flow.unknown"),
    ("Answering/triggers/other", {"headers": CALLER}, 404, "trigger.unknown"),
    ("Answering/triggers/manual", {"headers": CALLER, "content": b"{"}, 400, "body.not_json"),
    ("Answering/triggers/manual", {"headers": CALLER, "content": b"x" * 2000}, 413, ""),
    (
        "Answering/triggers/manual",
        {"headers": {**CALLER, "x-correlation-id": "a b"}},
        400,
        "correlation_id.malformed",
    ),
]


async def test_who_may_not_start_a_flow_is_refused_in_the_one_shape(
    tmp_path: Path, service: Service
) -> None:
    async with process(tmp_path, [answering()], service, max_body_bytes=1000) as flows:
        for path, parts, status, reason in BAD_CALLS:
            answer = await flows.client.post(f"/flows/{path}", **parts)
            assert answer.status_code == status, path
            assert answer.json()["failure"]["reason"] == (reason or None)
        found = (await flows.client.get("/runs", headers=OPERATOR)).json()["runs"]
        assert found == []
        lost = await flows.client.get("/nowhere")
        assert (lost.status_code, lost.json()["failure"]["reason"]) == (404, "path.unknown")


async def test_runs_are_shown_to_the_operator_only(tmp_path: Path, service: Service) -> None:
    async with process(tmp_path, [answering()], service) as flows:
        for headers in ({}, CALLER, {"authorization": "Bearer operato"}):
            for method, path in [
                ("GET", "/runs"),
                ("GET", "/runs/x"),
                ("POST", "/runs/x/resubmit"),
                ("POST", "/runs/x/cancel"),
            ]:
                answer = await flows.client.request(method, path, headers=headers)
                assert answer.status_code == 401
                assert answer.json()["failure"]["type"] == "unauthorized"
        for method, path in [("GET", "/runs/x"), ("POST", "/runs/x/resubmit")]:
            assert (await flows.client.request(method, path, headers=OPERATOR)).status_code == 404


async def test_the_same_idempotency_key_starts_one_run(tmp_path: Path, service: Service) -> None:
    service.on("GET", ROW, body={"a": 1})
    async with process(tmp_path, [answering()], service) as flows:
        headers = {**CALLER, "idempotency-key": "order-1"}
        for _ in range(2):
            answer = await flows.client.post(
                "/flows/Answering/triggers/manual", json={}, headers=headers
            )
            assert answer.status_code == 201
        assert len(await flows.runs(1)) == 1
    assert len(service.requests) == 1


async def test_a_resubmit_runs_the_same_trigger_under_the_same_correlation_id(
    tmp_path: Path, service: Service
) -> None:
    service.on("GET", ROW, status=404, body={})
    service.on("GET", ROW, body={"a": 1})
    async with process(tmp_path, [answering()], service) as flows:
        failed = await flows.client.post(
            "/flows/Answering/triggers/manual", json={"n": 7}, headers=CALLER
        )
        assert failed.status_code == 500
        assert failed.json()["failure"]["reason"] == "flow.no_response"
        (first,) = await flows.runs(1)
        again = await flows.client.post(f"/runs/{first['id']}/resubmit", headers=OPERATOR)
        second = await flows.run(again.json()["runId"], "Succeeded")
        assert second["correlationId"] == first["correlationId"]
        assert second["resubmitOf"] == first["id"]
        assert second["trigger"]["outputs"]["body"] == {"n": 7}
        assert first["status"] == "Failed"


def waiting() -> FlowDocument:
    wait = {"type": "Wait", "inputs": {"interval": {"count": 1, "unit": "Day"}}, "runAfter": {}}
    return document({"Wait": wait}, name="Waiting.json")


async def test_a_waiting_run_is_accepted_survives_a_stop_and_can_be_cancelled(
    tmp_path: Path, service: Service
) -> None:
    async with process(tmp_path, [waiting()], service) as flows:
        answer = await flows.client.post("/flows/Waiting/triggers/manual", headers=CALLER)
        assert answer.status_code == 202
        run_id = answer.json()["data"]["runId"]
        await flows.run(run_id, "Running")
    async with process(tmp_path, [waiting()], service) as flows:
        cancelled = await flows.client.post(f"/runs/{run_id}/cancel", headers=OPERATOR)
        assert cancelled.status_code == 202
        ended = await flows.run(run_id, "Cancelled")
        assert [each["status"] for each in ended["actions"]] == ["Cancelled"]
        again = await flows.client.post(f"/runs/{run_id}/cancel", headers=OPERATOR)
        assert (again.status_code, again.json()["failure"]["type"]) == (409, "conflict")
        unknown = await flows.client.post("/runs/none/cancel", headers=OPERATOR)
        assert unknown.status_code == 404


async def test_a_body_that_breaks_the_schema_is_refused_where_the_flow_asks_for_it(
    tmp_path: Path, service: Service
) -> None:
    schema = {"type": "object", "required": ["n"]}
    trigger = {
        "manual": {
            "type": "Request",
            "kind": "Http",
            "inputs": {"schema": schema},
            "operationOptions": "EnableSchemaValidation",
        }
    }
    flow = document({"A": compose(1)}, trigger=trigger, name="Checked.json")
    async with process(tmp_path, [flow], service) as flows:
        answer = await flows.client.post("/flows/Checked/triggers/manual", json={}, headers=CALLER)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["code"] == "schema"


async def test_a_child_flow_runs_durably_and_answers_its_parent(
    tmp_path: Path, service: Service
) -> None:
    service.on("GET", ROW, body={"a": 1})
    child = {
        "type": "Workflow",
        "inputs": {"host": {"workflowReferenceName": "Answering"}, "body": {"n": 3}},
    }
    parent = document(
        {
            "Correlation_id": compose("@guid()"),
            "Child": {**child, "runAfter": after("Correlation_id")},
        },
        name="Parent.json",
    )
    async with process(tmp_path, [answering(), parent], service) as flows:
        started = await flows.client.post("/flows/Parent/triggers/manual", headers=CALLER)
        ended = await flows.run(started.json()["data"]["runId"], "Succeeded")
        body = ended["actions"][1]["outputs"]["body"]
        assert body == {"got": {"a": 1}, "n": 3}
        assert {each["correlationId"] for each in await flows.runs(2)} == {ended["correlationId"]}


async def test_a_flow_that_starts_itself_again_and_again_ends(
    tmp_path: Path, service: Service
) -> None:
    again = {
        "type": "Workflow",
        "inputs": {
            "host": {"workflowReferenceName": "Loop"},
            "retryPolicy": {"type": "none"},
        },
        "runAfter": {},
    }
    async with process(tmp_path, [document({"Again": again}, name="Loop.json")], service) as flows:
        answer = await flows.client.post("/flows/Loop/triggers/manual", headers=CALLER, json={})
        await flows.run(answer.json()["data"]["runId"], "Failed")
        runs = await flows.runs(MAX_LEVELS + 1)
        assert len(runs) == MAX_LEVELS + 1
        deepest = max(runs, key=lambda each: each["startedAt"])
        run = await flows.run(deepest["id"], "Failed")
        assert "nested deeper than" in run["actions"][0]["error"]["message"]


def test_settings_must_hold_an_operator_token() -> None:
    with pytest.raises(ValueError, match="operator token"):
        FlowsSettings(operator_token="")


def guarded(setting: str | None, users: str = "") -> FlowDocument:
    inputs: dict[str, Any] = {"triggerAuthenticationType": setting} if setting else {}
    trigger = {
        "manual": {
            "type": "Request",
            "kind": "Http",
            "inputs": {**inputs, "triggerAllowedUsers": users},
        }
    }
    return document({"Say": compose("hello")}, trigger=trigger, name="Guarded.json")


@pytest.mark.parametrize(
    ("setting", "users", "test_environment", "status", "reason"),
    [
        (None, "", False, 202, None),
        ("Tenant", "", False, 202, None),
        ("User", "someone@contoso.example, OID-1", False, 202, None),
        ("User", "app-1", False, 202, None),
        ("User", "oid-2;oid-10", False, 403, "trigger.user"),
        ("User", "", False, 403, "trigger.user"),
        ("All", "", False, 403, "trigger.anonymous"),
        ("All", "", True, 202, None),
        ("Nobody", "", True, 403, "trigger.setting"),
    ],
)
async def test_who_may_trigger_is_what_the_flow_says(
    tmp_path: Path,
    service: Service,
    setting: str | None,
    users: str,
    test_environment: bool,
    status: int,
    reason: str | None,
) -> None:
    flows = [guarded(setting, users)]
    async with process(tmp_path, flows, service, anyone_may_trigger=test_environment) as started:
        path = "/flows/Guarded/triggers/manual"
        answer = await started.client.post(path, json={}, headers=CALLER)
        assert answer.status_code == status, answer.text
        if reason:
            assert answer.json()["failure"]["reason"] == reason
        assert (await started.client.post(path, json={})).status_code == 401


async def test_a_flow_over_a_limit_is_refused_when_it_is_loaded(
    tmp_path: Path, service: Service
) -> None:
    many = document({f"A{n}": compose(n) for n in range(501)}, name="Many.json")
    with pytest.raises(DefinitionInvalid, match="501 of 500 actions"):
        async with process(tmp_path, [many], service):
            pass


async def test_an_asynchronous_response_is_asked_for_at_its_location(
    tmp_path: Path, service: Service
) -> None:
    path = "/api/data/v9.2/accounts(1)"
    service.on("GET", path, 503)
    parameters = {"entityName": "accounts", "recordId": "1"}
    actions = {
        "Get": call("GetItem", parameters=parameters, retry={"type": "none"}),
        "Answer": {
            "type": "Response",
            "kind": "Http",
            "operationOptions": "Asynchronous",
            "inputs": {"statusCode": 201, "body": "@outputs('Get')?['statusCode']"},
            "runAfter": after("Get", on=["Succeeded", "Failed"]),
        },
    }
    async with process(tmp_path, [document(actions, name="Later.json")], service) as started:
        first = await started.client.post("/flows/Later/triggers/manual", json={}, headers=CALLER)
        assert (first.status_code, first.headers["retry-after"]) == (202, "1")
        place = first.headers["location"]
        for _ in range(200):
            answer = await started.client.get(place, headers=CALLER)
            if answer.status_code != 202:
                break
            await asyncio.sleep(0.02)
        assert (answer.status_code, answer.json()) == (201, 503)
        assert (await started.client.get(place)).status_code == 401
        nowhere = await started.client.get(place + "0", headers=CALLER)
        assert nowhere.status_code == 404


async def test_a_response_that_comes_too_late_is_a_timeout_for_the_caller(
    tmp_path: Path, service: Service
) -> None:
    rest = {"type": "Wait", "inputs": {"interval": {"count": 1, "unit": "Second"}}, "runAfter": {}}
    late = {"type": "Response", "inputs": {"statusCode": 200}, "runAfter": after("Rest")}
    flow = document({"Rest": rest, "Response": late}, name="Late.json")
    async with process(tmp_path, [flow], service, respond_seconds=0.3) as flows:
        answer = await flows.client.post("/flows/Late/triggers/manual", headers=CALLER)
        assert answer.status_code == 504
        assert answer.json()["failure"]["type"] == "timeout"
        (run,) = await flows.runs(1)
        assert run["flow"] == "Late"


async def test_a_body_in_chunks_is_held_to_the_same_bound(tmp_path: Path, service: Service) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(3):
            yield b"x" * 400

    flow = document({"A": compose(1)}, name="Short.json")
    async with process(tmp_path, [flow], service, max_body_bytes=1_000) as flows:
        answer = await flows.client.post(
            "/flows/Short/triggers/manual", headers=CALLER, content=chunks()
        )
        assert "content-length" not in answer.request.headers
        assert answer.status_code == 413
        assert (await flows.client.get("/runs", headers=OPERATOR)).json()["runs"] == []


@pytest.mark.parametrize(
    ("body", "size"),
    [
        (None, 0),
        ("é", 2),
        ("\ud800", 3),
        ({"$content-type": "x/y", "$content": "QUJD" * 33 + "QUI="}, 101),
        ({"$content-type": "x/y", "$content": ""}, 0),
        ({"text": "x" * 90}, 101),
        (["é" * 50], 104),
    ],
)
def test_a_body_is_measured_as_it_is_sent(body: Any, size: int) -> None:
    assert body_size(body) == size


async def test_what_a_trigger_brings_is_held_to_the_limit_of_a_message(
    tmp_path: Path, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = Limit("message.size", "A message", "bytes", "run", dict.fromkeys(Profile, 100))
    monkeypatch.setattr("hybridmandate.orchestration.shells.pace.limit", lambda name: small)
    flow = document({"A": compose(1)}, name="Short.json")
    file = {"$content-type": "x/y", "$content": "QUJD" * 33 + "QUI="}
    async with process(tmp_path, [flow], service) as flows:
        answer = await flows.client.post("/flows/Short/triggers/manual", headers=CALLER, json=file)
        assert answer.status_code == 413
        assert answer.json()["failure"]["type"] == "payload_too_large"
        (near,) = [each for each in flows.records.of("flow.limit") if each.subject == "manual"]
        assert (near.outcome, near.detail["value"], near.detail["highest"]) == ("limited", 101, 100)
        assert (await flows.client.get("/runs", headers=OPERATOR)).json()["runs"] == []
