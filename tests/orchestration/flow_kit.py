"""Flows for tests, written as the actions that matter."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from hybridmandate.orchestration.definition import Flow, FlowDocument, load_flow
from hybridmandate.orchestration.engine import Answer, Call
from hybridmandate.orchestration.shells.memory import MemoryHost, MemoryRun

REQUEST = {"manual": {"type": "Request", "kind": "Http", "inputs": {}}}
OK = Answer(200, {}, {"done": True})


def document(
    actions: Mapping[str, Any],
    *,
    trigger: Mapping[str, Any] | None = None,
    parameters: Mapping[str, Any] | None = None,
    static_results: Mapping[str, Any] | None = None,
    name: str = "Test.json",
) -> FlowDocument:
    tree = {
        "$schema": "https://schema.management.azure.com/schemas/2016-06-01/workflowdefinition.json#",
        "contentVersion": "1.0.0.0",
        "parameters": parameters or {},
        "triggers": trigger or REQUEST,
        "actions": actions,
    }
    if static_results:
        tree["staticResults"] = static_results
    return FlowDocument.parse(json.dumps(tree).encode(), name)


def flow_of(actions: Mapping[str, Any], **parts: Any) -> Flow:
    return load_flow(document(actions, **parts))


def after(*names: str, on: Sequence[str] = ("Succeeded",)) -> dict[str, list[str]]:
    return {name: list(on) for name in names}


def compose(value: Any, run_after: Mapping[str, Any] | None = None) -> dict[str, Any]:
    return {"type": "Compose", "inputs": value, "runAfter": run_after or {}}


def call(
    operation: str,
    run_after: Mapping[str, Any] | None = None,
    *,
    parameters: Mapping[str, Any] | None = None,
    retry: Mapping[str, Any] | None = None,
    kind: str = "OpenApiConnection",
    **parts: Any,
) -> dict[str, Any]:
    inputs: dict[str, Any] = {
        "host": {"connectionName": "c", "operationId": operation, "apiId": "/apis/shared_c"},
        "parameters": parameters or {},
    }
    if retry is not None:
        inputs["retryPolicy"] = retry
    return {"type": kind, "inputs": inputs, "runAfter": run_after or {}, **parts}


def scope(actions: Mapping[str, Any], run_after: Mapping[str, Any] | None = None) -> dict[str, Any]:
    return {"type": "Scope", "actions": actions, "runAfter": run_after or {}}


def fails(run_after: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """An action that fails by itself: a list is joined that is none."""
    return {
        "type": "Join",
        "inputs": {"from": "no list", "joinWith": ","},
        "runAfter": run_after or {},
    }


def foreach(
    items: Any,
    actions: Mapping[str, Any],
    run_after: Mapping[str, Any] | None = None,
    *,
    concurrency: int | None = None,
) -> dict[str, Any]:
    loop = {"type": "Foreach", "foreach": items, "actions": actions, "runAfter": run_after or {}}
    if concurrency is not None:
        loop["runtimeConfiguration"] = {"concurrency": {"repetitions": concurrency}}
    return loop


def variable(name: str, kind: str, value: Any = None) -> dict[str, Any]:
    declared = {"name": name, "type": kind}
    if value is not None:
        declared["value"] = value
    return {"type": "InitializeVariable", "inputs": {"variables": [declared]}, "runAfter": {}}


def no_calls(asked: Call) -> Answer:
    raise AssertionError(f"no call was expected, '{asked.action}' made one")


def operation_of(asked: Call) -> str:
    return str(asked.request["host"]["operationId"])


def run(actions: dict[str, Any], service: Any = no_calls, **parts: Any) -> MemoryRun:
    host = MemoryHost(service)
    return host.finish(host.start(flow_of(actions, **parts)))


def statuses(ended: MemoryRun) -> dict[str, str]:
    return {each["name"]: each["status"] for each in ended.tracked}
