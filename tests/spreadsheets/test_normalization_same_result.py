"""The same bytes and profile give the same digest, however and wherever they are worked on."""

import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_judging import profile

from hybridmandate.execution.services.spreadsheets import normalization, normalize, text_reader
from hybridmandate.execution.services.spreadsheets.duplicates import KeyLedger, key_hashes

PROFILE = (
    '[columns.key]\ntype="text"\nrequired=true\n[columns.day]\ntype="date"\n'
    '[columns.amount]\ntype="decimal"\n[columns.mail]\ntype="email"\n'
    '[duplicates]\nkey=["key"]\npolicy="keep_last"\n'
    '[[file_rules]]\ncode="sum"\nkind="sum"\ncolumn="amount"\nequals="1"\nseverity="warning"\n'
)


def content(rows: int, line_end: str = "\n") -> bytes:
    pick = random.Random(11)
    lines = ["key,day,amount,mail"]
    for _ in range(rows):
        key = f"k{pick.randint(1, rows)}" if pick.random() > 0.02 else ""
        text = f'"{key}, {key}"' if pick.random() < 0.1 else key
        day = pick.choice(["2026-01-05", "2026-02-30", "", "5.1.2026"])
        amount = f"{pick.randint(0, 99999)}.{pick.randint(0, 99)}"
        lines.append(f"{text},{day},{amount},{pick.choice(['a@example.org', 'a@', ''])}")
    return line_end.join(lines).encode()


def digest(data: bytes, monkeypatch: pytest.MonkeyPatch, chunk: int, workers: int) -> str:
    monkeypatch.setitem(text_reader.read_text.__kwdefaults__, "chunk", chunk)
    monkeypatch.setattr(normalization, "WORKERS", workers)
    return normalize(data, profile(PROFILE)).digest


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_chunks_and_threads_change_nothing(line_end: str, monkeypatch: pytest.MonkeyPatch) -> None:
    data = content(3000, line_end)
    found = {
        digest(data, monkeypatch, chunk, workers)
        for chunk, workers in [(8 << 20, 2), (4096, 1), (10_000, 3), (33_333, 2)]
    }
    assert len(found) == 1


def test_rows_that_lack_their_last_cells_are_read_alike_in_every_chunk(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    data = content(200) + b"\nshort,2026-01-05" * 2000
    assert digest(data, monkeypatch, 8 << 20, 2) == digest(data, monkeypatch, 4096, 2)


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data.replace(b"2026-01-05", b"2026-01-06", 1),
        lambda data: data.replace(b"\nk", b"\nq", 1),
        lambda data: data + b"\nlast,,1,",
    ],
)
def test_other_content_gives_another_digest(change: object) -> None:
    data = content(500)
    other = change(data)  # type: ignore[operator]
    assert other != data
    assert normalize(other, profile(PROFILE)).digest != normalize(data, profile(PROFILE)).digest


def test_another_process_and_thread_count_give_the_same_digest(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(content(2000))
    (tmp_path / "p.toml").write_text(
        '[profile]\nname="t"\nversion=1\ntitle="t"\n' + PROFILE, encoding="utf-8"
    )
    script = (
        "import sys; from pathlib import Path\n"
        "from hybridmandate.execution.services.spreadsheets import normalize, read_profile\n"
        "p = read_profile(Path(sys.argv[2]).read_text(), source='p')\n"
        "print(normalize(Path(sys.argv[1]), p).digest)\n"
    )
    found = set()
    for threads in ("1", "3"):
        run = subprocess.run(
            [sys.executable, "-c", script, tmp_path / "a.csv", tmp_path / "p.toml"],
            env={"POLARS_MAX_THREADS": threads, "PYTHONHASHSEED": threads, "PATH": ""},
            capture_output=True,
            text=True,
            check=True,
        )
        found.add(run.stdout)
    assert len(found) == 1


TEXTS = st.lists(st.text("abcé", max_size=40), min_size=1, max_size=8)


@settings(max_examples=60, deadline=None)
@given(TEXTS, TEXTS)
def test_key_of_a_row_does_not_depend_on_the_rows_beside_it(one: list[str], two: list[str]) -> None:
    rows = [(a, b) for a in one for b in two]
    together = key_hashes(pl.DataFrame(rows, schema=["a", "b"], orient="row"), ["a", "b"])
    hashes = list(zip(together.a.tolist(), together.b.tolist(), strict=True))
    for row, found in zip(rows, hashes, strict=True):
        alone = key_hashes(pl.DataFrame([row], schema=["a", "b"], orient="row"), ["a", "b"])
        assert (int(alone.a[0]), int(alone.b[0])) == found
    assert len(set(hashes)) == len(set(rows))


KEYS = st.lists(st.sampled_from(["a", "b", "c", "d", None]), min_size=1, max_size=40)


@settings(max_examples=60, deadline=None)
@given(KEYS, st.sampled_from(["reject_all", "keep_first", "keep_last"]), st.integers(1, 9))
def test_keys_on_disk_and_in_memory_find_the_same_rows(
    tmp_path_factory: pytest.TempPathFactory, keys: list[str | None], policy: str, cut: int
) -> None:
    folder = tmp_path_factory.mktemp("keys")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("hybridmandate.execution.services.spreadsheets.duplicates.ROWS_IN_MEMORY", 3)
        ledgers = [KeyLedger(folder), KeyLedger(None)]
        for start in range(0, len(keys), cut):
            part = pl.DataFrame({"k": keys[start : start + cut]}, schema={"k": pl.String})
            for each in ledgers:
                each.add(key_hashes(part, ["k"]), start)
        disk, memory = (
            np.unpackbits(each.repeated(policy, len(keys)), count=len(keys)) for each in ledgers
        )
    places = {key: [n for n, k in enumerate(keys) if k == key] for key in keys if key is not None}
    kept = {
        "reject_all": lambda p: [],
        "keep_first": lambda p: p[:1],
        "keep_last": lambda p: p[-1:],
    }
    wanted = {n for p in places.values() if len(p) > 1 for n in p if n not in kept[policy](p)}
    assert set(np.flatnonzero(disk).tolist()) == set(np.flatnonzero(memory).tolist()) == wanted
