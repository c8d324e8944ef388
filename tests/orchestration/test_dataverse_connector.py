"""The Dataverse connectors against the stand-in, over HTTP."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from dataverse_kit import LEGACY, Environment, environment

ID = "0f8fad5b-d9cb-469f-a165-70867728950e"
FORMATTED = "OData.Community.Display.V1.FormattedValue"
ROW = {"entityName": "hm_orders"}


@pytest.fixture(name="env")
async def _env(tmp_path: Path) -> AsyncIterator[Environment]:
    async with environment(tmp_path) as made:
        yield made


async def test_created_row_comes_back_with_address_and_annotations(env: Environment) -> None:
    customer = await env.create("hm_customers", hm_name="Alpine")
    parameters = {
        **ROW,
        "item/hm_number": "1",
        "item/hm_status": 2,
        "item/hm_Customer@odata.bind": f"hm_customers({customer})",
    }
    made = await env.call("CreateRecord", parameters)
    assert made.status == 201
    assert made.body[f"hm_status@{FORMATTED}"] == "Approved"
    assert made.body[f"_hm_customer_value@{FORMATTED}"] == "Alpine"
    assert made.body["@odata.id"].startswith(f"{env.address}/api/data/v9.2/hm_orders(")
    repeated = await env.call("CreateRecord", parameters)
    assert (repeated.status, repeated.body["@odata.id"]) == (201, made.body["@odata.id"])
    assert await env.numbers() == ["1"]


async def test_list_expands_filters_and_follows_pages(env: Environment) -> None:
    customer = await env.create("hm_customers", hm_name="Alpine")
    bind = {"hm_Customer@odata.bind": f"hm_customers({customer})"}
    for number in range(3):
        await env.create("hm_orders", hm_number=str(number), hm_count=number, **bind)
    query = {"$filter": "hm_count ge 1", "$orderby": "hm_count desc", "$select": "hm_number"}
    listed = await env.call(
        "ListRecords", {**ROW, **query, "$expand": "hm_Customer($select=hm_name)"}
    )
    shown = [(row["hm_number"], row["hm_Customer"]["hm_name"]) for row in listed.body["value"]]
    assert shown == [("2", "Alpine"), ("1", "Alpine")]


async def test_operation_on_a_selected_environment_stays_within_the_connection(
    env: Environment,
) -> None:
    await env.create("hm_orders", hm_number="1")
    there = await env.call("ListRecordsWithOrganization", {**ROW, "organization": env.address})
    assert [row["hm_number"] for row in there.body["value"]] == ["1"]
    other = "https://other.crm.dynamics.com"
    away = await env.call("ListRecordsWithOrganization", {**ROW, "organization": other})
    assert away.fault == "refused"
    assert other in (away.message or "")


async def test_rows_are_related_and_parted(env: Environment) -> None:
    order = await env.create("hm_orders", hm_number="1")
    tag = await env.create("hm_tags", hm_label="late")
    relation = {**ROW, "recordId": order, "associationEntityRelationship": "hm_order_tag"}
    reference = f"{env.address}/api/data/v9.2/hm_tags({tag})"
    for _ in range(2):
        done = await env.call("AssociateEntities", {**relation, "item/@odata.id": reference})
        assert done.status == 204
    shown = await env.call("GetItem", {**ROW, "recordId": order, "$expand": "hm_order_tag"})
    assert [each["hm_label"] for each in shown.body["hm_order_tag"]] == ["late"]
    parted = await env.call("DisassociateEntities", {**relation, "$id": reference})
    assert parted.status == 204
    shown = await env.call("GetItem", {**ROW, "recordId": order, "$expand": "hm_order_tag"})
    assert shown.body["hm_order_tag"] == []


async def test_bound_and_unbound_operations_reach_custom_apis(env: Environment) -> None:
    order = await env.create("hm_orders", hm_number="1")
    bound = {**ROW, "recordId": order, "actionName": "Microsoft.Dynamics.CRM.hm_RejectOrder"}
    done = await env.call("PerformBoundAction", {**bound, "item/note": "late"})
    assert (done.status, done.body["Status"]) == (200, 3)
    unbound = await env.call("PerformUnboundAction", {"actionName": "hm_Nothing"})
    assert unbound.status == 404


@pytest.mark.parametrize("size", [0, 3, 4 * 1024 * 1024, 4 * 1024 * 1024 + 1, 8_500_000])
async def test_file_goes_up_whole_or_in_chunks_and_comes_back(env: Environment, size: int) -> None:
    order = await env.create("hm_orders", hm_number="1")
    data = (bytes(range(256)) * (size // 256 + 1))[:size]
    place = {**ROW, "recordId": order, "fileImageFieldName": "hm_document"}
    item = {"$content-type": "application/pdf", "$content": base64.b64encode(data).decode()}
    parameters = {**place, "item": item, "x-ms-file-name": "a.pdf"}
    for _ in range(2):
        assert (await env.call("UpdateEntityFileImageFieldContent", parameters)).status == 204
    read = await env.call("GetEntityFileImageFieldContent", place)
    assert base64.b64decode(read.body["$content"]) == data


@pytest.mark.parametrize(
    ("operation", "parameters", "status", "code"),
    [
        ("GetItem", {"recordId": ID}, 404, "0x80040217"),
        ("UpdateOnlyRecord", {"recordId": ID, "item/hm_count": 1}, 404, "0x80040217"),
        ("DeleteRecord", {"recordId": ID}, 404, "0x80040217"),
        ("ListRecords", {"$filter": "hm_count eq"}, 400, "0x0"),
        ("ListRecords", {"$expand": "hm_Nobody"}, 400, "0x80060888"),
        ("CreateRecord", {"item/hm_status": 77}, 400, "0x80048403"),
        ("GetEntityFileImageFieldContent", {"recordId": ID, "fileImageFieldName": "hm_document"},
         404, "0x80040217"),
    ],
)  # fmt: skip
async def test_failure_carries_status_and_body_of_the_service(
    env: Environment, operation: str, parameters: dict[str, Any], status: int, code: str
) -> None:
    answer = await env.call(operation, {**ROW, **parameters})
    assert answer.fault is None
    assert answer.status == status
    assert answer.body["error"]["code"] == code


async def test_what_the_stand_in_lacks_fails_at_once(env: Environment) -> None:
    answer = await env.call("CreateRecord", {**ROW, "item/hm_Customer": {"hm_name": "inner"}})
    assert (answer.fault, "does not support" in (answer.message or "")) == ("refused", True)
    lucene = {"searchRequest/search": "x", "searchRequest/searchtype": "full"}
    search = await env.call("GetRelevantRows", lucene)
    assert (search.fault, "Lucene" in (search.message or "")) == ("refused", True)


async def test_legacy_operations_write_and_read_rows(env: Environment) -> None:
    table = {"dataset": "org", "table": "hm_orders"}
    made = await env.call("PostItem_V2", {**table, "item/hm_number": "1"}, kind=LEGACY)
    row_id = made.body["ItemInternalId"]
    changed = {**table, "id": row_id, "item/hm_count": 4}
    assert (await env.call("PatchItem_V2", changed, kind=LEGACY)).status == 200
    one = await env.call("GetItem_V2", {**table, "id": row_id}, kind=LEGACY)
    assert (one.body["hm_count"], one.body["ItemInternalId"]) == (4, row_id)
    listed = await env.call("GetItems_V2", {**table, "$filter": "hm_count eq 4"}, kind=LEGACY)
    assert [row["ItemInternalId"] for row in listed.body["value"]] == [row_id]
    pair = {**changed, "item/_hm_customer_value": ID, "item/_hm_customer_type": "hm_customers"}
    refused = await env.call("PatchItem_V2", pair, kind=LEGACY)
    assert (refused.fault, "lookups" in (refused.message or "")) == ("refused", True)
    assert (await env.call("DeleteItem", {**table, "id": row_id}, kind=LEGACY)).status == 204
    assert await env.numbers() == []


def part(operation: str, name: str, **parameters: Any) -> dict[str, Any]:
    return {"name": name, "host": {"operationId": operation}, "parameters": {**ROW, **parameters}}


async def changeset(env: Environment, *parts: dict[str, Any], key: str = "set") -> Any:
    return await env.call("ExecuteChangeset", {"requests": list(parts)}, key=key)


async def test_change_set_is_done_as_a_whole_and_not_twice(env: Environment) -> None:
    old = await env.create("hm_orders", hm_number="old")
    parts = (
        part("CreateRecord", "New", **{"item/hm_number": "new", "item/hm_count": 1}),
        part("UpdateOnlyRecord", "Change", recordId=old, **{"item/hm_count": 9}),
    )
    first = await changeset(env, *parts)
    assert first.status == 200
    assert {each["name"]: each["status"] for each in first.body["responses"]} == {
        "New": 201,
        "Change": 200,
    }
    repeated = await changeset(env, *parts)
    assert repeated.status == 200
    assert [each["body"]["hm_number"] for each in repeated.body["responses"]] == ["new", "old"]
    assert await env.numbers() == ["new", "old"]


async def test_change_set_that_fails_leaves_every_row_as_it_was(env: Environment) -> None:
    old = await env.create("hm_orders", hm_number="old", hm_count=1)
    failed = await changeset(
        env,
        part("UpdateOnlyRecord", "Change", recordId=old, **{"item/hm_count": 9}),
        part("CreateRecord", "New", **{"item/hm_number": "new"}),
        part("DeleteRecord", "Gone", recordId=ID),
    )
    assert failed.status == 404
    assert failed.body["error"]["code"] == "0x80040217"
    assert [each["name"] for each in failed.body["responses"]] == ["Gone"]
    assert await env.numbers() == ["old"]
    row = await env.call("GetItem", {**ROW, "recordId": old})
    assert row.body["hm_count"] == 1


async def test_change_set_of_another_row_with_the_same_key_fails(env: Environment) -> None:
    await env.create("hm_customers", hm_name="Alpine")
    clash = {"entityName": "hm_customers", "item/hm_name": "Alpine"}
    answer = await changeset(env, {**part("CreateRecord", "New"), "parameters": clash})
    alone = await env.call("CreateRecord", clash, key="another")
    assert [each.status for each in (answer, alone)] == [412, 412]
    assert answer.body["error"]["code"] == alone.body["error"]["code"] == "0x80040237"


@pytest.mark.parametrize(
    ("inside", "message"),
    [
        (part("ListRecords", "List"), "cannot stand in a change set"),
        ({"name": "Bad", "host": {"operationId": "DeleteRecord"}, "parameters": {}}, "entityName"),
    ],
)
async def test_what_cannot_stand_in_a_change_set_is_refused_before_it_is_sent(
    env: Environment, inside: dict[str, Any], message: str
) -> None:
    new = part("CreateRecord", "New", **{"item/hm_number": "1"})
    answer = await changeset(env, new, inside)
    assert message in (answer.message or "")
    assert await env.numbers() == []


async def test_relations_and_actions_stand_in_a_change_set(env: Environment) -> None:
    order = await env.create("hm_orders", hm_number="1")
    tag = await env.create("hm_tags", hm_label="late")
    related = {"recordId": order, "associationEntityRelationship": "hm_order_tag"}
    done = await changeset(
        env,
        part("AssociateEntities", "Tag", **related, **{"item/@odata.id": f"hm_tags({tag})"}),
        part("PerformBoundAction", "Reject", recordId=order, actionName="hm_RejectOrder",
             item='{"note": "late"}'),
    )  # fmt: skip
    assert [each["status"] for each in done.body["responses"]] == [204, 200]
    shown = await env.call("GetItem", {**ROW, "recordId": order, "$expand": "hm_order_tag"})
    assert [each["hm_label"] for each in shown.body["hm_order_tag"]] == ["late"]


SEARCHES: list[tuple[dict[str, Any], list[str]]] = [
    ({"search": "alpine"}, ["Alpine Alpine Tours", "alpine huts"]),
    ({"search": "tours huts"}, ["Alpine Alpine Tours", "alpine huts"]),
    ({"search": "alpine tours", "searchmode": "all"}, ["Alpine Alpine Tours"]),
    ({"search": "alpine -huts"}, ["Alpine Alpine Tours"]),
    ({"search": '"alpine huts"'}, ["alpine huts"]),
    ({"search": "alp* +tours"}, ["Alpine Alpine Tours"]),
    ({"search": "alp"}, []),
    ({"search": "alpine", "top": 1, "skip": 1}, ["alpine huts"]),
    (
        {"search": "alpine", "filter": "hm_name eq 'alpine huts'", "entities": ["hm_customer"]},
        ["alpine huts"],
    ),
    ({"search": "alpine", "entities": ["hm_order"]}, []),
]
UNREADABLE: list[dict[str, Any]] = [
    {"search": " "},
    {"search": "x" * 101},
    {"search": "-x"},
    {"search": "x", "top": -1},
    {"search": "x", "entities": ["none"]},
    {"search": "x", "surprise": 1},
]


async def searched(env: Environment, search: dict[str, Any]) -> Any:
    asked = {f"searchRequest/{name}": value for name, value in search.items()}
    return await env.call("GetRelevantRows", asked)


async def test_rows_are_searched_in_all_tables(env: Environment) -> None:
    for name in ("alpine huts", "Alpine Alpine Tours", "Sea"):
        await env.create("hm_customers", hm_name=name)
    for search, expected in SEARCHES:
        answer = await searched(env, {**search, "returntotalrecordcount": True})
        assert [each["hm_name"] for each in answer.body["value"]] == expected, search
        assert answer.body["totalrecordcount"] >= len(expected)
        names = {each["@search.entityname"] for each in answer.body["value"]}
        assert names <= {"hm_customer"}


async def test_a_search_that_cannot_be_read_is_400(env: Environment) -> None:
    for search in UNREADABLE:
        assert (await searched(env, search)).status == 400, search
