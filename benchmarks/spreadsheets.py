"""Rows per second and peak memory of a normalisation, beside peers on the same file in one run.

Each contestant runs in a process of its own, in turn; the ratio to polars' raw read is what
matters. Peers validate what they can express of the same ten rules on 5 % bad rows. ``mandate``
ends when every row is judged, with its reasons, line, place in the file and the digest of it all;
``with its files`` adds what the operation stores: accepted rows as JSON lines and as Parquet, the
errors, and the workbook of rejected rows. No peer writes anything.
"""

from __future__ import annotations

import argparse
import contextlib
import multiprocessing
import random
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

HEADER = (
    "Vendor No,Invoice No,Invoice date,Due date,Amount,Currency,Cost center,Description,"
    "Plant,Position,Remark,Batch"
)
PROFILES = Path(__file__).parents[1] / "examples" / "vendor-invoices" / "profiles"
SPILL_ABOVE = 128 * 1024 * 1024


def row(pick: random.Random, number: int) -> str:
    """One line; every twentieth has a currency that the profile does not know."""
    day = pick.randint(1, 28)
    currency = "CHF" if number % 20 == 0 else "EUR"
    return (
        f"V-1{pick.randint(0, 9999):04d},INV-{number:08d},2026-09-{day:02d},2026-10-{day:02d},"
        f"{pick.randint(1, 99999)}.{pick.randint(0, 99):02d},{currency},4100,Goods number {number},"
        f"P{number % 7},{number},some text,{number * 3}\n"
    )


def make_csv(path: Path, rows: int) -> None:
    """A CSV of 12 columns."""
    pick = random.Random(7)
    with path.open("w", encoding="utf-8") as stream:
        stream.write(HEADER + "\n")
        for number in range(rows):
            stream.write(row(pick, number))


def make_xlsx(path: Path, rows: int) -> None:
    """The same rows as a workbook of texts."""
    import xlsxwriter

    pick = random.Random(7)
    book = xlsxwriter.Workbook(str(path), {"constant_memory": True})
    sheet = book.add_worksheet()
    sheet.write_row(0, 0, HEADER.split(","))
    for number in range(rows):
        sheet.write_row(number + 1, 0, row(pick, number).rstrip().split(","))
    book.close()


def polars_raw(path: Path) -> int:
    """polars reads texts, nothing else."""
    import polars as pl

    if path.suffix == ".xlsx":
        return pl.read_excel(path, infer_schema_length=0).height
    return pl.read_csv(path, infer_schema=False).height


def ours(path: Path) -> int:
    """The whole judgement: encoding, dialect, structure, ten rules, duplicates, lines, digest."""
    with _normalized(path) as (result, _):
        return int(result.rejected_count)


def ours_with_files(path: Path) -> int:
    """The same, and the four files of the result."""
    from hybridmandate.execution.services.spreadsheets.accepted_file import (
        accepted_lines,
        accepted_parquet,
    )
    from hybridmandate.execution.services.spreadsheets.rejected_file import rejected_workbook

    with _normalized(path) as (result, folder):
        accepted_lines(result, folder / "accepted.jsonl")
        accepted_parquet(result, folder / "accepted.parquet")
        with (folder / "errors.jsonl").open("wb") as stream:
            for kept in result.each_kept():
                result.error_lines(kept, "error").write_ndjson(stream)
        rejected_workbook(result, folder / "rejected.xlsx")
        return int(result.rejected_count)


@contextlib.contextmanager
def _normalized(path: Path) -> Iterator[tuple[Any, Path]]:
    """The result, and a folder that is there as long as it."""
    from hybridmandate.execution.services.spreadsheets import ProfileLibrary, normalize

    profile = ProfileLibrary.from_folder(PROFILES).find("invoice")
    if profile is None:
        raise SystemExit("the example's profile 'invoice' is missing")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "spill").mkdir()
        spill = folder / "spill" if path.stat().st_size > SPILL_ABOVE else None
        yield normalize(path, profile, spill=spill), folder


