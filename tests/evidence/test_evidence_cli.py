"""`mandate trace` and `mandate evidence` on a real store."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest
import typer
from evidence_records import record
from typer.testing import CliRunner

from hybridmandate.cli import evidence
from hybridmandate.cli.trace import trace
from hybridmandate.evidence.checkpoint import ensure_signing_key
from hybridmandate.evidence.record import Tier
from hybridmandate.evidence.writer import EvidenceWriter

app = typer.Typer()
app.command("trace")(trace)
app.add_typer(evidence.app, name="evidence")


@pytest.fixture
def state(tmp_path: Path) -> Path:
    folder = tmp_path / "evidence"
    with EvidenceWriter(
        folder / "evidence.db",
        name="gateway",
        tier=Tier.GATEWAY,
        signing_key=ensure_signing_key(folder),
    ) as writer:
        writer.record(record("flow.run", 0, "flow", subject="Intake", detail={"runId": "r1"}))
        writer.record(
            record(
                "gateway.call",
                40,
                "gateway",
                subject="POST /x[y]",
                principal="flow-a",
                outcome="refused",
                failure_type="throttled",
                bytes_in=3000,
                attempt=2,
                parent="run:r1",
                detail={"refusedBy": "rate-limit-by-key"},
            )
        )
    return tmp_path


def run(*arguments: str | Path, code: int = 0) -> str:
    result = CliRunner().invoke(app, [str(each) for each in arguments], env={"COLUMNS": "160"})
    assert result.exit_code == code, result.output
    return result.output


def test_a_trace_is_readable(state: Path) -> None:
    said = run("trace", "corr-0001", "--state", state)
    assert "flow → gateway" in said
    assert "▶ call POST /x[y]" in said
    assert "refused (throttled)" in said
    assert "2.9 KiB" in said
    assert "1. How long was it in the flow before the first call left? 40 ms" in said
    assert "2. Was it throttled, and how often? yes: 1× at gateway" in said
    assert "7. Who was denied? nobody" in said


def test_a_trace_as_json_names_the_failing_record(state: Path) -> None:
    said = json.loads(run("trace", "corr-0001", "--state", state, "--json"))
    failing = next(step for step in said["steps"] if step["ref"] == said["firstFailing"])
    assert failing["subject"] == "POST /x[y]"
    assert len(said["answers"]) == 7


def test_an_unknown_id_says_what_to_do(state: Path, tmp_path: Path) -> None:
    assert "mandate evidence list" in run("trace", "corr-9999", "--state", state, code=1)
    missing = tmp_path / "elsewhere"
    assert "no evidence store at" in run("trace", "corr-0001", "--state", missing, code=1)
    assert not missing.exists()


def test_verify_says_intact_or_the_place(state: Path) -> None:
    assert "intact" in run("evidence", "verify", "--state", state)
    with sqlite3.connect(state / "evidence" / "evidence.db") as connection:
        connection.execute("DROP TRIGGER evidence_is_not_changed")
        connection.execute("UPDATE evidence SET outcome = 'succeeded' WHERE sequence = 2")
    assert "#2 [content]" in run("evidence", "verify", "--state", state, code=1)
    report = json.loads(run("evidence", "verify", "--state", state, "--json", code=1))
    assert report["intact"] is False
    assert report["breaches"][0]["sequence"] == 2


def test_verify_without_the_public_key_does_not_pass(state: Path) -> None:
    (state / "evidence" / "checkpoint.pub.pem").unlink()
    assert "no public key" in run("evidence", "verify", "--state", state, code=1)


def test_a_principals_records_are_listed_within_a_time(state: Path) -> None:
    listed = ("evidence", "list", "--principal", "flow-a", "--state", state)
    assert "POST /x[y]" in run(*listed)
    assert [r["kind"] for r in json.loads(run(*listed, "--json"))] == ["gateway.call"]
    assert json.loads(run(*listed, "--json", "--until", "2026-01-01")) == []
    assert len(json.loads(run(*listed, "--json", "--since", "2026-01-01T00:00Z"))) == 1
    assert len(json.loads(run(*listed, "--json", "--since", "36500 d"))) == 1
    assert "neither a time" in run(*listed, "--since", "yesterday", code=2)
    assert "no records" in run("evidence", "list", "--principal", "nobody", "--state", state)


def test_an_export_holds_every_record_with_its_digest(state: Path, tmp_path: Path) -> None:
    lines = run("evidence", "export", "--state", state).splitlines()
    file = tmp_path / "out.jsonl"
    run("evidence", "export", "--state", state, "--output", file)
    assert file.read_text(encoding="utf-8").splitlines() == lines
    first, second = (json.loads(line) for line in lines)
    assert second["previous_digest"] == first["digest"]
