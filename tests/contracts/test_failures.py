"""The failure table is the only place where a failure's status and retry rule are defined."""

import pytest

from hybridmandate.contracts import FAILURES, Failure, FailureType, Retry

TABLE = [
    ("malformed_request", 400, False),
    ("unauthorized", 401, False),
    ("forbidden", 403, False),
    ("not_found", 404, False),
    ("conflict", 409, False),
    ("contract_retired", 410, False),
    ("payload_too_large", 413, False),
    ("unsupported_media_type", 415, False),
    ("validation_error", 422, False),
    ("throttled", 429, True),
    ("quota_exceeded", 403, True),
    ("internal_error", 500, True),
    ("downstream_unavailable", 503, True),
    ("timeout", 504, True),
]


@pytest.mark.parametrize(("name", "status", "retryable"), TABLE)
def test_type_carries_its_status_and_retry_rule(name: str, status: int, retryable: bool) -> None:
    failure = Failure.of(FailureType(name), "what happened")
    assert failure.http_status == status
    assert failure.retryable is retryable


def test_table_is_complete_and_has_no_other_types() -> None:
    assert set(FAILURES) == set(FailureType)
    assert {name for name, _, _ in TABLE} == {each.value for each in FailureType}


def test_every_meaning_is_a_sentence() -> None:
    for rule in FAILURES.values():
        assert rule.meaning[0].isupper()
        assert rule.meaning.endswith(".")


def test_the_table_cannot_be_changed() -> None:
    with pytest.raises(TypeError):
        FAILURES[FailureType.TIMEOUT] = FAILURES[FailureType.CONFLICT]  # type: ignore[index]


def test_only_a_refusal_that_never_helps_to_retry_is_not_retryable() -> None:
    assert {t for t, r in FAILURES.items() if r.retry is Retry.NO} == {
        t for t, r in FAILURES.items() if not r.retryable
    }