def duckdb_sql(path: Path) -> int:
    """duckdb: the rules as one SQL condition."""
    import duckdb

    query = """
        select count(*) from (select *, count(*) over (partition by "Vendor No","Invoice No") as n
        from read_csv(?, all_varchar=true, header=true))
        where not coalesce(regexp_full_match("Vendor No", 'V-[0-9]{5}')
        and length("Invoice No") <= 32 and try_strptime("Invoice date", '%Y-%m-%d') is not null
        and try_strptime("Due date", '%Y-%m-%d') >= try_strptime("Invoice date", '%Y-%m-%d')
        and try_cast("Amount" as decimal(18,2)) between 0.01 and 1000000
        and "Currency" in ('EUR','USD','GBP') and regexp_full_match("Cost center", '[0-9]{4}')
        and length("Description") <= 200 and n = 1, false)
    """
    found = duckdb.execute(query, [str(path)]).fetchone()
    return int(found[0]) if found else 0


def _typed(path: Path) -> Any:
    import polars as pl

    return pl.read_csv(path, infer_schema=False).with_columns(
        pl.col("Invoice date", "Due date").str.to_date("%Y-%m-%d", strict=False),
        pl.col("Amount").cast(pl.Float64, strict=False),
    )


def pandera_polars(path: Path) -> int:
    """pandera on polars, dates and amounts parsed before."""
    import pandera.polars as pa

    schema = pa.DataFrameSchema(
        {
            "Vendor No": pa.Column(str, pa.Check.str_matches(r"^V-\d{5}$")),
            "Invoice No": pa.Column(str, pa.Check.str_length(max_value=32)),
            "Amount": pa.Column(float, pa.Check.in_range(0.01, 1_000_000)),
            "Currency": pa.Column(str, pa.Check.isin(["EUR", "USD", "GBP"])),
            "Cost center": pa.Column(str, pa.Check.str_matches(r"^\d{4}$")),
            "Description": pa.Column(str, pa.Check.str_length(max_value=200)),
        },
        unique=["Vendor No", "Invoice No"],
    )
    try:
        schema.validate(_typed(path), lazy=True)
    except pa.errors.SchemaErrors as errors:
        return int(errors.failure_cases.height)
    return 0


def dataframely_filter(path: Path) -> int:
    """dataframely's filter, dates and amounts parsed before."""
    import dataframely as dy
    import polars as pl

    class Invoice(dy.Schema):
        vendor = dy.String(alias="Vendor No", primary_key=True, regex=r"^V-\d{5}$")
        invoice = dy.String(alias="Invoice No", primary_key=True, max_length=32)
        dated = dy.Date(alias="Invoice date", nullable=False)
        due = dy.Date(alias="Due date", nullable=True)
        amount = dy.Float64(alias="Amount", min=0.01, max=1_000_000, nullable=False)
        currency = dy.String(alias="Currency", check=lambda c: c.is_in(["EUR", "USD", "GBP"]))
        center = dy.String(alias="Cost center", regex=r"^\d{4}$", nullable=True)
        text = dy.String(alias="Description", max_length=200, nullable=True)

        @dy.rule()
        def due_after(cls) -> pl.Expr:  # noqa: N805
            return pl.col("Due date") >= pl.col("Invoice date")

    _, failure = Invoice.filter(_typed(path))
    return len(failure)


def frictionless_validate(path: Path) -> int:
    """frictionless with the same constraints."""
    from frictionless import Resource, Schema, system

    fields: list[dict[str, Any]] = [{"name": n, "type": "string"} for n in HEADER.split(",")]
    fields[0]["constraints"] = {"pattern": r"V-\d{5}"}
    fields[2]["type"] = fields[3]["type"] = "date"
    fields[4] |= {"type": "number", "constraints": {"minimum": 0.01, "maximum": 1_000_000}}
    fields[5]["constraints"] = {"enum": ["EUR", "USD", "GBP"]}
    schema = Schema.from_descriptor({"fields": fields})
    with system.use_context(trusted=True):
        report = Resource(path=str(path), schema=schema).validate(limit_errors=10**9)
    return int(report.stats["errors"])


