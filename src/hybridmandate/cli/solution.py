"""`mandate check`: could this solution folder run?"""

from __future__ import annotations

from pathlib import Path

import typer

from hybridmandate.cli.terminal import JsonOption, SolutionOption, print_json


def check(solution: SolutionOption = Path(), as_json: JsonOption = False) -> None:
    """List everything in a solution that must change before it can run, with its file and place.

    Looks at the manifest and its environments, profiles, tables, operations, policies and flows,
    and at what one of them expects of another. Ends with 1 when there is anything.

    Example: mandate check --solution examples/vendor-invoices
    """
    from hybridmandate.local.solution_check import solution_findings
    from hybridmandate.manifest import SolutionRefused, load_solution

    try:
        loaded = load_solution(solution)
        findings = solution_findings(loaded)
    except SolutionRefused as refused:
        findings = refused.findings
    if as_json:
        print_json({"ok": not findings, "findings": [each.to_json() for each in findings]})
    else:
        for finding in findings:
            typer.echo(str(finding))
    if findings:
        raise typer.Exit(1)
    if not as_json:
        about = loaded.solution.solution
        typer.echo(
            f"{about.title} {about.version}: loads, three owners named; "
            f"flows: {len(loaded.flows)}, environments: {len(loaded.environments)}"
        )
