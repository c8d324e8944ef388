"""How peers read the workbooks of the corpus; writes docs/spreadsheets/peers-workbooks.md.

A reading is right when the column of codes holds exactly the data rows, their dates are the days
that were written, and a cell that is an error of the workbook is not an empty one.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Sequence
from datetime import date, datetime
from pathlib import Path

from corpus_readings import CORPUS, ROOT

PAGE = ROOT / "docs" / "spreadsheets" / "peers-workbooks.md"
COLUMNS = ("Item code", "Order date", "Amount")
SHORT = {"code": "Item code", "date": "Order date"}
"""Headings of the file whose header stands in two rows."""
Row = tuple[str, object, object]


def _days() -> dict[str, str]:
    """The day of each code, as the corpus was planned."""
    sys.path.insert(0, str(CORPUS.parent))
    from corpus_case import ROWS

    return {code: day for code, _, day, _ in ROWS}


def _rows(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> list[Row]:
    named = [SHORT.get(name, name) for name in columns]
    if any(name not in named for name in COLUMNS):
        raise LookupError("no column of codes, dates or amounts")
    places = [named.index(name) for name in COLUMNS]
    return [(str(row[a]), row[b], row[c]) for row in rows for a, b, c in [places]]


class NotItsFormat(Exception):
    """A workbook of a format that the peer does not claim to read."""


def pandas_openpyxl(path: Path) -> list[Row]:
    """pandas' read_excel by openpyxl."""
    import pandas as pd

    if path.suffix not in (".xlsx", ".xlsm"):
        raise NotItsFormat

    frame = pd.read_excel(path, engine="openpyxl")
    return _rows([str(c) for c in frame.columns], frame.to_numpy(dtype=object).tolist())


def pandas_calamine(path: Path) -> list[Row]:
    """pandas' read_excel by python-calamine."""
    import pandas as pd

    frame = pd.read_excel(path, engine="calamine")
    return _rows([str(c) for c in frame.columns], frame.to_numpy(dtype=object).tolist())


def polars(path: Path) -> list[Row]:
    """polars' read_excel by fastexcel."""
    import polars as pl

    frame = pl.read_excel(path)
    return _rows(frame.columns, frame.rows())


def mandate(path: Path) -> list[Row]:
    """This project, with the corpus' profile."""
    from hybridmandate.execution.services.spreadsheets import normalize, read_profile

    profile = read_profile((CORPUS / "corpus.toml").read_text(), source="corpus.toml")
    result = normalize(path, profile)
    names = ("line", "itemCode", "orderDate", "amount")
    rows = {line: tuple(row) for line, *row in result.accepted.select(names).iter_rows()}
    rows |= dict.fromkeys(result.rejected["first_line"], ("?", None, "rejected"))
    return [(code, day, amount) for _, (code, day, amount) in sorted(rows.items())]


READERS: dict[str, Callable[[Path], list[Row]]] = {
    "mandate": mandate,
    "polars (fastexcel)": polars,
    "pandas (openpyxl)": pandas_openpyxl,
    "pandas (calamine)": pandas_calamine,
}


def verdict(path: Path, read: Callable[[Path], list[Row]], days: dict[str, str]) -> str:
    """``right``, what is wrong, or the kind of error."""
    expected = json.loads((CORPUS / f"{path.name}.expected.json").read_text(encoding="utf-8"))
    try:
        rows = read(path)
    except Exception as error:  # a reading that ends in an error is what the table shows
        return type(error).__name__
    accepted = [row["itemCode"] for row in expected["accepted"]]
    known = [code for code, _, _ in rows if code in accepted]
    if known != accepted or len(rows) != len(accepted) + len(expected["rejectedLines"]):
        return "other rows"
    if any(_day(day) != days[code] for code, day, _ in rows if code in accepted):
        return "other days"
    hidden = sum(_empty(amount) for code, _, amount in rows if code not in accepted)
    return f"{hidden} errors are empty cells" if hidden else "right"


def _day(value: object) -> str:
    if isinstance(value, datetime):
        return value.date().isoformat()
    return value.isoformat() if isinstance(value, date) else str(value)[:10]


def _empty(value: object) -> bool:
    return value is None or value == "" or (isinstance(value, float) and math.isnan(value))


def main() -> int:
    """Write the page."""
    days = _days()
    files = [
        path
        for path in sorted(CORPUS.glob("book*.*"))
        if path.suffix != ".json"
        and "refused" not in (CORPUS / f"{path.name}.expected.json").read_text(encoding="utf-8")
    ]
    table = {p.name: [verdict(p, read, days) for read in READERS.values()] for p in files}
    right = [sum(row[n] == "right" for row in table.values()) for n in range(len(READERS))]
    lines = [
        "# How peers read the corpus' workbooks",
        "",
        "Made by `benchmarks/workbook_readings.py` from the workbooks of "
        "`tests/spreadsheets/corpus` that hold a table, each peer with its defaults. A reading is "
        "right when the column of codes holds exactly the data rows, each date is the day that was "
        "written, and a cell that is an error of the workbook is not an empty one. duckdb reads "
        "xlsx by an extension that it downloads; it is left out. Text files: [peers](peers.md).",
        "",
        f"| of {len(files)} files | {' | '.join(READERS)} |",
        f"| --- |{' --- |' * len(READERS)}",
        f"| right | {' | '.join(map(str, right))} |",
        "",
        f"| file | {' | '.join(READERS)} |",
        f"| --- |{' --- |' * len(READERS)}",
    ]
    lines += [f"| `{name}` | {' | '.join(row)} |" for name, row in table.items()]
    PAGE.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print("\n".join(lines[4:7]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