CONTESTANTS: dict[str, tuple[Callable[[Path], int], int]] = {
    "polars raw read": (polars_raw, 100_000_000),
    "mandate": (ours, 100_000_000),
    "  with its files": (ours_with_files, 1_000_000),
    "duckdb SQL": (duckdb_sql, 100_000_000),
    "dataframely": (dataframely_filter, 1_000_000),
    "pandera": (pandera_polars, 1_000_000),
    "frictionless": (frictionless_validate, 100_000),
}
"""What runs, and up to how many rows: some need all rows in memory, one is slow."""


XLSX = ("polars raw read", "mandate", "  with its files")


class Measured(NamedTuple):
    """Seconds that passed, seconds of processors, peak memory in MiB, rows found bad."""

    seconds: float
    processor: float
    peak: float
    bad: int | str


def _measured(name: str, path: Path, answer: Any) -> None:
    run = CONTESTANTS[name][0]
    with tempfile.TemporaryDirectory() as folder:
        warm = Path(folder) / f"warm{path.suffix}"
        (make_csv if path.suffix == ".csv" else make_xlsx)(warm, 100)
        with contextlib.suppress(Exception):  # imports are not measured; what fails, fails below
            run(warm)
    start, worked = time.perf_counter(), time.process_time()
    try:
        bad: int | str = run(path)
    except Exception as error:  # a peer that cannot is a finding, not the end of the run
        bad = f"{type(error).__name__}: {str(error)[:60]}"
    seconds = time.perf_counter() - start
    answer.put(Measured(seconds, time.process_time() - worked, _peak(), bad))


def _peak() -> float:
    """Highest resident memory of this process in MiB.

    Linux's ``ru_maxrss`` starts at the size of the process that forked; /proc does not.
    """
    status = Path("/proc/self/status")
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2  # bytes on macOS
    line = next(each for each in status.read_text().splitlines() if each.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


def measure(name: str, path: Path, runs: int) -> Measured:
    """The quickest of some runs."""
    context = multiprocessing.get_context("spawn")
    best: Measured | None = None
    for _ in range(runs):
        answer = context.Queue()
        process = context.Process(target=_measured, args=(name, path, answer))
        process.start()
        one = answer.get()
        process.join()
        best = one if best is None or one < best else best
    if best is None:
        raise SystemExit("at least one run is needed")
    return best


def compare(title: str, path: Path, rows: int, runs: int, names: Sequence[str]) -> None:
    """Print one table."""
    print(f"\n{title}: {rows:,} rows, {path.stat().st_size / 1e6:.0f} MB")
    print(f"{'':18}{'seconds':>9}{'rows/s':>13}{'of raw':>8}{'CPU s':>8}{'of raw':>8}", end="")
    print(f"{'peak MiB':>10}  bad")
    raw: Measured | None = None
    for name in names:
        if rows > CONTESTANTS[name][1]:
            continue
        one = measure(name, path, runs)
        raw = raw or one
        print(f"{name:18}{one.seconds:9.2f}{rows / one.seconds:13,.0f}", end="")
        print(f"{raw.seconds / one.seconds:8.2f}{one.processor:8.2f}", end="")
        print(f"{raw.processor / one.processor:8.2f}{one.peak:10,.0f}  {one.bad}")
        sys.stdout.flush()


def main(arguments: Sequence[str]) -> int:
    """Run the comparison and print it."""
    parser = argparse.ArgumentParser(prog="mandate bench spreadsheets")
    parser.add_argument("--rows", type=int, nargs="*", default=[100_000, 1_000_000, 10_000_000])
    parser.add_argument("--xlsx-rows", type=int, default=100_000)
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        for rows in options.rows:
            path = Path(folder) / f"{rows}.csv"
            make_csv(path, rows)
            compare("CSV", path, rows, options.runs, list(CONTESTANTS))
            path.unlink()
        if options.xlsx_rows:
            path = Path(folder) / "rows.xlsx"
            make_xlsx(path, options.xlsx_rows)
            compare("XLSX", path, options.xlsx_rows, options.runs, XLSX)
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
