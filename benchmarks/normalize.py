"""Rows per second of a normalisation with the invoice profile, beside polars' raw read.

Both run in this process on the same generated file, alternating; the ratio is what matters.
"""

from __future__ import annotations

import argparse
import random
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import polars as pl

from hybridmandate.execution.services.spreadsheets import ProfileLibrary, normalize

PROFILES = Path(__file__).parents[1] / "examples" / "vendor-invoices" / "profiles"


def make_file(rows: int) -> bytes:
    """A CSV of invoices; one row in twenty breaks a rule."""
    pick = random.Random(7)
    lines = ["Vendor No,Invoice No,Invoice date,Due date,Amount,Currency,Cost center,Description"]
    for number in range(rows):
        day = pick.randint(1, 28)
        amount = f"{pick.randint(1, 99999)}.{pick.randint(0, 99):02d}"
        currency = "CHF" if number % 20 == 0 else "EUR"
        lines.append(
            f"V-1{pick.randint(0, 9999):04d},INV-{number:08d},2026-09-{day:02d},2026-10-{day:02d},"
            f"{amount},{currency},4100,Goods number {number}"
        )
    return ("\n".join(lines) + "\n").encode()


def seconds(action: Callable[[], object]) -> float:
    """How long one run takes."""
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def main(arguments: Sequence[str]) -> int:
    """Run the comparison and print it."""
    parser = argparse.ArgumentParser(prog="mandate bench normalize")
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args(arguments)
    content = make_file(options.rows)
    profile = ProfileLibrary.from_folder(PROFILES).find("invoice")
    if profile is None:
        raise SystemExit("the example's profile 'invoice' is missing")
    ours, raw = [], []
    for _ in range(options.runs):
        raw.append(seconds(lambda: pl.read_csv(content, infer_schema=False)))
        ours.append(seconds(lambda: normalize(content, profile)))
    mine, theirs = statistics.median(ours), statistics.median(raw)
    print(f"rows                        {options.rows}")
    print(f"file                        {len(content) / 1e6:.1f} MB")
    print(f"polars, read as strings     {theirs:.3f} s   {options.rows / theirs:12,.0f} rows/s")
    print(f"normalize, all rules        {mine:.3f} s   {options.rows / mine:12,.0f} rows/s")
    print(f"ratio                       {theirs / mine:.2f} of polars' raw read")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
