"""Lookups, collections and many-to-many links; choices and formatted values."""

from pathlib import Path
from typing import Any

import pytest
from dataverse_wire import API, ID, ORDERS, ORIGIN, Organisation, row_id

EVERYTHING = 'odata.include-annotations="*"'
FORMATTED = "OData.Community.Display.V1.FormattedValue"


@pytest.fixture(name="org")
def _org(tmp_path: Path) -> Organisation:
    return Organisation(tmp_path, tables=ORDERS)


async def _customer_and_order(org: Organisation) -> tuple[str, str]:
    customer = await row_id(org, "hm_customers", {"hm_name": "Alpine", "hm_city": "Bern"})
    bound = {"hm_number": "O-1", "hm_Customer@odata.bind": f"/hm_customers({customer})"}
    return customer, await row_id(org, "hm_orders", bound)


async def test_lookup_is_bound_shown_annotated_and_emptied(org: Organisation) -> None:
    customer, order = await _customer_and_order(org)
    row = (await org.send("GET", f"hm_orders({order})", prefer=EVERYTHING)).json()
    assert row["_hm_customer_value"] == customer
    assert row[f"_hm_customer_value@{FORMATTED}"] == "Alpine"
    assert row["_hm_customer_value@Microsoft.Dynamics.CRM.lookuplogicalname"] == "hm_customer"
    navigation = "_hm_customer_value@Microsoft.Dynamics.CRM.associatednavigationproperty"
    assert row[navigation] == "hm_Customer"
    emptied = await org.send("PATCH", f"hm_orders({order})", {"hm_Customer@odata.bind": None})
    assert emptied.status_code == 204
    row = (await org.send("GET", f"hm_orders({order})", prefer=EVERYTHING)).json()
    assert row["_hm_customer_value"] is None
    assert f"_hm_customer_value@{FORMATTED}" not in row


@pytest.mark.parametrize(
    "reference",
    ["/hm_customers(hm_name='Alpine')", "hm_customers(hm_name='Alpine')",
     f"{ORIGIN}{API}hm_customers(hm_name='Alpine')"],
)  # fmt: skip
async def test_lookup_is_bound_by_alternate_key(org: Organisation, reference: str) -> None:
    customer = await row_id(org, "hm_customers", {"hm_name": "Alpine"})
    order = await row_id(org, "hm_orders", {"hm_number": "1", "hm_Customer@odata.bind": reference})
    row = (await org.send("GET", f"hm_orders({order})?$select=_hm_customer_value")).json()
    assert row["_hm_customer_value"] == customer


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"hm_Customer@odata.bind": f"/hm_customers({ID})"}, 404, "0x80040217"),
        ({"hm_Customer@odata.bind": f"/hm_tags({ID})"}, 400, "0x80060888"),
        ({"hm_Customer@odata.bind": 5}, 400, "0x80060888"),
        ({"hm_Customer@odata.bind": "%%%"}, 404, "0x8006088a"),
        ({"hm_Nobody@odata.bind": f"/hm_customers({ID})"}, 400, "0x80060888"),
        ({"_hm_customer_value": ID}, 400, "0x80060888"),
        ({"hm_Customer": {"hm_name": "New"}}, 501, "0x80040265"),
        ({"hm_order_tag@odata.bind": [f"/hm_tags({ID})"]}, 501, "0x80040265"),
        ({"hm_status": 9}, 400, "0x80048403"),
        ({"hm_status": "Open"}, 400, "0x80048d19"),
        ({"hm_channels": "1,x"}, 400, "0x80048d19"),
        ({"hm_document": "text"}, 400, "0x80060888"),
    ],
)
async def test_wrong_value_of_a_special_column_is_refused(
    org: Organisation, body: Any, status: int, code: str
) -> None:
    answer = await org.send("POST", "hm_orders", {"hm_number": "1", **body})
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert (await org.send("GET", "hm_orders")).json()["value"] == []


async def test_lookup_is_part_of_filter_order_and_key(org: Organisation) -> None:
    customer, order = await _customer_and_order(org)
    await row_id(org, "hm_orders", {"hm_number": "O-2"})
    found = await org.send("GET", f"hm_orders?$filter=_hm_customer_value eq {customer}")
    assert [row["hm_orderid"] for row in found.json()["value"]] == [order]
    key = f"hm_orders(_hm_customer_value={customer},hm_count=7)"
    made = await org.send("PATCH", key, {"hm_number": "O-3"}, prefer="return=representation")
    assert (made.status_code, made.json()["_hm_customer_value"]) == (201, customer)
    again = await org.send("PATCH", key, {"hm_number": "O-4"}, prefer="return=representation")
    assert (again.status_code, again.json()["hm_orderid"]) == (200, made.json()["hm_orderid"])


