"""Readers under mutated files: hypothesis always, a coverage-guided fuzzer for a few seconds."""

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from workbook_kit import MadeSheet, ods_book, xls_book, xls_stream, xlsb_book

from hybridmandate.execution.services.spreadsheets import Unreadable, inspect_file

HERE = Path(__file__).parent
CASES = sorted((HERE / "fuzz_cases").iterdir())
SHEET = MadeSheet("a", [["code", "amount"], ["A-1", 1.5], ["A-2", "#N/A"]], frozenset({2}))
SEEDS = [write([SHEET]) for write in (xls_book, xlsb_book, ods_book)]
SEEDS += [path.read_bytes() for path in sorted((HERE / "corpus").glob("book*.xlsx"))]
STREAM = xls_stream([SHEET])


def read_or_refuse(content: bytes) -> None:
    try:
        table = inspect_file(content)
    except Unreadable:
        return
    assert len(table.lines) == len(table.rows)


@pytest.mark.parametrize("path", CASES, ids=lambda p: p.name)
def test_what_fuzzing_found_stays_mended(path: Path) -> None:
    read_or_refuse(path.read_bytes())


changes = st.lists(st.tuples(st.integers(0, 1 << 20), st.integers(0, 255)), min_size=1, max_size=12)


@settings(max_examples=250, deadline=None)
@given(st.sampled_from(SEEDS), changes, st.integers(0, 64))
def test_damaged_workbook_is_read_or_refused(
    seed: bytes, places: list[tuple[int, int]], cut: int
) -> None:
    content = bytearray(seed[: len(seed) - cut])
    for place, value in places:
        content[place % len(content)] = value
    read_or_refuse(bytes(content))


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=300), st.sampled_from([",", ";", "\t", "|"]))
def test_any_lines_below_a_header_are_read_or_refused(tail: bytes, delimiter: str) -> None:
    read_or_refuse(f"code{delimiter}name{delimiter}amount\n".encode() + tail)


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.lists(
            st.sampled_from(["", " ", "a", "Total", "1", "1.5", "2026-01-01", "\u00a0", "[EUR]"]),
            min_size=1,
            max_size=5,
        ),
        min_size=1,
        max_size=12,
    )
)
def test_every_line_is_data_header_or_in_a_decision(rows: list[list[str]]) -> None:
    try:
        table = inspect_file("\n".join(",".join(row) for row in rows).encode())
    except Unreadable:
        return
    told = {line for each in table.decisions for line in each.lines}
    seen = {n for n, row in enumerate(rows, start=1) if any(cell.strip() for cell in row)}
    assert seen <= told | set(table.lines) | {table.header_line}


@pytest.mark.skipif(sys.platform != "linux", reason="atheris is built for Linux")
def test_coverage_guided_fuzzing_finds_nothing(tmp_path: Path) -> None:
    pytest.importorskip("atheris")
    command = [
        sys.executable,
        str(HERE / "fuzz_readers.py"),
        "-max_total_time=6",
        "-rss_limit_mb=4096",
    ]
    done = subprocess.run(
        [*command, f"-artifact_prefix={tmp_path}/", str(tmp_path)],
        capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
