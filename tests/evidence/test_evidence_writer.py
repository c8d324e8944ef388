"""The recorder: nothing lost at a stop, never silent, never in the way."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from evidence_records import START_NS, record

from hybridmandate.evidence.record import Tier
from hybridmandate.evidence.store import by_correlation_id, by_principal, open_reader, open_store
from hybridmandate.evidence.verification import verify
from hybridmandate.evidence.writer import EvidenceWriter


def writer(path: Path, **options: object) -> EvidenceWriter:
    options.setdefault("signing_key", None)
    return EvidenceWriter(path, name="execution", tier=Tier.EXECUTION, **options)  # type: ignore[arg-type]


def count(path: Path) -> int:
    with sqlite3.connect(path) as connection:
        return int(connection.execute("SELECT count(*) FROM evidence").fetchone()[0])


def test_all_fields_come_back_as_written(tmp_path: Path) -> None:
    path = tmp_path / "evidence.db"
    written = record(
        principal="flow-x",
        outcome="failed",
        failure_type="timeout",
        duration_ms=12.3456,
        bytes_in=5,
        bytes_out=7,
        attempt=3,
        parent="run:1",
        detail={"b": [1, None], "a": "ü"},
    )
    with writer(path) as recorder:
        recorder.record(written)
    (stored,) = by_correlation_id(open_reader(path), "corr-0001")
    assert (stored.time_ns, stored.tier, stored.kind) == (START_NS, "execution", "call.finished")
    assert (stored.principal, stored.outcome, stored.failure_type) == (
        "flow-x",
        "failed",
        "timeout",
    )
    assert (stored.duration_ms, stored.bytes_in, stored.bytes_out) == (12.346, 5, 7)
    assert (stored.attempt, stored.parent) == (3, "run:1")
    assert json.loads(stored.detail) == {"a": "ü", "b": [1, None]}
    assert stored.chain.startswith("execution-")
    assert stored.chain.endswith(f"-{os.getpid()}")


def test_a_normal_stop_loses_nothing_from_any_thread(tmp_path: Path) -> None:
    path = tmp_path / "evidence.db"
    recorder = writer(path, signing_key=Ed25519PrivateKey.generate())

    def burst() -> None:
        for _ in range(2_500):
            recorder.record(record())

    threads = [threading.Thread(target=burst) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert recorder.close() is True
    assert recorder.trouble is None
    assert count(path) == 10_000


def test_a_flush_makes_what_was_handed_over_readable(tmp_path: Path) -> None:
    path = tmp_path / "evidence.db"
    with writer(path) as recorder:
        for expected in (1, 2, 3):
            recorder.record(record())
            assert recorder.flush() is True
            assert count(path) == expected


def test_records_are_written_without_a_flush_within_a_fraction_of_a_second(tmp_path: Path) -> None:
    path = tmp_path / "evidence.db"
    with writer(path) as recorder:
        recorder.record(record())
        deadline = time.monotonic() + 5
        while not (path.exists() and recorder._settled) and time.monotonic() < deadline:
            time.sleep(0.01)
        assert count(path) == 1


def test_handing_over_costs_microseconds(tmp_path: Path) -> None:
    one = record()
    with writer(tmp_path / "evidence.db") as recorder:
        rounds = []
        for _ in range(5):
            begun = time.thread_time()
            for _ in range(2_000):
                recorder.record(one)
            rounds.append((time.thread_time() - begun) / 2_000)
            recorder.flush()
    assert min(rounds) < 20e-6


def test_a_store_that_cannot_be_written_shows_and_recovers(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    folder.write_text("a file stands where the folder must be")
    recorder = writer(folder / "evidence.db")
    recorder.record(record())
    assert recorder.flush(timeout_seconds=0.3) is False
    assert recorder.trouble is not None
    assert recorder.trouble.failures >= 1
    assert recorder.trouble.lost == 0
    folder.unlink()
    assert recorder.flush(timeout_seconds=5) is True
    assert recorder.trouble is None
    assert recorder.close() is True
    assert count(folder / "evidence.db") == 1


def test_a_full_disk_is_not_silent(tmp_path: Path) -> None:
    path = tmp_path / "evidence.db"
    recorder = writer(path)
    recorder.record(record())
    assert recorder.flush()
    recorder._store.execute("PRAGMA max_page_count=1")  # type: ignore[union-attr]
    for _ in range(500):
        recorder.record(record(detail={"text": "x" * 400}))
    deadline = time.monotonic() + 5
    while (seen := recorder.trouble) is None and time.monotonic() < deadline:
        time.sleep(0.005)
    assert seen is not None
    assert "full" in seen.message
    assert recorder.close() is True, "the store is opened anew and takes the rest"
    assert count(path) == 501
    assert verify(open_reader(path), None).intact


def test_a_full_queue_counts_what_it_loses_and_leaves_evidence_of_it(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    folder.write_text("in the way")
    recorder = writer(folder / "evidence.db", queue_records=10)
    for _ in range(25):
        recorder.record(record())
    assert recorder.trouble is not None
    assert recorder.trouble.lost == 15
    folder.unlink()
    assert recorder.close() is True
    store = open_reader(folder / "evidence.db")
    lost = store.execute("SELECT detail FROM evidence WHERE kind = 'evidence.lost'").fetchall()
    assert [json.loads(detail)["records"] for (detail,) in lost] == [15]
    assert recorder.trouble.lost == 15


def test_what_is_no_record_is_counted_and_stops_nobody(tmp_path: Path) -> None:
    path = tmp_path / "evidence.db"
    with writer(path) as recorder:
        recorder.record(record(duration_ms="soon"))
        recorder.record(record())
        assert recorder.flush()
        assert recorder.trouble is not None
        assert recorder.trouble.lost == 1
    assert [r.kind for r in by_correlation_id(open_reader(path), "corr-0001")] == ["call.finished"]


def test_a_record_after_close_is_counted_as_lost(tmp_path: Path) -> None:
    recorder = writer(tmp_path / "evidence.db")
    recorder.close()
    recorder.record(record())
    assert recorder.trouble is not None
    assert recorder.trouble.lost == 1


CHILD = """
import sys
from pathlib import Path
from hybridmandate.evidence.record import Record, Tier
from hybridmandate.evidence.writer import EvidenceWriter
writer = EvidenceWriter(Path(sys.argv[1]), name=sys.argv[2], tier=Tier.DATA, signing_key=None)
number = 0
while number < int(sys.argv[3]):
    number += 1
    writer.record(Record(number, Tier.DATA, "commit.record", "t", detail={"n": number}))
    if number % 200 == 0 and writer.flush():
        print(number, flush=True)
