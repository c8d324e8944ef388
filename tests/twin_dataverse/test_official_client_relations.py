"""The official client with lookups, choices, FetchXML and file columns, unmodified."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from dataverse_wire import ALL, ORDER_TABLES, ORDERS
from PowerPlatform.Dataverse.client import DataverseClient
from PowerPlatform.Dataverse.core.errors import HttpError
from served_organisation import Tokens, served

FORMATTED = "OData.Community.Display.V1.FormattedValue"


@pytest.fixture(name="origin", scope="module")
def _origin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    privileges = dict.fromkeys(ORDER_TABLES, ALL)
    with served(tmp_path_factory.mktemp("orders"), ORDERS, privileges) as place:
        yield place


@pytest.fixture(name="client")
def _client(origin: tuple[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[DataverseClient]:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", origin[1])
    with DataverseClient(origin[0], Tokens()) as client:
        yield client


def test_lookup_is_bound_and_expanded(client: DataverseClient) -> None:
    customer = client.records.create("hm_customer", {"hm_name": "Alpine", "hm_city": "Bern"})
    bound = {"hm_number": "L-1", "hm_Customer@odata.bind": f"/hm_customers({customer})"}
    order = client.records.create("hm_order", bound)
    (row,) = client.records.list(
        "hm_order", filter="hm_number eq 'L-1'", expand=["hm_Customer($select=hm_name)"]
    )
    assert row["hm_Customer"]["hm_name"] == "Alpine"
    assert client.records.retrieve("hm_order", order)["_hm_customer_value"] == customer


def test_label_of_a_choice_becomes_its_value(client: DataverseClient) -> None:
    order = client.records.create("hm_order", {"hm_number": "C-1", "hm_status": "Approved"})
    assert client.records.retrieve("hm_order", order)["hm_status"] == 2


def test_fetch_xml_pages_are_followed_by_cookie(client: DataverseClient) -> None:
    client.records.create("hm_order", [{"hm_number": f"F-{n:02}"} for n in range(25)])
    text = (
        "<fetch count='10'><entity name='hm_order'><attribute name='hm_number'/>"
        "<order attribute='hm_number'/><filter><condition attribute='hm_number' "
        "operator='begins-with' value='F-'/></filter></entity></fetch>"
    )
    pages = [list(page) for page in client.query.fetchxml(text).execute_pages()]
    assert [len(page) for page in pages] == [10, 10, 5]
    seen = [row["hm_number"] for page in pages for row in page]
    assert seen == [f"F-{n:02}" for n in range(25)]


@pytest.mark.parametrize("mode", ["small", "chunk"])
def test_file_is_uploaded(client: DataverseClient, tmp_path: Path, mode: str) -> None:
    order = client.records.create("hm_order", {"hm_number": f"U-{mode}"})
    path = tmp_path / "a letter.bin"
    path.write_bytes(bytes(range(256)) * 20_000)
    client.files.upload("hm_order", order, "hm_document", str(path), mode=mode)
    row = client.records.retrieve("hm_order", order)
    assert row["hm_document"] is not None
    assert row["hm_document_name"] == "a letter.bin"
    with pytest.raises(HttpError) as taken:
        client.files.upload("hm_order", order, "hm_document", str(path), mode=mode)
    assert taken.value.status_code == 412
    client.files.upload("hm_order", order, "hm_document", str(path), mode=mode, if_none_match=False)
