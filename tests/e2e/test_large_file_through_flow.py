"""A file twice as large as the shipped limit, through a whole flow and by hand, as a job."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from world import EXAMPLE, World

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("large-file")]

MAX_SIZE = "96 MiB"
MAX_BYTES = 96 * 1024 * 1024
FILE_BYTES = 60 * 1024 * 1024
BY_HAND = "0f8fad5b-d9cb-469f-a165-70867728950e"
HEADER = (
    "Vendor No,Invoice No,Invoice date,Due date,Amount,Currency,Cost center,Remarks of the vendor\n"
)


def large_solution(folder: Path) -> Path:
    """The example with a higher limit at each place that has one."""
    shutil.copytree(EXAMPLE, folder)
    change(folder / "mandate.toml", 'max_size = "32 MiB"', f'max_size = "{MAX_SIZE}"')
    change(folder / "environments/local.toml", "33554432", str(MAX_BYTES))
    return folder


def change(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1, f"{path.name} has no '{old}' any more"
    path.write_text(text.replace(old, new), encoding="utf-8")


@pytest.fixture(scope="module", name="large")
def _large(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("large")
    world = World(folder / "state", large_solution(folder / "solution"))
    yield world
    world.close()


@pytest.fixture(scope="module", name="invoices")
def _invoices(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int, int]:
    """A file of 60 MiB, its rows, and how many have an unknown currency: every hundredth."""
    path = tmp_path_factory.mktemp("invoices") / "year.csv"
    remark = "x" * 400
    rows = 0
    with path.open("w", encoding="ascii", newline="\n") as file:
        size = file.write(HEADER)
        while size < FILE_BYTES:
            currency = "EUR" if rows % 100 else "XXX"
            size += file.write(
                f"V-10001,YEAR-{rows:07},2026-09-01,2026-10-01,{rows}.50,{currency},4100,{remark}\n"
            )
            rows += 1
    return path, rows, -(-rows // 100)


def mandate(world: World, *arguments: str) -> tuple[int, Any, list[str]]:
    """Exit code, JSON of standard output, lines of standard error."""
    result = subprocess.run(
        [sys.executable, "-m", "hybridmandate.cli", *arguments, "--state", str(world.state)],
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )
    assert result.stdout, result.stderr
    return result.returncode, json.loads(result.stdout), result.stderr.splitlines()


def test_flow_takes_a_large_file_as_a_job_and_run_shows_how_far_it_is(
    large: World, invoices: tuple[Path, int, int]
) -> None:
    path, rows, wrong = invoices
    code, run, lines = mandate(large, "run", "InvoiceIntake", "--file", str(path), "--json")
    assert (code, run["status"]) == (0, "Succeeded")
    shown = [json.loads(line)["progress"] for line in lines]
    assert shown, "no progress was shown"
    assert [each["done"] for each in shown] == sorted(each["done"] for each in shown)
    assert shown[-1]["done"] <= rows
    assert re.fullmatch(r"rows, \d+ accepted, \d+ rejected", shown[-1]["unit"])

    tracking = large.tracking(run["correlationId"])
    counts = (tracking["hm_rowsin"], tracking["hm_accepted"], tracking["hm_rejected"])
    assert counts == (rows, rows - wrong, wrong)
    records = large.trace(run["correlationId"]).steps
    *earlier, last = [step.outcome for step in records if step.kind == "job.read"]
    assert set(earlier) <= {"accepted"}, "the flow looked at the job until it had ended"
    assert last == "partiallySucceeded"


def test_call_streams_a_large_file_and_follows_its_job(
    large: World, invoices: tuple[Path, int, int]
) -> None:
    path, rows, wrong = invoices
    code, stored, lines = mandate(large, "call", "files.store/1", "--file", str(path))
    assert (code, lines) == (0, [])
    assert stored["data"]["size"] == path.stat().st_size
    body = json.dumps({"handle": stored["data"]["handle"], "profile": "invoice"})
    call = ("call", "spreadsheets.normalize/1", "--body", body, "--correlation-id", BY_HAND)
    code, outcome, _ = mandate(large, *call, "--wait", "0.1")
    assert (code, outcome["status"]) == (3, "accepted")
    code, outcome, lines = mandate(large, *call)
    assert (code, outcome["status"]) == (0, "partiallySucceeded")
    assert outcome["counts"] == {"rowsIn": rows, "accepted": rows - wrong, "rejected": wrong}
    assert all(re.fullmatch(r"\d+ of \d+ rows, \d+ accepted, \d+ rejected", x) for x in lines)


def test_file_above_the_limit_of_the_solution_is_refused(large: World, tmp_path: Path) -> None:
    path = tmp_path / "decade.csv"
    with path.open("wb") as file:
        file.truncate(MAX_BYTES + 1)
    code, outcome, _ = mandate(large, "call", "files.store/1", "--file", str(path))
    assert code == 1
    assert outcome["failure"]["type"] == "payload_too_large"