writer.close()
"""


def child(path: Path, name: str, records: int) -> subprocess.Popen[str]:
    arguments = [sys.executable, "-c", CHILD, str(path), name, str(records)]
    return subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True)


def test_several_processes_write_one_file_each_its_own_chain(tmp_path: Path) -> None:
    path = tmp_path / "evidence.db"
    children = [child(path, f"writer{n}", 3_000) for n in range(3)]
    for each in children:
        each.communicate(timeout=30)
        assert each.returncode == 0
    report = verify(open_reader(path), None)
    assert (report.records, report.chains, report.intact) == (9_000, 3, True)


@pytest.mark.kill
def test_a_kill_loses_nothing_that_was_flushed_and_breaks_no_chain(tmp_path: Path) -> None:
    path = tmp_path / "evidence.db"
    victim = child(path, "victim", 10**9)
    assert victim.stdout is not None
    flushed = 0
    for line in victim.stdout:
        flushed = int(line)
        if flushed >= 2_000:
            break
    victim.kill()
    rest = victim.communicate()[0].split()
    flushed = int(rest[-1]) if rest else flushed
    assert count(path) >= flushed
    assert verify(open_reader(path), None).intact


def test_look_ups_among_200_000_records_use_the_index(tmp_path: Path) -> None:
    path = tmp_path / "evidence.db"
    with open_store(path) as filling:
        # Rows by SQL, not by the writer: this is about the indexes, not about the chain.
        filling.execute(
            "WITH RECURSIVE n (n) AS (VALUES (0) UNION ALL SELECT n + 1 FROM n WHERE n < 199999)"
            " INSERT INTO evidence SELECT 'c', n + 1, ? + n, 'data', 'view.read',"
            " printf('corr-%06d', n / 4), printf('p-%d', n % 50), 'vendors', 'succeeded', NULL,"
            " 0.0, 0, 0, 1, NULL, '{}', '', '' FROM n",
            (START_NS,),
        )
    store = open_reader(path)
    assert len(by_correlation_id(store, "corr-031234")) == 4
    found = by_principal(store, "p-7", since_ns=START_NS + 100, until_ns=START_NS + 1_000, limit=5)
    assert [r.time_ns - START_NS for r in found] == [957, 907, 857, 807, 757]
    plans = {
        "correlation": "SELECT * FROM evidence WHERE correlation_id = ? ORDER BY time_ns",
        "principal": "SELECT * FROM evidence WHERE principal = ? AND time_ns >= 1 "
        "AND time_ns < 9 ORDER BY time_ns DESC LIMIT 5",
    }
    for index, query in plans.items():
        rows = store.execute(f"EXPLAIN QUERY PLAN {query}", ("x",)).fetchall()
        plan = " ".join(row[3] for row in rows)
        assert f"SEARCH evidence USING INDEX evidence_by_{index}" in plan
        assert "TEMP B-TREE" not in plan
