"""`kill -9` of a process that reads a queue: each message has one run, and none is left."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from kill_kit import finish, history_of, kill_at_call, lines_of, start
from trigger_kit import storage_account

WORKER = "queue_worker.py"
MESSAGES = 40
pytestmark = pytest.mark.kill


def test_each_message_has_one_run_whatever_dies(tmp_path: Path) -> None:
    moments, kills = random.Random(11), 0
    with storage_account(tmp_path) as (address, store, ahead):
        for number in range(MESSAGES):
            store.queues.put("invoices", str(number), invisible=0, life=-1)
        for calls in (1, 6, 14):
            before = len(lines_of(tmp_path / "calls.log"))
            process = start(WORKER, tmp_path, address, MESSAGES)
            kills += kill_at_call(process, tmp_path, before + calls, moments, 0.05)
            ahead[0] += 61
        assert store.queues.properties("invoices") != ({}, 0), "the kills came too late"
        finish(WORKER, tmp_path, address, MESSAGES)
        assert store.queues.properties("invoices") == ({}, 0)
    assert kills == 3
    history = history_of(tmp_path)
    runs = history.runs(flow="Queued", limit=1000)
    assert {each.status for each in runs} == {"Succeeded"}
    texts = [history.actions(each.id)[0]["outputs"] for each in runs]
    assert sorted(texts, key=int) == [str(number) for number in range(MESSAGES)]
