"""Every tier answers and refuses in the same shape."""

import json

import pytest
from pydantic import ValidationError

from hybridmandate.contracts import (
    ContractRef,
    Failure,
    FailureType,
    Outcome,
    Refused,
    RowError,
    Status,
    refusal,
    response_headers,
)

ID = "0f8fad5b-d9cb-469f-a165-70867728950e"


def test_outcome_is_camel_case_on_the_wire() -> None:
    outcome = Outcome(
        status=Status.PARTIALLY_SUCCEEDED,
        correlation_id=ID,
        contract=ContractRef(operation="spreadsheets.normalize", version=1),
        counts={"rowsIn": 3},
        errors=[RowError(code="date.format", message="no date", line=17, field="invoiceDate")],
        duration_ms=41,
    )
    wire = outcome.to_json()
    assert list(wire) == [
        "status",
        "correlationId",
        "contract",
        "replayed",
        "data",
        "counts",
        "errors",
        "warnings",
        "failure",
        "versions",
        "durationMs",
    ]
    assert wire["status"] == "partiallySucceeded"
    assert wire["errors"][0]["line"] == 17
    assert Outcome.model_validate(json.loads(json.dumps(wire))) == outcome


def test_failed_outcome_without_failure_is_refused() -> None:
    with pytest.raises(ValidationError, match="needs a failure"):
        Outcome(status=Status.FAILED, correlation_id=ID)


def test_succeeded_outcome_with_failure_is_refused() -> None:
    with pytest.raises(ValidationError, match="cannot carry a failure"):
        Outcome(
            status=Status.SUCCEEDED,
            correlation_id=ID,
            failure=Failure.of(FailureType.TIMEOUT, "too late"),
        )


def test_unknown_key_is_refused() -> None:
    with pytest.raises(ValidationError):
        Outcome.model_validate({"status": "succeeded", "correlationId": ID, "surprise": 1})


@pytest.mark.parametrize(
    ("outcome", "status"),
    [
        (Outcome(status=Status.SUCCEEDED, correlation_id=ID), 200),
        (Outcome(status=Status.PARTIALLY_SUCCEEDED, correlation_id=ID), 200),
        (Outcome(status=Status.ACCEPTED, correlation_id=ID), 202),
        (refusal(FailureType.VALIDATION_ERROR, "bad rows", correlation_id=ID), 422),
        (refusal(FailureType.QUOTA_EXCEEDED, "used up", correlation_id=None), 403),
    ],
)
def test_http_status_follows_from_the_outcome(outcome: Outcome, status: int) -> None:
    assert outcome.http_status == status


def test_judged_content_is_rejected_and_everything_else_failed() -> None:
    for each in FailureType:
        expected = Status.REJECTED if each is FailureType.VALIDATION_ERROR else Status.FAILED
        assert refusal(each, "why", correlation_id=ID).status is expected


def test_retry_after_travels_in_body_and_header() -> None:
    outcome = refusal(FailureType.THROTTLED, "slow down", correlation_id=ID, retry_after_seconds=12)
    assert outcome.to_json()["failure"]["retryAfterSeconds"] == 12
    assert response_headers(outcome)["retry-after"] == "12"
    assert response_headers(outcome)["x-correlation-id"] == ID


def test_headers_do_not_invent_a_correlation_id() -> None:
    outcome = refusal(FailureType.MALFORMED_REQUEST, "no id", correlation_id=None)
    assert "x-correlation-id" not in response_headers(outcome)


def test_refused_keeps_reason_and_all_errors() -> None:
    errors = [RowError(code="type", message="a"), RowError(code="range", message="b")]
    refused = Refused(FailureType.VALIDATION_ERROR, "two", reason="body.schema", errors=errors)
    outcome = refused.outcome(correlation_id=ID, duration_ms=3)
    assert outcome.errors == errors
    assert outcome.failure is not None
    assert outcome.failure.reason == "body.schema"
    assert outcome.duration_ms == 3
