"""`mandate normalize FILE --profile P`: a spreadsheet judged row by row, on this machine."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hybridmandate.cli.job_progress import progress_shown
from hybridmandate.cli.terminal import JsonOption, SolutionOption, fail, print_json

if TYPE_CHECKING:
    from hybridmandate.execution.services.spreadsheets import Normalization, Profile
    from hybridmandate.execution.services.spreadsheets.normalization import RowsSoFar

IN_MEMORY = 128 * 1024 * 1024
SHOWN_ERRORS = 20


def normalize(
    file: Annotated[Path, typer.Argument(help="The spreadsheet.")],
    profile: Annotated[str, typer.Option("--profile", "-p", help="Name, name/version, or a file.")],
    solution: SolutionOption = Path(),
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Folder for accepted rows and rejected rows."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Bring a spreadsheet into the shape of a profile and say why each row was rejected.

    Shows on standard error how far it is.

    Ends with 0 when every row is accepted, 1 when some are rejected, 2 when none is or the file is
    no table.

    Example: mandate normalize samples/03-odd-dates.csv --profile invoice
    """
    from hybridmandate.execution.services.spreadsheets import Unreadable

    chosen = _profile(profile, solution)
    if not file.is_file():
        fail(f"there is no file '{file}'", code=2)
    with tempfile.TemporaryDirectory(prefix="mandate-") as folder:
        spill = Path(folder) if file.stat().st_size > IN_MEMORY else None
        try:
            result = _run(file, chosen, spill, as_json=as_json)
        except Unreadable as unreadable:
            if as_json:
                problem = {"reason": unreadable.reason, "message": unreadable.message}
                print_json({"ok": False, **problem, "candidates": list(unreadable.candidates)})
                raise typer.Exit(2) from None
            fail(f"{file}: {unreadable.message} ({unreadable.reason})", code=2)
        if output is not None:
            _write(result, output)
        if as_json:
            print_json(_report(result))
        else:
            _show(result)
        code = 2 if not result.accepted_count else int(bool(result.rejected_count))
    raise typer.Exit(code)


def _profile(name: str, solution: Path) -> Profile:
    from hybridmandate.execution.services.spreadsheets import (
        ProfileError,
        ProfileLibrary,
        read_profile,
    )

    try:
        if name.endswith(".toml"):
            return read_profile(Path(name).read_text(encoding="utf-8"), source=Path(name).name)
        library = ProfileLibrary.from_folder(solution / "profiles")
    except (ProfileError, OSError) as error:
        fail(str(error), code=2)
    found = library.find(name)
    if found is None:
        fail(f"there is no profile '{name}'; there are: {', '.join(library.labels)}", code=2)
    return found


def _run(file: Path, profile: Profile, spill: Path | None, *, as_json: bool) -> Normalization:
    from hybridmandate.execution.services.spreadsheets import normalize as run

    views = profile.views()
    if views:
        fail(
            f"profile '{profile.label}' asks the data gateway for {', '.join(views)}: "
            "normalise through the gateway (mandate call spreadsheets.normalize)",
            code=2,
        )
    with progress_shown(as_json=as_json) as show:
        return run(file, profile, spill=spill, progress=lambda far: show(_told(far)))


def _told(far: RowsSoFar) -> dict[str, Any]:
    """Progress in the words of a job's (``data.progress`` of an accepted outcome)."""
    return {
        "done": far.read,
        "total": None if far.expected is None else max(far.expected, far.read),
        "unit": f"rows, {far.accepted} accepted, {far.rejected} rejected",
    }


def _write(result: Normalization, folder: Path) -> None:
    from hybridmandate.execution.services.spreadsheets.accepted_file import (
        accepted_csv,
        accepted_parquet,
    )
    from hybridmandate.execution.services.spreadsheets.rejected_file import rejected_workbook

    folder.mkdir(parents=True, exist_ok=True)
    accepted_csv(result, folder / "accepted.csv")
    accepted_parquet(result, folder / "accepted.parquet")
    if result.rejected_count:
        rejected_workbook(result, folder / "rejected-rows.xlsx")


def _report(result: Normalization) -> dict[str, Any]:
    from hybridmandate.execution.services.spreadsheets.summary import summary

    return {
        "ok": not result.rejected_count,
        "profile": result.profile.label,
        "counts": {
            "rowsIn": result.rows_in,
            "accepted": result.accepted_count,
            "rejected": result.rejected_count,
        },
        "summary": summary(result),
        "source": result.source,
        "decisions": [
            {"rule": d.rule, "message": d.message, "lines": list(d.lines), "count": d.count}
            for d in result.decisions
        ],
        "fileFindings": [
            {"code": f.code, "message": f.message, "severity": f.severity}
            for f in result.file_findings
        ],
        "errors": [e.model_dump(exclude_none=True) for e in result.errors],
        "digest": result.digest,
    }


def _show(result: Normalization) -> None:
    from itertools import islice

    from rich.console import Console
    from rich.markup import escape

    from hybridmandate.execution.services.spreadsheets.summary import summary

    console = Console(highlight=False)
    console.print(f"[bold]{escape(result.profile.label)}[/bold]  {escape(summary(result))}")
    for decision in result.decisions:
        lines = ", ".join(map(str, decision.lines[:10]))
        where = f" (line {lines})" if lines else ""
        console.print(f"  {escape(decision.rule)}: {escape(decision.message)}{where}")
    for finding in result.file_findings:
        console.print(f"  {escape(finding.severity)} {finding.code}: {escape(finding.message)}")
    for error in islice(result.each_error("error"), SHOWN_ERRORS):
        value = "" if error.value is None else f" '{error.value}'"
        field = error.field or "row"
        said = f"line {error.line}: {field}{value} {error.message} [{error.code}]"
        console.print(f"  {escape(said)}")
    console.print(f"digest {result.digest}")
