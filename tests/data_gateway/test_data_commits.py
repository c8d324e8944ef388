"""Commits write declared columns only, each change with its ledger row, exactly once."""

import json
from pathlib import Path
from typing import Any

import pytest
from data_gateway_kit import ID, House, invoice, statuses


@pytest.fixture(name="house")
def _house(tmp_path: Path) -> House:
    return House(tmp_path)


async def test_change_and_ledger_row_are_written_together(house: House) -> None:
    answer = await house.commit([invoice(1), invoice(2)])
    assert answer.status_code == 200
    assert answer.json()["counts"] == {"created": 2}
    ledger = {row["hm_record"]: row for row in house.rows("hm_jobrecords")}
    rows = {row["hm_invoiceid"]: row for row in house.rows("hm_invoices")}
    assert set(ledger) == {"V-10001|1", "V-10001|2"}
    for row in ledger.values():
        assert rows[row["hm_rowid"]]["hm_amount"] == 10.5
        assert row["hm_status"] == "created"
        assert row["hm_correlationid"] == ID
        assert row["hm_principal"] == "oid-flow"
        assert json.loads(row["hm_before"]) == {}
        assert json.loads(row["hm_after"])["hm_currency"] == "EUR"


async def test_replay_changes_nothing_and_says_so(house: House) -> None:
    await house.commit([invoice(1), invoice(2)])
    before = (house.rows("hm_invoices"), house.rows("hm_jobrecords"))
    answer = await house.commit([invoice(1), invoice(2)])
    assert statuses(answer) == ["alreadyProcessed", "alreadyProcessed"]
    assert answer.json()["replayed"] is True
    assert (house.rows("hm_invoices"), house.rows("hm_jobrecords")) == before


async def test_later_job_updates_what_differs_and_keeps_both_values(house: House) -> None:
    await house.commit([invoice(1), invoice(2)])
    answer = await house.commit([invoice(1, hm_amount=99.0), invoice(2)], job="job-0002")
    assert statuses(answer) == ["updated", "alreadyCompliant"]
    ledger = {
        row["hm_record"]: row for row in house.rows("hm_jobrecords") if row["hm_job"] == "job-0002"
    }
    assert json.loads(ledger["V-10001|1"]["hm_before"]) == {"hm_amount": 10.5}
    assert json.loads(ledger["V-10001|1"]["hm_after"]) == {"hm_amount": 99.0}
    assert json.loads(ledger["V-10001|2"]["hm_after"]) == {}
    assert len(house.rows("hm_invoices")) == 2


async def test_key_is_found_without_regard_to_case(house: House) -> None:
    await house.commit([invoice(1)])
    again = invoice(1, hm_invoicenumber="inv-1", hm_amount=11.0)
    answer = await house.commit([again], job="job-0002")
    assert statuses(answer) == ["updated"]
    assert len(house.rows("hm_invoices")) == 1


@pytest.mark.parametrize(
    ("records", "status", "type_", "codes"),
    [
        ([invoice(1, hm_approvedby="me")], 403, "forbidden", ["commit.column"]),
        ([invoice(1), invoice(2, createdby="me", x=1)], 403, "forbidden", ["commit.column"] * 2),
        ([invoice(1, hm_vendornumber="")], 422, "validation_error", ["key.missing"]),
        ([invoice(1), invoice(1)], 422, "validation_error", ["record.repeated", "key.repeated"]),
        (
            [invoice(1), {**invoice(1), "record": "other"}],
            422,
            "validation_error",
            ["key.repeated"],
        ),
        ([invoice(n) for n in range(1001)], 413, "payload_too_large", []),
        ([], 422, "validation_error", None),
    ],
)
async def test_whole_set_is_judged_before_anything_is_written(
    house: House, records: list[dict[str, Any]], status: int, type_: str, codes: list[str] | None
) -> None:
    answer = await house.commit(records)
    assert answer.status_code == status
    assert answer.json()["failure"]["type"] == type_
    if codes is not None:
        assert [each["code"] for each in answer.json()["errors"]] == codes
    assert house.rows("hm_invoices") == []
    assert house.rows("hm_jobrecords") == []
    assert house.evidence.kinds() == ["data.refused"]


async def test_record_that_dataverse_refuses_does_not_hold_up_the_others(house: House) -> None:
    answer = await house.commit([invoice(1), invoice(2, hm_currency="EURO"), invoice(3)])
    assert answer.json()["status"] == "partiallySucceeded"
    assert statuses(answer) == ["created", "rejected", "created"]
    (error,) = answer.json()["errors"]
    assert error["record"] == "V-10001|2"
    assert "hm_currency" in error["message"]
    assert len(house.rows("hm_invoices")) == len(house.rows("hm_jobrecords")) == 2


async def test_nothing_committable_is_rejected(house: House) -> None:
    answer = await house.commit([invoice(1, hm_currency="EURO")])
    assert answer.status_code == 422
    assert statuses(answer) == ["rejected"]


async def test_action_that_is_not_declared_is_refused_by_record(tmp_path: Path) -> None:
    house = House(tmp_path, commit={"actions": ["create"]})
    await house.commit([invoice(1)])
    answer = await house.commit([invoice(1, hm_amount=1.0), invoice(2)], job="job-0002")
    assert statuses(answer) == ["rejected", "created"]
    assert "may not update" in answer.json()["errors"][0]["message"]
    assert [row["hm_amount"] for row in house.rows("hm_invoices")] == [10.5, 10.5]


async def test_lost_answer_is_resolved_by_the_ledger(house: House) -> None:
    house.faults.cut_after_commit = 1
    answer = await house.commit([invoice(n) for n in range(5)])
    assert answer.status_code == 200
    assert set(statuses(answer)) == {"alreadyProcessed"}
    assert len(house.rows("hm_invoices")) == len(house.rows("hm_jobrecords")) == 5


async def test_two_calls_of_one_job_at_once_write_once(tmp_path: Path) -> None:
    import asyncio

    house = House(tmp_path, batch=3)
    records = [invoice(n) for n in range(10)]
    answers = await asyncio.gather(*(house.commit(records) for _ in range(4)))
    assert {answer.status_code for answer in answers} == {200}
    assert len(house.rows("hm_invoices")) == len(house.rows("hm_jobrecords")) == 10
    created = sum(status == "created" for answer in answers for status in statuses(answer))
    assert created == 10


async def test_throttled_within_patience_waits_and_finishes(house: House) -> None:
    house.faults.fail_next = [429]
    answer = await house.commit([invoice(1)])
    assert statuses(answer) == ["created"]


async def test_throttled_beyond_patience_says_when(house: House) -> None:
    house.faults.fail_next = [429]
    house.faults.retry_after = 60
    answer = await house.commit([invoice(1)])
    assert answer.status_code == 429
    assert answer.json()["failure"]["retryAfterSeconds"] == 60
    assert answer.headers["retry-after"] == "60"
    assert house.rows("hm_invoices") == []


async def test_every_record_and_the_whole_leave_evidence(house: House) -> None:
    await house.commit([invoice(1), invoice(2)])
    assert house.evidence.kinds() == ["commit.record", "commit.record", "commit.finished"]
    assert {each.correlation_id for each in house.evidence.records} == {ID}
    assert house.evidence.records[-1].detail["created"] == 2
