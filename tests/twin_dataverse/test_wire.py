"""What a client sees on the wire: rows, versions, queries, refusals, limits, faults."""

import asyncio
import socket
import time
from pathlib import Path

import httpx
import pytest
import uvicorn
from dataverse_wire import API, ID, ORIGIN, TABLES, Organisation, invoice

from hybridmandate.durable.database import open_engine
from hybridmandate.twin.dataverse import DataverseStore, ProtectionLimits, TableInvalid

KEY = "hm_invoices(hm_vendornumber='V-1',hm_invoicenumber='{}')"


@pytest.fixture(name="org")
def _org(tmp_path: Path) -> Organisation:
    return Organisation(tmp_path)


async def test_created_row_is_addressed_by_its_header(org: Organisation) -> None:
    made = await org.send("POST", "hm_invoices", invoice("A"))
    assert (made.status_code, made.content) == (204, b"")
    address = made.headers["odata-entityid"]
    assert address.startswith(f"{ORIGIN}{API}hm_invoices(")
    read = await org.send("GET", address.removeprefix(ORIGIN + API))
    assert read.json()["hm_invoicenumber"] == "A"
    assert read.headers["etag"] == made.headers["etag"] == read.json()["@odata.etag"]


async def test_representation_is_returned_when_preferred_and_readable(org: Organisation) -> None:
    made = await org.send("POST", "hm_invoices", invoice("A"), prefer="return=representation")
    assert (made.status_code, made.json()["hm_amount"]) == (201, 10.5)
    denied = await org.send(
        "POST", "hm_invoices", invoice("B"), app="writer", prefer="return=representation"
    )
    assert denied.status_code == 403
    found = await org.send("GET", "hm_invoices?$filter=hm_invoicenumber eq 'B'")
    assert found.json()["value"] == []


async def test_versions_guard_reads_writes_and_deletes(org: Organisation) -> None:
    row = f"hm_invoices({ID})"
    first = await org.send("PATCH", row, invoice("A"), if_none_match="*")
    assert first.status_code == 204
    old = first.headers["etag"]
    again = await org.send("PATCH", row, invoice("A"), if_none_match="*")
    assert (again.status_code, again.json()["error"]["code"]) == (412, "0x80040237")
    assert (await org.send("GET", row, if_none_match=old)).status_code == 304
    new = (await org.send("PATCH", row, {"hm_amount": 2}, if_match=old)).headers["etag"]
    assert (await org.send("GET", row, if_none_match=old)).status_code == 200
    stale = await org.send("PATCH", row, {"hm_amount": 3}, if_match=old)
    assert (stale.status_code, stale.json()["error"]["code"]) == (412, "0x80060882")
    assert (await org.send("DELETE", row, if_match=old)).status_code == 412
    assert (await org.send("DELETE", row, if_match=new)).status_code == 204
    assert (await org.send("PATCH", row, {}, if_match="*")).status_code == 404


async def test_of_two_writers_with_one_version_one_wins(org: Organisation) -> None:
    made = await org.send("PATCH", f"hm_invoices({ID})", invoice("A"))
    tries = [
        org.send("PATCH", f"hm_invoices({ID})", {"hm_amount": n}, if_match=made.headers["etag"])
        for n in range(8)
    ]
    statuses = sorted(each.status_code for each in await asyncio.gather(*tries))
    assert statuses == [204] + [412] * 7


async def test_upsert_by_alternate_key_creates_then_changes(org: Organisation) -> None:
    key = KEY.format("it''s 1/2")
    made = await org.send("PATCH", key, {"hm_amount": 1}, prefer="return=representation")
    assert (made.status_code, made.json()["hm_invoicenumber"]) == (201, "it's 1/2")
    changed = await org.send("PATCH", key, {"hm_amount": 2}, prefer="return=representation")
    assert changed.status_code == 200
    assert changed.json()["hm_invoiceid"] == made.json()["hm_invoiceid"]


async def test_pages_count_and_order(org: Organisation) -> None:
    targets = [invoice(f"P{n}", hm_amount=n) for n in range(7)]
    path = "hm_invoices/Microsoft.Dynamics.CRM.CreateMultiple"
    made = await org.send("POST", path, {"Targets": targets})
    assert len(made.json()["Ids"]) == 7
    query = "hm_invoices?$select=hm_amount&$orderby=hm_amount desc&$count=true"
    page = (await org.send("GET", query, prefer="odata.maxpagesize=3")).json()
    assert page["@odata.count"] == 7
    seen = [row["hm_amount"] for row in page["value"]]
    while "@odata.nextLink" in page:
        link = page["@odata.nextLink"].removeprefix(ORIGIN + API)
        page = (await org.send("GET", link, prefer="odata.maxpagesize=3")).json()
        seen += [row["hm_amount"] for row in page["value"]]
    assert seen == [6, 5, 4, 3, 2, 1, 0]
    top = (await org.send("GET", "hm_invoices?$top=2")).json()
    assert len(top["value"]) == 2
    assert "@odata.nextLink" not in top


