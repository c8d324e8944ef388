"""Worker processes of one machine share limits; the same statements hold as for one process."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from hybridmandate.governance.gateway.worker_counters import CELLS, WorkerCounters


class Clock:
    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(name="clock")
def _clock() -> Clock:
    return Clock()


@pytest.fixture(name="workers")
def _workers(tmp_path: Path, clock: Clock) -> Iterator[list[WorkerCounters]]:
    """Three workers on one file."""
    found = [WorkerCounters(tmp_path / "counts", clock, slots=512) for _ in range(3)]
    yield found
    for each in found:
        each.close()


def test_no_window_of_the_period_ever_holds_more_than_the_limit(
    workers: list[WorkerCounters], clock: Clock
) -> None:
    passed = []
    for number in range(2000):
        if workers[number % 3].slide("k", 7, 10, 1).allowed:
            passed.append(clock.now)
        clock.now += 0.0371 * (number % 5)
    assert len(passed) > 50
    for moment in passed:
        assert sum(moment - 10 < other <= moment for other in passed) <= 7


def test_room_is_given_back_late_by_at_most_a_cell(
    workers: list[WorkerCounters], clock: Clock
) -> None:
    assert workers[0].slide("k", 1, 60, 1).allowed
    refused = workers[1].slide("k", 1, 60, 1)
    assert 60 <= refused.wait <= 60 + 60 / CELLS
    clock.now += refused.wait - 0.001
    assert not workers[2].slide("k", 1, 60, 1).allowed
    clock.now += 0.001
    assert workers[2].slide("k", 1, 60, 1).allowed


def test_quota_is_exact_for_all_workers_together(
    workers: list[WorkerCounters], clock: Clock
) -> None:
    answers = [workers[n % 3].fixed("k", 10, 0.0, 300, 1).allowed for n in range(20)]
    assert answers == [True] * 10 + [False] * 10
    clock.now += workers[0].fixed("k", 10, 0.0, 300, 1).wait
    assert workers[1].fixed("k", 10, 0.0, 300, 1).allowed
    assert workers[2].add_fixed("k", 0.0, 300, 2.5) == 3.5


def test_a_quota_without_period_never_comes_back(
    workers: list[WorkerCounters], clock: Clock
) -> None:
    workers[0].fixed("k", 1, 0, 0, 1)
    clock.now += 1e8
    assert workers[1].fixed("k", 1, 0, 0, 1).wait == float("inf")


def test_asking_without_taking_counts_nothing(workers: list[WorkerCounters]) -> None:
    assert workers[0].slide("k", 1, 60, 0).allowed
    assert workers[1].slide("k", 1, 60, 1).allowed
    assert not workers[2].slide("k", 1, 60, 0).allowed
    assert workers[0].add_sliding("k", 60, 3) == 4


def test_slots_of_ended_windows_are_used_again(workers: list[WorkerCounters], clock: Clock) -> None:
    for number in range(5000):
        assert workers[number % 3].slide(f"k{number}", 1, 1, 1).allowed
        clock.now += 0.05


def test_key_without_room_is_refused_until_there_is_some_and_never_passed(
    workers: list[WorkerCounters], clock: Clock
) -> None:
    counters = workers[0]
    refused = []
    for number in range(5000):
        sliding = counters.slide(f"k{number}", 10, 300, 1)
        fixed = counters.fixed(f"q{number}", 10, 0, 1000, 1)
        refused += [each for each in (sliding, fixed) if not each.allowed]
    assert refused
    assert all(0 < each.wait <= 1000 and each.used == 10 for each in refused)
    assert counters.slide("k0", 10, 300, 1).used == 2
    assert counters.add_sliding("other", 300, 7) == 7
    clock.now += 1001
    assert counters.slide("k4999", 10, 300, 1).allowed


@pytest.mark.parametrize(
    ("content", "reason"), [(b"x" * 100, "another number of slots"), (b"", None)]
)
def test_a_file_of_another_kind_is_not_written_to(
    tmp_path: Path, clock: Clock, content: bytes, reason: str | None
) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    if reason is None:
        WorkerCounters(path, clock, slots=8).close()
        return
    with pytest.raises(ValueError, match=reason):
        WorkerCounters(path, clock, slots=8)
    assert path.read_bytes() == content


WORKER = """
import sys, time
from pathlib import Path
from hybridmandate.governance.gateway.worker_counters import WorkerCounters
counters = WorkerCounters(Path(sys.argv[1]), time.time)
print("ready", flush=True)
sys.stdin.readline()
passed = 0
for _ in range(int(sys.argv[2])):
    passed += counters.slide("one", 500, 60, 1).allowed
    counters.add_fixed("all", 0.0, 0, 1)
print(passed, flush=True)
sys.stdin.readline()
"""


def test_processes_that_run_at_once_lose_no_count_and_a_killed_one_holds_no_lock(
    tmp_path: Path,
) -> None:
    path, calls = tmp_path / "counts", 3000
    WorkerCounters(path, time.time).close()
    started = [
        subprocess.Popen(
            [sys.executable, "-c", WORKER, str(path), str(calls)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ},
        )
        for _ in range(3)
    ]
    try:
        for each in started:
            assert each.stdout is not None
            assert each.stdout.readline() == "ready\n"
        for each in started:
            assert each.stdin is not None
            each.stdin.write("\n")
            each.stdin.flush()
        passed = sum(int(each.stdout.readline()) for each in started if each.stdout is not None)
        started[0].kill()
        started[0].wait()
        counters = WorkerCounters(path, time.time)
        assert passed == 500
        assert counters.add_fixed("all", 0.0, 0, 1) == 3 * calls + 1
        counters.close()
    finally:
        for each in started:
            each.kill()
            each.communicate()
