"""`mandate normalize FILE --profile P`: a spreadsheet judged row by row, on this machine."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hybridmandate.cli.job_progress import progress_shown
from hybridmandate.cli.spreadsheet_report import chosen_profile, decision_line, one_line, refuse
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
        typer.Option("--output", "-o", help="Folder for accepted rows, rejected rows, errors."),
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

    chosen = chosen_profile(profile, solution, code=2)
    if not file.is_file():
        fail(f"there is no file '{file}'", code=2)
    with tempfile.TemporaryDirectory(prefix="mandate-") as folder:
        spill = Path(folder) if file.stat().st_size > IN_MEMORY else None
        try:
            result = _run(file, chosen, spill, as_json=as_json)
        except Unreadable as unreadable:
            refuse(file, unreadable, as_json=as_json)
        if output is not None:
            _write(result, output)
        if as_json:
            print_json(_report(result))
        else:
            _show(result)
        code = 2 if not result.accepted_count else int(bool(result.rejected_count))
    raise typer.Exit(code)


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
        with (folder / "errors.jsonl").open("w", encoding="utf-8") as stream:
            for error in result.each_error("error"):
                stream.write(error.model_dump_json(exclude_none=True) + "\n")


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
        "rejectedShare": round(result.rejected_share, 6),
        "reviewNeeded": _review_needed(result),
        "summary": summary(result),
        "headers": [
            {"column": m.column, "header": m.header, "how": m.how} for m in result.table.matches
        ],
        "ignoredHeaders": list(result.table.ignored_headers),
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
        "warnings": [e.model_dump(exclude_none=True) for e in result.warnings],
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
        console.print(f"  {escape(decision_line(decision))}")
    for finding in result.file_findings:
        console.print(f"  {escape(finding.severity)} {finding.code}: {escape(finding.message)}")
    for severity, before in (("error", ""), ("warning", "warning, ")):
        for error in islice(result.each_error(severity), SHOWN_ERRORS):
            value = "" if error.value is None else f" '{one_line(error.value)}'"
            said = f"{before}line {error.line}: {error.field or 'row'}{value} {error.message}"
            console.print(f"  {escape(f'{said} [{error.code}]')}")
        count = sum(n for (each, *_), n in result.rule_counts.items() if each == severity)
        if count > SHOWN_ERRORS:
            console.print(f"  and {count - SHOWN_ERRORS:,} more: --json lists all")
    if _review_needed(result):
        share = result.profile.thresholds.review_share
        console.print(f"a person decides: more than {share:.0%} of the rows were rejected")
    console.print(f"digest {result.digest}")


def _review_needed(result: Normalization) -> bool:
    return result.rejected_share > result.profile.thresholds.review_share
