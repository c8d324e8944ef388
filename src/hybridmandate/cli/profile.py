"""`mandate profile`: what a spreadsheet profile says, and a draft of one from a file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hybridmandate.cli.spreadsheet_report import chosen_profile, refuse
from hybridmandate.cli.terminal import JsonOption, SolutionOption, fail, print_json

app = typer.Typer(help="Profiles of spreadsheets.", no_args_is_help=True)


@app.command("show")
def show(
    name: Annotated[str, typer.Argument(help="Name (newest version), name/version, or a file.")],
    solution: SolutionOption = Path(),
    as_json: JsonOption = False,
) -> None:
    """Print a profile as a page for those who fill in the spreadsheet.

    Example: mandate profile show invoice --solution examples/vendor-invoices
    """
    from hybridmandate.execution.services.spreadsheets import describe_profile

    found = chosen_profile(name, solution, code=1)
    if as_json:
        print_json(found.model_dump(mode="json"))
    else:
        typer.echo(describe_profile(found), nl=False)


@app.command("infer")
def infer(
    file: Annotated[Path, typer.Argument(help="A file like those that will come.")],
    name: Annotated[str, typer.Option("--name", help="Name of the profile.")] = "draft",
) -> None:
    """Print a draft of a profile that fits a file; a person edits it before it is used.

    Example: mandate profile infer examples/vendor-invoices/samples/01-clean.csv --name invoice
    """
    from hybridmandate.execution.services.spreadsheets import Unreadable, draft_profile

    if not file.is_file():
        fail(f"there is no file '{file}'", code=2)
    try:
        typer.echo(draft_profile(file, name=name), nl=False)
    except Unreadable as unreadable:
        refuse(file, unreadable, as_json=False)
