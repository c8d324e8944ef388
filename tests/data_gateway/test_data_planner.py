"""The planner is pure: the same candidates give the same plan, in whatever order they came."""

import random
from typing import Any

from data_gateway_kit import EXAMPLE
from hypothesis import given
from hypothesis import strategies as st

from hybridmandate.governance.data.planner import (
    RecordStatus,
    batches,
    candidates,
    ledger_id,
    plan_change,
    violations,
)
from hybridmandate.governance.data.requests import CommitRecord
from hybridmandate.manifest import load_solution

COMMIT = load_solution(EXAMPLE).solution.commits["invoices"]

RECORDS = st.lists(
    st.builds(
        lambda record, number, amount: CommitRecord(
            record=record,
            values={"hm_vendornumber": "V", "hm_invoicenumber": number, "hm_amount": amount},
        ),
        st.text(min_size=1, max_size=8),
        st.text(min_size=1, max_size=8),
        st.floats(allow_nan=False, allow_infinity=False),
    ),
    max_size=30,
    unique_by=lambda r: r.record,
)


@given(RECORDS, st.integers(1, 10), st.randoms())
def test_plan_does_not_depend_on_the_order_of_records(
    records: list[CommitRecord], size: int, order: random.Random
) -> None:
    one = batches(candidates("job", records, COMMIT), size)
    shuffled = list(records)
    order.shuffle(shuffled)
    assert batches(candidates("job", shuffled, COMMIT), size) == one
    assert sum(map(len, one)) == len(records)
    assert all(0 < len(batch) <= size for batch in one)
    assert all(len(batch) == size for batch in one[:-1])


@given(st.text(), st.text(), st.text(), st.text())
def test_ledger_id_is_the_same_for_the_same_and_other_for_others(
    job: str, record: str, other_job: str, other_record: str
) -> None:
    same = (job, record) == (other_job, other_record)
    ambiguous = f"{job}\x00{record}" == f"{other_job}\x00{other_record}"
    assert (ledger_id(job, record) == ledger_id(other_job, other_record)) is (same or ambiguous)


@given(RECORDS)
def test_planned_change_applied_makes_the_row_compliant(records: list[CommitRecord]) -> None:
    for each in candidates("job", records, COMMIT):
        first = plan_change(each, None, "id")
        assert first.status is RecordStatus.CREATED
        row: dict[str, Any] = {"id": "1", **first.after}
        assert plan_change(each, row, "id").status is RecordStatus.ALREADY_COMPLIANT
        row["hm_currency"] = "EUR"
        assert plan_change(each, row, "id").status is RecordStatus.ALREADY_COMPLIANT


def test_values_that_say_the_same_are_no_change() -> None:
    record = CommitRecord(
        record="r",
        values={
            "hm_vendornumber": "V",
            "hm_invoicenumber": "1",
            "hm_invoicedate": "2026-09-01",
            "hm_description": "",
            "hm_amount": 10,
        },
    )
    (candidate,) = candidates("job", [record], COMMIT)
    row = {
        "id": "1",
        "hm_vendornumber": "V",
        "hm_invoicenumber": "1",
        "hm_invoicedate": "2026-09-01T00:00:00Z",
        "hm_description": None,
        "hm_amount": 10.0,
    }
    assert plan_change(candidate, row, "id").status is RecordStatus.ALREADY_COMPLIANT
    changed = plan_change(candidate, {**row, "hm_amount": 10.01}, "id")
    assert changed.status is RecordStatus.UPDATED
    assert (changed.before, changed.after) == ({"hm_amount": 10.01}, {"hm_amount": 10})


@given(RECORDS)
def test_declared_and_distinct_records_have_no_violations(records: list[CommitRecord]) -> None:
    numbers = [str(r.values["hm_invoicenumber"]).casefold() for r in records]
    found = [v for v in violations(records, COMMIT) if v.code != "key.repeated"]
    assert found == []
    repeated = len(numbers) - len(set(numbers))
    assert sum(v.code == "key.repeated" for v in violations(records, COMMIT)) == repeated
