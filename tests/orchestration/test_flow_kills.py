"""`kill -9` of the flows process: the run ends as an undisturbed one, each effect once."""

from __future__ import annotations

import json
import random
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from kill_kit import finish, history_of, kill, kill_at_call, lines_of, start
from saga_campaign import campaign, faults

WORKER = "flow_worker.py"
RUN_ID = "run-under-test"
pytestmark = pytest.mark.kill


def _final(folder: Path) -> tuple[Any, list[Any]]:
    history = history_of(folder)
    stored = history.find(RUN_ID)
    assert stored is not None
    actions = sorted(
        (each["name"], tuple(each["at"]), each["status"], json.dumps(each.get("outputs")))
        for each in history.actions(RUN_ID)
        if each["name"] != "Correlation_id"
    )
    return stored.status, actions


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, list[Any]]:
    folder = tmp_path_factory.mktemp("undisturbed")
    finish(WORKER, folder)
    status, actions = _final(folder)
    assert status == "Succeeded"
    assert ("Sum", (), "Succeeded", "66") in actions
    return status, actions


def test_an_approval_loops_rests_and_a_child_flow_survive_every_kill(tmp_path: Path) -> None:
    for name in ("undisturbed", "killed"):
        (tmp_path / name).mkdir()
    with ThreadPoolExecutor(1) as beside:
        other = beside.submit(campaign, tmp_path / "undisturbed", 0, 0)
        ended = campaign(tmp_path / "killed", seed=3, kills=4)
        undisturbed = other.result()
    assert faults(undisturbed, undisturbed) == []
    assert undisturbed.status == "Succeeded"
    assert faults(ended, undisturbed) == []
    assert ended.kills == 4


def test_killed_again_and_again_a_run_ends_as_an_undisturbed_one(
    tmp_path: Path, undisturbed: tuple[Any, list[Any]]
) -> None:
    moments = random.Random(1)
    kills = 0
    for at_least in (1, 2, 6, 12, 15):
        kills += kill_at_call(start(WORKER, tmp_path), tmp_path, at_least, moments, 0.3)
    finish(WORKER, tmp_path)
    assert _final(tmp_path) == undisturbed
    calls = lines_of(tmp_path / "calls.log")
    assert kills >= 4
    assert len({each["id"] for each in calls}) == 1, "one correlation id in all lives"
    effects = {each["key"] for each in calls if each["action"] != "Flaky"}
    assert len(effects) == 14, "Create, twelve Posts and Job: each under one key"
    repeated = len([each for each in calls if each["action"] != "Flaky"]) - len(effects)
    assert repeated <= 3 * kills, "only what was in flight at a kill is sent again"
    keys = {each["action"]: set() for each in calls}
    for each in calls:
        keys[each["action"]].add(each["key"])
    assert len(keys["Flaky"]) == 1, "attempts share their key"


def test_evidence_tells_each_action_once_over_all_lives(tmp_path: Path) -> None:
    told = tmp_path / "evidence.log"
    for _ in range(2):
        before = len(lines_of(told))
        process = start(WORKER, tmp_path)
        until = time.monotonic() + 20
        while len(lines_of(told)) == before and time.monotonic() < until:
            time.sleep(0.01)
        assert kill(process), "killed while the run goes on"
        assert len(lines_of(told)) > before
    finish(WORKER, tmp_path)
    lines = lines_of(tmp_path / "evidence.log")
    actions = [each["subject"] for each in lines if each["kind"] == "flow.action"]
    assert sorted(set(actions)) == sorted(
        ["Correlation_id", "Count", "Create", "Rest", "Loop", "Post", "Up", "Flaky", "Job", "Sum"]
    )
    assert actions.count("Create") == 1
    assert actions.count("Post") == 12
    assert [each["kind"] for each in lines].count("flow.run") == 1
    assert [each["kind"] for each in lines].count("flow.trigger") == 1
    assert len({each["id"] for each in lines}) == 1
