"""A file above the synchronous limit becomes a job by itself and outlives its process."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from execution_kit import as_gateway
from job_process import JobProcess, wait_for

from hybridmandate.execution.services.spreadsheets import ProfileLibrary, normalize
from hybridmandate.execution.services.spreadsheets.operation import SYNC_FILE_BYTES

ROOT = Path(__file__).parents[2]
PROFILES = ROOT / "examples" / "vendor-invoices" / "profiles"
ROLES = "Spreadsheets.Normalize,Files.Store,Files.Read"
NORMALIZE = "/operations/spreadsheets.normalize/v1"


@pytest.fixture
def process(tmp_path: Path) -> Iterator[JobProcess]:
    found = JobProcess(tmp_path, "spreadsheet_worker.py", as_gateway(roles=ROLES))
    found.start(str(PROFILES))
    yield found
    found.close()


def large_content() -> bytes:
    """A file above the limit; every fourth row has a currency that the profile does not know."""
    rows = ["Vendor No,Invoice No,Invoice date,Due date,Amount,Currency,Description"]
    remark = "x" * 150
    number = size = 0
    while size <= SYNC_FILE_BYTES:
        currency = "CHF" if number % 4 == 0 else "EUR"
        rows.append(f"V-10001,INV-{number:07},2026-01-05,2026-02-05,{number}.5,{currency},{remark}")
        size += len(rows[-1]) + 1
        number += 1
    return "\n".join(rows).encode()


def store(process: JobProcess, content: bytes) -> str:
    stored = process.client.post(
        "/operations/files.store/v1", content=content, headers={"content-type": "text/csv"}
    )
    assert stored.status_code == 200, stored.text
    return str(stored.json()["data"]["handle"])


@pytest.mark.slow
@pytest.mark.kill
@pytest.mark.skipif(sys.platform == "win32", reason="sends POSIX signals")
def test_large_file_becomes_a_job_that_a_killed_process_does_not_end(process: JobProcess) -> None:
    content = large_content()
    body: dict[str, Any] = {"handle": store(process, content), "profile": "invoice"}
    started = process.client.post(NORMALIZE, json=body)
    assert started.status_code == 202, started.text
    assert started.json()["status"] == "accepted"
    assert int(started.headers["retry-after"]) > 0
    path = started.headers["location"].removeprefix("/exec")

    wait_for(lambda: "progress" in process.client.get(path).json()["data"])
    shown = process.client.get(path)
    assert shown.status_code == 202, "the job ended before the process was killed"
    progress = shown.json()["data"]["progress"]
    assert progress["done"] <= progress["total"]
    assert "accepted" in progress["unit"]
    assert "rejected" in progress["unit"]
    repeated = process.client.post(NORMALIZE, json=body)
    assert (repeated.status_code, repeated.headers["location"]) == (
        202,
        started.headers["location"],
    )
    process.end(signal.SIGKILL)

    process.start(str(PROFILES))
    wait_for(lambda: process.client.get(path).status_code != 202)
    ended = process.client.get(path).json()
    assert ended["status"] == "partiallySucceeded"
    profile = ProfileLibrary.from_folder(PROFILES).find("invoice")
    assert profile is not None
    wanted = normalize(content, profile)
    assert ended["data"]["digest"] == wanted.digest
    assert ended["counts"] == {
        "rowsIn": wanted.rows_in,
        "accepted": wanted.accepted_count,
        "rejected": wanted.rejected_count,
    }
    replayed = process.client.post(NORMALIZE, json=body).json()
    assert replayed["replayed"] is True
    assert replayed["data"] == ended["data"]


def test_file_within_the_limit_is_answered_at_once(process: JobProcess) -> None:
    handle = store(process, (PROFILES.parent / "samples" / "01-clean.csv").read_bytes())
    answered = process.client.post(NORMALIZE, json={"handle": handle, "profile": "invoice"})
    assert answered.status_code == 200, answered.text
    assert answered.json()["status"] == "succeeded"