async def test_reference_that_takes_a_key_is_refused(org: Organisation) -> None:
    customer, _ = await _customer_and_order(org)
    await org.send("PATCH", f"hm_orders(_hm_customer_value={customer},hm_count=7)", {})
    order = await row_id(org, "hm_orders", {"hm_number": "O-2", "hm_count": 7})
    target = {"@odata.id": f"{ORIGIN}{API}hm_customers({customer})"}
    answer = await org.send("PUT", f"hm_orders({order})/hm_Customer/$ref", target)
    assert (answer.status_code, answer.json()["error"]["code"]) == (412, "0x80040237")
    assert (await org.send("GET", f"hm_orders({order})")).json()["_hm_customer_value"] is None


async def test_expand_gives_one_row_and_collections_with_their_options(org: Organisation) -> None:
    customer, order = await _customer_and_order(org)
    for number, amount in (("O-2", 5), ("O-3", 7), ("O-4", 9)):
        body = {"hm_number": number, "hm_amount": amount}
        body["hm_Customer@odata.bind"] = f"/hm_customers({customer})"
        await row_id(org, "hm_orders", body)
    single = f"hm_orders({order})?$select=hm_number&$expand=hm_Customer($select=hm_city)"
    row = (await org.send("GET", single)).json()
    assert row["hm_Customer"]["hm_city"] == "Bern"
    assert "hm_name" not in row["hm_Customer"]
    many = (
        "hm_customers?$expand=hm_customer_orders($select=hm_number;$filter=hm_amount gt 5 and "
        "not contains(hm_number,'x;),');$orderby=hm_amount desc;$top=1;$expand=hm_Customer)"
    )
    (shown,) = (await org.send("GET", many)).json()["value"]
    (child,) = shown["hm_customer_orders"]
    assert child["hm_number"] == "O-4"
    assert child["hm_Customer"]["hm_customerid"] == customer
    alone = await row_id(org, "hm_orders", {"hm_number": "alone"})
    row = (await org.send("GET", f"hm_orders({alone})?$expand=hm_Customer")).json()
    assert row["hm_Customer"] is None


@pytest.mark.parametrize(
    ("expand", "status"),
    [
        ("hm_nothing", 400),
        ("hm_Customer(", 400),
        ("hm_Customer)", 400),
        ("hm_Customer($select=hm_nothing)", 400),
        ("hm_Customer($top=1)", 400),
        ("hm_Customer($select)", 400),
        ("hm_Customer($skip=1)", 501),
        (",".join(["hm_Customer"] * 16), 400),
        ("hm_Customer($expand=" * 400 + "hm_Parent" + ")" * 400, 400),
        ("hm_Customer($expand=" + "hm_Parent($expand=" * 8 + "hm_Parent" + ")" * 9, 400),
        ("(" * 20_000, 400),
    ],
)
async def test_wrong_expand_is_refused(org: Organisation, expand: str, status: int) -> None:
    await _customer_and_order(org)
    answer = await org.send("GET", f"hm_orders?$expand={expand}")
    assert answer.status_code == status
    assert "error" in answer.json()


async def test_related_rows_need_the_privilege_to_read_them(org: Organisation) -> None:
    _, order = await _customer_and_order(org)
    for path in ("hm_orders?$expand=hm_Customer", f"hm_orders({order})/hm_Customer"):
        assert (await org.send("GET", path, app="orders")).status_code == 403


async def test_collection_reference_sets_the_lookup_of_the_child(org: Organisation) -> None:
    customer = await row_id(org, "hm_customers", {"hm_name": "Alpine"})
    order = await row_id(org, "hm_orders", {"hm_number": "1"})
    refs = f"hm_customers({customer})/hm_customer_orders"
    reference = {"@odata.id": f"{ORIGIN}{API}hm_orders({order})"}
    for _ in range(2):
        assert (await org.send("POST", f"{refs}/$ref", reference)).status_code == 204
    (child,) = (await org.send("GET", f"{refs}?$select=hm_number")).json()["value"]
    assert child["hm_number"] == "1"
    gone = await org.send("DELETE", f"{refs}({order})/$ref")
    assert gone.status_code == 204
    assert (await org.send("GET", refs)).json()["value"] == []
    assert (await org.send("DELETE", f"{refs}({order})/$ref")).status_code == 404


