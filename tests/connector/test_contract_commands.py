"""Usage comes from the evidence; the OpenAPI document has what the solution publishes."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV30SpecValidator
from typer.testing import CliRunner

from hybridmandate.cli.contract import app
from hybridmandate.evidence.store import COLUMNS, open_store

DAY_NS = 86_400 * 10**9


@pytest.fixture
def state(tmp_path: Path) -> Path:
    store = open_store(tmp_path / "evidence" / "evidence.db")
    now = time.time_ns()
    rows = [
        ("call.finished", "files.store/1", "flow-a", "succeeded", None, now - 40 * DAY_NS),
        ("call.finished", "files.store/1", "flow-a", "replayed", None, now - DAY_NS),
        ("call.finished", "files.store/2", "flow-a", "succeeded", None, now),
        ("call.finished", "files.store/1", "flow-b", "failed", "timeout", now),
        ("call.received", "files.store/1", "flow-b", "succeeded", None, now),
    ]
    blank = dict.fromkeys(COLUMNS, "") | dict.fromkeys(
        ("duration_ms", "bytes_in", "bytes_out", "attempt"), 0
    )
    for sequence, (kind, subject, principal, outcome, failure, at) in enumerate(rows):
        values: dict[str, Any] = blank | {
            "chain": "c", "sequence": sequence, "time_ns": at, "kind": kind, "subject": subject,
            "principal": principal, "outcome": outcome, "failure_type": failure,
        }  # fmt: skip
        marks = ", ".join("?" * len(COLUMNS))
        store.execute(f"INSERT INTO evidence VALUES ({marks})", [values[c] for c in COLUMNS])
    store.close()
    return tmp_path


def use(state: Path, *options: str) -> dict[tuple[str, int, str], tuple[int, int, int]]:
    result = CliRunner().invoke(app, ["usage", "--state", str(state), "--json", *options])
    assert result.exit_code == 0, result.output
    return {
        (r["operation"], r["version"], r["principal"]): (r["executed"], r["replayed"], r["failed"])
        for r in json.loads(result.stdout)
    }


def test_usage_counts_calls_by_version_and_principal(state: Path) -> None:
    assert use(state) == {
        ("files.store", 1, "flow-a"): (2, 1, 0),
        ("files.store", 1, "flow-b"): (1, 0, 1),
        ("files.store", 2, "flow-a"): (1, 0, 0),
    }


def test_usage_since_leaves_out_what_is_older(state: Path) -> None:
    assert use(state, "--since", "30 d")[("files.store", 1, "flow-a")] == (1, 1, 0)


def test_usage_refuses_a_time_that_is_none(state: Path) -> None:
    result = CliRunner().invoke(app, ["usage", "--state", str(state), "--since", "soon"])
    assert result.exit_code == 2


def test_usage_says_when_there_is_no_store(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["usage", "--state", str(tmp_path)])
    assert result.exit_code == 1
    assert "no evidence store" in result.output


def test_openapi_has_the_published_operations_only() -> None:
    result = CliRunner().invoke(
        app, ["openapi", "--host", "g.example", "--solution", "examples/vendor-invoices"]
    )
    document = json.loads(result.stdout)
    assert list(OpenAPIV30SpecValidator(document).iter_errors()) == []
    assert set(document["paths"]) == {
        "/operations/files.read/v1",
        "/operations/files.store/v1",
        "/operations/spreadsheets.normalize/v1",
        "/jobs/{job}",
    }
