"""Who may come in, and which columns may leave."""

from pathlib import Path
from typing import Any

import pytest
from data_gateway_kit import ID, House

VIEW = "/views/vendors/v1"


@pytest.fixture(name="house")
def _house(tmp_path: Path) -> House:
    return House(tmp_path)


async def test_view_gives_its_declared_columns_and_no_other(house: House) -> None:
    answer = await house.post(VIEW, {"parameters": {"hm_country": "GB"}})
    assert answer.status_code == 200
    rows = answer.json()["data"]["rows"]
    assert [set(row) for row in rows] == [
        {"hm_vendornumber", "hm_name", "hm_country", "hm_currency"}
    ] * 2
    assert {row["hm_vendornumber"] for row in rows} == {"V-10003", "V-10004"}
    (record,) = house.evidence.records
    assert record.kind == "view.read"
    assert record.detail["classification"] == "internal"


async def test_view_takes_lists_and_a_limit(house: House) -> None:
    body = {"parameters": {"hm_country": ["GB", "NO"]}, "top": 2}
    answer = await house.post(VIEW, body)
    assert answer.json()["counts"] == {"rows": 2}
    assert answer.json()["data"]["more"] is True


async def test_text_that_looks_like_a_filter_is_only_a_value(house: House) -> None:
    answer = await house.post(VIEW, {"parameters": {"hm_country": "GB' or hm_name ne '"}})
    assert answer.json()["data"] == {"rows": [], "more": False}


@pytest.mark.parametrize(
    ("path", "body", "headers", "status", "reason"),
    [
        (VIEW, {}, {"authorization": "-"}, 401, "token.missing"),
        (VIEW, {}, {"authorization": "Bearer data"}, 403, "token.role"),
        (VIEW, {}, {"authorization": "Bearer stranger"}, 403, "caller.not_gateway"),
        (VIEW, {}, {"x-correlation-id": "-"}, 400, "correlation_id.missing"),
        (VIEW, {}, {"x-correlation-id": "bad id"}, 400, "correlation_id.invalid"),
        (VIEW, {}, {"x-mandate-principal": "-"}, 400, "caller.unknown"),
        (VIEW, {}, {"x-mandate-roles": "Data.Commit.Invoices"}, 403, "role.missing"),
        (VIEW, {"parameters": {"hm_iban": "x"}}, {}, 403, "view.filter"),
        (VIEW, {"columns": ["hm_iban"]}, {}, 422, "contract.request"),
        (VIEW, {"top": 0}, {}, 422, "contract.request"),
        (VIEW, b"{", {}, 400, "json.syntax"),
        (VIEW, b'{"top": 1, "top": 2}', {}, 400, "json.duplicate_key"),
        (VIEW, {}, {"content-type": "text/plain"}, 415, "content_type"),
        ("/views/vendors/v2", {}, {}, 404, "view.unknown"),
        ("/views/secrets/v1", {}, {}, 404, "view.unknown"),
        ("/commits/vendors/v1", {}, {}, 404, "commit.unknown"),
        ("/elsewhere", {}, {}, 404, None),
    ],
)
async def test_refusal_has_the_one_shape_and_leaves_evidence(
    house: House,
    path: str,
    body: Any,
    headers: dict[str, str],
    status: int,
    reason: str | None,
) -> None:
    answer = await house.post(path, body, **headers)
    assert answer.status_code == status
    outcome = answer.json()
    assert outcome["failure"]["reason"] == reason
    assert outcome["status"] in ("failed", "rejected")
    (record,) = house.evidence.records
    assert record.kind == "data.refused"
    assert record.failure_type == outcome["failure"]["type"]
    sent = headers.get("x-correlation-id", ID)
    assert record.correlation_id == (sent if sent == ID else None)


async def test_body_over_the_limit_is_refused_while_it_streams(house: House) -> None:
    answer = await house.post(VIEW, b" " * (9 * 1024 * 1024))
    assert answer.status_code == 413


async def test_dataverse_out_of_reach_is_named(house: House) -> None:
    house.faults.fail_next = [503]
    answer = await house.post(VIEW, {})
    assert answer.status_code == 503
    assert answer.json()["failure"]["type"] == "downstream_unavailable"
