"""What all commands share on the terminal: options, printing, ending with an error."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

SolutionOption = Annotated[
    Path,
    typer.Option(
        "--solution", "-s", help="Folder of the hybrid solution.", envvar="MANDATE_SOLUTION"
    ),
]
StateOption = Annotated[
    Path,
    typer.Option(
        "--state", help="Folder that holds all local state; removable.", envvar="MANDATE_STATE"
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]

DEFAULT_STATE = Path(".mandate")


def print_json(value: Any) -> None:
    """Print a value as indented JSON."""
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False, default=str) + "\n")


def fail(message: str, *, code: int = 1) -> NoReturn:
    """End the command with a message on standard error."""
    typer.secho(message, err=True, fg=typer.colors.RED)
    raise typer.Exit(code)
