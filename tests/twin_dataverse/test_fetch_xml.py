"""FetchXML: what it finds, how it joins, counts and pages, what it refuses."""

import asyncio
from typing import Any
from urllib.parse import quote, unquote
from xml.etree import ElementTree

import pytest
from dataverse_wire import ORDERS, Organisation, row_id

from hybridmandate.twin.dataverse.errors import DataverseError
from hybridmandate.twin.dataverse.fetch_xml import parse_fetch_xml

EVERYTHING = 'odata.include-annotations="*"'
FORMATTED = "OData.Community.Display.V1.FormattedValue"


@pytest.fixture(name="org", scope="module")
def _org(tmp_path_factory: pytest.TempPathFactory) -> Organisation:
    """An organisation that all tests here only read."""
    org = Organisation(tmp_path_factory.mktemp("fetch"), tables=ORDERS)
    asyncio.run(_fill(org))
    return org


async def _fill(org: Organisation) -> None:
    alpine = await row_id(org, "hm_customers", {"hm_name": "Alpine", "hm_city": "Bern"})
    await row_id(org, "hm_customers", {"hm_name": "Lonely", "hm_city": "Chur"})
    bind = {"hm_Customer@odata.bind": f"/hm_customers({alpine})"}
    for body in (
        {"hm_number": "A-1", "hm_amount": 10, "hm_count": 1, "hm_status": 1, **bind},
        {"hm_number": "A-2", "hm_amount": 20, "hm_count": 2, "hm_status": 2, "hm_urgent": True,
         "hm_due": "2027-01-15", "hm_placed": "2027-01-14T23:30:00Z", **bind},
        {"hm_number": "b_3", "hm_amount": 30.5, "hm_status": 2, "hm_due": "2026-12-31",
         "hm_placed": "2027-01-15T07:00:00Z"},
    ):  # fmt: skip
        await row_id(org, "hm_orders", body)


async def fetch(org: Organisation, text: str, entity_set: str = "hm_orders", **headers: str) -> Any:
    return await org.send("GET", f"{entity_set}?fetchXml={quote(text)}", **headers)


async def numbers(org: Organisation, inside: str, attributes: str = "") -> list[str]:
    text = (
        f"<fetch {attributes}><entity name='hm_order'><attribute name='hm_number'/>"
        f"<order attribute='hm_number'/>{inside}</entity></fetch>"
    )
    answer = await fetch(org, text)
    assert answer.status_code == 200, answer.text
    return [row["hm_number"] for row in answer.json()["value"]]


def condition(attribute: str, operator: str, value: str | None = None) -> str:
    given = "" if value is None else f"value='{value}'"
    return f"<condition attribute='{attribute}' operator='{operator}' {given}/>"


