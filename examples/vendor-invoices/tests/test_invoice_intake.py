"""Flow tests of this solution: the exported flow runs in memory under a virtual clock."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

NORMALIZE = "spreadsheets_normalize_v1"
COMMIT = "data_commit_invoices_v1"
FILE = "samples/01-clean.csv"


def normalized(accepted: int, rejected: int = 0) -> dict[str, Any]:
    """What the spreadsheet service answers."""
    row = {"vendorNumber": "V-10001", "invoiceDate": "2026-01-31", "amount": 12.5}
    return {
        "status": "partiallySucceeded" if rejected else "succeeded",
        "counts": {"rowsIn": accepted + rejected, "accepted": accepted, "rejected": rejected},
        "data": {
            "accepted": [{**row, "invoiceNumber": f"R-{n}"} for n in range(accepted)],
            "acceptedInline": True,
            "rejectedHandle": "rejected-1",
            "summary": f"{accepted} accepted, {rejected} rejected",
        },
        "errors": [{"line": 17, "field": "invoiceDate", "value": "31/31", "message": "no date"}],
    }


@pytest.fixture
def intake(flow: Any) -> Any:
    """The flow with the execution service and the data gateway mocked."""
    found = flow("invoice-intake")
    found.mock("files_store_v1", {"status": "succeeded", "data": {"handle": "file-1"}})
    found.mock("files_read_v1", {"$content-type": "application/xlsx", "$content": "eA=="})
    found.mock(NORMALIZE, normalized(7))
    found.mock(COMMIT, {"status": "succeeded"})
    return found


@pytest.fixture
def tracking(office: Any) -> Callable[[], dict[str, Any]]:
    """The only tracking record."""

    def read() -> dict[str, Any]:
        (row,) = office.rows["hm_intakes"].values()
        return row

    return read


def test_a_clean_file_is_committed(intake: Any, clock: Any, tracking: Any) -> None:
    run = intake.trigger(file=FILE)
    clock.advance(minutes=1)
    assert run.status == "Succeeded"
    assert tracking()["hm_state"] == "committed"
    run.assert_called(COMMIT, times=1, **{"body/job": run.correlation_id})


def test_above_the_threshold_a_person_approves(
    intake: Any, office: Any, clock: Any, tracking: Any
) -> None:
    intake.mock(NORMALIZE, normalized(5, 5))
    run = intake.trigger(file=FILE)
    clock.advance(days=3)
    assert run.action("Ask_for_approval").status == "Running"
    assert office.approvals.last.assigned_to == "controller@contoso.example"
    assert "31/31" in office.mails.last["body"]
    run.assert_not_called(COMMIT)
    office.approvals.last.decide("Approve")
    clock.advance(minutes=2)
    assert run.action("Ask_for_approval").status == "Succeeded"
    assert tracking()["hm_state"] == "committed"


def test_a_rejection_closes_the_file(intake: Any, office: Any, clock: Any, tracking: Any) -> None:
    intake.mock(NORMALIZE, normalized(5, 5))
    run = intake.trigger(file=FILE)
    clock.advance(minutes=1)
    office.approvals.last.decide("Reject")
    clock.advance(minutes=2)
    assert tracking()["hm_state"] == "closed"
    run.assert_not_called(COMMIT)


def test_nobody_answers_for_a_week(intake: Any, clock: Any, tracking: Any) -> None:
    intake.mock(NORMALIZE, normalized(5, 5))
    run = intake.trigger(file=FILE)
    clock.advance(days=8)
    assert run.action("Ask_for_approval").status == "TimedOut"
    assert tracking()["hm_state"] == "closed"


def test_a_service_that_stays_away_parks_the_file(
    intake: Any, office: Any, clock: Any, tracking: Any
) -> None:
    from hybridmandate.orchestration.engine import Answer

    intake.mock(NORMALIZE, Answer.unreachable("down"))
    run = intake.trigger(file=FILE)
    clock.advance(days=1)
    assert len(run.calls(NORMALIZE)) == 5
    assert tracking()["hm_state"] == "parked"
    assert "is parked" in office.messages.last["text"]


def test_a_file_of_a_stranger_is_not_read(intake: Any, office: Any, clock: Any) -> None:
    run = intake.trigger(file=FILE, by="mallory@evil.example")
    clock.advance(minutes=1)
    assert run.status == "Succeeded"
    run.assert_not_called("GetFileContent")
    assert not office.mails


def test_an_empty_file_is_returned(intake: Any, office: Any, clock: Any, tracking: Any) -> None:
    office.add_file("first.csv", b"")
    body = office.trigger_file("item-1")
    body["Author"] = {"Email": "ada@contoso.example"}
    intake.trigger(body)
    clock.advance(minutes=1)
    assert tracking()["hm_state"] == "rejected"
    assert office.mails.last["to"] == "ada@contoso.example"


def test_a_file_that_is_no_spreadsheet_is_refused_with_its_reason(
    intake: Any, office: Any, clock: Any, tracking: Any
) -> None:
    from hybridmandate.orchestration.engine import Answer

    failure = {"type": "validation_error", "message": "this is no spreadsheet"}
    intake.mock(NORMALIZE, Answer(422, {}, {"status": "rejected", "failure": failure}))
    intake.trigger(file=FILE)
    clock.advance(minutes=1)
    assert tracking()["hm_failuretype"] == "validation_error"
    assert "this is no spreadsheet" in office.mails.last["body"]


def test_too_many_rows_have_a_reason_of_their_own(intake: Any, clock: Any, tracking: Any) -> None:
    told = normalized(5_001)
    told["data"].update(accepted=[], acceptedInline=False)
    intake.mock(NORMALIZE, told)
    intake.trigger(file=FILE)
    clock.advance(minutes=1)
    assert tracking()["hm_failuretype"] == "payload_too_large"


def test_few_rejected_rows_need_nobody(intake: Any, office: Any, clock: Any, tracking: Any) -> None:
    intake.mock(NORMALIZE, normalized(9, 1))
    intake.trigger(file=FILE)
    clock.advance(minutes=1)
    assert tracking()["hm_state"] == "committed"
    assert not office.approvals


def test_a_commit_that_is_refused_parks_the_file(
    intake: Any, office: Any, clock: Any, tracking: Any
) -> None:
    from hybridmandate.orchestration.engine import Answer

    intake.mock(COMMIT, Answer(409, {}, {"failure": {"type": "conflict", "message": "no"}}))
    intake.trigger(file=FILE)
    clock.advance(minutes=1)
    assert (tracking()["hm_state"], tracking()["hm_failuretype"]) == ("parked", "conflict")
