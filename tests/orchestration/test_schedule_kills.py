"""`kill -9` of a process that makes up for missed windows: each window has one run, one effect."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from hybridmandate.durable.database import open_engine
from hybridmandate.orchestration.history import RunHistory

WORKER = Path(__file__).with_name("schedule_worker.py")
WINDOWS = 12
pytestmark = pytest.mark.kill


def _start(folder: Path) -> subprocess.Popen[str]:
    path = os.pathsep.join([str(WORKER.parent), os.environ.get("PYTHONPATH", "")])
    process = subprocess.Popen(
        [sys.executable, str(WORKER), str(folder)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": path},
    )
    assert process.stdout is not None
    if process.stdout.readline().strip() != "ready":
        raise AssertionError(process.communicate()[1])
    return process


def _effects(folder: Path) -> list[str]:
    return [each.read_text() for each in (folder / "effects").iterdir()]


def _calls(folder: Path) -> list[dict[str, Any]]:
    log = folder / "calls.log"
    return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []


def test_missed_windows_are_made_up_for_once_whatever_dies(tmp_path: Path) -> None:
    moments, kills = random.Random(5), 0
    for calls in (1, 4, 8):
        process = _start(tmp_path)
        until = time.time() + 4
        while len(_calls(tmp_path)) < calls and time.time() < until:
            time.sleep(0.005)
        time.sleep(moments.uniform(0.0, 0.2))
        if process.poll() is None:
            process.kill()
            kills += 1
        process.communicate()
    process = _start(tmp_path)
    said, errors = process.communicate(timeout=60)
    assert (process.returncode, said.strip()) == (0, "ended"), errors
    assert kills == 3

    history = RunHistory(open_engine(f"sqlite:///{tmp_path / 'flows.db'}"))
    runs = history.runs(flow="Windows", limit=100)
    assert [each.status for each in runs] == ["Succeeded"] * WINDOWS
    for run in runs:
        actions = [(each["name"], each["status"]) for each in history.actions(run.id)]
        assert actions == [("Book", "Succeeded"), ("Rest", "Succeeded"), ("Say", "Succeeded")]

    effects = _effects(tmp_path)
    assert len(effects) == WINDOWS, "one effect a window: no key was made twice"
    starts = sorted(datetime.fromisoformat(each).timestamp() for each in effects)
    assert [round(b - a) for a, b in pairwise(starts)] == [3600] * (WINDOWS - 1), (
        "no window is lost"
    )
    calls_made = _calls(tmp_path)
    assert {each["beside"] for each in calls_made} <= {1, 2}, "two runs of the trigger at a time"
    assert len({each["key"] for each in calls_made}) == WINDOWS

    lines = [json.loads(each) for each in (tmp_path / "evidence.log").read_text().splitlines()]
    assert [each["kind"] for each in lines].count("flow.run") == WINDOWS
