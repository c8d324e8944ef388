"""A trace tells a transaction in order, and answers the seven questions with proof."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest
from evidence_records import record

from hybridmandate.evidence.chain import Chain
from hybridmandate.evidence.questions import QUESTIONS, Answer, answers
from hybridmandate.evidence.record import Record
from hybridmandate.evidence.trace import Trace, build_trace

RUN = record(
    "flow.run", 0, "flow", subject="Invoice intake", duration_ms=900, detail={"runId": "r1"}
)
STORE = record(
    "flow.action",
    100,
    "flow",
    subject="Store_file",
    parent="run:r1",
    duration_ms=300,
    detail={"type": "OpenApiConnection"},
)
CALL = record(
    "gateway.call",
    150,
    "gateway",
    subject="POST /exec/operations/files.store/v1",
    parent="r1/Store_file",
    principal="flow-invoice-intake",
    duration_ms=200,
    bytes_in=2048,
    bytes_out=300,
    detail={"backend": True},
)
REFUSED = record(
    "gateway.call",
    110,
    "gateway",
    subject="POST /exec/operations/files.store/v1",
    principal="flow-invoice-intake",
    outcome="refused",
    failure_type="throttled",
    duration_ms=1,
    detail={"backend": False, "refusedBy": "rate-limit-by-key"},
)


def trace(*records: Record) -> Trace:
    chain = Chain("t")
    return build_trace("corr-0001", [chain.append(each) for each in records])


def answer(id: str, *records: Record) -> Answer:
    return next(each for each in answers(trace(*records)) if each.id == id)


def outline(found: Trace) -> Sequence[tuple[int, str]]:
    return [(step.depth, step.subject) for step in found.steps]


def test_steps_are_nested_under_known_parents_and_in_time_order() -> None:
    orphan = record("view.read", 50, "data", subject="vendors", parent="never seen")
    found = trace(CALL, orphan, STORE, RUN)
    assert outline(found) == [
        (0, "Invoice intake"),
        (1, "Store_file"),
        (2, "POST /exec/operations/files.store/v1"),
        (0, "vendors"),
    ]
    assert found.tiers == ("flow", "data", "gateway")
    assert found.duration_ms == 900
    assert [step.offset_ms for step in found.steps] == [0, 100, 150, 50]


def test_records_that_name_each_other_in_a_circle_all_appear() -> None:
    first = record("a", 0, subject="one", parent="y", detail={"id": "x"})
    second = record("b", 1, subject="two", parent="x", detail={"id": "y"})
    own = record("c", 2, subject="self", parent="z", detail={"id": "z"})
    assert sorted(s.subject for s in trace(first, second, own).steps) == ["one", "self", "two"]


def test_the_first_failing_step_is_the_cause_not_the_action_around_it() -> None:
    action = record(
        "flow.action", 100, "flow", subject="Normalize", outcome="failed", duration_ms=100
    )
    inner = record(
        "call.finished",
        120,
        subject="normalize/1",
        outcome="failed",
        duration_ms=80,
        failure_type="internal_error",
    )
    later = record("commit.finished", 150, "data", outcome="failed", duration_ms=90)
    failing = trace(later, action, inner).first_failing
    assert failing is not None
    assert failing.subject == "normalize/1"
    assert trace(RUN, CALL).first_failing is None


def test_retries_and_totals_are_counted() -> None:
    again = record("flow.action", 400, "flow", subject="Store_file", attempt=2)
    retry = record("flow.retry", 390, "flow", subject="Store_file")
    found = trace(RUN, CALL, REFUSED, retry, again)
    assert [step.kind for step in found.retries] == ["flow.retry", "flow.action"]
    totals = found.totals()
    assert (totals["records"], totals["gatewayCalls"], totals["retries"]) == (5, 2, 2)
    assert (totals["bytesIn"], totals["bytesOut"], totals["failed"]) == (2048, 300, 1)


def finished(at_ms: float, outcome: str, **fields: Any) -> Record:
    return record("call.finished", at_ms, outcome=outcome, **fields)


KEYED = {"detail": {"idempotencyKey": "k1"}}
CASES: list[tuple[str, tuple[Record, ...], str, list[int]]] = [
    ("time-in-flow", (RUN, STORE, CALL), "150 ms", [1, 3]),
    ("time-in-flow", (RUN, STORE), "no call left the flow", [1]),
    ("throttled", (RUN, CALL), "no", []),
    (
        "throttled",
        (REFUSED, record("flow.action", 100, "flow", outcome="failed", failure_type="throttled")),
        "yes: 1× at gateway",
        [1],
    ),
    ("executed", (CALL,), "1 passed to the back end", [1]),
    ("executed", (REFUSED,), "1 refused at the edge (rate-limit-by-key 1×)", [1]),
    (
        "executed",
        (REFUSED, CALL),
        "1 passed to the back end; 1 refused at the edge (rate-limit-by-key 1×)",
        [1, 2],
    ),
    ("executed", (RUN,), "no call is on record", []),
    ("timeout-or-validation", (CALL,), "neither", []),
    (
        "timeout-or-validation",
        (finished(1, "rejected", failure_type="validation_error"),),
        "a handled validation error",
        [1],
    ),
    (
        "timeout-or-validation",
        (finished(1, "failed", failure_type="timeout"), finished(2, "rejected")),
        "a time-out and a handled validation error",
        [1, 2],
    ),
    ("timeout-or-validation", (REFUSED,), "neither (other failures: throttled)", []),
    ("retries", (CALL,), "there were no retries", []),
    (
        "retries",
        (finished(1, "succeeded", **KEYED), finished(2, "replayed", attempt=2, **KEYED)),
        "idempotent: 1 answered from the first outcome",
        [2, 2],
    ),
    (
        "retries",
        (finished(1, "succeeded", **KEYED), finished(2, "succeeded", **KEYED)),
        "duplicating: spreadsheets.normalize/1 ran more than once for the same call",
        [1, 2],
    ),
    (
        "retries",
        (REFUSED, record("flow.retry", 130, "flow"), finished(200, "succeeded")),
        "no repeated call was executed twice; none needed a replay",
        [2],
    ),
    (
        "payload",
        (CALL, record("policy.threshold", 151, "gateway", subject="payload 80%")),
        "largest in 2,048 bytes, largest out 300 bytes; crossed: payload 80%",
        [1, 2],
    ),
    ("denied", (CALL,), "nobody", []),
    (
        "denied",
        (
            record(
                "data.refused",
                5,
                "data",
                principal="execution",
                outcome="refused",
                failure_type="forbidden",
                subject="hm_vendor",
            ),
            record("token.refused", 6, "identity", outcome="refused"),
        ),
        "execution (1×), an unknown caller (1×)",
        [1, 2],
    ),
]


@pytest.mark.parametrize(("id", "records", "expected", "proof"), CASES)
def test_each_question_is_answered_with_the_records_that_prove_it(
    id: str, records: tuple[Record, ...], expected: str, proof: list[int]
) -> None:
    found = answer(id, *records)
    assert found.answer == expected
    assert list(found.proof) == [f"t#{number}" for number in proof]


def test_there_are_seven_answers_even_for_kinds_nobody_knows() -> None:
    found = trace(record("something.new", 0, "queue", outcome="odd", detail={"x": 1}))
    said = found.to_json()
    assert [each["id"] for each in said["answers"]] == list(QUESTIONS)
    assert len(QUESTIONS) == 7
    assert said["steps"][0]["kind"] == "something.new"
    json.dumps(said)
    assert trace().to_json()["totals"]["records"] == 0
