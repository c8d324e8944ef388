"""`mandate flow …`: test, run, show and measure cloud flows without a tenant."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hybridmandate.cli.terminal import JsonOption, SolutionOption, fail, print_json

if TYPE_CHECKING:
    from hybridmandate.orchestration.definition import Flow

app = typer.Typer(help="Test, run, show and measure cloud flows.", no_args_is_help=True)

FlowArgument = Annotated[
    str, typer.Argument(help="A flow's name in the solution, or a flow file or package.")
]
PLUGIN = "hybridmandate.orchestration.testing.plugin"


@app.command("test")
def run_tests(
    solution: SolutionOption = Path(),
    arguments: Annotated[list[str] | None, typer.Argument(help="Passed to pytest.")] = None,
) -> None:
    """Run the solution's flow tests and report what they did not reach.

    Example: mandate flow test --solution examples/vendor-invoices
    """
    tests = solution / "tests"
    if not tests.is_dir():
        fail(f"{tests} is not there: flow tests stand in the solution's folder 'tests'", code=2)
    command = [sys.executable, "-m", "pytest", "-p", PLUGIN, str(tests), "--flow-coverage"]
    # Runs the team's own tests with this very interpreter.
    raise typer.Exit(subprocess.call([*command, *(arguments or [])]))  # noqa: S603


@app.command("run")
def run_flow(
    name: FlowArgument,
    solution: SolutionOption = Path(),
    trigger: Annotated[
        Path | None, typer.Option("--trigger", help="JSON of the trigger's outputs.")
    ] = None,
    mocks: Annotated[
        Path | None,
        typer.Option("--mocks", help="JSON object: answers by action name or operation id."),
    ] = None,
    export: Annotated[
        Path | None, typer.Option("--export", help="Write the run history to this file.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Run a flow once in memory; calls that are not mocked get a sample answer.

    Example: mandate flow run invoice-intake --solution examples/vendor-invoices
    """
    from hybridmandate.orchestration.testing.replay import export_run
    from hybridmandate.orchestration.testing.sample_run import run_with_samples

    flow = _flow(name, solution)
    ended = run_with_samples(flow, outputs=_json(trigger), mocks=_json(mocks) or {})
    history = export_run(
        run_id=ended.id,
        status=ended.status,
        correlation_id=ended.correlation_id,
        trigger={"name": flow.trigger.name, "outputs": ended.state["trigger"]["outputs"]},
        records=ended.tracked,
    )
    if export is not None:
        export.write_text(json.dumps(history, indent=2) + "\n", "utf-8")
    if as_json:
        print_json(history)
    else:
        for record in ended.tracked:
            place = f"[{'.'.join(map(str, record['at']))}]" if record["at"] else ""
            error = (record.get("error") or {}).get("message") or ""
            shown = error if record["status"] == "Failed" else ""
            typer.echo(f"{record['status']:10} {record['name']}{place}  {shown}".rstrip())
        typer.echo(f"run {ended.status}, {len(ended.calls)} calls answered without a network")
    if ended.status != "Succeeded":
        raise typer.Exit(1)


@app.command("show")
def show_flow(
    name: FlowArgument,
    solution: SolutionOption = Path(),
    as_diagram: Annotated[bool, typer.Option("--diagram", help="Print Mermaid.")] = False,
) -> None:
    """Print a flow as an outline that people can read.

    Example: mandate flow show invoice-intake --solution examples/vendor-invoices
    """
    from hybridmandate.orchestration.testing.outline import diagram, outline

    flow = _flow(name, solution)
    typer.echo(diagram(flow) if as_diagram else outline(flow))


@app.command("coverage")
def coverage(
    folder: Annotated[Path, typer.Argument(help="Folder, package or flow file.")],
    as_json: JsonOption = False,
) -> None:
    """Say which flows of a folder would load and run here, and why the rest would not.

    Example: mandate flow coverage exported-solutions
    """
    from hybridmandate.orchestration.definition.packages import find_flows
    from hybridmandate.orchestration.testing.flow_coverage import cover

    if not folder.exists():
        fail(f"{folder} is not there", code=2)
    found = cover(find_flows(folder))
    if as_json:
        print_json(found.to_json())
        return
    for each in found.flows:
        if not each.runs:
            typer.echo(f"does not run: {each.entry}: {each.reason}")
    simulated, mocked = found.operations()
    typer.echo(
        f"\noperations simulated: {simulated.total()}, answered by a sample: {mocked.total()}"
    )
    for operation, count in mocked.most_common(15):
        typer.echo(f"  {count:5} {operation}")
    typer.echo(
        f"\n{len(found.flows)} flows ({found.repeated} repetitions, {found.desktop} desktop flows "
        f"left out): {found.loading} load, {found.running} run"
    )


@app.command("limits")
def limits(
    name: Annotated[str, typer.Argument(help="A flow; without it all of the solution.")] = "",
    solution: SolutionOption = Path(),
    profile: Annotated[str, typer.Option(help="low, medium or high.")] = "medium",
    as_json: JsonOption = False,
) -> None:
    """Measure flows against the platform's limits and name racy variables; 1 when one is over.

    Example: mandate flow limits --solution examples/vendor-invoices
    """
    from hybridmandate.orchestration.definition.races import describe
    from hybridmandate.orchestration.limits import Profile, measure_flow

    if profile not in [each.value for each in Profile]:
        fail(f"'{profile}' is no profile: low, medium or high", code=2)
    flows = [_flow(name, solution)] if name else _all(solution)
    measured = [(flow.name, m) for flow in flows for m in measure_flow(flow, Profile(profile))]
    if as_json:
        print_json(
            [
                {
                    "flow": of_flow,
                    "limit": each.limit.id,
                    "value": each.value,
                    "highest": each.highest,
                    "level": each.level,
                    "place": each.place,
                }
                for of_flow, each in measured
            ]
        )
    else:
        for of_flow, each in measured:
            typer.echo(f"{each.level:8} {of_flow}: {each}")
        for flow in flows:
            for race in describe(flow):
                typer.echo(f"warning  {flow.name}: {race}")
    if any(each.level == "over" for _, each in measured):
        raise typer.Exit(1)


def _all(solution: Path) -> list[Flow]:
    from hybridmandate.orchestration.definition import DefinitionInvalid, load_flow
    from hybridmandate.orchestration.definition.packages import find_flows

    place = solution / "flows" if (solution / "flows").is_dir() else solution
    flows = []
    for each in find_flows(place):
        if each.document is None:
            fail(f"{each.entry}: {each.fault}")
        try:
            flows.append(load_flow(each.document))
        except DefinitionInvalid as fault:
            fail(str(fault))
    return flows


def _flow(name: str, solution: Path) -> Flow:
    found = _all(Path(name)) if Path(name).exists() else _all(solution)
    wanted = _plain(name)
    named = found if Path(name).exists() else [f for f in found if _plain(f.name) == wanted]
    if len(named) != 1:
        listed = ", ".join(sorted(each.name for each in found)) or "none"
        fail(f"{len(named)} flows are called '{name}'; there are: {listed}", code=2)
    return named[0]


def _plain(name: str) -> str:
    return "".join(each for each in name.lower() if each.isalnum())


def _json(path: Path | None) -> Any:
    if path is None:
        return None
    try:
        return json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        fail(f"{path}: {error}", code=2)
