"""Jobs on the real durable engine, in real processes that end at bad moments."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from execution_kit import as_gateway

WORKER = Path(__file__).with_name("job_worker.py")
JOB = "/operations/kill.job/v1"
BODY = {"text": "effect"}


class Process:
    """The worker of a folder, started again as often as a test wants."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.running: subprocess.Popen[bytes] | None = None
        with socket.socket() as found:
            found.bind(("127.0.0.1", 0))
            self.port = found.getsockname()[1]
        self.client = httpx.Client(
            base_url=f"http://127.0.0.1:{self.port}", headers=as_gateway(), timeout=10
        )

    def start(self, seconds: float) -> None:
        self.running = subprocess.Popen(
            [sys.executable, str(WORKER), str(self.folder), str(self.port), str(seconds)]
        )
        wait_for(self._ready)

    def end(self, how: int) -> None:
        assert self.running is not None
        self.running.send_signal(how)
        self.running.wait(timeout=10)

    def runs(self) -> int:
        path = self.folder / "runs.txt"
        return len(path.read_text().splitlines()) if path.exists() else 0

    def files(self) -> list[Path]:
        return [p for p in (self.folder / "files").rglob("*") if p.is_file()]

    def _ready(self) -> bool:
        try:
            return self.client.get("/health/ready").status_code == 200
        except httpx.TransportError:
            return False


def wait_for(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.03)


@pytest.fixture
def process(tmp_path: Path) -> Iterator[Process]:
    found = Process(tmp_path)
    yield found
    found.client.close()
    if found.running is not None and found.running.poll() is None:
        found.running.kill()
        found.running.wait()


@pytest.mark.kill
@pytest.mark.skipif(sys.platform == "win32", reason="sends POSIX signals")
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM], ids=["killed", "stopped"])
def test_job_of_a_process_that_ends_is_finished_by_the_next_with_one_effect(
    process: Process, how: signal.Signals
) -> None:
    process.start(seconds=60)
    started = process.client.post(JOB, json=BODY)
    assert started.status_code == 202, started.text
    path = started.headers["location"].removeprefix("/exec")
    wait_for((process.folder / "middle").exists)
    wait_for(lambda: "progress" in process.client.get(path).json()["data"])
    process.end(how)
    assert process.runs() == 1

    process.start(seconds=0)
    wait_for(lambda: process.client.get(path).status_code != 202)
    ended = process.client.get(path)
    assert ended.status_code == 200, ended.text
    assert ended.json()["status"] == "succeeded"
    assert process.runs() == 2
    [file] = process.files()
    assert file.name == ended.json()["data"]["handle"]

    again = process.client.post(JOB, json=BODY)
    assert again.status_code == 200
    assert again.json()["replayed"] is True
    assert again.json()["data"] == ended.json()["data"]
    assert process.runs() == 2
