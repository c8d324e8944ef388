"""Triggers of the flows process: new files, schedules, concurrency control."""

from __future__ import annotations

import asyncio
import itertools
from pathlib import Path
from typing import Any

import pytest
from connector_kit import Service
from flow_kit import compose, document
from flow_process import CALLER, process

from hybridmandate.orchestration.definition import DefinitionInvalid, FlowDocument, load_flow

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
        async with asyncio.timeout(20):
            # Ready when each trigger has been read once.
            while (await flows.client.get("/health/ready")).status_code != 200:
                await asyncio.sleep(0.02)
        found = await flows.runs(2)
        outputs = [
            (await flows.run(each["id"], "Succeeded"))["actions"][0]["outputs"] for each in found
        ]
        assert sorted(outputs) == ["a", "b"]
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


async def test_a_trigger_that_is_not_simulated_is_said_in_the_evidence(
    tmp_path: Path, service: Service
) -> None:
    host = {"connectionName": "c", "operationId": "OnNewForm", "apiId": "/apis/shared_forms"}
    trigger = {"Form": {"type": "OpenApiConnectionWebhook", "inputs": {"host": host}}}
    flow = document({"A": compose(1)}, trigger=trigger, name="Daily.json")
    async with process(tmp_path, [flow], service) as flows:
        (record,) = flows.records.of("flow.trigger")
    assert (record.subject, record.outcome) == ("Form", "refused")


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
