"""What `kill -9` may do to durable work: nothing that anybody sees in the end."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from hybridmandate.durable.database import open_engine
from hybridmandate.durable.step_table import StepTable

WORKER = Path(__file__).with_name("durable_worker.py")
RUNS = 4
pytestmark = pytest.mark.kill


class Worker:
    """A child process and what it has said."""

    def __init__(self, url: str, executor: str, log: Path, mode: str, runs: int = RUNS) -> None:
        self._log = log
        arguments = [url, executor, str(log), str(runs), mode]
        self._process = subprocess.Popen(
            [sys.executable, str(WORKER), *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def until_ready(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.strip() == "ready":
                return
        raise AssertionError(f"the worker ended: {self._process.communicate()[1]}")

    def until_begun(self, steps: int) -> None:
        """Wait until so many steps have begun, in all lives together."""
        until = time.monotonic() + 60
        while _begun(self._log).total() < steps:
            assert time.monotonic() < until, f"{steps} steps never began"
            time.sleep(0.005)

    def kill(self) -> None:
        self._process.kill()
        self._process.communicate()

    def finish(self) -> list[str]:
        said, errors = self._process.communicate(timeout=150)
        assert self._process.returncode == 0, errors
        assert errors == "", "nothing may be logged to the console"
        return said.splitlines()


def _begun(log: Path) -> Counter[str]:
    return Counter(log.read_text().splitlines()) if log.exists() else Counter()


def _finished(url: str) -> set[str]:
    engine = open_engine(url)
    try:
        steps = StepTable(engine)
        return {
            f"run-{number} {name.removesuffix('#1')}"
            for number in range(RUNS)
            for name in steps.read(f"run-{number}")
            if not name.startswith("now")
        }
    finally:
        engine.dispose()


ENDED = [f"end run-{n} succeeded True" for n in range(RUNS)]


def test_killed_anywhere_each_finished_step_has_run_once(database_url: str, tmp_path: Path) -> None:
    moments = random.Random(7)
    log = tmp_path / "steps.log"
    final: dict[str, int] = {}
    for at_least in (1, 6, 14, 20):
        worker = Worker(database_url, "only", log, "hold")
        worker.until_ready()
        worker.until_begun(at_least)
        time.sleep(moments.uniform(0.0, 0.2))
        worker.kill()
        begun = _begun(log)
        for step in _finished(database_url):
            final.setdefault(step, begun[step])
    said = Worker(database_url, "only", log, "finish").finish()
    begun = _begun(log)
    assert [line for line in said if line.startswith("end")] == ENDED
    assert final, "no step had finished before a kill: the test would prove nothing"
    assert {step: begun[step] for step in final} == final
    assert set(begun) == _finished(database_url)


def test_a_living_executor_finishes_what_a_killed_one_left(
    database_url: str, tmp_path: Path
) -> None:
    log = tmp_path / "steps.log"
    dying = Worker(database_url, "dying", log, "hold")
    dying.until_ready()
    living = Worker(database_url, "living", log, "watch")
    living.until_ready()
    dying.until_begun(6)
    dying.kill()
    begun, finished = _begun(log), _finished(database_url)
    said = living.finish()
    assert [line for line in said if line.startswith("end")] == ENDED
    assert finished
    assert {step: _begun(log)[step] for step in finished} == {s: begun[s] for s in finished}


def test_two_living_executors_never_run_a_step_twice(database_url: str, tmp_path: Path) -> None:
    log = tmp_path / "steps.log"
    first = Worker(database_url, "first", log, "hold")
    first.until_ready()
    second = Worker(database_url, "second", log, "watch")
    second.until_ready()
    # Longer than an executor may miss its heartbeat: both have looked for the dead by then.
    time.sleep(1.5)
    said = second.finish()
    first.kill()
    assert [line for line in said if line.startswith("end")] == ENDED
    assert set(_begun(log).values()) == {1}


def test_processes_that_start_the_same_ids_start_each_once(
    database_url: str, tmp_path: Path
) -> None:
    workers = [
        Worker(database_url, f"racer-{n}", tmp_path / "steps.log", "race", runs=12)
        for n in range(3)
    ]
    said = [line for worker in workers for line in worker.finish()]
    new = [id for line in said if line.startswith("new") for id in line.split()[1:]]
    assert sorted(new) == sorted(f"run-{n}" for n in range(12))
