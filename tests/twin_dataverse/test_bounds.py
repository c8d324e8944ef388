"""What one caller may ask for at most: time, rows, columns, names."""

import asyncio
from pathlib import Path
from urllib.parse import quote

import pytest
from dataverse_wire import ORDERS, Organisation, row_id

from hybridmandate.durable.database import open_engine
from hybridmandate.twin.dataverse import DataverseStore, presentation, query_time
from hybridmandate.twin.stored_tables import StateOutdated

SELF_JOIN = "<link-entity name='hm_order' from='createdby' to='createdby'/>"
TABLE = (ORDERS / "hm_tag.json").read_text(encoding="utf-8")


@pytest.fixture(name="org", scope="module")
def _org(tmp_path_factory: pytest.TempPathFactory) -> Organisation:
    org = Organisation(tmp_path_factory.mktemp("bounds"), tables=ORDERS)
    asyncio.run(_fill(org))
    return org


async def _fill(org: Organisation) -> None:
    customer = await row_id(org, "hm_customers", {"hm_name": "Alpine"})
    bind = {"hm_Customer@odata.bind": f"/hm_customers({customer})"}
    for number in range(40):
        await row_id(org, "hm_orders", {"hm_number": f"O-{number}", **bind})


def fetch(inside: str, attributes: str = "") -> str:
    text = f"<fetch {attributes}><entity name='hm_order'>{inside}</entity></fetch>"
    return f"hm_orders?fetchXml={quote(text)}"


async def test_query_that_takes_too_long_ends(
    org: Organisation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(query_time, "SECONDS", 0.2)
    outer = SELF_JOIN.replace("/>", " link-type='outer' alias='{}'/>")
    links = "".join(outer.format(f"l{n}") for n in range(12))
    never = "<filter><condition entityname='l11' attribute='hm_number' operator='null'/></filter>"
    answer = await org.send("GET", fetch(links + never))
    assert (answer.status_code, answer.json()["error"]["code"]) == (500, "0x80044151")
    assert (await org.send("GET", "hm_orders?$top=1")).status_code == 200


async def test_many_short_queries_end_too(
    org: Organisation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(query_time, "SECONDS", -1.0)
    answer = await org.send("GET", "hm_orders?$expand=hm_Customer")
    assert (answer.status_code, answer.json()["error"]["code"]) == (500, "0x80044151")


async def test_expansions_give_a_bounded_number_of_rows(
    org: Organisation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(presentation, "MAX_EXPANDED", 40)
    enough = await org.send("GET", "hm_orders?$expand=hm_Customer")
    assert (enough.status_code, len(enough.json()["value"])) == (200, 40)
    nested = "hm_orders?$expand=hm_Customer($expand=hm_customer_orders)"
    answer = await org.send("GET", nested)
    assert (answer.status_code, set(answer.json())) == (400, {"error"})
    assert "40 rows" in answer.json()["error"]["message"]


COLUMN = "<attribute name='hm_number'/>"
NUMBER = "<filter><condition attribute='hm_{}' operator='{}' value='{}'/></filter>"


@pytest.mark.parametrize(
    "query",
    [
        fetch(COLUMN * 501),
        fetch("<order attribute='hm_number'/>" * 501),
        fetch("", "aggregate='true'"),
        fetch(NUMBER.format("count", "eq", 2**63)),
        fetch(NUMBER.format("amount", "gt", "nan")),
        fetch(NUMBER.format("amount", "gt", "1e999")),
        fetch(NUMBER.format("due", "last-x-days", "1" * 5_000)),
        fetch(NUMBER.format("due", "last-x-days", "0000000019999999")),
        fetch("<attribute name='hm_number' alias='x\"; DROP TABLE hm_order; --'/>"),
        fetch("<attribute name='hm_number' alias='@odata.etag'/>"),
        fetch("<attribute name='hm_number' alias='a'/><attribute name='hm_count' alias='a'/>"),
        fetch(SELF_JOIN.replace("from", "alias='a\" --' from")),
        fetch("<attribute name='hm_number\" FROM hm_order --'/>"),
        fetch("<order attribute='hm_number; DROP TABLE hm_order'/>"),
        "hm_orders?$orderby=" + ",".join(["hm_number"] * 101),
        "hm_orders?$orderby=hm_number;DROP TABLE hm_order",
        "hm_orders?$orderby=hm_number desc,(SELECT 1)",
        "hm_orders?$select=hm_number\" FROM hm_order --",
        "hm_orders?$filter=hm_count eq " + "9" * 400,
    ],
)  # fmt: skip
async def test_names_and_sizes_that_sql_cannot_take_are_refused(
    org: Organisation, query: str
) -> None:
    answer = await org.send("GET", query)
    assert (answer.status_code, set(answer.json())) == (400, {"error"})
    assert len((await org.send("GET", "hm_orders")).json()["value"]) == 40


async def test_callback_is_postponed_by_dates_only(org: Organisation) -> None:
    body = {"entityname": "hm_order", "message": 4, "scope": 4, "postponeuntil": "hm_number"}
    assert (await org.send("POST", "callbackregistrations", body)).status_code == 400
    body["postponeuntil"] = "hm_due"
    made = await org.send("POST", "callbackregistrations", body)
    assert made.status_code == 204
    address = made.headers["odata-entityid"].partition("v9.2/")[2]
    acknowledge = f"{address}/mandate.acknowledge"
    assert (await org.send("POST", acknowledge, {"numbers": [2**70]})).status_code == 400
    assert (await org.send("GET", address, app="orders")).status_code == 404


def test_column_that_a_table_gets_is_added_to_an_older_file(tmp_path: Path) -> None:
    tables = tmp_path / "tables"
    tables.mkdir()
    file = tables / "hm_tag.json"
    file.write_text(TABLE, encoding="utf-8")
    DataverseStore(open_engine(f"sqlite:///{tmp_path}/d.db"), tables, clock=lambda: 0.0)
    wider = TABLE.replace('"columns": {', '"columns": {"hm_new": {"type": "string"},', 1)
    file.write_text(wider.replace('"columns"', '"keys": {"hm_k": ["hm_new"]}, "columns"', 1))
    store = DataverseStore(open_engine(f"sqlite:///{tmp_path}/d.db"), tables, clock=lambda: 0.0)
    table = store.tables["hm_tags"]
    with store.transaction() as rows:
        rows.connection.exec_driver_sql(
            "INSERT INTO hm_tag VALUES ('1', 'x', '', '', '', '', 1, 'same')"
        )
        assert rows.find_by_key(table, {"hm_new": "SAME"}) is not None


def test_file_whose_rows_break_a_new_key_says_what_to_remove(tmp_path: Path) -> None:
    tables = tmp_path / "tables"
    tables.mkdir()
    file = tables / "hm_tag.json"
    file.write_text(TABLE, encoding="utf-8")
    store = DataverseStore(open_engine(f"sqlite:///{tmp_path}/d.db"), tables, clock=lambda: 0.0)
    with store.transaction() as rows:
        for number in (1, 2):
            rows.connection.exec_driver_sql(
                f"INSERT INTO hm_tag VALUES ('{number}', 'x', '', '', '', '', 1)"
            )
    file.write_text(TABLE.replace('"columns"', '"keys": {"hm_k": ["hm_label"]}, "columns"', 1))
    with pytest.raises(StateOutdated, match=f"remove the folder {tmp_path} "):
        DataverseStore(open_engine(f"sqlite:///{tmp_path}/d.db"), tables, clock=lambda: 0.0)
