"""Jobs on the real durable engine, in real processes that end at bad moments."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from execution_kit import as_gateway
from job_process import JobProcess, wait_for

JOB = "/operations/kill.job/v1"
BODY = {"text": "effect"}


@pytest.fixture
def process(tmp_path: Path) -> Iterator[JobProcess]:
    found = JobProcess(tmp_path, "job_worker.py", as_gateway())
    yield found
    found.close()


def runs(folder: Path) -> int:
    """How often the job began."""
    return len((folder / "runs.txt").read_text().splitlines())


@pytest.mark.kill
@pytest.mark.skipif(sys.platform == "win32", reason="sends POSIX signals")
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM], ids=["killed", "stopped"])
def test_job_of_a_process_that_ends_is_finished_by_the_next_with_one_effect(
    process: JobProcess, how: signal.Signals
) -> None:
    process.start("60")
    started = process.client.post(JOB, json=BODY)
    assert started.status_code == 202, started.text
    path = started.headers["location"].removeprefix("/exec")
    wait_for((process.folder / "middle").exists)
    wait_for(lambda: "progress" in process.client.get(path).json()["data"])
    process.end(how)
    assert runs(process.folder) == 1

    process.start("0")
    wait_for(lambda: process.client.get(path).status_code != 202)
    ended = process.client.get(path)
    assert ended.status_code == 200, ended.text
    assert ended.json()["status"] == "succeeded"
    assert runs(process.folder) == 2
    [file] = [path for path in (process.folder / "files").rglob("*") if path.is_file()]
    assert file.name == ended.json()["data"]["handle"]

    again = process.client.post(JOB, json=BODY)
    assert again.status_code == 200
    assert again.json()["replayed"] is True
    assert again.json()["data"] == ended.json()["data"]
    assert runs(process.folder) == 2
