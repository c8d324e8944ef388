"""The execution service as a process of its own on the real durable engine, to end and to start."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import uvicorn
from execution_kit import GATEWAY_APP, NamedTokens, OwnTokens, Records

from hybridmandate.contracts import Registry
from hybridmandate.durable import open_durable
from hybridmandate.durable.database import open_engine
from hybridmandate.execution.data_client import DataGatewayClient
from hybridmandate.execution.files import LocalFileContent
from hybridmandate.execution.host import create_app
from hybridmandate.execution.settings import DataGatewaySettings, ExecutionSettings


def serve(folder: Path, port: int, registry: Registry) -> None:
    """What a worker script does: serve some operations until it is ended."""
    url = f"sqlite:///{folder}/execution.db"
    app = create_app(
        ExecutionSettings(
            gateway_app_id=GATEWAY_APP,
            process_id=f"process-{os.getpid()}",
            spool_folder=folder / "spool",
            service_version="1",
            grace_seconds=0.5,
        ),
        registry,
        verifier=NamedTokens(),
        recorder=Records(),
        durable=open_durable(
            name="execution-test", url=url, executor_id="execution-1", application_version="1"
        ),
        engine=open_engine(url),
        content=LocalFileContent(folder / "files"),
        data=DataGatewayClient(
            DataGatewaySettings(gateway_url="http://127.0.0.1:1", resource="api://x"),
            OwnTokens(),
            httpx.AsyncClient(),
        ),
    )
    uvicorn.run(app, host="127.0.0.1", port=port, loop="asyncio", log_level="critical")


class JobProcess:
    """A worker script on a folder, started again as often as a test wants."""

    def __init__(self, folder: Path, worker: str, headers: dict[str, str]) -> None:
        self.folder = folder
        self.running: subprocess.Popen[bytes] | None = None
        self._worker = Path(__file__).with_name(worker)
        with socket.socket() as found:
            found.bind(("127.0.0.1", 0))
            self.port = found.getsockname()[1]
        self.client = httpx.Client(
            base_url=f"http://127.0.0.1:{self.port}", headers=headers, timeout=60
        )

    def start(self, argument: str) -> None:
        """Start the worker with its folder, its port and one argument; wait until it is ready."""
        self.running = subprocess.Popen(
            [sys.executable, str(self._worker), str(self.folder), str(self.port), argument]
        )
        wait_for(self._ready)

    def end(self, how: int) -> None:
        assert self.running is not None
        self.running.send_signal(how)
        self.running.wait(timeout=10)

    def close(self) -> None:
        self.client.close()
        if self.running is not None and self.running.poll() is None:
            self.running.kill()
            self.running.wait()

    def _ready(self) -> bool:
        try:
            return self.client.get("/health/ready").status_code == 200
        except httpx.TransportError:
            return False


def wait_for(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.03)