@pytest.mark.parametrize(
    ("condition", "numbers"),
    [
        ("hm_invoicenumber eq 'alpha'", ["Alpha"]),
        ("startswith(hm_invoicenumber,'AL')", ["Alpha"]),
        ("hm_amount gt 1 and hm_amount le 2e0", ["Beta"]),
        ("not (hm_amount eq 1) or hm_duedate eq 2026-01-31", ["Alpha", "Beta"]),
        ("hm_duedate ne null", ["Alpha"]),
        ("createdon ge 2027-01-15T09:00:00+01:00", ["Alpha", "Beta"]),
        ("createdon gt 2027-01-15T08:00:00.000Z", []),
        (
            "Microsoft.Dynamics.CRM.In(PropertyName='hm_invoicenumber',"
            "PropertyValues=['ALPHA','x'])",
            ["Alpha"],
        ),
        ("Microsoft.Dynamics.CRM.In(PropertyName='hm_amount',PropertyValues=['2','7'])", ["Beta"]),
        ("hm_invoicenumber eq ''' or 1 eq 1 --'", []),
    ],
)
async def test_filter_finds(org: Organisation, condition: str, numbers: list[str]) -> None:
    await org.send("POST", "hm_invoices", invoice("Alpha", hm_amount=1, hm_duedate="2026-01-31"))
    await org.send("POST", "hm_invoices", invoice("Beta", hm_amount=2))
    condition = condition.replace("+", "%2B")
    found = await org.send("GET", f"hm_invoices?$filter={condition}&$orderby=hm_amount")
    assert [row["hm_invoicenumber"] for row in found.json()["value"]] == numbers


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "hm_nothings", None, 404),
        ("GET", "hm_invoices(0b6eccbb-9cb3-4c39-ab70-1c1303db0d21)", None, 404),
        ("GET", "hm_invoices(1; drop table hm_invoice)", None, 400),
        ("GET", "hm_invoices(hm_invoiceid=5)", None, 400),
        ("GET", "hm_invoices(hm_amount=5)", None, 400),
        ("GET", "hm_invoices?$select=hm_secret", None, 400),
        ("GET", "hm_invoices?$orderby=hm_amount;drop", None, 400),
        ("GET", "hm_invoices?$top=²", None, 400),
        ("GET", "hm_invoices?$top=" + "9" * 5000, None, 400),
        ("GET", "hm_invoices?$skiptoken=cm93IC01", None, 400),
        ("GET", "hm_invoices?$expand=hm_vendor", None, 400),
        ("GET", f"hm_invoices({ID})?$expand=hm_vendor", None, 404),
        ("GET", "hm_invoices?$filter=hm_amount eq 'x'", None, 400),
        ("GET", "hm_invoices?$filter=hm_invoicenumber eq 5", None, 400),
        ("GET", "hm_invoices?$filter=hm_amount eq " + "9" * 400, None, 400),
        ("GET", "hm_invoices?$filter=" + "(" * 5000, None, 400),
        ("GET", "hm_invoices?$filter=" + "hm_amount eq 1 or " * 900 + "hm_amount eq 1", None, 400),
        ("GET", "hm_invoices?$filter=Microsoft.Dynamics.CRM.Today(PropertyName='x')", None, 501),
        ("GET", "hm_invoices?$filter=Microsoft.Dynamics.CRM.In(PropertyName='x'", None, 400),
        ("GET", "hm_invoices?fetchXml=<fetch/>", None, 400),
        ("GET", f"hm_invoices({ID})/hm_amount", None, 404),
        ("GET", "RetrieveMetadataChanges(Query=@p1)", None, 501),
        ("POST", "BulkDelete", {}, 404),
        ("POST", "hm_invoices", b"{", 400),
        ("POST", "hm_invoices", b"[1]", 400),
        ("POST", "hm_invoices", b'{"hm_amount": NaN}', 400),
        ("POST", "hm_invoices", b'{"hm_amount": 1e999}', 400),
        ("POST", "hm_invoices", b'{"hm_invoicenumber": "\\ud800"}', 400),
        ("POST", "hm_invoices", {"hm_invoiceid": 5}, 400),
        ("POST", "hm_invoices", {"hm_unknown": 5}, 400),
        ("POST", "hm_invoices", {"hm_invoicedate": "2026-01-31T00:00:00Z"}, 400),
        ("POST", "hm_invoices", {"hm_amount": ""}, 400),
        ("POST", "hm_invoices", {"hm_currency": "EURO"}, 400),
        ("POST", "hm_invoices", {"hm_vendor@odata.bind": "/hm_vendors(1)"}, 400),
        ("PUT", "hm_invoices", {}, 400),
        ("PUT", f"hm_invoices({ID})", {}, 400),
        ("GET", "$batch", None, 400),
        ("POST", "hm_invoices/Microsoft.Dynamics.CRM.UpdateMultiple", {"Targets": [{}]}, 400),
        ("POST", "hm_invoices/Microsoft.Dynamics.CRM.CreateMultiple", {"Targets": 1}, 400),
    ],
)
async def test_bad_request_is_refused_in_the_services_shape(
    org: Organisation, method: str, path: str, body: object, status: int
) -> None:
    answer = await org.send(method, path, body)
    assert answer.status_code == status
    assert set(answer.json()["error"]) == {"code", "message"}
    assert answer.headers["odata-version"] == "4.0"


