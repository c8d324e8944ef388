"""What the kill tests share: worker processes that host flows in a folder, and their ends."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from hybridmandate.durable import Durable, open_durable
from hybridmandate.durable.database import open_engine
from hybridmandate.evidence.record import Record
from hybridmandate.orchestration.definition import FlowDocument
from hybridmandate.orchestration.history import RunHistory
from hybridmandate.orchestration.shells.catalogue import FlowCatalogue
from hybridmandate.orchestration.shells.durable import FlowHost
from hybridmandate.orchestration.shells.live_run import Services

HERE = Path(__file__).parent


# --- in a worker -------------------------------------------------------------------------------


class FileRecorder:
    """Evidence as lines of a file."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "evidence.log"

    def record(self, record: Record) -> None:
        shown: dict[str, Any] = {"kind": record.kind, "subject": record.subject}
        shown["id"] = record.correlation_id
        with self._file.open("a") as log:
            log.write(json.dumps(shown) + "\n")


def history_of(folder: Path) -> RunHistory:
    return RunHistory(open_engine(f"sqlite:///{folder / 'history.db'}"))


def open_host(folder: Path, services: Services, *flows: FlowDocument) -> tuple[Durable, FlowHost]:
    durable = open_durable(
        name="flow-kills",
        url=f"sqlite:///{folder / 'durable.db'}",
        executor_id="flows",
        application_version="1",
    )
    history = history_of(folder)
    host = FlowHost(
        flows=FlowCatalogue(flows, history),
        durable=durable,
        services=services,
        history=history,
        recorder=FileRecorder(folder),
        clock=time.time,
        variables={},
    )
    return durable, host


# --- in a test ---------------------------------------------------------------------------------


def start(worker: str, *arguments: object) -> subprocess.Popen[str]:
    """A worker process that has said ``ready``."""
    path = os.pathsep.join([str(HERE), os.environ.get("PYTHONPATH", "")])
    process = subprocess.Popen(
        [sys.executable, str(HERE / worker), *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": path},
    )
    assert process.stdout is not None
    if process.stdout.readline().strip() != "ready":
        raise AssertionError(process.communicate()[1])
    return process


def finish(worker: str, *arguments: object) -> None:
    """A worker process that ends by itself."""
    process = start(worker, *arguments)
    said, errors = process.communicate(timeout=60)
    assert (process.returncode, said.strip()) == (0, "ended"), errors


def kill(process: subprocess.Popen[str]) -> bool:
    """`kill -9`; False when the process had ended before."""
    lived = process.poll() is None
    process.kill()
    process.communicate()
    return lived


def kill_at_call(
    process: subprocess.Popen[str], folder: Path, calls: int, moments: random.Random, within: float
) -> bool:
    """Kill a worker up to ``within`` seconds after so many calls have been written."""
    until = time.time() + 4
    while len(lines_of(folder / "calls.log")) < calls and time.time() < until:
        time.sleep(0.005)
    time.sleep(moments.uniform(0.0, within))
    return kill(process)


def lines_of(log: Path) -> list[dict[str, Any]]:
    """The JSON lines of a log, none when it is not there."""
    return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
