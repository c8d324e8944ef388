"""An execution process on the real durable engine, with one job that writes down what it does.

Arguments: folder, port, seconds that the job's middle takes. Every run of the job is a line in
``runs.txt``; the file that it stores is its effect.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import uvicorn
from execution_kit import GATEWAY_APP, NamedTokens, OwnTokens, Records

from hybridmandate.contracts import Call, Limits, Registry, WireModel, operation
from hybridmandate.contracts.declaration import declared_operation
from hybridmandate.durable import open_durable
from hybridmandate.durable.database import open_engine
from hybridmandate.execution.data_client import DataGatewayClient
from hybridmandate.execution.files import LocalFileContent
from hybridmandate.execution.host import create_app
from hybridmandate.execution.settings import DataGatewaySettings, ExecutionSettings

FOLDER, SOCKET, SECONDS = Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])


class Asked(WireModel):
    text: str


class Done(WireModel):
    handle: str


@operation(
    "kill.job",
    version=1,
    role="Test.Job",
    modes={"job"},
    limits=Limits(job_timeout="1 min"),
)
async def job(request: Asked, call: Call) -> Done:
    """Store a file, wait, and answer with its handle."""
    with (FOLDER / "runs.txt").open("a") as runs:
        runs.write(f"{os.getpid()}\n")

    async def content() -> AsyncIterator[bytes]:
        yield request.text.encode()

    kept = await call.files.store(content(), content_type="text/plain", file_name=None)
    await call.progress(1, 2, "parts")
    (FOLDER / "middle").touch()
    await asyncio.sleep(SECONDS)
    return Done(handle=kept.handle)


def main() -> None:
    registry = Registry()
    declared = declared_operation(job)
    assert declared is not None
    registry.add(declared)
    url = f"sqlite:///{FOLDER}/execution.db"
    app = create_app(
        ExecutionSettings(
            gateway_app_id=GATEWAY_APP,
            process_id=f"process-{os.getpid()}",
            spool_folder=FOLDER / "spool",
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
        content=LocalFileContent(FOLDER / "files"),
        data=DataGatewayClient(
            DataGatewaySettings(gateway_url="http://127.0.0.1:1", resource="api://x"),
            OwnTokens(),
            httpx.AsyncClient(),
        ),
    )
    uvicorn.run(app, host="127.0.0.1", port=SOCKET, loop="asyncio", log_level="critical")


if __name__ == "__main__":
    main()
