"""The official Python client for Dataverse works with the stand-in, unmodified."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PowerPlatform.Dataverse.client import DataverseClient
from PowerPlatform.Dataverse.core.errors import HttpError
from PowerPlatform.Dataverse.models.upsert import UpsertItem
from served_organisation import Tokens, served

TABLES = Path(__file__).parents[2] / "examples" / "vendor-invoices" / "tables"
ALL = frozenset({"create", "read", "update", "delete"})
PRIVILEGES = {"hm_invoice": ALL, "hm_vendor": frozenset({"read"})}


@pytest.fixture(name="origin", scope="module")
def _origin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    with served(tmp_path_factory.mktemp("dataverse"), TABLES, PRIVILEGES) as place:
        yield place


@pytest.fixture(name="client")
def _client(origin: tuple[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[DataverseClient]:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", origin[1])
    with DataverseClient(origin[0], Tokens()) as client:
        yield client


def number(name: str) -> dict[str, Any]:
    return {"hm_vendornumber": "V-10001", "hm_invoicenumber": name, "hm_amount": 12.5}


def test_row_is_created_read_changed_and_deleted(client: DataverseClient) -> None:
    row_id = client.records.create("hm_invoice", number("SDK-1"))
    assert client.records.retrieve("hm_invoice", row_id)["hm_amount"] == 12.5
    client.records.update("hm_invoice", row_id, {"hm_amount": 13.75, "hm_currency": "EUR"})
    changed = client.records.retrieve("hm_invoice", row_id, select=["hm_amount", "hm_currency"])
    assert (changed["hm_amount"], changed["hm_currency"]) == (13.75, "EUR")
    client.records.delete("hm_invoice", row_id)
    assert client.records.retrieve("hm_invoice", row_id) is None


def test_many_rows_are_created_and_found_by_a_filter(client: DataverseClient) -> None:
    ids = client.records.create("hm_invoice", [number(f"SDK-M{n}") for n in range(7)])
    assert len(set(ids)) == 7
    found = client.records.list(
        "hm_invoice",
        filter="startswith(hm_invoicenumber,'sdk-m') and hm_amount gt 12",
        select=["hm_invoicenumber"],
        orderby=["hm_invoicenumber desc"],
    )
    assert [row["hm_invoicenumber"] for row in found] == [f"SDK-M{n}" for n in range(6, -1, -1)]


def test_pages_are_followed(client: DataverseClient) -> None:
    client.records.create("hm_invoice", [number(f"SDK-P{n:02}") for n in range(25)])
    pages = list(
        client.records.list_pages(
            "hm_invoice", filter="contains(hm_invoicenumber,'SDK-P')", page_size=10
        )
    )
    assert [len(list(page)) for page in pages] == [10, 10, 5]


def test_upsert_by_alternate_key_creates_once(client: DataverseClient) -> None:
    key = {"hm_vendornumber": "V-10002", "hm_invoicenumber": "SDK-U"}
    for amount in (1.0, 2.0):
        client.records.upsert("hm_invoice", [UpsertItem(key, {"hm_amount": amount})])
    found = list(client.records.list("hm_invoice", filter="hm_invoicenumber eq 'SDK-U'"))
    assert [row["hm_amount"] for row in found] == [2.0]
    items = [
        UpsertItem({**key, "hm_invoicenumber": f"SDK-U{n}"}, {"hm_amount": n}) for n in range(3)
    ]
    client.records.upsert("hm_invoice", items)
    assert (
        len(list(client.records.list("hm_invoice", filter="contains(hm_invoicenumber,'SDK-U')")))
        == 4
    )


def test_change_set_is_done_together_or_not_at_all(client: DataverseClient) -> None:
    batch = client.batch.new()
    with batch.changeset() as changes:
        changes.records.create("hm_invoice", number("SDK-B1"))
        changes.records.create("hm_invoice", number("SDK-B2"))
    assert batch.execute().has_errors is False
    failing = client.batch.new()
    with failing.changeset() as changes:
        changes.records.create("hm_invoice", number("SDK-B3"))
        changes.records.create("hm_invoice", number("SDK-B1"))
    with pytest.raises(HttpError) as undone:
        failing.execute()
    assert undone.value.status_code == 412
    found = client.records.list("hm_invoice", filter="contains(hm_invoicenumber,'SDK-B')")
    assert sorted(row["hm_invoicenumber"] for row in found) == ["SDK-B1", "SDK-B2"]


def test_errors_reach_the_client_as_the_service_gives_them(client: DataverseClient) -> None:
    with pytest.raises(HttpError) as missing:
        client.records.update(
            "hm_invoice", "0f8fad5b-d9cb-469f-a165-70867728950e", {"hm_amount": 1}
        )
    assert missing.value.status_code == 404
    with pytest.raises(HttpError) as forbidden:
        client.records.create("hm_vendor", {"hm_vendornumber": "V-9"})
    assert forbidden.value.status_code == 403
    with pytest.raises(HttpError) as long:
        client.records.create("hm_invoice", {**number("SDK-L"), "hm_currency": "EURO"})
    assert long.value.status_code == 400
    client.records.create("hm_invoice", number("SDK-D"))
    with pytest.raises(HttpError) as duplicate:
        client.records.create("hm_invoice", number("SDK-D"))
    assert duplicate.value.status_code == 412


def test_table_is_described(client: DataverseClient) -> None:
    found = client.tables.get("hm_vendor")
    assert found is not None
    assert found["entity_set_name"] == "hm_vendors"
    assert client.tables.get("hm_nothing") is None
