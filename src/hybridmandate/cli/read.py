"""`mandate read FILE`: a spreadsheet as it is understood, without any profile."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hybridmandate.cli.spreadsheet_report import decision_line, one_line, refuse
from hybridmandate.cli.terminal import JsonOption, fail, print_json

if TYPE_CHECKING:
    from rich.console import Console

    from hybridmandate.execution.services.spreadsheets import InspectedTable

SHOWN_ROWS = 10
SHOWN_COLUMNS = 40
SHOWN_CHARACTERS = 200
NARROWEST_COLUMN = 10


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
        refuse(file, unreadable, as_json=as_json)
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


def _shown(cell: str | None) -> str:
    return one_line((cell or "")[:SHOWN_CHARACTERS])


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

    console = Console(highlight=False)
    facts = {k: v for k, v in table.source.items() if k != "candidates"}
    said = ", ".join(f"{key} {value!r}" for key, value in facts.items())
    console.print(f"[bold]{escape(_shown(file.name))}[/bold]  {escape(said)}")
    for each in table.source.get("candidates", [])[:3]:
        if not each["score"]:
            continue
        console.print(
            f"  candidate {each['delimiter']!r}: score {each['score']}, {each['width']} columns "
            f"in {each['shareOfRows']:.0%} of the rows, {each['alikeCells']:.0%} alike"
        )
    for decision in table.decisions:
        console.print(f"  {escape(decision_line(decision))}")
    where = f"header on line {table.header_line}" if table.header_line else "no header"
    console.print(f"{where}, {table.frame.height} rows")
    _show_rows(console, table)


def _show_rows(console: Console, table: InspectedTable) -> None:
    """The first rows and as many columns as can be told apart in the width of the terminal."""
    from rich.markup import escape
    from rich.table import Table

    head = [(line, row) for line, _, *row in table.frame.head(SHOWN_ROWS).iter_rows()]
    number = max([4, *(len(str(line)) for line, _ in head)])
    count = min(SHOWN_COLUMNS, max(1, (console.width - number) // NARROWEST_COLUMN))
    cells = [[_shown(cell) for cell in row[:count]] for _, row in head]
    header = [_shown(heading) for heading in table.header[:count]]
    widths = [max(map(len, column)) for column in zip(header, *cells, strict=True)]
    shown = Table(box=None, header_style="bold")
    shown.add_column("line", justify="right", style="dim", no_wrap=True)
    widest = _widest_column(widths, console.width - number - 2)
    for heading in header:
        shown.add_column(escape(heading), overflow="ellipsis", no_wrap=True, max_width=widest)
    for (line, _), row in zip(head, cells, strict=True):
        shown.add_row(str(line), *map(escape, row))
    console.print(shown)
    left = {"rows": table.frame.height - len(head), "columns": len(table.header) - count}
    more = [f"{n:,} more {what}" for what, n in left.items() if n > 0]
    if more:
        console.print(f"and {' and '.join(more)}: --csv or --json gives all", style="dim")


def _widest_column(widths: Sequence[int], room: int) -> int:
    """The width to which the widest columns are cut so that all fit side by side."""
    widest = max(widths, default=1)
    while widest > 1 and sum(min(each, widest) + 2 for each in widths) > room:
        widest -= 1
    return widest
