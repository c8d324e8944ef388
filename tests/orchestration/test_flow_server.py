"""The flows process: triggers, runs, resubmit, cancel, stop; on the durable engine."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from connector_kit import Service, Verifier
from flow_kit import after, call, compose, document
from sqlalchemy.exc import OperationalError
from starlette.applications import Starlette

from hybridmandate.durable import open_durable
from hybridmandate.durable.database import open_engine
from hybridmandate.evidence.record import Record
from hybridmandate.orchestration.definition import DefinitionInvalid, FlowDocument, load_flow
from hybridmandate.orchestration.history import RunHistory
from hybridmandate.orchestration.server import FlowsSettings, create_app

OPERATOR = {"authorization": "Bearer operator"}
CALLER = {"authorization": "Bearer caller"}
FILES = {
    "When_a_file_is_created": {
        "type": "OpenApiConnection",
        "splitOn": "@triggerOutputs()?['body/value']",
        "recurrence": {"frequency": "Minute", "interval": 1},
        "inputs": {
            "host": {
                "connectionName": "sharepoint",
                "operationId": "GetOnNewFileItems",
                "apiId": "/apis/shared_sharepointonline",
            },
            "parameters": {"dataset": "https://x/sites/ap", "folderPath": "/In"},
        },
    }
}
DELTA = "/v1.0/sites/ap/drive/root:/In:/delta"


class Records:
    """Keeps evidence in memory."""

    def __init__(self) -> None:
        self.kept: list[Record] = []

    def record(self, record: Record) -> None:
        self.kept.append(record)

    def of(self, kind: str) -> list[Record]:
        return [each for each in self.kept if each.kind == kind]


class Process:
    """A flows process in this one, with a client that talks to it."""

    def __init__(self, app: Starlette, client: httpx.AsyncClient, records: Records) -> None:
        self.app, self.client, self.records = app, client, records

    async def run(self, run_id: str, status: str) -> Mapping[str, Any]:
        for _ in range(400):
            answer = await self.client.get(f"/runs/{run_id}", headers=OPERATOR)
            if answer.status_code == 200 and answer.json()["status"] == status:
                return answer.json()
            await asyncio.sleep(0.02)
        raise AssertionError(f"{answer.text} never became {status}")

    async def runs(self, count: int) -> list[Mapping[str, Any]]:
        for _ in range(400):
            found = (await self.client.get("/runs", headers=OPERATOR)).json()["runs"]
            if len(found) >= count and all(each["status"] != "Running" for each in found):
                return found
            await asyncio.sleep(0.02)
        raise AssertionError(f"there are {len(found)} runs")


@asynccontextmanager
async def process(
    folder: Path, documents: list[FlowDocument], service: Service, **settings: Any
) -> AsyncIterator[Process]:
    durable = open_durable(
        name="flows-test",
        url=f"sqlite:///{folder / 'durable.db'}",
        executor_id="flows",
        application_version="1",
    )
    records = Records()
    app = create_app(
        FlowsSettings(operator_token="operator", poll_seconds=0.05, grace_seconds=2, **settings),
        documents=documents,
        connections={
            "sharepoint": service.settings("shared_sharepointonline"),
            "c": service.settings("shared_commondataserviceforapps"),
        },
        durable=durable,
        history=open_engine(f"sqlite:///{folder / 'history.db'}"),
        recorder=records,
        verifier=Verifier(),
    )
    transport = httpx.ASGITransport(app=app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://flows") as client,
    ):
        yield Process(app, client, records)


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
        assert (
            await flows.client.post(f"/runs/{run_id}/cancel", headers=OPERATOR)
        ).status_code == 404


def _item(name: str, version: int = 1) -> dict[str, Any]:
    return {"id": name, "name": f"{name}.csv", "eTag": f'"{name},{version}"', "file": {}}


async def test_each_new_file_starts_one_run_also_after_a_restart(
    tmp_path: Path, service: Service
) -> None:
    link = f"{service.address}{DELTA}?token="
    flow = document(
        {"Name": compose("@triggerBody()?['{Name}']")}, trigger=FILES, name="Files.json"
    )
    old = {"value": [_item("old")], "@odata.deltaLink": f"{link}1"}
    new = {"value": [_item("a"), _item("b")], "@odata.deltaLink": f"{link}1"}
    service.on("GET", DELTA, body=old)
    service.on("GET", DELTA, body=new)
    async with process(tmp_path, [flow], service) as flows:
        found = await flows.runs(2)
        assert len(found) == 2
    async with process(tmp_path, [flow], service) as flows:
        await asyncio.sleep(0.3)
        found = await flows.runs(2)
        outputs = [
            (await flows.run(each["id"], "Succeeded"))["actions"][0]["outputs"] for each in found
        ]
        assert sorted(outputs) == ["a", "b"]
        ready = await flows.client.get("/health/ready")
        assert ready.status_code == 200
    assert service.requests[0]["query"] == {"token": "latest"}


async def test_a_folder_that_cannot_be_read_makes_the_process_not_ready(
    tmp_path: Path, service: Service
) -> None:
    flow = document({"A": compose(1)}, trigger=FILES, name="Files.json")
    service.on("GET", DELTA, status=503)
    async with process(tmp_path, [flow], service) as flows:
        ready = await flows.client.get("/health/ready")
        live = await flows.client.get("/health/live")
    assert (ready.status_code, live.status_code) == (503, 200)
    assert ready.json()["triggers"] == ["Files"]


async def test_a_trigger_that_is_not_simulated_is_said_in_the_evidence(
    tmp_path: Path, service: Service
) -> None:
    host = {"connectionName": "c", "operationId": "OnNewForm", "apiId": "/apis/shared_forms"}
    trigger = {"Form": {"type": "OpenApiConnectionWebhook", "inputs": {"host": host}}}
    flow = document({"A": compose(1)}, trigger=trigger, name="Daily.json")
    async with process(tmp_path, [flow], service) as flows:
        (record,) = flows.records.of("flow.trigger")
    assert (record.subject, record.outcome) == ("Form", "refused")


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


def test_settings_must_hold_an_operator_token() -> None:
    with pytest.raises(ValueError, match="operator token"):
        FlowsSettings(operator_token="")


async def test_a_connector_that_breaks_fails_its_action_and_never_hangs_the_run(
    tmp_path: Path, service: Service
) -> None:
    service.on("GET", "/api/data/v9.2/rows", body={"no": "value"})
    broken = call(
        "ListRecords",
        parameters={"entityName": "rows"},
        runtimeConfiguration={"paginationPolicy": {"minimumItemCount": 10}},
    )
    flow = document({"List": broken}, name="Broken.json")
    async with process(tmp_path, [flow], service) as flows:
        started = await flows.client.post("/flows/Broken/triggers/manual", headers=CALLER)
        ended = await flows.run(started.json()["data"]["runId"], "Failed")
    assert "the connector broke: KeyError" in ended["actions"][0]["error"]["message"]


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


async def test_a_run_leaves_the_facts_that_limits_are_held_against(
    tmp_path: Path, service: Service
) -> None:
    service.on("GET", "/api/data/v9.2/accounts(1)", body={"name": "A"})
    actions = {
        "Get": call("GetItem", parameters={"entityName": "accounts", "recordId": "1"}),
        "Say": compose("hello", after("Get")),
    }
    async with process(tmp_path, [document(actions, name="Facts.json")], service) as started:
        await started.client.post("/flows/Facts/triggers/manual", json={}, headers=CALLER)
        await started.runs(1)
        (ended,) = started.records.of("flow.run")
        assert (ended.detail["actions"], ended.detail["requests"]) == (2, 1)


async def test_a_flow_over_a_limit_is_refused_when_it_is_loaded(
    tmp_path: Path, service: Service
) -> None:
    many = document({f"A{n}": compose(n) for n in range(501)}, name="Many.json")
    with pytest.raises(DefinitionInvalid, match="501 of 500 actions"):
        async with process(tmp_path, [many], service):
            pass


async def test_a_database_that_is_away_for_a_while_loses_nothing(
    tmp_path: Path, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, failures = RunHistory.write_turns, iter([1, 2, 3])

    def flaky(self: RunHistory, *arguments: Any) -> Any:
        if next(failures, None):
            raise OperationalError("update", {}, Exception("database is locked"))
        return write(self, *arguments)

    monkeypatch.setattr(RunHistory, "write_turns", flaky)
    flows = [document({"Say": compose("hello")}, name="Calm.json")]
    async with process(tmp_path, flows, service) as started:
        await started.client.post("/flows/Calm/triggers/manual", json={}, headers=CALLER)
        assert (await started.runs(1))[0]["status"] == "Succeeded"


async def test_a_run_that_cannot_be_written_is_shown_as_failed(
    tmp_path: Path, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(self: RunHistory, *arguments: Any) -> Any:
        raise ValueError("no such column")

    monkeypatch.setattr(RunHistory, "write_turns", broken)
    flows = [document({"Say": compose("hello")}, name="Broken.json")]
    async with process(tmp_path, flows, service) as started:
        await started.client.post("/flows/Broken/triggers/manual", json={}, headers=CALLER)
        (run,) = await started.runs(1)
        assert (run["status"], run["code"]) == ("Failed", "RunBroken")
        assert "no such column" in run["error"]["message"]


async def test_a_feed_that_forgot_the_place_is_read_again_from_the_start(
    tmp_path: Path, service: Service
) -> None:
    def item(number: int, created: str) -> dict[str, Any]:
        return {
            "id": f"i{number}",
            "name": f"{number}.csv",
            "eTag": f"e{number}",
            "file": {},
            "createdDateTime": created,
        }

    feed = f"{service.address}{DELTA}"
    first, again = f"{feed}?token=1", f"{feed}?token=2"
    old, new = item(1, "2020-01-01T00:00:00Z"), item(2, "2100-01-01T00:00:00Z")
    service.on("GET", DELTA, body={"value": [], "@odata.deltaLink": first})
    service.on("GET", DELTA, 410, {"error": {}}, location=feed)
    service.on("GET", DELTA, body={"value": [old, new], "@odata.deltaLink": again})
    service.on("GET", DELTA, body={"value": [], "@odata.deltaLink": again})
    flows = [
        document({"Name": compose("@triggerBody()?['{Name}']")}, trigger=FILES, name="In.json")
    ]
    async with process(tmp_path, flows, service) as started:
        (run,) = await started.runs(1)
        assert run["trigger"]["outputs"]["body"]["{Identifier}"] == "i2"


async def test_a_scheduled_flow_starts_by_itself_and_a_wrong_schedule_is_told(
    tmp_path: Path, service: Service
) -> None:
    def every(recurrence: dict[str, Any], name: str) -> FlowDocument:
        trigger = {"Every": {"type": "Recurrence", "recurrence": recurrence}}
        return document({"Say": compose("hello")}, trigger=trigger, name=name)

    flows = [
        every({"frequency": "Hour", "interval": 1}, "Hourly.json"),
        every({"frequency": "Never", "interval": 1}, "Wrong.json"),
    ]
    async with process(tmp_path, flows, service) as started:
        (run,) = await started.runs(1)
        assert (run["flow"], run["status"]) == ("Hourly", "Succeeded")
        ready = await started.client.get("/health/ready")
        assert (ready.status_code, ready.json()["triggers"]) == (503, ["Wrong"])


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


async def test_runs_of_a_trigger_with_concurrency_control_wait_for_one_another(
    tmp_path: Path, service: Service
) -> None:
    trigger = {
        "manual": {
            "type": "Request",
            "kind": "Http",
            "inputs": {},
            "runtimeConfiguration": {"concurrency": {"runs": 1}},
        }
    }
    pause = {"interval": {"count": 0.3, "unit": "Second"}}
    actions = {"Pause": {"type": "Wait", "inputs": pause, "runAfter": {}}}
    flow = document(actions, trigger=trigger, name="Single.json")
    async with process(tmp_path, [flow], service) as started:
        for _ in range(3):
            await started.client.post("/flows/Single/triggers/manual", json={}, headers=CALLER)
        found = await started.runs(3)
        times = []
        for each in found:
            run = await started.run(each["id"], "Succeeded")
            times.append((run["actions"][0]["startTime"], run["actions"][0]["endTime"]))
        times.sort()
        assert all(left[1] <= right[0] for left, right in itertools.pairwise(times))


@pytest.mark.parametrize("runs", [0, 101, "2"])
def test_a_concurrency_outside_its_bounds_is_refused(runs: Any) -> None:
    bounded = {"runtimeConfiguration": {"concurrency": {"runs": runs}}}
    trigger = {"manual": {"type": "Request", "kind": "Http", "inputs": {}, **bounded}}
    with pytest.raises(DefinitionInvalid, match=r"concurrency\.runs"):
        load_flow(document({"Say": compose(1)}, trigger=trigger))
