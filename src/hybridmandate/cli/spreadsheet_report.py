"""What the spreadsheet commands share: a decision as a line, a refusal, the chosen profile."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import typer

from hybridmandate.cli.terminal import fail, print_json

if TYPE_CHECKING:
    from hybridmandate.execution.services.spreadsheets import Profile, Unreadable
    from hybridmandate.execution.services.spreadsheets.table import Decision

LISTED_LINES = 10


def one_line(text: str) -> str:
    """A text as a terminal can show it: control characters would move its cursor."""
    return "".join(c if c.isprintable() else " " for c in text)


def decision_line(decision: Decision) -> str:
    """Rule, message, and the first lines that it is about."""
    said = f"{decision.rule}: {one_line(decision.message)}"
    if not decision.lines:
        return said
    listed = decision.lines[:LISTED_LINES]
    word = "line" if decision.count == 1 else "lines"
    more = f" and {decision.count - len(listed):,} more" if decision.count > len(listed) else ""
    return f"{said} ({word} {', '.join(map(str, listed))}{more})"


def refuse(file: Path, unreadable: Unreadable, *, as_json: bool) -> NoReturn:
    """End with 2: why the file is no table, and the readings between which it leaves the choice."""
    if as_json:
        problem = {"reason": unreadable.reason, "message": unreadable.message}
        print_json({"ok": False, **problem, "candidates": list(unreadable.candidates)})
        raise typer.Exit(2) from None
    listed = "".join(f"\n  {one_line(each)}" for each in unreadable.candidates)
    fail(f"{file}: {one_line(unreadable.message)} ({unreadable.reason}){listed}", code=2)


def chosen_profile(name: str, solution: Path, *, code: int) -> Profile:
    """The profile of a solution, or in a file; ends with ``code`` when there is none."""
    from hybridmandate.execution.services.spreadsheets import ProfileError, ProfileLibrary
    from hybridmandate.execution.services.spreadsheets.profile import load_profile

    folder = solution / "profiles"
    try:
        if name.endswith(".toml"):
            return load_profile(Path(name))
        library = ProfileLibrary.from_folder(folder)
    except ProfileError as error:
        fail(str(error), code=code)
    except OSError as error:
        fail(f"'{name}' cannot be read: {error.strerror}", code=code)
    found = library.find(name)
    if found is None:
        known = ", ".join(library.labels) or f"none, {folder} holds no *.toml"
        fail(f"there is no profile '{name}'; there are: {known}", code=code)
    return found
