"""How peers read the corpus with their defaults; writes docs/spreadsheets/peers.md.

A dialect guesser is right when its delimiter is. A reader is right when the column of item codes
holds exactly the codes of the rows that are data (rejected rows included).
"""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]
CORPUS = ROOT / "tests" / "spreadsheets" / "corpus"
PAGE = ROOT / "docs" / "spreadsheets" / "peers.md"
DELIMITERS = {
    "semicolon": ";", "tab": "\t", "bar": "|", "tilde": "~", "caret": "^",
}  # fmt: skip
HEADINGS = ("Item code", "Artikel", "ITEM CODE", "Item-code:", "Item codde")


def _text(path: Path) -> str:
    # Guessers take text: they are given it in the encoding that the file has.
    expected = json.loads((CORPUS / f"{path.name}.expected.json").read_text(encoding="utf-8"))
    encoding = expected["source"].get("encoding", "utf-8")
    with path.open(encoding=encoding, errors="replace", newline="") as stream:
        return stream.read()


def sniffer(path: Path) -> str:
    """csv.Sniffer's delimiter."""
    return csv.Sniffer().sniff(_text(path)).delimiter


def clever(path: Path) -> str:
    """clevercsv's delimiter."""
    import clevercsv

    text = _text(path)
    found = clevercsv.Sniffer().sniff(text)
    return str(found.delimiter) if found is not None else ""


def _codes(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> list[str]:
    place = next((columns.index(name) for name in HEADINGS if name in columns), None)
    if place is None:
        raise LookupError("no column of codes")
    return [str(row[place]) for row in rows]


def duckdb(path: Path) -> list[str]:
    """duckdb's read_csv."""
    import duckdb as engine

    found = engine.execute("select * from read_csv(?, all_varchar=true)", [str(path)])
    return _codes([each[0] for each in found.description or []], found.fetchall())


def polars(path: Path) -> list[str]:
    """polars' read_csv."""
    import polars as pl

    frame = pl.read_csv(path, infer_schema=False)
    return _codes(frame.columns, frame.rows())


def pandas(path: Path) -> list[str]:
    """pandas' read_csv with a sniffed separator."""
    import pandas as pd

    frame = pd.read_csv(path, dtype=str, sep=None, engine="python")
    return _codes([str(c) for c in frame.columns], frame.to_numpy().tolist())


def mandate(path: Path) -> list[str]:
    """This project, with the corpus' profile."""
    from hybridmandate.execution.services.spreadsheets import normalize, read_profile

    profile = read_profile((CORPUS / "corpus.toml").read_text(), source="corpus.toml")
    result = normalize(path, profile)
    lines = dict(result.accepted.select("line", "itemCode").iter_rows())
    lines |= dict.fromkeys(result.rejected["first_line"], "?")
    return [lines[line] for line in sorted(lines)]


READERS: dict[str, Callable[[Path], list[str]]] = {
    "mandate": mandate, "duckdb": duckdb, "polars": polars, "pandas": pandas,
}  # fmt: skip
GUESSERS: dict[str, Callable[[Path], str]] = {"csv.Sniffer": sniffer, "clevercsv": clever}


def verdict(path: Path, name: str) -> str:
    """``right``, ``wrong`` or the kind of error."""
    expected = json.loads((CORPUS / f"{path.name}.expected.json").read_text(encoding="utf-8"))
    try:
        if name in GUESSERS:
            word = path.name.split("-")[1] if path.name.startswith("dialect-") else ""
            return "right" if GUESSERS[name](path) == DELIMITERS.get(word, ",") else "wrong"
        read = READERS[name](path)
    except Exception as error:  # a reading that ends in an error is what the table shows
        return type(error).__name__
    accepted = [row["itemCode"] for row in expected["accepted"]]
    rejected = len(expected["rejectedLines"])
    known = [code for code in read if code in accepted]
    return "right" if known == accepted and len(read) == len(accepted) + rejected else "wrong"


def _by_kind(table: dict[str, list[str]], names: Sequence[str]) -> list[str]:
    """Rows of a table: what each reads rightly of a kind of file, its first word being the kind."""
    lines = [f"| kind | files | {' | '.join(names)} |", f"| --- | --- |{' --- |' * len(names)}"]
    for kind in dict.fromkeys(name.partition("-")[0] for name in table):
        rows = [row for name, row in table.items() if name.partition("-")[0] == kind]
        right = [str(sum(row[n] == "right" for row in rows)) for n in range(len(names))]
        lines.append(f"| {kind} | {len(rows)} | {' | '.join(right)} |")
    return lines


def main() -> int:
    """Write the page."""
    files = [
        path
        for path in sorted(CORPUS.glob("*.csv"))
        if "refused" not in (CORPUS / f"{path.name}.expected.json").read_text(encoding="utf-8")
    ]
    names = [*READERS, *GUESSERS]
    table = {path.name: [verdict(path, name) for name in names] for path in files}
    lines = [
        "# How peers read the corpus",
        "",
        "Made by `benchmarks/corpus_readings.py` from the text files of "
        "`tests/spreadsheets/corpus` that hold a table, each peer with its defaults. Readers are "
        "right when the column of codes holds exactly the data rows; guessers when the delimiter "
        "is. The corpus was written for this project, so it is no sample of all files.",
        "",
        f"| of {len(files)} files | {' | '.join(names)} |",
        f"| --- |{' --- |' * len(names)}",
    ]
    right = [sum(row[n] == "right" for row in table.values()) for n in range(len(names))]
    lines.append(f"| right | {' | '.join(map(str, right))} |")
    lines += ["", "Right, of the files of each kind:", ""]
    lines += _by_kind(table, names)
    lines += ["", f"| file | {' | '.join(names)} |", f"| --- |{' --- |' * len(names)}"]
    lines += [f"| `{name}` | {' | '.join(row)} |" for name, row in table.items()]
    PAGE.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print("\n".join(lines[4:8]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
