"""Use of contract versions is told from the evidence of gateway and execution together."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hybridmandate.evidence.checkpoint import ensure_signing_key
from hybridmandate.evidence.record import Record, Tier
from hybridmandate.evidence.store import open_reader
from hybridmandate.evidence.writer import EvidenceWriter
from hybridmandate.governance.gateway.contract_usage import Use, contract_usage

SECOND = 1_000_000_000


def edge(second: int, path: str, principal: str | None, **more: Any) -> Record:
    return Record(second * SECOND, Tier.GATEWAY, "gateway.call", path, None, principal, **more)


def run(second: int, subject: str, principal: str, **more: Any) -> Record:
    return Record(
        second * SECOND, Tier.EXECUTION, "call.finished", subject, None, principal, **more
    )


V1, V2 = "POST /exec/operations/files.read/v1", "POST /exec/operations/files.read/v2"
RETIRED = {"outcome": "refused", "failure_type": "contract_retired"}
RECORDS = [
    edge(10, V1, "ada"),
    run(10, "files.read/1", "ada"),
    edge(20, V1, "ada"),
    run(20, "files.read/1", "ada", outcome="replayed"),
    edge(30, V1, "ada", **RETIRED),
    edge(31, V1, "bob", **RETIRED),
    edge(40, V2, "ada"),
    run(40, "files.read/2", "ada", outcome="failed", failure_type="internal_error"),
    edge(50, "POST /data/views/vendors/v1", "ada"),
    edge(60, V2, None, outcome="refused", failure_type="unauthorized"),
    edge(70, "GET /exec/jobs/{job}", "ada"),
    edge(71, "POST /", None, outcome="refused", failure_type="not_found"),
    run(72, "clean_up", "ada"),
]


@pytest.fixture(name="uses", params=[0, 35])
def _uses(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[tuple[int, list[Use]]]:
    path = tmp_path / "evidence.db"
    writer = EvidenceWriter(
        path, name="t", tier=Tier.GATEWAY, signing_key=ensure_signing_key(tmp_path / "keys")
    )
    for record in RECORDS:
        writer.record(record)
    writer.close()
    reader = open_reader(path)
    yield request.param, contract_usage(reader, request.param * SECOND)
    reader.close()


def test_each_version_and_caller_is_counted_at_edge_and_execution(
    uses: tuple[int, list[Use]],
) -> None:
    since, found = uses
    told = [
        (u.operation, u.version, u.principal, u.calls, u.refused, u.retired, u.executed)
        for u in found
    ]
    later = [
        ("data.view.vendors", 1, "ada", 1, 0, 0, 0),
        ("files.read", 2, None, 1, 1, 0, 0),
        ("files.read", 2, "ada", 1, 0, 0, 1),
    ]
    first = [("files.read", 1, "bob", 1, 1, 1, 0), ("files.read", 1, "ada", 3, 1, 1, 2)]
    assert told == (later if since else [later[0], *first, *later[1:]])


def test_replays_failures_and_times_are_told(uses: tuple[int, list[Use]]) -> None:
    since, found = uses
    by_contract = {(u.operation, u.version, u.principal): u for u in found}
    assert by_contract["files.read", 2, "ada"].failed == 1
    if not since:
        use = by_contract["files.read", 1, "ada"].to_json()
        assert (use["replayed"], use["failed"]) == (1, 0)
        assert (use["first"], use["last"]) == (
            "1970-01-01T00:00:10+00:00",
            "1970-01-01T00:00:30+00:00",
        )
