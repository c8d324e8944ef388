"""Whoever changes evidence is found out: where, and what differs."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from evidence_records import record

from hybridmandate.evidence.checkpoint import ensure_signing_key, read_public_key
from hybridmandate.evidence.record import Tier
from hybridmandate.evidence.store import open_reader
from hybridmandate.evidence.verification import VerificationReport, verify
from hybridmandate.evidence.writer import EvidenceWriter

KEY = Ed25519PrivateKey.generate()
GUARDS = [
    f"{table}_is_not_{what}"
    for table in ("evidence", "checkpoint")
    for what in ("changed", "deleted", "replaced")
]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Three chains of ten records: a, b and c, each with a checkpoint at its close."""
    path = tmp_path / "evidence.db"
    for name in ("a", "b", "c"):
        with EvidenceWriter(path, name=name, tier=Tier.EXECUTION, signing_key=KEY) as writer:
            for number in range(10):
                writer.record(record(at_ms=number, detail={"n": number}))
    return path


def checked(path: Path, key: Ed25519PrivateKey = KEY) -> VerificationReport:
    return verify(open_reader(path), key.public_key())


def tamper(path: Path, *statements: str) -> None:
    """Change the store as somebody would who may write the file: without its triggers."""
    with sqlite3.connect(path) as connection:
        for guard in GUARDS:
            connection.execute(f"DROP TRIGGER {guard}")
        for statement in statements:
            assert connection.execute(statement).rowcount > 0


def test_an_untouched_store_is_intact(path: Path) -> None:
    report = checked(path)
    assert report.intact
    assert (report.records, report.chains, report.checkpoints) == (30, 3, 3)
    assert report.unsigned_records == 0
    assert report.to_json()["breaches"] == []


@pytest.mark.parametrize(
    ("statement", "chain", "sequence", "rule"),
    [
        ("UPDATE evidence SET outcome='failed' WHERE {a} AND sequence=4", "a", 4, "content"),
        ("UPDATE evidence SET duration_ms=9 WHERE {a} AND sequence=1", "a", 1, "content"),
        ("UPDATE evidence SET detail='{{}}' WHERE {b} AND sequence=10", "b", 10, "content"),
        ("UPDATE evidence SET principal='x' WHERE {c} AND sequence=2", "c", 2, "content"),
        ("UPDATE evidence SET digest='0' WHERE {b} AND sequence=3", "b", 3, "content"),
        ("UPDATE evidence SET previous_digest='0' WHERE {b} AND sequence=3", "b", 3, "link"),
        ("DELETE FROM evidence WHERE {a} AND sequence=5", "a", 6, "gap"),
        ("DELETE FROM evidence WHERE {a} AND sequence=1", "a", 2, "gap"),
        ("DELETE FROM evidence WHERE {b} AND sequence>=8", "b", 8, "tail"),
        ("DELETE FROM evidence WHERE {c}", "c", 1, "tail"),
        ("UPDATE checkpoint SET heads='{{}}' WHERE number=3", "checkpoint", 3, "signature"),
        ("UPDATE checkpoint SET time_ns=1 WHERE number=1", "checkpoint", 1, "signature"),
        ("DELETE FROM checkpoint WHERE number=2", "checkpoint", 3, "gap"),
    ],
)
def test_each_change_is_found_at_its_place(
    path: Path, statement: str, chain: str, sequence: int, rule: str
) -> None:
    places = {name: f"chain LIKE '{name}-%'" for name in "abc"}
    tamper(path, statement.format(**places))
    report = checked(path)
    assert not report.intact
    assert report.first is not None
    assert report.first.chain.split("-")[0] == chain
    assert (report.first.sequence, report.first.rule) == (sequence, rule)


def test_a_chain_rewritten_with_right_digests_contradicts_its_checkpoint(path: Path) -> None:
    """Who recomputes all digests still cannot sign."""
    from hybridmandate.evidence.chain import expected_digest
    from hybridmandate.evidence.store import COLUMNS, StoredRecord

    tamper(path, "UPDATE evidence SET outcome='failed' WHERE chain LIKE 'a-%' AND sequence=7")
    with sqlite3.connect(path) as connection:
        previous = ""
        query = (
            f"SELECT {', '.join(COLUMNS)} FROM evidence WHERE chain LIKE 'a-%' ORDER BY sequence"
        )
        for row in connection.execute(query).fetchall():
            values = dict(zip(COLUMNS, row, strict=True))
            values["previous_digest"] = previous or values["previous_digest"]
            previous = expected_digest(StoredRecord(**values))
            connection.execute(
                "UPDATE evidence SET previous_digest=?, digest=? WHERE chain=? AND sequence=?",
                (values["previous_digest"], previous, values["chain"], values["sequence"]),
            )
    report = checked(path)
    assert report.first is not None
    assert (report.first.sequence, report.first.rule) == (10, "content")
    assert "checkpointed" in report.first.message


def test_another_key_does_not_verify(path: Path) -> None:
    report = checked(path, Ed25519PrivateKey.generate())
    assert [breach.rule for breach in report.breaches] == ["signature"] * 3


@pytest.mark.parametrize("table", ["evidence", "checkpoint"])
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE {table} SET time_ns = 1",
        "DELETE FROM {table}",
        "INSERT OR REPLACE INTO {table} SELECT * FROM {table} LIMIT 1",
    ],
)
def test_the_store_itself_refuses_changes(path: Path, table: str, statement: str) -> None:
    with (
        sqlite3.connect(path) as connection,
        pytest.raises(sqlite3.IntegrityError, match="append-only"),
    ):
        connection.execute(statement.format(table=table))


def test_records_later_than_the_last_checkpoint_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "evidence.db"
    with EvidenceWriter(
        path, name="a", tier=Tier.DATA, signing_key=KEY, checkpoint_records=5
    ) as writer:
        for _ in range(5):
            writer.record(record())
        assert writer.flush()
        deadline = time.monotonic() + 5
        while checked(path).checkpoints < 1 and time.monotonic() < deadline:
            time.sleep(0.01)
        writer.record(record())
        assert writer.flush()
        assert (checked(path).checkpoints, checked(path).unsigned_records) == (1, 1)
    report = checked(path)
    assert (report.records, report.unsigned_records) == (6, 0)
    assert report.checkpoints == 2


def test_the_signing_key_is_made_once_and_kept_private(tmp_path: Path) -> None:
    folder = tmp_path / "evidence"
    first, second = ensure_signing_key(folder), ensure_signing_key(folder)
    assert first.private_bytes_raw() == second.private_bytes_raw()
    public = read_public_key(folder / "checkpoint.pub.pem")
    assert public.public_bytes_raw() == first.public_key().public_bytes_raw()
    assert (folder / "checkpoint.key.pem").stat().st_mode & 0o077 == 0
    assert sorted(each.name for each in folder.iterdir()) == [
        "checkpoint.key.pem",
        "checkpoint.pub.pem",
    ]
