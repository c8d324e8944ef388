"""The run history of the flows process, also while its database is in trouble."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from connector_kit import Service
from flow_kit import after, call, compose, document, foreach, variable
from flow_process import CALLER, OPERATOR, Process, process
from sqlalchemy.exc import OperationalError

from hybridmandate.orchestration.history import RunHistory
from hybridmandate.orchestration.limits import Profile


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
        ended = await started.evidence("flow.run")
        assert (ended.detail["actions"], ended.detail["requests"]) == (2, 1)


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


async def test_the_history_shows_actions_while_the_run_goes_on(
    tmp_path: Path, service: Service
) -> None:
    rest = {"type": "Wait", "inputs": {"interval": {"count": 1, "unit": "Hour"}}}
    actions = {
        "Say": compose("hello"),
        "Rest": {**rest, "runAfter": after("Say")},
        "End": compose("bye", after("Rest")),
    }
    async with process(tmp_path, [document(actions, name="Slow.json")], service) as started:
        answer = await started.client.post("/flows/Slow/triggers/manual", json={}, headers=CALLER)
        run_id = answer.json()["data"]["runId"]
        run = await _shown(started, run_id, 2)
        assert {each["name"]: each["status"] for each in run["actions"]} == {
            "Say": "Succeeded",
            "Rest": "Waiting",
        }
        assert run["status"] == "Running"
        await started.client.post(f"/runs/{run_id}/cancel", headers=OPERATOR)
        run = await started.run(run_id, "Cancelled")
        assert [(each["name"], each["status"]) for each in run["actions"]] == [
            ("Say", "Succeeded"),
            ("Rest", "Cancelled"),
            ("End", "Skipped"),
        ]


async def _shown(started: Process, run_id: str, actions: int) -> Mapping[str, Any]:
    for _ in range(200):
        run = (await started.client.get(f"/runs/{run_id}", headers=OPERATOR)).json()
        if len(run.get("actions", [])) >= actions:
            return dict(run)
        await asyncio.sleep(0.02)
    raise AssertionError(f"the run shows {run}")


async def test_a_run_says_its_profile_and_its_racy_variables(
    tmp_path: Path, service: Service
) -> None:
    actions = {
        "Init": variable("last", "integer"),
        "Loop": foreach(
            [1, 2],
            {"Set": {"type": "SetVariable", "inputs": {"name": "last", "value": "@item()"}}},
            after("Init"),
            concurrency=2,
        ),
    }
    flows = [document(actions, name="Racy.json")]
    async with process(tmp_path, flows, service, profile=Profile.LOW) as started:
        await started.client.post("/flows/Racy/triggers/manual", json={}, headers=CALLER)
        await started.runs(1)
        run = await started.evidence("flow.run")
        assert (run.detail["profile"], run.detail["racyVariables"]) == ("low", ["last"])


async def test_a_loop_near_its_limit_is_said_in_the_evidence(
    tmp_path: Path, service: Service
) -> None:
    actions = {"Loop": foreach("@range(0, 4500)", {})}
    flows = [document(actions, name="Long.json")]
    async with process(tmp_path, flows, service, profile=Profile.LOW) as started:
        await started.client.post("/flows/Long/triggers/manual", json={}, headers=CALLER)
        near = await started.evidence("flow.limit")
        assert (near.subject, near.outcome) == ("Loop", "warning")
        assert (near.detail["value"], near.detail["highest"]) == (4_500, 5_000)
