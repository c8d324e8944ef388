"""`mandate conformance …`: hold the engines to files of recorded cases."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated

import typer

from hybridmandate.cli.terminal import fail

app = typer.Typer(help="Run recorded cases against the engines.", no_args_is_help=True)

CasesArgument = Annotated[Path, typer.Argument(help="JSON lines, one case a line.")]
Results = Sequence[tuple[str, bool, str]]


@app.command("flow-expressions")
def flow_expressions(file: CasesArgument) -> None:
    """Evaluate expressions and compare with the answers that a tenant gave.

    Example: mandate conformance flow-expressions cases.jsonl
    """
    from hybridmandate.orchestration.expressions.conformance import run_cases

    _report(file, run_cases)


@app.command("gateway-policies")
def gateway_policies(file: CasesArgument) -> None:
    """Run policy documents and compare with the answers that API Management gave.

    Example: mandate conformance gateway-policies cases.jsonl
    """
    from hybridmandate.governance.gateway.conformance import run_cases

    _report(file, run_cases)


def _report(file: Path, run_cases: Callable[[Path], Results]) -> None:
    try:
        results = run_cases(file)
    except (OSError, ValueError) as error:
        fail(f"{file}: {error}", code=2)
    failed = [(name, why) for name, passed, why in results if not passed]
    for name, why in failed:
        typer.echo(f"{name}: {why}")
    typer.echo(f"{len(results) - len(failed)} passed, {len(failed)} failed")
    if failed:
        raise typer.Exit(1)
