"""`mandate policy …`: check, show, trace and test the gateway policies of a solution."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hybridmandate.cli.policy_coverage import coverage
from hybridmandate.cli.terminal import JsonOption, SolutionOption, fail, print_json

if TYPE_CHECKING:
    from hybridmandate.manifest import SolutionFolder

app = typer.Typer(help="Gateway policies: check, show, trace, test.", no_args_is_help=True)
app.command()(coverage)

EnvironmentOption = Annotated[
    str, typer.Option("--environment", "-e", help="Environment whose values are used.")
]


@app.command()
def check(
    solution: SolutionOption = Path(),
    environment: EnvironmentOption = "local",
    as_json: JsonOption = False,
) -> None:
    """List everything that API Management would reject, with file, line and column.

    Example: mandate policy check --solution examples/vendor-invoices
    """
    from hybridmandate.governance.gateway.errors import PolicyDocumentError
    from hybridmandate.governance.gateway.policy_findings import policy_findings
    from hybridmandate.local.policies import rehearsed_policies

    folder = _folder(solution, environment)
    try:
        configuration = rehearsed_policies(folder, environment)
        findings = policy_findings(configuration)
        apis = len(configuration.apis)
    except PolicyDocumentError as error:
        findings, apis = [error], 0
    if as_json:
        print_json(
            {
                "ok": not findings,
                "findings": [
                    {
                        "file": each.file,
                        "line": each.line,
                        "column": each.column,
                        "reason": each.reason,
                    }
                    for each in findings
                ],
            }
        )
    else:
        for each in findings:
            typer.echo(str(each))
        if not findings:
            typer.echo(f"{apis} APIs: all policies load")
    if findings:
        raise typer.Exit(1)


@app.command()
def show(
    api: Annotated[str, typer.Argument(help="Id of the API: its folder's name.")],
    operation: Annotated[str | None, typer.Argument(help="Operation id.")] = None,
    solution: SolutionOption = Path(),
    environment: EnvironmentOption = "local",
) -> None:
    """Print the policy that stands for an operation, scopes inlined where <base/> stands.

    Example: mandate policy show data view-vendors-v1 -s examples/vendor-invoices
    """
    from hybridmandate.governance.gateway.effective_policy import effective_policy
    from hybridmandate.governance.gateway.errors import PolicyDocumentError
    from hybridmandate.local.policies import rehearsed_policies

    try:
        configuration = rehearsed_policies(_folder(solution, environment), environment)
        typer.echo(effective_policy(configuration, api, operation))
    except KeyError as error:
        fail(str(error.args[0]))
    except PolicyDocumentError as error:
        fail(str(error))


@app.command()
def trace(
    request: Annotated[Path, typer.Argument(help="TOML file: path, method, headers, token …")],
    solution: SolutionOption = Path(),
    environment: EnvironmentOption = "local",
    as_json: JsonOption = False,
) -> None:
    """Send one request to a stub back end; print the policies that ran, how long, what they set.

    Example: mandate policy trace request.toml -s examples/vendor-invoices
    """
    import tomllib

    from hybridmandate.governance.gateway.errors import PolicyDocumentError
    from hybridmandate.governance.gateway.rehearsal import Rehearsal
    from hybridmandate.local.policies import rehearsed_claims, rehearsed_policies

    folder = _folder(solution, environment)
    try:
        asked = tomllib.loads(request.read_text("utf-8"))
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        fail(f"{request}: {error}")
    if "path" not in asked:
        fail(f"{request}: the request has no 'path'")
    try:
        rehearsal = Rehearsal(
            rehearsed_policies(folder, environment),
            rehearsed_claims(folder, environment),
            asked.pop("back_end", None),
        )
    except PolicyDocumentError as error:
        fail(str(error))
    answer, noted = asyncio.run(rehearsal.trace(asked))
    if as_json:
        print_json({"answer": answer, "policies": [each.to_json() for each in noted.policies]})
        return
    section = ""
    for each in noted.policies:
        if each.section != section:
            section = each.section
            typer.echo(section)
        indent = "  " * (each.depth + 1)
        outcome = f"  {each.outcome}" if each.outcome else ""
        typer.echo(f"{indent}{each.policy} ({each.scope})  {each.milliseconds:.3f} ms{outcome}")
        if not any(other.path.startswith(f"{each.path}/") for other in noted.policies):
            for change in each.changes:
                typer.echo(f"{indent}    {change}")
    called = len(rehearsal.calls)
    typer.echo(f"answer {answer['status']}, back end called {called} times")


@app.command("test")
def run_tests(
    solution: SolutionOption = Path(),
    environment: EnvironmentOption = "local",
    as_json: JsonOption = False,
) -> None:
    """Run the solution's request and expectation files, policies/tests/*.toml.

    Example: mandate policy test --solution examples/vendor-invoices
    """
    from hybridmandate.governance.gateway.errors import PolicyDocumentError
    from hybridmandate.governance.gateway.rehearsal_tests import (
        TestFileInvalid,
        read_cases,
        run_case,
    )
    from hybridmandate.local.policies import rehearsed_claims, rehearsed_policies

    folder = _folder(solution, environment)
    claims = rehearsed_claims(folder, environment)
    try:
        configuration = rehearsed_policies(folder, environment)
        cases = read_cases(folder.policies / "tests")
        results = [(each, asyncio.run(run_case(each, configuration, claims))) for each in cases]
    except (PolicyDocumentError, TestFileInvalid) as error:
        fail(str(error))
    if not results:
        fail(f"{folder.policies / 'tests'}: there are no test files")
    failed = [(each, why) for each, why in results if why]
    if as_json:
        print_json(
            [
                {"file": each.file, "name": each.name, "passed": not why, "why": why}
                for each, why in results
            ]
        )
    else:
        for each, why in failed:
            typer.echo(f"{Path(each.file).name}: {each.name}: {why}")
        typer.echo(f"{len(results) - len(failed)} passed, {len(failed)} failed")
    if failed:
        raise typer.Exit(1)


def _folder(solution: Path, environment: str) -> SolutionFolder:
    """The solution, which has that environment."""
    from hybridmandate.manifest import SolutionRefused, load_solution

    try:
        folder = load_solution(solution)
        folder.environment(environment)
    except SolutionRefused as refused:
        fail("\n".join(str(each) for each in refused.findings))
    return folder
