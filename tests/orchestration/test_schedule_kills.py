"""`kill -9` of a process that makes up for missed windows: each window has one run, one effect."""

from __future__ import annotations

import random
from datetime import datetime
from itertools import pairwise
from pathlib import Path

import pytest
from kill_kit import finish, history_of, kill_at_call, lines_of, start

WORKER = "schedule_worker.py"
WINDOWS = 12
pytestmark = pytest.mark.kill


def _effects(folder: Path) -> list[str]:
    return [each.read_text() for each in (folder / "effects").iterdir()]


def test_missed_windows_are_made_up_for_once_whatever_dies(tmp_path: Path) -> None:
    moments, kills = random.Random(5), 0
    for calls in (1, 4, 8):
        kills += kill_at_call(start(WORKER, tmp_path), tmp_path, calls, moments, 0.2)
    finish(WORKER, tmp_path)
    assert kills == 3

    history = history_of(tmp_path)
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
    calls_made = lines_of(tmp_path / "calls.log")
    assert {each["beside"] for each in calls_made} <= {1, 2}, "two runs of the trigger at a time"
    assert len({each["key"] for each in calls_made}) == WINDOWS

    lines = lines_of(tmp_path / "evidence.log")
    assert [each["kind"] for each in lines].count("flow.run") == WINDOWS