async def test_upsert_multiple_keeps_to_its_table(org: Organisation) -> None:
    target = {"@odata.id": "hm_vendors(hm_vendornumber='V-10001')", "hm_amount": 1}
    path = "hm_invoices/Microsoft.Dynamics.CRM.UpsertMultiple"
    assert (await org.send("POST", path, {"Targets": [target]})).status_code == 400


async def test_bulk_message_is_undone_when_one_target_fails(org: Organisation) -> None:
    path = "hm_invoices/Microsoft.Dynamics.CRM.CreateMultiple"
    failed = await org.send("POST", path, {"Targets": [invoice("A"), invoice("a")]})
    assert (failed.status_code, failed.json()["error"]["code"]) == (412, "0x80040237")
    assert (await org.send("GET", "hm_invoices")).json()["value"] == []


@pytest.mark.parametrize(
    ("app", "status"), [("expired", 401), ("person", 403), ("stranger", 403), ("nothing", 403)]
)
async def test_caller_without_rights_is_refused(org: Organisation, app: str, status: int) -> None:
    answer = await org.send("GET", "hm_invoices", app=app)
    assert answer.status_code == status
    assert ("www-authenticate" in answer.headers) == (status == 401)


async def test_requests_over_the_limit_wait_for_the_window(tmp_path: Path) -> None:
    org = Organisation(tmp_path, ProtectionLimits(requests=2))
    assert (await org.send("GET", "WhoAmI")).status_code == 200
    org.now += 100
    last = await org.send("GET", "WhoAmI")
    assert last.headers["x-ms-ratelimit-burst-remaining-xrm-requests"] == "0"
    refused = await org.send("GET", "WhoAmI")
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "200")
    assert refused.json()["error"]["code"] == "0x80072322"
    org.now += 200
    assert (await org.send("GET", "WhoAmI")).status_code == 200


async def test_execution_time_over_the_limit_is_refused(tmp_path: Path) -> None:
    org = Organisation(tmp_path, ProtectionLimits(execution=1e-9))
    assert (await org.send("GET", "WhoAmI")).status_code == 200
    refused = await org.send("GET", "WhoAmI")
    assert refused.json()["error"]["code"] == "0x80072321"
    assert refused.headers["retry-after"] == "300"


async def test_concurrency_over_the_limit_is_refused_at_once(tmp_path: Path) -> None:
    org = Organisation(tmp_path, ProtectionLimits(concurrent=2))
    org.faults.delay = 0.2
    answers = await asyncio.gather(*(org.send("GET", "WhoAmI") for _ in range(5)))
    refused = [each for each in answers if each.status_code == 429]
    assert len(refused) == 3
    assert {each.json()["error"]["code"] for each in refused} == {"0x80072326"}


async def test_lost_answer_keeps_the_change_and_evidence_says_so(org: Organisation) -> None:
    org.faults.cut_after_commit = 1
    assert (await org.send("POST", "hm_invoices", b"{")).status_code == 400
    with pytest.raises(ConnectionAbortedError):
        await org.send("POST", "hm_invoices", invoice("A"), x_ms_correlation_id=ID)
    assert len((await org.send("GET", "hm_invoices")).json()["value"]) == 1
    lost = org.records[1]
    assert lost.detail == {"status": 204, "answer": "lost"}
    assert (lost.correlation_id, lost.principal) == (ID, "oid-full")
    assert (org.records[0].outcome, org.records[0].failure_type) == ("refused", "malformed_request")


