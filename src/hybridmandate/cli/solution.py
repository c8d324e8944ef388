"""`mandate check`: does the solution folder load?"""

from __future__ import annotations

from pathlib import Path

import typer

from hybridmandate.cli.terminal import JsonOption, SolutionOption, print_json


def check(solution: SolutionOption = Path(), as_json: JsonOption = False) -> None:
    """Load a hybrid solution and list everything that must change before it can run.

    Example: mandate check --solution examples/vendor-invoices
    """
    from hybridmandate.manifest import SolutionRefused, load_solution

    try:
        loaded = load_solution(solution)
    except SolutionRefused as refused:
        if as_json:
            print_json({"ok": False, "findings": [f.to_json() for f in refused.findings]})
        else:
            for finding in refused.findings:
                typer.echo(str(finding))
        raise typer.Exit(1) from None
    about = loaded.solution.solution
    if as_json:
        print_json({"ok": True, "name": about.name, "version": about.version, "findings": []})
    else:
        typer.echo(f"{about.title} {about.version}: loads, three owners named")
