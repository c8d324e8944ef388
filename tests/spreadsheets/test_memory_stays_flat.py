"""Peak memory of a large file is that of its batches, not of its rows."""

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="asks /proc for the peak")

PROFILE = """
[profile]
name = "large"
version = 1
title = "large"
[columns.number]
type = "text"
required = true
[columns.amount]
type = "decimal"
[columns.note]
type = "text"
[columns.booked]
type = "date"
[duplicates]
key = ["number"]
[[file_rules]]
code = "gaps"
kind = "no_gaps"
column = "number"
severity = "warning"
"""
SCRIPT = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from peak_memory import MEBIBYTE, peak_bytes
from hybridmandate.execution.services.spreadsheets import normalize, read_profile
from hybridmandate.execution.services.spreadsheets.accepted_file import accepted_parquet
folder = Path(sys.argv[1])
profile = read_profile((folder / "p.toml").read_text(), source="p")
spill = folder / "spill"
spill.mkdir()
result = normalize(folder / "a.csv", profile, spill=spill)
accepted_parquet(result, folder / "accepted.parquet")
print(result.rows_in, result.rejected_count, peak_bytes() // MEBIBYTE)
"""
MILLION = 1_000_000


def large_file(folder: Path, millions: int) -> None:
    """Numbered rows, written a million at a time; every twentieth has no date."""
    import polars as pl

    with (folder / "a.csv").open("wb") as file:
        for each in range(millions):
            number = pl.int_range(each * MILLION, (each + 1) * MILLION, eager=True)
            frame = pl.DataFrame(
                {
                    "number": "N-" + number.cast(pl.String).str.zfill(9),
                    "amount": (number % 10_000).cast(pl.String) + ".25",
                    "note": pl.repeat(
                        "a remark as people write them, of some length", MILLION, eager=True
                    ),
                    "booked": pl.select(
                        pl.when(number % 20 == 0)
                        .then(pl.lit("soon"))
                        .otherwise(pl.lit("2026-01-05"))
                    ).to_series(),
                }
            )
            frame.write_csv(file, include_header=each == 0)


def said(script: str, path: Path) -> list[str]:
    """The words that a script prints about a path, in a process of its own."""
    run = subprocess.run(
        [sys.executable, "-c", script, str(path), str(Path(__file__).parent)],
        capture_output=True,
        text=True,
        check=True,
    )
    return run.stdout.split()


def peak(folder: Path, millions: int) -> int:
    """Peak resident memory in MiB of a process that normalises so many rows."""
    folder.mkdir()
    (folder / "p.toml").write_text(PROFILE, encoding="utf-8")
    large_file(folder, millions)
    rows, rejected, mebibytes = map(int, said(SCRIPT, folder))
    assert rows == millions * MILLION
    assert rejected == millions * MILLION // 20
    return mebibytes


@pytest.mark.slow
def test_four_times_the_rows_need_no_more_memory(tmp_path: Path) -> None:
    one = peak(tmp_path / "one", 1)
    four = peak(tmp_path / "four", 4)
    assert four < one * 1.2, f"{one} MiB for 1M rows, {four} MiB for 4M"


DECODE = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from peak_memory import MEBIBYTE, peak_bytes
from hybridmandate.execution.services.spreadsheets.text_content import open_content, text_content
text = text_content(open_content(Path(sys.argv[1])))
print(text.encoding, peak_bytes() // MEBIBYTE)
"""


@pytest.mark.slow
def test_looking_for_nuls_and_line_ends_keeps_no_pages_of_the_file(tmp_path: Path) -> None:
    line = b"N-000000001,12.25,a remark as people write them,2026-01-05\n"
    block = line * (8 * 1024 * 1024 // len(line))
    large = tmp_path / "large.csv"
    with large.open("wb") as file:
        for _ in range(64):
            file.write(block)
    encoding, mebibytes = said(DECODE, large)
    assert encoding == "utf-8"
    size = large.stat().st_size // 1024**2
    assert int(mebibytes) < size, f"{mebibytes} MiB for a file of {size} MiB"
