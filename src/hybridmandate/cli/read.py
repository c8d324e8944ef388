"""`mandate read FILE`: a spreadsheet as it is understood, without any profile."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hybridmandate.cli.terminal import JsonOption, fail, print_json

if TYPE_CHECKING:
    from hybridmandate.execution.services.spreadsheets import InspectedTable

SHOWN_ROWS = 10


def read(
    file: Annotated[Path, typer.Argument(help="Text, gz, zip, or a workbook of any kind.")],
    csv: Annotated[
        Path | None, typer.Option("--csv", help="Write header and rows there as clean CSV.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Show the table in a file: encoding, dialect, decisions with their lines, header, rows.

    Ends with 2 when the file is no table.

    Examples:

        mandate read examples/vendor-invoices/samples/05-title-and-total.csv

        mandate read sheet.xlsx --csv sheet.csv
    """
    from hybridmandate.execution.services.spreadsheets import Unreadable, inspect_file

    if not file.is_file():
        fail(f"there is no file '{file}'", code=2)
    try:
        table = inspect_file(file)
    except Unreadable as unreadable:
        if as_json:
            problem = {"reason": unreadable.reason, "message": unreadable.message}
            print_json({"ok": False, **problem, "candidates": list(unreadable.candidates)})
            raise typer.Exit(2) from None
        fail(f"{file}: {unreadable.message} ({unreadable.reason})", code=2)
    if csv is not None:
        _write_csv(table, csv)
    if as_json:
        print_json({"ok": True, **table.to_json()})
    else:
        _show(file, table)


def _write_csv(table: InspectedTable, target: Path) -> None:
    import csv

    with target.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(table.header)
        writer.writerows(["" if c is None else c for c in row] for row in table.rows)


def _show(file: Path, table: InspectedTable) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    console = Console(highlight=False)
    facts = {k: v for k, v in table.source.items() if k != "candidates"}
    said = ", ".join(f"{key} {value!r}" for key, value in facts.items())
    console.print(f"[bold]{escape(file.name)}[/bold]  {escape(said)}")
    for each in table.source.get("candidates", [])[:3]:
        console.print(
            f"  candidate {each['delimiter']!r}: score {each['score']}, {each['width']} columns "
            f"in {each['shareOfRows']:.0%} of the rows, {each['alikeCells']:.0%} alike"
        )
    for decision in table.decisions:
        lines = ", ".join(map(str, decision.lines[:10]))
        where = f" (line {lines})" if lines else ""
        console.print(f"  {escape(decision.rule)}: {escape(decision.message)}{where}")
    console.print(f"header on line {table.header_line}, {len(table.rows)} rows")
    shown = Table(box=None, header_style="bold")
    shown.add_column("line", justify="right", style="dim")
    for heading in table.header:
        shown.add_column(escape(heading), overflow="ellipsis", no_wrap=True)
    for line, row in list(zip(table.lines, table.rows, strict=True))[:SHOWN_ROWS]:
        shown.add_row(str(line), *(escape(cell or "") for cell in row))
    console.print(shown)