async def test_single_reference_is_put_and_deleted(org: Organisation) -> None:
    customer, order = await _customer_and_order(org)
    reference = f"hm_orders({order})/hm_Customer"
    assert (await org.send("DELETE", f"{reference}/$ref")).status_code == 204
    assert (await org.send("GET", reference)).status_code == 204
    body = {"@odata.id": f"hm_customers({customer})"}
    assert (await org.send("POST", f"{reference}/$ref", body)).status_code == 400
    assert (await org.send("PUT", f"{reference}/$ref", body)).status_code == 204
    assert (await org.send("GET", reference)).json()["hm_name"] == "Alpine"


async def test_many_to_many_is_seen_from_both_sides(org: Organisation) -> None:
    order = await row_id(org, "hm_orders", {"hm_number": "1"})
    tag = await row_id(org, "hm_tags", {"hm_label": "late"})
    path = f"hm_orders({order})/hm_order_tag"
    body = {"@odata.id": f"/hm_tags({tag})"}
    for _ in range(2):
        assert (await org.send("POST", f"{path}/$ref", body)).status_code == 204
    (row,) = (await org.send("GET", "hm_tags?$expand=hm_order_tag($select=hm_number)")).json()[
        "value"
    ]
    assert [each["hm_number"] for each in row["hm_order_tag"]] == ["1"]
    away = f"{path}/$ref?$id={ORIGIN}{API}hm_tags({tag})"
    assert (await org.send("DELETE", away)).status_code == 204
    assert (await org.send("GET", path)).json()["value"] == []
    assert (await org.send("DELETE", away)).status_code == 404


async def test_deleted_row_takes_its_links_along(org: Organisation) -> None:
    customer, order = await _customer_and_order(org)
    tag = await row_id(org, "hm_tags", {"hm_label": "late"})
    await org.send(
        "POST", f"hm_tags({tag})/hm_order_tag/$ref", {"@odata.id": f"hm_orders({order})"}
    )
    before = (await org.send("GET", f"hm_orders({order})")).json()["@odata.etag"]
    assert (await org.send("DELETE", f"hm_customers({customer})")).status_code == 204
    row = (await org.send("GET", f"hm_orders({order})")).json()
    assert row["_hm_customer_value"] is None
    assert row["@odata.etag"] != before
    await org.send("DELETE", f"hm_orders({order})")
    assert (await org.send("GET", f"hm_tags({tag})/hm_order_tag")).json()["value"] == []


async def test_formatted_values_come_only_when_they_are_asked_for(org: Organisation) -> None:
    body = {
        "hm_number": "1",
        "hm_amount": 1234.5,
        "hm_count": 12345,
        "hm_urgent": False,
        "hm_due": "2027-03-04",
        "hm_placed": "2027-03-04T15:07:00+01:00",
        "hm_status": 2,
        "hm_channels": "1,2",
    }
    order = await row_id(org, "hm_orders", body)
    plain = await org.send("GET", f"hm_orders({order})")
    assert not [name for name in plain.json() if "@OData" in name]
    shown = await org.send("GET", f"hm_orders({order})", prefer=f'{EVERYTHING[:-3]}"{FORMATTED}"')
    wanted = {
        "hm_amount": "1,234.50",
        "hm_count": "12,345",
        "hm_urgent": "No",
        "hm_due": "3/4/2027",
        "hm_placed": "3/4/2027 2:07 PM",
        "hm_status": "Approved",
        "hm_channels": "Mail; Phone",
    }
    row = shown.json()
    assert {name: row[f"{name}@{FORMATTED}"] for name in wanted} == wanted
    assert "odata.include-annotations" in shown.headers["preference-applied"]
    assert f"hm_number@{FORMATTED}" not in row


async def test_reference_within_a_change_set_binds_the_new_row(org: Organisation) -> None:
    lines = [
        "--b", "Content-Type: multipart/mixed; boundary=c", "",
        "--c", "Content-Type: application/http", "Content-ID: 1", "",
        f"POST {API}hm_customers HTTP/1.1", "Content-Type: application/json", "",
        '{"hm_name": "New"}',
        "--c", "Content-Type: application/http", "Content-ID: 2", "",
        f"POST {API}hm_orders HTTP/1.1", "Content-Type: application/json", "",
        '{"hm_number": "1", "hm_Customer@odata.bind": "$1"}',
        "--c--", "--b--", "",
    ]  # fmt: skip
    sent = "\r\n".join(lines).encode()
    done = await org.send("POST", "$batch", sent, content_type="multipart/mixed; boundary=b")
    assert done.status_code == 200
    (row,) = (await org.send("GET", "hm_orders?$expand=hm_Customer")).json()["value"]
    assert row["hm_Customer"]["hm_name"] == "New"


