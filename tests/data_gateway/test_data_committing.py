"""Whatever Dataverse does to change sets: good records commit once, bad ones alone are refused."""

import itertools
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from data_gateway_kit import EXAMPLE, House, invoice, statuses
from hypothesis import given, settings
from hypothesis import strategies as st
from tables_in_memory import BAD, Fault, TablesInMemory

from hybridmandate.contracts import FailureType, Refused
from hybridmandate.governance.data.committing import Authority, Committer, Pace, RecordResult
from hybridmandate.governance.data.planner import RecordStatus, candidates
from hybridmandate.governance.data.requests import CommitRecord
from hybridmandate.manifest import load_solution

COMMIT = load_solution(EXAMPLE).solution.commits["invoices"]


class Run:
    """Commits against tables in memory; its clock moves only when the committer waits."""

    def __init__(self, tables: TablesInMemory, *, batch: int = 100, patience: float = 1e6) -> None:
        self.tables = tables
        self.pace = Pace(batch=batch, patience=patience)
        self.now = 1_000.0
        self.waits: list[float] = []
        self.settled: list[RecordResult] = []
        self._ids = (f"row-{n}" for n in itertools.count())

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += seconds

    async def commit(
        self, records: Sequence[dict[str, Any]], job: str = "job-0001"
    ) -> list[RecordResult]:
        committer = Committer(
            "invoices",
            COMMIT,
            self.tables,
            Authority("oid-flow", "correlation-1"),
            pace=self.pace,
            clock=lambda: self.now,
            sleep=self.sleep,
            new_id=lambda: next(self._ids),
            settled=self.settled.append,
        )
        sent = [CommitRecord.model_validate(each) for each in records]
        return await committer.commit(job, candidates(job, sent, COMMIT))

    def agreed(self) -> set[str]:
        """The records in the ledger, which must agree with the table to the letter."""
        rows = self.tables.rows["hm_invoices"]
        ledger = self.tables.rows["hm_jobrecords"].values()
        for each in ledger:
            row = rows[each["hm_rowid"]]
            if each["hm_status"] == "created":
                assert json.loads(each["hm_after"]).items() <= row.items()
        return {each["hm_record"] for each in ledger}


def some(count: int, bad: Sequence[int] = ()) -> list[dict[str, Any]]:
    return [invoice(n, **({"hm_currency": BAD} if n in bad else {})) for n in range(count)]


def counted(results: Sequence[RecordResult]) -> dict[str, int]:
    return dict(Counter(str(each.status) for each in results))


@pytest.mark.parametrize("names_the_change", [True, False])
async def test_many_bad_records_do_not_cost_one_good_one(names_the_change: bool) -> None:
    run = Run(TablesInMemory(names_the_change=names_the_change))
    results = await run.commit(some(60, bad=range(0, 60, 3)))
    assert counted(results) == {"created": 40, "rejected": 20}
    assert len(run.agreed()) == 40
    assert all(
        "hm_currency" in (r.reason or "") for r in results if r.status is RecordStatus.REJECTED
    )


async def test_many_bad_records_over_http_do_not_cost_one_good_one(tmp_path: Path) -> None:
    house = House(tmp_path)
    answer = await house.commit(some(30, bad=range(0, 30, 3)))
    assert Counter(statuses(answer)) == {"created": 20, "rejected": 10}
    assert len(house.rows("hm_invoices")) == len(house.rows("hm_jobrecords")) == 20


@pytest.mark.parametrize(
    "key", [{"hm_vendornumber": 5}, {"hm_invoicenumber": True}, {"hm_invoicenumber": "x" * 30_000}]
)
async def test_key_that_cannot_be_looked_for_is_that_records_fault_alone(
    tmp_path: Path, key: dict[str, Any]
) -> None:
    house = House(tmp_path)
    answer = await house.commit([*some(9), invoice(9, **key)])
    assert answer.status_code == 200
    assert Counter(statuses(answer)) == {"created": 9, "rejected": 1}
    (error,) = answer.json()["errors"]
    assert error["record"] == "V-10001|9"
    assert error["message"].startswith("key.value: ")
    assert len(house.rows("hm_invoices")) == len(house.rows("hm_jobrecords")) == 9


@pytest.mark.parametrize(
    "text",
    ["a&b#c+d%'e", " X ", "HTTP/1.1 404 Not Found", "\r\n--changeset_1--\r\n", "\u00c4\u4e2d"],
)
async def test_text_that_looks_like_protocol_is_only_text(tmp_path: Path, text: str) -> None:
    house = House(tmp_path)
    record = invoice(1, hm_invoicenumber=text, hm_description=text)
    assert statuses(await house.commit([record])) == ["created"]
    assert statuses(await house.commit([record], job="job-0002")) == ["alreadyCompliant"]
    (row,) = house.rows("hm_invoices")
    assert (row["hm_invoicenumber"], row["hm_description"]) == (text, text)


