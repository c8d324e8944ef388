"""Retry policies, the asynchronous pattern and time-outs, in virtual time."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from flow_kit import OK, after, call, compose, flow_of
from hypothesis import given
from hypothesis import strategies as st

from hybridmandate.orchestration.engine import Answer, Call, Watch
from hybridmandate.orchestration.engine.durations import duration_seconds, unit_seconds
from hybridmandate.orchestration.engine.retry import (
    LOW_PROFILE,
    MEDIUM_PROFILE,
    RetryPolicy,
    retry_after,
)
from hybridmandate.orchestration.shells.memory import START, MemoryHost, MemoryRun


def run(action: dict[str, Any], answers: list[Answer], **start: Any) -> MemoryRun:
    left = iter(answers)
    host = MemoryHost(lambda asked: next(left))
    return host.finish(host.start(flow_of({"A": action}), **start))


def waits(ended: MemoryRun) -> list[float]:
    times = ended.call_times
    return [later - earlier for earlier, later in itertools.pairwise(times)]


RETRIED = [408, 429, 500, 502, 503, 504, 599]
NOT_RETRIED = [400, 401, 403, 404, 409, 410, 413, 415, 422]
FIXED = {"type": "fixed", "count": 2, "interval": "PT10S"}


@pytest.mark.parametrize("status", RETRIED)
def test_these_statuses_are_retried(status: int) -> None:
    ended = run(call("A", retry=FIXED), [Answer(status), Answer(status), OK])
    assert ended.action("A")["status"] == "Succeeded"
    assert waits(ended) == [10.0, 10.0]
    assert [each["attempt"] for each in ended.retries] == [1, 2]
    assert ended.action("A")["attempt"] == 3


@pytest.mark.parametrize("status", NOT_RETRIED)
def test_these_statuses_are_not(status: int) -> None:
    ended = run(call("A", retry=FIXED), [Answer(status)])
    assert (ended.action("A")["status"], len(ended.calls)) == ("Failed", 1)


@pytest.mark.parametrize(
    ("answer", "status", "code"),
    [
        (Answer.unreachable("gone"), "Failed", "ServiceUnreachable"),
        (Answer.timed_out("slow"), "TimedOut", "ActionTimedOut"),
    ],
)
def test_what_never_answered_is_retried(answer: Answer, status: str, code: str) -> None:
    ended = run(call("A", retry=FIXED), [answer] * 3)
    assert len(ended.calls) == 3
    assert (ended.action("A")["status"], ended.action("A")["code"]) == (status, code)


def test_what_was_refused_before_it_left_is_not() -> None:
    ended = run(call("A", retry=FIXED), [Answer.refused("not simulated")])
    assert len(ended.calls) == 1
    assert ended.action("A")["error"]["message"] == "not simulated"


def test_no_policy_means_the_default_of_the_profile() -> None:
    medium = run(call("A"), [Answer(503)] * 9)
    low = run(call("A"), [Answer(503)] * 3, default_retry=LOW_PROFILE)
    assert (len(medium.calls), len(low.calls)) == (9, 3)
    assert all(300 <= each <= 600 for each in waits(low))
    assert all(each <= 900 for each in waits(medium))


def test_none_means_one_attempt() -> None:
    assert len(run(call("A", retry={"type": "none"}), [Answer(503)]).calls) == 1


def test_retry_after_is_never_undercut() -> None:
    throttled = Answer(429, {"Retry-After": "120"})
    ended = run(call("A", retry=FIXED), [throttled, throttled, OK])
    assert waits(ended) == [120.0, 120.0]


def test_retry_after_may_be_a_date() -> None:
    answer = Answer(429, {"retry-after": "Fri, 20 Mar 2026 09:47:40 GMT"})
    assert retry_after(answer, START) == 60.0
    assert retry_after(Answer(429, {"retry-after": "soon"}), START) is None


@given(st.integers(1, 20), st.floats(0, 1, exclude_max=True), st.integers(5, 3600))
def test_exponential_waits_stay_in_the_documented_bounds(
    retry: int, draw: float, interval: int
) -> None:
    policy = RetryPolicy.of(
        {
            "type": "exponential",
            "count": 90,
            "interval": f"PT{interval}S",
            "maximumInterval": "PT2H",
        },
        MEDIUM_PROFILE,
    )
    low = 0.0 if retry == 1 else 2.0 ** (retry - 2) * interval
    high = min(2.0 ** (retry - 1) * interval, 7200.0)
    assert min(low, 7200.0) <= policy.wait(retry, draw, None) <= high


@pytest.mark.parametrize(
    "policy",
    [
        {"type": "sometimes"},
        {"type": "fixed", "count": 0, "interval": "PT5S"},
        {"type": "fixed", "count": 91, "interval": "PT5S"},
        {"type": "fixed", "count": 1, "interval": "PT4S"},
        {"type": "fixed", "count": 1, "interval": "P2D"},
        {"type": "exponential", "count": 1},
    ],
)
def test_a_policy_outside_the_limits_fails_the_action_before_it_calls(policy: Any) -> None:
    ended = run(call("A", retry=policy), [])
    assert ended.action("A")["code"] == "InvalidTemplate"
    assert not ended.calls


def test_every_attempt_carries_the_same_inputs_key_and_correlation() -> None:
    ended = run(call("A", retry=FIXED, parameters={"g": "@guid()"}), [Answer(503), Answer(503), OK])
    assert len({each.idempotency_key for each in ended.calls}) == 1
    assert len({each.request["parameters"]["g"] for each in ended.calls}) == 1
    assert len({each.correlation_id for each in ended.calls}) == 1
    assert len({each.token for each in ended.calls}) == 3


def test_iterations_and_actions_have_keys_of_their_own() -> None:
    loop = {
        "type": "Foreach",
        "foreach": [1, 2],
        "actions": {"A": call("A"), "B": call("B", after("A"))},
        "runAfter": {},
    }
    host = MemoryHost(lambda asked: OK)
    ended = host.finish(host.start(flow_of({"L": loop})))
    assert len({each.idempotency_key for each in ended.calls}) == 4


def _watching(readings: list[Answer]) -> tuple[MemoryHost, list[float]]:
    times: list[float] = []
    left = iter(readings)

    def reading(watch: Watch) -> Answer:
        times.append(host.now)
        return next(left)

    accepted = Answer(202, {"Location": "/jobs/1", "Retry-After": "7"}, None)

    def service(asked: Call) -> Answer:
        return accepted

    host = MemoryHost(service, reading=reading)
    return host, times


def test_a_location_is_read_as_often_as_it_asks() -> None:
    host, times = _watching([Answer(202, {"Retry-After": "30"}), Answer(202), OK])
    ended = host.finish(host.start(flow_of({"A": call("A")})))
    assert [each - START for each in times] == [7.0, 37.0, 57.0]
    assert ended.action("A")["outputs"]["body"] == {"done": True}
    assert len(ended.calls) == 1


def test_the_asynchronous_pattern_can_be_switched_off() -> None:
    host, times = _watching([])
    action = call("A", operationOptions="DisableAsyncPattern")
    ended = host.finish(host.start(flow_of({"A": action})))
    assert ended.action("A")["outputs"]["statusCode"] == 202
    assert not times


def test_a_job_that_fails_fails_the_action_with_its_outcome() -> None:
    refused = Answer(422, {}, {"failure": {"type": "validation_error", "message": "no rows"}})
    host, _ = _watching([refused])
    ended = host.finish(host.start(flow_of({"A": call("A")})))
    assert ended.action("A")["status"] == "Failed"
    assert ended.action("A")["error"]["message"] == "no rows"


@pytest.mark.parametrize(
    "answer", [Answer(429), Answer(408), Answer.unreachable("away"), Answer.timed_out("slow")]
)
def test_a_reading_that_does_not_get_through_is_repeated_without_calling_again(
    answer: Answer,
) -> None:
    host, times = _watching([answer, OK])
    ended = host.finish(host.start(flow_of({"A": call("A", retry=FIXED)})))
    assert [each - START for each in times] == [7.0, 17.0]
    assert (ended.action("A")["status"], len(ended.calls)) == ("Succeeded", 1)


@pytest.mark.parametrize("status", [500, 503, 504])
def test_a_job_that_failed_for_a_while_is_asked_for_anew(status: int) -> None:
    host, times = _watching([Answer(202), Answer(status), OK])
    ended = host.finish(host.start(flow_of({"A": call("A", retry=FIXED)})))
    assert [each - START for each in times] == [7.0, 27.0, 44.0]
    assert [each.attempt for each in ended.calls] == [1, 2]
    assert len({each.idempotency_key for each in ended.calls}) == 1
    assert ended.action("A")["status"] == "Succeeded"
    assert [each["code"] for each in ended.action("A")["retryHistory"]] != []


def test_a_job_that_fails_every_time_fails_the_action_when_its_retries_are_used() -> None:
    host, _ = _watching([Answer(500)] * 9)
    ended = host.finish(host.start(flow_of({"A": call("A", retry={**FIXED, "count": 2})})))
    assert (ended.action("A")["status"], len(ended.calls)) == ("Failed", 3)
    assert ended.action("A")["outputs"]["statusCode"] == 500


def test_a_webhook_action_waits_for_weeks_and_times_out() -> None:
    host, times = _watching([Answer(202, {"Retry-After": "3600"})] * 1000)
    action = call("Ask", kind="OpenApiConnectionWebhook", limit={"timeout": "P7D"})
    late = compose(1, after("A", on=["TimedOut"]))
    started = host.start(flow_of({"A": action, "Late": late}))
    host.advance(days=6.99)
    assert started.status == "Running"
    host.advance(days=1)
    assert started.action("A")["status"] == "TimedOut"
    assert started.action("A")["code"] == "ActionTimedOut"
    assert started.action("Late")["status"] == "Succeeded"
    assert started.status == "Succeeded"
    assert len(times) < 200, "nobody reads after the time-out"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("PT20S", 20),
        ("P7D", 604800),
        ("PT1H30M", 5400),
        ("P1DT1S", 86401),
        ("PT05S", 5),
        ("P2W", 1209600),
    ],
)
def test_durations(text: str, seconds: float) -> None:
    assert duration_seconds(text) == seconds


@pytest.mark.parametrize("text", ["", "P", "PT", "20", "PT-5S", None, 5])
def test_what_is_no_duration_is_refused(text: Any) -> None:
    with pytest.raises(ValueError, match="is not a duration"):
        duration_seconds(text)


@pytest.mark.parametrize(("count", "unit"), [("x", "Day"), (1, "Moment"), (-1, "Day")])
def test_what_is_no_interval_is_refused(count: Any, unit: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        unit_seconds(count, unit)
