"""Rate limits slide, quotas stand still; both exact."""

from __future__ import annotations

import pytest

from hybridmandate.governance.gateway.counters import ProcessCounters


class Clock:
    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_sliding_window_frees_room_call_by_call(clock: Clock) -> None:
    counters = ProcessCounters(clock)
    assert counters.slide("k", 2, 60, 1).allowed
    clock.now += 30
    assert counters.slide("k", 2, 60, 1).allowed
    refused = counters.slide("k", 2, 60, 1)
    assert not refused.allowed
    assert refused.wait == 30
    clock.now += 30
    assert counters.slide("k", 2, 60, 1).allowed
    assert not counters.slide("k", 2, 60, 1).allowed


def test_a_refused_call_is_not_counted(clock: Clock) -> None:
    counters = ProcessCounters(clock)
    counters.slide("k", 1, 60, 1)
    for _ in range(50):
        assert not counters.slide("k", 1, 60, 1).allowed
    clock.now += 60
    assert counters.slide("k", 1, 60, 1).allowed


def test_no_window_of_the_period_ever_holds_more_than_the_limit(clock: Clock) -> None:
    counters = ProcessCounters(clock)
    passed = []
    for _ in range(600):
        if counters.slide("k", 7, 10, 1).allowed:
            passed.append(clock.now)
        clock.now += 0.37
    assert passed
    for moment in passed:
        assert sum(moment - 10 < other <= moment for other in passed) <= 7


def test_fixed_window_ends_for_all_at_once(clock: Clock) -> None:
    counters = ProcessCounters(clock)
    assert counters.fixed("k", 2, 0, 300, 1).allowed
    assert counters.fixed("k", 2, 0, 300, 1).allowed
    refused = counters.fixed("k", 2, 0, 300, 1)
    assert not refused.allowed
    assert 0 < refused.wait <= 300
    clock.now += refused.wait
    assert counters.fixed("k", 2, 0, 300, 1).allowed


def test_a_quota_without_period_never_comes_back(clock: Clock) -> None:
    counters = ProcessCounters(clock)
    counters.fixed("k", 1, 0, 0, 1)
    clock.now += 1e9
    assert counters.fixed("k", 1, 0, 0, 1).wait == float("inf")


def test_keys_do_not_disturb_each_other(clock: Clock) -> None:
    counters = ProcessCounters(clock)
    counters.slide("a", 1, 60, 1)
    assert counters.slide("b", 1, 60, 1).allowed


def test_memory_follows_live_keys(clock: Clock) -> None:
    counters = ProcessCounters(clock, sweep_every=100)
    for number in range(1000):
        counters.slide(f"k{number}", 1, 1, 1)
        counters.fixed(f"k{number}", 1, 0, 1, 1)
        clock.now += 1
    assert len(counters._sliding) < 200
    assert len(counters._fixed) < 200