async def test_property_and_count_have_addresses(org: Organisation) -> None:
    order = await row_id(org, "hm_orders", {"hm_number": "1", "hm_count": 4})
    assert (await org.send("GET", f"hm_orders({order})/hm_number")).json()["value"] == "1"
    assert (await org.send("GET", f"hm_orders({order})/hm_count/$value")).content == b"4"
    assert (await org.send("GET", f"hm_orders({order})/hm_due")).status_code == 204
    assert (await org.send("GET", f"hm_orders({order})/hm_nothing")).status_code == 404
    assert (await org.send("GET", "hm_orders/$count")).content == b"1"
    assert (await org.send("GET", "hm_orders/$count?$filter=hm_count gt 4")).content == b"0"


async def test_bound_action_changes_its_row_and_answers(org: Organisation) -> None:
    order = await row_id(org, "hm_orders", {"hm_number": "1"})
    path = f"hm_orders({order})/Microsoft.Dynamics.CRM.hm_RejectOrder"
    done = await org.send("POST", path, {"note": "too late", "urgent": True})
    assert (done.json()["Status"], done.json()["Note"]) == (3, "too late")
    row = (await org.send("GET", f"hm_orders({order})")).json()
    assert (row["hm_status"], row["hm_urgent"]) == (3, True)


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "hm_orders({})/Microsoft.Dynamics.CRM.hm_RejectOrder", {}, 400),
        ("POST", "hm_orders({})/Microsoft.Dynamics.CRM.hm_RejectOrder", {"note": 5}, 400),
        ("POST", "hm_orders({})/hm_RejectOrder", {"note": "a", "more": 1}, 400),
        ("GET", "hm_orders({})/Microsoft.Dynamics.CRM.hm_RejectOrder", None, 400),
        ("POST", f"hm_orders({ID})/Microsoft.Dynamics.CRM.hm_RejectOrder", {"note": "a"}, 404),
        ("POST", "hm_Rate", {"currency": "CHF"}, 400),
        ("GET", "hm_Rate()", None, 400),
        ("GET", "hm_Rate(currency=@p)", None, 400),
        ("GET", "hm_Rate(currency='CHF',year=" + "[" * 5_000 + ")", None, 400),
        ("GET", "hm_Rate(currency='CHF',year=NaN)", None, 400),
        ("GET", "hm_Rate(currency='CHF',year=" + " " * 4_000 + "'2026)", None, 400),
        ("GET", "hm_Rate(currency='CHF',year='x')", None, 400),
        ("GET", "hm_Rate(currency='CHF',year=x)", None, 400),
        ("POST", "hm_Nothing", {}, 404),
    ],
)
async def test_wrong_call_of_an_action_is_refused(
    org: Organisation, method: str, path: str, body: Any, status: int
) -> None:
    order = await row_id(org, "hm_orders", {"hm_number": "1"})
    answer = await org.send(method, path.format(order), body)
    assert answer.status_code == status
    row = (await org.send("GET", f"hm_orders({order})")).json()
    assert row["hm_status"] is None


async def test_function_takes_literals_and_aliases(org: Organisation) -> None:
    for path in ("hm_Rate(currency='CHF',year=2026)", "hm_Rate(currency=@p)?@p='CHF'"):
        answer = await org.send("GET", path)
        assert (answer.json()["Currency"], answer.json()["Rate"]) == ("CHF", 1.25)


@pytest.mark.parametrize(
    ("condition", "numbers"),
    [
        ("hm_Customer/hm_city eq 'bern'", ["O-1"]),
        ("contains(hm_Customer/hm_name,'lpin') and hm_number eq 'O-1'", ["O-1"]),
        ("hm_Customer/hm_name ne 'Alpine'", ["O-2"]),
        ("hm_Customer/hm_name eq null", ["O-2"]),
    ],
)
async def test_filter_looks_through_a_lookup(
    org: Organisation, condition: str, numbers: list[str]
) -> None:
    await _customer_and_order(org)
    await row_id(org, "hm_orders", {"hm_number": "O-2"})
    found = await org.send("GET", f"hm_orders?$filter={condition}")
    assert [row["hm_number"] for row in found.json()["value"]] == numbers
    assert (await org.send("GET", f"hm_orders?$filter={condition}", app="orders")).status_code == (
        403
    )


@pytest.mark.parametrize(
    "condition",
    [
        "hm_Nobody/hm_name eq 'a'",
        "hm_Customer/hm_nothing eq 'a'",
        "hm_order_tag/hm_label eq 'a'",
        "hm_Customer/hm_name eq 5",
    ],
)
async def test_filter_through_a_wrong_lookup_is_refused(org: Organisation, condition: str) -> None:
    assert (await org.send("GET", f"hm_orders?$filter={condition}")).status_code == 400