# The clock of the organisation stands at 2027-01-15T08:00:00Z, a Friday.
@pytest.mark.parametrize(
    ("inside", "expected"),
    [
        (condition("hm_number", "eq", "a-1"), ["A-1"]),
        (condition("hm_count", "ne", "1"), ["A-2", "b_3"]),
        (condition("hm_amount", "ge", "20"), ["A-2", "b_3"]),
        (condition("hm_amount", "lt", "20"), ["A-1"]),
        (condition("hm_number", "like", "%-%"), ["A-1", "A-2"]),
        (condition("hm_number", "not-like", "A%"), ["b_3"]),
        (condition("hm_number", "begins-with", "a-"), ["A-1", "A-2"]),
        (condition("hm_number", "ends-with", "2"), ["A-2"]),
        (condition("hm_number", "not-begin-with", "A"), ["b_3"]),
        (condition("hm_count", "null"), ["b_3"]),
        (condition("hm_count", "not-null"), ["A-1", "A-2"]),
        (condition("hm_urgent", "eq", "1"), ["A-2"]),
        (condition("hm_placed", "today"), ["b_3"]),
        (condition("hm_placed", "yesterday"), ["A-2"]),
        (condition("hm_due", "today"), ["A-2"]),
        (condition("hm_due", "last-month"), ["b_3"]),
        (condition("hm_due", "this-year"), ["A-2"]),
        (condition("hm_due", "last-year"), ["b_3"]),
        (condition("hm_placed", "this-week"), ["A-2", "b_3"]),
        (condition("hm_placed", "last-x-hours", "2"), ["b_3"]),
        (condition("hm_placed", "older-than-x-hours", "2"), ["A-2"]),
        (condition("hm_due", "older-than-x-days", "3"), ["b_3"]),
        (condition("hm_due", "last-x-months", "1"), ["A-2", "b_3"]),
        (condition("hm_placed", "next-x-years", "1"), []),
        (condition("hm_placed", "on", "2027-01-14"), ["A-2"]),
        (condition("hm_placed", "on-or-after", "2027-01-15"), ["b_3"]),
        (condition("hm_placed", "on-or-before", "2027-01-14"), ["A-2"]),
        (condition("createdby", "eq-userid"), ["A-1", "A-2", "b_3"]),
        (condition("createdby", "ne-userid"), []),
        ("<condition attribute='hm_count' operator='eq' valueof='hm_status'/>", ["A-1", "A-2"]),
        ("<condition attribute='hm_status' operator='in'><value>2</value><value>3</value>"
         "</condition>", ["A-2", "b_3"]),
        ("<condition attribute='hm_count' operator='not-in'><value>1</value></condition>",
         ["A-2", "b_3"]),
        ("<condition attribute='hm_amount' operator='between'><value>15</value><value>25</value>"
         "</condition>", ["A-2"]),
        (f"{condition('hm_status', 'eq', '2')}<filter type='or'>{condition('hm_count', 'eq', '2')}"
         f"{condition('hm_amount', 'gt', '99')}</filter>", ["A-2"]),
    ],
)  # fmt: skip
async def test_condition_finds(org: Organisation, inside: str, expected: list[str]) -> None:
    assert await numbers(org, f"<filter>{inside}</filter>") == expected


LINK = (
    "<link-entity name='hm_customer' from='hm_customerid' to='hm_customer' alias='c' "
    "link-type='{}'><attribute name='hm_name'/>{}</link-entity>"
)


async def test_inner_and_outer_links_join_with_alias(org: Organisation) -> None:
    assert await numbers(org, LINK.format("inner", "")) == ["A-1", "A-2"]
    assert await numbers(org, LINK.format("outer", "")) == ["A-1", "A-2", "b_3"]
    bern = f"<filter>{condition('hm_city', 'eq', 'Chur')}</filter>"
    assert await numbers(org, LINK.format("inner", bern)) == []
    text = f"<fetch><entity name='hm_order'>{LINK.format('outer', '')}</entity></fetch>"
    rows = (await fetch(org, text)).json()["value"]
    assert [row.get("c.hm_name") for row in rows].count("Alpine") == 2
    without = "<filter><condition entityname='c' attribute='hm_name' operator='null'/></filter>"
    assert await numbers(org, without + LINK.format("outer", "")) == ["b_3"]


async def test_children_are_joined_from_the_other_side_and_made_distinct(
    org: Organisation,
) -> None:
    text = (
        "<fetch {}><entity name='hm_customer'><attribute name='hm_name'/>"
        "<link-entity name='hm_order' from='hm_customer' to='hm_customerid'/></entity></fetch>"
    )
    twice = (await fetch(org, text.format(""), "hm_customers")).json()["value"]
    once = (await fetch(org, text.format("distinct='true'"), "hm_customers")).json()["value"]
    assert [row["hm_name"] for row in twice] == ["Alpine", "Alpine"]
    assert once == [{"hm_name": "Alpine"}]


async def test_rows_carry_annotations_and_versions(org: Organisation) -> None:
    text = "<fetch><entity name='hm_order'><attribute name='hm_customer'/><attribute "
    text += "name='hm_status'/><order attribute='hm_number'/></entity></fetch>"
    row = (await fetch(org, text, prefer=EVERYTHING)).json()["value"][0]
    assert row[f"_hm_customer_value@{FORMATTED}"] == "Alpine"
    assert row["_hm_customer_value@Microsoft.Dynamics.CRM.lookuplogicalname"] == "hm_customer"
    assert row[f"hm_status@{FORMATTED}"] == "Open"
    assert row["@odata.etag"].startswith('W/"')
    assert "hm_orderid" in row
    assert "hm_number" not in row


