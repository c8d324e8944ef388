"""Triggers with declared inputs; Button and PowerApps triggers say who started the run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from connector_kit import Service
from flow_kit import after, compose, document
from test_flow_server import CALLER, process

from hybridmandate.orchestration.definition import FlowDocument

SCHEMA = {
    "type": "object",
    "properties": {"text": {"type": "string"}, "number": {"type": "number"}},
    "required": ["text"],
}


def started_by(kind: str, name: str = "Started") -> FlowDocument:
    answer = {
        "type": "Response",
        "kind": "Http",
        "inputs": {
            "statusCode": 200,
            "body": {
                "text": "@triggerBody()?['text']",
                "name": "@triggerOutputs()?['headers']?['x-ms-user-name']",
                "id": "@triggerOutputs()?['headers']?['x-ms-user-id']",
            },
        },
        "runAfter": after("A"),
    }
    trigger = {"manual": {"type": "Request", "kind": kind, "inputs": {"schema": SCHEMA}}}
    return document({"A": compose(1), "Answer": answer}, trigger=trigger, name=f"{name}.json")


@pytest.mark.parametrize("kind", ["Button", "PowerApp", "PowerAppV2"])
async def test_who_started_it_is_the_token_not_a_claim_of_the_caller(
    tmp_path: Path, service: Service, kind: str
) -> None:
    headers = {**CALLER, "x-ms-user-name": "Somebody Else", "X-MS-User-Id": "other"}
    async with process(tmp_path, [started_by(kind)], service) as flows:
        answer = await flows.client.post(
            "/flows/Started/triggers/manual", json={"text": "go"}, headers=headers
        )
    assert (answer.status_code, answer.json()) == (
        200,
        {"text": "go", "name": "app-1", "id": "oid-1"},
    )


@pytest.mark.parametrize("body", [None, {}, {"text": 1}, {"text": "x", "number": "many"}, []])
async def test_inputs_that_are_not_as_declared_start_nothing(
    tmp_path: Path, service: Service, body: Any
) -> None:
    async with process(tmp_path, [started_by("Button")], service) as flows:
        answer = await flows.client.post(
            "/flows/Started/triggers/manual",
            headers=CALLER,
            **({} if body is None else {"json": body}),
        )
        assert (answer.status_code, answer.json()["failure"]["type"]) == (422, "validation_error")
        runs = await flows.client.get("/runs", headers={"authorization": "Bearer operator"})
        assert runs.json()["runs"] == []


async def test_an_agent_or_a_page_gives_what_the_trigger_declares(
    tmp_path: Path, service: Service
) -> None:
    kinds = ("Skills", "VirtualAgent", "PowerPages")
    async with process(tmp_path, [started_by(each, each) for each in kinds], service) as flows:
        for kind in kinds:
            path = f"/flows/{kind}/triggers/manual"
            answer = await flows.client.post(path, json={"text": "go"}, headers=CALLER)
            assert (answer.status_code, answer.json()["text"]) == (200, "go")
            wrong = await flows.client.post(path, json={"number": 1}, headers=CALLER)
            assert (wrong.status_code, wrong.json()["failure"]["type"]) == (422, "validation_error")
            assert (await flows.client.post(path, json={"text": "go"})).status_code == 401


async def test_a_button_needs_a_token(tmp_path: Path, service: Service) -> None:
    async with process(tmp_path, [started_by("Button")], service) as flows:
        answer = await flows.client.post("/flows/Started/triggers/manual", json={"text": "x"})
    assert answer.status_code == 401
