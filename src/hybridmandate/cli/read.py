"""`mandate read FILE`: a spreadsheet as it is understood, without any profile."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hybridmandate.cli.terminal import JsonOption, fail, print_json

if TYPE_CHECKING:
    from hybridmandate.execution.services.spreadsheets import InspectedTable

SHOWN_ROWS = 10
SHOWN_COLUMNS = 40
SHOWN_CHARACTERS = 200


def read(
    file: Annotated[Path, typer.Argument(help="Text, gz, zip, or a workbook of any kind.")],
    csv: Annotated[
        Path | None,
        typer.Option("--csv", help="Write header and rows there as clean CSV, formulas as text."),
    ] = None,
    sheet: Annotated[
        str | None, typer.Option("--sheet", help="The sheet or defined table that is meant.")
    ] = None,
    delimiter: Annotated[
        str | None, typer.Option("--delimiter", help="What stands between cells: one character.")
    ] = None,
    header_line: Annotated[
        int | None, typer.Option("--header-line", help="The line on which the header stands.")
    ] = None,
    off: Annotated[
        list[str] | None, typer.Option("--off", help="A structure rule that is not to be used.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Show the table in a file: encoding, dialect, decisions with their lines, header, rows.

    Ends with 2 when the file is no table, or allows two readings: then it lists them, and
    --sheet, --header-line, --delimiter or --off says which is meant.

    Examples:

        mandate read examples/vendor-invoices/samples/05-title-and-total.csv

        mandate read sheet.xlsx --sheet Orders --csv sheet.csv

        mandate read report.csv --off rows.total --off rows.footer
    """
    from pydantic import ValidationError

    from hybridmandate.execution.services.spreadsheets import Unreadable, inspect_file
    from hybridmandate.execution.services.spreadsheets.profile import ReaderOptions

    if not file.is_file():
        fail(f"there is no file '{file}'", code=2)
    try:
        table = inspect_file(
            file,
            reader=ReaderOptions(sheet=sheet, delimiter=_character(delimiter)),
            header_line=header_line,
            off=off or (),
        )
    except ValidationError as error:
        fail("; ".join(each["msg"] for each in error.errors(include_url=False)), code=2)
    except Unreadable as unreadable:
        if as_json:
            problem = {"reason": unreadable.reason, "message": unreadable.message}
            print_json({"ok": False, **problem, "candidates": list(unreadable.candidates)})
            raise typer.Exit(2) from None
        listed = "".join(f"\n  {each}" for each in unreadable.candidates)
        fail(f"{file}: {unreadable.message} ({unreadable.reason}){listed}", code=2)
    if csv is not None:
        _write_csv(table, csv)
    if as_json:
        print_json({"ok": True, **table.to_json()})
    else:
        _show(file, table)


def _character(written: str | None) -> str | None:
    return "\t" if written in ("\\t", "tab") else written


def _write_csv(table: InspectedTable, target: Path) -> None:
    import csv

    with target.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(map(_harmless, table.header))
        writer.writerows(map(_harmless, row) for row in table.rows)


def _one_line(cell: str | None) -> str:
    """A cell as a terminal can show it: control characters would move its cursor."""
    text = (cell or "")[:SHOWN_CHARACTERS]
    return "".join(c if c.isprintable() else " " for c in text)


def _harmless(cell: str | None) -> str:
    """A cell that a spreadsheet program would run as a formula, written so that it is text."""
    text = cell or ""
    if text[:1] in ("=", "@", "\t", "\r"):
        return f"'{text}"
    if text[:1] in ("+", "-") and not text[1:2].isdigit():
        return f"'{text}"
    return text


def _show(file: Path, table: InspectedTable) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    console = Console(highlight=False)
    facts = {k: v for k, v in table.source.items() if k != "candidates"}
    said = ", ".join(f"{key} {value!r}" for key, value in facts.items())
    console.print(f"[bold]{escape(_one_line(file.name))}[/bold]  {escape(said)}")
    for each in table.source.get("candidates", [])[:3]:
        console.print(
            f"  candidate {each['delimiter']!r}: score {each['score']}, {each['width']} columns "
            f"in {each['shareOfRows']:.0%} of the rows, {each['alikeCells']:.0%} alike"
        )
    for decision in table.decisions:
        lines = ", ".join(map(str, decision.lines[:10]))
        where = f" (line {lines})" if lines else ""
        console.print(f"  {escape(decision.rule)}: {escape(_one_line(decision.message))}{where}")
    where = f"header on line {table.header_line}" if table.header_line else "no header"
    console.print(f"{where}, {table.frame.height} rows")
    shown = Table(box=None, header_style="bold")
    shown.add_column("line", justify="right", style="dim")
    for heading in table.header[:SHOWN_COLUMNS]:
        shown.add_column(escape(_one_line(heading)), overflow="ellipsis", no_wrap=True)
    for line, _, *row in table.frame.head(SHOWN_ROWS).iter_rows():
        shown.add_row(str(line), *(escape(_one_line(cell)) for cell in row[:SHOWN_COLUMNS]))
    console.print(shown)