async def test_aggregates_by_group_and_date(org: Organisation) -> None:
    text = (
        "<fetch aggregate='true'><entity name='hm_order'>"
        "<attribute name='hm_status' groupby='true' alias='status'/>"
        "<attribute name='hm_orderid' aggregate='count' alias='n'/>"
        "<attribute name='hm_count' aggregate='countcolumn' alias='counted'/>"
        "<attribute name='hm_amount' aggregate='sum' alias='total'/>"
        "<attribute name='hm_amount' aggregate='avg' alias='mean'/>"
        "<attribute name='hm_amount' aggregate='min' alias='least'/>"
        "<attribute name='hm_amount' aggregate='max' alias='most'/>"
        "<order alias='total' descending='true'/></entity></fetch>"
    )
    rows = (await fetch(org, text, prefer=EVERYTHING)).json()["value"]
    plain = [{k: v for k, v in row.items() if "@" not in k} for row in rows]
    assert plain == [
        {"status": 2, "n": 2, "counted": 1, "total": 50.5, "mean": 25.25, "least": 20.0,
         "most": 30.5},
        {"status": 1, "n": 1, "counted": 1, "total": 10.0, "mean": 10.0, "least": 10.0,
         "most": 10.0},
    ]  # fmt: skip
    assert rows[0][f"status@{FORMATTED}"] == "Approved"
    by_month = (
        "<fetch aggregate='true'><entity name='hm_order'>"
        "<attribute name='hm_due' groupby='true' dategrouping='{}' alias='part'/>"
        "<attribute name='hm_orderid' aggregate='count' alias='n'/>"
        f"<filter>{condition('hm_due', 'not-null')}</filter><order alias='part'/>"
        "</entity></fetch>"
    )
    for grouping, parts in (("year", [2026, 2027]), ("month", [1, 12]), ("quarter", [1, 4])):
        rows = (await fetch(org, by_month.format(grouping))).json()["value"]
        assert [row["part"] for row in rows] == parts


async def test_pages_follow_with_cookie(org: Organisation) -> None:
    text = (
        "<fetch count='2' page='{}' returntotalrecordcount='true' {}><entity name='hm_order'>"
        "<attribute name='hm_number'/><order attribute='hm_number' descending='true'/></entity>"
        "</fetch>"
    )
    first = (await fetch(org, text.format(1, ""))).json()
    assert [row["hm_number"] for row in first["value"]] == ["b_3", "A-2"]
    assert first["@Microsoft.Dynamics.CRM.morerecords"] is True
    assert first["@Microsoft.Dynamics.CRM.totalrecordcount"] == 3
    outer = ElementTree.fromstring(first["@Microsoft.Dynamics.CRM.fetchxmlpagingcookie"])
    cookie = unquote(unquote(outer.attrib["pagingcookie"]))
    assert ElementTree.fromstring(cookie).attrib["page"] == "1"
    given = f"paging-cookie='{cookie.replace('<', '&lt;').replace('>', '&gt;')}'"
    second = (await fetch(org, text.format(outer.attrib["pagenumber"], given))).json()
    assert [row["hm_number"] for row in second["value"]] == ["A-1"]
    assert second["@Microsoft.Dynamics.CRM.morerecords"] is False
    assert await numbers(org, "", "top='2'") == ["A-1", "A-2"]