async def test_one_bad_record_without_content_id_is_found_by_halving() -> None:
    run = Run(TablesInMemory(names_the_change=False))
    assert counted(await run.commit(some(64, bad=[37]))) == {"created": 63, "rejected": 1}
    # One change set of everything, then two for each of the six halvings of 64.
    assert len(run.tables.sizes) == 13


async def test_throttling_is_never_taken_for_a_conflict() -> None:
    run = Run(TablesInMemory([Fault.THROTTLED] * 20))
    assert counted(await run.commit(some(3))) == {"created": 3}
    assert run.waits == [2.0] * 20


async def test_patience_ends_with_the_time_that_dataverse_said() -> None:
    run = Run(TablesInMemory([Fault.THROTTLED] * 20), patience=5.0)
    with pytest.raises(Refused) as refused:
        await run.commit(some(3))
    assert refused.value.type is FailureType.THROTTLED
    assert refused.value.retry_after_seconds == 2
    assert run.waits == [2.0, 2.0]


async def test_what_was_committed_before_a_refusal_is_told_and_stays() -> None:
    faults = [Fault.NONE, Fault.NONE, Fault.THROTTLED]
    run = Run(TablesInMemory(faults), batch=10, patience=1.0)
    with pytest.raises(Refused):
        await run.commit(some(30))
    assert counted(run.settled) == {"created": 20}
    assert len(run.agreed()) == 20
    again = await run.commit(some(30))
    assert counted(again) == {"alreadyProcessed": 20, "created": 10}


async def test_row_that_somebody_keeps_changing_is_the_only_conflict() -> None:
    run = Run(TablesInMemory())
    await run.commit(some(1))
    # Every change set that touches the existing row is outrun; the other records go through.
    run.tables._faults = [Fault.RACED] * 100
    changed = [invoice(n, hm_amount=99.0) for n in range(8)]
    results = await run.commit(changed, job="job-0002")
    assert counted(results) == {"conflict": 1, "created": 7}
    assert [r.record for r in results if r.status is RecordStatus.CONFLICT] == ["V-10001|0"]


async def test_row_that_was_deleted_in_between_is_made_anew() -> None:
    class Deleting(TablesInMemory):
        async def change(self, changes: Any) -> None:
            if not self.sizes:
                self.rows["hm_invoices"].clear()
            await super().change(changes)

    first = Run(TablesInMemory())
    await first.commit(some(1))
    tables = Deleting()
    tables.rows = first.tables.rows
    results = await Run(tables).commit([invoice(0, hm_amount=5.0)], job="job-0002")
    assert counted(results) == {"created": 1}


FAULTS = st.lists(st.sampled_from(list(Fault)), max_size=12)


@settings(max_examples=120, deadline=None)
@given(
    count=st.integers(1, 25),
    batch=st.integers(1, 12),
    bad=st.sets(st.integers(0, 24)),
    faults=FAULTS,
    names=st.booleans(),
    earlier=st.booleans(),
)
async def test_each_good_record_commits_exactly_once_whatever_happens(
    count: int, batch: int, bad: set[int], faults: list[Fault], names: bool, earlier: bool
) -> None:
    tables = TablesInMemory(names_the_change=names)
    if earlier:
        await Run(tables).commit(some(count))
    tables._faults = list(faults)
    run = Run(tables, batch=batch)
    sent = [{**each, "values": {**each["values"], "hm_amount": 77.0}} for each in some(count, bad)]
    results = await run.commit(sent, job="job-0002")
    good = {f"V-10001|{n}" for n in range(count) if n not in bad}
    by_record = {each.record: each for each in results}
    rejected = {r for r, each in by_record.items() if each.status is RecordStatus.REJECTED}
    conflicts = {r for r, each in by_record.items() if each.status is RecordStatus.CONFLICT}
    ledger = {
        each["hm_record"]
        for each in tables.rows["hm_jobrecords"].values()
        if each["hm_job"] == "job-0002"
    }
    assert ledger == good - conflicts
    assert rejected | conflicts == set(by_record) - ledger
    # A conflict takes as many lost races as are allowed.
    assert not conflicts or faults.count(Fault.RACED) >= 6
    keys = [row["hm_invoicenumber"] for row in tables.rows["hm_invoices"].values()]
    assert len(keys) == len(set(keys))
    assert [each.record for each in results] == sorted(by_record)
    assert Counter(r.record for r in run.settled) == dict.fromkeys(by_record, 1)
