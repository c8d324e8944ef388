"""Triggers of older flows: webhooks of the legacy Dataverse connector, and triggers by path."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from dataverse_kit import LEGACY, Environment, environment
from flow_kit import compose, document
from flow_process import OPERATOR, connected
from office_kit import SITE
from office_kit import office as served
from trigger_kit import Host, settings

from hybridmandate.orchestration.connectors import ConnectorHost
from hybridmandate.orchestration.definition import Flow, load_flow
from hybridmandate.orchestration.triggers.polled import polled_trigger
from hybridmandate.orchestration.triggers.polling import ReadingFailed

SHAREPOINT = "shared_sharepointonline"
ENCODED = "@{encodeURIComponent(encodeURIComponent('%s'))}"


@pytest.fixture(name="env")
async def _env(tmp_path: Path) -> AsyncIterator[Environment]:
    async with environment(tmp_path) as started:
        yield started


def by_path(connector: str, dataset: str, table: str, end: str, **parts: Any) -> dict[str, Any]:
    webhook = end.endswith("webhook")
    kind = "ApiConnectionWebhook" if webhook else "ApiConnection"
    name = f"@parameters('$connections')['{connector}']['connectionId']"
    inputs: dict[str, Any] = {
        "host": {"connection": {"name": name}},
        "path": f"/datasets/{ENCODED % dataset}/tables/{ENCODED % table}/{end}",
        "queries": parts.pop("queries", {}),
    }
    if webhook:
        inputs["body"] = {"NotificationUrl": "@{listCallbackUrl()}"}
    else:
        inputs["method"] = "get"
        parts["recurrence"] = {"frequency": "Minute", "interval": 1}
    return {"type": kind, "inputs": inputs, **parts}


def by_operation(operation: str, scope: Any) -> dict[str, Any]:
    host = {"connectionName": LEGACY, "operationId": operation, "apiId": f"/apis/{LEGACY}"}
    parameters = {"dataset": "default.cds", "table": "hm_orders", "scope": scope}
    return {"type": "OpenApiConnectionWebhook", "inputs": {"host": host, "parameters": parameters}}


def flow_with(trigger: dict[str, Any], name: str = "Test") -> Flow:
    return load_flow(document({"Seen": compose(1)}, trigger={"Row": trigger}, name=f"{name}.json"))


async def read(flow: Flow, connectors: ConnectorHost, host: Any) -> int:
    polling = polled_trigger(flow, connectors.trigger_connector(flow), host, seconds=1)
    assert polling is not None
    return await polling._read()


WEBHOOKS = [
    (by_operation("SubscribeOnNewItems", "Business unit"), ["Create"]),
    (by_operation("SubscribeOnUpdatedItems", None), ["Update"]),
    (by_path(LEGACY, "default.cds", "hm_orders", "onnewitemswebhook"), ["Create"]),
    (by_path(LEGACY, "default.cds", "hm_orders", "onupdateditemswebhook",
             queries={"scope": "Organization"}), ["Update"]),
    (by_path(LEGACY, "default.cds", "hm_orders", "ondeleteditemswebhook"), ["Delete"]),
]  # fmt: skip


async def test_a_legacy_webhook_gives_one_row_as_its_body(env: Environment) -> None:
    readings = [
        (flow_with(trigger, f"Flow{number}"), Host(), messages)
        for number, (trigger, messages) in enumerate(WEBHOOKS)
    ]
    for flow, host, _ in readings:
        assert await read(flow, env.connectors, host) == 0
    row = await env.create("hm_orders", hm_number="1")
    of_row = {"entityName": "hm_orders", "recordId": row}
    await env.call("UpdateRecord", {**of_row, "item/hm_number": "2"})
    await env.call("DeleteRecord", of_row)
    for flow, host, messages in readings:
        assert await read(flow, env.connectors, host) == len(messages)
        assert [each["SdkMessage"] for each in host.bodies] == messages
        assert await read(flow, env.connectors, host) == 0


@pytest.mark.parametrize(
    "trigger",
    [
        by_operation("SubscribeOnNewItems", "Galaxy"),
        by_path(LEGACY, "default.cds", "nothing", "onnewitemswebhook"),
    ],
)
async def test_a_scope_or_table_that_is_not_known_is_told(
    env: Environment, trigger: dict[str, Any]
) -> None:
    with pytest.raises(ReadingFailed, match=r"'Galaxy' is none of|no table 'nothing'"):
        await read(flow_with(trigger), env.connectors, Host())


async def test_a_list_is_watched_by_a_path(tmp_path: Path) -> None:
    split = "@triggerBody()?['value']"
    flow = flow_with(by_path(SHAREPOINT, SITE, "Vendors", "onnewitems", splitOn=split))
    with served(tmp_path) as office:
        vendors = office.store.lists.add_list("ap", "Vendors")["id"]
        connectors, host = ConnectorHost({SHAREPOINT: settings(SHAREPOINT, office.address)}), Host()
        assert await read(flow, connectors, host) == 0
        office.store.lists.add(vendors, {"Title": "V-1"}, {}, request=None)
        assert await read(flow, connectors, host) == 1
        assert host.bodies[0]["Title"] == "V-1"
        await connectors.close()


async def test_a_flows_process_starts_a_flow_whose_trigger_is_a_path(tmp_path: Path) -> None:
    split = "@triggerBody()?['value']"
    trigger = by_path(SHAREPOINT, SITE, "Vendors", "onnewitems", splitOn=split)
    flow = document({"Seen": compose("@triggerBody()?['Title']")}, trigger={"Row": trigger})
    with served(tmp_path) as office:
        vendors = office.store.lists.add_list("ap", "Vendors")["id"]
        connections = {SHAREPOINT: settings(SHAREPOINT, office.address)}
        async with connected(tmp_path, [flow], connections) as flows:
            # What was there before the first reading starts nothing, so items are added until one
            # comes after it.
            for number in range(100):
                office.store.lists.add(vendors, {"Title": f"V-{number}"}, {}, request=None)
                await asyncio.sleep(0.1)
                answer = await flows.client.get("/runs", headers=OPERATOR)
                if answer.json()["runs"]:
                    break
            run = (await flows.runs(1))[-1]
            assert (run["flow"], run["status"]) == ("Test", "Succeeded")
        assert "refused" not in [each.outcome for each in flows.records.of("flow.trigger")]


def test_what_is_no_known_path_starts_nothing() -> None:
    connectors = ConnectorHost({SHAREPOINT: settings(SHAREPOINT, "http://127.0.0.1:9")})
    for end in ("onsomething", "onnewitems/x"):
        flow = flow_with(by_path(SHAREPOINT, SITE, "Vendors", end))
        found = connectors.trigger_connector(flow)
        assert found is not None
        host: Any = Host()
        assert polled_trigger(flow, found, host, seconds=1) is None
    unknown = flow_with(by_path("shared_elsewhere", SITE, "Vendors", "onnewitems"))
    assert connectors.trigger_connector(unknown) is None
