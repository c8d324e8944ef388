"""The trigger on rows: what starts a run, once for each change, also around crashes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from dataverse_kit import LEGACY, MODERN, Environment, Silent, environment
from flow_kit import after, call, compose, document
from sqlalchemy import text

from hybridmandate.durable import open_durable
from hybridmandate.durable.database import open_engine
from hybridmandate.orchestration.definition import Flow, load_flow
from hybridmandate.orchestration.history import RunHistory
from hybridmandate.orchestration.limits import Profile
from hybridmandate.orchestration.shells.catalogue import FlowCatalogue
from hybridmandate.orchestration.shells.durable import FlowHost
from hybridmandate.orchestration.triggers.dataverse_rows import (
    OPERATION,
    PAGE,
    RowChanges,
)
from hybridmandate.orchestration.triggers.polled import polled_trigger
from hybridmandate.orchestration.triggers.polling import ReadingFailed
from hybridmandate.twin.dataverse.caller import Actor

ROW = {"entityName": "hm_orders"}


class Starts:
    """Remembers starts by run id, as the durable host does, and keeps cursors in a database."""

    def __init__(self, folder: Path) -> None:
        self.history = RunHistory(open_engine(f"sqlite:///{folder}/history.db"))
        self.runs: dict[str, Mapping[str, Any]] = {}

    profile = Profile.MEDIUM

    def parameters(self, flow: Flow) -> Mapping[str, Any]:
        return {"least": 5}

    def admits(self, flow: Flow) -> bool:
        return True

    async def start(
        self, flow_name: str, outputs: Mapping[str, Any], *, run_id: str
    ) -> tuple[str, bool]:
        new = run_id not in self.runs
        self.runs.setdefault(run_id, outputs["body"])
        return run_id, new

    def seen(self) -> list[tuple[str, str]]:
        return [(body["SdkMessage"], body["hm_number"]) for body in self.runs.values()]


class Crash(Exception):
    """Ends a reading in the middle, as a killed process does."""


def row_trigger(message: Any = 7, **parts: Any) -> dict[str, Any]:
    conditions = parts.pop("conditions", [])
    wanted = {"message": message, "entityname": "hm_order", "scope": 4, **parts}
    host = {"connectionName": MODERN, "operationId": OPERATION, "apiId": f"/apis/{MODERN}"}
    parameters = {f"subscriptionRequest/{name}": each for name, each in wanted.items()}
    return {
        "type": "OpenApiConnectionWebhook",
        "inputs": {"host": host, "parameters": parameters},
        "conditions": conditions,
    }


def row_flow(message: Any = 7, **parts: Any) -> Flow:
    trigger = {"Row": row_trigger(message, **parts)}
    return load_flow(document({"Seen": compose("@triggerBody()")}, trigger=trigger))


@pytest.fixture(name="env")
async def _env(tmp_path: Path) -> AsyncIterator[Environment]:
    async with environment(tmp_path) as made:
        yield made


@pytest.fixture(name="host")
def _host(tmp_path: Path) -> Any:
    return Starts(tmp_path)


def changes(env: Environment, host: Any, flow: Flow, kind: str = MODERN) -> RowChanges:
    return RowChanges(flow, env.connector(kind), host)


async def change_everything(env: Environment) -> None:
    order = await env.create("hm_orders", hm_number="1")
    changed = {**ROW, "recordId": order, "item/hm_count": 4}
    assert (await env.call("UpdateOnlyRecord", changed)).status == 200
    assert (await env.call("DeleteRecord", {**ROW, "recordId": order})).status == 204


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (1, ["Create"]),
        (2, ["Delete"]),
        (3, ["Update"]),
        (4, ["Create", "Update"]),
        (5, ["Create", "Delete"]),
        (6, ["Update", "Delete"]),
        ("7", ["Create", "Update", "Delete"]),
    ],
)
async def test_each_kind_of_change_starts_the_flows_that_want_it(
    env: Environment, host: Any, message: Any, expected: list[str]
) -> None:
    trigger = changes(env, host, row_flow(message))
    await env.create("hm_orders", hm_number="before")
    assert await trigger.read() == 0
    await change_everything(env)
    assert await trigger.read() == len(expected)
    assert host.seen() == [(each, "1") for each in expected]
    assert await trigger.read() == 0


async def test_body_is_the_row_as_it_was_at_the_change(env: Environment, host: Any) -> None:
    trigger = changes(env, host, row_flow(1))
    await trigger.read()
    order = await env.create("hm_orders", hm_number="1", hm_status=2)
    await env.call("UpdateOnlyRecord", {**ROW, "recordId": order, "item/hm_status": 3})
    await trigger.read()
    (body,) = host.runs.values()
    assert body["hm_status"] == 2
    assert body["hm_status@OData.Community.Display.V1.FormattedValue"] == "Approved"
    assert body["ItemInternalId"] == body["hm_orderid"] == order
    assert body["@odata.id"].endswith(f"hm_orders({order})")
    assert body["RunAsSystemUserId"] == "flow-user"


async def test_updates_count_only_with_the_columns_that_are_asked_for(
    env: Environment, host: Any
) -> None:
    trigger = changes(env, host, row_flow(3, filteringattributes="hm_count,hm_customer"))
    await trigger.read()
    order = await env.create("hm_orders", hm_number="1")
    customer = await env.create("hm_customers", hm_name="Alpine")
    place = {**ROW, "recordId": order}
    bind = {"item/hm_Customer@odata.bind": f"hm_customers({customer})"}
    for written in ({"item/hm_amount": 1}, {"item/hm_count": 1}, bind, {"item/hm_urgent": True}):
        assert (await env.call("UpdateOnlyRecord", {**place, **written})).status == 200
    assert await trigger.read() == 2


async def test_filter_and_conditions_choose_rows(env: Environment, host: Any) -> None:
    condition = {"expression": "@less(triggerBody()?['hm_count'], 9)"}
    flow = row_flow(1, filterexpression="hm_count ge 5", conditions=[condition])
    trigger = changes(env, host, flow)
    await trigger.read()
    for count in (4, 5, 9):
        await env.create("hm_orders", hm_number=str(count), hm_count=count)
    assert await trigger.read() == 1
    assert host.seen() == [("Create", "5")]
    assert await trigger.read() == 0


async def test_postponed_change_starts_when_its_time_has_come(env: Environment, host: Any) -> None:
    trigger = changes(env, host, row_flow(1, postponeuntil="hm_placed"))
    await trigger.read()
    await env.create("hm_orders", hm_number="later", hm_placed="2027-01-15T08:10:00Z")
    await env.create("hm_orders", hm_number="now")
    await trigger.read()
    assert host.seen() == [("Create", "now")]
    env.now += 601
    await trigger.read()
    assert host.seen() == [("Create", "now"), ("Create", "later")]


async def test_more_changes_than_a_page_all_start(env: Environment, host: Any) -> None:
    trigger = changes(env, host, row_flow(1))
    await trigger.read()
    with env.store.transaction() as rows:
        table = env.store.tables["hm_orders"]
        for number in range(2 * PAGE + 3):
            rows.create(table, {"hm_number": str(number)}, Actor("other"), row_id=None)
    assert await trigger.read() == 2 * PAGE + 3
    assert [number for _, number in host.seen()] == [str(n) for n in range(2 * PAGE + 3)]


@pytest.mark.parametrize("at", ["PATCH", "keep", "start", "POST"])
async def test_crash_anywhere_loses_and_doubles_nothing(
    env: Environment, host: Any, monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    flow = row_flow(7)
    if at not in ("PATCH", "keep"):
        await changes(env, host, flow).read()
        await change_everything(env)
    with monkeypatch.context() as broken:
        break_at(broken, env, host, at)
        with pytest.raises(Crash):
            await changes(env, host, flow).read()
    if at in ("PATCH", "keep"):
        await changes(env, host, flow).read()
        await change_everything(env)
    again = Starts.__new__(Starts)
    again.history, again.runs = host.history, host.runs
    await changes(env, again, flow).read()
    assert host.seen() == [("Create", "1"), ("Update", "1"), ("Delete", "1")]
    assert await changes(env, again, flow).read() == 0


def break_at(broken: pytest.MonkeyPatch, env: Environment, host: Any, at: str) -> None:
    """The process ends after a request, before the cursor is kept, or after the second start."""
    session = env.connector().session
    send, start = session.send, host.start

    async def sending(method: str, *arguments: Any, **more: Any) -> Any:
        answer = await send(method, *arguments, **more)
        if method == at == "PATCH":
            raise Crash
        return answer

    async def asking(method: str, *arguments: Any, **more: Any) -> Any:
        if method == at == "POST":
            raise Crash
        return await sending(method, *arguments, **more)

    async def starting(*arguments: Any, **more: Any) -> Any:
        started = await start(*arguments, **more)
        if at == "start" and len(host.runs) == 2:
            raise Crash
        return started

    def keeping(*_: Any) -> None:
        raise Crash

    broken.setattr(session, "send", asking)
    broken.setattr(host, "start", starting)
    if at == "keep":
        broken.setattr(host.history, "keep_cursor", keeping)


async def test_change_of_the_trigger_is_told_and_keeps_what_waits(
    env: Environment, host: Any
) -> None:
    await changes(env, host, row_flow(1)).read()
    await env.create("hm_orders", hm_number="1")
    await changes(env, host, row_flow(2)).read()
    await env.create("hm_orders", hm_number="2")
    await changes(env, host, row_flow(2)).read()
    assert host.seen() == [("Create", "1")]


async def test_registration_that_is_gone_is_told_again(env: Environment, host: Any) -> None:
    trigger = changes(env, host, row_flow(1))
    await trigger.read()
    cursor = host.history.cursor("Test")
    assert cursor is not None
    with env.store.transaction() as rows:
        rows.connection.execute(text("delete from callback_registrations"))
    with pytest.raises(ReadingFailed, match="404"):
        await trigger.read()
    assert await trigger.read() == 0
    await env.create("hm_orders", hm_number="1")
    assert await trigger.read() == 1


@pytest.mark.parametrize(
    "parts",
    [
        {"message": 8},
        {"message": "many"},
        {"entityname": "hm_nothing"},
        {"scope": 5},
        {"runas": 9},
        {"filterexpression": "hm_count eq"},
        {"filterexpression": "(" * 5_000},
        {"filteringattributes": "hm_nothing"},
        {"postponeuntil": "tomorrow"},
    ],
)
async def test_wrong_registration_is_a_trouble_not_a_crash(
    env: Environment, host: Any, parts: dict[str, Any]
) -> None:
    with pytest.raises(ReadingFailed):
        await changes(env, host, row_flow(**parts)).read()


async def test_polling_says_its_trouble_and_recovers(env: Environment, host: Any) -> None:
    polling = polled_trigger(row_flow(1), env.connector(), host, seconds=0.01)
    assert polling is not None
    assert polling.failure is not None
    task = asyncio.create_task(polling.run())
    while polling.failure is not None:
        await asyncio.sleep(0.01)
    await env.create("hm_orders", hm_number="1")
    while not host.runs:
        await asyncio.sleep(0.01)
    task.cancel()
    wrong = env.connector(LEGACY)
    assert polled_trigger(row_flow(1), wrong, host, seconds=1) is None


@pytest.mark.parametrize(
    ("operation", "message"),
    [("GetOnNewItems", "Create"), ("GetOnUpdatedItems_V2", "Update")],
)
async def test_legacy_trigger_gives_its_rows_split(
    env: Environment, host: Any, operation: str, message: str
) -> None:
    inputs = {
        "host": {"connectionName": LEGACY, "operationId": operation, "apiId": "/apis/legacy"},
        "parameters": {"dataset": "org", "table": "hm_orders", "scope": "Organization"},
    }
    trigger = {
        "type": "OpenApiConnection",
        "inputs": inputs,
        "splitOn": "@triggerBody()?['value']",
        "recurrence": {"frequency": "Minute", "interval": 1},
    }
    flow = load_flow(document({"Seen": compose(1)}, trigger={"Row": trigger}))
    reading = changes(env, host, flow, LEGACY)
    await reading.read()
    await change_everything(env)
    await reading.read()
    assert host.seen() == [(message, "1")]


async def test_flow_runs_from_row_to_row_on_the_durable_engine(
    env: Environment, tmp_path: Path
) -> None:
    flow = document(
        {
            "Note": call(
                "CreateRecord",
                parameters={
                    "entityName": "hm_tags",
                    "item/hm_label": "@triggerBody()?['hm_number']",
                },
            ),
            "Relate": call(
                "AssociateEntities",
                after("Note"),
                parameters={
                    "entityName": "hm_orders",
                    "recordId": "@triggerBody()?['hm_orderid']",
                    "associationEntityRelationship": "hm_order_tag",
                    "item/@odata.id": "@body('Note')?['@odata.id']",
                },
            ),
        },
        trigger={"Row": row_trigger(1)},
        name="Rows.json",
    )
    for action in flow.definition["actions"].values():
        action["inputs"]["host"]["connectionName"] = MODERN
    history = RunHistory(open_engine(f"sqlite:///{tmp_path}/history.db"))
    durable = open_durable(
        name="row-changes",
        url=f"sqlite:///{tmp_path}/durable.db",
        executor_id="flows",
        application_version="1",
    )
    host = FlowHost(
        flows=FlowCatalogue([flow], history),
        durable=durable,
        services=env.connectors,
        history=history,
        recorder=Silent(),
        clock=time.time,
        variables={},
    )
    await durable.launch()
    await host.launch()
    try:
        trigger = RowChanges(host.flows.current("Rows"), env.connector(), host)
        await trigger.read()
        await env.create("hm_orders", hm_number="R-7")
        assert await trigger.read() == 1
        (run,) = history.runs(flow="Rows", limit=9)
        for _ in range(500):
            stored = history.find(run.id)
            if stored is not None and stored.status != "Running":
                break
            await asyncio.sleep(0.02)
        assert stored is not None
        assert stored.status == "Succeeded"
    finally:
        host.close()
        await durable.close(grace_seconds=1)
    tags = await env.call("ListRecords", {"entityName": "hm_tags", "$expand": "hm_order_tag"})
    shown = [(t["hm_label"], t["hm_order_tag"][0]["hm_number"]) for t in tags.body["value"]]
    assert shown == [("R-7", "R-7")]
