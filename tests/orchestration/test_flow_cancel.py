"""A person ends a run: at once, wherever it stands, and the evidence says who and why."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from connector_kit import Service
from flow_kit import call, document
from flow_process import CALLER, OPERATOR, Process, process

from hybridmandate.orchestration.definition import FlowDocument
from hybridmandate.orchestration.shells.durable import FlowHost
from hybridmandate.orchestration.shells.pace import Pace

DAY: dict[str, Any] = {
    "type": "Wait",
    "inputs": {"interval": {"count": 1, "unit": "Day"}},
    "runAfter": {},
}
ONE_AT_A_TIME = {
    "manual": {
        "type": "Request",
        "kind": "Http",
        "inputs": {},
        "runtimeConfiguration": {"concurrency": {"runs": 1}},
    }
}


def waiting(**parts: Any) -> FlowDocument:
    return document({"Rest": DAY}, name="Waiting.json", **parts)


async def started(flows: Process, name: str = "Waiting") -> str:
    answer = await flows.client.post(f"/flows/{name}/triggers/manual", headers=CALLER)
    return str(answer.json()["data"]["runId"])


async def cancelled(flows: Process, run_id: str, **query: str) -> None:
    address = f"/runs/{run_id}/cancel"
    answer = await flows.client.post(address, headers=OPERATOR, params=query)
    assert answer.status_code == 202, answer.text
    await flows.run(run_id, "Cancelled")


async def test_the_evidence_says_who_cancelled_a_run_and_why(
    tmp_path: Path, service: Service
) -> None:
    async with process(tmp_path, [waiting()], service) as flows:
        run_id = await started(flows)
        await _has_begun(flows, run_id)
        await cancelled(flows, run_id, reason="ordered twice")
        record = await flows.evidence("flow.cancel")
        assert (record.principal, record.subject) == ("operator", "Waiting")
        assert record.detail["reason"] == "ordered twice"
        ended = await flows.evidence("flow.run")
        assert (ended.outcome, ended.correlation_id) == ("cancelled", record.correlation_id)
        run = await flows.run(run_id, "Cancelled")
        assert run["error"] == {"code": "RunCancelled", "message": "ordered twice"}


async def test_a_run_that_waits_for_its_turn_is_cancelled_before_the_others_end(
    tmp_path: Path, service: Service
) -> None:
    async with process(tmp_path, [waiting(trigger=ONE_AT_A_TIME)], service) as flows:
        first, second, third = [await started(flows) for _ in range(3)]
        await cancelled(flows, second)
        await flows.run(first, "Running")
        await cancelled(flows, first)
        await asyncio.wait_for(_has_begun(flows, third), 10)


async def _has_begun(flows: Process, run_id: str) -> None:
    while not (await flows.run(run_id, "Running"))["actions"]:
        await asyncio.sleep(0.02)


async def test_a_run_that_waits_for_requests_is_cancelled_and_calls_nothing(
    tmp_path: Path, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def hold(_: Pace, flow: str, run: str, rest: Any) -> None:
        while not await rest(60.0):
            pass

    monkeypatch.setattr(Pace, "hold", hold)
    sends = document({"Send": call("GetItem")}, name="Sends.json")
    async with process(tmp_path, [sends], service) as flows:
        await cancelled(flows, await started(flows, "Sends"))
        assert service.requests == []


async def test_a_run_that_nobody_carries_on_is_ended_where_it_stands(
    tmp_path: Path, service: Service
) -> None:
    async with process(tmp_path, [waiting()], service) as flows:
        run_id = await started(flows)
        await _has_begun(flows, run_id)
        host = _host(flows)
        lost = host._live.pop(run_id)
        await cancelled(flows, run_id)
        run = await flows.run(run_id, "Cancelled")
        assert [each["status"] for each in run["actions"]] == ["Cancelled"]
        lost.cancel("too late")
        await asyncio.sleep(0.2)
        await flows.run(run_id, "Cancelled")
    async with process(tmp_path, [waiting()], service) as flows:
        assert (await flows.run(run_id, "Cancelled"))["endedAt"] == run["endedAt"]


def _host(flows: Process) -> FlowHost:
    route = next(each for each in flows.app.routes if getattr(each, "path", "") == "/health/ready")
    cells = {cell.cell_contents for cell in route.endpoint.__closure__}  # type: ignore[attr-defined]
    return next(each.host for each in cells if hasattr(each, "host"))
