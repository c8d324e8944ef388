"""`$batch` on the wire: line ends, references, change sets, order, bounds; parsers under fuzz."""

import json
from pathlib import Path

import httpx
import pytest
from dataverse_wire import API, ORIGIN, Organisation, invoice
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Boolean, Column, Float, Integer, MetaData, String, Table

from hybridmandate.twin.dataverse.batch import parse_batch
from hybridmandate.twin.dataverse.errors import DataverseError
from hybridmandate.twin.dataverse.filter_expression import parse_filter

HTTP = "Content-Type: application/http\nContent-Transfer-Encoding: binary\n"


@pytest.fixture(name="org")
def _org(tmp_path: Path) -> Organisation:
    return Organisation(tmp_path)


def request(line: str, body: object = None, content_id: str | None = None) -> str:
    head = HTTP + (f"Content-ID: {content_id}\n" if content_id else "")
    content = "" if body is None else json.dumps(body)
    return f"{head}\n{line} HTTP/1.1\nContent-Type: application/json; type=entry\n\n{content}"


def change_set(*requests: str, boundary: str = "outer_cs") -> str:
    inside = "".join(f"--{boundary}\n{each}\n" for each in requests)
    return f"Content-Type: multipart/mixed; boundary={boundary}\n\n{inside}--{boundary}--"


async def send(
    org: Organisation, *parts: str, line_end: str = "\r\n", prefer: str = ""
) -> httpx.Response:
    text = "".join(f"--outer\n{each}\n" for each in parts) + "--outer--\n"
    return await org.send(
        "POST",
        "$batch",
        text.replace("\n", line_end),
        content_type='multipart/mixed; boundary="outer"',
        prefer=prefer,
    )


async def numbers(org: Organisation) -> list[str]:
    found = await org.send("GET", "hm_invoices?$orderby=hm_invoicenumber")
    return [row["hm_invoicenumber"] for row in found.json()["value"]]


def statuses(answer: httpx.Response) -> list[int]:
    return [int(x[:3]) for x in answer.text.split("HTTP/1.1 ")[1:]]


@pytest.mark.parametrize("line_end", ["\r\n", "\n"])
async def test_parts_are_done_in_order_with_raw_addresses(org: Organisation, line_end: str) -> None:
    query = f"GET {ORIGIN}{API}hm_invoices?$filter=hm_invoicenumber eq 'Bü 1' and hm_amount gt 1"
    answer = await send(
        org,
        change_set(request("POST hm_invoices", invoice("Bü 1"), "1")),
        request(query),
        line_end=line_end,
    )
    assert answer.status_code == 200
    assert statuses(answer) == [204, 200]
    assert '"hm_invoicenumber": "Bü 1"' in answer.text
    assert "Content-ID: 1" in answer.text


async def test_reference_names_a_row_of_the_same_change_set(org: Organisation) -> None:
    answer = await send(
        org,
        change_set(
            request("POST hm_invoices", invoice("A"), "1"),
            request("PATCH $1", {"hm_description": "$1", "hm_amount": 3}, "2"),
        ),
    )
    assert statuses(answer) == [204, 204]
    (row,) = (await org.send("GET", "hm_invoices")).json()["value"]
    assert (row["hm_description"], row["hm_amount"]) == ("$1", 3)


@pytest.mark.parametrize("body", [{"hm_amount": 1}, {"hm_vendor@odata.bind": "$7"}])
async def test_reference_to_nothing_undoes_the_change_set(org: Organisation, body: object) -> None:
    line = "PATCH $9" if body == {"hm_amount": 1} else "POST hm_invoices"
    answer = await send(
        org, change_set(request("POST hm_invoices", invoice("A"), "1"), request(line, body, "2"))
    )
    assert answer.status_code == 400
    assert "0x80060888" in answer.text
    assert "Content-ID: 2" in answer.text
    assert await numbers(org) == []


@pytest.mark.parametrize(
    ("prefer", "status", "inner", "kept"),
    [
        ("", 412, [204, 412], ["A"]),
        ("odata.continue-on-error", 200, [204, 412, 204], ["A", "C"]),
    ],
)
async def test_failure_ends_the_batch_unless_told_to_go_on(
    org: Organisation, prefer: str, status: int, inner: list[int], kept: list[str]
) -> None:
    answer = await send(
        org,
        request("POST hm_invoices", invoice("A")),
        change_set(
            request("POST hm_invoices", invoice("B"), "1"),
            request("POST hm_invoices", invoice("A"), "2"),
        ),
        request("POST hm_invoices", invoice("C")),
        prefer=prefer,
    )
    assert (answer.status_code, statuses(answer)) == (status, inner)
    assert await numbers(org) == kept


async def test_privileges_hold_inside_a_batch(org: Organisation) -> None:
    text = f"--outer\n{request('GET hm_invoices')}\n--outer--\n"
    answer = await org.send(
        "POST", "$batch", text, app="writer", content_type="multipart/mixed; boundary=outer"
    )
    assert (answer.status_code, statuses(answer)) == (403, [403])


async def test_thousand_requests_are_enough(org: Organisation) -> None:
    assert (await send(org, *[request("GET WhoAmI")] * 1000)).status_code == 200
    assert (await send(org, *[request("GET WhoAmI")] * 1001)).status_code == 400


@pytest.mark.parametrize(
    "parts",
    [
        (change_set(request("GET hm_invoices", None, "1")),),
        ("no headers",),
        (HTTP + "\nnot a request line\n",),
        ("Content-Type: text/plain\n\nGET WhoAmI HTTP/1.1\n",),
        ("Content-Type: multipart/mixed; boundary=cs\n\n--cs\n",),
        ("Content-Type: multipart/mixed; boundary=outer\n\n",),
        (),
    ],
)
async def test_malformed_batch_is_refused(org: Organisation, parts: tuple[str, ...]) -> None:
    answer = await send(org, *parts)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "0x80060888")


async def test_nested_batch_and_bad_address_are_refused(org: Organisation) -> None:
    assert statuses(await send(org, request("POST $batch"))) == [404]
    assert (await send(org, request("GET https://[bad"))).status_code == 400


@given(st.binary(max_size=400), st.sampled_from(["multipart/mixed; boundary=b", "text/plain"]))
def test_any_bytes_are_a_batch_or_refused(body: bytes, kind: str) -> None:
    with_marks = b"--b\r\n" + body + b"\r\n--b--"
    for content in (body, with_marks):
        try:
            parse_batch(kind, content)
        except DataverseError as error:
            assert error.status == 400  # noqa: PT017


TABLE = Table(
    "hm_t",
    MetaData(),
    Column("hm_a", String),
    Column("hm_b", Float),
    Column("hm_c", Integer),
    Column("hm_d", Boolean),
)
TEXT = """
hm_a hm_b hm_c hm_d hm_x eq ne gt and or not ( ) , 'a' '' ' 1 -1.5 1e9 99e999 null true contains
startswith 2026-01-01 2026-99-99T99:99:99Z 0001-01-01T00:00:00+14:00 $ é
0f8fad5b-d9cb-469f-a165-70867728950e Microsoft.Dynamics.CRM.In [ ] = PropertyName PropertyValues
"""
WORDS = st.sampled_from(TEXT.split())


@given(st.one_of(st.text(max_size=60), st.lists(WORDS, max_size=20).map(" ".join)))
def test_any_text_is_a_filter_or_refused(text: str) -> None:
    try:
        condition = parse_filter(text, TABLE)
    except DataverseError as error:
        assert error.status in (400, 501)  # noqa: PT017
    else:
        assert str(condition)
