"""An execution process with one job that writes down what it does.

Arguments: folder, port, seconds that the job's middle takes. Every run of the job is a line in
``runs.txt``; the file that it stores is its effect.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

from job_process import serve

from hybridmandate.contracts import Call, Limits, Registry, WireModel, operation
from hybridmandate.contracts.declaration import declared_operation

FOLDER, PORT, SECONDS = Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])


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
    serve(FOLDER, PORT, registry)


if __name__ == "__main__":
    main()