BOMB = (
    '<!DOCTYPE f [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">'
    '<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;">]><fetch><entity name="&c;"/></fetch>'
)
OUTSIDE = (
    '<!DOCTYPE f [<!ENTITY a SYSTEM "file:///etc/passwd">]><fetch><entity name="&a;"/></fetch>'
)


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("", 400),
        ("<fetch>", 400),
        ("<fetch/>", 400),
        ("<query><entity name='hm_order'/></query>", 400),
        ("<fetch><entity/></fetch>", 400),
        ("<fetch><entity name='hm_customer'/></fetch>", 400),
        ("<fetch><entity name='hm_order'/><entity name='hm_order'/></fetch>", 400),
        ("<fetch top='0'><entity name='hm_order'/></fetch>", 400),
        ("<fetch top='1' page='2'><entity name='hm_order'/></fetch>", 400),
        ("<fetch count='9999'><entity name='hm_order'/></fetch>", 400),
        ("<fetch distinct='maybe'><entity name='hm_order'/></fetch>", 400),
        ("<fetch><entity name='hm_order'><attribute name='no'/></entity></fetch>", 400),
        ("<fetch><entity name='hm_order'><condition attribute='a' operator='eq'/></entity>"
         "</fetch>", 400),
        ("<fetch><entity name='hm_order'><filter/></entity></fetch>", 400),
        ("<fetch><entity name='hm_order'><filter type='xor'/></entity></fetch>", 400),
        ("<fetch><entity name='hm_order'><order/></entity></fetch>", 400),
        ("<fetch aggregate='true'><entity name='hm_order'><attribute name='hm_count'/></entity>"
         "</fetch>", 400),
        ("<fetch aggregate='true'><entity name='hm_order'><attribute name='hm_number' "
         "aggregate='sum' alias='s'/></entity></fetch>", 400),
        ("<fetch><entity name='hm_order'><surprise/></entity></fetch>", 501),
        ("<fetch surprise='1'><entity name='hm_order'/></fetch>", 501),
        ("<fetch><entity name='hm_order'><link-entity name='nowhere' from='a' to='b'/></entity>"
         "</fetch>", 501),
        ("<fetch><entity name='hm_order'><link-entity name='hm_customer' from='hm_customerid' "
         "to='hm_customer' link-type='any'/></entity></fetch>", 501),
        (BOMB, 400),
        (OUTSIDE, 400),
        ("<fetch><entity name='hm_order'>" + "<filter>" * 60 + condition("hm_count", "null")
         + "</filter>" * 60 + "</entity></fetch>", 400),
        ("<fetch><entity name='hm_order'><filter>" + condition("hm_count", "null") * 501
         + "</filter></entity></fetch>", 400),
        ("<fetch><entity name='hm_order'>" + "<link-entity name='hm_customer' "
         "from='hm_customerid' to='hm_customer'/>" * 16 + "</entity></fetch>", 400),
    ],
)  # fmt: skip
async def test_query_that_is_wrong_or_too_much_is_refused(
    org: Organisation, text: str, status: int
) -> None:
    answer = await fetch(org, text)
    assert (answer.status_code, set(answer.json())) == (status, {"error"})
    assert "root:" not in answer.text


@pytest.mark.parametrize(
    "inside",
    [
        condition("hm_count", "eq"),
        condition("hm_count", "eq", "one"),
        condition("hm_urgent", "eq", "perhaps"),
        condition("hm_due", "eq", "someday"),
        condition("hm_due", "on", "someday"),
        condition("hm_due", "last-x-days", "-1"),
        condition("hm_due", "last-x-days", "99999999"),
        condition("hm_count", "between", "1"),
        condition("hm_nothing", "null"),
        "<condition entityname='x' attribute='hm_count' operator='null'/>",
        "<condition attribute='hm_count' operator='like' valueof='hm_status'/>",
    ],
)
async def test_condition_with_a_wrong_value_is_refused(org: Organisation, inside: str) -> None:
    text = f"<fetch><entity name='hm_order'><filter>{inside}</filter></entity></fetch>"
    assert (await fetch(org, text)).status_code == 400


async def test_operator_that_is_unknown_says_so(org: Organisation) -> None:
    for operator, attribute in (("under", "hm_count"), ("last-x-fiscal-years", "hm_due")):
        inside = condition(attribute, operator, "1")
        text = f"<fetch><entity name='hm_order'><filter>{inside}</filter></entity></fetch>"
        answer = await fetch(org, text)
        assert answer.status_code == 501
        assert operator in answer.json()["error"]["message"]


async def test_joined_tables_need_their_privilege(org: Organisation) -> None:
    text = f"<fetch><entity name='hm_order'>{LINK.format('inner', '')}</entity></fetch>"
    assert (await fetch(org, text, authorization="Bearer orders")).status_code == 403


@pytest.mark.parametrize(
    "text",
    [
        "<fetch><entity name='hm_order'>" + "<filter>" * 7_000,
        "<filter>" * 3_800 + "</filter>" * 3_400,
        "<fetch><!--" + "x" * 70_000 + "--><entity name='hm_order'/></fetch>",
        "<fetch a='" + "&lt;" * 30_000 + "'/>",
    ],
)
def test_query_beyond_its_bounds_is_refused_in_bounded_time(text: str) -> None:
    with pytest.raises(DataverseError) as refused:
        parse_fetch_xml(text)
    assert refused.value.status == 400