async def test_ordered_failures_come_in_their_order(org: Organisation) -> None:
    org.faults.fail_next = [503, 429]
    statuses = [(await org.send("GET", "WhoAmI")).status_code for _ in range(3)]
    assert statuses == [503, 429, 200]


def test_seeds_come_once(tmp_path: Path) -> None:
    counts = []
    for _ in range(2):
        engine = open_engine(f"sqlite:///{tmp_path}/d.db")
        store = DataverseStore(engine, TABLES, clock=lambda: 0.0)
        with store.reading() as rows:
            counts.append(rows.count(store.tables["hm_vendors"]))
    assert counts[0] == counts[1] > 0


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ('"money"', '"cash"', "cash"),
        ('"primaryName": "hm_invoicenumber"', '"primaryName": "hm_x"', "hm_x"),
        ('"primaryId": "hm_invoiceid"', '"primaryId": "hm_amount"', "hm_amount"),
        ('"entitySetName"', '"entitySet"', "entitySetName"),
        ("{", "", "hm_invoice.json"),
    ],
)
def test_wrong_table_file_is_named(tmp_path: Path, old: str, new: str, reason: str) -> None:
    text = (TABLES / "hm_invoice.json").read_text(encoding="utf-8")
    (tmp_path / "hm_invoice.json").write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(TableInvalid, match=reason):
        DataverseStore(open_engine(f"sqlite:///{tmp_path}/d.db"), tmp_path, clock=lambda: 0.0)


async def test_delta_link_tells_what_changed_since(org: Organisation) -> None:
    await org.send("PATCH", f"hm_invoices({ID})", invoice("A"))
    await org.send("POST", "hm_invoices", invoice("B"))
    query = "hm_invoices?$select=hm_amount"
    first = (await org.send("GET", query, prefer="odata.track-changes")).json()
    assert len(first["value"]) == 2
    await org.send("DELETE", f"hm_invoices({ID})")
    for amount in (1, 2):
        await org.send("PATCH", KEY.format("C"), {"hm_amount": amount})
    await org.send("POST", "hm_vendors", {"hm_vendornumber": "V-7"})
    second = (await org.send("GET", first["@odata.deltaLink"].removeprefix(ORIGIN + API))).json()
    gone, new = second["value"]
    assert (gone["id"], gone["reason"]) == (ID, "deleted")
    assert gone["@odata.context"].endswith("#hm_invoices/$deletedEntity")
    assert new["hm_amount"] == 2
    third = (await org.send("GET", second["@odata.deltaLink"].removeprefix(ORIGIN + API))).json()
    assert third["value"] == []
    assert third["@odata.deltaLink"] == second["@odata.deltaLink"]


@pytest.mark.parametrize(
    ("query", "prefer", "status"),
    [
        ("$deltatoken=x", "", 400),
        ("$filter=hm_amount eq 1", "odata.track-changes", 501),
        ("$deltatoken=1&$top=1", "", 501),
    ],
)
async def test_changes_take_no_other_options(
    org: Organisation, query: str, prefer: str, status: int
) -> None:
    answer = await org.send("GET", f"hm_invoices?{query}", prefer=prefer)
    assert answer.status_code == status


async def test_served_answer_is_lost_as_a_broken_connection(org: Organisation) -> None:
    bound = socket.socket()
    bound.bind(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(org.app, log_level="critical"))
    serving = asyncio.create_task(server.serve(sockets=[bound]))
    while not server.started:
        await asyncio.sleep(0.01)
    org.faults.cut_after_commit = 1
    address = f"http://127.0.0.1:{bound.getsockname()[1]}{API}hm_invoices"
    async with httpx.AsyncClient(headers={"authorization": "Bearer full"}) as client:
        with pytest.raises(httpx.RemoteProtocolError):
            await client.post(address, json=invoice("A"))
        assert len((await client.get(address)).json()["value"]) == 1
    server.should_exit = True
    await serving
    bound.close()


@pytest.mark.parametrize(
    "address",
    [
        "hm_invoices(hm_vendornumber=" + "'" * 401,
        "hm_invoices(hm_vendornumber=" + " " * 4_000 + "'x)",
        "hm_invoices(hm_vendornumber=" + "a " * 2_000 + "'')",
    ],
)
async def test_hostile_address_is_refused_at_once(org: Organisation, address: str) -> None:
    began = time.monotonic()
    answer = await org.send("GET", address)
    assert (answer.status_code, set(answer.json())) in [(400, {"error"}), (404, {"error"})]
    assert time.monotonic() - began < 5
